// What is to happen later: a refund in an hour, the second of two debits in a minute.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "engine/base/time.h"

namespace tillwatch::connectors::generation {

class Agenda {
 public:
  using Deed = std::function<void(TimeMs)>;  // is told its own time

  void at(TimeMs time, Deed deed) {
    entries_.push_back({.time = time, .order = ++order_, .deed = std::move(deed)});
    std::push_heap(entries_.begin(), entries_.end());
  }

  TimeMs next_time() const { return entries_.empty() ? kAfterAllTime : entries_.front().time; }

  // Does the earliest, which may put more on the agenda. Not when there is none.
  void do_next() {
    std::pop_heap(entries_.begin(), entries_.end());
    const Entry entry = std::move(entries_.back());
    entries_.pop_back();
    entry.deed(entry.time);
  }

 private:
  struct Entry {
    TimeMs time = 0;
    uint64_t order = 0;  // of entering: breaks ties
    Deed deed;
    bool operator<(const Entry& other) const { return time != other.time ? time > other.time : order > other.order; }
  };
  std::vector<Entry> entries_;  // a heap, the earliest in front
  uint64_t order_ = 0;
};

}  // namespace tillwatch::connectors::generation
