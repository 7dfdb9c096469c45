// Brings the store of one shard up to what the group has committed of it: from where the store stands, by the changelog.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/source.h"
#include "engine/base/status.h"
#include "engine/base/time.h"
#include "state/store.h"

namespace tillwatch::engine {

struct RestoreOptions {
  // A store that stood still for longer may have missed tombstones the changelog no longer has: it is read back from the
  // beginning. Less than the changelog's delete.retention.ms.
  DurationMs oldest_store = 20 * kHour;
  // The changelog's end was seen and the last commit not: how long to wait for it (a transaction's markers may be on their
  // way).
  DurationMs patience = kMinute;
  // A restored shard is loaded from the store in pieces of so many keys, and for so long (ms) a cycle, so that the shards that
  // are served go on meanwhile. A piece takes a few milliseconds.
  size_t keys_at_once = 2'000;
  DurationMs load_for = 20;
};

// How far the changelog has been applied to the store, kept in the store beside each shard.
struct ChangelogPlace {
  int64_t next_offset = 0;
  TimeMs saved_at = 0;
};
void put_changelog_place(state::WriteSet& changes, uint16_t shard, const ChangelogPlace& place);
Expected<ChangelogPlace> changelog_place(const state::Store& store, uint16_t shard);  // error: corrupt

class ShardRestore {
 public:
  // `wanted`: how many commits the group names (commits_of_note).
  ShardRestore(uint16_t shard, uint64_t wanted, RestoreOptions options) : shard_(shard), wanted_(wanted), options_(options) {}

  // Looks at the store. Empties the shard's part of it where it is too old. Error: invalid (the store is ahead of the group).
  Status begin(state::Store& store, TimeMs wall);
  bool needs_changelog() const { return have_ != wanted_ || (wanted_ == 0 && !end_seen_); }
  int64_t next_offset() const { return next_offset_; }

  // Records of this shard's changelog partition, in order.
  Status take(const connectors::Record& record);
  // Writes what was taken to the store.
  Status save(state::Store& store, TimeMs wall);
  // The changelog was read to its end at `wall`. Errors: corrupt (it ends before the commit the group names), invalid.
  Status at_end(TimeMs wall);

  uint64_t wanted() const { return wanted_; }
  uint64_t records() const { return records_; }
  uint64_t bytes() const { return bytes_; }

 private:
  uint16_t shard_;
  uint64_t wanted_;
  RestoreOptions options_;
  uint64_t have_ = 0;
  int64_t next_offset_ = 0;
  state::WriteSet changes_;
  bool end_seen_ = false;
  TimeMs end_seen_at_ = 0;
  uint64_t records_ = 0, bytes_ = 0;
};

}  // namespace tillwatch::engine
