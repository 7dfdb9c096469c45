#include "engine/feed.h"

#include <algorithm>

namespace tillwatch::engine {

bool weigh(Feed& feed, const rules::Stream& declared, const FeedView& view, std::vector<AlertRecord>& alerts) {
  const bool few = view.held.count <= static_cast<uint64_t>(std::max<int64_t>(0, declared.dark_after));
  const bool back = feed.dark && view.alive > feed.since;
  const bool held_long_enough = feed.dark && view.now - feed.since >= declared.dark_hold;
  if (feed.dark && (back || held_long_enough)) {
    feed.dark = false;
    alerts.push_back(describe_dark_feed(feed.name, feed.since, view.now, feed.waiting, feed.money_minor, false, false,
                                        ++feed.seq, back ? "recovered" : "hold_over"));
    feed.waiting = 0;
    feed.money_minor = 0;
    return held_long_enough && !back;
  }
  if (!view.silent) return false;
  if (few && !feed.dark) return true;
  const bool first = !feed.dark;
  if (first) {
    feed.dark = true;
    feed.since = view.alive;
    feed.seq = 0;
  }
  if (first || view.held.count != feed.waiting) {
    feed.waiting = view.held.count;
    feed.money_minor = view.held.money_minor;
    alerts.push_back(
        describe_dark_feed(feed.name, feed.since, view.now, feed.waiting, feed.money_minor, true, first, ++feed.seq, ""));
  }
  return false;
}

}  // namespace tillwatch::engine
