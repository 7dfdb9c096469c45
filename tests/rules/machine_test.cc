// Small worlds for the machine: what a trigger keeps, joins, emits and ends.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>

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
    fields:
      id: string
      happened_at: time @ "at"
      card: string
      items: int
      amount: money(amount_minor, currency)
  note: {topic: notes, time: happened_at, id: id, lateness: 10s, fields: {id: string, happened_at: time @ "at", card: string}}
  passed: {topic: passes, time: happened_at, id: id, lateness: 10s, fields: {id: string, happened_at: time @ "at", card: string}}
  told: {derived: true, fields: {card: string, weight: decimal, items: int}}
)";

Fed sale(const std::string& id, TimeMs at, int items, int64_t amount = 100, const std::string& currency = "CNY") {
  return {"sales", 0, at,
          fmt::format(R"({{"id":"{}","at":{},"card":"C","items":{},"amount_minor":{},"currency":"{}"}})", id, at, items, amount, currency)};
}

Fed note(const std::string& id, TimeMs at) {
  return {"notes", 0, at, fmt::format(R"({{"id":"{}","at":{},"card":"C"}})", id, at)};
}

World world_of(const std::string& rules) { return World(load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", rules}})); }

TEST(Machine, AnIntEmittedIntoADecimalFieldIsADecimal) {
  World world = world_of(R"(
rule: tell
version: 1
on: sale as s
key: [card]
emit: {stream: told, fields: {card: s.card, weight: s.items, items: s.items}}
---
rule: heavy
version: 1
title: {en: Heavy, zh: 重}
on: told as t
key: [card]
when: t.weight >= 2.5
severity: low
message: {en: "{t.weight}", zh: "{t.weight}"}
)");
  world.feed({sale("A", kNoon, 2), sale("B", kNoon + kSecond, 3)}, 1);
  ASSERT_EQ(world.of_rule("heavy").size(), 1u);
  EXPECT_EQ(world.of_rule("heavy")[0].message_en, "3");
}

struct AggregateRow {
  const char* expression;
  const char* shown;
};
class Aggregates : public testing::TestWithParam<AggregateRow> {};

// Three sales: 1, 5 and 3 items at 0, 60 and 120 s; shown at the third.
TEST_P(Aggregates, OfAWindow) {
  World world = world_of(std::string("rule: show\nversion: 1\ntitle: {en: x, zh: x}\non: sale as s\nkey: [card]\nlet:\n  n: ") + GetParam().expression +
                         "\nwhen: s.items == 3\nseverity: low\nmessage: {en: \"{n}\", zh: \"{n}\"}\n");
  world.feed({sale("A", kNoon, 1, 100), sale("B", kNoon + 60 * kSecond, 5, 500), sale("C", kNoon + 120 * kSecond, 3, 300)}, 10);
  ASSERT_EQ(world.of_rule("show").size(), 1u);
  EXPECT_EQ(world.of_rule("show")[0].message_en, GetParam().shown);
}
INSTANTIATE_TEST_SUITE_P(Machine, Aggregates,
                         testing::Values(AggregateRow{"count(this over 120s)", "3"}, AggregateRow{"count(this over 119s)", "2"},
                                         AggregateRow{"count(this where items > 1 over 1h)", "2"}, AggregateRow{"sum(items of this over 1h)", "9"},
                                         AggregateRow{"avg(items of this over 1h) ?? 0", "3"}, AggregateRow{"min(items of this over 1h) ?? 0", "1"},
                                         AggregateRow{"max(items of this over 1h) ?? 0", "5"}, AggregateRow{"distinct(items of this over 1h)", "3"},
                                         AggregateRow{"first(items of this over 1h) ?? 0", "1"}, AggregateRow{"last(items of this over 1h) ?? 0", "5"},
                                         AggregateRow{"quantile(50%, items of this over 1h) ?? 0", "3"},
                                         AggregateRow{"quantile(100%, items of this over 1h) ?? 0", "5"},
                                         AggregateRow{"quantile(1%, items of this over 1h) ?? 0", "1"},
                                         AggregateRow{"quantile(67%, items of this over 1h) ?? 0", "5"},
                                         AggregateRow{"top(items > 2 of this over 1h) ?? false", "true"},
                                         AggregateRow{"top(items of this over 1h) ?? 0", "1"},
                                         AggregateRow{"usual(count(this over 1h), 7d) ?? 0", "0"},
                                         AggregateRow{"count(this over 2m every 2m)", "1"},
                                         AggregateRow{"count(this over 2m every 1m)", "2"},
                                         AggregateRow{"count(this over 1h every 1h)", "3"},
                                         AggregateRow{"count(this over 1d every 1d)", "3"},
                                         AggregateRow{"streak(items > 1 of this over 1h)", "2"}, AggregateRow{"streak(items > 3 of this over 1h)", "0"},
                                         AggregateRow{"ratio(items > 1 of this over 1h) ?? 0", "0.666666667"}));

TEST(Machine, TheUsualIsTheMeanOfTheSameTimeOfEarlierDays) {
  World world = world_of(R"(
rule: rush
version: 1
title: {en: x, zh: x}
on: sale as s
key: [card]
let:
  n: count(this over 1h)
  usual_n: usual(count(this over 1h), 7d)
  usual_sum: usual(sum(amount of this over 1h), 7d)
when: n > 5 * (usual_n ?? 1000)
severity: low
message: {en: "{n} for {usual_n ?? 0}, {usual_sum ?? 0:money}", zh: x}
)");
  std::vector<Fed> records;
  for (int day = 0; day < 4; ++day) {  // 1, 2, 1, 2 sales at noon of the days before
    for (int i = 0; i <= day % 2; ++i) records.push_back(sale(fmt::format("D{}-{}", day, i), kNoon + day * kDay + i * kSecond, 1));
  }
  for (int i = 0; i < 8; ++i) records.push_back(sale(fmt::format("N{}", i), kNoon + 4 * kDay + i * kSecond, 1));
  world.feed(records, 1);
  ASSERT_EQ(world.of_rule("rush").size(), 1u);
  EXPECT_EQ(world.of_rule("rush")[0].message_en, "8 for 1.5, 1.50 CNY");
}

TEST(Machine, AnErrorSkipsTheEventForTheRuleAndIsCounted) {
  World world = world_of(R"(
rule: share
version: 1
title: {en: x, zh: x}
on: sale as s
key: [card]
when: s.amount / (s.items - 1) >= 50
severity: low
message: {en: "x", zh: "x"}
)");
  world.feed({sale("A", kNoon, 1), sale("B", kNoon + kSecond, 2)}, 1);
  EXPECT_EQ(world.of_rule("share").size(), 1u);
  uint64_t errors = 0;
  for (const auto& shard : world.pipeline().shards()) errors += shard->machine().counts(0).divide_by_zero;
  EXPECT_EQ(errors, 1u);
}

TEST(Machine, AHitAfterResolutionRaisesAnew) {
  World world = world_of(R"(
rule: burst
version: 1
title: {en: x, zh: x}
on: sale as s
key: [card]
let:
  n: count(this over 60s)
when: n >= 2
resolve:
  - when: count(this over 60s) == 0
    reason: recovered
severity: low
message: {en: "{n}", zh: "{n}"}
)");
  world.feed({sale("A", kNoon, 1), sale("B", kNoon + 10 * kSecond, 1)}, 1);
  world.feed({sale("C", kNoon + 10 * kMinute, 1), sale("D", kNoon + 10 * kMinute + kSecond, 1)}, 1);
  world.run_on_to(kNoon + kHour);
  const auto alerts = world.of_rule("burst");
  ASSERT_EQ(alerts.size(), 2u);
  for (const AlertRecord& alert : alerts) EXPECT_EQ(alert.resolution, "recovered");
  // Closed at both ends: the window is empty a millisecond after the last sale leaves it.
  EXPECT_EQ(std::min(alerts[0].ended_at, alerts[1].ended_at), kNoon + 70 * kSecond + 1);
}

constexpr const char* kUntold = R"(
rule: untold
version: 1
title: {en: x, zh: x}
on: sale as s
key: [card]
then:
  - absent: note
    within: [-1m, 1m]
severity: low
QUIET
resolve:
  - on: note
    reason: told
emit: {stream: told, fields: {card: s.card, weight: s.items, items: s.items}}
message: {en: "{s.items}", zh: "x"}
---
rule: emitted
version: 1
title: {en: x, zh: x}
on: told as t
key: [card]
severity: low
message: {en: "x", zh: "x"}
)";

std::string untold(const std::string& quiet) {
  std::string rule = kUntold;
  return rule.replace(rule.find("QUIET"), 5, quiet);
}

TEST(Machine, ATriggerWhoseStepsAreDoneJoinsTheAlertWithinItsQuietTime) {
  World world = world_of(untold("quiet: 10m"));
  world.feed({sale("A", kNoon, 1), sale("B", kNoon + 10 * kMinute, 2), sale("C", kNoon + 21 * kMinute, 3)}, 1);
  world.run_on_to(kNoon + kHour);
  std::map<TimeMs, AlertRecord> alerts;
  for (const AlertRecord& alert : world.of_rule("untold")) alerts[alert.raised_at] = alert;
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts.begin()->first, kNoon + kMinute);
  EXPECT_EQ(alerts.begin()->second.hits, 2u);
  EXPECT_EQ(alerts.begin()->second.message_en, "2") << "it speaks of the last hit";
  EXPECT_EQ(alerts.rbegin()->first, kNoon + 22 * kMinute);
  EXPECT_EQ(alerts.rbegin()->second.hits, 1u);
  ASSERT_EQ(world.of_rule("emitted").size(), 1u);
  EXPECT_EQ(world.of_rule("emitted")[0].hits, 3u) << "each is emitted";
}

TEST(Machine, WithoutAQuietTimeEachTriggerOfARuleWithStepsIsAnAlert) {
  World world = world_of(untold(""));
  world.feed({sale("A", kNoon, 1), sale("B", kNoon + kSecond, 2)}, 1);
  world.run_on_to(kNoon + kHour);
  EXPECT_EQ(world.of_rule("untold").size(), 2u);
}

TEST(Machine, OfWhatHappenedBeforeTheTriggerOnlyTheWindowOfTheStepCounts) {
  World world = world_of(untold(""));
  world.feed({note("N", kNoon), sale("A", kNoon + kMinute, 1), sale("B", kNoon + kMinute + 1, 2)}, 1);
  world.run_on_to(kNoon + kHour);
  const auto alerts = world.of_rule("untold");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].message_en, "2");
}

TEST(Machine, AStepThatEndsEarlySpeaksOfNoTimeBeforeTheStepThatSpokeBefore) {
  World world = world_of(R"(
rule: unnoted
version: 1
title: {en: x, zh: x}
on: sale as s
key: [card]
then:
  - absent: note
    within: 2m
    severity: low
  - absent: note
    within: 1h
    until: passed
    severity: high
message: {en: "{elapsed:duration}", zh: "x"}
)");
  world.feed({sale("A", kNoon, 1), {"passes", 0, kNoon + 30 * kSecond, fmt::format(R"({{"id":"P","at":{},"card":"C"}})", kNoon + 30 * kSecond)}}, 1);
  world.run_on_to(kNoon + 2 * kHour);
  const auto alerts = world.of_rule("unnoted");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].severity, "high");
  EXPECT_EQ(alerts[0].raised_at, kNoon + 2 * kMinute);
  EXPECT_EQ(alerts[0].changed_at, kNoon + 2 * kMinute);
  EXPECT_EQ(alerts[0].message_en, "2m");
}

class KeyWithMoney : public testing::TestWithParam<const char*> {};

TEST_P(KeyWithMoney, NamesItsCurrency) {
  World world = world_of(R"(
rule: same
version: 1
title: {en: x, zh: x}
on: sale as s
key: [card, amount]
severity: low
message: {en: "{s.amount:money}", zh: "x"}
)");
  world.feed({sale("A", kNoon, 1, 12850, GetParam())}, 1);
  const auto alerts = world.of_rule("same");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_NE(alerts[0].json.find(fmt::format(R"("key":{{"card":"C","amount_minor":12850,"currency":"{}"}})", GetParam())),
            std::string::npos)
      << alerts[0].json;
}

INSTANTIATE_TEST_SUITE_P(Machine, KeyWithMoney, testing::Values("CNY", "USD", "JPY", "ALL"), [](const auto& row) { return std::string(row.param); });

TEST(Machine, WhatIsOverIsForgotten) {
  World world = world_of(R"(
rule: pair
version: 1
title: {en: x, zh: x}
on: sale as s
key: [id]
let:
  n: count(this over 60s)
when: n >= 2
severity: low
message: {en: "x", zh: "x"}
)");
  std::vector<Fed> records;
  for (int i = 0; i < 500; ++i) records.push_back(sale("S" + std::to_string(i), kNoon + i * kSecond, 1));
  world.feed(records, 50);
  world.run_on_to(kNoon + kHour);
  size_t keys = 0;
  for (const auto& shard : world.pipeline().shards()) keys += shard->keys();
  EXPECT_EQ(keys, 0u);
}

TEST(Machine, AnAlertKeepsNoMoreEvidenceThanItsLimit) {
  World world = world_of(R"(
rule: many
version: 1
title: {en: x, zh: x}
on: sale as s
key: [card]
severity: low
message: {en: "x", zh: "x"}
)");
  std::vector<Fed> records;
  for (int i = 0; i < 40; ++i) records.push_back(sale("S" + std::to_string(i), kNoon + i * kSecond, 1));
  world.feed(records, 7);
  ASSERT_EQ(world.of_rule("many").size(), 1u);
  const std::string json = world.of_rule("many")[0].json;
  size_t evidence = 0;
  for (size_t at = json.find("\"offset\":"); at != std::string::npos; at = json.find("\"offset\":", at + 1)) ++evidence;
  EXPECT_EQ(evidence, rules::kMaxEvidence);
  EXPECT_NE(json.find("\"event_id\":\"S0\""), std::string::npos) << "the first stays";
  EXPECT_NE(json.find("\"event_id\":\"S39\""), std::string::npos) << "and the latest";
  EXPECT_NE(json.find("\"hits\":40"), std::string::npos);
}

}  // namespace
}  // namespace tillwatch::engine
