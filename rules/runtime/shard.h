// A slice of the key space: the states of its keys, their wake-up times, and the way to and from the store.
//
// Life of a commit: deliver()… run() [rounds] … tick() … publish() … flush() → confirm() or abort(). One thread at a time.
// A key keeps its state as last confirmed, packed or in the store, until the next confirm(); abort() goes back to it. What the
// shard may hold in memory is limited: confirm() leaves to the store what was not used lately (a second chance each), and the
// next event or wake-up reads it back. The key itself stays, with its wake-ups.
//
// When work on a batch throws, its owner undoes all of it (abort) and does it again step by step (set_careful): one event or
// wake-up at a time, each undone by itself and reported when it fails again. A key that fails without an event sleeps until
// its next one.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "engine/base/hash.h"
#include "rules/runtime/key_pool.h"
#include "rules/runtime/machine.h"
#include "state/store.h"

namespace tillwatch::rules {

// A step that failed and was undone.
struct StepFailure {
  int rule = 0;
  int subscription = -1;  // whose event it was; -1: time, a row, or what is said of the key
  std::string key;
  Origin origin;          // of the event
  TimeMs arrived_at = 0;  // likewise
  std::string what;       // was thrown
};

class Shard {
 public:
  static constexpr size_t kNoBudget = std::numeric_limits<size_t>::max();

  // `store` may be null: nothing outlives the process (rule tests, replay), and nothing is left to the store.
  Shard(const CompiledBundle& bundle, const Tables& tables, uint16_t number, const state::Store* store,
        size_t budget_bytes = kNoBudget);
  ~Shard();

  // Reads every key of this shard from the store, and keeps as many states as the budget allows.
  Status load();
  // The same in pieces of so many keys; true when it was the last. After an error the shard is of no use.
  Expected<bool> load_some(size_t keys);
  // Appends to `out` the end of all that is stored under these rules' numbers (state_format.h), which are not of this bundle.
  Status erase_rules(const std::vector<uint32_t>& stored, state::WriteSet& out) const;

  Fed deliver(int subscription, std::string_view key, const Event& event);
  // A new version of a row: keys that looked it up are run again.
  void row_changed(const TableRead& row, TimeMs recorded_at);
  // Folds what was delivered.
  void run(std::vector<DerivedEvent>& derived);
  // Moves the clocks and runs the keys whose time has come; `clocks` as CompiledBundle::clocks, never going back.
  void tick(const std::vector<TimeMs>& clocks, std::vector<DerivedEvent>& derived);
  const std::vector<TimeMs>& clocks() const { return clocks_; }

  // What the store answered first when a state could not be read since the last confirm or abort. What was done since then
  // must be aborted.
  const Status& health() const { return health_; }

  // For what is done from now on.
  void set_careful(bool careful) { careful_ = careful; }
  // Since the last confirm or abort.
  const std::vector<StepFailure>& failures() const { return failures_; }

  void publish(std::vector<AlertChange>& changes);
  // Must come before confirm(). Without a store `out` stays empty.
  void flush(state::WriteSet& out);
  void confirm();
  Status abort(const std::vector<TimeMs>& committed_clocks);

  // Obligations due by `upto` at clock `clock` that are not decided.
  Machine::Held held(int clock, TimeMs upto);

  // The earliest armed wake-up of any clock; kAfterAllTime: none.
  TimeMs next_wake() const;

  bool touched() const { return !touched_.empty(); }  // since the last confirm
  size_t keys() const { return pool_.size(); }
  size_t bytes() const { return state_bytes_ + index_bytes(); }
  struct Memory {
    uint64_t hot_keys = 0;              // whose state is in memory
    uint64_t state_bytes = 0;           // of the states
    uint64_t index_bytes = 0;           // of keys and wake-ups, whether their state is in memory or not
    uint64_t evictions = 0, loads = 0;  // states left to the store and read back, so far
    Memory& operator+=(const Memory& other);
  };
  Memory memory() const { return {hot_keys_, state_bytes_, index_bytes(), evictions_, loads_}; }
  const Machine& machine() const { return machine_; }
  Machine& machine() { return machine_; }
  // Keys with something waiting, per rule.
  const std::vector<int64_t>& obligations() const { return obligations_; }

 private:
  struct Armed {
    TimeMs at;
    uint32_t slot;
    uint32_t generation;
    bool operator>(const Armed& other) const { return at > other.at; }
  };
  using Heap = std::vector<Armed>;

  struct Suspect {  // an event fed since the last confirm
    int subscription;
    Origin origin;
    TimeMs arrived_at;
  };
  // Does the work twice at most, and puts the slot's state and `derived` back where it fails. What it threw; empty: done.
  std::optional<std::string> attempt(KeySlot& slot, std::vector<DerivedEvent>& derived, const std::function<void()>& work);
  Fed deliver_alone(const Subscription& to, int subscription, std::string_view key, const Event& event);
  Fed feed(const Subscription& to, KeyState& state, std::string_view key, const Event& event);
  void run_key(KeySlot& slot, std::vector<DerivedEvent>& derived);
  void publish_key(KeySlot& slot, std::vector<AlertChange>& changes);
  void publish_alone(KeySlot& slot, std::vector<AlertChange>& changes);
  void fell_asleep(KeySlot& slot, std::string what);

  KeySlot& slot_for(int rule, std::string_view key);
  KeyState& open(KeySlot& slot);  // in hand from now on
  void release(KeySlot& slot);    // no longer in hand
  void drop_packed(KeySlot& slot);
  void leave(KeySlot& slot);  // to the store, which has it as it is
  std::unique_ptr<KeyInHand> spare();
  Status read(const KeySlot& slot, KeyState& state);  // from the store
  bool restore(KeySlot& slot, KeyState& state);       // as last confirmed; false: health() says why
  void schedule(KeySlot& slot);
  void touch(KeySlot& slot);
  void arm(KeySlot& slot, const KeyState& state);
  void disarm(KeySlot& slot);
  void wait_for_row(KeySlot& slot, const TableRead& row);
  void run_slot(KeySlot& slot, std::vector<DerivedEvent>& derived);
  void count_waiting(KeySlot& slot);
  void measure_bytes(KeySlot& slot);
  void remove(KeySlot& slot);
  void settle(KeySlot& slot);  // in the form in which it waits for its next event
  // Of loading_.rule, until all is read or `keys` is 0.
  Status load_keys(size_t& keys);
  void finish_loading(KeySlot& slot, std::string_view record);
  void flush_pages(KeySlot& slot, state::WriteSet& out) const;
  void evict();
  size_t index_bytes() const;
  void count_due(const Heap& heap, size_t at, TimeMs upto, absl::flat_hash_set<uint32_t>& seen) const;
  std::string store_key(const KeySlot& slot, uint8_t kind, uint32_t page) const;

  const CompiledBundle& bundle_;
  const Tables& tables_;
  const uint16_t number_;
  const state::Store* store_;
  const size_t budget_bytes_;
  std::vector<uint32_t> stored_rules_;  // per rule: its number in stored keys
  std::vector<TimeMs> clocks_;
  Machine machine_;
  KeyPool pool_;
  std::vector<Heap> timers_;         // per clock: earliest first; of other generations of a slot: nothing
  size_t armed_ = 0, disarmed_ = 0;  // entries of all heaps; of them, those that mean nothing
  absl::flat_hash_map<std::string, absl::flat_hash_set<uint32_t>, TextHash, TextEqual> readers_;  // row → keys that wait for it
  absl::flat_hash_map<uint32_t, std::vector<std::string>> waits_for_;                             // the other way round
  std::vector<KeySlot*> to_run_, touched_;
  std::vector<std::unique_ptr<KeyInHand>> spares_;
  KeyState scratch_;
  std::vector<DerivedEvent> stateless_;  // emitted while delivering, to rules that keep nothing or step by step
  std::vector<Wake> wakes_;
  std::vector<const TableRead*> reads_;
  std::string row_name_;
  std::vector<int64_t> obligations_;
  struct Loading {
    size_t rule = 0;   // the next one
    std::string from;  // the next key in the store; empty: from the rule's beginning
  } loading_;
  Status health_;
  bool careful_ = false;
  std::vector<StepFailure> failures_;
  absl::flat_hash_map<uint32_t, std::vector<Suspect>> suspects_;  // per slot; while careful
  uint32_t hand_ = 0;                                             // of the clock that looks for what was not used lately
  size_t hot_keys_ = 0, state_bytes_ = 0;
  uint64_t evictions_ = 0, loads_ = 0;
};

}  // namespace tillwatch::rules
