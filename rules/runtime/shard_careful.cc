// A shard's work step by step, after work on the batch as a whole has thrown: what fails again is undone by itself and
// reported.
#include <exception>
#include <utility>

#include "engine/base/guarded.h"
#include "rules/runtime/shard.h"

namespace tillwatch::rules {
namespace {

constexpr int kAttempts = 2;  // of a step by itself; the batch has failed once before

}  // namespace

std::optional<std::string> Shard::attempt(KeySlot& slot, std::vector<DerivedEvent>& derived,
                                          const std::function<void()>& work) {
  const KeyState before = open(slot).copy();
  const size_t emitted = derived.size();
  touch(slot);
  std::string what;
  for (int i = 0; i < kAttempts; ++i) {
    try {
      const Guarded guarded;
      work();
      return std::nullopt;
    } catch (const std::exception& error) { what = error.what(); }
    slot.in_hand->state = before.copy();
    derived.resize(emitted);
  }
  return what;
}

Fed Shard::deliver_alone(const Subscription& to, int subscription, std::string_view key, const Event& event) {
  Fed fed = Fed::failed;
  std::optional<std::string> failed;
  if (bundle_.rules[static_cast<size_t>(to.rule)]->stateless) {
    const size_t emitted = stateless_.size();
    for (int i = 0; i < kAttempts; ++i) {
      try {
        const Guarded guarded;
        scratch_.reset();
        fed = feed(to, scratch_, key, event);
        machine_.run(to.rule, scratch_, stateless_);
        return fed;
      } catch (const std::exception& error) { failed = error.what(); }
      stateless_.resize(emitted);
    }
  } else {
    KeySlot& slot = slot_for(to.rule, key);
    const bool slept = slot.asleep;
    slot.asleep = false;
    failed = attempt(slot, stateless_, [&] {
      fed = feed(to, open(slot), key, event);
      run_key(slot, stateless_);
    });
    if (!failed) {
      suspects_[slot.number].push_back({subscription, event.origin, event.arrived_at});
      return fed;
    }
    slot.asleep = slept;
  }
  failures_.push_back({to.rule, subscription, std::string(key), event.origin, event.arrived_at, std::move(*failed)});
  return Fed::failed;
}

// What cannot be said of a key takes what it was told since the last commit with it.
void Shard::publish_alone(KeySlot& slot, std::vector<AlertChange>& changes) {
  const size_t said = changes.size();
  std::string what;
  try {
    const Guarded guarded;
    publish_key(slot, changes);
    return;
  } catch (const std::exception& error) { what = error.what(); }
  changes.erase(changes.begin() + static_cast<ptrdiff_t>(said), changes.end());
  slot.in_hand->state.reset();
  restore(slot, slot.in_hand->state);
  count_waiting(slot);
  const auto suspects = suspects_.find(slot.number);
  if (suspects == suspects_.end()) return fell_asleep(slot, std::move(what));
  for (const Suspect& each : suspects->second) {
    failures_.push_back({slot.rule, each.subscription, std::string(slot.key_bytes()), each.origin, each.arrived_at, what});
  }
}

void Shard::fell_asleep(KeySlot& slot, std::string what) {
  slot.asleep = true;
  failures_.push_back({slot.rule, -1, std::string(slot.key_bytes()), {}, 0, std::move(what)});
}

}  // namespace tillwatch::rules
