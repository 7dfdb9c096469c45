#include "engine/rule_reference.h"

#include <fmt/format.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <set>

#include "rules/language/vocabulary.h"
#include "rules/program/functions.h"

namespace tillwatch::engine {
namespace {

using rules::KeyRow;

std::string key_table(const char* heading, const std::vector<KeyRow>& rows) {
  std::string text = fmt::format("\n## {}\n\n", heading);
  for (const KeyRow& row : rows) text += fmt::format("- `{}`: {}\n", row.name, row.doc);
  return text;
}

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

class SchemaWriter {
 public:
  explicit SchemaWriter(const rules::Schema& schema) : schema_(schema), out_(buffer_) { out_.SetIndent(' ', 2); }

  std::string write() {
    out_.StartObject();
    text("$schema", "http://json-schema.org/draft-07/schema#");
    text("title", "tillwatch rule");
    out_.Key("anyOf");
    out_.StartArray();
    object(rules::rule_keys(), {"rule", "version", "on", "key"});
    out_.StartObject();  // a file of several rules as a list
    text("type", "array");
    out_.Key("items");
    out_.StartObject();
    text("$ref", "#/anyOf/0");
    out_.EndObject();
    out_.EndObject();
    schema_file();
    out_.EndArray();
    out_.EndObject();
    return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n";
  }

 private:
  // The third: a file that declares streams, tables and lists.
  void schema_file() {
    std::vector<KeyRow> streams = rules::stream_keys();
    for (const KeyRow& row : rules::view_keys()) {
      const bool there = std::any_of(streams.begin(), streams.end(), [&](const KeyRow& each) { return each.name == row.name; });
      if (!there) streams.push_back(row);
    }
    out_.StartObject();
    text("type", "object");
    out_.Key("additionalProperties");
    out_.Bool(false);
    out_.Key("properties");
    out_.StartObject();
    declarations("streams", streams);
    declarations("tables", rules::table_keys());
    out_.Key("lists");
    out_.StartObject();
    text("type", "object");
    out_.EndObject();
    out_.EndObject();
    out_.EndObject();
  }
  void declarations(const char* key, const std::vector<KeyRow>& rows) {
    out_.Key(key);
    out_.StartObject();
    text("type", "object");
    out_.Key("additionalProperties");
    object(rows, {});
    out_.EndObject();
  }

  void text(const char* key, std::string_view value) {
    out_.Key(key);
    string(value);
  }
  void string(std::string_view value) { out_.String(value.data(), static_cast<rapidjson::SizeType>(value.size())); }
  void strings(const char* key, const auto& values) {
    out_.Key(key);
    out_.StartArray();
    for (const auto& each : values) string(each);
    out_.EndArray();
  }

  void object(const std::vector<KeyRow>& rows, const std::vector<std::string_view>& needed) {
    out_.StartObject();
    text("type", "object");
    out_.Key("additionalProperties");
    out_.Bool(false);
    if (!needed.empty()) strings("required", needed);
    out_.Key("properties");
    out_.StartObject();
    for (const KeyRow& row : rows) property(row);
    out_.EndObject();
    out_.EndObject();
  }

  void property(const KeyRow& row) {
    out_.Key(row.name.data(), static_cast<rapidjson::SizeType>(row.name.size()));
    out_.StartObject();
    text("description", row.doc);
    using Shape = KeyRow::Shape;
    switch (row.shape) {
      case Shape::number:
        text("type", "integer");
        break;
      case Shape::choice:
        strings("enum", row.choices);
        break;
      case Shape::duration:
        text("type", "string");
        text("pattern", "^[0-9]+(ms|s|m|h|d)$");
        break;
      case Shape::list:
        list(row);
        break;
      case Shape::steps:
        items(rules::step_keys());
        break;
      case Shape::ways:
        items(rules::way_keys());
        break;
      case Shape::mapping:
        mapping(row);
        break;
      case Shape::text:
        text("type", "string");
        break;
      case Shape::text_or_mapping:
        strings("type", std::vector<std::string_view>{"string", "object"});
        break;
      case Shape::condition:
        strings("type", std::vector<std::string_view>{"string", "boolean"});
        break;
      case Shape::expression:
        strings("type", std::vector<std::string_view>{"string", "number", "array"});
        break;
    }
    if (row.name == "on") strings("examples", streams(true));
    if (row.name == "event" || row.name == "absent" || row.name == "until") strings("examples", streams(false));
    out_.EndObject();
  }

  void items(const std::vector<KeyRow>& rows) {
    text("type", "array");
    out_.Key("items");
    object(rows, {});
  }

  void list(const KeyRow& row) {
    if (row.name == "id" || row.name == "unique") {  // one field, several, or sets of them
      strings("type", std::vector<std::string_view>{"string", "array"});
      return;
    }
    text("type", "array");
    out_.Key("items");
    out_.StartObject();
    text("type", "string");
    if (row.name == "key") strings("examples", fields());
    if (row.name == "except") {
      std::vector<std::string> examples;
      for (const rules::NamedList& each : schema_.lists) examples.push_back("FIELD in lists." + each.name);
      strings("examples", examples);
    }
    out_.EndObject();
  }

  void mapping(const KeyRow& row) {
    if (row.name == "severity") {
      strings("type", std::vector<std::string_view>{"string", "object"});
      return;
    }
    if (row.name == "title") {
      strings("type", std::vector<std::string_view>{"string", "object"});
      return;
    }
    text("type", "object");
    if (row.name != "message") return;
    strings("required", std::vector<std::string_view>{"en", "zh"});
    out_.Key("properties");
    out_.StartObject();
    for (const char* language : {"en", "zh"}) {
      out_.Key(language);
      out_.StartObject();
      text("type", "string");
      out_.EndObject();
    }
    out_.EndObject();
  }

  std::vector<std::string> streams(bool tables_too) const {
    std::vector<std::string> names;
    for (const rules::Stream& each : schema_.streams)
      names.push_back(each.name + (tables_too ? " as " + each.name.substr(0, 1) : ""));
    if (tables_too) {
      for (const rules::Table& each : schema_.tables) names.push_back(each.name + " as row");
    }
    return names;
  }
  std::set<std::string> fields() const {
    std::set<std::string> names;
    for (const rules::Stream& each : schema_.streams) {
      for (const rules::Field& field : each.fields) names.insert(field.name);
    }
    return names;
  }

  const rules::Schema& schema_;
  rapidjson::StringBuffer buffer_;
  Writer out_;
};

}  // namespace

std::string rule_reference() {
  std::string text =
      "# The rule language\n\nExpressions are made of fields, facts, numbers, \"text\", operators, functions and aggregates.\n";
  text += "\n## Operators\n\nFrom the loosest to the tightest; comparisons do not chain.\n\n";
  for (const rules::OperatorRow& row : rules::operator_rows())
    text += fmt::format("- `{}`: {} For example `{}`\n", row.text, row.doc, row.example);
  text +=
      "\n## Aggregates\n\nSTREAM is a stream that carries the rule's key, or `this`: the rule's own triggers with their facts. "
      "`over D` looks back\n"
      "from the event's time, that event included.\n";
  for (const rules::AggregateRow& row : rules::aggregate_rows()) {
    text += fmt::format("\n### {}\n\n`{}`\n\n{}\nFor example `{}`\n", row.name, row.signature, row.doc, row.example);
  }
  text +=
      "\n## Functions\n\n### has\n\n`has(value) -> bool`\n\nWhether a value that may be missing is there.\nFor example "
      "`has(d.order_no)`\n"
      "\n### if\n\n`if(condition, a, b) -> as a and b`\n\nThe first value when the condition holds, else the second.\nFor "
      "example `if(has(d.order_no), 1, 2)`\n";
  for (const rules::Function& row : rules::functions()) {
    text += fmt::format("\n### {}\n\n`{}`\n\n{}\nFor example `{}`\n", row.name, row.signature, row.doc, row.example);
  }
  text += key_table("Keys of a rule", rules::rule_keys());
  text += key_table("Keys of a step (`then`)", rules::step_keys());
  text += key_table("Keys of a way of resolving (`resolve`)", rules::way_keys());
  text += key_table("Keys of a stream (in a schema)", rules::stream_keys());
  text += key_table("Keys of a view (a stream with `from`)", rules::view_keys());
  text += key_table("Keys of a table (in a schema)", rules::table_keys());
  return text;
}

std::string rule_json_schema(const rules::Schema& schema) { return SchemaWriter(schema).write(); }

}  // namespace tillwatch::engine
