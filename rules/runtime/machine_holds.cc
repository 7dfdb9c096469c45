// `for`: a condition that must stay true. While it is held, every event of the key and every slide of a window asks it again; a
// trigger at which it is not true ends the hold.
#include <algorithm>

#include "rules/runtime/machine.h"

namespace tillwatch::rules {

Entry* Machine::trigger_entry(uint64_t id) const {
  for (Entry& entry : key_->log) {
    if (entry.input == 0 && entry.id == id) return &entry;
  }
  return nullptr;
}

// `when` was true at this trigger: the hold goes on, or begins.
void Machine::hold(FoldState& state, const Entry& entry) {
  for (size_t i = 0; i < state.instances.size(); ++i) {
    if (state.instances[i]->phase != Instance::Phase::holding) continue;
    Instance& held = edit(state, i);
    if (held.hit == entry.id) return;
    held.hit = entry.id;
    held.hit_time = std::max(held.hit_time, entry.time);
    held.row = std::make_shared<const std::string>(entry.row);
    ++held.hits;
    for (const TableRead& read : reads_) {
      if (rule_->reads_matter && std::find(held.reads.begin(), held.reads.end(), read) == held.reads.end())
        held.reads.push_back(read);
    }
    add_evidence(held, entry);
    return;
  }
  auto instance = begin_instance(entry);
  instance->phase = Instance::Phase::holding;
  instance->due = {std::max(entry.time + rule_->held_for, position_.at), Order::timer, entry.id};
  add_evidence(*instance, entry);
  state.instances.push_back(std::move(instance));
}

// `when` was not true at `at`: what has been held since before then is over.
void Machine::stop_holding(FoldState& state, TimeMs at) {
  const auto over = std::stable_partition(state.instances.begin(), state.instances.end(), [at](const auto& instance) {
    return instance->phase != Instance::Phase::holding || instance->anchor_time > at;
  });
  if (over == state.instances.end()) return;
  for (auto each = over; each != state.instances.end(); ++each) trace("for", **each);
  state.instances.erase(over, state.instances.end());
}

// Asks what is held again, of its last trigger, as things are at `at`.
void Machine::ask_holding(FoldState& state, TimeMs at) {
  for (size_t i = 0; i < state.instances.size(); ++i) {
    if (state.instances[i]->phase != Instance::Phase::holding) continue;
    Entry* entry = trigger_entry(state.instances[i]->hit);
    DurationMs waited = 0;
    if (entry == nullptr) continue;
    const Verdict verdict = judge(*entry, at, waited);
    if (verdict == Verdict::yes || verdict == Verdict::wait) continue;
    stop_holding(state, at);
    return;
  }
}

// The same for a way of resolving of an open alert.
void Machine::note_hold(FoldState& state, size_t index, size_t way, bool holds, TimeMs at) {
  const Instance& instance = *state.instances[index];
  const TimeMs since = way < instance.holds.size() ? instance.holds[way] : kNever;
  if (holds == (since != kNever)) return;
  Instance& changed = edit(state, index);
  changed.holds.resize(rule_->ways.size(), kNever);
  changed.holds[way] = holds ? at : kNever;
}

void Machine::offer_hold(Timer& best, size_t index) const {
  const Instance& instance = *key_->current()->instances[index];
  offer(best, {instance.due, instance.due.at, rule_->hold_clock, Timer::Kind::held, index, 0});
  const TimeMs at = next_slide(rule_->when_aggregates);
  if (at < kAfterAllTime)
    offer(best, {{at, Order::timer, instance.anchor + 0x40}, at, rule_->hold_clock, Timer::Kind::hold_slide, index, 0});
}

// It stayed true: what follows a trigger follows now.
void Machine::pass_hold(FoldState& state, size_t index) {
  Instance& held = edit(state, index);
  const TimeMs at = held.due.at;
  held.arrived_at = 0;  // time decided, no record
  held.phase = Instance::Phase::stepping;
  held.entered = position_;
  if (!rule_->steps.empty()) {
    if (enter_step(state, index)) settle_early(state, index);
    return;
  }
  if (rule_->alerts && rule_->emit_stream >= 0) state.instances.push_back(std::make_shared<Instance>(held));
  if (rule_->alerts) {
    const Severity severity = severity_of(*state.instances[index], at);
    edit(state, index).phase = Instance::Phase::open;
    speak(state, index, severity, at);
  }
  if (rule_->emit_stream >= 0) complete(state, rule_->alerts ? state.instances.size() - 1 : index, at);
}

}  // namespace tillwatch::rules
