#include "rules/runtime/sliding_window.h"

#include <algorithm>
#include <span>
#include <tuple>

#include "engine/base/row.h"

namespace tillwatch::rules {
namespace {

// One more or one less of `key`; what is not there any more leaves.
template <class Map, class Key>
void tally(Map& map, const Key& key, int64_t by) {
  const auto found = map.try_emplace(key, 0).first;
  found->second = static_cast<uint32_t>(found->second + by);
  if (found->second == 0) map.erase(found);
}

void mark(absl::btree_set<Order>& places, const Order& order, bool add) {
  if (add) {
    places.insert(order);
  } else {
    places.erase(order);
  }
}

}  // namespace

void Gathered::change(const Order& order, const Value& value, int64_t by) {
  switch (function_) {
    case Aggregation::count:
      count_ += by;
      break;
    case Aggregation::ratio:
      count_ += by;
      if (value.truth()) holding_ += by;
      break;
    case Aggregation::sum:
    case Aggregation::average: {
      kind_ = value.kind;
      count_ += by;
      total_ += by * static_cast<__int128>(value.i);
      auto at = std::find_if(currencies_.begin(), currencies_.end(), [&](const auto& each) { return each.first == value.aux; });
      if (at == currencies_.end()) at = currencies_.insert(at, {value.aux, 0});
      at->second += by;
      break;
    }
    case Aggregation::minimum:
    case Aggregation::maximum:
      kind_ = value.kind;
      tally(values_, std::pair(value.i, value.aux), by);
      break;
    case Aggregation::distinct: {
      std::string bytes;
      append_key(std::span(&value, 1), bytes);
      tally(distinct_, bytes, by);
      break;
    }
    case Aggregation::first:
    case Aggregation::last:
      mark(places_, order, by > 0);
      break;
    case Aggregation::streak:
      change_streak(order, value.truth(), by > 0);
      break;
    case Aggregation::quantile:
    case Aggregation::top:
    case Aggregation::usual:
      break;  // CompiledAggregate::slides is false
  }
}

void Gathered::change_streak(const Order& order, bool holds, bool add) {
  const bool counts = breaks_.empty() || order > *breaks_.rbegin();
  if (holds) {
    mark(places_, order, add);
    if (counts) streak_ += add ? 1 : -1;
    return;
  }
  const bool was_last = !counts && order == *breaks_.rbegin();
  mark(breaks_, order, add);
  if (!counts && !was_last) return;
  if (breaks_.empty()) {
    streak_ = static_cast<int64_t>(places_.size());
    return;
  }
  streak_ = 0;
  for (auto place = places_.rbegin(); place != places_.rend() && *place > *breaks_.rbegin(); ++place) ++streak_;
}

void Gathered::clear() { *this = Gathered(function_); }

Sum Gathered::sum() const {
  Sum sum;
  sum.total = total_;
  sum.count = static_cast<uint64_t>(count_);
  sum.sample.kind = count_ > 0 ? kind_ : ValueKind::missing;
  for (const auto& [currency, values] : currencies_) {
    if (values == 0 || currency == 0) continue;
    if (kind_ == ValueKind::money && sum.sample.aux != 0) sum.mixed_currencies = true;
    sum.sample.aux = currency;
  }
  return sum;
}

Value Gathered::least() const {
  Value value;
  if (values_.empty()) return value;
  value.kind = kind_;
  std::tie(value.i, value.aux) = values_.begin()->first;
  return value;
}

Value Gathered::greatest() const {
  Value value;
  if (values_.empty()) return value;
  value.kind = kind_;
  std::tie(value.i, value.aux) = values_.rbegin()->first;
  return value;
}

size_t Gathered::bytes() const {
  constexpr size_t kNode = 24, kText = 56;
  return sizeof(Gathered) + values_.size() * kNode + distinct_.capacity() * kText + (places_.size() + breaks_.size()) * kNode;
}

size_t SlidingWindows::bytes() const {
  size_t total = sizeof(SlidingWindows) + late.size() * sizeof(std::pair<TimeMs, Order>);
  for (const auto& [which, window] : of) total += sizeof(SlidingWindow) + window->gathered.bytes();
  return total;
}

}  // namespace tillwatch::rules
