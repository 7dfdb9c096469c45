#include "engine/engine_numbers.h"

#include <algorithm>
#include <charconv>

namespace tillwatch::engine {
namespace {

void add_difference(uint64_t& sum, uint64_t now, uint64_t before) { sum += now - before; }

}  // namespace

void ShardCounts::read(const rules::CompiledBundle& bundle, const Ledger& ledger, const rules::Shard& shard) {
  for (size_t i = 0; i < routes.size(); ++i) {
    const auto found = ledger.routes.find(bundle.subscriptions[i].name);
    routes[i] = found == ledger.routes.end() ? RouteLedger{} : found->second;
  }
  for (size_t i = 0; i < rules.size(); ++i) rules[i] = shard.machine().counts(static_cast<int>(i));
  const rules::Shard::Memory memory = shard.memory();
  evictions = memory.evictions;
  loads = memory.loads;
}

void ShardCounts::add(const ShardCounts& now, const ShardCounts& before) {
  for (size_t i = 0; i < routes.size(); ++i) {
    for (uint64_t RouteLedger::* count :
         {&RouteLedger::copies, &RouteLedger::used, &RouteLedger::repeated, &RouteLedger::late, &RouteLedger::failed}) {
      add_difference(routes[i].*count, now.routes[i].*count, before.routes[i].*count);
    }
  }
  using Counts = rules::RuleCounts;
  for (size_t i = 0; i < rules.size(); ++i) {
    for (uint64_t Counts::* count :
         {&Counts::triggers, &Counts::divide_by_zero, &Counts::overflow, &Counts::currency_mismatch}) {
      add_difference(rules[i].*count, now.rules[i].*count, before.rules[i].*count);
    }
  }
  add_difference(evictions, now.evictions, before.evictions);
  add_difference(loads, now.loads, before.loads);
}

EngineNumbers::EngineNumbers(const rules::CompiledBundle& bundle, MetricsSnapshot& snapshot)
    : bundle_(bundle),
      snapshot_(snapshot),
      streams_(bundle.source.schema.streams.size(), kAfterAllTime),
      clocks_(bundle.clocks.size(), kAfterAllTime) {
  for (const rules::Stream& stream : bundle.source.schema.streams) {
    if (stream.origin != rules::Stream::Origin::view) snapshot.streams.push_back({stream.name, 0, kBeforeAllTime});
  }
  for (const auto& rule : bundle.rules) snapshot.rules.push_back({.name = rule->name});
}

void EngineNumbers::add_partition(std::string_view name, const PartitionLedger& ledger, int64_t lag) {
  const size_t slash = name.rfind('/');
  MetricsSnapshot::Partition& partition = snapshot_.partitions.emplace_back();
  partition.topic = name.substr(0, slash);
  const std::string_view number = name.substr(slash + 1);
  std::from_chars(number.data(), number.data() + number.size(), partition.number);
  partition.read = ledger.read;
  partition.unwanted = ledger.unwanted;
  partition.taken = ledger.taken;
  partition.unknown_values = ledger.unknown_values;
  partition.lag = lag;
  for (int fault = 1; fault < kDecodeFaults; ++fault) {
    const uint64_t dead = ledger.dead[static_cast<size_t>(fault)];
    if (dead > 0) partition.dead_lettered.emplace_back(tillwatch::engine::name(static_cast<DecodeFault>(fault)), dead);
  }
  size_t shown = 0;
  for (const rules::Stream& stream : bundle_.source.schema.streams) {
    if (stream.origin == rules::Stream::Origin::view) continue;
    if (stream.topic == partition.topic) snapshot_.streams[shown].late += ledger.late;
    ++shown;
  }
}

void EngineNumbers::add_clocks(const Watermarks& watermarks) {
  for (size_t i = 0; i < streams_.size(); ++i) streams_[i] = std::min(streams_[i], watermarks.plain()[i]);
  for (size_t i = 0; i < clocks_.size(); ++i) clocks_[i] = std::min(clocks_[i], watermarks.clocks()[i]);
}

void EngineNumbers::add_state(const rules::Shard& shard) {
  for (size_t i = 0; i < bundle_.rules.size(); ++i) {
    snapshot_.rules[i].obligations += static_cast<uint64_t>(shard.obligations()[i]);
  }
  snapshot_.state_keys += shard.keys();
  memory_ += shard.memory();
}

void EngineNumbers::set_counts(const ShardCounts& counts) {
  for (size_t i = 0; i < bundle_.subscriptions.size(); ++i) {
    const RouteLedger& route = counts.routes[i];
    snapshot_.routes.push_back(
        {bundle_.subscriptions[i].name, route.copies, route.used, route.repeated, route.late, route.failed});
  }
  for (size_t i = 0; i < bundle_.rules.size(); ++i) {
    const rules::RuleCounts& rule = counts.rules[i];
    snapshot_.rules[i].triggers = rule.triggers;
    snapshot_.rules[i].errors = {
        {"divide_by_zero", rule.divide_by_zero}, {"overflow", rule.overflow}, {"currency_mismatch", rule.currency_mismatch}};
  }
  snapshot_.state_evictions = counts.evictions;
  snapshot_.state_loads = counts.loads;
}

void EngineNumbers::set_bytes(size_t tables, size_t budget, const state::Store::Size& store) {
  snapshot_.state_budget_bytes = budget;
  snapshot_.state_bytes = {{"hot", memory_.state_bytes},
                           {"index", memory_.index_bytes},
                           {"tables", tables},
                           {"disk", store.disk},
                           {"store_memory", store.memory}};
}

void EngineNumbers::finish() {
  const auto defined = [](TimeMs clock) { return clock >= kAfterAllTime ? kBeforeAllTime : clock; };
  size_t shown = 0;
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (bundle_.source.schema.streams[i].origin == rules::Stream::Origin::view) continue;
    snapshot_.streams[shown++].watermark = defined(streams_[i]);
  }
  for (size_t i = 0; i < bundle_.rules.size(); ++i) {
    snapshot_.rules[i].clock = defined(clocks_[static_cast<size_t>(bundle_.rules[i]->clock)]);
  }
  snapshot_.state_hot_keys = memory_.hot_keys;
}

}  // namespace tillwatch::engine
