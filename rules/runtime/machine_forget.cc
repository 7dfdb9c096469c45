// What a key need not remember any more, and what it puts in order when it is read from the store.
#include <algorithm>

#include "rules/runtime/machine.h"

namespace tillwatch::rules {

void Machine::forget(int rule, KeyState& key) {
  begin(rule, key);
  TimeMs settled = clocks_[static_cast<size_t>(rule_->clock)];
  for (const Blocked& each : key.blocked) settled = std::min(settled, each.order.at - 1);
  if (settled <= kBeforeAllTime) return;
  // What happened at the very instant may still be read, and late events are known at it.
  const Order reach = Order{settled, Order::evidence, 0}.before();
  size_t last = 0;  // the latest checkpoint nothing can come before
  while (last + 1 < key.history.size() && key.history[last + 1].after <= reach) ++last;
  if (last > 0) { key.history.erase(key.history.begin(), key.history.begin() + static_cast<ptrdiff_t>(last)); }
  if (!key.history.empty() && key.history.front().after <= reach) key.floor = std::max(key.floor, key.history.front().after);

  forget_events(rule, key, settled);
  if (key.history.size() == 1 && key.history.front().after <= reach && key.history.front().state) {
    FoldState kept;
    for (const auto& instance : key.history.front().state->instances) {
      const bool row_due = rule_->emit_table >= 0 && instance->row_told < 2;
      if (instance->phase != Instance::Phase::ended || row_due) kept.instances.push_back(instance);
    }
    for (uint64_t id : key.history.front().state->taken) {
      if (key.has_event(id)) kept.taken.push_back(id);
    }
    if (kept.instances.size() != key.history.front().state->instances.size() ||
        kept.taken != key.history.front().state->taken) {
      key.history.front().state = kept.empty() ? nullptr : std::make_shared<const FoldState>(std::move(kept));
    }
  }
  if (key.history.size() == 1 && !key.history.front().state && key.history.front().after <= reach) { key.history.clear(); }
  // What was published stays known while the fold could still come back to it.
  const auto told = std::remove_if(key.published.begin(), key.published.end(), [&](const Published& each) {
    if (each.open && each.standing) return false;
    const Fold state = key.current();
    const bool alive = key.history.size() > 1 ||
                       (state && std::any_of(state->instances.begin(), state->instances.end(),
                                             [&](const auto& instance) { return instance->anchor == each.anchor; })) ||
                       key.has_event(each.anchor);
    return !alive;
  });
  if (told != key.published.end()) { key.published.erase(told, key.published.end()); }
}

// Old events, those before `settled` less what their inputs keep.
void Machine::forget_events(int rule, KeyState& key, TimeMs settled) {
  key.forget_at = kBeforeAllTime;
  // The log is in order of known_at: from this place on nothing is old enough.
  const TimeMs oldest_kept = settled - least_keep_[static_cast<size_t>(rule)];
  const auto young = key.log.from(oldest_kept);
  if (young == key.log.begin()) return;
  if (key.log.size() >= kLongLog) {
    // Where one input keeps longer than another, what stays is looked at again and again: not before a good part of it can go.
    const TimeMs span = oldest_kept - key.log.front().known_at;
    const TimeMs next = key.looked_at + span / 16;
    if (key.looked_at <= settled && settled < next) {
      key.forget_at = next;
      return;
    }
  }
  key.looked_at = settled;
  leave_behind(settled);
  const size_t before = key.log.size();
  key.log.erase_if(young, [&](const Entry& entry) {
    if (entry.known_at + rule_->inputs[entry.input].keep >= settled || entry.order() > key.folded) return false;
    key.floor = std::max(key.floor, entry.order());
    if (entry.page != Entry::kInline) key.thinned_pages.push_back(entry.page);
    if (key.ids) key.ids->erase(entry.id);
    if (key.windows && entry.late()) key.windows->late.erase({entry.time, entry.order()});
    return true;
  });
  if (key.log.size() == before) return;
  key.forgotten = std::max(key.forgotten, settled);
  if (key.log.size() >= kLongLog / 2) return;
  key.ids.reset();
  key.windows.reset();
}

void Machine::after_load(int rule, KeyState& key) const {
  const CompiledRule& compiled = *bundle_.rules[static_cast<size_t>(rule)];
  key.log.merge();
  // Pages are not rewritten for what was forgotten of them.
  key.log.erase_if(key.log.end(), [&](const Entry& entry) {
    return entry.input >= compiled.inputs.size() || (entry.page != Entry::kInline && entry.order() <= key.floor &&
                                                     entry.known_at + compiled.inputs[entry.input].keep < key.forgotten);
  });
  if (key.log.size() >= kLongLog) key.index_ids();
  if (key.clock_numbers == clock_numbers_) return;
  for (Blocked& each : key.blocked) each.clock = -1;  // asked again at once
}

}  // namespace tillwatch::rules
