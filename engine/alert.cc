#include "engine/alert.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "engine/base/mask.h"
#include "engine/base/words.h"
#include "rules/program/currency.h"

namespace tillwatch::engine {
namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

std::string sha1_hex(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TILLWATCH_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr) == 1);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string_view view(const rapidjson::StringBuffer& buffer) { return {buffer.GetString(), buffer.GetSize()}; }

void text(Json& json, std::string_view value) { json.String(value.data(), static_cast<rapidjson::SizeType>(value.size())); }
void key(Json& json, std::string_view name) { json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
void field(Json& json, std::string_view name, std::string_view value) {
  key(json, name);
  text(json, value);
}
void time_field(Json& json, std::string_view name, TimeMs time) {
  key(json, name);
  if (time == 0) {
    json.Null();
  } else {
    text(json, format_rfc3339(time));
  }
}

// A scalar as JSON: money in minor units, decimals as numbers, times as RFC 3339, enum values by name.
void write_value(Json& json, const Value& value, const rules::Type& type, const rules::Schema& schema) {
  switch (value.kind) {
    case ValueKind::boolean:
      json.Bool(value.truth());
      return;
    case ValueKind::integer:
    case ValueKind::money:
    case ValueKind::duration:
      json.Int64(value.i);
      return;
    case ValueKind::decimal: {
      std::string number = fmt::format("{}{}.{:09}", value.i < 0 ? "-" : "", std::abs(value.i / Value::kDecimalOne),
                                       std::abs(value.i % Value::kDecimalOne));
      number.erase(number.find_last_not_of('0') + 1);
      if (number.back() == '.') number.pop_back();
      json.RawValue(number.data(), number.size(), rapidjson::kNumberType);
      return;
    }
    case ValueKind::string:
      text(json, type.pii ? mask(value.text()) : std::string(value.text()));
      return;
    case ValueKind::symbol: {
      const auto& names = schema.enums[static_cast<size_t>(type.ref)].names;
      text(json, names[static_cast<size_t>(value.i)]);
      return;
    }
    case ValueKind::time:
      text(json, format_rfc3339(value.i));
      return;
    default:
      json.Null();
  }
}

struct KeyPart {
  std::string name, json;
  std::string plain;
};

void write_values(Json& json, const rules::AlertChange& change, const rules::Schema& schema) {
  key(json, "values");
  json.StartObject();
  const rules::KeptShape& shape = change.rule->trigger_shape;
  for (size_t i = 0; i < change.rule->facts.size(); ++i) {
    const rules::CompiledFact& fact = change.rule->facts[i];
    const Value value = shape.layout.get(change.instance->row->data(), shape.from.size() + i);
    if (value.missing() || value.kind == ValueKind::row || value.kind == ValueKind::list || value.kind == ValueKind::tariff)
      continue;
    key(json, fact.name);
    write_value(json, value, fact.type, schema);
  }
  json.EndObject();
}

void write_evidence(Json& json, const rules::AlertChange& change, const std::vector<connectors::Partition>& partitions) {
  key(json, "evidence");
  json.StartArray();
  for (const auto& each : change.instance->evidence) {
    json.StartObject();
    const bool known = each.origin.input < partitions.size();
    field(json, "topic", known ? partitions[each.origin.input].topic : "");
    key(json, "partition");
    json.Int(known ? partitions[each.origin.input].number : -1);
    key(json, "offset");
    json.Int64(each.origin.offset);
    if (!each.event_id.empty()) field(json, "event_id", each.event_id);
    json.EndObject();
  }
  json.EndArray();
}

void write_head(Json& json, const AlertRecord& record, int64_t version) {
  json.StartObject();
  field(json, "schema", "alert/1");
  field(json, "alert_id", record.id);
  field(json, "rule_id", record.rule);
  field(json, "rule_version", std::to_string(version));
  field(json, "status", record.status);
  field(json, "severity", record.severity);
  field(json, "title_en", record.title_en);
  field(json, "title_zh", record.title_zh);
  key(json, "key");
  json.StartObject();
  for (const auto& [name, value] : record.key) {
    key(json, name);
    json.RawValue(value.data(), value.size(), rapidjson::kStringType);
  }
  json.EndObject();
}

void write_life(Json& json, const AlertRecord& record, TimeMs first_event_at) {
  time_field(json, "first_event_at", first_event_at);
  time_field(json, "raised_at", record.raised_at);
  time_field(json, "updated_at", record.changed_at);
  time_field(json, "resolved_at", record.ended_at);
  key(json, "resolution");
  if (record.resolution.empty()) {
    json.Null();
  } else {
    text(json, record.resolution);
  }
  key(json, "seq");
  json.Uint(record.seq);
}

// What the trigger's row says beside the facts.
void note_trigger(const rules::AlertChange& change, const rules::Schema& schema, AlertRecord& record) {
  const rules::CompiledRule& rule = *change.rule;
  if (!change.instance->row) return;
  const rules::KeptShape& shape = rule.trigger_shape;
  const auto kept = [&](int position) { return shape.layout.get(change.instance->row->data(), static_cast<size_t>(position)); };
  if (rule.money_field >= 0) {
    const Value money = kept(rule.money_field);
    record.involved_minor = money.missing() ? 0 : money.i;
  }
  const rules::CheckedRule& source = *rule.source;
  const auto& fields =
      source.stream >= 0 ? schema.root(source.stream).fields : schema.tables[static_cast<size_t>(source.table)].columns;
  const int merchant = rules::find_field(fields, "merchant_id");
  if (merchant < 0 || shape.position[static_cast<size_t>(merchant)] < 0) return;
  const Value id = kept(shape.position[static_cast<size_t>(merchant)]);
  if (id.kind == ValueKind::string) record.merchant = id.text();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> key_fields(const rules::CompiledRule& rule, std::string_view key,
                                                            const rules::Schema& schema) {
  std::vector<std::pair<std::string, std::string>> fields;
  const std::vector<Value> values = read_key(key);
  const auto& parts = rule.source->key;
  for (size_t i = 0; i < parts.size() && i < values.size(); ++i) {
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    write_value(json, values[i], parts[i].type, schema);
    fields.emplace_back(values[i].kind == ValueKind::money ? parts[i].name + "_minor" : parts[i].name,
                        std::string(view(buffer)));
    if (values[i].kind != ValueKind::money) continue;
    const rules::Currency* const currency = rules::find_currency(values[i].aux);  // none: a zero that fits any currency
    if (currency != nullptr) fields.emplace_back("currency", fmt::format("\"{}\"", currency->code));
  }
  return fields;
}

std::string_view name(rules::Severity severity) {
  switch (severity) {
    case rules::Severity::info:
      return "info";
    case rules::Severity::low:
      return "low";
    case rules::Severity::medium:
      return "medium";
    case rules::Severity::high:
      return "high";
    case rules::Severity::critical:
      return "critical";
  }
  return "medium";
}

AlertRecord describe(const rules::AlertChange& change, const rules::Schema& schema,
                     const std::vector<connectors::Partition>& partitions) {
  const rules::CheckedRule& rule = *change.rule->source;
  AlertRecord record;
  const uint64_t anchor = change.published.anchor;
  record.id = sha1_hex(rule.name + "|" + change.key + "|" + fmt::format("{:016x}", anchor));
  record.rule = rule.name;
  record.title_en = rule.title_en;
  record.title_zh = rule.title_zh;
  record.severity = name(change.published.severity);
  record.seq = change.published.seq;
  record.first = change.first;
  record.shadow = rule.mode == rules::Mode::shadow;
  record.raised_at = change.published.raised_at;
  record.key = key_fields(*change.rule, change.key, schema);
  record.money_minor = change.published.money_minor;
  record.currency = change.published.currency;
  TimeMs first_event_at = 0;
  if (change.instance) {
    const rules::Instance& instance = *change.instance;
    first_event_at = instance.anchor_time;
    const bool ended = instance.phase == rules::Instance::Phase::ended;
    record.status = ended ? (instance.expired ? "expired" : "resolved") : change.first ? "firing" : "updated";
    record.resolution = ended ? instance.reason : "";
    record.ended_at = ended ? instance.ended_at : 0;
    record.changed_at = instance.updated_at;
    record.message_en = instance.message_en;
    record.message_zh = instance.message_zh;
    record.hits = instance.hits;
    record.arrived_at = instance.arrived_at;
    note_trigger(change, schema, record);
    for (size_t i = 0; i < change.rule->labels.size() && i < instance.labels.size(); ++i) {
      record.labels.emplace_back(change.rule->labels[i].first, instance.labels[i]);
    }
  } else {
    record.status = "resolved";
    record.resolution = "corrected";
    record.changed_at = record.ended_at = record.raised_at;
  }
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  write_head(json, record, rule.version);
  write_life(json, record, first_event_at);
  if (change.instance) {
    key(json, "hits");
    json.Uint(record.hits);
    if (change.instance->folds > 0) {  // alerts of other rules that this one explains
      key(json, "folded");
      json.Uint(change.instance->folds);
      key(json, "folded_minor");
      json.Int64(change.instance->folds_minor);
    }
    write_values(json, change, schema);
    key(json, "labels");
    json.StartObject();
    for (const auto& [label, value] : record.labels) field(json, label, value);
    json.EndObject();
    field(json, "message_en", record.message_en);
    field(json, "message_zh", record.message_zh);
  }
  field(json, "runbook", rule.runbook.empty() ? "docs/runbooks/" + rule.name + ".md" : rule.runbook);
  if (change.instance) write_evidence(json, change, partitions);
  json.EndObject();
  record.json = view(buffer);
  return record;
}

AlertRecord describe_dark_feed(const std::string& stream, TimeMs since, TimeMs at, uint64_t waiting, int64_t money_minor,
                               bool dark, bool first, uint32_t seq, const std::string& resolution) {
  AlertRecord record;
  record.id = sha1_hex("feed-dark|" + stream + "|" + std::to_string(since));
  record.rule = "feed-dark";
  record.title_en = "Feed dark";
  record.title_zh = "数据源静默";
  record.severity = "high";
  record.status = dark ? (first ? "firing" : "updated") : "resolved";
  record.resolution = resolution;
  record.raised_at = since;
  record.changed_at = at;
  record.ended_at = dark ? 0 : at;
  record.seq = seq;
  record.first = first;
  record.key = {{"feed", "\"" + stream + "\""}};
  record.message_en = fmt::format(
      "Feed {} has been silent since {}. What waits for it: {} worth {}.{:02}. Check the feed; all is decided when it is back.",
      stream, format_rfc3339(since), counted(waiting, "decision"), money_minor / 100, money_minor % 100);
  record.message_zh = fmt::format("数据源 {} 自 {} 起静默：{} 项判断（金额 {}.{:02}）等待中。请检查该数据源，恢复后自动判断。",
                                  stream, format_rfc3339(since), waiting, money_minor / 100, money_minor % 100);
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  write_head(json, record, 1);
  write_life(json, record, since);
  key(json, "values");
  json.StartObject();
  key(json, "waiting");
  json.Uint64(waiting);
  key(json, "amount_minor");
  json.Int64(money_minor);
  json.EndObject();
  field(json, "message_en", record.message_en);
  field(json, "message_zh", record.message_zh);
  field(json, "runbook", "docs/runbooks/feed-dark.md");
  json.EndObject();
  record.json = view(buffer);
  return record;
}

AlertRecord describe_refused_rules(TimeMs since, TimeMs at, const std::string& reason, bool standing, bool first,
                                   uint32_t seq) {
  AlertRecord record;
  record.id = sha1_hex("rules-refused|" + std::to_string(since));
  record.rule = "rules-refused";
  record.title_en = "Changed rules refused";
  record.title_zh = "新规则被拒绝";
  record.severity = "high";
  record.status = standing ? (first ? "firing" : "updated") : "resolved";
  record.resolution = standing ? "" : "accepted";
  record.raised_at = since;
  record.changed_at = at;
  record.ended_at = standing ? 0 : at;
  record.seq = seq;
  record.first = first;
  record.key = {{"rules", "\"files\""}};
  if (standing) {
    record.message_en = "The rule files changed and were refused as a whole; the rules that ran before go on. " + reason;
    record.message_zh = "规则文件已变更，但整体被拒绝；原规则继续运行。" + reason;
  } else {
    record.message_en = "The rule files are accepted again.";
    record.message_zh = "规则文件已恢复正常。";
  }
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  write_head(json, record, 1);
  write_life(json, record, since);
  key(json, "values");
  json.StartObject();
  json.EndObject();
  field(json, "message_en", record.message_en);
  field(json, "message_zh", record.message_zh);
  field(json, "runbook", "docs/runbooks/rules-refused.md");
  json.EndObject();
  record.json = view(buffer);
  return record;
}

}  // namespace tillwatch::engine
