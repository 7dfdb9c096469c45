#include "engine/histogram.h"

#include <algorithm>

#include "engine/base/status.h"

namespace tillwatch::engine {

void Histogram::observe(double value, uint64_t times) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)] += times;
  sum_ += value * static_cast<double>(times);
}

void Histogram::add(const Histogram& other) {
  TILLWATCH_CHECK(bounds_ == other.bounds_);
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  sum_ += other.sum_;
}

uint64_t Histogram::count() const {
  uint64_t count = 0;
  for (const uint64_t each : counts_) count += each;
  return count;
}

Histogram commit_seconds_histogram() {
  return Histogram({0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10});
}
Histogram batch_records_histogram() {
  return Histogram({1, 10, 50, 100, 500, 1000, 2000, 5000, 10'000, 20'000, 50'000, 100'000});
}
Histogram pause_histogram() { return Histogram({0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600}); }
Histogram alert_latency_histogram() { return Histogram({0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}); }

}  // namespace tillwatch::engine
