// The events a key keeps, in order. What a key with very many of them is asked each time (how many events have no page yet, how
// many are left of a page, how large they are) is counted as they come and go, and what is forgotten at the front moves
// nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "rules/runtime/event.h"

namespace tillwatch::rules {

// A place in a key's order. At the same instant evidence comes before the triggers it may speak for, and what time brings last.
struct Order {
  enum Rank : uint8_t { evidence = 0, table_row = 1, trigger = 2, timer = 3 };
  TimeMs at = kBeforeAllTime;
  uint8_t rank = 0;
  uint64_t id = 0;
  auto operator<=>(const Order&) const = default;

  // The last place before this one.
  Order before() const {
    if (id > 0) return {at, rank, id - 1};
    if (rank > 0) return {at, static_cast<uint8_t>(rank - 1), ~uint64_t{0}};
    return {at - 1, timer, ~uint64_t{0}};
  }
};

// An event as a key keeps it: the projection its rule needs.
struct Entry {
  static constexpr uint32_t kInline = ~uint32_t{0};
  TimeMs time = 0;
  TimeMs known_at = 0;
  uint64_t id = 0;
  Origin origin;
  TimeMs arrived_at = 0;
  uint32_t page = kInline;  // in the store: of its own, or in the key's record
  uint8_t input = 0;
  bool accepted = false;
  std::string row;  // layout of the input's KeptShape

  bool late() const { return known_at > time; }
  Order order() const { return {known_at, input == 0 ? Order::trigger : Order::evidence, id}; }
};

// Sorted by Entry::order() but for what came since the last merge(), which stands behind merged_end(): from() and behind() do not see
// it. Page and row of an entry change through the log only.
class EntryLog {
 public:
  using iterator = std::vector<Entry>::iterator;
  using const_iterator = std::vector<Entry>::const_iterator;

  iterator begin() { return entries_.begin() + static_cast<ptrdiff_t>(gone_); }
  iterator end() { return entries_.end(); }
  const_iterator begin() const { return entries_.begin() + static_cast<ptrdiff_t>(gone_); }
  const_iterator end() const { return entries_.end(); }
  iterator merged_end() { return entries_.end() - static_cast<ptrdiff_t>(new_); }
  const_iterator merged_end() const { return entries_.end() - static_cast<ptrdiff_t>(new_); }
  size_t size() const { return entries_.size() - gone_; }
  bool empty() const { return size() == 0; }
  Entry& operator[](size_t at) { return entries_[gone_ + at]; }
  const Entry& operator[](size_t at) const { return entries_[gone_ + at]; }
  const Entry& front() const { return entries_[gone_]; }
  const Entry& back() const { return entries_.back(); }

  // The first entry that could be known at `at` or later; events of that time and later stand from there on.
  iterator from(TimeMs at) { return std::lower_bound(begin(), merged_end(), at, known_before); }
  const_iterator from(TimeMs at) const { return std::lower_bound(begin(), merged_end(), at, known_before); }
  // The first entry behind a place.
  iterator behind(const Order& order) { return std::upper_bound(begin(), merged_end(), order, stands_before); }
  const_iterator behind(const Order& order) const { return std::upper_bound(begin(), merged_end(), order, stands_before); }

  void push_back(Entry entry);
  bool merged() const { return new_ == 0; }
  Order first_new() const;  // the lowest of what is to be merged
  void merge();
  void erase(iterator entry);  // of a merged log
  // Erases what `which` says of the entries before `end`.
  template <class Which>
  void erase_if(iterator end, const Which& which);
  void clear();

  void set_page(Entry& entry, uint32_t page);
  void set_row(Entry& entry, const std::string& row);

  // How many entries have no page, and how many are left of one.
  size_t without_page() const { return without_page_; }
  size_t left_of(uint32_t page) const;
  size_t late() const { return late_; }
  size_t bytes() const { return entries_.capacity() * sizeof(Entry) + row_bytes_ + pages_.capacity() * 9; }

 private:
  static constexpr size_t kFew = 64;  // moving so many is cheap

  static bool in_order(const Entry& a, const Entry& b) { return a.order() < b.order(); }
  static bool known_before(const Entry& entry, TimeMs at) { return entry.known_at < at; }
  static bool stands_before(const Order& order, const Entry& entry) { return order < entry.order(); }
  static size_t heap_bytes(const std::string& row) { return row.size() > 15 ? row.size() + 1 : 0; }
  void count(const Entry& entry);
  void discount(const Entry& entry);

  std::vector<Entry> entries_;
  size_t gone_ = 0;  // at the front: hold nothing
  size_t new_ = 0;   // at the end: not merged
  size_t without_page_ = 0, late_ = 0, row_bytes_ = 0;
  absl::flat_hash_map<uint32_t, uint32_t> pages_;
};

template <class Which>
void EntryLog::erase_if(iterator end, const Which& which) {
  // Those that stay move to the end, so that nothing behind it does.
  auto to = end;
  for (auto each = end; each != begin();) {
    --each;
    if (which(static_cast<const Entry&>(*each))) {
      discount(*each);
    } else if (--to != each) {
      *to = std::move(*each);
    }
  }
  for (auto each = begin(); each != to; ++each) each->row = {};
  gone_ = static_cast<size_t>(to - entries_.begin());
  if (size() > kFew && gone_ < size()) return;
  entries_.erase(entries_.begin(), to);
  gone_ = 0;
}

}  // namespace tillwatch::rules
