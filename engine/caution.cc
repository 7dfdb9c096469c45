#include "engine/caution.h"

#include <fmt/format.h>

#include <exception>

#include "engine/base/guarded.h"

namespace tillwatch::engine {
namespace {

constexpr int kAttempts = 4;  // of a batch: as a whole, then step by step

}  // namespace

Status Caution::run(const std::function<Status()>& work) {
  std::string what;
  try {
    const Guarded guarded;
    return work();
  } catch (const std::exception& error) { what = error.what(); }
  if (++failures_ < kAttempts) {
    return fail(ErrorKind::unavailable, fmt::format("processing a batch failed ({}); it is done again step by step", what));
  }
  return fail(
      ErrorKind::exhausted,
      fmt::format("processing fails ({}), also step by step, and no record can be found that it is because of. That is a "
                  "fault of tillwatch: keep the state directory and report it",
                  what));
}

}  // namespace tillwatch::engine
