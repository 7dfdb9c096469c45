// Views: conditions on another stream's events, and the elements of arrays in its records as events of their own.
#include <algorithm>

#include "rules/language/names.h"
#include "rules/language/schema_reader.h"

namespace tillwatch::rules {
namespace {

Field copy_of(const Field& field) {
  Field copy;
  copy.name = field.name;
  copy.type = field.type;
  copy.path = field.path;
  copy.currency_path = field.currency_path;
  copy.currency = field.currency;
  if (field.computed != nullptr) copy.computed = clone(*field.computed);
  copy.span = field.span;
  return copy;
}

}  // namespace

// Views stand behind their sources, whatever the order they are written in.
void SchemaReader::add_views() {
  std::vector<Pending> waiting = std::move(views_);
  while (!waiting.empty()) {
    std::vector<Pending> later;
    for (const Pending& pending : waiting) {
      if (!add_view(pending)) later.push_back(pending);
    }
    if (later.size() == waiting.size()) break;
    waiting = std::move(later);
  }
  // What still waits comes from nothing that was declared, or from itself.
  std::vector<std::string> names;
  for (const Stream& stream : schema_.streams) names.push_back(stream.name);
  for (const Pending& pending : waiting) {
    context_.broken_names.insert(pending.name);
    const YamlNode& from = *pending.node->find("from");
    if (!expect_scalar(from, "`from`", diagnostics_) || context_.broken_names.contains(from.text)) continue;
    const bool circle =
        std::any_of(waiting.begin(), waiting.end(), [&](const Pending& other) { return other.name == from.text; });
    if (circle) {
      diagnostics_.error("E065", "the view `" + pending.name + "` comes from itself", from.span);
    } else {
      suggest(diagnostics_.error("E038", "there is no stream `" + from.text + "`", from.span, "unknown stream"), from.text,
              names, "streams");
    }
  }
}

bool SchemaReader::add_view(const Pending& pending) {
  const YamlNode& from = *pending.node->find("from");
  const int source = schema_.find_stream(from.text);
  if (source < 0) return false;
  const bool opens = pending.node->find("each") != nullptr;
  const MappingReader reader =
      opens ? MappingReader(*pending.node, "a view with `each`",
                            {"from", "select", "id", "unique", "each", "fields", "computed"}, diagnostics_)
            : MappingReader(*pending.node, "a view", {"from", "select", "id", "unique", "each"}, diagnostics_);
  const Stream& parent = schema_.streams[static_cast<size_t>(source)];
  Stream view;
  view.name = pending.name;
  view.origin = Stream::Origin::view;
  view.root = parent.root;
  view.span = pending.node->span;
  view.time_field = parent.time_field;
  view.id = parent.id;
  view.numbered = parent.numbered;
  view.unique = parent.unique;
  view.lateness = parent.lateness;
  view.accept = parent.accept;
  view.feed = parent.feed;
  view.dark_after = parent.dark_after;
  view.dark_hold = parent.dark_hold;
  if (parent.select != nullptr) view.select = clone(*parent.select);
  bool good = !context_.broken_streams.contains(parent.root);
  if (opens) good = elements(reader, view) && good;
  const auto index = static_cast<int32_t>(schema_.streams.size());
  if (opens) view.root = index;
  if (!good) context_.broken_streams.insert(index);
  schema_.streams.push_back(std::move(view));
  if (const YamlNode* computed = reader.get("computed"); computed != nullptr && opens)
    computed_fields(schema_.streams.back(), *computed);
  select(reader, schema_.streams.back(), opens);
  Stream& added = schema_.streams.back();
  const std::vector<Field>& fields = schema_.root(index).fields;
  if (const YamlNode* id = reader.get("id")) {
    added.id = field_list(*id, fields, "stream `" + (opens ? added.name : from.text) + "`", good);
    added.numbered = false;
  }
  if (const YamlNode* unique = reader.get("unique")) unique_sets(*unique, added, fields);
  return true;
}

// What the view asks of its source's events, all of it.
void SchemaReader::select(const MappingReader& reader, Stream& view, bool may_be_left_out) {
  if (may_be_left_out && reader.get("select") == nullptr) return;
  const YamlNode* node = reader.need_scalar("select", "the condition on the source's events");
  const ParseNodePtr parsed = node == nullptr ? nullptr : parse_expression(PlacedText(*node, sources_), diagnostics_);
  if (parsed == nullptr) return;
  ExpressionPtr own = ExpressionChecker(context_, nullptr).condition(*parsed, event_scope(view.root, "`select`"));
  if (own == nullptr || view.select == nullptr) {
    view.select = std::move(own);
    return;
  }
  ExpressionPtr both = make_expression(Node::binary, own->type, *parsed);
  both->op = Op::op_and;
  both->args.push_back(std::move(view.select));
  both->args.push_back(std::move(own));
  view.select = std::move(both);
}

// `each: ARRAY` with the `fields` of its elements. False: reported.
bool SchemaReader::elements(const MappingReader& reader, Stream& view) {
  const Stream& record = schema_.streams[static_cast<size_t>(view.root)];
  bool good = true;
  std::vector<Field> own = fields(reader, "fields", Paths::element, good);
  const YamlNode* each = reader.scalar("each");
  if (each == nullptr) return false;
  view.origin = Stream::Origin::elements;
  view.array = each->text;
  view.numbered = true;
  view.unique.clear();
  const auto refuse = [&](std::string message, std::string help) {
    Diagnostic& mistake = diagnostics_.error("E066", std::move(message), each->span);
    if (!help.empty()) mistake.helps.push_back(std::move(help));
    good = false;
  };
  if (record.origin != Stream::Origin::topic) {
    refuse("`each` opens arrays of a topic's records, and `" + record.name + "` is " +
               (record.origin == Stream::Origin::derived ? "made by rules" : "the elements of one already"),
           "let the view come from a stream with a topic");
    return false;
  }
  view.record = view.root;
  if (!is_path(view.array)) refuse("`" + view.array + "` is no path of an array", "for example `each: fee_lines`");
  for (const Stream& other : schema_.streams) {
    if (other.record == view.record && other.array == view.array) {
      refuse("the view `" + other.name + "` opens `" + view.array + "` already",
             "take its events: `{from: " + other.name + ", select: …}`");
    }
  }
  for (const Field& field : record.fields) {
    const auto within = [&](const std::string& path) { return path == view.array || path.starts_with(view.array + "."); };
    if (field.computed != nullptr || (!within(field.path) && !within(field.currency_path))) continue;
    refuse("`" + view.array + "` is read as the field `" + field.name + "` " + declared(field, schema_, sources_) + " already",
           "what is an array of records has no field of its own");
    break;
  }
  for (Field& field : own) {
    if (find_field(record.fields, field.name) >= 0) {
      diagnostics_
          .error("E043",
                 "`" + record.name + "` has a field `" + field.name + "`, and its elements have all fields of the record",
                 field.span)
          .helps.push_back("give it another name: `" + (view.name + "_" + field.name) + ": TYPE @ \"" + field.path + "\"`");
      good = false;
    }
    if (field.currency_of.empty()) continue;
    const int of = find_field(record.fields, field.currency_of);
    if (of >= 0 && record.fields[static_cast<size_t>(of)].type.kind == Kind::money &&
        record.fields[static_cast<size_t>(of)].computed == nullptr)
      continue;
    good = false;
    diagnostics_
        .error("E061", "`" + record.name + "` has no money field `" + field.currency_of + "` read from its records", field.span)
        .helps.push_back("`currency of` names the field whose currency is meant");
  }
  view.record_fields = record.fields.size();
  for (const Field& field : record.fields) view.fields.push_back(copy_of(field));
  for (Field& field : own) view.fields.push_back(std::move(field));
  return good;
}

}  // namespace tillwatch::rules
