// The values a rule works with: facts of a trigger, aggregates over a key's events, rows of tables.
#include <algorithm>

#include <map>

#include "absl/container/flat_hash_set.h"
#include "rules/runtime/machine.h"

namespace tillwatch::rules {
namespace {

bool fits(__int128 value) { return value >= INT64_MIN && value <= INT64_MAX; }

__int128 rounded_half_away(__int128 numerator, __int128 denominator) {
  const __int128 half = denominator / 2;
  return numerator >= 0 ? (numerator + half) / denominator : -((-numerator + half) / denominator);
}

Value zero_of(const Type& type) {
  Value value;
  value.kind = value_kind(type.kind);
  return value;
}

}  // namespace

const NamedList& Machine::list(int index) const { return bundle_.source.schema.lists[static_cast<size_t>(index)]; }

Value Machine::lookup(int table, std::span<const Value> key, bool has_at, TimeMs at) {
  std::string bytes;
  for (const Value& part : key) {
    if (part.missing()) return {};
  }
  append_key(key, bytes);
  const TimeMs when = has_at ? at : as_of_;
  const RowVersion* version = tables_.find(table, bytes, when, known_);
  if (version == nullptr && wait_ > 0) version = tables_.find(table, bytes, when, known_ + wait_);
  TableRead read{table, std::move(bytes)};
  if (std::find(reads_.begin(), reads_.end(), read) == reads_.end()) reads_.push_back(std::move(read));
  return version == nullptr ? Value{} : Value::of_bytes(ValueKind::row, version->row);
}

// The mean of an aggregate as it stood at this time of the days before. A day counts when the key had an event by then.
Value Machine::usual(const CompiledAggregate& aggregate, const Type& type) {
  constexpr uint64_t kLeastDays = 3;
  const TimeMs now = as_of_;
  const TimeMs first = first_time(aggregate.input);
  Sum sum;
  for (TimeMs day = kDay; day <= aggregate.over && now - day >= first; day += kDay) {
    as_of_ = now - day;
    usual_day_ = static_cast<int>(day / kDay);
    const Value value = this->aggregate(aggregate.of);
    if (!value.missing()) sum.add(value);
  }
  as_of_ = now;
  usual_day_ = 0;
  if (sum.count < kLeastDays) return {};
  return mean(sum, value_kind(type.kind));
}

// Of a sum that is not empty; `kind` decimal makes one of ints.
Value Machine::mean(const Sum& sum, ValueKind kind) {
  if (sum.mixed_currencies) {
    environment_.error = EvalError::currency_mismatch;
    return {};
  }
  Value value = sum.sample;
  __int128 total = sum.total;
  if (value.kind == ValueKind::integer && kind == ValueKind::decimal) {
    total *= Value::kDecimalOne;
    value.kind = ValueKind::decimal;
  }
  total = rounded_half_away(total, static_cast<__int128>(sum.count));
  if (!fits(total)) {
    environment_.error = EvalError::overflow;
    return {};
  }
  value.i = static_cast<int64_t>(total);
  return value;
}

Value Machine::total(const Sum& sum, const Type& type) {
  if (sum.count == 0) return zero_of(type);
  if (sum.mixed_currencies || !fits(sum.total)) {
    environment_.error = sum.mixed_currencies ? EvalError::currency_mismatch : EvalError::overflow;
    return {};
  }
  Value value = sum.sample;
  value.i = static_cast<int64_t>(sum.total);
  return value;
}

Value Machine::share(int64_t holding, int64_t count) {
  if (count == 0) return {};
  return Value::of_decimal_billionths(
      static_cast<int64_t>(rounded_half_away(static_cast<__int128>(holding) * Value::kDecimalOne, count)));
}

// The smaller and the greater of two values, of which the first may be missing. Money of two currencies that is equal in number
// is told apart, so that the order of events does not matter.
Value Machine::lesser(const Value& a, const Value& b) {
  if (a.missing()) return b;
  const int order = compare(b, a);
  return order < 0 || (order == 0 && b.aux < a.aux) ? b : a;
}
Value Machine::greater(const Value& a, const Value& b) {
  if (a.missing()) return b;
  const int order = compare(b, a);
  return order > 0 || (order == 0 && b.aux > a.aux) ? b : a;
}

// The value at a level of `values`, nearest rank.
Value Machine::at_level(std::vector<Value>& values, int64_t level) {
  if (values.empty()) return {};
  const auto count = static_cast<__int128>(values.size());
  const auto rank = static_cast<size_t>((count * level + Value::kDecimalOne - 1) / Value::kDecimalOne);
  const auto at = values.begin() + static_cast<ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), at, values.end(), [](const Value& a, const Value& b) { return compare(a, b) < 0; });
  return *at;
}

// Whether an event counts for an aggregate, and with which value.
bool Machine::contributes(const CompiledAggregate& aggregate, const Entry& entry, Value& value) {
  const KeptShape& shape = *rule_->inputs[static_cast<size_t>(aggregate.input)].shape;
  const bool is_current = &entry == current_;
  environment_.candidate = {&shape.layout, entry.row.data(), nullptr};
  if (is_current && aggregate.over_this) {  // facts of the trigger in hand are not in its row yet
    const size_t first_fact = shape.from.size();
    current_slots_.resize(shape.layout.size());
    for (size_t i = 0; i < first_fact; ++i) current_slots_[i] = shape.layout.get(entry.row.data(), i);
    for (size_t i = 0; i < rule_->facts.size(); ++i) current_slots_[first_fact + i] = i < facts_ready_ ? facts_[i] : Value{};
    environment_.candidate = {&shape.layout, nullptr, current_slots_.data()};
  }
  if (!aggregate.where.empty() && !aggregate.where.holds(environment_)) {
    if (environment_.error != EvalError::none) note_error();
    return false;
  }
  value = {};
  if (aggregate.value.empty()) return true;
  value = aggregate.value.run(environment_);
  if (environment_.error != EvalError::none) note_error();
  if (value.missing()) return false;
  if (is_current && holds_bytes(value.kind)) value.bytes = arena_.copy(value.text()).data();
  return true;
}

// The events of one window, asked for what `aggregate` wants of them. Events in [as_of - over, as_of] that stand at or before
// the position being decided.
Value Machine::aggregate(int index) {
  const CompiledAggregate& aggregate = rule_->aggregates[static_cast<size_t>(index)];
  const Type& type = rule_->source->aggregates[static_cast<size_t>(index)].type;
  if (aggregate.function == Aggregation::usual) return usual(aggregate, type);
  if (aggregate.slides && key_->log.size() >= kLongLog) {
    if (const std::optional<Value> value = slide(index)) return *value;
  }
  const EventView outer = environment_.candidate;
  const TimeMs from = aggregate.from(as_of_);
  const bool ordered = aggregate.function == Aggregation::first || aggregate.function == Aggregation::last;

  Sum sum;
  Value best;
  int64_t count = 0, holding = 0;
  const Entry* chosen = nullptr;
  std::vector<std::pair<std::pair<TimeMs, uint64_t>, bool>> run;  // streak
  absl::flat_hash_set<std::string> distinct;
  std::vector<Value> measured;                                          // quantile
  std::map<std::string, std::pair<int64_t, Value>, std::less<>> often;  // top: by the value's bytes
  for (auto entry = key_->log.behind(position_); entry != key_->log.begin();) {
    --entry;
    if (entry->known_at < from) break;  // known_at >= time: nothing before it can be in the window
    if (entry->input != aggregate.input || entry->time < from || entry->time > as_of_) continue;
    if (ordered && &*entry == current_) continue;
    Value value;
    if (!contributes(aggregate, *entry, value)) continue;
    switch (aggregate.function) {
      case Aggregation::count:
        ++count;
        break;
      case Aggregation::sum:
      case Aggregation::average:
        sum.add(value);
        break;
      case Aggregation::minimum:
        best = lesser(best, value);
        break;
      case Aggregation::maximum:
        best = greater(best, value);
        break;
      case Aggregation::distinct: {
        std::string bytes;
        append_key(std::span(&value, 1), bytes);
        distinct.insert(std::move(bytes));
        break;
      }
      case Aggregation::ratio:
        ++count;
        holding += value.truth();
        break;
      case Aggregation::quantile:
        measured.push_back(value);
        break;
      case Aggregation::top: {
        std::string bytes;
        append_key(std::span(&value, 1), bytes);
        auto& [times, sample] = often[std::move(bytes)];
        ++times;
        sample = value;
        break;
      }
      case Aggregation::usual:
        break;
      case Aggregation::streak:
        run.push_back({{entry->time, entry->id}, value.truth()});
        break;
      case Aggregation::first:
      case Aggregation::last: {
        const bool earlier = chosen != nullptr && std::pair(entry->time, entry->id) < std::pair(chosen->time, chosen->id);
        if (chosen == nullptr || earlier == (aggregate.function == Aggregation::first)) {
          chosen = &*entry;
          best = aggregate.value.empty() ? Value::of_bytes(ValueKind::row, entry->row) : value;
        }
        break;
      }
    }
    // Only late events stand out of the order of time, and they stand behind their time: what is before an event that was not
    // late happened before it.
    if (aggregate.function == Aggregation::last && chosen == &*entry && !entry->late()) break;
    if (aggregate.function == Aggregation::streak && !run.back().second && !entry->late()) break;
  }
  environment_.candidate = outer;

  switch (aggregate.function) {
    case Aggregation::count:
      return Value::of_int(count);
    case Aggregation::distinct:
      return Value::of_int(static_cast<int64_t>(distinct.size()));
    case Aggregation::ratio:
      return share(holding, count);
    case Aggregation::streak: {
      std::sort(run.begin(), run.end(), std::greater<>());
      int64_t length = 0;
      while (static_cast<size_t>(length) < run.size() && run[static_cast<size_t>(length)].second) ++length;
      return Value::of_int(length);
    }
    case Aggregation::sum:
      return total(sum, type);
    case Aggregation::average:
      return sum.count == 0 ? Value{} : mean(sum, value_kind(type.kind));
    case Aggregation::quantile:
      return at_level(measured, aggregate.level);
    case Aggregation::top: {
      const std::pair<int64_t, Value>* most = nullptr;
      for (const auto& [bytes, each] : often) {
        if (most == nullptr || each.first > most->first) most = &each;
      }
      return most == nullptr ? Value{} : most->second;
    }
    default:
      return best;
  }
}

// Binds a trigger's facts one after another, as of `as_of`. On `wait`, `waited` is how long the missing one may be waited for.
Machine::Verdict Machine::evaluate(Entry& entry, TimeMs as_of, DurationMs& waited) {
  ++counts_[static_cast<size_t>(rule_index_)].triggers;
  const Verdict verdict = judge(entry, as_of, waited);
  write_facts(entry, verdict == Verdict::skip || verdict == Verdict::no);
  return verdict;
}

Machine::Verdict Machine::judge(Entry& entry, TimeMs as_of, DurationMs& waited) {
  environment_ = {};
  environment_.surroundings = this;
  environment_.arena = &arena_;
  environment_.facts = facts_.data();
  environment_.bound[kTrigger] = {&rule_->trigger_shape.layout, entry.row.data(), nullptr};
  current_ = &entry;
  as_of_ = as_of;
  known_ = std::max(as_of, entry.known_at);
  facts_ready_ = 0;
  reads_.clear();
  waited = 0;
  Verdict verdict = Verdict::yes;
  for (size_t i = 0; i < rule_->facts.size() && verdict == Verdict::yes; ++i) {
    const CompiledFact& fact = rule_->facts[i];
    wait_ = fact.wait;
    facts_[i] = fact.value.run(environment_);
    if (environment_.error != EvalError::none) {
      note_error();
      trace("skip " + fact.name);
      verdict = Verdict::skip;
    } else if (facts_[i].missing() && fact.otherwise != Fact::Otherwise::keep) {
      verdict = fact.otherwise == Fact::Otherwise::wait ? Verdict::wait : Verdict::skip;
      waited = fact.wait;
      if (verdict == Verdict::skip) trace("skip " + fact.name);
    }
    facts_ready_ = i + 1;
  }
  wait_ = 0;
  for (size_t i = facts_ready_; i < rule_->facts.size(); ++i) facts_[i] = Value{};
  if (verdict == Verdict::yes && !rule_->when.empty()) {
    if (!rule_->when.holds(environment_)) {
      trace("when");
      verdict = Verdict::no;
    }
    if (environment_.error != EvalError::none) note_error();
  }
  current_ = nullptr;
  return verdict;
}

// The facts go into the trigger's row, where `this` finds them, all of them or those it asks for; strings may point into the
// row itself, so a new one is made.
void Machine::write_facts(Entry& entry, bool only_kept) {
  if (rule_->facts.empty()) return;
  const KeptShape& shape = rule_->trigger_shape;
  std::vector<Value>& values = row_values_;
  values.resize(shape.layout.size());
  const size_t first_fact = shape.from.size();
  for (size_t i = 0; i < first_fact; ++i) values[i] = shape.layout.get(entry.row.data(), i);
  for (size_t i = 0; i < rule_->facts.size(); ++i)
    values[first_fact + i] = !only_kept || rule_->facts_kept[i] ? facts_[i] : Value{};
  row_.clear();
  shape.layout.encode(values, row_);
  if (row_ == entry.row) return;
  retract(entry.order());
  key_->log.set_row(entry, row_);
  key_->touch_page(entry);
}

// Prepares the environment to ask about an instance at `at`: frozen facts, bound events, elapsed time.
void Machine::bind(const Instance& instance, TimeMs at) {
  environment_ = {};
  environment_.surroundings = this;
  environment_.arena = &arena_;
  environment_.facts = facts_.data();
  const KeptShape& shape = rule_->trigger_shape;
  environment_.bound[kTrigger] = {&shape.layout, instance.row->data(), nullptr};
  for (size_t i = 0; i < instance.bound.size(); ++i) {
    if (!instance.bound[i]) continue;
    const Input& input = rule_->inputs[static_cast<size_t>(rule_->steps[i].input)];
    environment_.bound[i + 1] = {&input.shape->layout, instance.bound[i]->data(), nullptr};
  }
  const size_t first_fact = shape.from.size();
  for (size_t i = 0; i < rule_->facts.size(); ++i) facts_[i] = shape.layout.get(instance.row->data(), first_fact + i);
  facts_ready_ = rule_->facts.size();
  environment_.elapsed = at - instance.anchor_time;
  as_of_ = at;
  known_ = at;
  current_ = nullptr;
}

}  // namespace tillwatch::rules
