#include "rules/runtime/key_pool.h"

#include <cstring>

#include "engine/base/hash.h"
#include "engine/base/status.h"

namespace tillwatch::rules {
namespace {

constexpr size_t kAllocation = 16;  // what the allocator adds to or rounds a small block by, about

uint64_t hash_of(int rule, std::string_view key) { return hash_bytes(key, static_cast<uint64_t>(rule)); }

}  // namespace

KeyPool::KeyPool() : index_(0, Hash{this}, Equal{this}) {}

KeySlot* KeyPool::find(int rule, std::string_view key) const {
  const auto found = index_.find(Wanted{hash_of(rule, key), rule, key});
  return found == index_.end() ? nullptr : &at(*found);
}

KeySlot& KeyPool::add(int rule, std::string_view key) {
  if (free_.empty()) {
    const uint32_t first = slots();
    TILLWATCH_CHECK(first < ~uint32_t{0} - kChunk);
    chunks_.push_back(std::make_unique<KeySlot[]>(kChunk));
    for (size_t i = kChunk; i-- > 0;) {
      chunks_.back()[i].number = first + static_cast<uint32_t>(i);
      free_.push_back(first + static_cast<uint32_t>(i));
    }
  }
  KeySlot& slot = at(free_.back());
  free_.pop_back();
  slot.hash = hash_of(rule, key);
  slot.rule = static_cast<uint16_t>(rule);
  slot.key = std::make_unique_for_overwrite<char[]>(key.size());
  if (!key.empty()) std::memcpy(slot.key.get(), key.data(), key.size());
  slot.key_size = static_cast<uint32_t>(key.size());
  key_bytes_ += key.size() + kAllocation;
  index_.insert(slot.number);
  return slot;
}

void KeyPool::remove(KeySlot& slot) {
  index_.erase(slot.number);
  key_bytes_ -= slot.key_size + kAllocation;
  const uint32_t number = slot.number;
  const uint32_t generation = slot.generation + 1;
  std::destroy_at(&slot);
  std::construct_at(&slot);
  slot.number = number;
  slot.generation = generation;
  free_.push_back(number);
}

size_t KeyPool::bytes() const {
  return chunks_.size() * kChunk * sizeof(KeySlot) + free_.capacity() * sizeof(uint32_t) +
         index_.capacity() * (sizeof(uint32_t) + 1) + key_bytes_;
}

}  // namespace tillwatch::rules
