// Windows over long logs, moved along from question to question (sliding_window.h).
#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "rules/runtime/machine.h"

namespace tillwatch::rules {
namespace {

using Others = absl::InlinedVector<std::pair<const Entry*, Value>, 8>;

// Where an event happened in its input's order.
Order place_of(const Entry& entry) { return {entry.time, entry.order().rank, entry.id}; }

}  // namespace

SlidingWindows& Machine::windows() {
  if (key_->windows) return *key_->windows;
  key_->windows = std::make_unique<SlidingWindows>();
  if (key_->log.late() > 0) {
    for (const Entry& entry : key_->log) {
      if (entry.late()) key_->windows->late.insert({entry.time, entry.order()});
    }
  }
  return *key_->windows;
}

void Machine::take(SlidingWindow& window, const CompiledAggregate& aggregate, const Entry& entry, bool in) {
  if (entry.input != aggregate.input || entry.late() || entry.time < window.lo) return;
  Value value;
  if (!contributes(aggregate, entry, value)) return;
  if (in) {
    window.gathered.add(entry.order(), value);
  } else {
    window.gathered.remove(entry.order(), value);
  }
}

// The end first, then the beginning: what leaves at the beginning is in the window by then.
void Machine::move(SlidingWindow& window, const CompiledAggregate& aggregate, TimeMs lo, const Order& hi) {
  const EntryLog& log = key_->log;
  const EventView outer = environment_.candidate;
  const Entry* const current = std::exchange(current_, nullptr);  // events in the window count as they are kept
  environment_.surroundings = this;
  environment_.arena = &arena_;
  if (window.hi.at < lo || hi.at < window.lo) {
    window.gathered.clear();
    window.lo = lo;
    window.hi = Order{lo, Order::evidence, 0}.before();
  }
  const auto [from, to] = std::minmax(window.hi, hi);
  for (auto each = log.behind(from); each != log.merged_end() && each->order() <= to; ++each) {
    take(window, aggregate, *each, hi > window.hi);
  }
  window.hi = hi;
  const TimeMs earlier = std::min(window.lo, lo), later = std::max(window.lo, lo);
  const bool enter = lo < window.lo;
  window.lo = earlier;
  for (auto each = log.from(earlier); each != log.merged_end() && each->known_at < later && each->order() <= hi; ++each) {
    take(window, aggregate, *each, enter);
  }
  window.lo = lo;
  current_ = const_cast<Entry*>(current);
  environment_.candidate = outer;
}

void Machine::retract(const Order& to) {
  if (!key_->windows) return;
  for (auto& [which, window] : key_->windows->of) {
    if (window->hi >= to) move(*window, rule_->aggregates[static_cast<size_t>(which.first)], window->lo, to.before());
  }
}

void Machine::leave_behind(TimeMs settled) {
  if (!key_->windows) return;
  for (auto& [which, window] : key_->windows->of) {
    const CompiledAggregate& aggregate = rule_->aggregates[static_cast<size_t>(which.first)];
    const TimeMs first_kept = settled - rule_->inputs[static_cast<size_t>(aggregate.input)].keep;
    if (window->lo < first_kept) move(*window, aggregate, first_kept, window->hi);
  }
}

TimeMs Machine::first_time(int input) {
  TimeMs first = kAfterAllTime;
  for (const Entry& entry : key_->log) {
    if (entry.order() > position_) break;
    if (entry.input != input) continue;
    first = std::min(first, entry.time);
    if (!entry.late()) break;
  }
  if (key_->log.late() == 0) return first;
  for (const auto& [time, order] : windows().late) {
    if (time >= first) break;
    const auto entry = key_->log.behind(order) - 1;
    if (order <= position_ && entry->input == input) return time;
  }
  return first;
}

// How many of the last values in a row are true.
int64_t Machine::streak_of(const Gathered& gathered, std::span<const std::pair<const Entry*, Value>> others) const {
  Order broken;
  for (const auto& [entry, value] : others) {
    if (!value.truth()) broken = std::max(broken, place_of(*entry));
  }
  int64_t length = 0;
  if (!gathered.breaks().empty() && *gathered.breaks().rbegin() >= broken) {
    broken = *gathered.breaks().rbegin();
    length = gathered.streak();
  } else if (broken.at == kBeforeAllTime) {
    length = gathered.streak();
  } else {
    for (auto place = gathered.places().rbegin(); place != gathered.places().rend() && *place > broken; ++place) ++length;
  }
  for (const auto& [entry, value] : others) length += value.truth() && place_of(*entry) > broken;
  return length;
}

// The place in the key's order of the first, or last, event that counts.
std::optional<Order> Machine::end_of(const CompiledAggregate& aggregate, const Gathered& gathered,
                                     std::span<const std::pair<const Entry*, Value>> others) const {
  const bool first = aggregate.function == Aggregation::first;
  std::optional<Order> place, chosen;
  if (!gathered.places().empty()) place = chosen = first ? *gathered.places().begin() : *gathered.places().rbegin();
  for (const auto& [entry, value] : others) {
    if (place && (place_of(*entry) < *place) != first) continue;
    place = place_of(*entry);
    chosen = entry->order();
  }
  return chosen;
}

// As Machine::aggregate(), which looks at every event.
std::optional<Value> Machine::slide(int index) {
  const CompiledAggregate& aggregate = rule_->aggregates[static_cast<size_t>(index)];
  const Type& type = rule_->source->aggregates[static_cast<size_t>(index)].type;
  const EntryLog& log = key_->log;
  const TimeMs from = aggregate.from(as_of_);
  const bool ordered = aggregate.function == Aggregation::first || aggregate.function == Aggregation::last;
  Order upto = as_of_ < position_.at ? Order{as_of_, Order::timer, ~uint64_t{0}} : position_;
  const Entry* current = current_ != nullptr && aggregate.input == 0 ? current_ : nullptr;
  if (current != nullptr && !current->late() && current->order() <= upto) {
    // The facts of the trigger in hand are not in its row yet, so it stays outside: possible only at the end.
    const auto next = log.behind(current->order());
    if (next != log.end() && next->order() <= upto) return {};
    upto = current->order().before();
  }
  std::unique_ptr<SlidingWindow>& held = windows().of[{index, usual_day_}];
  if (!held) held = std::make_unique<SlidingWindow>(aggregate.function);
  move(*held, aggregate, from, upto);

  const EventView outer = environment_.candidate;
  Others others;
  const auto consider = [&](const Entry& entry) {
    if (entry.input != aggregate.input || entry.time < from || entry.time > as_of_ || entry.order() > position_) return;
    Value value;
    if (contributes(aggregate, entry, value)) others.emplace_back(&entry, value);
  };
  if (log.late() > 0) {
    const auto& late = windows().late;
    for (auto each = late.lower_bound({from, Order{}}); each != late.end() && each->first <= as_of_; ++each) {
      const Entry& entry = *(log.behind(each->second) - 1);
      if (&entry != current) consider(entry);
    }
  }
  if (current != nullptr && !ordered) consider(*current);

  const Gathered& gathered = held->gathered;
  std::optional<Value> result = Value{};
  switch (aggregate.function) {
    case Aggregation::count:
      result = Value::of_int(gathered.count() + static_cast<int64_t>(others.size()));
      break;
    case Aggregation::ratio: {
      int64_t holding = gathered.holding();
      for (const auto& [entry, value] : others) holding += value.truth();
      result = share(holding, gathered.count() + static_cast<int64_t>(others.size()));
      break;
    }
    case Aggregation::sum:
    case Aggregation::average: {
      Sum sum = gathered.sum();
      for (const auto& [entry, value] : others) sum.add(value);
      if (aggregate.function == Aggregation::sum) {
        result = total(sum, type);
      } else if (sum.count > 0) {
        result = mean(sum, value_kind(type.kind));
      }
      break;
    }
    case Aggregation::minimum:
      result = gathered.least();
      for (const auto& [entry, value] : others) result = lesser(*result, value);
      break;
    case Aggregation::maximum:
      result = gathered.greatest();
      for (const auto& [entry, value] : others) result = greater(*result, value);
      break;
    case Aggregation::distinct: {
      absl::flat_hash_set<std::string> more;
      for (const auto& [entry, value] : others) {
        std::string bytes;
        append_key(std::span(&value, 1), bytes);
        if (!gathered.distinct().contains(bytes)) more.insert(std::move(bytes));
      }
      result = Value::of_int(static_cast<int64_t>(gathered.distinct().size() + more.size()));
      break;
    }
    case Aggregation::streak:
      result = Value::of_int(streak_of(gathered, others));
      break;
    case Aggregation::first:
    case Aggregation::last:
      if (const auto chosen = end_of(aggregate, gathered, others)) {
        const Entry& entry = *(log.behind(*chosen) - 1);
        Value value;
        contributes(aggregate, entry, value);
        result = aggregate.value.empty() ? Value::of_bytes(ValueKind::row, entry.row) : value;
      }
      break;
    case Aggregation::quantile:
    case Aggregation::top:
    case Aggregation::usual:
      result.reset();
      break;
  }
  environment_.candidate = outer;
  return result;
}

}  // namespace tillwatch::rules
