// The generator's parts by themselves: fees, randomness, JSON, memory of what was seen.
#include <gtest/gtest.h>

#include <string>

#include "connectors/generator_agenda.h"
#include "connectors/generator_fee.h"
#include "connectors/generator_json.h"
#include "connectors/generator_random.h"
#include "connectors/generator_recent.h"
#include "engine/base/time.h"

namespace tillwatch::connectors::generation {
namespace {

TEST(GeneratorFee, FollowsTheFixturesOfTheDomain) {
  constexpr Price kCredit = {.rate_ppm = 6000};
  constexpr Price kDebit = {.rate_ppm = 5000, .cap_minor = 2000};
  constexpr Price kTiered = {.rate_ppm = 6000, .upto_minor = 100'000, .tier_rate_ppm = 3800};
  struct Row {
    const char* name;
    Price price;
    int64_t amount_minor;
    int64_t fee_minor;
  };
  const Row rows[] = {
      {"30,580.00 at 63 bp", {.rate_ppm = 6300}, 3'058'000, 19'265},
      {"30,580.00 at 299 bp", {.rate_ppm = 29'900}, 3'058'000, 91'434},
      {"E44: and 3 yuan flat", {.rate_ppm = 29'900, .flat_minor = 300}, 3'058'000, 91'734},
      {"E42: 10,000 yuan, capped", kDebit, 1'000'000, 2000},
      {"just under the cap", kDebit, 399'800, 1999},
      {"E43: 1 yuan", kCredit, 100, 1},
      {"half up: 0.498 fen", kCredit, 83, 0},
      {"half up: 0.504 fen", kCredit, 84, 1},
      {"half up: exactly half a fen", {.rate_ppm = 5000}, 100, 1},
      {"E45: 100 yuan at 60 bp", kCredit, 10'000, 60},
      {"E45: 100 yuan at 63 bp", {.rate_ppm = 6300}, 10'000, 63},
      {"E45b: 30 yuan at 60 bp", kCredit, 3000, 18},
      {"E45b: 30 yuan at 63 bp", {.rate_ppm = 6300}, 3000, 19},
      {"E46: the last of the tier", kTiered, 100'000, 380},
      {"E46: the first above it", kTiered, 100'001, 600},
      {"3.25 bp", {.rate_ppm = 325}, 1'000'000, 325},
      {"nothing", kCredit, 0, 0},
  };
  for (const Row& row : rows) EXPECT_EQ(fee_of(row.price, row.amount_minor), row.fee_minor) << row.name;
}

TEST(GeneratorFee, ContractTellsProductsApart) {
  Contract contract;
  contract.credit.rate_ppm = 1;
  contract.debit.rate_ppm = 2;
  contract.qr_credit.rate_ppm = 3;
  contract.qr_debit.rate_ppm = 4;
  EXPECT_EQ(contract.price(true, false).rate_ppm, 1);
  EXPECT_EQ(contract.price(false, false).rate_ppm, 2);
  EXPECT_EQ(contract.price(true, true).rate_ppm, 3);
  EXPECT_EQ(contract.price(false, true).rate_ppm, 4);
}

TEST(GeneratorRandom, DistributionsHaveTheirMeans) {
  Random random(7, 1);
  int64_t normal = 0, normal_squares = 0, exponential = 0, chances = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const int64_t draw = random.normal_q16();
    normal += draw;
    normal_squares += (draw * draw) >> 16;
    const int64_t gap = random.exponential_q16();
    EXPECT_GE(gap, 0);
    exponential += gap;
    chances += random.chance(20'000) ? 1 : 0;
    const int64_t between = random.between(-3, 3);
    EXPECT_TRUE(-3 <= between && between <= 3);
    EXPECT_LT(random.below(10), 10u);
  }
  EXPECT_NEAR(static_cast<double>(normal) / kDraws / 65536, 0, 0.01);
  EXPECT_NEAR(static_cast<double>(normal_squares) / kDraws / 65536, 1, 0.02);
  EXPECT_NEAR(static_cast<double>(exponential) / kDraws / 65536, 1, 0.01);
  EXPECT_NEAR(static_cast<double>(chances) / kDraws, 0.02, 0.002);
  EXPECT_EQ(random.between(5, 5), 5);
  EXPECT_EQ(random.between(5, 4), 5);
}

TEST(GeneratorRandom, StreamsOfOneSeedDiffer) {
  EXPECT_NE(Random(1, 1).next(), Random(1, 2).next());
  EXPECT_EQ(Random(1, 1).next(), Random(1, 1).next());
}

TEST(GeneratorRandom, PowersOfTwoAreExactAtWholeExponents) {
  EXPECT_EQ(scale_by_power_of_two(1000, 0), 1000);
  EXPECT_EQ(scale_by_power_of_two(1000, 3 << 16), 8000);
  EXPECT_EQ(scale_by_power_of_two(1000, -(2 << 16)), 250);
  EXPECT_NEAR(static_cast<double>(scale_by_power_of_two(1'000'000, 1 << 15)), 1'414'214, 5000);
}

TEST(GeneratorJson, WritesEveryKindOfField) {
  std::string out;
  JsonObject json(out);
  json.text("text", "a\"b\\c\n");
  json.number("number", -12);
  json.decimal("rate", 325, 2);
  json.decimal("whole", 6000, 2);
  json.decimal("negative", -5, 1);
  json.boolean("yes", true);
  json.null("none");
  json.padded("padded", 42, 6);
  json.begin_object("object");
  json.end_object();
  json.begin_array("array");
  json.element("x");
  json.begin_element();
  json.number("n", 1);
  json.end_object();
  json.end_array();
  json.date("date", 1'795'276'800'000);
  json.finish();
  EXPECT_EQ(out, R"({"text":"a\"b\\c\u000a","number":-12,"rate":3.25,"whole":60,"negative":-0.5,"yes":true,"none":null,)"
                 R"("padded":"000042","object":{},"array":["x",{"n":1}],"date":"2026-11-22"})");
}

TEST(GeneratorJson, TimesAgreeWithTheEngines) {
  for (const TimeMs time : {TimeMs{0}, TimeMs{1}, TimeMs{951'782'399'999}, TimeMs{1'709'222'400'000}, TimeMs{1'795'276'800'000},
                            TimeMs{1'798'732'799'999}, TimeMs{4'102'444'800'000}}) {
    std::string text;
    append_time(text, time);
    EXPECT_EQ(parse_rfc3339(text), time) << text;
  }
  EXPECT_EQ(local_midnight(1'795'276'800'000), 1'795'276'800'000);
  EXPECT_EQ(local_midnight(1'795'276'799'999), 1'795'276'800'000 - kDay);
  EXPECT_EQ(local_midnight(-1), -kLocalOffset);
}

TEST(GeneratorRecent, NeverForgetsWithinTheHour) {
  Recent recent(1000);
  for (TimeMs minute = 0; minute < 600; ++minute) {
    recent.turn(minute * kMinute);
    recent.add(static_cast<uint64_t>(minute));
    for (TimeMs back = 0; back <= 60 && back <= minute; ++back) EXPECT_TRUE(recent.has(static_cast<uint64_t>(minute - back)));
  }
}

TEST(GeneratorRecent, ForgetsInTheEnd) {
  Recent recent(1000);
  recent.turn(0);
  recent.add(1);
  recent.turn(3 * kHour);
  EXPECT_FALSE(recent.has(1));
  recent.add(1);
  recent.turn(6 * kHour);
  recent.turn(9 * kHour);
  EXPECT_FALSE(recent.has(1));
}

TEST(GeneratorAgenda, DoesTheEarliestFirstAndTiesInOrder) {
  Agenda agenda;
  std::string done;
  EXPECT_EQ(agenda.next_time(), kAfterAllTime);
  agenda.at(20, [&](TimeMs) { done += 'c'; });
  agenda.at(10, [&](TimeMs at) {
    done += 'a';
    agenda.at(at + 5, [&](TimeMs) { done += 'b'; });
  });
  agenda.at(20, [&](TimeMs) { done += 'd'; });
  while (agenda.next_time() != kAfterAllTime) agenda.do_next();
  EXPECT_EQ(done, "abcd");
}

}  // namespace
}  // namespace tillwatch::connectors::generation
