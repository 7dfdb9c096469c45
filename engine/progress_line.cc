#include "engine/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "engine/base/words.h"

namespace tillwatch::engine {

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)), shown_(isatty(STDERR_FILENO) == 1), began_(std::chrono::steady_clock::now()) {}

ProgressLine::~ProgressLine() {
  if (shown_) std::cerr << "\r\x1b[K" << std::flush;
}

void ProgressLine::read(uint64_t records, int64_t bytes) {
  if (!due()) return;
  const double seconds = std::chrono::duration<double>(last_ - began_).count();
  std::cerr << fmt::format("\r\x1b[K{}: {} records, {} MB, {} a second", what_, grouped(records), bytes >> 20,
                           grouped(static_cast<uint64_t>(static_cast<double>(records) / std::max(seconds, 0.001))))
            << std::flush;
}

void ProgressLine::done(size_t count, size_t all) {
  if (due()) std::cerr << fmt::format("\r\x1b[K{}: {} of {}", what_, count, all) << std::flush;
}

bool ProgressLine::due() {
  const auto now = std::chrono::steady_clock::now();
  if (!shown_ || now - last_ < std::chrono::milliseconds(200)) return false;
  last_ = now;
  return true;
}

}  // namespace tillwatch::engine
