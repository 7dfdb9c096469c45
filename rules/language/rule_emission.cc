// `emit`: the derived events a rule makes.
#include <algorithm>

#include "rules/language/names.h"
#include "rules/language/rule_reader.h"

namespace tillwatch::rules {

void RuleReader::emission() {
  const YamlNode* node = reader_.get("emit");
  if (node == nullptr) return;
  const MappingReader reader(*node, "`emit`", {"stream", "fields", "table"}, diagnostics_);
  if (!reader.is_mapping()) return;
  rule_.emit.span = reader.place();
  if (reader.get("table") != nullptr) {
    table_emission(reader);
    return;
  }
  const YamlNode* name = reader.need_scalar("stream", "the derived stream: `emit: {stream: undo, fields: {…}}`");
  const YamlNode* fields = reader.need("fields");
  if (name == nullptr) return;
  const int32_t index = stream_of({name->text, name->text, name->span, name->span, false});
  if (index < 0) return;
  const Stream& stream = schema_.streams[static_cast<size_t>(index)];
  if (stream.origin != Stream::Origin::derived) {
    diagnostics_.error("E054", "`" + stream.name + "` is not a derived stream", name->span, "cannot be emitted")
        .helps.push_back("declare it in the schema with `derived: true` and its fields");
    return;
  }
  rule_.emit.stream = index;
  rule_.emit.span = name->span;
  if (fields != nullptr && expect_mapping(*fields, "`fields`", diagnostics_)) emitted_fields(*fields, stream);
}

// `emit: {table: T, fields: {…}}`: an alert of the rule is a row of T while it is open. The rule's key is the table's.
void RuleReader::table_emission(const MappingReader& reader) {
  const YamlNode* name = reader.scalar("table");
  if (reader.get("stream") != nullptr) {
    diagnostics_.error("E004", "`emit` goes into a stream or into a table", reader.key_span("stream"));
    return;
  }
  if (name == nullptr) return;
  const int32_t index = schema_.find_table(name->text);
  if (index < 0) {
    if (context_.broken_names.contains(name->text)) return;
    std::vector<std::string> names;
    for (const Table& table : schema_.tables) names.push_back(table.name);
    suggest(diagnostics_.error("E027", "there is no table `" + name->text + "`", name->span, "unknown table"), name->text,
            names, "tables");
    return;
  }
  const Table& table = schema_.tables[static_cast<size_t>(index)];
  if (!table.derived) {
    diagnostics_.error("E054", "`" + table.name + "` is read from a topic", name->span, "cannot be emitted")
        .helps.push_back("declare one with `derived: true`, its key and its columns");
    return;
  }
  if (reader_.get("message") == nullptr) {
    diagnostics_.error("E054", "only a rule that raises alerts makes rows: a row is an open alert", name->span)
        .helps.push_back("give the rule `severity` and `message`, or emit into a stream");
  }
  if (table.rows_stream < 0) return;  // reported with the table
  rule_.emit.table = index;
  rule_.emit.stream = table.rows_stream;
  rule_.emit.span = name->span;
  const Stream& rows = schema_.streams[static_cast<size_t>(table.rows_stream)];
  rule_.emit.fields.resize(rows.fields.size());
  row_key(table, *name);
  if (const YamlNode* fields = reader.get("fields"); fields != nullptr && expect_mapping(*fields, "`fields`", diagnostics_)) {
    for (size_t field = 0; field < fields->keys.size(); ++field)
      emitted_field(*fields->keys[field], *fields->values[field], rows);
  }
  for (size_t column = 0; column < rows.fields.size(); ++column) {
    const auto at = static_cast<int32_t>(column);
    const Field& field = rows.fields[column];
    const bool made = at == table.valid_from || at == table.valid_to || at == table.recorded_at;
    if (made || rule_.emit.fields[column] != nullptr || field.type.optional || field.type.ref == kBroken) continue;
    if (std::find(table.key.begin(), table.key.end(), at) != table.key.end()) continue;
    diagnostics_.error("E054", "`emit` lacks the column " + field.name + " of `" + table.name + "`", name->span, "not complete")
        .helps.push_back("`emit: {table: " + table.name + ", fields: {" + field.name + ": …}}`");
  }
}

// The key of a row is the key of the alert, by the same names.
void RuleReader::row_key(const Table& table, const YamlNode& place) {
  std::vector<std::string> wanted, have;
  for (const int32_t column : table.key) wanted.push_back(table.columns[static_cast<size_t>(column)].name);
  for (const KeyPart& part : rule_.key) {
    if (part.field < 0) return;  // reported with the key
    have.push_back(part.name);
    const auto same = std::find(wanted.begin(), wanted.end(), part.name);
    if (same == wanted.end()) continue;
    const int32_t column = table.key[static_cast<size_t>(same - wanted.begin())];
    auto field = std::make_unique<Expression>();
    field->node = Node::field;
    field->type = part.type;
    field->span = place.span;
    field->index = part.field;
    field->binding = kTrigger;
    rule_.emit.fields[static_cast<size_t>(column)] = std::move(field);
  }
  if (std::is_permutation(wanted.begin(), wanted.end(), have.begin(), have.end())) return;
  diagnostics_
      .error("E054", "the key of `" + table.name + "` is " + listed(wanted) + ", this rule's is " + listed(have), place.span,
             "not the same key")
      .helps.push_back("an open alert is one row: give the table the rule's key");
}

void RuleReader::emitted_fields(const YamlNode& mapping, const Stream& stream) {
  rule_.emit.fields.resize(stream.fields.size());
  for (size_t index = 0; index < mapping.keys.size(); ++index)
    emitted_field(*mapping.keys[index], *mapping.values[index], stream);
  std::vector<std::string> lacking;
  for (const Field& field : stream.fields) {
    const bool given = mapping.find(field.name) != nullptr;
    if (!given && field.computed == nullptr && !field.type.optional && field.type.ref != kBroken) lacking.push_back(field.name);
  }
  if (lacking.empty() || context_.broken_streams.contains(rule_.emit.stream)) return;
  diagnostics_
      .error("E054",
             "`emit` lacks " + std::string(lacking.size() == 1 ? "the field " : "the fields ") + listed(lacking) + " of `" +
                 stream.name + "`",
             rule_.emit.span, "not complete")
      .helps.push_back("only fields of an optional type (`TYPE?`) may be left out");
}

void RuleReader::emitted_field(const YamlNode& key, const YamlNode& value, const Stream& stream) {
  const int index = find_field(stream.fields, key.text);
  const ParseNodePtr node = parsed(value, "a field of `emit`");
  if (index < 0) {
    if (context_.broken_streams.contains(rule_.emit.stream)) return;
    suggest_field(
        diagnostics_.error("E020", "stream `" + stream.name + "` has no field `" + key.text + "`", key.span, "unknown field"),
        key.text, stream.fields, schema_, sources_);
    return;
  }
  const Field& field = stream.fields[static_cast<size_t>(index)];
  if (field.computed != nullptr) {
    diagnostics_.error("E054", "`" + field.name + "` of `" + stream.name + "` is computed and cannot be emitted", key.span);
    return;
  }
  if (node == nullptr) return;
  ExpressionPtr checked =
      checker_.value_of_type(*node, fact_scope("`emit`"), field.type, "`" + field.name + "` of `" + stream.name + "`");
  if (checked == nullptr) return;
  if (checked->type.pii && !field.type.pii) {
    diagnostics_
        .error("E058", "`" + field.name + "` of `" + stream.name + "` would carry personal data", node->span,
               "from a field marked `pii`")
        .helps.push_back("declare it as `" + show(field.type, schema_) + " pii` " + declared(field, schema_, sources_));
    return;
  }
  rule_.emit.fields[static_cast<size_t>(index)] = std::move(checked);
}

}  // namespace tillwatch::rules
