#include "engine/verdict_report.h"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/words.h"
#include "engine/json_path.h"
#include "rules/language/wording.h"

namespace tillwatch::engine {
namespace {

// What the word for a stop means to people.
std::string stop_text(const std::string& what, const rules::CheckedRule& rule, const rules::Schema& schema) {
  static const std::map<std::string, std::string> kPlain = {
      {"except", "an exception applies"},
      {"quiet", "it counts on an alert that is open"},
      {"wait", "what it waited for did not come"},
      {"resolve", "what would have resolved its alert came first"},
      {"for", "`when` did not stay true for as long as it must"},
      {"limit", "as many alerts as the rule may raise stand already"},
  };
  const rules::Wording words(rule, schema, rules::Wording::Style::words);
  const rules::Wording own = rule.stream >= 0 ? words.about_stream(rule.stream) : words.about_table(rule.table);
  if (what == "where" && rule.where) return "it is not so that " + own.of(*rule.where);
  if (what == "when" && rule.when) return "it is not so that " + words.of(*rule.when);
  if (what == "fold" && rule.fold) return "it is counted on another rule's alert, " + words.of(*rule.fold);
  if (what.starts_with("skip ")) return fmt::format("`{}` is missing", what.substr(5));
  for (size_t i = 0; i < rule.steps.size(); ++i) {
    if (what == fmt::format("then {}", i + 1))
      return fmt::format("in step {} of `then` {}", i + 1,
                         rule.steps[i].absent ? "what had to be missing came" : "what had to come did not");
  }
  const auto plain = kPlain.find(what);
  return plain == kPlain.end() ? what : plain->second;
}

std::string facts_text(const AlertRecord& alert) {
  rapidjson::Document json;
  json.Parse(alert.json.c_str());
  const rapidjson::Value* values = json.HasParseError() ? nullptr : value_at(json, "values");
  std::string text;
  if (values != nullptr && values->IsObject()) {
    for (const auto& member : values->GetObject()) {
      const std::string value =
          member.value.IsBool() ? (member.value.GetBool() ? "true" : "false") : text_at(*values, member.name.GetString());
      text += fmt::format("      {} = {}\n", member.name.GetString(), value.empty() ? "…" : value);
    }
  }
  return text + fmt::format("      {}\n", alert.message_en);
}

// One alert from its beginning to its end. Of its updates those that changed its severity, and the first that the subject is
// in: an alert of a busy merchant has hundreds of others.
class AlertLife {
 public:
  AlertLife(const OwnEvidence& own, const Subject& subject) : own_(own), subject_(subject) {}

  std::string text(const std::vector<Transition>& transitions, const std::string& id) {
    std::string text;
    for (const Transition& each : transitions) {
      if (each.alert.id != id) continue;
      const bool first_of_it = !joined_ && own_.of(each.alert).own > 0;
      joined_ = joined_ || first_of_it;
      partial_ = partial_ || (subject_.left_out > 0 && own_.of(each.alert).others > 0);
      if (each.what == "update" && each.severity == severity_ && !first_of_it) {
        ++updates_;
        continue;
      }
      severity_ = each.severity;
      text += updates_text() + fmt::format("  {}  {}, {}{}\n", format_rfc3339(each.at), each.what, each.severity,
                                           each.reason.empty() ? "" : ": " + each.reason);
      if (each.what == "raise" || each.what == "update") text += facts_text(each.alert);
    }
    text += updates_text();
    if (partial_)
      text += "  it stands on other records too, not all of which were looked at: `tillwatch replay` looks at all\n";
    return text;
  }

 private:
  std::string updates_text() {
    const std::string text = updates_ == 0 ? "" : fmt::format("  … {}\n", counted(updates_, "further update"));
    updates_ = 0;
    return text;
  }

  const OwnEvidence& own_;
  const Subject& subject_;
  bool joined_ = false;
  bool partial_ = false;
  std::string severity_;
  size_t updates_ = 0;
};

std::string lives_text(const std::vector<Transition>& transitions, const OwnEvidence& own, const Subject& subject) {
  std::string text;
  std::set<std::string> told;
  for (const Transition& each : transitions) {
    if (told.insert(each.alert.id).second) text += AlertLife(own, subject).text(transitions, each.alert.id);
  }
  return text;
}

const rules::CheckedRule& rule_named(const rules::CompiledBundle& bundle, const std::string& name) {
  return *(*std::find_if(bundle.rules.begin(), bundle.rules.end(), [&](const auto& each) {
            return each->name == name;
          }))->source;
}

// One part of the answer; empty when no rule has any.
template <class Say>
std::string section(const std::string& title, const std::vector<RuleVerdict>& verdicts, const Say& say) {
  std::string text;
  for (const RuleVerdict& each : verdicts) {
    const std::string said = say(each);
    if (!said.empty()) text += fmt::format("\n{}:\n{}", each.rule, said);
  }
  return text.empty() ? "" : fmt::format("\n{}\n{}", title, text);
}

// One line each.
std::string stopped_text(const std::vector<RuleVerdict>& verdicts, const rules::CompiledBundle& bundle) {
  std::string text;
  for (const RuleVerdict& verdict : verdicts) {
    for (const CaseStop& each : verdict.stops) {
      const std::string reason = stop_text(each.what, rule_named(bundle, verdict.rule), bundle.source.schema);
      text += fmt::format("  {}  {}  stopped by `{}`: {}\n", verdict.rule, format_rfc3339(each.at), each.what, reason);
    }
  }
  return text.empty() ? "" : "\nStopped\n" + text;
}

std::string others_text(const std::vector<RuleVerdict>& verdicts) {
  std::string text;
  for (const RuleVerdict& verdict : verdicts) {
    for (const RuleVerdict::Others& each : verdict.others)
      text += fmt::format("  {}  {} under {}\n", verdict.rule, counted(each.alerts, "other alert"), each.key);
  }
  return text.empty() ? "" : "\nBeside it\n" + text;
}

std::string closing_text(const std::vector<RuleVerdict>& verdicts) {
  std::vector<std::string> silent;
  for (const RuleVerdict& each : verdicts) {
    if (each.silent()) silent.push_back(each.rule);
  }
  const std::string looked = fmt::format("\n{} looked", counted(verdicts.size(), "rule"));
  if (silent.empty()) return looked + ".\n";
  return fmt::format("{}; {} nothing to say of it: {}\n", looked,
                     silent.size() == 1 ? "1 has" : fmt::format("{} have", silent.size()), fmt::join(silent, ", "));
}

}  // namespace

std::string seen_text(const Subject& subject, const rules::Schema& schema) {
  std::string text = "Seen:\n";
  std::map<std::string, size_t> others;
  size_t rows = 0, all = 0;
  for (size_t i = 0; i < subject.records.size(); ++i) {
    const RelatedRecord& each = subject.records[i];
    if (each.stream < 0) {
      ++rows;
      continue;
    }
    const std::string& stream = schema.streams[static_cast<size_t>(each.stream)].name;
    if (subject.own[i]) {
      text += fmt::format("  {}  {} {}/{} at offset {}\n", format_rfc3339(each.event_time), stream, each.topic, each.partition,
                          each.offset);
      continue;
    }
    ++all;
    ++others[stream];
  }
  std::vector<std::string> parts;
  for (const auto& [stream, count] : others) parts.push_back(fmt::format("{} {}", count, stream));
  if (all > 0) text += fmt::format("  and {} of the same keys: {}\n", counted(all, "record"), fmt::join(parts, ", "));
  text += fmt::format("  and {} of tables\n", counted(rows, "row"));
  if (subject.left_out > 0)
    text += fmt::format("  {} of the same keys, farther away in time, {} left out: counts over them are too low here\n",
                        counted(subject.left_out, "record"), subject.left_out == 1 ? "is" : "are");
  return text;
}

std::string verdicts_text(const std::vector<RuleVerdict>& verdicts, const Subject& subject,
                          const rules::CompiledBundle& bundle) {
  const OwnEvidence own(subject);
  std::string text = section("Alerted", verdicts, [&](const RuleVerdict& each) { return lives_text(each.said, own, subject); });
  if (text.empty()) text = "\nNo rule alerted.\n";
  text += stopped_text(verdicts, bundle);
  text += section(fmt::format("Awaited after {}, if nothing more comes", format_rfc3339(subject.until)), verdicts,
                  [&](const RuleVerdict& each) { return lives_text(each.awaited, own, subject); });
  return text + others_text(verdicts) + closing_text(verdicts);
}

}  // namespace tillwatch::engine
