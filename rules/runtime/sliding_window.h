// What an aggregate has gathered of a long log, kept between questions: a window moves along with event time, so each event
// enters and leaves it once instead of being looked at by every trigger. The same values as a look at every event gives,
// whatever the order of questions: the window goes back as it goes forward.
//
// Late events stand out of the order of time, and are few: they are not in the window, and whoever asks adds them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "engine/base/value.h"
#include "rules/language/syntax.h"
#include "rules/runtime/entry_log.h"

namespace tillwatch::rules {

// Sums and averages of one kind, exact: 128 bits hold every sum of 64-bit values a key can have.
struct Sum {
  __int128 total = 0;
  uint64_t count = 0;
  Value sample;
  bool mixed_currencies = false;

  void add(const Value& value) {
    if (count > 0 && value.kind == ValueKind::money && sample.aux != 0 && value.aux != 0 && sample.aux != value.aux) {
      mixed_currencies = true;
    }
    if (count == 0 || sample.aux == 0) sample = value;
    total += value.i;
    ++count;
  }
};

// What can be gathered so that an event can leave again. Missing values are not gathered.
class Gathered {
 public:
  explicit Gathered(Aggregation function) : function_(function) {}

  void add(const Order& order, const Value& value) { change(order, value, 1); }
  void remove(const Order& order, const Value& value) { change(order, value, -1); }
  void clear();

  int64_t count() const { return count_; }      // count, ratio
  int64_t holding() const { return holding_; }  // ratio: whose value is true
  Sum sum() const;                              // sum, average
  Value least() const;                          // minimum; missing: there is none
  Value greatest() const;                       // maximum
  const absl::flat_hash_map<std::string, uint32_t>& distinct() const { return distinct_; }
  // first, last: those that have a value. streak: those whose value is true, and those whose is not.
  const absl::btree_set<Order>& places() const { return places_; }
  const absl::btree_set<Order>& breaks() const { return breaks_; }
  int64_t streak() const { return streak_; }  // how many places are behind the last break
  size_t bytes() const;

 private:
  void change(const Order& order, const Value& value, int64_t by);
  void change_streak(const Order& order, bool holds, bool add);

  Aggregation function_;
  int64_t count_ = 0, holding_ = 0;
  __int128 total_ = 0;
  ValueKind kind_ = ValueKind::missing;
  absl::InlinedVector<std::pair<uint16_t, int64_t>, 1> currencies_;  // how many values are in each; 0: in none
  absl::btree_map<std::pair<int64_t, uint16_t>, uint32_t> values_;
  absl::flat_hash_map<std::string, uint32_t> distinct_;
  absl::btree_set<Order> places_, breaks_;
  int64_t streak_ = 0;
};

// Holds the events of one input that were not late, from `lo` on, up to `hi` (inclusive) in the key's order.
struct SlidingWindow {
  explicit SlidingWindow(Aggregation function) : gathered(function) {}
  TimeMs lo = kBeforeAllTime;
  Order hi;  // below `lo`: empty
  Gathered gathered;
};

struct SlidingWindows {
  // By aggregate and, for one that is asked as of earlier days (`usual`), the day.
  absl::flat_hash_map<std::pair<int, int>, std::unique_ptr<SlidingWindow>> of;
  absl::btree_set<std::pair<TimeMs, Order>> late;  // of the log, by time

  size_t bytes() const;
};

}  // namespace tillwatch::rules
