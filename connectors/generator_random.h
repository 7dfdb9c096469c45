// The generator's own randomness: xoshiro256** and distributions in integers, so that a seed means the same on every
// machine and with every library (std:: distributions and libm promise no such thing).
#pragma once

#include <bit>
#include <cstdint>

namespace tillwatch::connectors::generation {

// SplitMix64's finisher: a fixed scrambling of 64 bits, one to one.
constexpr uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

class Random {
 public:
  // Generators of one seed and different `stream`s are independent of each other.
  Random(uint64_t seed, uint64_t stream) {
    uint64_t value = mix(seed ^ mix(stream));
    for (uint64_t& word : state_) word = value = mix(value);
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // [0, count); count > 0.
  uint32_t below(uint32_t count) { return static_cast<uint32_t>(((next() >> 32) * count) >> 32); }

  // [low, high], both included; at most 2^32 - 1 apart. `low` when high < low.
  int64_t between(int64_t low, int64_t high) {
    return high <= low ? low : low + static_cast<int64_t>(below(static_cast<uint32_t>(high - low + 1)));
  }

  // True `share_ppm` times in a million.
  bool chance(uint32_t share_ppm) { return below(1'000'000) < share_ppm; }

  // Mean 0, standard deviation 65536: twelve uniform numbers summed; at most six deviations away.
  int64_t normal_q16() {
    int64_t sum = 0;
    for (int i = 0; i < 3; ++i) {
      const uint64_t bits = next();
      sum += static_cast<int64_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48));
    }
    return sum - 6 * 65536;
  }

  // Mean 65536. The logarithm is linear between powers of two; 43691 is ln 2 in Q16 less the bias of that.
  int64_t exponential_q16() {
    const uint64_t value = (next() >> 32) | 1;
    const int whole = std::bit_width(value) - 1;
    const int64_t log2_q16 = (int64_t{whole} << 16) + static_cast<int64_t>(((value << 16) >> whole) & 0xffff);
    return (((int64_t{32} << 16) - log2_q16) * 43691) >> 16;
  }

 private:
  uint64_t state_[4];
};

// median * 2^(exponent), the exponent in Q16; 2^fraction by a parabola that is exact at both ends.
constexpr int64_t scale_by_power_of_two(int64_t median, int64_t exponent_q16) {
  const int64_t whole = exponent_q16 >> 16;
  const int64_t fraction = exponent_q16 & 0xffff;
  const int64_t factor_q16 = 65536 + ((fraction * (43024 + ((22512 * fraction) >> 16))) >> 16);
  const int64_t scaled = (median * factor_q16) >> 16;
  return whole >= 0 ? scaled << whole : scaled >> -whole;
}

}  // namespace tillwatch::connectors::generation
