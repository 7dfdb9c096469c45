// Elements of arrays as events, and rules on tables that look back at their own rows: through restarts, repeats, late records
// and a group of members.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/engine/group_world.h"

namespace tillwatch::engine {
namespace {

using testing::HasSubstr;

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

constexpr const char* kSchema = R"(
streams:
  bill:
    topic: bills
    time: posted_at
    id: number
    lateness: 10s
    accept: 1h
    fields:
      number: string
      posted_at: time
      shop: string
      amount: money(amount_minor, currency)
    computed: {large: amount >= 100_00}
  of_large: {from: bill, select: large}
  fee:
    from: of_large
    each: fees
    fields:
      kind: string
      charge: money(minor, currency of amount)
    computed: {costly: charge * 2 > amount}
  deposit: {from: fee, select: kind == "DEPOSIT"}
  word: {from: fee, select: costly, id: [shop, kind]}
  order: {topic: orders, time: made_at, id: number, lateness: 10s, fields: {number: string, made_at: time, shop: string}}
tables:
  price:
    topic: prices
    key: [shop]
    columns: {shop: string, grade: string, least: int, note: string?}
)";

std::string bill(const std::string& number, TimeMs at, const std::string& fees, int64_t amount = 200'00,
                 const std::string& shop = "S") {
  return fmt::format(R"({{"fees":[{}],"number":"{}","posted_at":{},"shop":"{}","amount_minor":{},"currency":"USD"}})", fees,
                     number, at, shop, amount);
}
std::string fee(const std::string& kind, int64_t minor) { return fmt::format(R"({{"kind":"{}","minor":{}}})", kind, minor); }
Fed bill_at(TimeMs at, const std::string& number, const std::string& fees, int64_t amount = 200'00) {
  return {"bills", 0, at, bill(number, at, fees, amount)};
}

World world_of(const std::string& rules) { return World(load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", rules}})); }

std::string counted(const std::string& stream) {
  return "rule: fees\nversion: 1\non: " + stream +
         " as f\nkey: [shop]\nlet:\n  n: count(this over 1h)\n  sum: sum(charge of this over 1h)\n  kinds: distinct(kind of "
         "this over "
         "1h)\nseverity: low\nmessage: {en: \"{n} of {kinds}, {sum:money} of {f.amount:money}\", zh: x}\n";
}

TEST(Elements, AreEventsWithTheFieldsOfTheirRecord) {
  World world = world_of(counted("fee"));
  world.feed({bill_at(kNoon, "B1", fee("A", 100) + "," + fee("A", 100) + "," + fee("DEPOSIT", 29'900)),
              bill_at(kNoon + kSecond, "B2", fee("A", 1), 50'00), bill_at(kNoon + 2 * kSecond, "B3", "")},
             1);
  ASSERT_EQ(world.of_rule("fees").size(), 1u);
  EXPECT_EQ(world.of_rule("fees")[0].message_en, "3 of 2, 301.00 USD of 200.00 USD")
      << "equal ones are two; a small bill is none";
  EXPECT_EQ(world.of_rule("fees")[0].money_minor, 100) << "what is at risk is the fee";
}

TEST(Elements, AViewOfThemAndAnIdentityOfTheirOwn) {
  World deposits = world_of(counted("deposit"));
  World words = world_of(counted("word"));
  for (World* world : {&deposits, &words}) {
    world->feed({bill_at(kNoon, "B1", fee("DEPOSIT", 150'00) + "," + fee("DEPOSIT", 160'00) + "," + fee("A", 1))}, 1);
  }
  EXPECT_THAT(deposits.of_rule("fees")[0].message_en, HasSubstr("2 of 1"));
  EXPECT_THAT(words.of_rule("fees")[0].message_en, HasSubstr("1 of 1")) << "the same shop and kind is a repeat";
}

TEST(Elements, ARecordThatComesAgainIsARepeatOfEach) {
  for (const bool crash : {false, true}) {
    World world = world_of(counted("fee"));
    world.feed({bill_at(kNoon, "B1", fee("A", 1) + "," + fee("B", 2))}, 1);
    if (crash) world.crash();
    world.feed({bill_at(kNoon, "B1", fee("A", 1) + "," + fee("B", 2)), bill_at(kNoon + kMinute, "B2", fee("C", 3))}, 1);
    EXPECT_THAT(world.of_rule("fees")[0].message_en, HasSubstr("3 of 3"));
    const RouteLedger route = world.pipeline().ledger().routes.at("fees.fee");
    EXPECT_EQ(route.repeated, 2u);
    EXPECT_EQ(route.used, 3u);
  }
}

TEST(Elements, AnAbsenceWaitsForTheClockOfTheirRecords) {
  World world = world_of(
      "rule: unbilled\nversion: 1\non: order as o\nkey: [shop]\nthen:\n  - absent: fee\n    where: kind == \"A\"\n    within: "
      "10m\nseverity: low\nmessage: {en: x, zh: x}\n");
  world.feed({{"orders", 0, kNoon, fmt::format(R"({{"number":"O1","made_at":{},"shop":"S"}})", kNoon)},
              {"orders", 0, kNoon + kHour, fmt::format(R"({{"number":"O2","made_at":{},"shop":"T"}})", kNoon + kHour)},
              bill_at(kNoon, "B0", "")},
             1);
  EXPECT_EQ(world.of_rule("unbilled").size(), 0u) << "no bill has been heard of since";
  world.feed({bill_at(kNoon + 5 * kMinute, "B1", fee("B", 1))}, 1);
  world.feed({bill_at(kNoon + kHour, "B2", fee("A", 1))}, 1);
  ASSERT_EQ(world.of_rule("unbilled").size(), 1u);
  EXPECT_EQ(world.of_rule("unbilled")[0].raised_at, kNoon + 10 * kMinute);
}

TEST(Elements, WhatIsWrongWithOneBuriesItsRecordOnlyWhenSomebodyReadsThem) {
  const std::string broken = bill("B1", kNoon, R"({"kind":"A"})");
  World reads = world_of(counted("fee"));
  reads.feed({{"bills", 0, kNoon, broken}}, 1);
  ASSERT_EQ(reads.dead_letters().size(), 1u);
  EXPECT_THAT(reads.dead_letters()[0].json, HasSubstr("fees[].charge"));
  World does_not = world_of("rule: bills\nversion: 1\non: bill as b\nkey: [shop]\nseverity: low\nmessage: {en: x, zh: x}\n");
  does_not.feed({{"bills", 0, kNoon, broken}}, 1);
  EXPECT_EQ(does_not.dead_letters().size(), 0u);
  EXPECT_EQ(does_not.of_rule("bills").size(), 1u);
}

// ---- `this` of a rule on a table

constexpr const char* kGraded =
    "rule: regraded\nversion: 1\non: price as p\nwhere: least > 0\nkey: [shop]\nlet:\n  half: p.least / 2\n  n: count(this "
    "over "
    "1h)\n  grades: distinct(grade of this over 1h)\n  halves: sum(half of this over 1h)\n  before: last(this over 1h)\nwhen: "
    "n >= 2 "
    "and has(before.grade) and before.grade != p.grade\nseverity: low\nresolve:\n  - when: count(this over 1h) == 0\n    "
    "reason: "
    "calm\nmessage: {en: \"{n} of {grades}, {halves}, after {before.grade} with {before.half}, {before.note ?? \\\"-\\\"}\", "
    "zh: x}\n"
    "---\nrule: ordered\nversion: 1\non: order as o\nkey: [shop]\nlet:\n  p: price[o.shop]\nseverity: low\nmessage: {en: "
    "\"{p.grade ?? "
    "\\\"none\\\"}\", zh: x}\n";

Fed price_at(TimeMs at, const std::string& grade, int least, const std::string& shop = "S") {
  return {"prices", 0, at,
          fmt::format(R"({{"shop":"{}","grade":"{}","least":{},"note":"n{}","effective_from":{},"recorded_at":{}}})", shop,
                      grade, least, least, at, at)};
}
Fed order_at(TimeMs at, const std::string& shop = "S") {
  return {"orders", 0, at, fmt::format(R"({{"number":"{}","made_at":{},"shop":"{}"}})", at, at, shop)};
}

TEST(ThisOnATable, IsTheRowsBeforeWithTheirFacts) {
  for (const bool crash : {false, true}) {
    World world = world_of(kGraded);
    world.feed({price_at(kNoon, "a", 10), price_at(kNoon + kMinute, "z", 0), price_at(kNoon + 2 * kMinute, "b", 5)}, 1);
    ASSERT_EQ(world.of_rule("regraded").size(), 1u);
    EXPECT_EQ(world.of_rule("regraded")[0].message_en, "2 of 2, 7.5, after a with 5, n10");
    if (crash) world.crash();
    world.feed({price_at(kNoon + 3 * kMinute, "a", 20), price_at(kNoon + 4 * kMinute, "a", 30, "T")}, 1);
    EXPECT_EQ(world.of_rule("regraded").size(), 1u) << "another shop has no row before";
    EXPECT_EQ(world.of_rule("regraded")[0].message_en, "3 of 2, 17.5, after b with 2.5, n5");
    world.feed({order_at(kNoon + 3 * kHour)}, 1);
    EXPECT_EQ(world.of_rule("regraded")[0].resolution, "calm");
  }
}

// ---- a group comes to the same

std::vector<Fed> mixed_traffic(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  std::vector<Fed> records;
  for (int i = 0; i < 400; ++i) {
    const TimeMs at = kNoon + i * 20 * kSecond;
    const std::string shop = "S" + std::to_string(below(7));
    std::string fees;
    for (uint64_t n = below(4); n > 0; --n) {
      fees += (fees.empty() ? "" : ",") + fee(below(2) == 0 ? "DEPOSIT" : "A", static_cast<int64_t>(1 + below(300'00)));
    }
    const TimeMs late = below(10) == 0 ? static_cast<TimeMs>(below(kHour)) : 0;
    records.push_back(
        {"bills", static_cast<int32_t>(below(3)), at, bill("B" + std::to_string(i), at - late, fees, 200'00, shop)});
    if (below(8) == 0) records.push_back(records[below(records.size())]);
    if (below(5) == 0)
      records.push_back(price_at(at, std::string(1, static_cast<char>('a' + below(3))), static_cast<int>(below(9)), shop));
    if (below(3) == 0) records.push_back(order_at(at, shop));
  }
  return records;
}

TEST(Elements, AGroupOfMembersComesToWhatOneProcessComesTo) {
  const std::string rules =
      counted("fee") + "---\n" + kGraded +
      "---\nrule: unbilled\nversion: 1\non: order as o\nkey: [shop]\nthen:\n  - absent: deposit\n    within: "
      "3m\nseverity: low\nmessage: {en: x, zh: x}\n";
  const auto bundle = load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", rules}});
  const std::vector<Fed> records = mixed_traffic(5);
  const TimeMs end = records.back().arrival + kHour;
  World alone(bundle);
  alone.feed(records, 50);
  alone.run_on_to(end);
  ASSERT_GT(alone.of_rule("fees").size(), 5u);
  ASSERT_GT(alone.of_rule("unbilled").size(), 5u);
  ASSERT_GT(alone.of_rule("regraded").size(), 2u);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    GroupWorld world(bundle, seed);
    world.load(records);
    for (const char* name : {"a", "b", "c"}) world.add_member(name);
    world.run(200, {.kill = 12, .freeze = 25, .lose_answer = 30, .lose_store = 4, .compacts = true});
    ASSERT_TRUE(world.drain() && world.run_on_to(end)) << world.failure();
    EXPECT_EQ(world.standing(), alone.standing()) << "seed " << seed;
    EXPECT_EQ(world.imbalance(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace tillwatch::engine
