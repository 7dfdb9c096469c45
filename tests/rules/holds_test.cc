// `for`: a condition that must stay true, of a rule and of a way of resolving; and conditions on `elapsed`.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <regex>

#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

constexpr const char* kSchema = R"(
streams:
  reading:
    topic: readings
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", meter: string, load: int}
  repair:
    topic: repairs
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", meter: string}
  told: {derived: true, fields: {meter: string, load: int}}
)";

constexpr const char* kHot = R"(
rule: hot
version: 1
on: reading as r
key: [meter]
when: r.load > 80
for: 3m
severity: {high: elapsed >= 10m, else: medium}
resolve:
  - when: (last(load of reading over 1h) ?? 0) <= 80
    for: 2m
    reason: cool
message: {en: "{r.load} for {elapsed:duration}", zh: x}
)";

Fed reading(TimeMs at, int load, const std::string& meter = "M") {
  return {"readings", 0, at, fmt::format(R"({{"id":"{}-{}","at":{},"meter":"{}","load":{}}})", meter, at, at, meter, load)};
}
Fed repair(TimeMs at, const std::string& meter = "M") {
  return {"repairs", 0, at, fmt::format(R"({{"id":"{}-{}","at":{},"meter":"{}"}})", meter, at, at, meter)};
}
World world_of(const std::string& rules) { return World(load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", rules}})); }

TEST(Holds, RaisesWhenTheConditionHasStayedTrueSoLong) {
  World world = world_of(kHot);
  world.feed({reading(kNoon, 90), reading(kNoon + kMinute, 95), reading(kNoon + 3 * kMinute - 1, 85)}, 1);
  EXPECT_TRUE(world.of_rule("hot").empty());
  world.run_on_to(kNoon + 3 * kMinute);
  ASSERT_EQ(world.of_rule("hot").size(), 1u);
  const AlertRecord alert = world.of_rule("hot")[0];
  EXPECT_EQ(alert.raised_at, kNoon + 3 * kMinute) << "the alert's time is when it had held long enough";
  EXPECT_EQ(alert.hits, 3u);
  EXPECT_EQ(alert.message_en, "85 for 3m");
}

TEST(Holds, ATriggerAtWhichItIsNotTrueEndsTheHold) {
  World world = world_of(kHot);
  world.feed({reading(kNoon, 90), reading(kNoon + kMinute, 70), reading(kNoon + 2 * kMinute, 90)}, 1);
  world.run_on_to(kNoon + 4 * kMinute);
  EXPECT_TRUE(world.of_rule("hot").empty());
  world.run_on_to(kNoon + 5 * kMinute);
  ASSERT_EQ(world.of_rule("hot").size(), 1u);
  EXPECT_EQ(world.of_rule("hot")[0].raised_at, kNoon + 5 * kMinute);
}

TEST(Holds, AReadingThatComesLaterButHappenedBetweenTakesTheAlertBack) {
  World world = world_of(kHot);
  world.feed({reading(kNoon, 90), reading(kNoon + kMinute, 90), reading(kNoon + kMinute - 5 * kSecond, 50)}, 1);
  world.run_on_to(kNoon + 4 * kMinute - 1);
  EXPECT_TRUE(world.of_rule("hot").empty()) << "true again since 12:01 only";
  world.run_on_to(kNoon + 4 * kMinute);
  EXPECT_EQ(world.of_rule("hot").size(), 1u);
}

TEST(Holds, AWindowThatSlidesAsksAgain) {
  World world = world_of(R"(
rule: burst
version: 1
on: reading as r
key: [meter]
let:
  n: count(this over 60s)
when: n >= 2
for: 90s
severity: low
message: {en: "{n}", zh: x}
)");
  world.feed({reading(kNoon, 1), reading(kNoon + 10 * kSecond, 1)}, 1);
  world.run_on_to(kNoon + kHour);
  EXPECT_TRUE(world.of_rule("burst").empty()) << "after 60 seconds the window holds one";
  world.feed({reading(kNoon + 2 * kHour, 1)}, 1);
  for (int i = 1; i < 8; ++i) world.feed({reading(kNoon + 2 * kHour + i * 20 * kSecond, 1)}, 1);
  world.run_on_to(kNoon + 3 * kHour);
  ASSERT_EQ(world.of_rule("burst").size(), 1u);
  EXPECT_EQ(world.of_rule("burst")[0].raised_at, kNoon + 2 * kHour + 110 * kSecond);
}

TEST(Holds, AWayOfResolvingMayHaveToHoldToo) {
  World world = world_of(kHot);
  const TimeMs raised = kNoon + 3 * kMinute;
  world.feed({reading(kNoon, 90)}, 1);
  world.run_on_to(raised);
  world.feed({reading(raised + kMinute, 60), reading(raised + 2 * kMinute, 90), reading(raised + 4 * kMinute, 60)}, 1);
  world.run_on_to(raised + 6 * kMinute - 1);
  ASSERT_EQ(world.of_rule("hot").size(), 1u);
  EXPECT_EQ(world.of_rule("hot")[0].status, "updated");
  world.run_on_to(raised + 6 * kMinute);
  EXPECT_EQ(world.of_rule("hot")[0].resolution, "cool");
  EXPECT_EQ(world.of_rule("hot")[0].ended_at, raised + 6 * kMinute);
}

TEST(Holds, ASeverityMayRiseWithTimeAlone) {
  World world = world_of(kHot);
  world.feed({reading(kNoon, 90)}, 1);
  world.run_on_to(kNoon + 10 * kMinute - 1);
  EXPECT_EQ(world.of_rule("hot")[0].severity, "medium");
  world.run_on_to(kNoon + 10 * kMinute);
  EXPECT_EQ(world.of_rule("hot")[0].severity, "high");
  EXPECT_EQ(world.of_rule("hot")[0].changed_at, kNoon + 10 * kMinute);
}

TEST(Holds, StepsFollowWhenItHasHeld) {
  World world = world_of(R"(
rule: unrepaired
version: 1
on: reading as r
key: [meter]
when: r.load > 80
for: 1m
then:
  - absent: repair
    within: 5m
severity: high
message: {en: "x", zh: x}
)");
  world.feed({reading(kNoon, 90, "A"), reading(kNoon, 90, "B"), repair(kNoon + 30 * kSecond, "B")}, 1);
  world.run_on_to(kNoon + kHour);
  ASSERT_EQ(world.of_rule("unrepaired").size(), 1u);
  EXPECT_EQ(world.of_rule("unrepaired")[0].raised_at, kNoon + 5 * kMinute);
}

TEST(Holds, AnEventUnderAnotherNameEndsAWaitEarly) {
  World world = world_of(R"(
rule: unrepaired
version: 1
on: reading as r
where: load > 80
key: [id]
then:
  - absent: repair
    by: id
    within: 5m
    until: {event: repair, by: meter = id}
severity: high
message: {en: "x", zh: x}
)");
  // The repair names the reading in its field `meter`: the wait is over a minute later, and nothing of its own id has come.
  world.feed(
      {reading(kNoon, 90, "A"), repair(kNoon + kMinute, fmt::format("A-{}", kNoon)), reading(kNoon + 2 * kMinute, 90, "B")}, 1);
  world.run_on_to(kNoon + kHour);
  ASSERT_EQ(world.of_rule("unrepaired").size(), 2u);
  std::vector<TimeMs> raised;
  for (const AlertRecord& alert : world.of_rule("unrepaired")) raised.push_back(alert.raised_at);
  std::sort(raised.begin(), raised.end());
  EXPECT_EQ(raised, (std::vector<TimeMs>{kNoon + kMinute, kNoon + 7 * kMinute}));
}

TEST(Holds, WhatIsEmittedIsEmittedWhenItHasHeld) {
  World world = world_of(R"(
rule: tell
version: 1
on: reading as r
key: [meter]
when: r.load > 80
for: 1m
emit: {stream: told, fields: {meter: r.meter, load: r.load}}
---
rule: hear
version: 1
on: told as t
key: [meter]
severity: low
message: {en: "{t.load}", zh: x}
)");
  world.feed({reading(kNoon, 90, "A"), reading(kNoon + 10 * kSecond, 95, "A"), reading(kNoon, 90, "B"),
              reading(kNoon + 20 * kSecond, 10, "B")},
             1);
  world.run_on_to(kNoon + kHour);
  ASSERT_EQ(world.of_rule("hear").size(), 1u);
  EXPECT_EQ(world.of_rule("hear")[0].message_en, "95");
}

// Readings of one partition in any order within the lateness, in any batches, with crashes.
TEST(Holds, AnyOrderEndsInTheSameAlerts) {
  std::vector<Fed> records;
  std::mt19937_64 random(3);
  for (int i = 0; i < 400; ++i) {
    const TimeMs at = kNoon + i * 7 * kSecond;
    const uint64_t hot = i / 50 % 2 == 0 ? 97 : 5;  // of a hundred: hot spells and cool ones
    records.push_back(reading(at, random() % 100 < hot ? 90 : 40, "M" + std::to_string(random() % 3)));
  }
  const auto run = [&](const std::vector<Fed>& list, size_t batch, bool crashes) {
    World world = world_of(kHot);
    for (size_t at = 0; at < list.size(); at += 50) {
      world.feed(
          {list.begin() + static_cast<ptrdiff_t>(at), list.begin() + static_cast<ptrdiff_t>(std::min(list.size(), at + 50))},
          batch);
      if (crashes) world.crash();
    }
    world.run_on_to(kNoon + 2 * kHour);
    std::map<std::string, std::string> standing;  // offsets are those of each order
    for (const auto& [id, alert] : world.standing())
      standing[id] = std::regex_replace(alert, std::regex("\"offset\":[0-9]+"), "");
    return standing;
  };
  const auto wanted = run(records, 400, false);
  ASSERT_GT(wanted.size(), 3u);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 shuffle(seed);
    std::vector<std::pair<TimeMs, Fed>> moved;
    for (const Fed& record : records)
      moved.emplace_back(record.arrival + static_cast<TimeMs>(shuffle() % (9 * kSecond)), record);
    std::stable_sort(moved.begin(), moved.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Fed> list;
    for (auto& [at, record] : moved) list.push_back(record);
    EXPECT_TRUE(run(list, 1 + seed % 40, seed % 2 == 0) == wanted) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tillwatch::engine
