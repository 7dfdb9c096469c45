// What another rule costs: throughput with 1, 10, 100 and 500 rules on the same records.
#pragma once

namespace tillwatch::engine::bench {

// `records`, about, an hour of traffic; the median of so many interleaved runs.
void print_rule_counts(size_t records, int repetitions);

}  // namespace tillwatch::engine::bench
