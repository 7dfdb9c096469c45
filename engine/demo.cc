#include "engine/demo.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/demo_words.h"

namespace tillwatch::engine {
namespace {

std::string unquoted(const std::string& json) {
  return json.size() >= 2 && json.front() == '"' ? json.substr(1, json.size() - 2) : json;
}

bool same_key(const connectors::Injected& injected, const AlertRecord& alert) {
  return std::all_of(injected.key.begin(), injected.key.end(), [&](const auto& wanted) {
    return std::any_of(alert.key.begin(), alert.key.end(),
                       [&](const auto& part) { return part.first == wanted.first && unquoted(part.second) == wanted.second; });
  });
}

bool as_told(const connectors::Injected& injected, const AlertRecord& alert) {
  if (!injected.resolves) return alert.resolution.empty();
  return alert.resolution == injected.resolution;
}

}  // namespace

void Scorecard::note(const AlertRecord& alert) {
  if (alert.resolution == "corrected") {
    alerts_.erase(alert.id);
  } else {
    alerts_[alert.id] = alert;
  }
}

uint64_t Scorecard::standing() const { return alerts_.size(); }

// Each injected anomaly takes the alert of its key that was raised nearest to the time the truth gives.
std::vector<Scorecard::Matched> Scorecard::match(const std::vector<connectors::Injected>& truth,
                                                 std::vector<const AlertRecord*>& unexplained) const {
  std::vector<Matched> matched;
  std::set<const AlertRecord*> taken;
  std::map<std::string, std::vector<const AlertRecord*>> by_rule;
  for (const auto& [id, alert] : alerts_) by_rule[alert.rule].push_back(&alert);
  for (const connectors::Injected& injected : truth) {
    const AlertRecord* best = nullptr;
    for (const AlertRecord* alert : by_rule[injected.rule]) {
      if (taken.contains(alert) || !same_key(injected, *alert)) continue;
      if (best == nullptr || std::abs(alert->raised_at - injected.at) < std::abs(best->raised_at - injected.at)) best = alert;
    }
    if (best != nullptr) taken.insert(best);
    matched.push_back({&injected, best});
  }
  for (const auto& [id, alert] : alerts_) {
    if (!taken.contains(&alert)) unexplained.push_back(&alert);
  }
  return matched;
}

std::vector<Score> Scorecard::compare(const std::vector<connectors::Injected>& truth) const {
  std::map<std::string, Score> scores;
  std::vector<const AlertRecord*> unexplained;
  for (const Matched& each : match(truth, unexplained)) {
    Score& score = scores[each.injected->rule];
    ++score.injected;
    score.to_resolve += each.injected->resolves;
    if (each.alert == nullptr) {
      ++score.missed;
      continue;
    }
    ++score.raised;
    const bool right = as_told(*each.injected, *each.alert);
    score.resolved += each.injected->resolves && right;
    score.wrong += !right || each.alert->severity != each.injected->expected_severity;
  }
  for (const AlertRecord* alert : unexplained) ++scores[alert->rule].false_alerts;
  std::vector<Score> result;
  for (auto& [rule, score] : scores) {
    score.rule = rule;
    result.push_back(score);
  }
  return result;
}

std::vector<std::string> Scorecard::differences(const std::vector<connectors::Injected>& truth, Language language) const {
  const DemoWords words(language);
  std::vector<std::string> lines;
  std::vector<const AlertRecord*> unexplained;
  for (const Matched& each : match(truth, unexplained)) {
    const connectors::Injected& injected = *each.injected;
    std::string what = injected.rule;
    for (const auto& [field, value] : injected.key) what += fmt::format(" {}={}", field, value);
    if (each.alert == nullptr) {
      lines.push_back(words.missed(what, injected.at, injected.note));
    } else if (!as_told(injected, *each.alert) || each.alert->severity != injected.expected_severity) {
      lines.push_back(words.differs(
          what, fmt::format("{} {} {}", each.alert->severity, each.alert->status, each.alert->resolution),
          fmt::format("{} {}", injected.expected_severity, injected.resolves ? injected.resolution : words.standing()),
          injected.note));
    }
  }
  for (const AlertRecord* alert : unexplained) {
    if (!is_judged(alert->rule)) continue;
    lines.push_back(
        words.false_alert(alert->rule, alert->raised_at, language == Language::zh ? alert->message_zh : alert->message_en));
  }
  return lines;
}

bool is_judged(const std::string& rule) {
  // Those of the truth; then those that neither ordinary traffic nor what is injected gives cause to speak.
  constexpr std::string_view kJudged[] = {connectors::kDuplicateDebit,
                                          connectors::kCodeJump,
                                          connectors::kRateChange,
                                          connectors::kNotifyUnsent,
                                          connectors::kRateCreep,
                                          "duplicate-debit-watch",
                                          "rate-no-notice",
                                          "notify-unsent-merchant",
                                          "feed-dark"};
  return std::ranges::find(kJudged, rule) != std::end(kJudged);
}

Judgement judge(const Scorecard& card, const std::vector<connectors::Injected>& truth,
                const std::vector<std::string>& speaking) {
  Judgement judgement;
  std::map<std::string, Score> scores;
  for (const std::string& rule : speaking) scores[rule].rule = rule;
  for (const Score& score : card.compare(truth)) scores[score.rule] = score;
  for (const auto& [rule, score] : scores) {
    if (!is_judged(rule)) {
      judgement.not_judged.emplace_back(rule, score.false_alerts);
      continue;
    }
    judgement.rows.push_back({rule, score.injected, score.raised, score.resolved, score.missed, score.false_alerts});
    judgement.missed += score.missed;
    judgement.false_alerts += score.false_alerts;
    judgement.wrong += score.wrong;
  }
  std::ranges::stable_partition(judgement.rows, [](const ScoreRow& row) { return row.injected > 0; });
  return judgement;
}

}  // namespace tillwatch::engine
