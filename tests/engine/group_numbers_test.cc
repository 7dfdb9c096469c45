// What a group's members show of themselves: sums over the members are those of the group, and a restore tells how far it is.
#include "engine/group_numbers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/observer.h"
#include "tests/engine/group_world.h"
#include "tests/scrape.h"

namespace tillwatch::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00
constexpr uint64_t kSales = 60;

constexpr const char* kSchema = R"(
streams:
  sale:
    topic: sales
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", card: string}
)";
constexpr const char* kRules = R"(
rule: again
version: 1
title: {en: Again, zh: 再次}
on: sale as s
key: [card]
when: count(this over 1h) >= 2
severity: high
message: {en: "{s.card} again", zh: "{s.card} 再次"}
)";

std::shared_ptr<const rules::CompiledBundle> bundle() {
  static const auto loaded = load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", kRules}});
  return loaded;
}

std::vector<Fed> sales() {
  std::vector<Fed> records;
  for (uint64_t i = 0; i < kSales; ++i) {
    const TimeMs at = kNoon + static_cast<TimeMs>(i) * kSecond;
    const auto partition = static_cast<int32_t>(i % 3);
    const std::string json =
        i == 7 ? "{" : fmt::format(R"({{"id":"{}","at":"{}","card":"c{}"}})", i, format_rfc3339(at), i % 20);
    records.push_back({"sales", partition, at, json});
  }
  return records;
}

MetricsSnapshot numbers_of(const GroupMember& member) {
  MetricsSnapshot snapshot;
  gather(member, *bundle(), snapshot);
  return snapshot;
}

uint64_t count(const MetricsSnapshot::Counts& counts, const std::string& name) {
  for (const auto& [each, number] : counts) {
    if (each == name) return number;
  }
  return 0;
}

TEST(GroupNumbers, MembersAddUpToTheGroup) {
  GroupWorld world(bundle(), 1);
  world.load(sales());
  for (const char* name : {"a", "b", "c"}) world.add_member(name);
  ASSERT_TRUE(world.drain()) << world.failure();
  uint64_t read = 0, dead = 0, taken = 0, copies = 0, used = 0, sent = 0, served = 0, partitions = 0, keys = 0;
  for (const auto& [name, member] : world.members()) {
    const MetricsSnapshot of_member = numbers_of(*member);
    EXPECT_TRUE(of_member.group.is);
    served += count(of_member.group.shards, "served");
    EXPECT_EQ(count(of_member.group.shards, "restoring"), 0u);
    EXPECT_GE(count(of_member.group.assignments, "shards"), 1u);
    EXPECT_GE(count(of_member.group.assignments, "sources"), 1u);
    EXPECT_GE(of_member.group.pauses.count(), count(of_member.group.shards, "served")) << "more, where others joined later";
    partitions += of_member.group.source_partitions;
    for (const auto& each : of_member.partitions) {
      EXPECT_EQ(each.topic, "sales");
      EXPECT_EQ(each.lag, 0);
      read += each.read;
      taken += each.taken;
      for (const auto& [reason, number] : each.dead_lettered) dead += number;
    }
    for (const auto& each : of_member.routes) {
      copies += each.copies;
      used += each.used;
      EXPECT_EQ(each.copies, each.used + each.repeated + each.late);
    }
    for (const auto& each : of_member.group.of_shards) {
      EXPECT_EQ(each.exchange_lag, 0);
      EXPECT_EQ(each.paused_ms, 0);
      EXPECT_EQ(each.records_left, -1);
    }
    ASSERT_EQ(of_member.streams.size(), 1u);
    EXPECT_GT(of_member.streams[0].watermark, kNoon);
    EXPECT_GT(of_member.rules[0].clock, kNoon);
    sent += of_member.group.copies_sent;
    keys += of_member.state_keys;
    EXPECT_GT(member->counts().committed, 0u);
  }
  EXPECT_EQ(served, 5u);
  EXPECT_EQ(partitions, 3u);
  EXPECT_EQ(read, kSales);
  EXPECT_EQ(dead, 1u);
  EXPECT_EQ(taken, kSales - 1);
  EXPECT_EQ(copies, sent);
  EXPECT_EQ(copies, kSales - 1);
  EXPECT_EQ(used, copies);
  EXPECT_EQ(keys, 20u);
}

// Who gets a shard counts what it does itself, not what others did with it before.
TEST(GroupNumbers, CountsOfAShardDoNotMoveWithIt) {
  GroupWorld world(bundle(), 2);
  world.load(sales());
  world.add_member("a");
  ASSERT_TRUE(world.drain()) << world.failure();
  EXPECT_EQ(world.members()["a"]->counts().shards.routes[0].copies, kSales - 1);
  world.add_member("b");
  ASSERT_TRUE(world.drain()) << world.failure();
  const MetricsSnapshot of_b = numbers_of(*world.members()["b"]);
  EXPECT_GT(count(of_b.group.shards, "served"), 0u);
  EXPECT_EQ(of_b.routes[0].copies, 0u);
  EXPECT_GT(of_b.group.restored_records, 0u);
  EXPECT_GT(of_b.group.restored_bytes, of_b.group.restored_records);
  EXPECT_EQ(numbers_of(*world.members()["a"]).routes[0].copies, kSales - 1);
}

// Hands out as many changelog records as it is told to, and knows how many there are.
class Changelog final : public connectors::PartitionReader {
 public:
  Changelog(int64_t records, size_t at_once) : records_(records), at_once_(at_once) {}
  const std::vector<connectors::Partition>& inputs() const override { return inputs_; }
  Status follow(const connectors::Partition& partition, int64_t from) override {
    inputs_ = {partition};
    next_ = from;
    return {};
  }
  Status leave(const connectors::Partition&) override { return {}; }
  Status poll(connectors::RecordBatch& batch, size_t, std::chrono::milliseconds) override {
    for (size_t i = 0; i < at_once_ && next_ < records_; ++i) batch.add(0, next_++, 0, "key", std::string(96, 'v'));
    return {};
  }
  int64_t next_offset(uint32_t) const override { return next_; }
  bool at_end(uint32_t) const override { return next_ == records_; }
  int64_t lag(uint32_t) const override { return records_ - next_; }

 private:
  const int64_t records_;
  const size_t at_once_;
  std::vector<connectors::Partition> inputs_;
  int64_t next_ = 0;
};

TEST(GroupNumbers, ARestoreSaysHowFarItIs) {
  Changelog changelog(1000, 100), no_tables(0, 0);
  GroupTables tables(*bundle(), {});
  const auto store = state::make_memory_store();
  TimeMs now = 1;
  std::vector<std::string> said;
  GroupRestores restores("log", {}, changelog, no_tables, tables, *store,
                         {.wall = [&] { return now; },
                          .steady = [&] { return now; },
                          .say = [&](const std::string& text) { said.push_back(text); },
                          .make = [](uint16_t) { return nullptr; }});
  ASSERT_TRUE(restores.begin(3, 9));
  ASSERT_EQ(restores.progress().size(), 1u);
  EXPECT_EQ(restores.progress()[0].records_left, 1000);
  EXPECT_EQ(restores.progress()[0].time_left, -1) << "nothing was read yet";
  const auto never = [](std::unique_ptr<GroupShard>) { FAIL(); };
  for (int i = 0; i < 4; ++i) {
    now += 2 * kSecond;
    ASSERT_TRUE(restores.go_on(never));
  }
  const RestoreProgress progress = restores.progress()[0];
  EXPECT_EQ(progress.shard, 3);
  EXPECT_EQ(progress.records, 400u);
  EXPECT_EQ(progress.records_left, 600);
  EXPECT_EQ(progress.bytes, 400u * 99);
  EXPECT_EQ(progress.bytes_left, 600 * 99);
  EXPECT_EQ(progress.time_left, 12 * kSecond);
  EXPECT_EQ(restores.records(), 400u);
  ASSERT_EQ(said.size(), 1u) << "once in five seconds";
  EXPECT_EQ(said[0],
            "shard 3 is being restored to commit 9: 300 changelog records (0.0 MiB) read, about 700 records (0.1 MiB) and 14 s "
            "left");
  ASSERT_TRUE(restores.drop(3));
  EXPECT_TRUE(restores.empty());
  EXPECT_EQ(restores.records(), 400u) << "what was read was read";
}

// Several keys a cycle are loaded, and other shards are served meanwhile: the member that gets some of them commits in between.
TEST(GroupNumbers, AShardThatIsLoadedHoldsNoOtherUp) {
  GroupWorld world(bundle(), 4);
  world.restore_options().keys_at_once = 1;
  world.load(sales());
  world.add_member("a");
  ASSERT_TRUE(world.drain()) << world.failure();
  world.add_member("b");
  size_t served_while_loading = 0;
  for (int i = 0; i < 400; ++i) {
    world.run(1, {});
    const GroupMember& b = *world.members()["b"];
    if (!b.shards().empty() && !b.restores().empty()) ++served_while_loading;
  }
  EXPECT_GT(served_while_loading, 0u);
  ASSERT_TRUE(world.drain()) << world.failure();
  EXPECT_EQ(world.imbalance(), "");
  uint64_t keys = 0;
  for (const auto& [name, member] : world.members()) keys += numbers_of(*member).state_keys;
  EXPECT_EQ(keys, 20u);
}

TEST(GroupNumbers, AlertsOfShardsThatAreGoneDoNotStandHere) {
  Observer observer([](MetricsSnapshot& snapshot) { snapshot.rules.push_back({.name = "again"}); });
  std::vector<AlertRecord> alerts;
  for (uint16_t shard : {1, 2, 2}) {
    AlertRecord& alert = alerts.emplace_back();
    alert.id = std::to_string(alerts.size());
    alert.rule = "again";
    alert.status = "firing";
    alert.severity = "high";
    alert.currency = 156;
    alert.money_minor = 100;
    alert.shard = shard;
  }
  observer.note({&alerts, 3, {}});
  observer.keep_shards({1, 3});
  ASSERT_TRUE(observer.expose("127.0.0.1:0"));
  observer.look();
  const std::string text = tests::scrape(observer.address());
  EXPECT_THAT(text, HasSubstr(R"(tillwatch_alerts_open{rule="again",severity="high"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(tillwatch_alerts_open_money_minor{rule="again",currency="CNY"} 100)"));
  EXPECT_THAT(text, HasSubstr(R"(tillwatch_alerts_total{rule="again",severity="high",status="firing"} 3)"));
  EXPECT_THAT(text, Not(HasSubstr("tillwatch_group_shards{"))) << "no group, no such series";
}

}  // namespace
}  // namespace tillwatch::engine
