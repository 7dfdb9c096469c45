#include "rules/runtime/shard.h"

#include <algorithm>

#include "rules/runtime/bytes.h"
#include "rules/runtime/state_format.h"

namespace tillwatch::rules {
namespace {

constexpr size_t kSpares = 8192;         // key states kept for reuse
constexpr size_t kLeastDisarmed = 4096;  // fewer wake-ups of nobody are not worth a sweep

void name_row(const TableRead& row, std::string& name) {
  name.clear();
  ByteWriter(name).fixed(row.table);
  name += row.key;
}

// A wake-up of a key in eight bytes: earlier ones of a clock are lower. Times are cut 2,200 years from 1970: waking too early
// does nothing.
int64_t armed_word(const Wake& wake) {
  constexpr TimeMs kFar = TimeMs{1} << 46;
  return std::clamp(wake.at, -kFar, kFar) * 65536 + wake.clock;
}
int clock_of(int64_t word) { return static_cast<int>(word & 0xffff); }
TimeMs time_of(int64_t word) { return word >> 16; }

}  // namespace

Shard::Shard(const CompiledBundle& bundle, const Tables& tables, uint16_t number, const state::Store* store,
             size_t budget_bytes)
    : bundle_(bundle),
      tables_(tables),
      number_(number),
      store_(store),
      budget_bytes_(budget_bytes),
      clocks_(bundle.clocks.size(), kBeforeAllTime),
      machine_(bundle, tables, clocks_),
      timers_(bundle.clocks.size()),
      obligations_(bundle.rules.size()) {
  for (const auto& rule : bundle.rules) stored_rules_.push_back(stored_number(*rule, bundle.source.schema));
}

Shard::~Shard() = default;

KeySlot& Shard::slot_for(int rule, std::string_view key) {
  KeySlot* found = pool_.find(rule, key);
  return found != nullptr ? *found : pool_.add(rule, key);
}

std::unique_ptr<KeyInHand> Shard::spare() {
  if (spares_.empty()) return std::make_unique<KeyInHand>();
  std::unique_ptr<KeyInHand> taken = std::move(spares_.back());
  spares_.pop_back();
  return taken;
}

KeyState& Shard::open(KeySlot& slot) {
  slot.used = true;
  if (slot.in_hand) return slot.in_hand->state;
  slot.in_hand = spare();
  hot_keys_ += slot.packed == nullptr;
  restore(slot, slot.in_hand->state);
  return slot.in_hand->state;
}

void Shard::release(KeySlot& slot) {
  if (!slot.in_hand) return;
  hot_keys_ -= slot.packed == nullptr;
  if (spares_.size() < kSpares) {
    slot.in_hand->state.reset();
    spares_.push_back(std::move(slot.in_hand));
  } else {
    slot.in_hand.reset();
  }
}

void Shard::drop_packed(KeySlot& slot) {
  if (!slot.packed) return;
  slot.packed.reset();
  hot_keys_ -= slot.in_hand == nullptr;
}

Fed Shard::deliver(int subscription, std::string_view key, const Event& event) {
  const Subscription& to = bundle_.subscriptions[static_cast<size_t>(subscription)];
  if (careful_) return deliver_alone(to, subscription, key, event);
  if (bundle_.rules[static_cast<size_t>(to.rule)]->stateless) {
    scratch_.reset();
    const Fed told = feed(to, scratch_, key, event);
    machine_.run(to.rule, scratch_, stateless_);
    return told;
  }
  KeySlot& slot = slot_for(to.rule, key);
  slot.asleep = false;
  KeyState& state = open(slot);
  schedule(slot);
  return feed(to, state, key, event);
}

Fed Shard::feed(const Subscription& to, KeyState& state, std::string_view key, const Event& event) {
  if (bundle_.faults.work) bundle_.faults.work(to.rule, key, &event);
  return machine_.feed(to.rule, state, to.input, event);
}

void Shard::schedule(KeySlot& slot) {
  touch(slot);
  if (slot.to_run) return;
  slot.to_run = true;
  to_run_.push_back(&slot);
}

void Shard::touch(KeySlot& slot) {
  if (slot.touched) return;
  slot.touched = true;
  touched_.push_back(&slot);
}

void Shard::row_changed(const TableRead& row, TimeMs recorded_at) {
  name_row(row, row_name_);
  const auto found = readers_.find(row_name_);
  if (found == readers_.end()) return;
  for (uint32_t number : found->second) {
    KeySlot& slot = pool_.at(number);
    KeyState& state = open(slot);
    schedule(slot);
    const auto tell = [&] { machine_.row_changed(slot.rule, state, recorded_at); };
    if (!careful_) {
      tell();
    } else if (auto failed = attempt(slot, stateless_, tell)) {
      fell_asleep(slot, std::move(*failed));
    }
  }
  readers_.erase(found);  // they sign up again when they still wait
}

void Shard::run_slot(KeySlot& slot, std::vector<DerivedEvent>& derived) {
  slot.to_run = false;
  if (!careful_) return run_key(slot, derived);
  if (auto failed = attempt(slot, derived, [&] { run_key(slot, derived); })) fell_asleep(slot, std::move(*failed));
}

void Shard::run_key(KeySlot& slot, std::vector<DerivedEvent>& derived) {
  if (bundle_.faults.work) bundle_.faults.work(slot.rule, slot.key_bytes(), nullptr);
  KeyState& state = open(slot);
  machine_.run(slot.rule, state, derived);
  arm(slot, state);
}

void Shard::run(std::vector<DerivedEvent>& derived) {
  std::vector<KeySlot*> slots;
  slots.swap(to_run_);
  for (DerivedEvent& event : stateless_) derived.push_back(std::move(event));
  stateless_.clear();
  for (KeySlot* slot : slots) run_slot(*slot, derived);
}

void Shard::arm(KeySlot& slot, const KeyState& state) {
  if (slot.asleep) return;
  if (bundle_.faults.loses_wake && bundle_.faults.loses_wake(slot.rule, slot.key_bytes())) return;
  machine_.wants(slot.rule, state, wakes_, reads_);
  for (const Wake& wake : wakes_) {
    if (wake.clock < 0) continue;
    const int64_t word = armed_word(wake);
    const bool armed = std::any_of(slot.armed.begin(), slot.armed.end(),
                                   [&](int64_t other) { return clock_of(other) == wake.clock && other <= word; });
    if (armed) continue;
    slot.armed.push_back(word);
    Heap& heap = timers_[static_cast<size_t>(wake.clock)];
    heap.push_back({time_of(word), slot.number, slot.generation});
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
    ++armed_;
  }
  for (const TableRead* read : reads_) wait_for_row(slot, *read);
}

void Shard::wait_for_row(KeySlot& slot, const TableRead& read) {
  name_row(read, row_name_);
  if (!readers_[row_name_].insert(slot.number).second) return;
  slot.reads = true;
  std::vector<std::string>& rows = waits_for_[slot.number];
  if (std::find(rows.begin(), rows.end(), row_name_) == rows.end()) rows.push_back(row_name_);
}

// What the heaps still hold of a slot that goes to another key means nothing any more.
void Shard::disarm(KeySlot& slot) {
  disarmed_ += slot.armed.size();
  if (disarmed_ < kLeastDisarmed || disarmed_ < armed_ / 2) return;
  for (Heap& heap : timers_) {
    std::erase_if(
        heap, [&](const Armed& each) { return pool_.at(each.slot).generation != each.generation || each.slot == slot.number; });
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
  }
  armed_ = disarmed_ = 0;
  for (const Heap& heap : timers_) armed_ += heap.size();
}

void Shard::tick(const std::vector<TimeMs>& clocks, std::vector<DerivedEvent>& derived) {
  for (size_t i = 0; i < clocks.size(); ++i) clocks_[i] = std::max(clocks_[i], clocks[i]);
  for (size_t clock = 0; clock < timers_.size(); ++clock) {
    Heap& heap = timers_[clock];
    while (!heap.empty() && heap.front().at <= clocks_[clock]) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      const Armed armed = heap.back();
      heap.pop_back();
      --armed_;
      KeySlot& slot = pool_.at(armed.slot);
      if (slot.generation != armed.generation) {
        --disarmed_;
        continue;
      }
      const auto which = std::find(slot.armed.begin(), slot.armed.end(), armed_word({static_cast<int>(clock), armed.at}));
      if (which != slot.armed.end()) slot.armed.erase(which);
      schedule(slot);
    }
  }
  run(derived);
}

void Shard::publish(std::vector<AlertChange>& changes) {
  for (KeySlot* slot : touched_) {
    if (careful_) {
      publish_alone(*slot, changes);
    } else {
      publish_key(*slot, changes);
    }
  }
}

void Shard::publish_key(KeySlot& slot, std::vector<AlertChange>& changes) {
  KeyState& state = open(slot);
  machine_.publish(slot.rule, slot.key_bytes(), state, changes);
  machine_.forget(slot.rule, state);
  arm(slot, state);
  count_waiting(slot);
}

void Shard::measure_bytes(KeySlot& slot) {
  size_t now = 0;
  if (slot.packed) {
    now = slot.packed_size + 16;
  } else if (slot.in_hand) {
    now = sizeof(KeyInHand) + slot.in_hand->state.bytes() + slot.in_hand->record.capacity();
  }
  now = std::min<size_t>(now, ~uint32_t{0});
  state_bytes_ += now - slot.bytes;
  slot.bytes = static_cast<uint32_t>(now);
}

void Shard::count_waiting(KeySlot& slot) {
  uint32_t waiting = 0;
  if (const Fold state = slot.in_hand->state.current()) {
    for (const auto& instance : state->instances) {
      waiting += instance->phase != Instance::Phase::open && instance->phase != Instance::Phase::ended;
    }
  }
  obligations_[slot.rule] += static_cast<int64_t>(waiting) - slot.waiting;
  slot.waiting = waiting;
}

void Shard::remove(KeySlot& slot) {
  release(slot);
  drop_packed(slot);
  measure_bytes(slot);
  obligations_[slot.rule] -= slot.waiting;
  disarm(slot);
  if (slot.reads) {
    const auto waits = waits_for_.find(slot.number);
    for (const std::string& row : waits->second) {
      const auto readers = readers_.find(row);
      if (readers == readers_.end()) continue;
      readers->second.erase(slot.number);
      if (readers->second.empty()) readers_.erase(readers);
    }
    waits_for_.erase(waits);
  }
  pool_.remove(slot);
}

Shard::Memory& Shard::Memory::operator+=(const Memory& other) {
  hot_keys += other.hot_keys;
  state_bytes += other.state_bytes;
  index_bytes += other.index_bytes;
  evictions += other.evictions;
  loads += other.loads;
  return *this;
}

size_t Shard::index_bytes() const {
  size_t total = pool_.bytes();
  for (const Heap& heap : timers_) total += heap.capacity() * sizeof(Armed);
  return total + readers_.capacity() * 64 + waits_for_.size() * 160;
}

TimeMs Shard::next_wake() const {
  TimeMs next = kAfterAllTime;
  for (const Heap& heap : timers_) {
    if (!heap.empty()) next = std::min(next, heap.front().at);
  }
  return next;
}

// In a heap everything under a later time is later still.
void Shard::count_due(const Heap& heap, size_t at, TimeMs upto, absl::flat_hash_set<uint32_t>& seen) const {
  if (at >= heap.size() || heap[at].at > upto) return;
  if (pool_.at(heap[at].slot).generation == heap[at].generation) seen.insert(heap[at].slot);
  count_due(heap, 2 * at + 1, upto, seen);
  count_due(heap, 2 * at + 2, upto, seen);
}

Machine::Held Shard::held(int clock, TimeMs upto) {
  Machine::Held total;
  absl::flat_hash_set<uint32_t> seen;
  count_due(timers_[static_cast<size_t>(clock)], 0, upto, seen);
  for (uint32_t number : seen) {
    KeySlot& slot = pool_.at(number);
    if (slot.waiting == 0) continue;
    const KeyState* state = slot.in_hand ? &slot.in_hand->state : &scratch_;
    if (!slot.in_hand) {
      scratch_.reset();
      if (!restore(slot, scratch_)) return total;
    }
    const Machine::Held one = machine_.held(slot.rule, *state, clock, upto);
    total.count += one.count;
    total.money_minor += one.money_minor;
  }
  return total;
}

}  // namespace tillwatch::rules
