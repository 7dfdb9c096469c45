// The hash used for identities, shards and maps. Stable for ever: shards and stored ids depend on it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace tillwatch {

uint64_t hash_bytes(std::string_view bytes, uint64_t seed = 0);  // XXH3-64

// For absl maps keyed by std::string and asked with std::string_view.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return hash_bytes(text); }
};
using TextEqual = std::equal_to<>;

}  // namespace tillwatch
