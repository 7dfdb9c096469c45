// From a trigger to an alert and to its end: hits, steps, ways of resolving, emission.
#include <algorithm>

#include "engine/base/hash.h"
#include "rules/runtime/machine.h"

namespace tillwatch::rules {

Instance& Machine::edit(FoldState& state, size_t index) {
  std::shared_ptr<const Instance>& held = state.instances[index];
  if (held.use_count() > 1) held = std::make_shared<Instance>(*held);
  return const_cast<Instance&>(*held);  // ours alone: made here or by begin_instance()
}

std::shared_ptr<Instance> Machine::begin_instance(const Entry& entry) const {
  auto instance = std::make_shared<Instance>();
  instance->anchor = instance->hit = entry.id;
  instance->anchor_time = instance->hit_time = entry.time;
  instance->hits = 1;
  instance->entered = position_;
  instance->row = std::make_shared<const std::string>(entry.row);
  instance->arrived_at = entry.arrived_at;
  if (rule_->reads_matter) instance->reads = reads_;
  return instance;
}

void Machine::add_evidence(Instance& instance, const Entry& entry) {
  Instance::Evidence evidence{entry.origin, {}};
  if (entry.input == 0 && rule_->trigger_shape.id_position >= 0) {
    const Value id = rule_->trigger_shape.layout.get(entry.row.data(), static_cast<size_t>(rule_->trigger_shape.id_position));
    if (!id.missing()) evidence.event_id = id.text();
  }
  instance.arrived_at = std::max(instance.arrived_at, entry.arrived_at);
  if (rule_->alerts) add_evidence(instance, std::move(evidence));
}

void Machine::add_evidence(Instance& instance, Instance::Evidence evidence) {
  if (instance.evidence.size() >= kMaxEvidence) instance.evidence.erase(instance.evidence.begin() + 1);  // the first one stays
  instance.evidence.push_back(std::move(evidence));
}

void Machine::trigger(FoldState& state, Entry& entry, TimeMs as_of) {
  if (rule_->look_clock < 0) {
    decide(state, entry, as_of);
    return;
  }
  auto instance = begin_instance(entry);
  instance->phase = Instance::Phase::looking;
  instance->due = behind(entry.id);
  state.instances.push_back(std::move(instance));
}

// The tables that rules make have got so far: the trigger sees them as they were at its own time.
void Machine::look(FoldState& state, size_t index) {
  Entry* entry = trigger_entry(state.instances[index]->anchor);
  state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
  if (entry != nullptr) decide(state, *entry, entry->time);
}

void Machine::decide(FoldState& state, Entry& entry, TimeMs as_of) {
  DurationMs waited = 0;
  const Verdict verdict = evaluate(entry, as_of, waited);
  if (verdict == Verdict::skip || verdict == Verdict::no) {
    if (rule_->held_for > 0) stop_holding(state, entry.time);
    return;
  }
  if (verdict == Verdict::wait) {
    auto instance = begin_instance(entry);
    instance->phase = Instance::Phase::waiting;
    instance->reads = reads_;
    instance->due = {std::max(entry.known_at, as_of) + waited, Order::timer, entry.id};
    state.instances.push_back(std::move(instance));
    return;
  }
  if (rule_->held_for > 0) {
    if (!rule_->alerts || !rule_->steps.empty() || !join(state, entry)) hold(state, entry);
    return;
  }
  if (rule_->steps.empty()) {
    if (rule_->alerts) hit(state, entry);
    if (rule_->emit_stream >= 0) {
      auto instance = begin_instance(entry);
      instance->phase = Instance::Phase::stepping;
      state.instances.push_back(std::move(instance));
      complete(state, state.instances.size() - 1, as_of);
    }
    return;
  }
  auto instance = begin_instance(entry);
  instance->phase = Instance::Phase::stepping;
  add_evidence(*instance, entry);
  state.instances.push_back(std::move(instance));
  const size_t index = state.instances.size() - 1;
  if (enter_step(state, index)) settle_early(state, index);
}

// What would resolve an instance that waits for its first step may have been read before its trigger. What happened before the
// trigger ends nothing: it is the step's window that says how far back to look.
void Machine::settle_early(FoldState& state, size_t index) {
  if (state.instances[index]->phase != Instance::Phase::stepping || state.instances[index]->fired) return;
  for (auto each = key_->log.from(state.instances[index]->anchor_time); each != key_->log.end(); ++each) {
    const Entry& earlier = *each;
    if (earlier.order() >= position_) break;
    if (earlier.time < state.instances[index]->anchor_time) continue;
    for (int way_index : rule_->inputs[earlier.input].ways) {
      const CompiledWay& way = rule_->ways[static_cast<size_t>(way_index)];
      if (way.input != earlier.input || earlier.input == 0) continue;
      if (way_holds(way, *state.instances[index], earlier.row.data(), &rule_->inputs[earlier.input].shape->layout,
                    position_.at)) {
        trace("resolve", *state.instances[index]);
        state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
        return;
      }
    }
  }
}

// The open alert that a hit at `time` counts on; none: it is an alert of its own.
std::optional<size_t> Machine::open_for(const FoldState& state, TimeMs time) const {
  for (size_t i = state.instances.size(); i-- > 0;) {
    const Instance& open = *state.instances[i];
    if (open.phase != Instance::Phase::open && open.phase != Instance::Phase::asking) continue;
    if (rule_->quiet < 0) return i;
    // A late trigger may have happened long before the alert began.
    if (time <= open.hit_time + rule_->quiet && time >= open.anchor_time - rule_->quiet) return i;
  }
  return {};
}

// A trigger of a rule without steps joins the alert that is open.
bool Machine::join(FoldState& state, const Entry& entry) {
  const std::optional<size_t> open = open_for(state, entry.time);
  if (!open) return false;
  if (state.instances[*open]->hit == entry.id) return true;  // asked again because of a late event: the same hit
  Instance& joined = edit(state, *open);
  joined.hit = entry.id;
  joined.hit_time = std::max(joined.hit_time, entry.time);
  joined.row = std::make_shared<const std::string>(entry.row);
  add_reads(joined, reads_);
  add_evidence(joined, entry);
  count_hit(joined);
  return true;
}

// A trigger whose steps are done joins it only where the rule says how soon: steps answer for one trigger each.
bool Machine::join(FoldState& state, size_t index) {
  if (rule_->quiet < 0) return false;
  const std::shared_ptr<const Instance> done = state.instances[index];
  const std::optional<size_t> open = open_for(state, done->anchor_time);
  if (!open) return false;
  Instance& joined = edit(state, *open);
  joined.hit = done->hit;
  joined.hit_time = std::max(joined.hit_time, done->hit_time);
  joined.row = done->row;
  joined.bound = done->bound;
  add_reads(joined, done->reads);
  for (const Instance::Evidence& each : done->evidence) add_evidence(joined, each);
  joined.arrived_at = std::max(joined.arrived_at, done->arrived_at);
  count_hit(joined);
  return true;
}

void Machine::add_reads(Instance& instance, const std::vector<TableRead>& reads) const {
  if (!rule_->reads_matter) return;
  for (const TableRead& read : reads) {
    if (std::find(instance.reads.begin(), instance.reads.end(), read) == instance.reads.end()) instance.reads.push_back(read);
  }
}

void Machine::count_hit(Instance& instance) {
  ++instance.hits;
  instance.updated_at = position_.at;
  instance.severity = severity_of(instance, position_.at);
  if (instance.phase == Instance::Phase::open) render(instance, position_.at);
}

void Machine::hit(FoldState& state, const Entry& entry) {
  if (join(state, entry)) return;
  auto instance = begin_instance(entry);
  add_evidence(*instance, entry);
  instance->phase = Instance::Phase::open;
  const Severity severity = severity_of(*instance, entry.time);
  state.instances.push_back(std::move(instance));
  speak(state, state.instances.size() - 1, severity, entry.time);
}

void Machine::raise(Instance& instance, Severity severity, TimeMs at) {
  instance.severity = severity;
  if (!instance.fired) {
    instance.fired = true;
    instance.raised_at = at;
    if (rule_->emit_table >= 0) {
      instance.row_from = position_.at;
      instance.row_due = behind(instance.anchor);
    }
  }
  instance.updated_at = at;
  render(instance, at);
}

void Machine::render(Instance& instance, TimeMs at) {
  if (!rule_->alerts) return;
  bind(instance, at);
  instance.message_en = rule_->message_en.render(environment_);
  instance.message_zh = rule_->message_zh.render(environment_);
  instance.labels.clear();
  for (const auto& [name, text] : rule_->labels) instance.labels.push_back(text.render(environment_));
}

Severity Machine::severity_of(const Instance& instance, TimeMs at) {
  bind(instance, at);
  for (const auto& [condition, severity] : rule_->severity) {
    if (condition.empty()) return severity;
    const bool holds = condition.holds(environment_);
    if (environment_.error != EvalError::none) note_error();
    if (holds) return severity;
  }
  return Severity::medium;
}

// What was reported within the grace, behind the deadline's place in the order, but happened in the window.
bool Machine::told_in_time(const Instance& instance, const CompiledStep& step) {
  const TimeMs end = instance.due.at + step.grace;
  for (auto entry = key_->log.from(instance.from); entry != key_->log.end() && entry->known_at <= end; ++entry) {
    if (entry->input == step.input && matches(instance, step, *entry)) return true;
  }
  return false;
}

bool Machine::matches(const Instance& instance, const CompiledStep& step, const Entry& entry) {
  if (entry.time < instance.from || entry.time > instance.to) return false;
  if (step.where.empty()) return true;
  bind(instance, entry.time);
  environment_.candidate = {&rule_->inputs[static_cast<size_t>(step.input)].shape->layout, entry.row.data(), nullptr};
  const bool holds = step.where.holds(environment_);
  if (environment_.error != EvalError::none) note_error();
  return holds;
}

// Begins the step the instance is at: its window, what ends it early, and what has come already.
bool Machine::enter_step(FoldState& state, size_t index) {
  Instance& instance = edit(state, index);
  if (instance.step >= rule_->steps.size()) return complete(state, index, position_.at);
  const CompiledStep& step = rule_->steps[instance.step];
  bind(instance, instance.anchor_time);
  const Value from = step.from.empty() ? Value::of_duration(0) : step.from.run(environment_);
  const Value to = step.to.empty() ? Value::of_duration(0) : step.to.run(environment_);
  if (from.missing() || to.missing()) {
    note_error();
    trace("then " + std::to_string(instance.step + 1), instance);
    state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
    return false;
  }
  instance.from = instance.anchor_time + from.i;
  instance.to = instance.anchor_time + to.i;
  if (step.until_input >= 0) {
    for (auto entry = key_->log.from(instance.anchor_time); entry != key_->log.end(); ++entry) {
      if (entry->order() > position_) break;
      if (entry->input == step.until_input && entry->time >= instance.anchor_time)
        instance.to = std::min(instance.to, entry->time);
    }
  }
  const uint64_t salt = instance.anchor + instance.step;
  instance.due = {instance.to, Order::timer, salt};
  if (instance.due <= position_)
    instance.due = {position_.at, Order::timer, position_.rank == Order::timer ? position_.id + 1 : salt};
  if (step.take_one) return true;  // decided when its window is over
  for (auto each = key_->log.from(instance.from); each != key_->log.end(); ++each) {
    const Entry& entry = *each;
    if (entry.order() > position_) break;
    if (entry.input != step.input || !matches(instance, step, entry)) continue;
    if (step.absent) return stop_at_step(state, index);
    instance.bound.resize(rule_->steps.size());
    instance.bound[instance.step] = std::make_shared<const std::string>(entry.row);
    add_evidence(instance, entry);
    return advance(state, index, std::max(entry.time, instance.anchor_time));
  }
  return true;
}

bool Machine::advance(FoldState& state, size_t index, TimeMs at) {
  at = std::max(at, state.instances[index]->updated_at);  // no step speaks of a time before the one that spoke last
  const CompiledStep& done = rule_->steps[state.instances[index]->step];
  if (done.has_severity && !speak(state, index, done.severity, at)) return true;
  Instance& instance = edit(state, index);
  ++instance.step;
  return instance.step < rule_->steps.size() ? enter_step(state, index) : complete(state, index, at);
}

// All steps are done: the alert stands, or the event is emitted.
bool Machine::complete(FoldState& state, size_t index, TimeMs at) {
  if (rule_->alerts && !rule_->steps.empty()) {
    if (!state.instances[index]->fired && join(state, index)) {
      if (rule_->emit_stream >= 0) emit(*state.instances[index]);
      state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
      return false;
    }
    if (!state.instances[index]->fired && !speak(state, index, severity_of(*state.instances[index], at), at)) return true;
    Instance& instance = edit(state, index);
    instance.phase = Instance::Phase::open;
    if (rule_->emit_stream >= 0) emit(instance);
    return true;
  }
  Instance& instance = edit(state, index);
  if (rule_->emit_stream >= 0 && rule_->emit_settled) {
    instance.step = static_cast<uint8_t>(rule_->steps.size());
    instance.due = {position_.at, Order::timer, position_.rank == Order::timer ? position_.id + 1 : instance.anchor};
    return true;
  }
  if (rule_->emit_stream >= 0) emit(instance);
  state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
  return false;
}

// An event some step waits for, or that ends a wait early.
void Machine::step_by(FoldState& state, const Entry& entry) {
  for (size_t i = 0; i < state.instances.size();) {
    const Instance& instance = *state.instances[i];
    if (instance.phase != Instance::Phase::stepping || instance.step >= rule_->steps.size()) {
      ++i;
      continue;
    }
    const CompiledStep& step = rule_->steps[instance.step];
    if (step.until_input == entry.input && entry.time >= instance.anchor_time && entry.time < instance.to) {
      Instance& cut = edit(state, i);
      cut.to = entry.time;
      cut.due = std::max(Order{cut.to, Order::timer, cut.due.id}, Order{position_.at, Order::timer, cut.due.id});
    }
    if (step.input != entry.input || step.take_one || !matches(*state.instances[i], step, entry)) {
      ++i;
      continue;
    }
    if (step.absent) {
      i += stop_at_step(state, i);
      continue;
    }
    Instance& matched = edit(state, i);
    matched.bound.resize(rule_->steps.size());
    matched.bound[matched.step] = std::make_shared<const std::string>(entry.row);
    add_evidence(matched, entry);
    i += advance(state, i, std::max(entry.time, matched.anchor_time));
  }
}

// The step an instance is at came out the other way: what an earlier step raised stays open. False: the instance is gone.
bool Machine::stop_at_step(FoldState& state, size_t index) {
  trace("then " + std::to_string(state.instances[index]->step + 1), *state.instances[index]);
  if (state.instances[index]->fired) {
    edit(state, index).phase = Instance::Phase::open;
    return true;
  }
  state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
  return false;
}

// The deadline of the step an instance is at has passed.
void Machine::decide_step(FoldState& state, size_t index) {
  const Instance& instance = *state.instances[index];
  const CompiledStep& step = rule_->steps[instance.step];
  if (step.absent) {
    const TimeMs due = instance.to;
    if (told_in_time(instance, step)) {
      stop_at_step(state, index);
      return;
    }
    edit(state, index).arrived_at = 0;  // time decided, no record
    advance(state, index, due);
    return;
  }
  if (!step.take_one) {
    stop_at_step(state, index);
    return;
  }
  // One to one, nearest first: the window is over, so the nearest is known.
  const Entry* nearest = nullptr;
  for (auto each = key_->log.from(instance.from); each != key_->log.end(); ++each) {
    const Entry& entry = *each;
    if (entry.order() > position_) break;
    if (entry.input != step.input || !matches(instance, step, entry)) continue;
    if (std::find(state.taken.begin(), state.taken.end(), entry.id) != state.taken.end()) continue;
    if (nearest == nullptr || std::abs(entry.time - instance.anchor_time) < std::abs(nearest->time - instance.anchor_time)) {
      nearest = &entry;
    }
  }
  if (nearest == nullptr) {
    stop_at_step(state, index);
    return;
  }
  state.taken.push_back(nearest->id);
  Instance& matched = edit(state, index);
  matched.bound.resize(rule_->steps.size());
  matched.bound[matched.step] = std::make_shared<const std::string>(nearest->row);
  add_evidence(matched, *nearest);
  advance(state, index, nearest->time);
}

bool Machine::way_holds(const CompiledWay& way, const Instance& instance, const char* row, const RowLayout* layout, TimeMs at) {
  bind(instance, at);
  if (row != nullptr) {
    environment_.candidate = {layout, row, nullptr};
    environment_.resolver = {layout, row, nullptr};
  }
  const bool holds = (way.where.empty() || way.where.holds(environment_)) && (way.when.empty() || way.when.holds(environment_));
  if (environment_.error != EvalError::none) {
    note_error();
    return false;
  }
  return holds;
}

void Machine::resolve_by(FoldState& state, const Entry& entry) {
  const Input& input = rule_->inputs[entry.input];
  for (size_t i = 0; i < state.instances.size();) {
    const Instance& instance = *state.instances[i];
    const bool waits = instance.phase == Instance::Phase::stepping || instance.phase == Instance::Phase::asking;
    if (instance.phase != Instance::Phase::open && !waits) {
      ++i;
      continue;
    }
    bool gone = false;
    for (int index : input.ways) {
      const CompiledWay& way = rule_->ways[static_cast<size_t>(index)];
      if (!way_holds(way, instance, entry.row.data(), &input.shape->layout, position_.at)) continue;
      if (!instance.fired) {  // settles the waiting steps; nothing was said
        trace("resolve", instance);
        state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(i));
        gone = true;
      } else {
        finish(state, i, static_cast<size_t>(index), std::max(entry.time, instance.raised_at), false, &entry);
      }
      break;
    }
    if (!gone) ++i;
  }
}

// A row that an open alert has read has a new version.
void Machine::weigh_rows(FoldState& state, const Timer& timer) {
  const size_t index = timer.instance;
  const Instance& instance = *state.instances[index];
  const CompiledWay& way = rule_->ways[timer.way];
  edit(state, index).checked = static_cast<uint64_t>(timer.order.at);
  const RowLayout& layout = bundle_.table_layouts[static_cast<size_t>(way.table)];
  for (const TableRead& read : instance.reads) {
    if (read.table != way.table) continue;
    for (const RowVersion& version : tables_.versions(read.table, read.key)) {
      if (version.recorded_at != timer.order.at) continue;
      if (!way_holds(way, *state.instances[index], version.row.data(), &layout, timer.order.at)) continue;
      finish(state, index, timer.way, timer.order.at, false, nullptr);
      break;
    }
    if (state.instances[index]->phase == Instance::Phase::ended) break;
  }
}

void Machine::finish(FoldState& state, size_t index, size_t way_index, TimeMs at, bool expired, const Entry* by) {
  const CompiledWay& way = rule_->ways[way_index];
  Instance& instance = edit(state, index);
  if (way.reason.empty()) {
    instance.reason = way.default_reason;
  } else {
    bool bound = by != nullptr;
    if (bound) {
      bind(instance, at);
      environment_.resolver = {&rule_->inputs[by->input].shape->layout, by->row.data(), nullptr};
    } else {
      bind(instance, at);
    }
    instance.reason = way.reason.render(environment_);
  }
  instance.phase = Instance::Phase::ended;
  if (rule_->emit_table >= 0) instance.row_due = behind(instance.anchor);
  instance.expired = expired;
  instance.ended_at = at;
  instance.updated_at = at;
  if (by != nullptr) add_evidence(instance, *by);
}

// Live expressions of open alerts, after an event of the key or a slide of a window.
void Machine::review(FoldState& state, TimeMs at) {
  for (size_t i = 0; i < state.instances.size(); ++i) {
    if (state.instances[i]->phase != Instance::Phase::open) continue;
    for (size_t way = 0; way < rule_->ways.size(); ++way) {
      const CompiledWay& each = rule_->ways[way];
      if (each.input >= 0 || each.table >= 0 || each.after > 0 || each.when.empty()) continue;
      const bool holds = way_holds(each, *state.instances[i], nullptr, nullptr, at);
      if (each.held_for > 0) {
        note_hold(state, i, way, holds, at);
        continue;
      }
      if (!holds) continue;
      finish(state, i, way, at, false, nullptr);
      break;
    }
    const Instance& instance = *state.instances[i];
    if (instance.phase != Instance::Phase::open || !rule_->severity_lives) continue;
    if (instance.hit_time == at && instance.updated_at == at) continue;  // just decided
    const Severity severity = severity_of(instance, at);
    if (severity == instance.severity) continue;
    Instance& changed = edit(state, i);
    changed.severity = severity;
    changed.updated_at = at;
    render(changed, at);
  }
}

const Entry* Machine::entry_of(const Instance& instance) const {
  for (auto entry = key_->log.from(instance.anchor_time); entry != key_->log.end(); ++entry) {
    if (entry->input == 0 && entry->id == instance.anchor) return &*entry;
  }
  return nullptr;
}

void Machine::emit(const Instance& instance) {
  const auto stream = static_cast<size_t>(rule_->emit_stream);
  const StreamShape& shape = bundle_.shapes[stream];
  bind(instance, instance.anchor_time);
  std::vector<Value> values(shape.layout.size());
  for (size_t position = 0; position < values.size(); ++position) {
    const Program& field = rule_->emit_fields[static_cast<size_t>(shape.fields[position])];
    if (field.empty()) continue;
    values[position] = field.run(environment_);
    if (environment_.error != EvalError::none) {
      note_error();
      return;
    }
  }
  DerivedEvent derived;
  derived.stream = rule_->emit_stream;
  shape.layout.encode(values, derived.bytes);
  derived.event.time = instance.anchor_time;
  derived.event.known_at = instance.anchor_time;
  derived.event.id = hash_bytes({reinterpret_cast<const char*>(&instance.anchor), sizeof instance.anchor}, rule_->slot);
  derived.event.arrived_at = instance.arrived_at;
  if (const Entry* entry = entry_of(instance)) {
    derived.event.origin = entry->origin;
    derived.event.accepted = entry->accepted;
    if (entry->late()) derived.event.known_at = position_.at;
  }
  derived_->push_back(std::move(derived));
}

}  // namespace tillwatch::rules
