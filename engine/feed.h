// A feed that falls silent: whether its silence counts as having nothing to say, or the feed is dark and what waits on it is
// held (ARCHITECTURE.md, "Time").
#pragma once

#include <string>
#include <vector>

#include "engine/alert.h"
#include "rules/language/schema.h"
#include "rules/runtime/machine.h"

namespace tillwatch::engine {

struct Feed {
  std::string name;
  bool dark = false;
  TimeMs since = 0;      // when it was last heard before it went dark
  uint64_t waiting = 0;  // obligations held
  int64_t money_minor = 0;
  uint32_t seq = 0;  // of its alert
};

struct FeedView {
  bool silent = false;        // its clock is ahead of what it was heard to say
  rules::Machine::Held held;  // what would be decided by its silence alone, over all shards
  TimeMs now = 0;             // how far it would be if its silence were believed
  TimeMs alive = 0;           // how far it was heard
};

// Moves the feed, and says so in `alerts`. Returns whether its silence is believed up to `view.now`.
bool weigh(Feed& feed, const rules::Stream& declared, const FeedView& view, std::vector<AlertRecord>& alerts);

}  // namespace tillwatch::engine
