// `tillwatch run` as a process of its own, from files and from a real broker.
#pragma once

#include "tests/bench/engine_workload.h"

namespace tillwatch::engine::bench {

void print_from_files(const Workload& workload, const std::string& scratch, int repetitions);
// Starts a broker of its own.
void print_from_kafka(const Workload& workload, const std::string& scratch, int repetitions);

}  // namespace tillwatch::engine::bench
