// What a rule makes of one sale among many, and how often it is asked for that.
#include "engine/rule_verdict.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

constexpr const char* kSchema = R"(streams:
  sale:
    topic: sales
    time: sold_at
    id: [number]
    fields: {number: string, sold_at: time, card: string, shop: string, amount: int}
  slip:
    topic: slips
    time: printed_at
    id: [number]
    fields: {number: string, printed_at: time}
)";
constexpr const char* kBigSale = R"(rule: big-sale
version: 1
on: sale as s
key: [shop]
when: s.amount > 100
quiet: 0s
severity: low
resolve:
  - after: 1h
message: {en: "{s.number}", zh: "{s.number}"}
)";
constexpr const char* kNoSlip = R"(rule: no-slip
version: 1
on: sale as s
key: [number]
then:
  - absent: slip
    within: 2m
severity: low
message: {en: "{s.number}", zh: "{s.number}"}
)";
constexpr TimeMs kNoon = 1795320000000;

// Sales of one shop, ten minutes apart; the one at `own` is asked about.
Subject sales(const std::vector<int>& amounts, size_t own) {
  Subject subject;
  subject.id = fmt::format("n-{}", own);
  for (size_t i = 0; i < amounts.size(); ++i) {
    RelatedRecord sale;
    sale.topic = "sales";
    sale.event_time = kNoon + static_cast<TimeMs>(i) * 10 * kMinute;
    sale.json = fmt::format(R"({{"number":"n-{}","sold_at":{},"card":"c-1","shop":"s-1","amount":{}}})", i, sale.event_time,
                            amounts[i]);
    sale.stream = 0;
    subject.records.push_back(sale);
    subject.own.push_back(i == own);
  }
  subject.until = subject.records.back().event_time;
  return subject;
}

const CaseRunner kRun = [](const auto& bundle, const RuleCase& test, const std::string& rule) {
  return run_case(bundle, test, rule);
};

RuleVerdict ask(const Subject& subject, const char* rule_text) {
  const auto verdicts = verdicts_on(subject, load_rule_texts({{"schema.yaml", kSchema}, {"rule.yaml", rule_text}}), kRun);
  EXPECT_TRUE(verdicts.has_value());
  EXPECT_EQ(verdicts->size(), 1u);
  return verdicts->front();
}

// It ran the case again for every rule and every record: minutes for a transaction of a busy merchant.
TEST(RuleVerdict, TheCaseRunsOnceHoweverManyRecordsAndRulesThereAre) {
  const auto bundle = load_rule_texts({{"schema.yaml", kSchema}, {"big.yaml", kBigSale}, {"slip.yaml", kNoSlip}});
  for (const size_t records : {1u, 40u}) {
    size_t runs = 0, steps = 0;
    const CaseRunner counting = [&](const auto& of, const RuleCase& test, const std::string& rule) {
      ++runs;
      steps += test.steps.size();
      return run_case(of, test, rule);
    };
    const auto verdicts = verdicts_on(sales(std::vector<int>(records, 50), 0), bundle, counting);
    ASSERT_TRUE(verdicts.has_value());
    EXPECT_EQ(verdicts->size(), 2u);
    EXPECT_EQ(runs, 1u);
    EXPECT_EQ(steps, records);
  }
}

TEST(RuleVerdict, AlertsOfOtherSalesOfTheShopAreCountedOnly) {
  const RuleVerdict verdict = ask(sales({50, 200, 300, 400, 500}, 2), kBigSale);
  ASSERT_FALSE(verdict.said.empty());
  for (const Transition& each : verdict.said) EXPECT_EQ(each.alert.message_en, "n-2");
  ASSERT_EQ(verdict.others.size(), 1u);
  EXPECT_EQ(verdict.others[0].key, "shop s-1");
  EXPECT_EQ(verdict.others[0].alerts, 3u);
  EXPECT_TRUE(verdict.stops.empty()) << "what stopped the first sale is not asked for";
}

TEST(RuleVerdict, WhatStoppedTheSaleItselfIsTold) {
  const RuleVerdict verdict = ask(sales({200, 50, 300}, 1), kBigSale);
  EXPECT_TRUE(verdict.said.empty());
  ASSERT_EQ(verdict.stops.size(), 1u);
  EXPECT_EQ(verdict.stops[0].what, "when");
  EXPECT_EQ(verdict.stops[0].topic, "sales");
  EXPECT_EQ(verdict.stops[0].offset, 1);
}

TEST(RuleVerdict, WhatIsDecidedAfterTheEndOfTheFilesIsAwaited) {
  Subject subject = sales({50, 50}, 1);
  RuleVerdict verdict = ask(subject, kNoSlip);
  EXPECT_TRUE(verdict.said.empty());
  ASSERT_EQ(verdict.awaited.size(), 1u);
  EXPECT_EQ(verdict.awaited[0].at, subject.until + 2 * kMinute);
  subject.until += 10 * kMinute;  // other records of the files are later
  verdict = ask(subject, kNoSlip);
  EXPECT_EQ(verdict.said.size(), 1u);
  EXPECT_TRUE(verdict.awaited.empty());
}

// The stop comes with another record than the trigger's.
TEST(RuleVerdict, AStepThatEndsLaterIsOfTheTriggerThatWaited) {
  Subject subject = sales({50, 50}, 0);
  const auto with_slip = [&](const std::string& number) {
    Subject changed = subject;
    RelatedRecord slip;
    slip.topic = "slips";
    slip.event_time = kNoon + kMinute;
    slip.json = fmt::format(R"({{"number":"{}","printed_at":{}}})", number, slip.event_time);
    slip.stream = 1;
    changed.records.insert(changed.records.begin() + 1, slip);
    changed.own.insert(changed.own.begin() + 1, false);
    return ask(changed, kNoSlip);
  };
  const RuleVerdict printed = with_slip("n-0");
  ASSERT_EQ(printed.stops.size(), 1u);
  EXPECT_EQ(printed.stops[0].what, "then 1");
  EXPECT_EQ(printed.stops[0].offset, 0);
  EXPECT_TRUE(with_slip("n-9").stops.empty());
}

}  // namespace
}  // namespace tillwatch::engine
