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

}  // namespace

void Scorecard::note(const AlertRecord& alert) {
  if (alert.resolution == "corrected") {
    alerts_.erase(alert.id);
  } else {
    alerts_[alert.id] = alert;
  }
}

// What ends within a minute of the end may go either way: the clocks of streams differ by as much.
bool Scorecard::as_told(const connectors::Injected& injected, const AlertRecord& alert) const {
  const bool standing = alert.resolution.empty();
  if (!injected.resolves) return standing;
  const bool known = injected.resolves_at != 0;
  if (known && injected.resolves_at - kMinute > until_) return standing;
  if (known && injected.resolves_at + kMinute > until_ && standing) return true;
  return alert.resolution == injected.resolution;
}

bool Scorecard::is_right(const Matched& each) const {
  return each.alert != nullptr && as_told(*each.injected, *each.alert) &&
         each.alert->severity == each.injected->expected_severity;
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
    const bool right = is_right(each), said = each.alert != nullptr;
    score.raised += said;
    score.resolved += said && each.injected->resolves && each.alert->resolution == each.injected->resolution;
    score.late += !right && each.injected->late;
    score.missed += !said && !each.injected->late;
    score.wrong += said && !right && !each.injected->late;
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
    if (is_right(each)) continue;
    if (injected.late) {
      lines.push_back(words.late(what, injected.at, injected.note));
    } else if (each.alert == nullptr) {
      lines.push_back(words.missed(what, injected.at, injected.note));
    } else {
      lines.push_back(words.differs(
          what, fmt::format("{} {} {}", each.alert->severity, each.alert->status, each.alert->resolution),
          fmt::format("{} {}", injected.expected_severity, injected.resolves ? injected.resolution : words.standing()),
          injected.note));
    }
  }
  constexpr uint64_t kShown = 20;
  std::map<std::pair<std::string, std::string>, uint64_t> false_alerts;  // by rule and severity
  for (const AlertRecord* alert : unexplained) {
    if (!is_judged(alert->rule) || ++false_alerts[{alert->rule, alert->severity}] > kShown) continue;
    lines.push_back(
        words.false_alert(alert->rule, alert->raised_at, language == Language::zh ? alert->message_zh : alert->message_en));
  }
  for (const auto& [kind, count] : false_alerts) lines.push_back(words.false_alerts(kind.first, kind.second, count, kShown));
  return lines;
}

bool is_judged(const std::string& rule) {
  const auto names = [&rule](const std::vector<std::string>& rules) { return std::ranges::find(rules, rule) != rules.end(); };
  return names(rules_without_cause()) ||
         std::ranges::any_of(connectors::anomalies(), [&](const connectors::Anomaly& anomaly) { return names(anomaly.rules); });
}

const std::vector<std::string>& rules_without_cause() {
  static const std::vector<std::string> rules = {
      "feed-dark",         // every feed of the generator goes on to the end
      "sms-api-spike",     // needs three days of the key's volumes at that hour before it knows what is usual
      "sms-channel-drop",  // likewise of the gateway's
  };
  return rules;
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
    if (score.injected + score.false_alerts == 0) {
      judgement.silent.push_back(rule);
      continue;
    }
    judgement.rows.push_back({rule, score.injected, score.raised, score.resolved, score.missed, score.false_alerts});
    judgement.late += score.late;
    judgement.missed += score.missed;
    judgement.false_alerts += score.false_alerts;
    judgement.wrong += score.wrong;
  }
  std::ranges::stable_partition(judgement.rows, [](const ScoreRow& row) { return row.missed + row.false_alerts == 0; });
  return judgement;
}

}  // namespace tillwatch::engine
