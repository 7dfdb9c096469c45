#include "engine/base/hash.h"

#include <xxhash.h>

namespace tillwatch {

uint64_t hash_bytes(std::string_view bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

}  // namespace tillwatch
