#include "engine/group_numbers.h"

#include "engine/engine_numbers.h"

namespace tillwatch::engine {
namespace {

MetricsSnapshot::Group group_numbers(const GroupMember& member) {
  const GroupCounts& counts = member.counts();
  MetricsSnapshot::Group group{.is = true};
  group.shards = {{"served", member.shards().size()}, {"restoring", member.restores().size()}, {"kept", member.suspended()}};
  group.assignments = {{"sources", counts.source_assignments}, {"shards", counts.shard_assignments}};
  group.frames_taken = counts.frames;
  group.copies_sent = counts.copies;
  group.restored_records = member.restores().records();
  group.restored_bytes = member.restores().bytes();
  group.commits_refused = counts.refused;
  group.commits_unknown = counts.unknown;
  group.pauses = counts.pauses;
  std::map<uint16_t, MetricsSnapshot::GroupShard> shards;
  for (const auto& [number, lag] : member.exchange_lags()) shards[number].exchange_lag = lag;
  for (const auto& [number, paused] : member.pauses()) shards[number].paused_ms = paused;
  for (const RestoreProgress& each : member.restores().progress()) {
    MetricsSnapshot::GroupShard& shard = shards[each.shard];
    shard.records_left = each.records_left;
    shard.bytes_left = each.bytes_left;
    shard.ms_left = each.time_left;
  }
  for (auto& [number, shard] : shards) {
    shard.number = number;
    group.of_shards.push_back(shard);
  }
  return group;
}

}  // namespace

void gather(const GroupMember& member, const rules::CompiledBundle& bundle, MetricsSnapshot& snapshot) {
  EngineNumbers numbers(bundle, snapshot);
  snapshot.group = group_numbers(member);
  const GroupSources& sources = member.sources();
  for (uint32_t i = 0; i < sources.inputs().size(); ++i) {
    if (!sources.owns(i)) continue;
    const std::string name = sources.inputs()[i].topic + "/" + std::to_string(sources.inputs()[i].number);
    numbers.add_partition(name, sources.ledger().partitions.at(name), member.source_lag(i));
    ++snapshot.group.source_partitions;
  }
  for (const auto& [number, shard] : member.shards()) {
    numbers.add_clocks(shard->watermarks());
    numbers.add_state(shard->shard());
    for (const Feed& feed : shard->judge().feeds()) {
      if (feed.dark) snapshot.obligations_held.emplace_back(feed.name, feed.waiting);
    }
  }
  numbers.set_counts(member.counts().shards);
  snapshot.commits_aborted = member.counts().aborted;
  numbers.set_bytes(member.tables().bytes(), member.state_budget_bytes(), member.store_size());
  numbers.finish();
}

}  // namespace tillwatch::engine
