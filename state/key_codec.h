// Keys of the store, and the shard a key belongs to. Byte order of an encoded key is the order of its parts, so one prefix
// scan reads a shard, a rule, or all that is kept for one key. Both are part of the store's format: they never change
// without a new format version.
//
// Layout: u16 shard, u32 rule slot, key bytes (escaped, ended), u8 record kind, u32 page. Numbers are big-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/status.h"

namespace tillwatch::state {

// The shard of `key`, in [0, shards). Stable for ever: state is found again by it. `shards` must not be 0.
uint16_t shard_of(std::string_view key, uint16_t shards);

// Big-endian numbers, whose byte order is their numeric order.
void append_u16(std::string& out, uint16_t value);
void append_u32(std::string& out, uint32_t value);
void append_u64(std::string& out, uint64_t value);

// Take a number off the front of `bytes`; empty, and `bytes` as it was, when it is too short.
std::optional<uint16_t> take_u16(std::string_view& bytes);
std::optional<uint32_t> take_u32(std::string_view& bytes);
std::optional<uint64_t> take_u64(std::string_view& bytes);

// Any bytes so that they end by themselves and keep their order: 00 becomes 00 FF, and 00 00 ends it.
void append_escaped(std::string& out, std::string_view bytes);
// Takes such bytes off the front of `bytes`; empty when they do not end or are wrongly escaped.
std::optional<std::string> take_escaped(std::string_view& bytes);

struct StateKey {
  uint16_t shard = 0;
  uint32_t slot = 0;  // of the rule
  std::string key;    // what the rule keeps state per; any bytes
  uint8_t kind = 0;   // of record; its meaning is the writer's
  uint32_t page = 0;
  bool operator==(const StateKey&) const = default;
};

// Appends to `out`, for callers that reuse a buffer.
void append_state_key(std::string& out, uint16_t shard, uint32_t slot, std::string_view key, uint8_t kind, uint32_t page);
Expected<StateKey> decode_state_key(std::string_view bytes);  // error: corrupt

// What Store::scan() takes to visit all of a shard, of a rule in it, of a key of the rule, and of one kind of its records.
std::string shard_prefix(uint16_t shard);
std::string slot_prefix(uint16_t shard, uint32_t slot);
std::string key_prefix(uint16_t shard, uint32_t slot, std::string_view key);
std::string kind_prefix(uint16_t shard, uint32_t slot, std::string_view key, uint8_t kind);

// The lowest string above every string that starts with `prefix`; empty when there is none ("" or only FF bytes).
std::string after_prefix(std::string_view prefix);

}  // namespace tillwatch::state
