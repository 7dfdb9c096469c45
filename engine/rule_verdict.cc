#include "engine/rule_verdict.h"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/intake.h"
#include "engine/json_path.h"

namespace tillwatch::engine {
namespace {

std::string plain(const std::string& value) {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2) : value;
}

bool keyed_by(const AlertRecord& alert, const std::string& id) {
  return std::any_of(alert.key.begin(), alert.key.end(), [&](const auto& part) { return plain(part.second) == id; });
}

// Whether one of the subject's records has all of the alert's key.
bool of_its_key(const AlertRecord& alert, const Subject& subject) {
  std::vector<std::string> words;
  for (const auto& [name, value] : alert.key) words.push_back(plain(value));
  for (size_t i = 0; i < subject.records.size(); ++i) {
    if (subject.own[i] && has_words(subject.records[i].json, words)) return true;
  }
  return false;
}

std::string key_text(const AlertRecord& alert) {
  std::string text;
  for (const auto& [name, value] : alert.key) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, plain(value));
  return text;
}

// The records of topics that the rules read, which are few of them for most rules.
std::vector<CaseStep> steps_for(const rules::CompiledBundle& bundle, const std::vector<RelatedRecord>& records) {
  std::vector<std::string> read = Intake::stream_topics(bundle);
  const std::vector<std::string> tables = Intake::table_topics(bundle);
  read.insert(read.end(), tables.begin(), tables.end());
  std::vector<CaseStep> steps = steps_of(records);
  std::erase_if(steps, [&](const CaseStep& step) { return std::find(read.begin(), read.end(), step.topic) == read.end(); });
  return steps;
}

// Those of the verdict's rule.
void judge_alerts(const std::vector<Transition>& transitions, const Subject& subject, const OwnEvidence& own,
                  RuleVerdict& verdict) {
  std::set<std::string> concerned;
  for (const Transition& each : transitions) {
    const AlertRecord& alert = each.alert;
    if (alert.rule != verdict.rule) continue;
    if (alert.id == subject.id || keyed_by(alert, subject.id) || own.of(alert).own > 0) concerned.insert(alert.id);
  }
  std::map<std::string, std::set<std::string>> others;
  for (const Transition& each : transitions) {
    if (each.alert.rule != verdict.rule) continue;
    if (concerned.contains(each.alert.id)) {
      (each.at <= subject.until ? verdict.said : verdict.awaited).push_back(each);
    } else if (of_its_key(each.alert, subject)) {
      others[key_text(each.alert)].insert(each.alert.id);
    }
  }
  for (const auto& [key, alerts] : others) verdict.others.push_back({key, alerts.size()});
}

}  // namespace

OwnEvidence::OwnEvidence(const Subject& subject) {
  std::map<std::string, int64_t> offsets;
  for (size_t i = 0; i < subject.records.size(); ++i) {
    const std::string& topic = subject.records[i].topic;
    const int64_t offset = offsets[topic]++;
    if (subject.own[i]) places_.emplace_back(topic, offset);
  }
}

bool OwnEvidence::has(const std::string& topic, int64_t offset) const {
  return std::find(places_.begin(), places_.end(), std::pair(topic, offset)) != places_.end();
}

OwnEvidence::Share OwnEvidence::of(const AlertRecord& alert) const {
  rapidjson::Document json;
  json.Parse(alert.json.c_str());
  const rapidjson::Value* evidence = json.HasParseError() ? nullptr : value_at(json, "evidence");
  Share share;
  if (evidence == nullptr || !evidence->IsArray()) return share;
  for (const auto& each : evidence->GetArray()) {
    const auto offset = each.FindMember("offset");
    const bool known = offset != each.MemberEnd() && offset->value.IsInt64();
    const bool own = known && has(text_at(each, "topic"), offset->value.GetInt64());
    share.own += own ? 1 : 0;
    share.others += own ? 0 : 1;
  }
  return share;
}

Expected<std::vector<RuleVerdict>> verdicts_on(const Subject& subject,
                                               const std::shared_ptr<const rules::CompiledBundle>& bundle,
                                               const CaseRunner& run) {
  RuleCase test;
  test.steps = steps_for(*bundle, subject.records);
  test.until = subject.until + kDay;
  const CaseResult result = run(bundle, test, "");
  if (!result.status) return std::unexpected(result.status.error());
  const OwnEvidence own(subject);
  std::vector<RuleVerdict> verdicts;
  for (const auto& rule : bundle->rules) {
    if (!rule->alerts) continue;
    RuleVerdict verdict;
    verdict.rule = rule->name;
    judge_alerts(result.transitions, subject, own, verdict);
    for (const CaseStop& each : result.stops) {
      const bool told =
          std::any_of(verdict.stops.begin(), verdict.stops.end(), [&](const CaseStop& stop) { return stop.what == each.what; });
      if (each.rule == rule->name && !told && own.has(each.topic, each.offset)) verdict.stops.push_back(each);
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace tillwatch::engine
