// What a shard keeps in memory and what it leaves to the store.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

constexpr const char* kSchema = R"(
streams:
  sale:
    topic: sales
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", card: string}
  note:
    topic: notes
    time: happened_at
    id: id
    lateness: 10s
    dark_after: 1000000
    fields: {id: string, happened_at: time @ "at", sale: string}
)";

constexpr const char* kRules = R"(
rule: untold
version: 1
title: {en: Untold, zh: 未告知}
on: sale as s
key: [id]
then:
  - absent: note
    by: sale = id
    within: [-10m, 120s]
    severity: high
resolve:
  - after: 1d
message: {en: "{s.id} untold", zh: "{s.id} 未告知"}
---
rule: often
version: 1
title: {en: Often, zh: 频繁}
on: sale as s
key: [card]
let:
  n: count(this over 1h)
when: n >= 100
severity: high
message: {en: "{n} times", zh: "{n} 次"}
)";

Fed sale(int id, TimeMs at, const std::string& card) {
  return {"sales", 0, at, fmt::format(R"({{"id":"S{}","at":{},"card":"{}"}})", id, at, card)};
}

World world_with(size_t state_bytes) {
  PipelineOptions options;
  options.shards = 2;
  options.state_bytes = state_bytes;
  return World(load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", kRules}}), options);
}

rules::Shard::Memory memory_of(World& world) {
  rules::Shard::Memory memory;
  for (const auto& shard : world.pipeline().shards()) memory += shard->memory();
  return memory;
}

std::vector<Fed> sales(int count, TimeMs from) {
  std::vector<Fed> records;
  for (int i = 0; i < count; ++i) records.push_back(sale(i, from + i, fmt::format("C{}", i)));
  return records;
}

TEST(Shard, KeepsToItsBudget) {
  constexpr int kSales = 5000;
  World roomy = world_with(64 << 20);
  roomy.feed(sales(kSales, kNoon), 500);
  const rules::Shard::Memory whole = memory_of(roomy);
  EXPECT_EQ(whole.hot_keys, 2u * kSales);
  EXPECT_EQ(whole.evictions, 0u);

  const size_t budget = whole.index_bytes + whole.state_bytes / 2;
  World tight = world_with(budget);
  tight.feed(sales(kSales, kNoon), 500);
  const rules::Shard::Memory memory = memory_of(tight);
  EXPECT_GT(memory.hot_keys, 0u);
  EXPECT_LT(memory.hot_keys, 2u * kSales);
  EXPECT_EQ(memory.evictions, 2u * kSales - memory.hot_keys);
  EXPECT_LE(memory.state_bytes + memory.index_bytes, budget);
}

TEST(Shard, AKeyLeftToTheStoreWakesUpInTime) {
  constexpr int kSales = 300;
  World world = world_with(0);
  world.feed(sales(kSales, kNoon), 50);
  EXPECT_EQ(memory_of(world).hot_keys, 0u);
  EXPECT_EQ(memory_of(world).loads, 0u);
  world.run_on_to(kNoon + 119 * kSecond);
  EXPECT_EQ(world.alerts().size(), 0u);
  world.run_on_to(kNoon + 130 * kSecond);
  EXPECT_EQ(world.of_rule("untold").size(), static_cast<size_t>(kSales));
  EXPECT_GE(memory_of(world).loads, static_cast<uint64_t>(kSales));
  EXPECT_EQ(memory_of(world).hot_keys, 0u);
}

// More events than fit a record go to pages of their own, and come back with it; repeats are still known.
TEST(Shard, ALongWindowComesBackFromTheStore) {
  for (const size_t room : {size_t{0}, rules::Shard::kNoBudget}) {
    SCOPED_TRACE(room);
    World world = world_with(room);
    std::vector<Fed> records;
    for (int i = 0; i < 99; ++i) records.push_back(sale(i, kNoon + i * kSecond, "C"));
    world.feed(records, 7);
    world.feed(records, 10);  // all of them again
    EXPECT_EQ(world.of_rule("often").size(), 0u);
    world.crash();
    world.feed({sale(99, kNoon + 100 * kSecond, "C")}, 1);
    ASSERT_EQ(world.of_rule("often").size(), 1u);
    EXPECT_EQ(world.of_rule("often")[0].message_en, "100 times");
    // An hour on, the first half has left the window and its pages the store.
    std::vector<Fed> later;
    for (int i = 0; i < 40; ++i) later.push_back(sale(1000 + i, kNoon + kHour + 10 * kMinute + i * kSecond, "C"));
    world.feed(later, 9);
    world.crash();
    EXPECT_EQ(world.of_rule("often")[0].message_en, "100 times");
  }
}

TEST(Shard, KeysThatNothingWaitsForAreForgotten) {
  World world = world_with(0);
  world.feed(sales(200, kNoon), 50);
  world.run_on_to(kNoon + 3 * kDay);
  size_t keys = 0;
  for (const auto& shard : world.pipeline().shards()) keys += shard->keys();
  EXPECT_EQ(keys, 0u);
  EXPECT_EQ(memory_of(world).state_bytes, 0u);
}

// A store that can give nothing back, as one whose disk is away.
class LostStore final : public state::Store {
 public:
  Expected<std::optional<std::string>> get(std::string_view key) const override {
    if (lost) return fail(ErrorKind::unavailable, "the disk is away");
    return store->get(key);
  }
  Status scan_from(std::string_view prefix, std::string_view from, const Visit& visit) const override {
    return store->scan_from(prefix, from, visit);
  }
  uint64_t applied() const override { return store->applied(); }
  Status commit(uint64_t number, const state::WriteSet& changes) override { return store->commit(number, changes); }
  Status prepare(uint64_t number, const state::WriteSet& changes) override { return store->prepare(number, changes); }
  Status apply(uint64_t number) override { return store->apply(number); }
  Status drop(uint64_t number) override { return store->drop(number); }
  std::optional<uint64_t> prepared() const override { return store->prepared(); }
  Size size() const override { return store->size(); }

  std::unique_ptr<state::Store> store = state::make_memory_store();
  bool lost = false;
};

TEST(Shard, SaysWhenAStateCannotBeReadBack) {
  const auto bundle = load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", kRules}});
  LostStore store;
  PipelineOptions options;
  options.state_bytes = 0;
  Pipeline pipeline(bundle, options, &store);
  ASSERT_TRUE(pipeline.load());
  pipeline.set_inputs({{"sales", 0}, {"notes", 0}});
  const auto take = [&](int id, TimeMs at) {
    connectors::RecordBatch batch;
    const Fed record = sale(id, at, "C");
    batch.add(0, id, at, "", record.json);
    return pipeline.process(batch, at);
  };
  const auto commit = [&] {
    Outcome outcome;
    state::WriteSet changes;
    ASSERT_TRUE(pipeline.collect(outcome, changes));
    ASSERT_TRUE(store.commit(store.applied() + 1, changes));
    pipeline.confirm();
  };
  ASSERT_TRUE(take(1, kNoon));
  commit();
  store.lost = true;
  const Status taken = take(2, kNoon + kSecond);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, ErrorKind::unavailable);
  EXPECT_FALSE(pipeline.abort());
  store.lost = false;
  ASSERT_TRUE(pipeline.abort());
  ASSERT_TRUE(take(2, kNoon + kSecond));
  commit();
  size_t keys = 0;
  for (const auto& shard : pipeline.shards()) keys += shard->keys();
  EXPECT_EQ(keys, 3u);  // C, S1, S2
}

// Keys of two rules, one of them with pages of events, in pieces that end between any two keys.
TEST(Shard, LoadsInPiecesWhatItLoadsAtOnce) {
  const auto bundle = load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", kRules}});
  const auto store = state::make_memory_store();
  PipelineOptions options;
  options.shards = 1;
  Pipeline pipeline(bundle, options, store.get());
  ASSERT_TRUE(pipeline.load());
  pipeline.set_inputs({{"sales", 0}, {"notes", 0}});
  connectors::RecordBatch batch;
  for (int id = 0; id < 150; ++id) {
    const Fed record = sale(id, kNoon + id, id < 90 ? "C" : fmt::format("D{}", id % 7));
    batch.add(0, id, record.arrival, "", record.json);
  }
  ASSERT_TRUE(pipeline.process(batch, kNoon + kSecond));
  Outcome outcome;
  state::WriteSet changes;
  ASSERT_TRUE(pipeline.collect(outcome, changes));
  ASSERT_TRUE(store->commit(1, changes));
  const rules::Tables tables(bundle->source.schema);
  rules::Shard at_once(*bundle, tables, 0, store.get());
  ASSERT_TRUE(at_once.load());
  ASSERT_EQ(at_once.keys(), 158u);
  for (const size_t piece : {1u, 7u, 79u, 157u, 158u, 1000u}) {
    SCOPED_TRACE(piece);
    rules::Shard shard(*bundle, tables, 0, store.get());
    size_t pieces = 1;
    for (auto loaded = shard.load_some(piece); !(loaded && *loaded); loaded = shard.load_some(piece)) {
      ASSERT_TRUE(loaded);
      EXPECT_EQ(shard.keys(), piece * pieces);
      ++pieces;
    }
    EXPECT_LE(pieces, 158 / piece + 1);
    EXPECT_EQ(shard.keys(), at_once.keys());
    EXPECT_EQ(shard.memory().state_bytes, at_once.memory().state_bytes);
    EXPECT_EQ(shard.obligations(), at_once.obligations());
    EXPECT_EQ(shard.next_wake(), at_once.next_wake());
  }
}

}  // namespace
}  // namespace tillwatch::engine
