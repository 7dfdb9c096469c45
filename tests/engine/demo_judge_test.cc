// The scorecard finds what is wrong with a run, each way it can be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "engine/demo.h"
#include "engine/rule_bundle.h"

namespace tillwatch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr TimeMs kNoon = 1'795'320'000'000;

connectors::Injected injected(const std::string& rule, const std::string& merchant) {
  connectors::Injected each;
  each.anomaly = each.rule = rule;
  each.key = {{"merchant_id", merchant}};
  each.at = kNoon;
  each.expected_severity = "high";
  each.note = "a note";
  return each;
}

AlertRecord alert(const std::string& id, const std::string& rule, const std::string& merchant) {
  AlertRecord record;
  record.id = id;
  record.rule = rule;
  record.status = "firing";
  record.severity = "high";
  record.raised_at = kNoon;
  record.key = {{"merchant_id", "\"" + merchant + "\""}};
  record.message_en = "what happened";
  record.message_zh = "发生了什么";
  return record;
}

TEST(DemoJudgement, EveryWayToBeWrongIsCounted) {
  Scorecard card;
  card.note(alert("1", "rate-change", "A"));  // right
  AlertRecord other = alert("2", "rate-change", "B");
  other.severity = "low";
  card.note(other);                              // of another severity
  card.note(alert("3", "rate-creep", "C"));      // false: nothing implies it
  card.note(alert("4", "rate-no-notice", "D"));  // false: it has no cause to speak
  card.note(alert("5", "of-ones-own", "E"));     // not judged
  const std::vector<connectors::Injected> truth = {injected("rate-change", "A"), injected("rate-change", "B"),
                                                   injected("code-jump", "Z")};
  const Judgement judgement =
      judge(card, truth, {"rate-change", "rate-creep", "code-jump", "rate-no-notice", "feed-dark", "of-ones-own", "quiet-one"});
  std::vector<std::string> rows;
  for (const ScoreRow& row : judgement.rows) {
    rows.push_back(
        fmt::format("{} {} {} {} {} {}", row.rule, row.injected, row.raised, row.resolved, row.missed, row.false_alerts));
  }
  EXPECT_THAT(rows,
              ElementsAre("rate-change 2 2 0 0 0", "code-jump 1 0 0 1 0", "rate-creep 0 0 0 0 1", "rate-no-notice 0 0 0 0 1"));
  EXPECT_THAT(judgement.silent, ElementsAre("feed-dark"));
  EXPECT_THAT(judgement.not_judged, ElementsAre(Pair("of-ones-own", 1), Pair("quiet-one", 0)));
  EXPECT_EQ(judgement.missed, 1u);
  EXPECT_EQ(judgement.false_alerts, 2u);
  EXPECT_EQ(judgement.wrong, 1u);
  EXPECT_THAT(card.differences(truth, Language::en),
              ElementsAre(HasSubstr("differs: rate-change merchant_id=B is low firing"),
                          HasSubstr("missed: code-jump merchant_id=Z"), HasSubstr("false: rate-creep"),
                          HasSubstr("false: rate-no-notice"), HasSubstr("false in all: rate-creep, high: 1 alert"),
                          HasSubstr("false in all: rate-no-notice, high: 1 alert")));
  EXPECT_THAT(card.differences(truth, Language::zh),
              ElementsAre(HasSubstr("不符：rate-change merchant_id=B"), HasSubstr("漏报：code-jump merchant_id=Z"),
                          HasSubstr("误报：rate-creep"), HasSubstr("误报：rate-no-notice"), HasSubstr("误报合计：rate-creep"),
                          HasSubstr("误报合计：rate-no-notice")));
}

// Of a rule that missed, or said otherwise, because a record came beyond the lateness.
TEST(DemoJudgement, WhatCameBeyondTheLatenessIsNoMistake) {
  Scorecard card;
  AlertRecord other = alert("1", "rate-change", "A");
  other.severity = "low";
  card.note(other);
  std::vector<connectors::Injected> truth = {injected("rate-change", "A"), injected("rate-change", "B")};
  for (connectors::Injected& each : truth) each.late = true;
  const Judgement judgement = judge(card, truth, {"rate-change"});
  EXPECT_EQ(judgement.missed + judgement.wrong + judgement.false_alerts, 0u);
  EXPECT_EQ(judgement.late, 2u);
  EXPECT_THAT(card.differences(truth, Language::en),
              ElementsAre(HasSubstr("late: rate-change merchant_id=A"), HasSubstr("late: rate-change merchant_id=B")));
  EXPECT_THAT(card.differences(truth, Language::zh), ElementsAre(HasSubstr("迟到："), HasSubstr("迟到：")));
}

TEST(DemoJudgement, WhatEndsAfterTheEndMustStand) {
  connectors::Injected ends = injected("rate-change", "A");
  ends.resolves = true;
  ends.resolution = "recovered";
  ends.resolves_at = kNoon + kHour;
  AlertRecord ended = alert("1", "rate-change", "A");
  ended.status = "resolved";
  ended.resolution = "recovered";
  struct Row {
    TimeMs until;
    bool ended;
    bool right;
  };
  const Row rows[] = {{kNoon + 50 * kMinute, false, true}, {kNoon + 50 * kMinute, true, false},
                      {kNoon + 70 * kMinute, true, true},  {kNoon + 70 * kMinute, false, false},
                      {kNoon + kHour, true, true},         {kNoon + kHour, false, true}};
  for (const Row& row : rows) {
    Scorecard card;
    card.note(row.ended ? ended : alert("1", "rate-change", "A"));
    card.reach(row.until);
    EXPECT_EQ(card.compare({ends}).front().wrong, row.right ? 0u : 1u) << format_rfc3339(row.until) << row.ended;
  }
}

TEST(DemoJudgement, EveryLiveRuleOfThePackIsJudged) {
  RuleBundleReport report;
  std::ostringstream out;
  const auto bundle = load_rule_bundle({TILLWATCH_SOURCE_DIR "/rules/packs/payments"}, false, out, report);
  ASSERT_TRUE(bundle) << out.str();
  std::set<std::string> speaking;
  for (const auto& rule : bundle->rules) {
    if (!rule->source->message_en.empty()) speaking.insert(rule->name);
  }
  std::set<std::string> made_to_speak;
  for (const connectors::Anomaly& anomaly : connectors::anomalies()) {
    for (const std::string& rule : anomaly.rules) EXPECT_TRUE(speaking.contains(rule)) << anomaly.name << " tells of " << rule;
    made_to_speak.insert(anomaly.rules.begin(), anomaly.rules.end());
  }
  std::vector<std::string> never;
  std::ranges::set_difference(speaking, made_to_speak, std::back_inserter(never));
  EXPECT_THAT(never, ElementsAre("sms-api-spike", "sms-channel-drop")) << "no anomaly makes them speak";
  never.insert(never.begin(), "feed-dark");  // the engine's own
  EXPECT_EQ(rules_without_cause(), never);
}

}  // namespace
}  // namespace tillwatch::engine
