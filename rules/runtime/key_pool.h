// The live keys of a shard: a small fixed part for every key, found by rule and bytes, and its state in one of three forms:
// in hand (being worked on, or too large to be packed), packed (the bytes of its record in the store), or in the store only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "rules/runtime/key_state.h"

namespace tillwatch::rules {

struct KeyInHand {
  KeyState state;
  std::string record;  // what flush() made of it
};

struct KeySlot {
  uint64_t hash = 0;
  std::unique_ptr<char[]> key;
  std::unique_ptr<char[]> packed;  // the record as last confirmed; null: not held
  std::unique_ptr<KeyInHand> in_hand;
  uint32_t key_size = 0;
  uint32_t packed_size = 0;
  uint32_t number = 0;      // of the slot in its pool
  uint32_t generation = 0;  // grows when the slot is given to another key
  uint32_t bytes = 0;       // of packed or in_hand, as last measured
  uint32_t waiting = 0;     // obligations
  uint16_t rule = 0;
  bool stored : 1 = false;  // the store holds a record
  bool to_run : 1 = false;
  bool touched : 1 = false;               // since the last confirm
  bool used : 1 = false;                  // since the clock hand passed
  bool reads : 1 = false;                 // waits for rows
  bool asleep : 1 = false;                // working on it failed: left alone until its next event
  absl::InlinedVector<int64_t, 2> armed;  // wake-ups, see shard.cc

  std::string_view key_bytes() const { return {key.get(), key_size}; }
  std::string_view packed_bytes() const { return {packed.get(), packed_size}; }
};

class KeyPool {
 public:
  KeyPool();
  KeyPool(const KeyPool&) = delete;
  KeyPool& operator=(const KeyPool&) = delete;

  KeySlot* find(int rule, std::string_view key) const;
  // The key must not be there. Slots keep their address.
  KeySlot& add(int rule, std::string_view key);
  void remove(KeySlot& slot);
  KeySlot& at(uint32_t number) const { return chunks_[number / kChunk][number % kChunk]; }

  size_t size() const { return index_.size(); }
  uint32_t slots() const { return static_cast<uint32_t>(chunks_.size() * kChunk); }  // used or not: numbers are below this
  // What the keys take without their states.
  size_t bytes() const;

 private:
  static constexpr size_t kChunk = 256;
  struct Wanted {
    uint64_t hash;
    int rule;
    std::string_view key;
  };
  struct Hash {
    using is_transparent = void;
    const KeyPool* pool;
    size_t operator()(uint32_t number) const { return pool->at(number).hash; }
    size_t operator()(const Wanted& wanted) const { return wanted.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const KeyPool* pool;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t number, const Wanted& wanted) const {
      const KeySlot& slot = pool->at(number);
      return slot.hash == wanted.hash && slot.rule == wanted.rule && slot.key_bytes() == wanted.key;
    }
    bool operator()(const Wanted& wanted, uint32_t number) const { return (*this)(number, wanted); }
  };

  std::vector<std::unique_ptr<KeySlot[]>> chunks_;
  std::vector<uint32_t> free_;
  absl::flat_hash_set<uint32_t, Hash, Equal> index_;
  size_t key_bytes_ = 0;
};

}  // namespace tillwatch::rules
