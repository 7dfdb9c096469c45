#include "rules/runtime/machine.h"

#include <algorithm>

#include "engine/base/hash.h"

namespace tillwatch::rules {
namespace {

Order timer_order(TimeMs at, const Order& not_before, uint64_t id) {
  Order order{at, Order::timer, id};
  if (order <= not_before) order = {not_before.at, Order::timer, not_before.rank == Order::timer ? not_before.id + 1 : 0};
  return order;
}

EntryLog::iterator find_entry(KeyState& key, uint64_t id, int input) {
  if (key.ids && !key.ids->contains(id)) return key.log.end();
  return std::find_if(key.log.begin(), key.log.end(),
                      [&](const Entry& entry) { return entry.id == id && entry.input == input; });
}

// Stored clock numbers mean the same as long as this does not change.
uint32_t numbering(const CompiledBundle& bundle) {
  std::string names;
  for (const ClockNeeds& clock : bundle.clocks) {
    for (const std::vector<int>* streams : {&clock.plain, &clock.gated}) {
      for (int stream : *streams) names += bundle.source.schema.streams[static_cast<size_t>(stream)].name + ',';
      names += ';';
    }
  }
  return static_cast<uint32_t>(hash_bytes(names));
}

}  // namespace

Machine::Machine(const CompiledBundle& bundle, const Tables& tables, const std::vector<TimeMs>& clocks)
    : bundle_(bundle), tables_(tables), clocks_(clocks), counts_(bundle.rules.size()), clock_numbers_(numbering(bundle)) {
  for (const auto& rule : bundle.rules) {
    DurationMs least = kAfterAllTime;
    for (const Input& input : rule->inputs) least = std::min(least, input.keep);
    least_keep_.push_back(least);
  }
}

void Machine::begin(int rule, KeyState& key) {
  rule_index_ = rule;
  rule_ = bundle_.rules[static_cast<size_t>(rule)].get();
  key_ = &key;
}

Fed Machine::feed(int rule, KeyState& key, int input_index, const Event& event) {
  begin(rule, key);
  const Input& input = rule_->inputs[static_cast<size_t>(input_index)];
  Entry entry;
  entry.time = event.time;
  entry.known_at = std::max(event.time, event.known_at);
  entry.id = event.id;
  entry.origin = event.origin;
  entry.arrived_at = event.arrived_at;
  entry.input = static_cast<uint8_t>(input_index);
  entry.accepted = event.accepted;
  // Late and not accepted: it may not start an alert. What only emits passes it on, late as it is, so that it still settles.
  if (input_index == 0 && entry.late() && !entry.accepted && rule_->alerts) return Fed::late;
  if (entry.order() <= key.floor) entry.known_at = key.floor.at + 1;
  const auto same = find_entry(key, entry.id, input_index);
  if (same != key.log.end()) {
    // The same fact twice. The earlier telling stands, whichever came first.
    if (std::pair(same->known_at, same->time) <= std::pair(entry.known_at, entry.time)) return Fed::repeated;
    rollback(entry.order());
    merge();
    const auto other = find_entry(key, entry.id, input_index);
    retract(other->order());
    key.touch_page(*other);
    if (key.windows && other->late()) key.windows->late.erase({other->time, other->order()});
    key.log.erase(other);
  }
  const RowLayout& from =
      input.stream >= 0
          ? bundle_.shapes[static_cast<size_t>(bundle_.source.schema.streams[static_cast<size_t>(input.stream)].root)].layout
          : bundle_.table_layouts[static_cast<size_t>(input.table)];
  input.shape->layout.project(from, event.row.data(), input.shape->from, entry.row);
  const bool late = entry.late();
  if (entry.order() <= key.folded) rollback(entry.order());
  if (key.windows && late) key.windows->late.insert({entry.time, entry.order()});
  if (key.ids) key.ids->insert(entry.id);
  key.log.push_back(std::move(entry));
  if (!key.ids && key.log.size() >= kLongLog) key.index_ids();
  return late ? Fed::late : Fed::used;
}

// Puts what was fed in its place.
void Machine::merge() {
  if (key_->log.merged()) return;
  retract(key_->log.first_new());
  key_->log.merge();
}

void Machine::row_changed(int rule, KeyState& key, TimeMs recorded_at) {
  begin(rule, key);
  Order order{recorded_at, Order::evidence, 0};
  if (const Fold state = key.current()) {
    for (const auto& instance : state->instances) {  // who waits for a row is asked again from the beginning
      if (instance->phase == Instance::Phase::waiting) order = std::min(order, instance->entered);
    }
  }
  if (order <= key.folded) rollback(std::max(order, key.floor));
}

// Takes the fold back to just before `to`.
void Machine::rollback(const Order& to) {
  KeyState& key = *key_;
  while (!key.history.empty() && key.history.back().after >= to && key.history.back().after > key.floor) key.history.pop_back();
  std::erase_if(key.blocked, [&](const Blocked& each) { return each.order >= to; });
  const Order before = to.before();
  if (before < key.folded) key.folded = std::max(before, key.floor);
}

void Machine::set_state(FoldState state, const Order& after) {
  KeyState& key = *key_;
  Fold fold = state.empty() ? nullptr : std::make_shared<const FoldState>(std::move(state));
  if (key.history.empty() && !fold) return;
  key.history.push_back({after, std::move(fold)});
}

size_t Machine::next_entry() const {
  const EntryLog& log = key_->log;
  if (log.empty() || log.back().order() <= key_->folded) return log.size();  // most often nothing is new, or the last one
  if (log.size() == 1 || log[log.size() - 2].order() <= key_->folded) return log.size() - 1;
  return static_cast<size_t>(log.behind(key_->folded) - log.begin());
}

bool Machine::applicable(const Timer& timer) const {
  return timer.clock < 0 || clocks_[static_cast<size_t>(timer.clock)] >= timer.needed;
}

void Machine::run(int rule, KeyState& key, std::vector<DerivedEvent>& derived) {
  begin(rule, key);
  merge();
  derived_ = &derived;
  // Deadlines the fold went past, whose clock has come: back to the first of them.
  const Blocked* ready = nullptr;
  for (const Blocked& each : key.blocked) {
    const bool passed = each.clock < 0 || clocks_[static_cast<size_t>(each.clock)] >= each.needed;
    if (passed && (ready == nullptr || each.order < ready->order)) ready = &each;
  }
  if (ready != nullptr) rollback(Order(ready->order));

  while (true) {
    const size_t entry = next_entry();
    const Timer timer = next_timer();
    const bool has_entry = entry < key.log.size();
    const bool has_timer = timer.kind != Timer::Kind::none;
    if (!has_entry && !has_timer) break;
    if (has_timer && (!has_entry || timer.order < key.log[entry].order())) {
      if (applicable(timer)) {
        apply(timer);
      } else if (has_entry) {
        key.blocked.push_back({timer.order, timer.clock, timer.needed});
        key.clock_numbers = clock_numbers_;
      } else {
        break;
      }
      key.folded = timer.order;
    } else {
      apply(key.log[entry]);
      key.folded = key.log[entry].order();
    }
    arena_.reset();
  }
  derived_ = nullptr;
}

void Machine::offer(Timer& best, const Timer& timer) const {
  if (timer.order <= key_->folded) return;
  if (best.kind == Timer::Kind::none || timer.order < best.order) best = timer;
}

Machine::Timer Machine::next_timer() const {
  Timer best;
  const Fold state = key_->current();
  if (!state) return best;
  for (size_t i = 0; i < state->instances.size(); ++i) {
    const Instance& instance = *state->instances[i];
    switch (instance.phase) {
      case Instance::Phase::waiting:
        offer(best, {instance.due, instance.due.at, rule_->trigger_clock, Timer::Kind::wait, i, 0});
        break;
      case Instance::Phase::stepping:
        if (instance.step == rule_->steps.size()) {
          offer(best, {instance.due, instance.due.at, rule_->clock, Timer::Kind::emit, i, 0});
        } else {
          const CompiledStep& step = rule_->steps[instance.step];
          offer(best, {instance.due, instance.due.at + step.grace, step.clock, Timer::Kind::step, i, 0});
        }
        break;
      case Instance::Phase::looking:
        offer(best, {instance.due, instance.due.at + 1, rule_->look_clock, Timer::Kind::look, i, 0});
        break;
      case Instance::Phase::asking:
        offer_asking(best, i);
        break;
      case Instance::Phase::holding:
        offer_hold(best, i);
        break;
      case Instance::Phase::open:
        break;
      case Instance::Phase::ended:
        if (rule_->emit_table >= 0) offer_row(best, i);
        continue;
    }
    if (rule_->emit_table >= 0) offer_row(best, i);
    if (instance.fired) offer_open(best, i);
  }
  return best;
}

void Machine::offer_open(Timer& best, size_t index) const {
  const Instance& instance = *key_->current()->instances[index];
  const uint64_t salt = instance.anchor;
  for (size_t way = 0; way < rule_->ways.size(); ++way) {
    const CompiledWay& each = rule_->ways[way];
    if (each.after > 0) {
      const Order over = timer_order(instance.hit_time + each.after, instance.entered, salt + way);
      offer(best, {over, over.at, rule_->trigger_clock, Timer::Kind::expire, index, way});
    } else if (each.input < 0 && each.table < 0) {
      const TimeMs at = next_slide(each.when_aggregates);
      if (at < kAfterAllTime) offer(best, {{at, Order::timer, salt + way}, at, each.clock, Timer::Kind::slide, index, way});
      offer_moments(best, index, each.moments, each.clock);
      if (way < instance.holds.size() && instance.holds[way] != kNever) {
        const TimeMs over = instance.holds[way] + each.held_for;
        offer(best, {{over, Order::timer, salt + way}, over, each.clock, Timer::Kind::way_held, index, way});
      }
    } else if (each.table >= 0) {
      for (const TableRead& read : instance.reads) {
        if (read.table != each.table) continue;
        for (const RowVersion& version : tables_.versions(read.table, read.key)) {
          if (version.recorded_at <= std::max<TimeMs>(instance.entered.at, static_cast<TimeMs>(instance.checked))) continue;
          offer(best, {{version.recorded_at, Order::table_row, salt + way}, 0, -1, Timer::Kind::table_row, index, way});
          break;
        }
      }
    }
  }
  if (!rule_->severity_aggregates.empty()) {
    const TimeMs at = next_slide(rule_->severity_aggregates);
    if (at < kAfterAllTime)
      offer(best, {{at, Order::timer, salt + 0x5e}, at, rule_->clock, Timer::Kind::slide, index, rule_->ways.size()});
  }
  if (rule_->severity_lives) offer_moments(best, index, rule_->severity_moments, rule_->trigger_clock);
}

// Times at which `elapsed` passes what it is compared with.
void Machine::offer_moments(Timer& best, size_t index, const std::vector<Moment>& moments, int clock) const {
  const Instance& instance = *key_->current()->instances[index];
  for (const Moment& moment : moments) {
    DurationMs after = moment.value;
    if (moment.fact >= 0) {
      const KeptShape& shape = rule_->trigger_shape;
      const Value fact = shape.layout.get(instance.row->data(), shape.from.size() + static_cast<size_t>(moment.fact));
      if (fact.missing()) continue;
      after = fact.i;
    }
    const TimeMs at = instance.anchor_time + after + moment.offset;
    offer(best, {{at, Order::timer, instance.anchor + 0xe1}, at, clock, Timer::Kind::slide, index, rule_->ways.size()});
  }
}

// The next instant after the fold at which an event leaves one of these windows (closed at both ends: one millisecond later).
TimeMs Machine::next_slide(const std::vector<int>& aggregates) const {
  TimeMs next = kAfterAllTime;
  for (int index : aggregates) {
    const CompiledAggregate& aggregate = rule_->aggregates[static_cast<size_t>(index)];
    for (auto each = key_->log.from(key_->folded.at - aggregate.over); each != key_->log.end(); ++each) {
      const Entry& entry = *each;
      if (entry.input != aggregate.input || entry.order() > key_->folded) continue;
      const TimeMs leaves = aggregate.leaves(entry.time);
      if (leaves <= key_->folded.at || leaves >= next) continue;
      next = leaves;
      if (!entry.late()) break;  // the log is in order of time but for late ones
    }
  }
  return next;
}

void Machine::apply(Entry& entry) {
  const Fold before = key_->current();
  if (!before && entry.input != 0) return;  // evidence, and nothing yet that it could speak for
  FoldState state = before ? *before : FoldState{};
  position_ = entry.order();
  const Input& input = rule_->inputs[entry.input];
  if (input.folds) {
    if (state.instances.empty()) return;
    count_fold(state, entry);
    set_state(std::move(state), entry.order());
    return;
  }
  if (!state.instances.empty()) {
    if (!input.steps.empty() || !input.until_steps.empty()) step_by(state, entry);
    if (!input.ways.empty()) resolve_by(state, entry);
  }
  if (entry.input != 0 && input.aggregated) ask_holding(state, position_.at);
  if (entry.input == 0) {
    trigger(state, entry, entry.time);
    if (entry.late() && rule_->inputs[0].aggregated) ask_again(state, entry);
  }
  if (!state.instances.empty()) review(state, position_.at);
  const bool same = before ? state.instances == before->instances && state.taken == before->taken : state.empty();
  if (!same) set_state(std::move(state), entry.order());
}

// An accepted late event changes what later triggers should have seen: they are asked again, as of their own times. Those that
// hit without it have been counted.
void Machine::ask_again(FoldState& state, const Entry& late) {
  const Order here = position_;
  for (auto each = key_->log.from(late.time); each->order() < late.order(); ++each) {
    Entry& later = *each;
    if (later.input != 0 || later.time <= late.time || later.time - late.time > rule_->inputs[0].keep) continue;
    DurationMs waited = 0;
    position_ = here.before();
    const bool hit = rule_->look_clock < 0 && judge(later, later.time, waited) == Verdict::yes;
    position_ = here;
    if (hit) {
      evaluate(later, later.time, waited);
    } else {
      trigger(state, later, later.time);
    }
  }
}

void Machine::apply(const Timer& timer) {
  FoldState state = *key_->current();
  position_ = timer.order;
  const size_t index = timer.instance;
  const Instance& instance = *state.instances[index];
  switch (timer.kind) {
    case Timer::Kind::wait:
      trace("wait", instance);
      state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
      break;
    case Timer::Kind::emit:
      emit(instance);
      state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
      break;
    case Timer::Kind::step:
      decide_step(state, index);
      break;
    case Timer::Kind::look:
      look(state, index);
      break;
    case Timer::Kind::ask:
      ask(state, index);
      break;
    case Timer::Kind::row:
      tell_row(state, index);
      break;
    case Timer::Kind::held:
      pass_hold(state, index);
      break;
    case Timer::Kind::hold_slide:
      ask_holding(state, timer.order.at);
      break;
    case Timer::Kind::expire:
      finish(state, index, timer.way, timer.order.at, true, nullptr);
      break;
    case Timer::Kind::slide:
      review(state, timer.order.at);
      break;
    case Timer::Kind::way_held:
      finish(state, index, timer.way, timer.order.at, false, nullptr);
      break;
    case Timer::Kind::table_row:
      weigh_rows(state, timer);
      break;
    case Timer::Kind::none:
      break;
  }
  // What has just been raised may hold one of its live conditions already.
  const bool may_raise = timer.kind == Timer::Kind::step || timer.kind == Timer::Kind::held || timer.kind == Timer::Kind::ask ||
                         timer.kind == Timer::Kind::look;
  if (may_raise) review(state, timer.order.at);
  set_state(std::move(state), timer.order);
}

void Machine::wants(int rule, const KeyState& key, std::vector<Wake>& wakes, std::vector<const TableRead*>& reads) {
  wakes.clear();
  reads.clear();
  begin(rule, const_cast<KeyState&>(key));
  for (const Blocked& each : key.blocked) wakes.push_back({each.clock, each.needed});
  const Timer timer = next_timer();
  if (timer.kind != Timer::Kind::none) wakes.push_back({timer.clock, timer.needed});
  if (!key.log.empty()) {
    TimeMs first = kAfterAllTime;
    for (auto entry = key.log.begin(); entry != key.log.end() && entry - key.log.begin() < 8; ++entry) {
      first = std::min(first,
                       entry->known_at + rule_->inputs[entry->input].keep + 1);  // near enough: forget() looks at all of them
    }
    first = std::max(first, key.forget_at);
    if (first > clocks_[static_cast<size_t>(rule_->clock)]) wakes.push_back({rule_->clock, first});
  } else if (!key.history.empty() || !key.published.empty()) {
    const TimeMs last = std::max(key.history.empty() ? key.folded.at : key.history.back().after.at, key.folded.at) + 1;
    if (last > clocks_[static_cast<size_t>(rule_->clock)]) wakes.push_back({rule_->clock, last});
  }
  if (const Fold state = key.current()) {
    for (const auto& instance : state->instances) {
      if (instance->phase == Instance::Phase::ended) continue;
      if (!rule_->reads_matter && instance->phase != Instance::Phase::waiting) continue;
      for (const TableRead& read : instance->reads) reads.push_back(&read);
    }
  }
}

Machine::Held Machine::held(int rule, const KeyState& key, int clock, TimeMs upto) const {
  const CompiledRule& compiled = *bundle_.rules[static_cast<size_t>(rule)];
  Held held;
  const Fold state = key.current();
  if (!state) return held;
  for (const auto& instance : state->instances) {
    if (instance->phase == Instance::Phase::holding) {
      if (compiled.hold_clock != clock || instance->due.at > upto) continue;
    } else {
      if (instance->phase != Instance::Phase::stepping || instance->step >= compiled.steps.size()) continue;
      const CompiledStep& step = compiled.steps[instance->step];
      if (!step.absent || step.clock != clock || instance->due.at + step.grace > upto) continue;
    }
    ++held.count;
    if (compiled.money_field >= 0 && instance->row) {
      const Value money = compiled.trigger_shape.layout.get(instance->row->data(), static_cast<size_t>(compiled.money_field));
      if (!money.missing()) held.money_minor += money.i;
    }
  }
  return held;
}

void Machine::publish(int rule, std::string_view key_bytes, KeyState& key, std::vector<AlertChange>& changes) {
  begin(rule, key);
  if (!rule_->alerts) return;
  const Fold state = key.current();
  const auto known = [&](uint64_t anchor) {
    return std::find_if(key.published.begin(), key.published.end(),
                        [anchor](const Published& each) { return each.anchor == anchor; });
  };
  const auto say = [&](Published& record, const std::shared_ptr<const Instance>& instance, bool first,
                       const Published& before) {
    ++record.seq;
    changes.push_back({rule_, std::string(key_bytes), instance, record, first, before.severity, before.open && before.standing,
                       before.money_minor});
  };
  if (state) {
    for (const auto& instance : state->instances) {
      if (!instance->fired) continue;
      std::string content;
      content.append(reinterpret_cast<const char*>(&instance->phase), 1);
      for (const auto part :
           {static_cast<int64_t>(instance->severity), static_cast<int64_t>(instance->hits), instance->raised_at,
            instance->updated_at, instance->ended_at, static_cast<int64_t>(instance->evidence.size()),
            static_cast<int64_t>(instance->folds), instance->folds_minor}) {
        content.append(reinterpret_cast<const char*>(&part), sizeof part);
      }
      content += instance->reason + instance->message_en;
      for (const std::string& label : instance->labels) content += label;
      const uint64_t digest = hash_bytes(content);
      auto record = known(instance->anchor);
      const bool first = record == key.published.end();
      if (first) {
        key.published.push_back({});
        record = key.published.end() - 1;
        record->anchor = instance->anchor;
      } else if (record->digest == digest && record->standing) {
        continue;
      }
      const Published before = first ? Published{.open = false} : *record;
      record->digest = digest;
      record->standing = true;
      record->open = instance->phase != Instance::Phase::ended;
      record->severity = instance->severity;
      record->raised_at = instance->raised_at;
      if (rule_->money_field >= 0 && instance->row) {
        const Value money = rule_->trigger_shape.layout.get(instance->row->data(), static_cast<size_t>(rule_->money_field));
        record->money_minor = money.missing() || !record->open ? 0 : money.i;
        record->currency = money.aux;
      }
      say(*record, instance, first, before);
    }
  }
  for (Published& record : key.published) {
    if (!record.standing) continue;
    const bool stands = state && std::any_of(state->instances.begin(), state->instances.end(), [&](const auto& instance) {
                          return instance->anchor == record.anchor && instance->fired;
                        });
    // Ended and settled alerts leave the state; they stand as they were last said.
    if (stands || (!record.open && Order{record.raised_at, 0, 0} <= key.floor)) continue;
    const Published before = record;
    record.standing = record.open = false;
    record.digest = 0;
    record.money_minor = 0;
    say(record, nullptr, false, before);
  }
}

void Machine::trace(std::string what) { trace(std::move(what), current_ != nullptr ? current_->origin : Origin{}); }

void Machine::trace(std::string what, const Instance& stopped) {
  if (trace_ == nullptr) return;
  // The first evidence is the trigger. What only waits has none yet, but its event is there to be asked again.
  const Entry* const trigger = stopped.evidence.empty() ? trigger_entry(stopped.anchor) : nullptr;
  const Origin origin = trigger != nullptr ? trigger->origin : Origin{};
  trace(std::move(what), stopped.evidence.empty() ? origin : stopped.evidence.front().origin);
}

void Machine::trace(std::string what, const Origin& origin) {
  if (trace_ == nullptr || !rule_->alerts) return;
  Stop stop{std::move(what), rule_index_, origin};
  if (std::find(trace_->begin(), trace_->end(), stop) == trace_->end()) trace_->push_back(std::move(stop));
}

void Machine::note_error() {
  RuleCounts& counts = counts_[static_cast<size_t>(rule_index_)];
  switch (environment_.error) {
    case EvalError::divide_by_zero:
      ++counts.divide_by_zero;
      break;
    case EvalError::overflow:
      ++counts.overflow;
      break;
    case EvalError::currency_mismatch:
      ++counts.currency_mismatch;
      break;
    case EvalError::none:
      break;
  }
  environment_.error = EvalError::none;
}

}  // namespace tillwatch::rules
