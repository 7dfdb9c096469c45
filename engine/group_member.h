// One member of a group at work: it reads the source partitions and serves the shards that Kafka gives it, and commits all of
// it in one transaction a cycle (ARCHITECTURE.md, "Group mode"). Knows link, store and clock; one thread, with workers inside a
// cycle.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/group_link.h"
#include "engine/caution.h"
#include "engine/group_exchange.h"
#include "engine/group_restores.h"
#include "engine/group_shard.h"
#include "engine/group_sources.h"
#include "engine/group_tables.h"
#include "engine/worker_pool.h"
#include "state/store.h"

namespace tillwatch::engine {

struct GroupOptions {
  uint16_t shards = 16;  // partitions of exchange and changelog
  size_t workers = 1;
  size_t state_bytes =
      rules::Shard::kNoBudget;  // what all shards of the group together may hold in memory; the rest is in the store
  DecodeOptions decode;
  WatermarkOptions watermarks;
  std::string exchange_topic = "tillwatch-exchange";
  std::string changelog_topic = "tillwatch-changelog";
  std::string alerts_topic = "alerts";
  std::string dead_letter_topic = "dead-letter";
  size_t max_records = 20'000;                       // source records of one commit
  size_t max_frames = 512;                           // exchange records of one commit
  size_t frame_bytes = 256u << 10;                   // of one exchange record
  int64_t max_backlog = 5'000;                       // exchange records waiting here; with more the sources are held back
  std::chrono::milliseconds max_wait{30};            // for the first record of a cycle
  std::chrono::milliseconds heartbeat{1000};         // how often quiet partitions move the clocks of all shards
  std::chrono::milliseconds trim_every{60'000};      // how often the exchange forgets what is committed
  std::chrono::milliseconds drain_for{30'000};       // how long a member that is told to stop serves what is in its shards' way
  std::chrono::milliseconds give_up_after{120'000};  // a broker or disk away for longer ends the process
  RestoreOptions restore;
};

// What moves pacing and quiet time; a simulation has its own.
struct GroupClock {
  std::function<TimeMs()> wall;    // ms UTC
  std::function<TimeMs()> steady;  // ms, never going back
  std::function<void(std::chrono::milliseconds)> sleep;
};
GroupClock system_group_clock();

// What the member tells whoever watches, after each commit.
struct GroupReport {
  const std::vector<AlertRecord>* alerts = nullptr;
  size_t dead_letters = 0;
  size_t records = 0;
  std::chrono::milliseconds commit{};
};

// What the member has done since the process began.
struct GroupCounts {
  uint64_t committed = 0;
  uint64_t aborted = 0;  // commits that never were, and were done again
  uint64_t refused = 0;  // likewise, because the group had given the partitions to others
  uint64_t unknown = 0;  // commits whose answer never came
  uint64_t source_assignments = 0, shard_assignments = 0;
  uint64_t frames = 0, copies = 0;  // exchange records taken in, copies sent; committed ones
  ShardCounts shards;
  Histogram pauses = pause_histogram();  // of shards: from when one was given to the member to when it is served, seconds
};

class GroupMember {
 public:
  // All of these outlive the member.
  GroupMember(std::shared_ptr<const rules::CompiledBundle> bundle, GroupOptions options, connectors::GroupLink& link,
              state::Store& store, GroupClock clock);
  ~GroupMember();

  void watch(std::function<void(const GroupReport&)> watcher) { watcher_ = std::move(watcher); }
  void set_log(std::function<void(const std::string&)> log) { log_ = std::move(log); }

  // Until `stop` is set (drains) or an error that waiting does not mend. Errors: fenced, invalid, corrupt.
  Status run(const std::atomic<bool>& stop);
  // One cycle. After an error of kind unavailable the next one begins with what was committed.
  Status step();
  // Takes no more source records; step() goes on serving the shards.
  Status stop_reading();
  // Whether nothing is left to do: no shard is being restored and the exchange is read to its end.
  bool idle() const;
  // Called after every cycle, commit or none.
  void after_each_cycle(std::function<void()> hook) { after_cycle_ = std::move(hook); }

  const std::map<uint16_t, std::unique_ptr<GroupShard>>& shards() const { return open_; }
  const GroupSources& sources() const { return sources_; }
  GroupSources& sources() { return sources_; }
  const GroupRestores& restores() const { return restores_; }
  size_t suspended() const { return suspended_.size(); }
  const GroupCounts& counts() const { return counts_; }
  const rules::Tables& tables() const { return tables_.tables(); }
  int64_t source_lag(uint32_t input) const;           // records; -1: not known
  std::map<uint16_t, int64_t> exchange_lags() const;  // likewise, of the member's shards
  size_t state_budget_bytes() const { return options_.state_bytes; }
  state::Store::Size store_size() const { return store_.size(); }
  // Shards of this member that are not served, and for how long, ms.
  std::map<uint16_t, DurationMs> pauses() const;

 private:
  struct Cycle;

  Status resync();
  Status take_over_sources();
  Status take_over_shards();
  Status go_on_restoring();
  std::unique_ptr<GroupShard> make_shard(uint16_t number);
  void serve(std::unique_ptr<GroupShard> shard);
  void note_pauses();
  Status hold_closed_shards();
  Status hold_sources(bool hold);
  Status poll(Cycle& cycle);
  void process_sources(Cycle& cycle);
  Status process_shards(Cycle& cycle);
  void collect(Cycle& cycle);
  Status commit(Cycle& cycle);
  void set_careful(bool careful);
  connectors::GroupBatch batch_of(Cycle& cycle, std::vector<AlertRecord>& alerts);
  void log_changes(const GroupShard& shard, const state::WriteSet& changes, connectors::GroupBatch& batch) const;
  Status write_store(Cycle& cycle, const connectors::GroupCommit& done);
  void trim();
  void say(const std::string& text) const {
    if (log_) log_(text);
  }

  const std::shared_ptr<const rules::CompiledBundle> bundle_;
  const GroupOptions options_;
  connectors::GroupLink& link_;
  state::Store& store_;
  const GroupClock clock_;
  const std::vector<FrameRoute> routes_;
  GroupExchange exchange_;
  GroupSources sources_;
  GroupTables tables_;
  Watermarks no_watermarks_;  // of derived_intake_, which reads nothing
  Ledger no_ledger_;
  Intake derived_intake_;
  WorkerPool workers_;
  Caution caution_;
  std::map<uint16_t, std::unique_ptr<GroupShard>> open_;       // served
  std::map<uint16_t, std::unique_ptr<GroupShard>> suspended_;  // taken away, and perhaps given back as they are
  std::map<uint16_t, TimeMs> paused_since_;                    // owned and not served; steady clock
  GroupCounts counts_;
  GroupRestores restores_;
  std::function<void(const GroupReport&)> watcher_;
  std::function<void()> after_cycle_;
  std::function<void(const std::string&)> log_;
  connectors::RecordBatch records_, frames_;
  bool begun_ = false;    // link_ can commit
  bool in_step_ = false;  // positions and memory are those of the last commit
  bool stopping_ = false;
  bool sources_held_ = false;
  bool busy_ = false;  // the last cycle had something to commit
  TimeMs last_heartbeat_ = 0, last_trim_ = 0, suspended_at_ = 0;
  std::map<int32_t, int64_t> committed_;  // positions in the exchange since the last trim
};

}  // namespace tillwatch::engine
