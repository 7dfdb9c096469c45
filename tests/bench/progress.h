// A line on the error output now and then, so that a long run is seen to go on. Standard output is the result's alone.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <string_view>

namespace tillwatch::engine::bench {

class Progress {
 public:
  // Says `text` when nothing was said for a while.
  void at(std::string_view text) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kEvery;
    fmt::print(stderr, "  {:4} s  {}\n", std::chrono::duration_cast<std::chrono::seconds>(now - began_).count(), text);
  }

 private:
  static constexpr std::chrono::seconds kEvery{5};
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point next_ = began_ + kEvery;
};

}  // namespace tillwatch::engine::bench
