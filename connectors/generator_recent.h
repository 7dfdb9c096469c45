// Remembers for an hour and more what has been seen, in a fixed number of bits. It may take something for seen that was not,
// never the other way round: enough for keeping accidents out of ordinary traffic.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "connectors/generator_random.h"
#include "engine/base/time.h"

namespace tillwatch::connectors::generation {

class Recent {
 public:
  // For about `expected` keys in 70 minutes; eight bits a key, between 8 KiB and 128 MiB in each of two halves.
  explicit Recent(uint64_t expected) {
    size_t words = std::bit_ceil(expected / 8 + 1);
    words = words < 1024 ? 1024 : words;
    words = words > (size_t{1} << 24) ? size_t{1} << 24 : words;
    now_.assign(words, 0);
    before_.assign(words, 0);
  }

  // Forgets what is older than two turns. `time` must not go back.
  void turn(TimeMs time) {
    if (time < turns_at_) return;
    const bool long_ago = time >= turns_at_ + kTurn;
    now_.swap(before_);
    now_.assign(now_.size(), 0);
    if (long_ago) before_.assign(before_.size(), 0);
    turns_at_ = time + kTurn;
  }

  void add(uint64_t key) {
    const uint64_t bits = mix(key);
    now_[(bits >> 6) & (now_.size() - 1)] |= uint64_t{1} << (bits & 63);
  }

  bool has(uint64_t key) const {
    const uint64_t bits = mix(key);
    const size_t word = (bits >> 6) & (now_.size() - 1);
    return (((now_[word] | before_[word]) >> (bits & 63)) & 1) != 0;
  }

 private:
  static constexpr DurationMs kTurn = 70 * kMinute;
  TimeMs turns_at_ = kBeforeAllTime;
  std::vector<uint64_t> now_, before_;
};

}  // namespace tillwatch::connectors::generation
