// A shard's way to the store and back: what a commit writes, what a start reads, what memory leaves to the store.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "rules/runtime/shard.h"
#include "state/key_codec.h"

namespace tillwatch::rules {
namespace {

enum RecordKind : uint8_t { record = 0, page = 1 };

// Up to so many events a state is packed between its events; a larger one costs more to unpack than it takes.
constexpr size_t kMostPacked = 12;

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

bool stays_in_hand(const KeyState& state) { return state.next_page > 0 || state.log.size() > kMostPacked; }

}  // namespace

std::string Shard::store_key(const KeySlot& slot, uint8_t kind, uint32_t page_number) const {
  std::string bytes;
  state::append_state_key(bytes, number_, stored_rules_[slot.rule], slot.key_bytes(), kind, page_number);
  return bytes;
}

Status Shard::read(const KeySlot& slot, KeyState& state) {
  const auto found = store_->get(store_key(slot, record, 0));
  if (!found) return std::unexpected(found.error());
  if (!found->has_value()) return fail(ErrorKind::corrupt, "store: a key that was written is not there");
  if (Status unpacked = state.unpack(**found); !unpacked) return unpacked;
  if (state.next_page == 0) return {};
  Status result;
  const Status scanned =
      store_->scan(state::kind_prefix(number_, stored_rules_[slot.rule], slot.key_bytes(), page),
                   [&](std::string_view key, std::string_view value) {
                     const auto decoded = state::decode_state_key(key);
                     result = decoded ? state.decode_page(decoded->page, value) : Status(std::unexpected(decoded.error()));
                     return result.has_value();
                   });
  return scanned ? result : scanned;
}

bool Shard::restore(KeySlot& slot, KeyState& state) {
  if (!slot.packed && !slot.stored) return true;  // a new key
  loads_ += slot.packed == nullptr;
  Status restored = slot.packed ? state.unpack(slot.packed_bytes()) : read(slot, state);
  if (!restored) {
    if (health_) health_ = restored;
    state.reset();
    return false;
  }
  machine_.after_load(slot.rule, state);
  return true;
}

Status Shard::load() {
  const auto all = load_some(kNoLimit);
  return all ? Status{} : Status(std::unexpected(all.error()));
}

Expected<bool> Shard::load_some(size_t keys) {
  while (store_ != nullptr && loading_.rule < bundle_.rules.size()) {
    if (keys == 0) return false;
    if (Status loaded = load_keys(keys); !loaded) return std::unexpected(loaded.error());
    if (loading_.from.empty()) ++loading_.rule;
  }
  return true;
}

Status Shard::load_keys(size_t& keys) {
  const std::string prefix = state::slot_prefix(number_, stored_rules_[loading_.rule]);
  const std::string from = loading_.from.empty() ? prefix : std::exchange(loading_.from, {});
  KeySlot* slot = nullptr;
  std::string bytes;  // the record of the key in hand
  Status result;
  const Status scanned = store_->scan_from(prefix, from, [&](std::string_view key, std::string_view value) {
    const auto decoded = state::decode_state_key(key);
    if (!decoded) {
      result = std::unexpected(decoded.error());
    } else if (decoded->kind == record && keys == 0) {
      loading_.from = key;
      return false;
    } else if (decoded->kind == record) {
      --keys;
      if (slot != nullptr) finish_loading(*slot, bytes);
      slot = &slot_for(static_cast<int>(loading_.rule), decoded->key);
      slot->stored = true;
      slot->in_hand = spare();
      ++hot_keys_;
      bytes = value;
      if (result) result = slot->in_hand->state.unpack(value);
    } else if (slot == nullptr || slot->key_bytes() != decoded->key) {
      result = fail(ErrorKind::corrupt, "store: a page of events is there without its key");
    } else {
      result = slot->in_hand->state.decode_page(decoded->page, value);
    }
    return result.has_value();
  });
  if (!scanned) return scanned;
  if (!result) return result;
  if (slot != nullptr) finish_loading(*slot, bytes);
  return {};
}

Status Shard::erase_rules(const std::vector<uint32_t>& stored, state::WriteSet& out) const {
  if (store_ == nullptr) return {};
  for (const uint32_t number : stored) {
    const Status scanned = store_->scan(state::slot_prefix(number_, number), [&](std::string_view key, std::string_view) {
      out.erase(std::string(key));
      return true;
    });
    if (!scanned) return scanned;
  }
  return {};
}

void Shard::finish_loading(KeySlot& slot, std::string_view bytes) {
  KeyState& state = slot.in_hand->state;
  machine_.after_load(slot.rule, state);
  count_waiting(slot);
  arm(slot, state);
  const bool to_run =
      std::any_of(state.blocked.begin(), state.blocked.end(), [](const Blocked& each) { return each.clock < 0; });
  slot.in_hand->record = bytes;
  settle(slot);
  if (this->bytes() > budget_bytes_) leave(slot);
  if (to_run) schedule(slot);
}

// Small states are packed, which is what flush() made of them; large ones stay as they are.
void Shard::settle(KeySlot& slot) {
  KeyInHand& hand = *slot.in_hand;
  if (stays_in_hand(hand.state)) {
    hand.record = {};
    slot.packed.reset();
  } else {
    const std::string& bytes = hand.record;
    if (!slot.packed || slot.packed_bytes() != bytes) {
      if (!slot.packed || slot.packed_size != bytes.size()) slot.packed = std::make_unique_for_overwrite<char[]>(bytes.size());
      std::memcpy(slot.packed.get(), bytes.data(), bytes.size());
      slot.packed_size = static_cast<uint32_t>(bytes.size());
    }
    hand.record.clear();
    release(slot);
  }
  measure_bytes(slot);
}

void Shard::flush(state::WriteSet& out) {
  for (KeySlot* slot : touched_) {
    KeyState& state = open(*slot);
    if (store_ != nullptr) flush_pages(*slot, out);
    std::string& bytes = slot->in_hand->record;
    bytes.clear();
    if (state.empty()) {
      if (slot->stored) out.erase(store_key(*slot, record, 0));
      continue;
    }
    if (store_ == nullptr && stays_in_hand(state)) continue;  // nobody would read it
    state.pack(bytes);
    if (store_ == nullptr || (slot->packed && slot->packed_bytes() == bytes)) continue;
    out.put(store_key(*slot, record, 0), bytes);
  }
}

void Shard::flush_pages(KeySlot& slot, state::WriteSet& out) const {
  KeyState& state = slot.in_hand->state;
  state.seal();
  std::vector<uint32_t>& changed = state.changed_pages;
  std::vector<uint32_t>& thinned = state.thinned_pages;
  if (changed.empty() && thinned.empty()) return;
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  thinned.insert(thinned.end(), changed.begin(), changed.end());
  std::sort(thinned.begin(), thinned.end());
  thinned.erase(std::unique(thinned.begin(), thinned.end()), thinned.end());
  for (uint32_t number : thinned) {
    if (state.log.left_of(number) == 0) out.erase(store_key(slot, page, number));
  }
  for (uint32_t number : changed) {
    if (state.log.left_of(number) > 0) out.put(store_key(slot, page, number), state.encode_page(number));
  }
  changed.clear();
  thinned.clear();
}

void Shard::confirm() {
  std::vector<KeySlot*> slots;
  slots.swap(touched_);
  for (KeySlot* slot : slots) {
    slot->touched = false;
    if (slot->in_hand->state.empty()) {
      remove(*slot);
      continue;
    }
    slot->stored = store_ != nullptr;
    settle(*slot);
  }
  health_ = {};
  failures_.clear();
  suspects_.clear();
  evict();
}

// Leaves states to the store until the rest fits, those that were not used since the hand came by last.
void Shard::evict() {
  if (store_ == nullptr || pool_.slots() == 0) return;
  for (uint64_t seen = 0; bytes() > budget_bytes_ && hot_keys_ > 0 && seen < uint64_t{2} * pool_.slots(); ++seen) {
    if (hand_ >= pool_.slots()) hand_ = 0;
    KeySlot& slot = pool_.at(hand_++);
    if (slot.touched || !slot.stored || (!slot.packed && !slot.in_hand)) continue;
    if (slot.used) {
      slot.used = false;
      continue;
    }
    leave(slot);
    ++evictions_;
  }
}

void Shard::leave(KeySlot& slot) {
  release(slot);
  drop_packed(slot);
  measure_bytes(slot);
}

Status Shard::abort(const std::vector<TimeMs>& committed_clocks) {
  clocks_ = committed_clocks;
  std::vector<KeySlot*> slots;
  slots.swap(touched_);
  to_run_.clear();
  stateless_.clear();
  failures_.clear();
  suspects_.clear();
  health_ = {};
  for (size_t i = 0; i < slots.size(); ++i) {
    KeySlot* slot = slots[i];
    slot->touched = slot->to_run = slot->asleep = false;
    release(*slot);
    if (!slot->packed && !slot->stored) {
      remove(*slot);
      continue;
    }
    KeyState& state = open(*slot);
    if (!health_) {
      release(*slot);
      for (; i < slots.size(); ++i) touch(*slots[i]);  // asked again when the store is back
      return health_;
    }
    count_waiting(*slot);
    arm(*slot, state);
    const bool to_run =
        std::any_of(state.blocked.begin(), state.blocked.end(), [](const Blocked& each) { return each.clock < 0; });
    if (to_run) {
      schedule(*slot);
    } else if (slot->packed) {
      release(*slot);
    }
    measure_bytes(*slot);
  }
  return {};
}

}  // namespace tillwatch::rules
