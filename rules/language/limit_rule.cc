#include "rules/language/limit_rule.h"

#include <algorithm>

#include "engine/base/time.h"

namespace tillwatch::rules {
namespace {

std::string stream_name(std::string_view prefix, const CheckedRule& rule) {
  std::string name = std::string(prefix) + rule.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string key_field(size_t part) { return "asked_key_" + std::to_string(part); }

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char sign : text) {
    if (sign == '"' || sign == '\\') result += '\\';
    result += sign;
  }
  return result + "\"";
}

// Inside a message `{` begins an expression.
std::string literal(std::string_view text) {
  std::string result;
  for (const char sign : text) {
    result += sign;
    if (sign == '{' || sign == '}') result += sign;
  }
  return result;
}

bool has_money(const CheckedRule& rule, const Schema& schema) {
  const std::vector<Field>& fields = schema.root(rule.stream).fields;
  return std::any_of(fields.begin(), fields.end(), [](const Field& field) { return field.type.kind == Kind::money; });
}

// The highest the rule can say.
std::string_view severity(const CheckedRule& rule) {
  Severity highest = Severity::info;
  for (const SeverityCase& each : rule.severity) highest = std::max(highest, each.severity);
  for (const Step& step : rule.steps) highest = step.has_severity ? std::max(highest, step.severity) : highest;
  constexpr std::string_view kNames[] = {"info", "low", "medium", "high", "critical"};
  return kNames[static_cast<size_t>(highest)];
}

int32_t add(Schema& schema, std::string name, std::vector<Field> fields, const Span& span) {
  Stream stream;
  stream.name = stream.feed = std::move(name);
  stream.origin = Stream::Origin::derived;
  stream.root = static_cast<int32_t>(schema.streams.size());
  stream.fields = std::move(fields);
  stream.span = span;
  schema.streams.push_back(std::move(stream));
  return static_cast<int32_t>(schema.streams.size()) - 1;
}

Field made(std::string name, Type type, const Span& span) {
  Field field;
  field.name = std::move(name);
  field.type = type;
  field.span = span;
  return field;
}

}  // namespace

void add_limit_streams(CheckedRule& rule, Schema& schema) {
  const Span& span = rule.limit.span;
  Type anchor, amount, text;
  anchor.kind = Kind::integer;
  amount.kind = Kind::money;
  amount.optional = true;
  text.kind = Kind::string;
  std::vector<Field> asked, over;
  for (int32_t index : rule.limit.by) {
    const Field& field = schema.root(rule.stream).fields[static_cast<size_t>(index)];
    asked.push_back(made(field.name, field.type, span));
  }
  if (rule.limit.by.empty()) asked.push_back(made("rule", text, span));
  for (size_t part = 0; part < rule.key.size(); ++part) {
    asked.push_back(made(key_field(part), rule.key[part].type, span));
    over.push_back(made(key_field(part), rule.key[part].type, span));
  }
  asked.push_back(made(kAskedAnchor, anchor, span));
  asked.push_back(made(kAskedAmount, amount, span));
  over.push_back(made(kAskedAnchor, anchor, span));
  rule.limit.asked_stream = add(schema, stream_name("asked_by_", rule), std::move(asked), span);
  rule.limit.over_stream = add(schema, stream_name("over_limit_of_", rule), std::move(over), span);
}

std::string limit_rule_text(const CheckedRule& rule, const Schema& schema) {
  const Stream& asked = schema.streams[static_cast<size_t>(rule.limit.asked_stream)];
  const std::string per = format_duration(rule.limit.per);
  const std::string window = std::to_string(rule.limit.per) + "ms";
  const std::string most = std::to_string(rule.limit.most);
  const size_t by = std::max<size_t>(1, rule.limit.by.size());
  std::string key, of_en, fields;
  for (size_t i = 0; i < by; ++i) {
    key += (i == 0 ? "" : ", ") + quoted(asked.fields[i].name);
    if (!rule.limit.by.empty()) of_en += (i == 0 ? " of " : ", ") + asked.fields[i].name + " {r." + asked.fields[i].name + "}";
  }
  for (size_t part = 0; part < rule.key.size(); ++part) fields += "    " + key_field(part) + ": r." + key_field(part) + "\n";
  const bool money = has_money(rule, schema);
  const std::string worth_en = money ? " worth {worth:money}" : "";
  const std::string worth_zh = money ? "，金额 {worth:money}" : "";
  constexpr std::string_view kModes[] = {"live", "shadow", "off"};
  std::string text = "rule: " + rule.name + "-limit\nversion: " + std::to_string(rule.version) +
                     "\nmode: " + std::string(kModes[static_cast<size_t>(rule.mode)]) +
                     "\ntitle:\n  en: " + quoted(rule.title_en + ", many") + "\n  zh: " + quoted(rule.title_zh + "（汇总）") +
                     "\ndoc: What is over the limit of " + rule.name +
                     ", counted on one alert.\nlabels: {limit_of: " + rule.name + "}\non: " + asked.name + " as r\nkey: [" +
                     key + "]\nlet:\n  place: count(this over " + window + " every " + window + ")\n  beyond: place > " + most +
                     "\n  more: count(this where beyond over " + window + " every " + window + ")\n";
  if (money)
    text += "  worth: sum(asked_amount of this where beyond and has(asked_amount) over " + window + " every " + window + ")\n";
  text += "when: beyond\nseverity: " + std::string(severity(rule)) + "\nquiet: " + window + "\nresolve:\n  - after: " + window +
          "\n    reason: fewer\nemit:\n  stream: " + schema.streams[static_cast<size_t>(rule.limit.over_stream)].name +
          "\n  fields:\n" + fields + "    asked_anchor: r.asked_anchor\nrunbook: " + quoted(rule.runbook) +
          "\nmessage:\n  en: " +
          quoted("More than " + most + " alerts \"" + literal(rule.title_en) + "\"" + of_en + " in " + per + ": {more} more" +
                 worth_en + " are counted here and not raised one by one. Look for what they have in common.") +
          "\n  zh: " +
          quoted("“" + literal(rule.title_zh) + "”" + (of_en.empty() ? "" : "（" + of_en.substr(4) + "）") + " " + per +
                 " 内超过 " + most + " 条：另有 {more} 条" + worth_zh + "，在此合并计数，不再逐条告警。请查共同原因。") +
          "\n";
  return text;
}

}  // namespace tillwatch::rules
