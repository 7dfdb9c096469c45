#include "engine/crash_point.h"

#include <csignal>
#include <cstdlib>

namespace tillwatch::engine {

CrashPoint CrashPoint::from_environment() {
  CrashPoint point;
  const char* const named = std::getenv("TILLWATCH_DIE_AT");
  if (named == nullptr) return point;
  point.step_ = named;
  if (const size_t colon = point.step_.find(':'); colon != std::string::npos) {
    point.left_ = std::strtoull(point.step_.c_str() + colon + 1, nullptr, 10);
    point.step_.resize(colon);
  }
  return point;
}

void CrashPoint::reached(std::string_view step) {
  if (step == step_ && --left_ == 0) std::raise(SIGKILL);
}

std::string_view CrashPoint::name(connectors::CommitStep step) {
  switch (step) {
    case connectors::CommitStep::begun:
      return "begun";
    case connectors::CommitStep::half_written:
      return "half-written";
    case connectors::CommitStep::written:
      return "written";
    case connectors::CommitStep::positions_sent:
      return "positions-sent";
    case connectors::CommitStep::flushed:
      return "flushed";
    case connectors::CommitStep::committed:
      return "committed";
  }
  return {};
}

}  // namespace tillwatch::engine
