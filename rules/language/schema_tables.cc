// Tables and lists of a schema file.
#include <string>

#include "rules/language/field_types.h"
#include "rules/language/names.h"
#include "rules/language/schema_reader.h"

namespace tillwatch::rules {
namespace {

bool can_be_key(const Type& type) {
  return type.kind != Kind::geo && type.kind != Kind::list && type.kind != Kind::tariff && type.kind != Kind::row &&
         type.kind != Kind::event;
}

void trim(std::string_view& text) {
  while (!text.empty() && std::string_view(" \t\r").contains(text.front())) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r").contains(text.back())) text.remove_suffix(1);
}

// One value a line; `#` at the beginning of a line or behind a blank begins a comment.
std::string_view value_of_line(std::string_view line) {
  for (size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '#' && (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t')) {
      line = line.substr(0, at);
      break;
    }
  }
  trim(line);
  return line;
}

}  // namespace

void SchemaReader::add_tables(const YamlNode& mapping) {
  for (size_t index = 0; index < mapping.keys.size(); ++index) {
    const YamlNode& key = *mapping.keys[index];
    if (!expect_name(key, "a table", diagnostics_) || !is_new(key, "a table")) continue;
    if (!expect_mapping(*mapping.values[index], "a table", diagnostics_)) {
      context_.broken_names.insert(key.text);
      continue;
    }
    table(key, *mapping.values[index]);
  }
}

void SchemaReader::table(const YamlNode& key, const YamlNode& node) {
  const MappingReader reader(node, "a table", {"topic", "key", "valid", "columns", "derived"}, diagnostics_);
  Table table;
  table.name = key.text;
  table.span = key.span;
  bool good = true;
  if (const YamlNode* derived = reader.scalar("derived")) {
    table.derived = true;
    if (derived->text != "true") diagnostics_.error("E009", "`derived` is `true` or not there", derived->span);
    for (const std::string_view never : {"topic", "valid"}) {
      if (reader.get(never) == nullptr) continue;
      diagnostics_.error("E004", "a table that rules make has no `" + std::string(never) + "`", reader.key_span(never));
    }
  } else if (const YamlNode* topic =
                 reader.need_scalar("topic", "the topic its versions come from, or it is `derived: true`")) {
    table.topic = topic->text;
  }
  table.columns = fields(reader, "columns", table.derived ? Paths::none : Paths::record, good);
  table_times(reader, table, good);
  if (const YamlNode* columns = reader.need("key", "the columns a row is looked up by")) {
    table.key = field_list(*columns, table.columns, "table `" + table.name + "`", good);
  }
  good = good && !table.key.empty();
  for (const int32_t column : table.key) {
    const Field& field = table.columns[static_cast<size_t>(column)];
    if (field.type.ref == kBroken || (can_be_key(field.type) && !field.type.optional)) continue;
    diagnostics_.error(
        "E048", "`" + field.name + "` of table `" + table.name + "` is " + show(field.type, schema_) + " and cannot be a key",
        reader.get("key")->span);
  }
  if (!good) context_.broken_tables.insert(static_cast<int32_t>(schema_.tables.size()));
  schema_.tables.push_back(std::move(table));
}

// What rules put into a table, and what is folded into the alerts behind its rows, travels as events of streams made here.
void SchemaReader::add_table_streams() {
  const auto add = [&](const std::string& name, std::vector<Field> fields, const Span& span) {
    Stream stream;
    stream.name = stream.feed = name;
    stream.origin = Stream::Origin::derived;
    stream.root = static_cast<int32_t>(schema_.streams.size());
    stream.fields = std::move(fields);
    stream.span = span;
    schema_.streams.push_back(std::move(stream));
    return static_cast<int32_t>(schema_.streams.size()) - 1;
  };
  const auto plain = [](const Field& field) {
    Field copy;
    copy.name = field.name;
    copy.type = field.type;
    copy.span = field.span;
    return copy;
  };
  for (size_t index = 0; index < schema_.tables.size(); ++index) {
    Table& table = schema_.tables[index];
    if (!table.derived || context_.broken_tables.contains(static_cast<int32_t>(index))) continue;
    std::vector<Field> columns, folds;
    for (const Field& column : table.columns) columns.push_back(plain(column));
    for (const int32_t column : table.key) folds.push_back(plain(table.columns[static_cast<size_t>(column)]));
    Field amount;
    amount.name = "amount_of_fold";
    amount.type.kind = Kind::money;
    amount.type.optional = true;
    folds.push_back(std::move(amount));
    table.rows_stream = add("rows of " + table.name, std::move(columns), table.span);
    table.folds_stream = add("folds into " + table.name, std::move(folds), table.span);
  }
}

void SchemaReader::table_times(const MappingReader& reader, Table& table, bool& good) {
  std::string from = "effective_from";
  std::string to = "effective_to";
  Span from_span = table.span;
  Span to_span = table.span;
  if (const YamlNode* valid = reader.get("valid")) {
    const bool pair = valid->shape == YamlNode::Shape::sequence && valid->values.size() == 2 &&
                      valid->values[0]->shape == YamlNode::Shape::scalar && valid->values[1]->shape == YamlNode::Shape::scalar;
    if (pair) {
      from = valid->values[0]->text;
      to = valid->values[1]->text;
      from_span = valid->values[0]->span;
      to_span = valid->values[1]->span;
    } else {
      diagnostics_.error("E005", "`valid` is a list of two columns: `[effective_from, effective_to]`", valid->span);
      good = false;
    }
  }
  const auto column = [&](const std::string& name, bool optional, const Span& span) {
    int index = find_field(table.columns, name);
    if (index >= 0) {
      const Type& type = table.columns[static_cast<size_t>(index)].type;
      if (type.ref != kBroken && (type.kind != Kind::time || (type.optional && !optional))) {
        diagnostics_.error("E062",
                           "`" + name + "` of table `" + table.name + "` is a time" +
                               (optional ? "" : " that is always there") + ", not " + show(type, schema_),
                           table.columns[static_cast<size_t>(index)].span);
      }
      return index;
    }
    if (name != "effective_from" && name != "effective_to" && name != "recorded_at") {
      suggest_field(
          diagnostics_.error("E020", "table `" + table.name + "` has no column `" + name + "`", span, "unknown column"), name,
          table.columns, schema_, sources_);
      return -1;
    }
    Field field;
    field.name = name;
    field.path = name;
    field.type.kind = Kind::time;
    field.type.optional = optional;
    field.span = table.span;
    table.columns.push_back(std::move(field));
    return static_cast<int>(table.columns.size()) - 1;
  };
  table.valid_from = column(from, false, from_span);
  table.valid_to = column(to, true, to_span);
  table.recorded_at = column("recorded_at", false, table.span);
}

void SchemaReader::add_lists(const YamlNode& mapping) {
  for (size_t index = 0; index < mapping.keys.size(); ++index) {
    const YamlNode& key = *mapping.keys[index];
    if (!expect_name(key, "a list", diagnostics_) || !is_new(key, "a list")) continue;
    NamedList list;
    list.name = key.text;
    list.span = key.span;
    if (!list_values(key, *mapping.values[index], list)) {
      context_.broken_names.insert(key.text);
      continue;
    }
    schema_.lists.push_back(std::move(list));
  }
}

bool SchemaReader::list_values(const YamlNode& key, const YamlNode& node, NamedList& list) {
  const YamlNode* values = &node;
  if (node.shape == YamlNode::Shape::mapping) {
    const MappingReader reader(node, "a list", {"file", "values"}, diagnostics_);
    if (const YamlNode* file = reader.get("file"))
      return expect_scalar(*file, "`file`", diagnostics_) && list_file(*file, list);
    values = reader.get("values");
  }
  if (values == nullptr || values->shape != YamlNode::Shape::sequence) {
    diagnostics_.error("E005", "the list `" + key.text + "` needs a `file` or its values", key.span)
        .helps.push_back("for example `{file: lists/" + key.text + ".txt}` or `[\"a\", \"b\"]`");
    return false;
  }
  for (const YamlNode* value : values->values) {
    if (!expect_scalar(*value, "a value of a list", diagnostics_)) return false;
    list.values.insert(value->text);
  }
  return true;
}

bool SchemaReader::list_file(const YamlNode& file, NamedList& list) {
  list.file = file.text;
  const Expected<std::string> text = read_list_file_(sources_.name(file.span.file), file.text);
  if (!text.has_value()) {
    diagnostics_.error("E064", "the list file `" + file.text + "` cannot be read: " + text.error().message, file.span)
        .helps.push_back("its name is relative to the folder of the schema file");
    return false;
  }
  size_t bad_at = 0;
  if (!is_utf8(*text, bad_at)) {
    diagnostics_.error("E064", "the list file `" + file.text + "` is not UTF-8 text (byte " + std::to_string(bad_at + 1) + ")",
                       file.span);
    return false;
  }
  const std::string_view all = *text;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    const std::string_view value = value_of_line(all.substr(at, end - at));
    if (!value.empty()) list.values.emplace(value);
    at = end + 1;
  }
  if (list.values.size() <= SchemaLimits::kListValues) return true;
  diagnostics_.error("E007",
                     "the list file `" + file.text + "` has more than " + std::to_string(SchemaLimits::kListValues) + " values",
                     file.span);
  return false;
}

}  // namespace tillwatch::rules
