// What a live key costs in memory.
#pragma once

#include <cstddef>

namespace tillwatch::engine::bench {

void print_memory(size_t keys);

}  // namespace tillwatch::engine::bench
