// What one rule remembers of one key: its recent events in order, and what they add up to.
//
// The outcome is a fold over the events in the order they could be known (see Event::known_at). Whatever order they arrive in,
// the fold is taken over the sorted ones: an event that arrives out of order takes the fold back to the last state before it,
// and what stood on the later events is decided again. That is why any interleaving ends in the same alerts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "engine/base/status.h"
#include "rules/language/checked_rule.h"
#include "rules/runtime/entry_log.h"
#include "rules/runtime/event.h"
#include "rules/runtime/sliding_window.h"

namespace tillwatch::rules {

struct TableRead {
  int32_t table = -1;
  std::string key;
  bool operator==(const TableRead&) const = default;
};

// A trigger that is on its way to an alert, or the alert it became.
struct Instance {
  enum class Phase : uint8_t {
    waiting,   // for a row, before its facts are known
    stepping,  // through `then`, or until what it emits is settled
    open,
    ended,
    holding,  // `when` is true and must stay so (`for`)
    looking,  // before its facts are known: a table that rules make has not got so far
    asking,   // decided, and asks whether it is raised by itself (`fold`, `limit`)
  };
  // anchor
  uint64_t anchor = 0;  // id of the trigger that began it
  TimeMs anchor_time = 0;
  // progress
  Phase phase = Phase::open;
  uint8_t step = 0;
  bool fired = false;    // an alert exists
  bool expired = false;  // ended by `after`
  Severity severity = Severity::medium;
  TimeMs from = 0, to = 0;  // the step's window
  Order due;                // when the step is decided: its end, never before it was entered
  Order entered;
  TimeMs raised_at = 0, updated_at = 0, ended_at = 0;
  // last hit
  uint64_t hit = 0;
  TimeMs hit_time = 0;
  uint32_t hits = 0;
  std::shared_ptr<const std::string> row;                 // kept row of the last hit, facts included
  std::vector<std::shared_ptr<const std::string>> bound;  // per step: the matched event's row, or null
  // asking
  TimeMs asked_for = 0;  // when it is raised then
  bool asked = false;    // for its place; the answer is awaited
  // its row, when it is one
  uint8_t row_told = 0;  // 1: that it is there, 2: that it is gone
  Order row_due;         // when to tell next
  TimeMs row_from = 0;
  std::shared_ptr<const std::string> table_row;  // its columns, as they were when it was told
  uint32_t folds = 0;                            // alerts of other rules counted on it
  int64_t folds_minor = 0;
  // Whether anything of these is there to keep.
  bool crosses() const { return asked_for != 0 || row_due.at != kBeforeAllTime || folds > 0; }
  std::vector<TimeMs> holds;     // per way with `for`: true since, or kNever; empty: none is true
  std::vector<TableRead> reads;  // rows looked up, when some way resolves on a table
  // what people read, rendered when it happened
  std::string reason, message_en, message_zh;
  std::vector<std::string> labels;  // in the rule's order
  struct Evidence {
    Origin origin;
    std::string event_id;
  };
  std::vector<Evidence> evidence;  // at most kMaxEvidence, first and latest
  TimeMs arrived_at = 0;           // of the record that decided last, for latency
  uint64_t checked = 0;            // versions of read rows already weighed (recorded_at of the last)
};
inline constexpr size_t kMaxEvidence = 16;
inline constexpr TimeMs kNever = kAfterAllTime;

struct FoldState {
  std::vector<std::shared_ptr<const Instance>> instances;
  std::vector<uint64_t> taken;  // `take: one`: ids of events that serve a trigger already
  bool empty() const { return instances.empty() && taken.empty(); }
};
using Fold = std::shared_ptr<const FoldState>;  // null: nothing

// What the alerts topic was last told of an alert.
struct Published {
  uint64_t anchor = 0;
  uint64_t digest = 0;
  uint32_t seq = 0;
  bool standing = true;  // false: withdrawn
  bool open = true;
  Severity severity = Severity::medium;
  TimeMs raised_at = 0;
  int64_t money_minor = 0;  // at risk, as last said
  uint16_t currency = 0;
};

// A deadline the fold went past because its clock was behind; it comes back to it.
struct Blocked {
  Order order;
  int32_t clock = -1;
  TimeMs needed = 0;  // what the clock must reach
  bool operator==(const Blocked&) const = default;
};

// Logs of so many events are worth an index of their ids and windows that slide.
inline constexpr size_t kLongLog = 48;

// In the store a key is one record, pack(), and for a key with many events pages of them: an event waits in the record until
// enough have come to fill a page, which is then written once.
struct KeyState {
  static constexpr uint32_t kEntriesPerPage = 32;

  EntryLog log;
  struct Checkpoint {
    Order after;
    Fold state;
  };
  std::vector<Checkpoint> history;    // states since the settled clock, oldest first; the last is the current one
  Order folded;                       // everything up to here is in the current state
  Order floor;                        // nothing can come before this any more
  TimeMs forgotten = kBeforeAllTime;  // an event up to `floor` that could matter until before this is gone
  std::vector<Blocked> blocked;
  uint32_t clock_numbers = 0;  // by which numbering of clocks; another one's mean nothing
  std::vector<Published> published;
  // Of a long log only, and in memory only.
  std::unique_ptr<absl::flat_hash_set<uint64_t>> ids;
  std::unique_ptr<SlidingWindows> windows;
  TimeMs looked_at = kBeforeAllTime;  // for what can be forgotten
  TimeMs forget_at = kBeforeAllTime;  // looking again is not worth it before
  uint32_t next_page = 0;
  std::vector<uint32_t> changed_pages;  // to be written again, or erased when no event is left
  std::vector<uint32_t> thinned_pages;  // lost events that are forgotten on reading; to be erased when none is left

  Fold current() const { return history.empty() ? nullptr : history.back().state; }
  bool empty() const { return log.empty() && history.empty() && published.empty(); }
  size_t bytes() const;
  KeyState copy() const;
  // Empty again; what was allocated stays for the next key.
  void reset();
  // The content of an event, or that it is there, changed.
  void touch_page(const Entry& entry) {
    if (entry.page != Entry::kInline) changed_pages.push_back(entry.page);
  }

  bool has_event(uint64_t id) const;
  void index_ids();  // once the log is long

  // Gives pages to the earliest events that have none, when they fill some.
  void seal();
  // Appends the record: everything but the events in pages.
  void pack(std::string& out) const;
  // Into an empty state. The pages follow, then log.merge().
  Status unpack(std::string_view bytes);
  std::string encode_page(uint32_t page) const;
  Status decode_page(uint32_t page, std::string_view bytes);  // appends to the log
};

}  // namespace tillwatch::rules
