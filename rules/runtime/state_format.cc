#include "rules/runtime/state_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/base/hash.h"
#include "rules/program/function_checks.h"

namespace tillwatch::rules {
namespace {

std::string kind_text(const Type& type, const Schema& schema) {
  std::string text(kind_name(type.kind));
  if (type.kind == Kind::symbol && type.ref >= 0) {  // stored as ordinals
    for (const std::string& name : schema.enums[static_cast<size_t>(type.ref)].names) text += " " + name;
  }
  if (type.kind == Kind::row && type.ref >= 0) {
    for (const Field& column : schema.tables[static_cast<size_t>(type.ref)].columns)
      text += fmt::format(" {} {}", column.name, kind_text(column.type, schema));
  }
  return text;
}

const std::vector<Field>& fields_of(const Input& input, const Schema& schema) {
  return input.stream >= 0 ? schema.root(input.stream).fields : schema.tables[static_cast<size_t>(input.table)].columns;
}

std::string source_of(const Input& input, const Schema& schema) {
  return input.stream >= 0 ? schema.streams[static_cast<size_t>(input.stream)].name
                           : schema.tables[static_cast<size_t>(input.table)].name;
}

// The kept fields in the order of the row, with their kinds.
std::string kept_fields(const Input& input, const Schema& schema) {
  const std::vector<Field>& fields = fields_of(input, schema);
  std::vector<std::pair<int, std::string>> kept;
  for (size_t i = 0; i < fields.size() && i < input.shape->position.size(); ++i) {
    if (input.shape->position[i] >= 0)
      kept.emplace_back(input.shape->position[i], fmt::format("{} {}", fields[i].name, kind_text(fields[i].type, schema)));
  }
  std::sort(kept.begin(), kept.end());
  std::string text;
  for (const auto& [position, field] : kept) text += (text.empty() ? "" : ", ") + field;
  return text;
}

std::string inputs_text(const CompiledRule& rule, const Schema& schema) {
  std::string text;
  for (const Input& input : rule.inputs) {
    text += (text.empty() ? "" : "; ") + source_of(input, schema) + " by";
    for (const int field : input.by)
      text += field >= 0 ? " " + fields_of(input, schema)[static_cast<size_t>(field)].name : " ?";
    text += " (" + kept_fields(input, schema) + ")";
  }
  return text;
}

void tables_read(const Expression* expression, const Schema& schema, std::set<std::string>& names) {
  if (expression == nullptr) return;
  if (expression->node == Node::lookup)
    names.insert(fmt::format("{} {}", expression->index, schema.tables[static_cast<size_t>(expression->index)].name));
  for (const ExpressionPtr& each : expression->args) tables_read(each.get(), schema, names);
}

}  // namespace

StateFormat state_format(const CompiledRule& rule, const Schema& schema) {
  const CheckedRule& source = *rule.source;
  std::string key, facts, steps, labels, tables;
  for (const KeyPart& part : source.key)
    key += fmt::format("{}{} {}", key.empty() ? "" : ", ", part.name, kind_text(part.type, schema));
  for (const Fact& fact : source.facts)
    facts += fmt::format("{}{} {}", facts.empty() ? "" : ", ", fact.name, kind_text(fact.type, schema));
  for (const CompiledStep& step : rule.steps) {
    steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", step.absent ? "absent" : "event",
                         source_of(rule.inputs[static_cast<size_t>(step.input)], schema));
  }
  for (const auto& [name, text] : source.labels) labels += (labels.empty() ? "" : ", ") + name;
  std::set<std::string> read;
  for (const Fact& fact : source.facts) tables_read(fact.value.get(), schema, read);
  tables_read(source.when.get(), schema, read);
  for (const std::string& each : read) tables += (tables.empty() ? "" : ", ") + each;
  return {{"its key", key},       {"the streams and fields it keeps", inputs_text(rule, schema)},
          {"its facts", facts},   {"its steps", steps},
          {"its labels", labels}, {"the tables it looks up", tables}};
}

uint32_t stored_number(const CompiledRule& rule, const Schema& schema) {
  std::string text = rule.name;
  for (const auto& [about, content] : state_format(rule, schema)) text += "\n" + about + ": " + content;
  return static_cast<uint32_t>(hash_bytes(text));
}

DurationMs longest_memory(const CompiledRule& rule) {
  if (rule.stateless) return 0;
  DurationMs longest = 0;
  for (const Input& input : rule.inputs) longest = std::max(longest, input.keep - rule.slack);
  return longest;
}

}  // namespace tillwatch::rules
