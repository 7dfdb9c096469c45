#include "engine/case_file.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <span>

#include "engine/case_run.h"
#include "engine/commands.h"
#include "engine/json_path.h"
#include "rules/language/load.h"

namespace tillwatch::engine {
namespace {

std::string json_text(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

// A field of a record as the test format writes it; "" when the record does not have it.
std::string field_yaml(const rules::Field& field, const rapidjson::Value& json) {
  const rapidjson::Value* value = field.computed ? nullptr : value_at(json, field.path);
  if (value == nullptr || value->IsNull()) return "";
  std::string text = json_text(*value);
  if (field.type.kind == rules::Kind::time) {
    const auto time = time_at(json, field.path);
    text = time ? "\"" + format_rfc3339(*time) + "\"" : text;
  } else if (field.type.kind == rules::Kind::duration) {
    text += "ms";
  } else if (field.type.kind == rules::Kind::money && !field.currency_path.empty()) {
    text += " " + text_at(json, field.currency_path);
  }
  return fmt::format("{}: {}", field.name, text);
}

std::string fields_yaml(std::span<const rules::Field> fields, const rapidjson::Value& json, std::string text = "") {
  for (const rules::Field& field : fields) {
    const std::string one = field_yaml(field, json);
    if (!one.empty()) text += (text.empty() ? "" : ", ") + one;
  }
  return "{" + text + "}";
}

// The arrays that views open, each element with the fields of its view: `fee_lines: [{fee_type: "A"}]`.
std::string arrays_yaml(const rules::Schema& schema, int stream, const rapidjson::Value& json) {
  std::string text;
  for (const rules::Stream& view : schema.streams) {
    const rapidjson::Value* array = view.record == stream ? value_at(json, view.array) : nullptr;
    if (array == nullptr || !array->IsArray()) continue;
    std::string elements;
    for (const rapidjson::Value& element : array->GetArray()) {
      const bool whole = element.IsObject();
      elements += (elements.empty() ? "" : ", ") +
                  (whole ? fields_yaml(std::span(view.fields).subspan(view.record_fields), element) : json_text(element));
    }
    text += fmt::format("{}{}: [{}]", text.empty() ? "" : ", ", view.array, elements);
  }
  return text;
}

std::string rows_yaml(const std::vector<RelatedRecord>& records, const rules::Schema& schema) {
  std::string text;
  for (size_t table = 0; table < schema.tables.size(); ++table) {
    std::string rows;
    for (const RelatedRecord& each : records) {
      if (each.table != static_cast<int>(table)) continue;
      rapidjson::Document json;
      json.Parse(each.json.c_str());
      rows += fmt::format("        - {}\n", fields_yaml(schema.tables[table].columns, json));
    }
    if (!rows.empty()) text += fmt::format("      {}:\n{}", schema.tables[table].name, rows);
  }
  return text.empty() ? "" : "    tables:\n" + text;
}

std::string steps_yaml(const std::vector<RelatedRecord>& records, const rules::Schema& schema) {
  std::string text;
  for (const RelatedRecord& each : records) {
    if (each.stream < 0) continue;
    rapidjson::Document json;
    json.Parse(each.json.c_str());
    const rules::Stream& stream = schema.streams[static_cast<size_t>(each.stream)];
    text += fmt::format("      - {{at: \"{}\", {}: {}}}\n", format_rfc3339(each.event_time), stream.name,
                        fields_yaml(stream.fields, json, arrays_yaml(schema, each.stream, json)));
  }
  return text;
}

std::string expectation_yaml(const Transition& transition) {
  std::string key;
  for (const auto& [name, value] : transition.alert.key) {
    const bool money = name.ends_with("_minor");
    if (name == "currency") continue;
    key += fmt::format("{}{}: {}", key.empty() ? "" : ", ", money ? name.substr(0, name.size() - 6) : name, value);
  }
  std::string text = fmt::format("      - {{at: \"{}\", {}: {{{}}}", format_rfc3339(transition.at), transition.what, key);
  if (transition.what == "raise" || transition.what == "update") text += ", severity: " + transition.severity;
  if (transition.what == "resolve" && !transition.reason.empty()) text += ", reason: \"" + transition.reason + "\"";
  return text + "}\n";
}

const ReplayedAlert* find_alert(const ReplayResult& result, const std::string& id) {
  const auto at = result.alerts.lower_bound(id);
  return at != result.alerts.end() && at->first.starts_with(id) ? &at->second : nullptr;
}

}  // namespace

std::shared_ptr<const rules::CompiledBundle> bundle_for(const std::vector<std::string>& paths, const std::string& rule) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::Bundle bundle =
      rules::load_bundle(paths.empty() ? std::vector<std::string>{default_rules()} : paths, sources, diagnostics);
  bool found = false;
  for (rules::CheckedRule& each : bundle.rules) {
    const bool only_emits = each.message_en.empty() && each.message_zh.empty();
    found = found || each.name == rule;
    each.mode = each.name == rule || only_emits ? rules::Mode::live : rules::Mode::off;
  }
  return found && diagnostics.errors() == 0 ? rules::compile_bundle(std::move(bundle), {}, diagnostics) : nullptr;
}

std::vector<std::vector<std::string>> words_of(const AlertRecord& alert) {
  std::vector<std::vector<std::string>> groups(1);
  for (const auto& [name, value] : alert.key) {
    const bool text = value.size() >= 2 && value.front() == '"';
    if (name != "currency") groups[0].push_back(text ? value.substr(1, value.size() - 2) : value);
  }
  rapidjson::Document json;
  json.Parse(alert.json.c_str());
  const rapidjson::Value* evidence = json.HasParseError() ? nullptr : value_at(json, "evidence");
  if (evidence == nullptr || !evidence->IsArray()) return groups;
  for (const auto& each : evidence->GetArray()) {
    const std::string id = text_at(each, "event_id");
    if (!id.empty()) groups.push_back({id});
  }
  return groups;
}

void add_names(const RelatedRecord& record, std::vector<std::vector<std::string>>& groups) {
  rapidjson::Document json;
  json.Parse(record.json.c_str());
  for (const char* name : {"txn_id", "message_id"}) {
    const std::string word = text_at(json, name);
    if (!word.empty()) groups.push_back({word});
  }
}

Expected<std::string> save_case(const ReplayResult& result, const ReplayOptions& options, const std::vector<std::string>& paths,
                                const std::string& id) {
  const ReplayedAlert* alert = find_alert(result, id);
  if (alert == nullptr) return fail(ErrorKind::invalid, fmt::format("no alert of these files begins with {}", id));
  const std::string& rule = alert->last.rule;
  const auto bundle = bundle_for(paths, rule);
  if (!bundle) return fail(ErrorKind::invalid, fmt::format("there is no rule `{}`", rule));
  const rules::Schema& schema = bundle->source.schema;
  // What its events name brings in what undoes or settles them, under other keys.
  std::vector<std::vector<std::string>> groups = words_of(alert->last);
  const auto direct = related_records(options.files, schema, groups);
  if (!direct) return std::unexpected(direct.error());
  for (const RelatedRecord& each : direct->records) add_names(each, groups);
  const auto related = related_records(options.files, schema, groups);
  if (!related) return std::unexpected(related.error());
  const std::vector<RelatedRecord>& records = related->records;
  RuleCase test;
  test.name = fmt::format("as alert {} was raised", alert->last.id.substr(0, 8));
  test.steps = steps_of(records);
  test.until = std::max(alert->last.changed_at, records.empty() ? 0 : records.back().event_time) + kMinute;
  const CaseResult ran = run_case(bundle, test, rule);
  if (!ran.status) return std::unexpected(ran.status.error());
  const bool raised = std::any_of(ran.transitions.begin(), ran.transitions.end(),
                                  [&](const Transition& each) { return each.alert.id == alert->last.id; });
  if (!raised)
    return fail(ErrorKind::invalid,
                fmt::format("the records that name alert {} do not raise it by themselves", alert->last.id.substr(0, 8)));
  std::string text = fmt::format(
      "# {} of a replay; save as {}.test.yaml beside {}.yaml, or add the case to the one that is there.\ncases:\n  - name: "
      "{}\n",
      alert->last.id, rule, rule, test.name);
  text += rows_yaml(records, schema) + "    given:\n" + steps_yaml(records, schema);
  text += fmt::format("    until: \"{}\"\n    expect:\n", format_rfc3339(*test.until));
  for (const Transition& each : ran.transitions) text += expectation_yaml(each);
  return text;
}

}  // namespace tillwatch::engine
