// One shard of a group's member: what comes for it through the exchange goes in, alerts, derived events and marks for the other
// shards come out. Its state after a commit is a function of the frames taken so far and of the reference tables, so that
// whoever owns it next goes on with the same. Pure; one thread at a time.
//
// Life of a commit: take()… settle() → speak() → collect() → confirm() or abort().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/alert.h"
#include "engine/dead_letter.h"
#include "engine/engine_numbers.h"
#include "engine/feed_judge.h"
#include "engine/group_exchange.h"
#include "engine/ledger.h"
#include "engine/watermarks.h"
#include "rules/runtime/shard.h"
#include "state/store.h"

namespace tillwatch::engine {

// What a shard keeps in the store beside its keys' states; both belong to the changelog, too.
std::string shard_self_key(uint16_t shard);
// Of the shard whose self record this is: how many commits it has seen. Error: corrupt.
Expected<uint64_t> commits_of_self(std::string_view self);
// How far the reference tables were read that it has seen. Error: corrupt.
Expected<std::vector<connectors::Position>> tables_of_self(std::string_view self);
// How many commits, of the note that is committed with the shard's position in the exchange; empty: 0. Error: invalid.
Expected<uint64_t> commits_of_note(std::string_view note);
std::string shard_note(uint64_t commits);

class GroupShard {
 public:
  struct Place {
    uint16_t number = 0;
    uint16_t shards = 1;
  };
  // All of these outlive the shard; `routes` as frame_routes(). `budget_bytes`: as rules::Shard's. To `counts` it adds what it
  // does, commit by commit.
  GroupShard(const rules::CompiledBundle& bundle, const rules::Tables& tables, const std::vector<FrameRoute>& routes,
             Place place, const state::Store& store, size_t budget_bytes, ShardCounts& counts);

  // Reads the last commit from the store, so many keys at a time; true when it was the last piece. After an error the shard is
  // of no use. Error: corrupt, invalid.
  Expected<bool> load_some(size_t keys);

  // See rules::Shard.
  void set_careful(bool careful) { shard_.set_careful(careful); }
  // Takes one record of the exchange in. Errors: corrupt, invalid (other rules wrote it).
  Status take(std::string_view frame);
  void row_changed(const rules::TableRead& row, TimeMs recorded_at);
  // Decides what can be decided now. shard().health() tells whether the store gave all states back; abort() otherwise.
  void settle();
  // Says how far it has come, what waits on silent feeds and what it judges of them. After derived() was sent on.
  void speak(GroupExchange& exchange);
  // What settle() gave rise to, for the exchange; origins are by inputs().
  std::vector<rules::DerivedEvent>& derived() { return derived_; }

  // Whether there is anything to commit.
  bool changed() const { return taken_ > 0 || shard_.touched() || !feed_alerts_.empty(); }
  // `read`: how far the tables have been read that it has seen.
  void collect(std::vector<AlertRecord>& alerts, std::vector<DeadLetter>& letters, state::WriteSet& changes,
               const std::vector<connectors::Position>& read);
  void confirm();  // after the store has the changes
  Status abort();

  uint16_t number() const { return place_.number; }
  uint64_t commits() const { return commits_; }
  // Of the source partitions it has heard of, in its own order: what origins count by.
  const std::vector<connectors::Partition>& inputs() const { return inputs_; }
  const std::vector<connectors::Position>& tables_read() const { return tables_read_; }
  const Watermarks& watermarks() const { return watermarks_; }
  const Ledger& ledger() const { return ledger_; }
  // Copies received per input; of what shards emitted, none.
  const std::vector<uint64_t>& received() const { return received_; }
  const rules::Shard& shard() const { return shard_; }
  const FeedJudge& judge() const { return judge_; }

 private:
  uint32_t input_of(const connectors::Partition& partition);
  Status deliver(const ExchangeFrame& frame);
  void hear(const ExchangeFrame& frame);
  void report_silence(GroupExchange& exchange);
  std::string encode(const std::vector<connectors::Position>& read, uint64_t commits) const;
  Status decode(std::string_view self);

  const rules::CompiledBundle& bundle_;
  const std::vector<FrameRoute>& routes_;
  const Place place_;
  const state::Store& store_;
  ShardCounts& counts_;
  ShardCounts counted_, now_;  // of this shard: what counts_ has, and a reading
  rules::Shard shard_;
  Watermarks watermarks_;
  Ledger ledger_;
  FeedJudge judge_;
  std::vector<connectors::Partition> inputs_;
  std::vector<uint64_t> received_;  // per input
  std::vector<connectors::Position> tables_read_, pending_tables_;
  std::vector<Watermarks::EmitterClock> told_;  // per stream: what the others were last told
  std::vector<SilenceMark> reported_;           // per stream
  std::vector<rules::DerivedEvent> derived_;
  std::vector<AlertRecord> feed_alerts_;
  std::string committed_, pending_;  // the self record of the last commit, and of the one under way
  std::vector<TimeMs> committed_clocks_;
  uint64_t commits_ = 0;
  size_t taken_ = 0;  // frames since the last commit
  bool loading_ = false;
};

}  // namespace tillwatch::engine
