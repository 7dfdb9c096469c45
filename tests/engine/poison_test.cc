// Records that make processing fail: each is tried again by itself, left out, and reported once, in every mode; all else goes
// on as if it had not been there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connectors/memory_sink.h"
#include "connectors/memory_source.h"
#include "engine/runner.h"
#include "tests/e2e/traffic.h"
#include "tests/engine/group_world.h"

namespace tillwatch::engine {
namespace {

using connectors::MemorySink;
using connectors::MemorySource;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00
constexpr int kSales = 60;
constexpr int kBad = 31;  // a sale of the card c1, as 1 and 11 are

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
    fields: {id: string, happened_at: time @ "at", sale: string}
)";
constexpr const char* kAgain = R"(
rule: again
version: 1
title: {en: Again, zh: 再次}
on: sale as s
key: [card]
when: count(this over 1h) >= 5
severity: high
message: {en: "{s.card} again", zh: "{s.card} 再次"}
)";
constexpr const char* kUntold = R"(
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
message: {en: "{s.id} untold", zh: "{s.id} 未告知"}
)";

std::shared_ptr<rules::CompiledBundle> load() {
  return std::const_pointer_cast<rules::CompiledBundle>(
      load_rule_texts({{"schema.yaml", kSchema}, {"again.yaml", kAgain}, {"untold.yaml", kUntold}}));
}

// `hole`: in place of this sale there is a record of no kind.
std::vector<Fed> sales(int hole = -1) {
  std::vector<Fed> records;
  for (int i = 0; i < kSales; ++i) {
    const TimeMs at = kNoon + i * kSecond;
    const std::string json =
        i == hole ? "{" : fmt::format(R"({{"id":"s{}","at":"{}","card":"c{}"}})", i, format_rfc3339(at), i % 10);
    records.push_back({"sales", 0, at, json});
  }
  records.push_back({"notes", 0, kNoon, fmt::format(R"({{"id":"n","at":"{}","sale":"s7"}})", format_rfc3339(kNoon))});
  return records;
}

struct Said {
  tests::Standing standing;
  std::vector<std::string> letters;
};

// One process from start to end.
Said live(const std::shared_ptr<const rules::CompiledBundle>& bundle, MemorySink::Kind kind, int hole = -1) {
  MemorySink sink(kind);
  MemorySource source({{"sales", 0}, {"notes", 0}});
  for (const Fed& each : sales(hole)) source.push(each.topic == "sales" ? 0 : 1, each.arrival, each.json);
  source.finish_all();
  const auto store = state::make_memory_store();
  RunnerOptions options;
  options.max_records = 25;
  options.retry_after = std::chrono::milliseconds(0);
  options.run_on = kHour;
  if (sink.decides()) options.group = "tillwatch";
  Runner runner(bundle, options, source, sink, *store);
  const std::atomic<bool> never = false;
  Status status = runner.recover();
  if (status) status = runner.run(never);
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_TRUE(runner.pipeline().ledger().balanced());
  std::string lines;
  for (const std::string& value : sink.values("alerts")) lines += value + "\n";
  return {tests::standing_of(lines), sink.values("dead-letter")};
}

class PoisonedRecord : public testing::TestWithParam<MemorySink::Kind> {};

TEST_P(PoisonedRecord, IsLeftOutOfTheRuleThatCannotBearIt) {
  const Said without = live(load(), GetParam(), kBad);
  ASSERT_GT(without.standing.size(), 10u);
  const auto bundle = load();
  int asked = 0;
  bundle->faults.work = [&](int rule, std::string_view, const rules::Event* event) {
    if (rule < 0 || event == nullptr || event->origin.offset != kBad ||
        bundle->rules[static_cast<size_t>(rule)]->name != "again")
      return;
    ++asked;
    throw std::runtime_error("planted");
  };
  const Said with = live(bundle, GetParam());
  EXPECT_EQ(asked, 3) << "once with its batch, twice by itself";
  ASSERT_EQ(with.letters.size(), 1u);
  EXPECT_THAT(with.letters[0], AllOf(HasSubstr(R"("reason":"processing_failed")"), HasSubstr(R"("detail":"planted")"),
                                     HasSubstr(R"("rule":"again")"), HasSubstr(R"("card":"c1")"),
                                     HasSubstr(R"("topic":"sales","partition":0,"offset":31)")));
  tests::Standing wanted = live(load(), GetParam()).standing;  // what the other rule says of it stands
  std::erase_if(wanted, [](const auto& each) { return each.second.find("\"again\"") != std::string::npos; });
  for (const auto& each : without.standing) {
    if (each.second.find("\"again\"") != std::string::npos) wanted.insert(each);
  }
  EXPECT_EQ(tests::differences(wanted, with.standing), "");
}

TEST_P(PoisonedRecord, IsLeftOutWhereItCannotEvenBeRouted) {
  const Said without = live(load(), GetParam(), kBad);
  const auto bundle = load();
  bundle->faults.work = [](int rule, std::string_view, const rules::Event* event) {
    if (rule < 0 && event->origin.offset == kBad) TILLWATCH_CHECK(event->origin.offset != kBad);
  };
  const Said with = live(bundle, GetParam());
  ASSERT_EQ(with.letters.size(), 1u);
  EXPECT_THAT(with.letters[0], AllOf(HasSubstr(R"("reason":"processing_failed")"), HasSubstr("poison_test.cc"),
                                     HasSubstr(R"("offset":31)"), HasSubstr("excerpt")));
  EXPECT_EQ(tests::differences(without.standing, with.standing), "");
}

TEST_P(PoisonedRecord, IsNoneWhenItOnlyFailsOnce) {
  const Said undisturbed = live(load(), GetParam());
  const auto bundle = load();
  int failures = 0;
  bundle->faults.work = [&](int rule, std::string_view, const rules::Event* event) {
    if (rule < 0 || event == nullptr || event->origin.offset != kBad || failures > 0) return;
    ++failures;
    throw std::bad_alloc();
  };
  const Said with = live(bundle, GetParam());
  EXPECT_EQ(failures, 1);
  EXPECT_TRUE(with.letters.empty()) << with.letters[0];
  EXPECT_EQ(tests::differences(undisturbed.standing, with.standing), "");
}

TEST_P(PoisonedRecord, ManyOfThemAreAllFound) {
  const auto bundle = load();
  bundle->faults.work = [](int rule, std::string_view, const rules::Event* event) {
    if (rule >= 0 && event != nullptr && event->origin.offset % 3 == 0 && event->origin.input == 0)
      throw std::runtime_error("planted");
  };
  EXPECT_EQ(live(bundle, GetParam()).letters.size(), 2u * kSales / 3) << "of two rules each";
}

INSTANTIATE_TEST_SUITE_P(Kinds, PoisonedRecord, testing::Values(MemorySink::Kind::decides, MemorySink::Kind::follows),
                         [](const auto& kind) {
                           return kind.param == MemorySink::Kind::decides ? "SinkDecides" : "StoreDecides";
                         });

std::vector<std::string> letters_of(GroupWorld& world) {
  std::vector<std::string> letters;
  for (const auto& [key, value] : world.broker().committed_records("dead-letter")) letters.push_back(value);
  return letters;
}

// A key that fails when its time comes is said to do so once, and the others go on.
TEST(PoisonedKey, SleepsUntilItsNextEvent) {
  const auto bundle = load();
  bool armed = false;
  int asked = 0;
  bundle->faults.work = [&](int rule, std::string_view key, const rules::Event* event) {
    if (!armed || rule < 0 || event != nullptr || key.find("s8") == std::string_view::npos) return;
    ++asked;
    throw std::runtime_error("planted");
  };
  GroupWorld world(bundle, 1);
  world.load(sales());
  for (const char* name : {"a", "b"}) world.add_member(name);
  ASSERT_TRUE(world.drain()) << world.failure();
  armed = true;
  ASSERT_TRUE(world.run_on_to(kNoon + kHour)) << world.failure();
  ASSERT_TRUE(world.run_on_to(kNoon + 2 * kHour)) << world.failure();
  EXPECT_EQ(world.failure(), "");
  EXPECT_EQ(asked, 3);
  const std::vector<std::string> letters = letters_of(world);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_THAT(letters[0], AllOf(HasSubstr(R"("reason":"key_failed")"), HasSubstr(R"("rule":"untold","key":{"id":"s8"})"),
                                Not(HasSubstr("offset"))));
  int untold = 0;
  for (const auto& [id, alert] : world.standing()) untold += alert.find("untold") != std::string::npos;
  EXPECT_EQ(untold, kSales - 2) << "s7 was told of, s8 sleeps";
}

// With members that are killed, frozen and left without answers: each letter is there once, and nothing else is missing.
TEST(PoisonedSimulation, MembersLeaveOutTheSameWhateverHappens) {
  const auto bundle = load();
  bundle->faults.work = [](int rule, std::string_view key, const rules::Event* event) {
    if (rule >= 0 && event != nullptr && key.find("s4") != std::string_view::npos) throw std::runtime_error("planted");
  };
  tests::Standing wanted;
  World alone(load());
  alone.feed(sales(), 20);
  alone.run_on_to(kNoon + kHour);
  for (const auto& [id, alert] : alone.standing()) {
    if (alert.find("\"untold\"") == std::string::npos || alert.find("\"s4") == std::string::npos) wanted[id] = alert;
  }
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GroupWorld world(bundle, seed);
    world.load(sales());
    for (const char* name : {"a", "b", "c"}) world.add_member(name);
    world.run(150, {.kill = 12, .freeze = 25, .lose_answer = 30, .lose_store = 4, .compacts = true});
    ASSERT_TRUE(world.drain()) << world.failure();
    ASSERT_TRUE(world.run_on_to(kNoon + kHour)) << world.failure();
    EXPECT_EQ(world.failure(), "");
    EXPECT_EQ(tests::differences(wanted, world.standing()), "");
    EXPECT_EQ(world.imbalance(), "");
    std::set<std::string> offsets;
    const std::vector<std::string> letters = letters_of(world);
    for (const std::string& letter : letters) offsets.insert(letter.substr(letter.find("\"offset\":"), 12));
    EXPECT_EQ(letters.size(), 11u) << "s4 and s40 to s49";
    EXPECT_EQ(offsets.size(), letters.size());
  }
}

}  // namespace
}  // namespace tillwatch::engine
