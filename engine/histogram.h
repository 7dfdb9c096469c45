// Counts of values by size, as Prometheus wants them.
#pragma once

#include <cstdint>
#include <vector>

namespace tillwatch::engine {

// Counts of values by size. Copy it, add up those of several threads.
class Histogram {
 public:
  // Upper bounds, inclusive, ascending.
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  void observe(double value, uint64_t times = 1);
  void add(const Histogram& other);  // with the same bounds

  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<uint64_t>& counts() const { return counts_; }  // per bucket, not cumulative; the last has no bound
  uint64_t count() const;
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
};

Histogram commit_seconds_histogram();  // 1 ms to 10 s
Histogram batch_records_histogram();   // 1 to 100,000
Histogram alert_latency_histogram();   // 10 ms to 5 min
Histogram pause_histogram();           // 10 ms to 10 min

}  // namespace tillwatch::engine
