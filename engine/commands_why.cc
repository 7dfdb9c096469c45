// `tillwatch why`: what became of one transaction or alert, rule by rule, out of the files it is in.
#include <fmt/format.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <optional>
#include <set>

#include "engine/base/words.h"
#include "engine/case_file.h"
#include "engine/commands.h"
#include "engine/json_path.h"
#include "engine/progress_line.h"
#include "engine/related_records.h"
#include "engine/replay.h"
#include "engine/rule_bundle.h"
#include "engine/rule_verdict.h"
#include "engine/verdict_report.h"

namespace tillwatch::engine {
namespace {

int complain(const std::string& text) {
  std::cerr << "tillwatch: " << text << "\n";
  return 1;
}

class Why {
 public:
  Why(const WhyCommand& command, std::shared_ptr<const rules::CompiledBundle> bundle, std::vector<connectors::FileInput> files)
      : command_(command), bundle_(std::move(bundle)), schema_(bundle_->source.schema), files_(std::move(files)) {}

  int run() {
    subject_.id = command_.subject;
    if (const Status known = find_alert(); !known) return complain(known.error().message);
    if (const Status found = find_records(); !found) return complain(found.error().message);
    if (std::none_of(subject_.records.begin(), subject_.records.end(), [](const auto& each) { return each.stream >= 0; }))
      return complain(fmt::format("no record has `{}` in it", command_.subject));
    if (alert_) { fmt::print("alert {}, {}: {}\n{}\n\n", alert_->id, alert_->rule, alert_->status, alert_->message_en); }
    fmt::print("{}", seen_text(subject_, schema_));
    const auto verdicts = ask_rules();
    if (!verdicts) return complain(verdicts.error().message);
    fmt::print("{}", verdicts_text(*verdicts, subject_, *bundle_));
    return 0;
  }

 private:
  // Only a replay tells which alert an id is of.
  Status find_alert() {
    const bool may_be =
        command_.subject.size() >= 6 && command_.subject.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!may_be) return {};
    ReplayOptions options;
    options.files = files_;
    ProgressLine line("looking for the alert");
    const auto result = replay(bundle_, options, [&](uint64_t records, int64_t bytes) { line.read(records, bytes); });
    if (!result) return std::unexpected(result.error());
    const auto at = result->alerts.lower_bound(command_.subject);
    if (at == result->alerts.end() || !at->first.starts_with(command_.subject)) return {};
    alert_ = at->second.last;
    subject_.id = alert_->id;
    return {};
  }

  Expected<RelatedRecords> read(const std::vector<std::vector<std::string>>& groups) const {
    ProgressLine line("looking for its records");
    return related_records(files_, schema_, groups, [&](uint64_t records, int64_t bytes) { line.read(records, bytes); });
  }

  // Those of the subject itself first: they say what else shares its card, its merchant and whatever rules are keyed by.
  Status find_records() {
    const std::vector<std::vector<std::string>> names =
        alert_ ? words_of(*alert_) : std::vector<std::vector<std::string>>{{command_.subject}};
    const auto direct = read(names);
    if (!direct) return std::unexpected(direct.error());
    std::set<std::vector<std::string>> groups(names.begin(), names.end());
    for (const RelatedRecord& each : direct->records) {
      if (each.stream >= 0 && is_own(each)) add_keys(each, groups);
    }
    auto related = read({groups.begin(), groups.end()});
    if (!related) return std::unexpected(related.error());
    subject_.records = std::move(related->records);
    subject_.until = related->until;
    subject_.left_out = related->left_out;
    for (const RelatedRecord& each : subject_.records) subject_.own.push_back(is_own(each));
    return {};
  }

  // A transaction's have its id in them; an alert's stand in its evidence.
  bool is_own(const RelatedRecord& record) const {
    if (!alert_) return record.stream >= 0 && has_word(record.json, command_.subject);
    rapidjson::Document json;
    json.Parse(alert_->json.c_str());
    const rapidjson::Value* evidence = json.HasParseError() ? nullptr : value_at(json, "evidence");
    if (evidence == nullptr || !evidence->IsArray()) return false;
    return std::any_of(evidence->Begin(), evidence->End(), [&](const rapidjson::Value& each) {
      return text_at(each, "topic") == record.topic && text_at(each, "partition") == std::to_string(record.partition) &&
             text_at(each, "offset") == std::to_string(record.offset);
    });
  }

  void add_keys(const RelatedRecord& record, std::set<std::vector<std::string>>& groups) const {
    std::vector<std::vector<std::string>> named;
    if (alert_) add_names(record, named);  // what settled it may be under other keys
    groups.insert(named.begin(), named.end());
    if (alert_) return;
    rapidjson::Document json;
    json.Parse(record.json.c_str());
    for (const auto& rule : bundle_->rules) {
      for (const rules::Input& input : rule->inputs) {
        if (input.stream < 0 || schema_.clock_of(input.stream) != record.stream) continue;
        std::vector<std::string> words = key_words(input, json);
        if (!words.empty()) groups.insert(std::move(words));
      }
    }
  }

  // What a record is keyed by where it comes into a rule, as far as it stands in records: what is computed (a card's tail) does
  // not, and the rest finds some more than the rule's. Empty: it has no key there.
  std::vector<std::string> key_words(const rules::Input& input, const rapidjson::Value& json) const {
    std::vector<std::string> words;
    const rules::Stream& root = schema_.root(input.stream);
    for (const int index : input.by) {
      const rules::Field& field = root.fields[static_cast<size_t>(index)];
      const bool of_element = root.record >= 0 && static_cast<size_t>(index) >= root.record_fields;
      if (field.computed || of_element) continue;
      std::string word = text_at(json, field.path);
      if (word.empty()) return {};
      words.push_back(std::move(word));
    }
    return words;
  }

  // An alert's own rule first.
  Expected<std::vector<RuleVerdict>> ask_rules() const {
    ProgressLine line("asking the rules");
    auto verdicts = verdicts_on(subject_, bundle_, [&](const auto& bundle, const RuleCase& test, const std::string& rule) {
      return run_case(bundle, test, rule, [&](size_t steps) { line.done(steps, test.steps.size()); });
    });
    if (!verdicts) return std::unexpected(verdicts.error());
    std::ranges::stable_partition(*verdicts, [&](const RuleVerdict& each) { return alert_ && each.rule == alert_->rule; });
    return verdicts;
  }

  const WhyCommand& command_;
  const std::shared_ptr<const rules::CompiledBundle> bundle_;
  const rules::Schema& schema_;
  const std::vector<connectors::FileInput> files_;
  std::optional<AlertRecord> alert_;  // that it is asked of
  Subject subject_;
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
