// What live keys cost in memory: with RocksDB behind them and the memory budget of a configuration, as `tillwatch run` has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tillwatch::engine::bench {

struct MemoryRun {
  size_t keys = 0;
  uint64_t budget_bytes = 0;  // `state.memory_budget`
};

// A table with a line for each run. Each fills a store in `scratch` in a process of its own: memory that another has freed would be
// taken again and not show.
void print_memory(std::span<const MemoryRun> runs, const std::string& scratch);

}  // namespace tillwatch::engine::bench
