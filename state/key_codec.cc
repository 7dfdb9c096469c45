#include "state/key_codec.h"

#include <xxhash.h>

#include <concepts>

#include "engine/base/words.h"

namespace tillwatch::state {
namespace {

template <std::unsigned_integral T>
void append_big_endian(std::string& out, T value) {
  char bytes[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
  out.append(bytes, sizeof(T));
}

template <std::unsigned_integral T>
std::optional<T> take_big_endian(std::string_view& bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(sizeof(T));
  return static_cast<T>(value);
}

constexpr char kEscape = '\x00';
constexpr char kEscapedZero = '\xff';
constexpr char kEnd = '\x00';

}  // namespace

uint16_t shard_of(std::string_view key, uint16_t shards) {
  TILLWATCH_CHECK(shards > 0);
  return static_cast<uint16_t>(XXH64(key.data(), key.size(), 0) % shards);
}

void append_u16(std::string& out, uint16_t value) { append_big_endian(out, value); }
void append_u32(std::string& out, uint32_t value) { append_big_endian(out, value); }
void append_u64(std::string& out, uint64_t value) { append_big_endian(out, value); }

std::optional<uint16_t> take_u16(std::string_view& bytes) { return take_big_endian<uint16_t>(bytes); }
std::optional<uint32_t> take_u32(std::string_view& bytes) { return take_big_endian<uint32_t>(bytes); }
std::optional<uint64_t> take_u64(std::string_view& bytes) { return take_big_endian<uint64_t>(bytes); }

void append_escaped(std::string& out, std::string_view bytes) {
  while (true) {
    const size_t zero = bytes.find('\0');
    out.append(bytes.substr(0, zero));
    if (zero == std::string_view::npos) break;
    out.push_back(kEscape);
    out.push_back(kEscapedZero);
    bytes.remove_prefix(zero + 1);
  }
  out.push_back(kEscape);
  out.push_back(kEnd);
}

std::optional<std::string> take_escaped(std::string_view& bytes) {
  std::string plain;
  std::string_view rest = bytes;
  while (true) {
    const size_t escape = rest.find(kEscape);
    if (escape == std::string_view::npos || escape + 1 == rest.size()) return std::nullopt;
    plain.append(rest.substr(0, escape));
    const char meaning = rest[escape + 1];
    rest.remove_prefix(escape + 2);
    if (meaning == kEnd) break;
    if (meaning != kEscapedZero) return std::nullopt;
    plain.push_back('\0');
  }
  bytes = rest;
  return plain;
}

void append_state_key(std::string& out, uint16_t shard, uint32_t slot, std::string_view key, uint8_t kind, uint32_t page) {
  out.reserve(out.size() + key.size() + 13);
  append_u16(out, shard);
  append_u32(out, slot);
  append_escaped(out, key);
  out.push_back(static_cast<char>(kind));
  append_u32(out, page);
}

Expected<StateKey> decode_state_key(std::string_view bytes) {
  std::string_view rest = bytes;
  const std::optional<uint16_t> shard = take_u16(rest);
  const std::optional<uint32_t> slot = take_u32(rest);
  std::optional<std::string> key;
  if (shard && slot) key = take_escaped(rest);
  if (!key || rest.size() != 5) {
    return fail(ErrorKind::corrupt, "a key of the store, " + counted(bytes.size(), "byte") +
                                        ", is not of the form shard, slot, key, kind, page: it was written by another format or damaged");
  }
  const uint8_t kind = static_cast<uint8_t>(rest.front());
  rest.remove_prefix(1);
  return StateKey{*shard, *slot, *std::move(key), kind, *take_u32(rest)};
}

std::string shard_prefix(uint16_t shard) {
  std::string out;
  append_u16(out, shard);
  return out;
}

std::string slot_prefix(uint16_t shard, uint32_t slot) {
  std::string out = shard_prefix(shard);
  append_u32(out, slot);
  return out;
}

std::string key_prefix(uint16_t shard, uint32_t slot, std::string_view key) {
  std::string out = slot_prefix(shard, slot);
  append_escaped(out, key);
  return out;
}

std::string kind_prefix(uint16_t shard, uint32_t slot, std::string_view key, uint8_t kind) {
  std::string out = key_prefix(shard, slot, key);
  out.push_back(static_cast<char>(kind));
  return out;
}

std::string after_prefix(std::string_view prefix) {
  std::string above(prefix);
  while (!above.empty() && static_cast<unsigned char>(above.back()) == 0xff) above.pop_back();
  if (!above.empty()) above.back() = static_cast<char>(static_cast<unsigned char>(above.back()) + 1);
  return above;
}

}  // namespace tillwatch::state
