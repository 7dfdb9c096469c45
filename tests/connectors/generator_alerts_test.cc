// The truth against the traffic: the naive rules must find what was injected and nothing else.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "connectors/generator.h"
#include "tests/connectors/generator_naive_rules.h"

namespace tillwatch::connectors {
namespace {

using naive::Found;
using naive::found_key;
using naive::Naive;

Found truth_as_found(const std::vector<Injected>& truth) {
  Found found;
  for (const Injected& injected : truth) {
    if (injected.rule != injected.anomaly) continue;  // what follows for other rules
    const auto part = [&](const char* name) { return injected.key.at(name); };
    std::string key;
    if (injected.rule == kDuplicateDebit) {
      key = found_key(injected.rule, {part("card_token"), part("merchant_id"), part("amount_minor")});
      EXPECT_EQ(part("currency"), "CNY");
    } else if (injected.rule == kCodeJump) {
      key = found_key(injected.rule, {part("terminal_key")});
    } else if (injected.rule == kRateChange) {
      key = found_key(injected.rule, {part("merchant_id"), part("card_type"), part("payment_method")});
    } else {
      key = found_key(injected.rule, {part("txn_id")});
    }
    EXPECT_TRUE(found.emplace(key, std::tuple(injected.at, injected.expected_severity, injected.resolution)).second) << key;
    EXPECT_EQ(injected.resolves, !injected.resolution.empty()) << key;
  }
  return found;
}

void expect_same(const Found& found, const Found& truth) {
  for (const auto& [key, value] : truth) {
    ASSERT_TRUE(found.contains(key)) << "not in the traffic: " << key;
    EXPECT_EQ(found.at(key), value) << key;
  }
  for (const auto& [key, value] : found) EXPECT_TRUE(truth.contains(key)) << "an accident: " << key;
}

Naive read(Generator& generator) {
  Naive naive;
  GeneratedRecord record;
  while (generator.next(record)) naive.take(record);
  return naive;
}

TEST(GeneratorAlerts, TwoHundredThousandOrdinaryTransactionsRaiseNone) {
  GeneratorOptions options;
  options.events_per_second = 12;
  Generator generator(options);
  Naive naive = read(generator);
  EXPECT_GE(naive.transactions(), 200'000u);
  EXPECT_GE(naive.debits(), 180'000u);
  EXPECT_TRUE(generator.truth().empty());
  expect_same(naive.alerts(), {});
}

// Far more visits than cards: the accidents that must not happen are as likely as they get.
TEST(GeneratorAlerts, FewCardsAtFewMerchantsRaiseNone) {
  GeneratorOptions options;
  options.start += 11 * kHour;
  options.length = 2 * kHour;
  options.events_per_second = 15;
  options.cards = 60;
  options.merchants = 4;
  options.settlement_delay = kMinute;
  Generator generator(options);
  Naive naive = read(generator);
  EXPECT_GE(naive.debits(), 20'000u);
  expect_same(naive.alerts(), {});
}

class GeneratorTruths : public ::testing::TestWithParam<uint64_t> {};

TEST_P(GeneratorTruths, AreWhatTheRulesFind) {
  GeneratorOptions options;
  options.seed = GetParam();
  options.start += static_cast<DurationMs>(options.seed % 24) * kHour;
  options.length = static_cast<DurationMs>(1 + options.seed % 5) * kHour;
  options.events_per_second = 4;
  options.late_share = options.seed % 2 == 0 ? 0 : 0.02;
  if (options.seed % 3 != 0) options.settlement_delay = 2 * kMinute;
  for (const char* anomaly : {kDuplicateDebit, kCodeJump, kRateChange, kNotifyUnsent}) options.anomalies[anomaly] = 40;
  Generator generator(options);
  Naive naive = read(generator);
  std::map<std::string, int> kinds;
  for (const Injected& injected : generator.truth()) kinds[injected.anomaly] += injected.rule == injected.anomaly ? 1 : 0;
  EXPECT_EQ(kinds,
            (std::map<std::string, int>{{kDuplicateDebit, 40}, {kCodeJump, 40}, {kRateChange, 40}, {kNotifyUnsent, 40}}));
  expect_same(naive.alerts(), truth_as_found(generator.truth()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, GeneratorTruths, ::testing::Range<uint64_t>(1, 7));

// Each way an anomaly can go, and each way it can end, occurs.
TEST(GeneratorAlerts, TruthCoversEverySeverityAndResolution) {
  GeneratorOptions options;
  options.events_per_second = 0.1;
  for (const char* anomaly : {kDuplicateDebit, kCodeJump, kRateChange, kNotifyUnsent}) options.anomalies[anomaly] = 200;
  Generator generator(options);
  GeneratedRecord record;
  while (generator.next(record)) continue;
  std::map<std::string, std::set<std::string>> severities, resolutions;
  for (const Injected& injected : generator.truth()) {
    if (injected.rule != injected.anomaly) continue;
    severities[injected.rule].insert(injected.expected_severity);
    resolutions[injected.rule].insert(injected.resolution);
    EXPECT_FALSE(injected.note.empty());
  }
  using Words = std::set<std::string>;
  EXPECT_EQ(severities[kDuplicateDebit], (Words{"high", "info", "medium"}));
  EXPECT_EQ(severities[kCodeJump], (Words{"critical", "high", "medium"}));
  EXPECT_EQ(severities[kRateChange], (Words{"high", "info"}));
  EXPECT_EQ(severities[kNotifyUnsent], (Words{"critical", "medium"}));
  EXPECT_EQ(resolutions[kDuplicateDebit], (Words{"", "refunded", "reversed", "voided"}));
  EXPECT_EQ(resolutions[kCodeJump], (Words{"", "registry_update"}));
  EXPECT_EQ(resolutions[kRateChange], (Words{"", "recovered", "refunded", "registry_update"}));
  EXPECT_EQ(resolutions[kNotifyUnsent], (Words{"", "late_sms", "reversed", "voided"}));
}

}  // namespace
}  // namespace tillwatch::connectors
