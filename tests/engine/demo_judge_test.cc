// The scorecard finds what is wrong with a run, each way it can be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/demo.h"

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
      judge(card, truth, {"rate-change", "rate-creep", "code-jump", "rate-no-notice", "of-ones-own", "quiet-one"});
  std::vector<std::string> rows;
  for (const ScoreRow& row : judgement.rows) {
    rows.push_back(
        fmt::format("{} {} {} {} {} {}", row.rule, row.injected, row.raised, row.resolved, row.missed, row.false_alerts));
  }
  EXPECT_THAT(rows,
              ElementsAre("code-jump 1 0 0 1 0", "rate-change 2 2 0 0 0", "rate-creep 0 0 0 0 1", "rate-no-notice 0 0 0 0 1"));
  EXPECT_THAT(judgement.not_judged, ElementsAre(Pair("of-ones-own", 1), Pair("quiet-one", 0)));
  EXPECT_EQ(judgement.missed, 1u);
  EXPECT_EQ(judgement.false_alerts, 2u);
  EXPECT_EQ(judgement.wrong, 1u);
  EXPECT_THAT(
      card.differences(truth, Language::en),
      ElementsAre(HasSubstr("differs: rate-change merchant_id=B is low firing"), HasSubstr("missed: code-jump merchant_id=Z"),
                  HasSubstr("false: rate-creep"), HasSubstr("false: rate-no-notice")));
  EXPECT_THAT(card.differences(truth, Language::zh),
              ElementsAre(HasSubstr("不符：rate-change merchant_id=B"), HasSubstr("漏报：code-jump merchant_id=Z"),
                          HasSubstr("误报：rate-creep"), HasSubstr("误报：rate-no-notice")));
}

}  // namespace
}  // namespace tillwatch::engine
