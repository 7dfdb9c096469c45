// Alerts that ask before they are raised, and rows that alerts are.
//
// What crosses keys goes as derived events, and only when it can no longer change: an alert of a rule with `fold` or `limit`
// waits, `asking`, until every stream of its rule has passed the moment at which it would be raised. Then it looks up the row
// it might be explained by, and asks the rule behind its limit for its place; that rule answers only those who have none. A row
// of a table that rules make is told when it is there and when it is gone; a trigger that looks one up waits, `looking`, for
// the table's clock.
#include <algorithm>

#include "engine/base/hash.h"
#include "rules/runtime/machine.h"

namespace tillwatch::rules {

// The first place in the order behind the one being decided.
Order Machine::behind(uint64_t id) const {
  if (position_.rank == Order::timer) return {position_.at, Order::timer, position_.id + 1};
  return {position_.at, Order::timer, id};
}

// Raises an instance, or raises it further. False: it must ask first; what follows comes with the answer.
bool Machine::speak(FoldState& state, size_t index, Severity severity, TimeMs at) {
  Instance& instance = edit(state, index);
  if (instance.fired || !rule_->asks() || !rule_->alerts) {
    raise(instance, severity, at);
    return true;
  }
  instance.severity = severity;
  instance.asked_for = at;
  instance.phase = Instance::Phase::asking;
  instance.due = behind(instance.anchor);
  return false;
}

void Machine::offer_asking(Timer& best, size_t index) const {
  const Instance& instance = *key_->current()->instances[index];
  const int clock = instance.asked ? rule_->answer_clock : rule_->ask_clock;
  offer(best, {instance.due, instance.due.at + 1, clock, Timer::Kind::ask, index, 0});
}

// Nothing can change it any more: is it explained, and has it a place?
void Machine::ask(FoldState& state, size_t index) {
  if (state.instances[index]->asked) {
    answer(state, index);
    return;
  }
  if (rule_->fold_table >= 0 && folded(*state.instances[index])) {
    trace("fold", *state.instances[index]);
    state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
    return;
  }
  if (rule_->asked_stream < 0) {
    go_on(state, index);
    return;
  }
  Instance& instance = edit(state, index);
  instance.asked = true;
  instance.due = {position_.at + 1, Order::timer, instance.anchor};
  ask_for_place(instance);
}

void Machine::answer(FoldState& state, size_t index) {
  const Input& over = rule_->inputs[static_cast<size_t>(rule_->over_input)];
  const auto anchor = static_cast<int64_t>(state.instances[index]->anchor);
  for (const Entry& entry : key_->log) {
    if (entry.order() > position_) break;
    if (entry.input != rule_->over_input) continue;
    if (over.shape->layout.get(entry.row.data(), static_cast<size_t>(rule_->over_anchor)).i != anchor) continue;
    trace("limit", *state.instances[index]);
    state.instances.erase(state.instances.begin() + static_cast<ptrdiff_t>(index));
    return;
  }
  go_on(state, index);
}

// It is raised by itself, as of when it would have been at once.
void Machine::go_on(FoldState& state, size_t index) {
  Instance& instance = edit(state, index);
  raise(instance, instance.severity, instance.asked_for);
  instance.phase = Instance::Phase::stepping;
  if (rule_->steps.empty()) {
    instance.phase = Instance::Phase::open;
  } else if (instance.step < rule_->steps.size()) {
    ++instance.step;
    enter_step(state, index);
  } else {
    complete(state, index, instance.asked_for);
  }
}

DerivedEvent Machine::derive(const Instance& instance, int stream, TimeMs time, std::span<const Value> fields) const {
  const StreamShape& shape = bundle_.shapes[static_cast<size_t>(stream)];
  std::vector<Value> values(shape.layout.size());
  for (size_t position = 0; position < values.size(); ++position) {
    values[position] = fields[static_cast<size_t>(shape.fields[position])];
  }
  DerivedEvent derived;
  derived.stream = stream;
  shape.layout.encode(values, derived.bytes);
  derived.event.time = derived.event.known_at = time;
  derived.event.accepted = true;
  derived.event.id = hash_bytes({reinterpret_cast<const char*>(&instance.anchor), sizeof instance.anchor}, rule_->slot);
  derived.event.arrived_at = instance.arrived_at;
  if (const Entry* entry = entry_of(instance)) derived.event.origin = entry->origin;
  return derived;
}

Value Machine::money_of(const Instance& instance) const {
  if (rule_->money_field < 0) return {};
  return rule_->trigger_shape.layout.get(instance.row->data(), static_cast<size_t>(rule_->money_field));
}

// Counts it on the alert behind the row it looks up, if that row is there.
bool Machine::folded(const Instance& instance) {
  bind(instance, position_.at);
  std::vector<Value> fields;
  for (const Program& part : rule_->fold_key) fields.push_back(part.run(environment_));
  if (environment_.error != EvalError::none) {
    note_error();
    return false;
  }
  if (lookup(rule_->fold_table, fields, false, 0).missing()) return false;
  fields.push_back(money_of(instance));
  // One millisecond later: an alert raised at the same instant stands before it in its key's order.
  const int stream = bundle_.source.schema.tables[static_cast<size_t>(rule_->fold_table)].folds_stream;
  derived_->push_back(derive(instance, stream, position_.at + 1, fields));
  return true;
}

void Machine::ask_for_place(const Instance& instance) {
  const Stream& asked = bundle_.source.schema.streams[static_cast<size_t>(rule_->asked_stream)];
  std::vector<Value> fields(asked.fields.size());
  const KeptShape& shape = rule_->trigger_shape;
  if (rule_->source->limit.by.empty()) fields[0] = Value::of_text(rule_->name);
  for (const auto& [field, position] : rule_->asked_fields) {
    fields[static_cast<size_t>(field)] = shape.layout.get(instance.row->data(), static_cast<size_t>(position));
  }
  fields[fields.size() - 2] = Value::of_int(static_cast<int64_t>(instance.anchor));
  fields[fields.size() - 1] = money_of(instance);
  derived_->push_back(derive(instance, rule_->asked_stream, position_.at, fields));
}

// An alert of another rule that this one's alert explains.
void Machine::count_fold(FoldState& state, const Entry& entry) {
  const Input& input = rule_->inputs[entry.input];
  const Value amount = input.shape->layout.get(entry.row.data(), static_cast<size_t>(rule_->folds_amount));
  for (size_t i = 0; i < state.instances.size(); ++i) {
    const Instance& instance = *state.instances[i];
    if (!instance.fired || instance.row_from >= entry.time) continue;
    if (instance.phase == Instance::Phase::ended && instance.row_due.at < entry.time) continue;
    Instance& counted = edit(state, i);
    ++counted.folds;
    if (!amount.missing()) counted.folds_minor += amount.i;
  }
}

void Machine::offer_row(Timer& best, size_t index) const {
  const Instance& instance = *key_->current()->instances[index];
  if (!instance.fired || instance.row_told == 2 || (instance.row_told == 1 && instance.phase != Instance::Phase::ended)) return;
  offer(best, {instance.row_due, instance.row_due.at + 1, rule_->row_clock, Timer::Kind::row, index, 0});
}

// The alert is a row while it is open: its columns are what they were when it was raised.
void Machine::tell_row(FoldState& state, size_t index) {
  Instance& instance = edit(state, index);
  const Table& table = bundle_.source.schema.tables[static_cast<size_t>(rule_->emit_table)];
  const bool gone = instance.phase == Instance::Phase::ended;
  const RowLayout& layout = bundle_.table_layouts[static_cast<size_t>(rule_->emit_table)];
  std::vector<Value> columns(table.columns.size());
  if (instance.table_row) {
    for (size_t i = 0; i < columns.size(); ++i) columns[i] = layout.get(instance.table_row->data(), i);
  } else {
    bind(instance, position_.at);
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!rule_->emit_fields[i].empty()) columns[i] = rule_->emit_fields[i].run(environment_);
      if (environment_.error != EvalError::none) note_error();
    }
    columns[static_cast<size_t>(table.valid_from)] = columns[static_cast<size_t>(table.recorded_at)] =
        Value::of_time(instance.row_from);
    std::string row;
    layout.encode(columns, row);
    instance.table_row = std::make_shared<const std::string>(std::move(row));
    for (size_t i = 0; i < columns.size(); ++i) columns[i] = layout.get(instance.table_row->data(), i);
  }
  if (gone) columns[static_cast<size_t>(table.valid_to)] = Value::of_time(instance.row_due.at);
  instance.row_told = gone ? 2 : 1;
  derived_->push_back(derive(instance, table.rows_stream, position_.at, columns));
}

}  // namespace tillwatch::rules
