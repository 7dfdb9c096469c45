// What each stage of a record's way costs, on the same records.
#pragma once

#include "tests/bench/engine_workload.h"

namespace tillwatch::engine::bench {

void print_stages(const Workload& workload, const std::string& scratch, int repetitions);

}  // namespace tillwatch::engine::bench
