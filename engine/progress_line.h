// A line on standard error that is written over, for people who wait; nothing where that is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tillwatch::engine {

class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // So much is read.
  void read(uint64_t records, int64_t bytes);
  // So many of all are done.
  void done(size_t count, size_t all);

 private:
  bool due();

  const std::string what_;
  const bool shown_;
  const std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace tillwatch::engine
