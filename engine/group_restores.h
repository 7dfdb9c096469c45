// The shards a group's member owns and does not serve yet: each is brought up from the store and the changelog, while the
// others go on. Knows how far each has come. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/group_link.h"
#include "engine/group_shard.h"
#include "engine/group_tables.h"
#include "engine/shard_restore.h"

namespace tillwatch::engine {

// One shard on its way. What is left is an estimate: a compacted changelog has fewer records than offsets.
struct RestoreProgress {
  uint16_t shard = 0;
  TimeMs began = 0;                 // steady clock, ms
  uint64_t records = 0, bytes = 0;  // read
  int64_t records_left = -1;        // -1: not known
  int64_t bytes_left = -1;
  DurationMs time_left = -1;
};

class GroupRestores {
 public:
  struct Surroundings {
    std::function<TimeMs()> wall, steady;
    std::function<void(const std::string&)> say;
    std::function<std::unique_ptr<GroupShard>(uint16_t number)> make;  // an empty shard
  };
  // All of these outlive it.
  GroupRestores(std::string changelog_topic, RestoreOptions options, connectors::PartitionReader& changelog,
                connectors::PartitionReader& tables_reader, GroupTables& tables, state::Store& store,
                Surroundings surroundings);

  // Brings the shard up to commit `wanted`; goes on where it does so already. Errors: as ShardRestore::begin().
  Status begin(uint16_t number, uint64_t wanted);
  // The shard is not ours any more.
  Status drop(uint16_t number);
  // A piece of the way, for all. Shards that have come to its end are handed to `ready`.
  Status go_on(const std::function<void(std::unique_ptr<GroupShard>)>& ready);

  bool empty() const { return under_way_.empty(); }
  size_t size() const { return under_way_.size(); }
  std::vector<RestoreProgress> progress() const;
  // Changelog records and bytes read since the process began.
  uint64_t records() const { return records_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct UnderWay {
    ShardRestore restore;
    std::unique_ptr<GroupShard> loading;  // once the store is as far as it is to be
    int64_t from = 0;                     // where in the changelog it began
    TimeMs began = 0;
    TimeMs said = 0;
  };
  Status read_changelog();
  Expected<bool> is_ready(uint16_t number, const UnderWay& shard);
  // Whether it is loaded.
  Expected<bool> load(uint16_t number, UnderWay& shard, TimeMs until);
  RestoreProgress progress_of(uint16_t number, const UnderWay& shard) const;
  void tell_progress();

  const std::string topic_;
  const RestoreOptions options_;
  connectors::PartitionReader& changelog_;
  connectors::PartitionReader& tables_reader_;
  GroupTables& tables_;
  state::Store& store_;
  const Surroundings surroundings_;
  std::map<uint16_t, UnderWay> under_way_;
  uint64_t records_ = 0, bytes_ = 0;
};

}  // namespace tillwatch::engine
