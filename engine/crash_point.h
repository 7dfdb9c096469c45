// Death at a named step of a commit, for tests of crashes: the process ends as by kill -9 when the environment says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/kafka_connection.h"

namespace tillwatch::engine {

class CrashPoint {
 public:
  // TILLWATCH_DIE_AT=STEP or STEP:N: the Nth commit that gets to the step. Without it nobody dies.
  static CrashPoint from_environment();

  bool armed() const { return !step_.empty(); }
  // Steps of Runner::set_fault() by their names, those of the Kafka transaction by name() below.
  void reached(std::string_view step);
  static std::string_view name(connectors::CommitStep step);

 private:
  std::string step_;
  uint64_t left_ = 1;
};

}  // namespace tillwatch::engine
