#include "engine/rule_scaffold.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "rules/language/names.h"

namespace tillwatch::engine {
namespace {

using rules::Expression;
using rules::Field;
using rules::Kind;
using rules::Node;
using rules::Op;

// Values of fields that make a view's condition hold, as far as it is made of `field`, `field == x` and `field in [x, …]`.
class Satisfier {
 public:
  Satisfier(const rules::Schema& schema, const std::vector<Field>& fields) : schema_(schema), fields_(fields) {}

  void satisfy(const Expression& condition) {
    if (condition.node == Node::binary && condition.op == Op::op_and) {
      satisfy(*condition.args[0]);
      satisfy(*condition.args[1]);
    } else if (condition.node == Node::field) {
      const Field& field = field_of(condition);
      if (field.computed) {
        satisfy(*field.computed);
      } else {
        values_[field.name] = "true";
      }
    } else if (condition.node == Node::binary && condition.args[0]->node == Node::field) {
      const Field& field = field_of(*condition.args[0]);
      const Expression& other = *condition.args[1];
      if (condition.op == Op::equal && other.node == Node::literal) values_[field.name] = literal(other);
      if (condition.op == Op::in && other.node == Node::list && !other.args.empty())
        values_[field.name] = literal(*other.args[0]);
    }
  }
  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  const Field& field_of(const Expression& node) const { return fields_[static_cast<size_t>(node.index)]; }
  std::string literal(const Expression& node) const {
    if (node.type.kind == Kind::string) return "\"" + node.text + "\"";
    if (node.type.kind == Kind::symbol && node.type.ref >= 0)
      return schema_.enums[static_cast<size_t>(node.type.ref)].names[static_cast<size_t>(node.value.i)];
    return std::to_string(node.value.i);
  }

  const rules::Schema& schema_;
  const std::vector<Field>& fields_;
  std::map<std::string, std::string> values_;
};

// The text fields an identity is made of: what must differ for two events to be two.
void read_fields(const Expression* expression, const std::vector<Field>& fields, std::set<std::string>& names) {
  if (expression == nullptr) return;
  if (expression->node == Node::field) {
    const Field& field = fields[static_cast<size_t>(expression->index)];
    if (field.computed) return read_fields(field.computed.get(), fields, names);
    if (field.type.kind == Kind::string) names.insert(field.name);
  }
  for (const auto& each : expression->args) read_fields(each.get(), fields, names);
}

std::string nested(const std::map<std::string, std::string>& values) {
  std::string text;
  for (const auto& [name, value] : values) {
    if (name.find('.') != std::string::npos) continue;  // part of a record: left to its default
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name, value);
  }
  return text;
}

// `sale: {card: K1}`, or with an element of an array `sale: {card: K1, items: [{article: "1"}]}`.
std::string record_text(const rules::Schema& schema, const rules::Stream& root,
                        const std::map<std::string, std::string>& values) {
  if (root.record < 0) return fmt::format("{}: {{{}}}", root.name, nested(values));
  std::map<std::string, std::string> of_record, of_element;
  for (const auto& [name, value] : values) {
    const bool own = static_cast<size_t>(rules::find_field(root.fields, name)) >= root.record_fields;
    (own ? of_element : of_record)[name] = value;
  }
  std::string array = fmt::format("[{{{}}}]", nested(of_element));
  std::string path = root.array;
  for (size_t dot = path.rfind('.'); dot != std::string::npos; dot = path.rfind('.')) {
    array = fmt::format("{{{}: {}}}", path.substr(dot + 1), array);
    path.resize(dot);
  }
  of_record[path] = std::move(array);
  return fmt::format("{}: {{{}}}", schema.streams[static_cast<size_t>(root.record)].name, nested(of_record));
}

}  // namespace

Expected<RuleScaffold> scaffold_rule(const std::string& name, const std::string& stream_name, const rules::Schema& schema) {
  const int index = schema.find_stream(stream_name);
  std::vector<std::string> names;
  for (const rules::Stream& each : schema.streams) {
    if (schema.streams[static_cast<size_t>(each.root)].origin != rules::Stream::Origin::derived) names.push_back(each.name);
  }
  if (index < 0 || std::find(names.begin(), names.end(), stream_name) == names.end()) {
    return fail(ErrorKind::invalid, fmt::format("--on {}: there is no such stream with a topic; give one of {}", stream_name,
                                                rules::listed(names)));
  }
  const rules::Stream& stream = schema.streams[static_cast<size_t>(index)];
  const rules::Stream& root = schema.root(index);
  std::set<std::string> identity;
  for (const int32_t id : stream.id.empty() ? root.id : stream.id) {
    const Field& field = root.fields[static_cast<size_t>(id)];
    if (field.computed) {
      read_fields(field.computed.get(), root.fields, identity);
    } else if (field.type.kind == Kind::string) {
      identity.insert(field.name);
    }
  }
  const auto own = root.fields.begin() + static_cast<ptrdiff_t>(root.record_fields);
  const auto key = std::find_if(own, root.fields.end(), [&](const Field& field) {
    const bool plain = field.type.kind == Kind::string && !field.type.optional && !field.type.pii && !field.computed &&
                       field.name.find('.') == std::string::npos;
    return plain && !identity.contains(field.name) && !field.name.ends_with("_id");
  });
  const auto fallback = std::find_if(root.fields.begin(), root.fields.end(), [&](const Field& field) {
    return field.type.kind == Kind::string && !field.type.optional && !field.type.pii && !identity.contains(field.name);
  });
  const auto chosen = key != root.fields.end() ? key : fallback;
  if (chosen == root.fields.end())
    return fail(ErrorKind::invalid,
                fmt::format("stream `{}` has no text field to keep state per; give another with --on", stream_name));

  Satisfier satisfier(schema, root.fields);
  if (stream.select) satisfier.satisfy(*stream.select);
  const auto event = [&](int number) {
    std::map<std::string, std::string> values = satisfier.values();
    values[chosen->name] = "K1";
    for (const std::string& each : identity) values[each] = fmt::format("\"{:06}\"", number);
    return record_text(schema, root, values);
  };
  const std::string alias(1, stream_name[0]);
  RuleScaffold result;
  result.rule = fmt::format(
      "rule: {0}\nversion: 1\ntitle: {{en: {0}, zh: {0}}}\ndoc: Two events within a minute. Say here in one sentence what the "
      "rule is for.\non: {1} as {2}\nkey: "
      "[{3}]\nlet:\n  n: count(this over 60s)\nwhen: n >= 2\nseverity: low\nresolve:\n  - after: 1d\nmessage:\n  en: \"{{n}} "
      "within a minute: {{{2}.{3}}}.\"\n  zh: "
      "\"一分钟内 {{n}} 次：{{{2}.{3}}}。\"\n",
      name, stream_name, alias, chosen->name);
  result.test = fmt::format(
      "cases:\n  - name: two within a minute\n    given:\n      - {{at: \"10:00:00\", {0}}}\n      - {{at: \"10:01:00\", "
      "{1}}}\n    until: \"10:10:00\"\n    expect:\n      - "
      "{{at: \"10:01:00\", raise: {{{2}: K1}}, severity: low, message: {{en: \"2 within a minute\"}}}}\n\n  - name: a second "
      "more than a minute apart\n    given:\n      - {{at: "
      "\"10:00:00\", {0}}}\n      - {{at: \"10:01:01\", {1}}}\n    until: \"10:10:00\"\n    expect: []\n    because: [when]\n",
      event(1), event(2), chosen->name);
  return result;
}

}  // namespace tillwatch::engine
