#include "rules/language/schema_reader.h"

#include <algorithm>

#include "rules/language/field_types.h"
#include "rules/language/lexer.h"
#include "rules/language/names.h"

namespace tillwatch::rules {

DurationMs constant_duration(const YamlNode* node, DurationMs fallback, const Sources& sources, Diagnostics& diagnostics) {
  if (node == nullptr || !expect_scalar(*node, "a duration", diagnostics)) return fallback;
  const std::optional<DurationMs> value = parse_constant_duration(PlacedText(*node, sources), diagnostics);
  if (!value.has_value()) return fallback;
  if (*value >= 0) return *value;
  diagnostics.error("E009", "a duration here is not negative", node->span);
  return fallback;
}

bool SchemaReader::is_schema(const YamlNode& document) {
  return document.find("streams") != nullptr || document.find("tables") != nullptr || document.find("lists") != nullptr;
}

void SchemaReader::add(const YamlNode& document) {
  const MappingReader reader(document, "a schema file", {"streams", "tables", "lists"}, diagnostics_);
  const YamlNode* streams = reader.get("streams");
  const YamlNode* tables = reader.get("tables");
  const YamlNode* lists = reader.get("lists");
  if (streams != nullptr && expect_mapping(*streams, "`streams`", diagnostics_)) add_streams(*streams);
  if (tables != nullptr && expect_mapping(*tables, "`tables`", diagnostics_)) add_tables(*tables);
  if (lists != nullptr && expect_mapping(*lists, "`lists`", diagnostics_)) add_lists(*lists);
}

bool SchemaReader::is_new(const YamlNode& key, std::string_view what) {
  const std::string qualified = std::string(what == "a list" ? "list " : "") + key.text;
  if (declared_.insert(qualified).second) return true;
  diagnostics_.error("E063", "the name `" + key.text + "` is declared twice", key.span, "second declaration")
      .helps.push_back("streams and tables share one space of names");
  return false;
}

void SchemaReader::add_streams(const YamlNode& mapping) {
  for (size_t index = 0; index < mapping.keys.size(); ++index) {
    const YamlNode& key = *mapping.keys[index];
    const YamlNode& node = *mapping.values[index];
    if (!expect_name(key, "a stream", diagnostics_) || !is_new(key, "a stream")) continue;
    if (!expect_mapping(node, "a stream", diagnostics_)) {
      context_.broken_names.insert(key.text);
    } else if (node.find("from") != nullptr) {
      views_.push_back({key.text, &node});
    } else if (node.find("derived") != nullptr) {
      derived_stream(key, node);
    } else {
      topic_stream(key, node);
    }
  }
}

std::vector<Field> SchemaReader::fields(const MappingReader& reader, std::string_view key, Paths paths, bool& good) {
  const YamlNode* node = reader.need(key);
  if (node == nullptr || !expect_mapping(*node, "`" + std::string(key) + "`", diagnostics_)) {
    good = false;
    return {};
  }
  std::vector<Field> result = read_fields(*node, paths, schema_.enums, sources_, diagnostics_);
  if (result.size() > SchemaLimits::kFields) {
    diagnostics_.error("E007", "more than " + std::to_string(SchemaLimits::kFields) + " fields", node->span);
    result.resize(SchemaLimits::kFields);
    good = false;
  }
  return result;
}

void SchemaReader::add_stream(Stream stream, const YamlNode& node, bool good) {
  const auto index = static_cast<int32_t>(schema_.streams.size());
  stream.root = index;
  if (!good) context_.broken_streams.insert(index);
  streams_.push_back({stream.name, &node});
  schema_.streams.push_back(std::move(stream));
}

void SchemaReader::topic_stream(const YamlNode& key, const YamlNode& node) {
  const MappingReader reader(node, "a stream",
                             {"topic", "time", "id", "unique", "lateness", "accept", "feed", "dark_after", "dark_hold",
                              "fields", "computed", "from", "derived"},
                             diagnostics_);
  Stream stream;
  stream.name = key.text;
  stream.span = key.span;
  bool good = true;
  if (const YamlNode* topic =
          reader.need_scalar("topic", "a stream comes from a `topic`, or `from` another one, or is `derived: true`")) {
    stream.topic = topic->text;
  }
  stream.fields = fields(reader, "fields", Paths::record, good);
  good = stream_settings(reader, stream) && good;
  if (const YamlNode* time = reader.need_scalar("time", "the field with the event time")) {
    stream.time_field = find_field(stream.fields, time->text);
    const bool found = stream.time_field >= 0;
    const Type type = found ? stream.fields[static_cast<size_t>(stream.time_field)].type : Type{};
    if (!found && good) {
      suggest_field(diagnostics_.error("E020", "stream `" + stream.name + "` has no field `" + time->text + "`", time->span,
                                       "unknown field"),
                    time->text, stream.fields, schema_, sources_);
    } else if (found && type.ref != kBroken && (type.kind != Kind::time || type.optional)) {
      diagnostics_.error("E062", "the event time is a field of type `time`, `" + time->text + "` is " + show(type, schema_),
                         time->span);
    }
  }
  reader.need("id", "the fields that identify an event: repeats with the same are dropped");
  add_stream(std::move(stream), node, good);
}

void SchemaReader::derived_stream(const YamlNode& key, const YamlNode& node) {
  const MappingReader reader(node, "a derived stream", {"derived", "fields", "computed", "unique"}, diagnostics_);
  Stream stream;
  stream.name = key.text;
  stream.span = key.span;
  stream.origin = Stream::Origin::derived;
  stream.feed = key.text;
  bool good = true;
  const YamlNode* derived = reader.scalar("derived");
  if (derived != nullptr && derived->text != "true") {
    diagnostics_.error("E009", "`derived` is `true` or not there", derived->span);
  }
  stream.fields = fields(reader, "fields", Paths::none, good);
  add_stream(std::move(stream), node, good);
}

bool SchemaReader::stream_settings(const MappingReader& reader, Stream& stream) {
  stream.feed = stream.name;
  stream.lateness = constant_duration(reader.get("lateness"), 0, sources_, diagnostics_);
  stream.dark_hold = constant_duration(reader.get("dark_hold"), stream.dark_hold, sources_, diagnostics_);
  if (const YamlNode* feed = reader.get("feed")) {
    if (feed->shape == YamlNode::Shape::sequence) {
      diagnostics_.error("E090", "feeds per value (`feed: [field]`) are not available yet", feed->span);
    } else if (expect_scalar(*feed, "`feed`", diagnostics_)) {
      stream.feed = feed->text;
    }
  }
  if (const YamlNode* dark_after = reader.scalar("dark_after")) {
    const ParseNodePtr number = parse_expression(PlacedText(*dark_after, sources_), diagnostics_);
    if (number == nullptr) return true;
    if (number->kind == ParseNode::Kind::literal && number->literal == Kind::integer) {
      stream.dark_after = number->value.i;
    } else {
      diagnostics_.error("E009", "`dark_after` is a whole number", dark_after->span);
    }
  }
  return true;
}

std::vector<int32_t> SchemaReader::field_list(const YamlNode& node, const std::vector<Field>& fields, const std::string& owner,
                                              bool& good) {
  std::vector<int32_t> result;
  std::vector<const YamlNode*> names = node.values;
  if (node.shape == YamlNode::Shape::scalar) names = {&node};
  if (node.shape == YamlNode::Shape::mapping || names.empty()) {
    diagnostics_.error("E005", "a list of fields is needed here", node.span);
    good = false;
    return {};
  }
  for (const YamlNode* name : names) {
    if (!expect_scalar(*name, "a field's name", diagnostics_)) {
      good = false;
      continue;
    }
    const int index = find_field(fields, name->text);
    if (index < 0) {
      good = false;
      suggest_field(diagnostics_.error("E020", owner + " has no field `" + name->text + "`", name->span, "unknown field"),
                    name->text, fields, schema_, sources_);
      continue;
    }
    result.push_back(index);
  }
  return result;
}

void SchemaReader::unique_sets(const YamlNode& node, Stream& stream, const std::vector<Field>& fields) {
  if (!expect_sequence(node, "`unique`", diagnostics_)) return;
  for (const YamlNode* set : node.values) {
    bool good = true;
    std::vector<int32_t> indexes = field_list(*set, fields, "stream `" + stream.name + "`", good);
    if (good) stream.unique.push_back(std::move(indexes));
  }
}

Scope SchemaReader::event_scope(int32_t stream, std::string place) const {
  Scope scope;
  scope.candidate = Scope::CandidateOf::stream;
  scope.candidate_index = stream;
  scope.place = std::move(place);
  return scope;
}

void SchemaReader::computed_fields(Stream& stream, const YamlNode& computed) {
  if (!expect_mapping(computed, "`computed`", diagnostics_)) return;
  ExpressionChecker checker(context_, nullptr);
  for (size_t index = 0; index < computed.keys.size(); ++index) {
    const YamlNode& key = *computed.keys[index];
    expect_name(key, "a field", diagnostics_);
    if (find_field(stream.fields, key.text) >= 0) {
      diagnostics_.error("E043", "stream `" + stream.name + "` already has a field `" + key.text + "`", key.span);
      continue;
    }
    Field field;
    field.name = key.text;
    field.span = key.span;
    field.type.ref = kBroken;
    if (expect_scalar(*computed.values[index], "a computed field", diagnostics_)) {
      const ParseNodePtr node = parse_expression(PlacedText(*computed.values[index], sources_), diagnostics_);
      if (node != nullptr) field.computed = checker.check(*node, event_scope(stream.root, "a computed field"));
      if (field.computed != nullptr) field.type = field.computed->type;
    }
    stream.fields.push_back(std::move(field));
  }
}

// `accept: 24h where upload_mode != online`
void SchemaReader::accept(const YamlNode& node, Stream& stream) {
  if (!expect_scalar(node, "`accept`", diagnostics_)) return;
  const PlacedText text(node, sources_);
  const std::vector<Token> tokens = tokenize(text, diagnostics_);
  if (tokens.empty()) return;
  const bool conditional = tokens.size() > 1 && tokens[1].is("where");
  if (tokens[0].kind != Token::Kind::duration || (tokens.size() > 2 && !conditional)) {
    diagnostics_.error("E016", "`accept` is a duration, and a condition if not all events are meant", text.span())
        .helps.push_back("for example `24h where upload_mode != online`");
    return;
  }
  stream.accept = tokens[0].value;
  if (!conditional) return;
  const ParseNodePtr parsed = parse_expression(text.part(tokens[1].end, text.text().size()), diagnostics_);
  if (parsed == nullptr) return;
  stream.accept_where = ExpressionChecker(context_, nullptr).condition(*parsed, event_scope(stream.root, "`accept`"));
}

void SchemaReader::finish() {
  for (const Pending& pending : streams_) finish_stream(pending);
  add_views();
  add_table_streams();
}

void SchemaReader::finish_stream(const Pending& pending) {
  const auto index = static_cast<size_t>(schema_.find_stream(pending.name));
  Stream& stream = schema_.streams[index];
  if (const YamlNode* computed = pending.node->find("computed")) computed_fields(stream, *computed);
  bool good = true;
  const YamlNode* id = pending.node->find("id");
  if (id != nullptr && stream.origin == Stream::Origin::topic)
    stream.id = field_list(*id, stream.fields, "stream `" + stream.name + "`", good);
  if (const YamlNode* unique = pending.node->find("unique")) unique_sets(*unique, stream, stream.fields);
  if (const YamlNode* node = pending.node->find("accept")) accept(*node, stream);
}

}  // namespace tillwatch::rules
