// `tillwatch why`: what became of one transaction or alert, rule by rule, out of the files it is in.
#include <fmt/format.h>
#include <rapidjson/document.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <set>

#include "engine/base/words.h"
#include "engine/case_file.h"
#include "engine/case_run.h"
#include "engine/commands.h"
#include "engine/json_path.h"
#include "engine/related_records.h"
#include "engine/replay.h"
#include "engine/rule_bundle.h"
#include "rules/language/wording.h"

namespace tillwatch::engine {
namespace {

// What the word for a stop means to people.
std::string stop_text(const std::string& what, const rules::CheckedRule& rule, const rules::Schema& schema) {
  const rules::Wording words(rule, schema, rules::Wording::Style::words);
  const rules::Wording own = rule.stream >= 0 ? words.about_stream(rule.stream) : words.about_table(rule.table);
  if (what == "where" && rule.where) return "it is not so that " + own.of(*rule.where);
  if (what == "when" && rule.when) return "it is not so that " + words.of(*rule.when);
  if (what == "except") return "an exception applies";
  if (what == "quiet") return "it counts on an alert that is open";
  if (what.starts_with("skip ")) return fmt::format("`{}` is missing", what.substr(5));
  if (what == "wait") return "what it waited for did not come";
  if (what.starts_with("then "))
    return fmt::format("step {} of `then` ended it: what had to be missing came, or what had to come did not", what.substr(5));
  return what;
}

class Why {
 public:
  Why(const WhyCommand& command, std::shared_ptr<const rules::CompiledBundle> bundle, std::vector<connectors::FileInput> files)
      : command_(command), bundle_(std::move(bundle)), schema_(bundle_->source.schema), files_(std::move(files)) {}

  int run() {
    auto groups = groups_of();
    if (!groups) return complain(groups.error().message);
    auto records = related_records(files_, schema_, *groups);
    if (!records) return complain(records.error().message);
    records_ = std::move(*records);
    const auto events =
        std::count_if(records_.begin(), records_.end(), [](const RelatedRecord& each) { return each.stream >= 0; });
    if (events == 0) return complain(fmt::format("no record has `{}` in it", command_.subject));
    print_seen();
    size_t concerned = 0;
    for (const auto& rule : bundle_->rules) {
      if (!rule->alerts) continue;
      concerned += print_rule(rule->name) ? 1 : 0;
    }
    if (concerned == 0) fmt::print("\nNo rule starts from these records.\n");
    return 0;
  }

 private:
  static int complain(const std::string& text) {
    std::cerr << "tillwatch: " << text << "\n";
    return 1;
  }

  // An alert's words when it is one; else the transaction's, and what shares its card and merchant.
  Expected<std::vector<std::vector<std::string>>> groups_of() {
    const bool alert_id =
        command_.subject.size() >= 6 && command_.subject.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (alert_id) {
      ReplayOptions options;
      options.files = files_;
      const auto result = replay(bundle_, options, nullptr);
      if (!result) return std::unexpected(result.error());
      const auto at = result->alerts.lower_bound(command_.subject);
      if (at != result->alerts.end() && at->first.starts_with(command_.subject)) {
        fmt::print("alert {}, {}: {}\n{}\n\n", at->first, at->second.last.rule, at->second.last.status,
                   at->second.last.message_en);
        return words_of(at->second.last);
      }
    }
    std::vector<std::vector<std::string>> groups = {{command_.subject}};
    const auto own = related_records(files_, schema_, groups);
    if (!own) return std::unexpected(own.error());
    for (const RelatedRecord& each : *own) {
      if (each.stream < 0) continue;
      rapidjson::Document json;
      json.Parse(each.json.c_str());
      for (const auto& rule : bundle_->rules) {
        if (rule->source->stream < 0 || schema_.clock_of(rule->source->stream) != each.stream) continue;
        std::vector<std::string> words = key_words(*rule->source, json);
        if (words.size() == rule->source->key.size()) groups.push_back(std::move(words));
      }
    }
    return groups;
  }

  std::vector<std::string> key_words(const rules::CheckedRule& rule, const rapidjson::Value& json) const {
    std::vector<std::string> words;
    const rules::Stream& root = schema_.root(rule.stream);
    for (const rules::KeyPart& part : rule.key) {
      const rules::Field& field = root.fields[static_cast<size_t>(part.field)];
      const bool of_element = root.record >= 0 && static_cast<size_t>(part.field) >= root.record_fields;
      const std::string word = field.computed || of_element ? "" : text_at(json, field.path);
      if (!word.empty()) words.push_back(word);
    }
    return words;
  }

  void print_seen() const {
    fmt::print("Seen:\n");
    for (const RelatedRecord& each : records_) {
      if (each.stream < 0) continue;
      fmt::print("  {}  {} {}/{} at offset {}\n", format_rfc3339(each.event_time),
                 schema_.streams[static_cast<size_t>(each.stream)].name, each.topic, each.partition, each.offset);
    }
    const auto rows =
        std::count_if(records_.begin(), records_.end(), [](const RelatedRecord& each) { return each.table >= 0; });
    fmt::print("  and {} of tables\n", counted(static_cast<uint64_t>(rows), "row"));
  }

  // What the rule made of the records, one after another; false: it starts from none of them.
  bool print_rule(const std::string& name) const {
    const auto bundle = bundle_for(command_.rules, name);
    if (!bundle) return false;
    const auto found =
        std::find_if(bundle->rules.begin(), bundle->rules.end(), [&](const auto& each) { return each->name == name; });
    const rules::CheckedRule& rule = *(*found)->source;
    std::string text;
    CaseResult before;
    RuleCase test;
    for (const CaseStep& step : steps_of(records_)) {
      test.steps.push_back(step);
      if (step.kind == CaseStep::Kind::row) continue;
      const CaseResult now = run_case(bundle, test, name);
      text += difference(before, now, rule, step);
      before = now;
    }
    text += after_the_last(bundle, test, before, rule);
    if (text.empty()) return false;
    fmt::print("\n{}:\n{}", name, text);
    return true;
  }

  std::string difference(const CaseResult& before, const CaseResult& now, const rules::CheckedRule& rule,
                         const CaseStep& step) const {
    std::string text;
    for (size_t i = 0; i < now.stopped_by.size(); ++i) {
      const std::string& what = now.stopped_by[i];
      if (std::find(before.stopped_by.begin(), before.stopped_by.end(), what) != before.stopped_by.end()) continue;
      text += fmt::format("  {}  stopped by `{}`: {}\n", format_rfc3339(step.arrives), what, stop_text(what, rule, schema_));
    }
    for (size_t i = before.transitions.size(); i < now.transitions.size(); ++i) text += transition_text(now.transitions[i]);
    return text;
  }

  // The facts stand in the alert's record.
  static std::string transition_text(const Transition& each) {
    std::string text = fmt::format("  {}  {}, {}{}\n", format_rfc3339(each.at), each.what, each.severity,
                                   each.reason.empty() ? "" : ": " + each.reason);
    if (each.what != "raise" && each.what != "update") return text;
    rapidjson::Document json;
    json.Parse(each.alert.json.c_str());
    const rapidjson::Value* values = json.HasParseError() ? nullptr : value_at(json, "values");
    if (values == nullptr || !values->IsObject()) return text;
    for (const auto& member : values->GetObject()) {
      const std::string value = text_at(*values, member.name.GetString());
      const bool truth = member.value.IsBool();
      text += fmt::format("      {} = {}\n", member.name.GetString(),
                          truth           ? (member.value.GetBool() ? "true" : "false")
                          : value.empty() ? "…"
                                          : value);
    }
    return text + fmt::format("      {}\n", each.alert.message_en);
  }

  // Time goes on for a day: what was awaited then is decided.
  std::string after_the_last(const std::shared_ptr<const rules::CompiledBundle>& bundle, RuleCase& test,
                             const CaseResult& before, const rules::CheckedRule& rule) const {
    test.until = test.steps.back().arrives + kDay;
    const CaseResult later = run_case(bundle, test, rule.name);
    std::string text;
    for (size_t i = before.transitions.size(); i < later.transitions.size(); ++i) {
      text += fmt::format("  awaited after the last record: if nothing more comes,\n{}", transition_text(later.transitions[i]));
    }
    return text;
  }

  const WhyCommand& command_;
  const std::shared_ptr<const rules::CompiledBundle> bundle_;
  const rules::Schema& schema_;
  const std::vector<connectors::FileInput> files_;
  std::vector<RelatedRecord> records_;
};

}  // namespace

int explain_why(const WhyCommand& command) {
  std::signal(SIGPIPE, SIG_IGN);
  RuleBundleReport report;
  auto bundle = load_rule_bundle(command.rules, false, std::cerr, report);
  if (!bundle) return 1;
  auto files = replay_files(command.files, bundle->source.schema);
  if (!files) {
    std::cerr << "tillwatch: " << files.error().message << "\n";
    return 2;
  }
  return Why(command, std::move(bundle), std::move(*files)).run();
}

}  // namespace tillwatch::engine
