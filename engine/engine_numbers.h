// Adds up what the parts of an engine know of themselves, for a snapshot: partitions, routes, clocks, rules and state. Alerts,
// commits and latencies are the observer's.
#pragma once

#include <string_view>
#include <vector>

#include "engine/ledger.h"
#include "engine/metrics.h"
#include "engine/watermarks.h"
#include "rules/runtime/shard.h"
#include "state/store.h"

namespace tillwatch::engine {

// What shards have done since the process began.
struct ShardCounts {
  std::vector<RouteLedger> routes;       // per subscription
  std::vector<rules::RuleCounts> rules;  // per rule
  uint64_t evictions = 0, loads = 0;

  explicit ShardCounts(const rules::CompiledBundle& bundle) : routes(bundle.subscriptions.size()), rules(bundle.rules.size()) {}
  // Replaces the counts by those of the shard and its ledger.
  void read(const rules::CompiledBundle& bundle, const Ledger& ledger, const rules::Shard& shard);
  // Adds what came between two readings of one shard.
  void add(const ShardCounts& now, const ShardCounts& before);
};

class EngineNumbers {
 public:
  // Both outlive it.
  EngineNumbers(const rules::CompiledBundle& bundle, MetricsSnapshot& snapshot);

  // `name` as the ledger's: "topic/number". `lag` in records; -1: not known.
  void add_partition(std::string_view name, const PartitionLedger& ledger, int64_t lag);
  // Of several watermarks the lowest are shown.
  void add_clocks(const Watermarks& watermarks);
  void add_state(const rules::Shard& shard);
  void set_counts(const ShardCounts& counts);
  void set_bytes(size_t tables, size_t budget, const state::Store::Size& store);
  // After everything is added.
  void finish();

 private:
  const rules::CompiledBundle& bundle_;
  MetricsSnapshot& snapshot_;
  std::vector<TimeMs> streams_, clocks_;  // the lowest so far; kAfterAllTime: none
  rules::Shard::Memory memory_;
};

}  // namespace tillwatch::engine
