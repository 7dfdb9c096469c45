// Event time: what is quiet, dark, late or from the future, and which clock waits for whom. Every row is a little world.
#include <gtest/gtest.h>

#include <fmt/format.h>

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
    accept: 24h where offline
    fields:
      id: string
      happened_at: time @ "at"
      card: string
      shop: string
      offline: bool
      amount: money(amount_minor, currency)
  note:
    topic: notes
    time: happened_at
    id: id
    lateness: 10s
    dark_after: 3
    dark_hold: 1h
    fields: {id: string, happened_at: time @ "at", sale: string}
  other:
    topic: others
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", shop: string}
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
    grace: 10s
    severity: high
resolve:
  - on: note
    by: sale = id
    reason: late_note
  - after: 1d
message: {en: "{s.id} untold", zh: "{s.id} 未告知"}
---
rule: twice
version: 1
title: {en: Twice, zh: 两次}
on: sale as s
key: [card]
let:
  n: count(this over 300s)
when: n >= 2
severity: high
quiet: 300s
message: {en: "{s.card} {n} times", zh: "{s.card} {n} 次"}
)";

std::shared_ptr<const rules::CompiledBundle> bundle() {
  static const auto rules = load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", kRules}});
  return rules;
}

Fed sale(const std::string& id, TimeMs at, const std::string& card = "", int32_t partition = 0, bool offline = false, TimeMs arrival = 0) {
  return {"sales", partition, arrival == 0 ? at : arrival,
          fmt::format(R"({{"id":"{}","at":{},"card":"{}","shop":"S","offline":{},"amount_minor":100,"currency":"CNY"}})", id, at,
                      card.empty() ? "card of " + id : card, offline)};
}
Fed note(const std::string& sale, TimeMs at, int32_t partition = 0) {
  return {"notes", partition, at, fmt::format(R"({{"id":"note of {} at {}","at":{},"sale":"{}"}})", sale, at, at, sale)};
}
Fed other(TimeMs at) { return {"others", 0, at, fmt::format(R"({{"id":"{}","at":{},"shop":"S"}})", at, at)}; }

std::string status_of(const World& world, const std::string& rule) {
  std::string text;
  for (const AlertRecord& alert : world.of_rule(rule)) text += (text.empty() ? "" : ", ") + alert.status + (alert.resolution.empty() ? "" : " " + alert.resolution);
  return text.empty() ? "none" : text;
}

TEST(Time, AnAbsenceWaitsForItsOwnFeedOnly) {
  World world(bundle());
  world.feed({note("x", kNoon), sale("A", kNoon)}, 1);
  world.feed({sale("B", kNoon + kHour)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "none") << "notes have only spoken up to noon";
  world.feed({note("y", kNoon + 2 * kMinute + 20 * kSecond)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "firing") << "now they are past the deadline and its grace";
  EXPECT_EQ(world.of_rule("untold")[0].raised_at, kNoon + 120 * kSecond) << "the due time, without the grace";
}

TEST(Time, ALaggingFeedDoesNotDelayWhatDoesNotWaitForIt) {
  World world(bundle());
  world.feed({note("x", kNoon - kHour), sale("A", kNoon, "C"), sale("B", kNoon + kMinute, "C")}, 1);
  EXPECT_EQ(status_of(world, "twice"), "firing");
  EXPECT_EQ(status_of(world, "untold"), "none");
}

TEST(Time, AStreamNobodyWaitsForHoldsNothing) {
  World world(bundle());
  world.feed({other(kNoon - kDay), note("x", kNoon), sale("A", kNoon), note("y", kNoon + 3 * kMinute), sale("B", kNoon + 3 * kMinute)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "firing");
}

TEST(Time, TheSlowestPartitionHoldsTheClock) {
  World world(bundle());
  world.feed({sale("A", kNoon), sale("B", kNoon + kHour), note("x", kNoon, 0), note("y", kNoon + kHour, 1)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "none");
  world.feed({note("A", kNoon + kMinute, 0)}, 1);
  world.feed({note("z", kNoon + kHour, 0)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "none") << "A was told; B is not due";
}

TEST(Time, APartitionThatHasNotSpokenHoldsTheClockBack) {
  World world(bundle());
  world.quiet("notes", 0, 0);  // known, and unread
  World unread(bundle());
  unread.feed({sale("A", kNoon), sale("B", kNoon + kHour)}, 1);
  EXPECT_EQ(unread.pipeline().watermarks().clocks().size(), bundle()->clocks.size());
}

TEST(Time, AQuietPartitionLetsTimeRunAtThePaceOfTheWallClock) {
  World world(bundle());
  const TimeMs wall = kNoon + 7 * kDay;  // the data is a week old: the pace counts, not the date
  world.feed({{"notes", 0, wall, note("x", kNoon).json}, {"sales", 0, wall, sale("A", kNoon).json}}, 10);
  world.quiet("notes", wall + 60 * kSecond, wall);
  world.quiet("sales", wall + 60 * kSecond, wall);
  EXPECT_EQ(status_of(world, "untold"), "none") << "a minute of silence is a minute";
  world.quiet("notes", wall + 139 * kSecond, wall);
  world.quiet("sales", wall + 139 * kSecond, wall);
  EXPECT_EQ(status_of(world, "untold"), "none");
  world.quiet("notes", wall + 141 * kSecond, wall);
  world.quiet("sales", wall + 141 * kSecond, wall);
  EXPECT_EQ(status_of(world, "untold"), "firing") << "120 s, the grace and the lateness have passed with no further record";
}

TEST(Time, APartitionFoundEmptySpeaks) {
  World world(bundle());
  world.feed({sale("A", kNoon)}, 1);
  world.quiet("notes", kNoon, kNoon);
  world.quiet("sales", kNoon + 3 * kMinute, kNoon);
  EXPECT_EQ(status_of(world, "untold"), "none");
  world.quiet("notes", kNoon + 3 * kMinute, kNoon);
  EXPECT_EQ(status_of(world, "untold"), "firing");
}

TEST(Time, AGatewayThatIsBehindDeliversInABurst) {
  World world(bundle());
  world.feed({note("x", kNoon), sale("A", kNoon), sale("B", kNoon + 10 * kSecond)}, 1);
  world.feed({sale("C", kNoon + 6 * kMinute)}, 1);  // sales go on, notes are five minutes behind
  EXPECT_EQ(status_of(world, "untold"), "none");
  world.feed({note("A", kNoon + 5 * kSecond), note("B", kNoon + 20 * kSecond), note("C", kNoon + 6 * kMinute + kSecond), note("z", kNoon + 9 * kMinute)}, 10);
  EXPECT_EQ(status_of(world, "untold"), "none") << "they were told in time, we only heard late";
}

TEST(Time, ADarkFeedHoldsItsAbsencesAndSaysSoOnce) {
  World world(bundle());
  std::vector<Fed> records{note("x", kNoon)};
  for (int i = 0; i < 10; ++i) records.push_back(sale("S" + std::to_string(i), kNoon + i * kSecond));
  world.feed(records, 100);
  for (int minutes = 1; minutes <= 10; ++minutes) {
    world.quiet("notes", kNoon + minutes * kMinute, kNoon);
    world.quiet("sales", kNoon + minutes * kMinute, kNoon);
  }
  EXPECT_EQ(status_of(world, "untold"), "none") << "ten at once by silence alone: the feed is doubted, not the senders";
  const auto dark = world.of_rule("feed-dark");
  ASSERT_EQ(dark.size(), 1u);
  EXPECT_NE(dark[0].message_en.find("10 decisions worth 10.00"), std::string::npos) << dark[0].message_en;
  EXPECT_TRUE(dark[0].status == "firing" || dark[0].status == "updated");

  // It is back, and tells of all but one.
  std::vector<Fed> burst;
  for (int i = 0; i < 9; ++i) burst.push_back(note("S" + std::to_string(i), kNoon + 30 * kSecond));
  world.feed(burst, 100);
  world.feed({note("z", kNoon + 11 * kMinute), sale("Z", kNoon + 11 * kMinute)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "firing") << "only the one that was not told";
  EXPECT_EQ(status_of(world, "feed-dark"), "resolved recovered");
}

TEST(Time, AFewDecisionsBySilenceAreBelieved) {
  World world(bundle());
  world.feed({note("x", kNoon), sale("A", kNoon), sale("B", kNoon), sale("C", kNoon)}, 10);
  world.quiet("notes", kNoon + 3 * kMinute, kNoon);
  world.quiet("sales", kNoon + 3 * kMinute, kNoon);
  EXPECT_EQ(status_of(world, "untold"), "firing, firing, firing") << "dark_after is 3";
  EXPECT_EQ(status_of(world, "feed-dark"), "none");
}

TEST(Time, TheHoldOfADarkFeedRunsOut) {
  World world(bundle());
  std::vector<Fed> records{note("x", kNoon)};
  for (int i = 0; i < 5; ++i) records.push_back(sale("S" + std::to_string(i), kNoon));
  world.feed(records, 100);
  for (int minutes = 1; minutes <= 59; ++minutes) {
    world.quiet("notes", kNoon + minutes * kMinute, kNoon);
    world.quiet("sales", kNoon + minutes * kMinute, kNoon);
  }
  EXPECT_EQ(status_of(world, "untold"), "none");
  world.quiet("notes", kNoon + 62 * kMinute, kNoon);
  world.quiet("sales", kNoon + 62 * kMinute, kNoon);
  EXPECT_EQ(world.of_rule("untold").size(), 5u) << "after an hour they are decided";
  EXPECT_EQ(status_of(world, "feed-dark"), "resolved hold_over");
}

TEST(Time, ALateEventDoesNotTriggerButIsCounted) {
  World world(bundle());
  world.feed({sale("A", kNoon, "C"), sale("M", kNoon + 10 * kMinute), sale("B", kNoon + kMinute, "C")}, 1);
  EXPECT_EQ(status_of(world, "twice"), "none");
  EXPECT_EQ(world.pipeline().ledger().partitions.at("sales/0").late, 1u);
  EXPECT_EQ(world.pipeline().ledger().routes.at("twice.sale").late, 1u);
  EXPECT_TRUE(world.pipeline().ledger().balanced());
}

TEST(Time, ALateEventStillResolves) {
  World world(bundle());
  world.feed({sale("A", kNoon), note("x", kNoon), sale("B", kNoon + 20 * kMinute), note("B", kNoon + 20 * kMinute + kSecond)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "firing");
  world.feed({note("A", kNoon + 5 * kSecond)}, 1);  // sent in time, read twenty minutes later
  EXPECT_EQ(status_of(world, "untold"), "resolved late_note");
}

TEST(Time, ReportedWithinTheGraceIsInTime) {
  World world(bundle());
  // The note happened at 119 s; its partition is at 125 s when it is read: late by its watermark, within the grace.
  world.feed({sale("A", kNoon), note("x", kNoon), note("y", kNoon + 135 * kSecond), note("A", kNoon + 119 * kSecond)}, 1);
  world.feed({note("z", kNoon + 10 * kMinute), sale("Z", kNoon + 10 * kMinute)}, 1);
  EXPECT_EQ(status_of(world, "untold"), "none");
}

TEST(Time, AnOfflineUploadTriggersHoursLateAndHoldsNoClockBack) {
  World world(bundle());
  world.feed({sale("A", kNoon, "C"), sale("M", kNoon + 6 * kHour)}, 1);
  const TimeMs before = world.pipeline().watermarks().watermark(0);
  world.feed({sale("B", kNoon + kMinute, "C", 0, true, kNoon + 6 * kHour)}, 1);
  EXPECT_EQ(world.pipeline().watermarks().watermark(0), before);
  const auto twice = world.of_rule("twice");
  ASSERT_EQ(twice.size(), 1u) << "judged by when it happened";
  EXPECT_EQ(twice[0].status, "firing");
}

TEST(Time, AnOfflineUploadShowsWhatALaterSaleWas) {
  World world(bundle());
  world.feed({sale("B", kNoon + kMinute, "C"), sale("M", kNoon + 6 * kHour), sale("A", kNoon, "C", 0, true, kNoon + 6 * kHour)}, 1);
  EXPECT_EQ(world.of_rule("twice").size(), 1u) << "the sale at 12:01 was the second one after all";
}

TEST(Time, BeyondWhatTheStreamAcceptsAnUploadIsLate) {
  World world(bundle());
  world.feed({sale("A", kNoon, "C"), sale("M", kNoon + 25 * kHour), sale("B", kNoon + kMinute, "C", 0, true, kNoon + 25 * kHour)}, 1);
  EXPECT_EQ(status_of(world, "twice"), "none");
}

TEST(Time, AnEventFarInTheFutureIsADeadLetterAndMovesNoClock) {
  World world(bundle());
  world.feed({sale("A", kNoon)}, 1);
  const TimeMs before = world.pipeline().watermarks().watermark(0);
  world.feed({sale("F", kNoon + 7 * 365 * kDay, "", 0, false, kNoon + kSecond)}, 1);
  EXPECT_EQ(world.pipeline().watermarks().watermark(0), before);
  ASSERT_EQ(world.dead_letters().size(), 1u);
  EXPECT_NE(world.dead_letters()[0].json.find("time_in_future"), std::string::npos);
}

TEST(Time, AClockThatIsALittleAheadPushesNobodys) {
  World world(bundle());
  world.feed({sale("A", kNoon + 4 * kMinute, "", 0, false, kNoon)}, 1);
  EXPECT_EQ(world.pipeline().watermarks().watermark(0), kNoon - 10 * kSecond) << "no further than it arrived, less the lateness";
  EXPECT_TRUE(world.dead_letters().empty());
}

TEST(Time, TheClockNeverGoesBack) {
  World world(bundle());
  world.feed({sale("A", kNoon), note("x", kNoon)}, 1);
  const std::vector<TimeMs> before = world.pipeline().watermarks().clocks();
  world.feed({sale("B", kNoon - kHour), note("y", kNoon - kHour)}, 1);
  world.crash();
  const std::vector<TimeMs>& after = world.pipeline().watermarks().clocks();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_GE(after[i], before[i]);
}

TEST(Time, AnEventOutOfOrderWithdrawsWhatItContradicts) {
  World world(bundle());
  world.feed({sale("B", kNoon + 20 * kSecond, "C"), sale("A", kNoon + 15 * kSecond, "C")}, 1);
  const auto twice = world.of_rule("twice");
  ASSERT_EQ(twice.size(), 1u);
  EXPECT_EQ(twice[0].raised_at, kNoon + 20 * kSecond) << "the later one is the second, in whatever order they came";
}

TEST(Time, RepeatsAreRecognised) {
  World world(bundle());
  world.feed({sale("A", kNoon, "C", 0), sale("A", kNoon, "C", 1)}, 1);
  EXPECT_EQ(status_of(world, "twice"), "none");
  EXPECT_EQ(world.pipeline().ledger().routes.at("twice.sale").repeated, 1u);
}

}  // namespace
}  // namespace tillwatch::engine
