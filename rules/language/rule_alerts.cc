// What an alert is: severity, labels, message, and how it ends.
#include <algorithm>
#include <array>

#include "rules/language/lexer.h"
#include "rules/language/names.h"
#include "rules/language/rule_reader.h"
#include "rules/language/schema_reader.h"
#include "rules/language/templates.h"

namespace tillwatch::rules {
namespace {

struct SeverityRow {
  std::string_view name;
  Severity severity;
};
constexpr std::array kSeverities = std::to_array<SeverityRow>({{"info", Severity::info},
                                                               {"low", Severity::low},
                                                               {"medium", Severity::medium},
                                                               {"high", Severity::high},
                                                               {"critical", Severity::critical}});

Template literal_text(std::string text) {
  Template result;
  result.parts.push_back({std::move(text), nullptr, Template::Format::plain});
  return result;
}

}  // namespace

bool RuleReader::severity_of(const YamlNode& node, Severity& severity) {
  if (!expect_scalar(node, "a severity", diagnostics_)) return false;
  const auto found =
      std::find_if(kSeverities.begin(), kSeverities.end(), [&](const SeverityRow& row) { return row.name == node.text; });
  if (found != kSeverities.end()) {
    severity = found->severity;
    return true;
  }
  std::vector<std::string> names;
  for (const SeverityRow& row : kSeverities) names.emplace_back(row.name);
  suggest(diagnostics_.error("E053", "there is no severity `" + node.text + "`", node.span, "unknown severity"), node.text,
          names, "severities");
  return false;
}

void RuleReader::severity() {
  const YamlNode* node = reader_.get("severity");
  if (node == nullptr) {
    const bool by_step =
        std::any_of(rule_.steps.begin(), rule_.steps.end(), [](const Step& step) { return step.has_severity; });
    const bool raises = reader_.get("message") != nullptr;
    if (raises && !by_step && reader_.is_mapping()) {
      diagnostics_.error("E053", "a rule that raises alerts needs `severity`", rule_.span)
          .helps.push_back("`severity: high`, or `{critical: CONDITION, else: medium}`, or `severity` in a step of `then`");
    }
    return;
  }
  if (node->shape != YamlNode::Shape::mapping) {
    SeverityCase only;
    if (severity_of(*node, only.severity)) rule_.severity.push_back(std::move(only));
    return;
  }
  bool otherwise = false;
  for (size_t index = 0; index < node->keys.size(); ++index) {
    const YamlNode& key = *node->keys[index];
    const YamlNode& value = *node->values[index];
    SeverityCase one;
    if (otherwise) {
      diagnostics_.error("E053", "nothing stands behind `else`", key.span, "never asked");
      continue;
    }
    otherwise = key.text == "else";
    if (otherwise) {
      if (severity_of(value, one.severity)) rule_.severity.push_back(std::move(one));
      continue;
    }
    const bool good = severity_of(key, one.severity);
    const ParseNodePtr condition = parsed(value, "the condition of a severity");
    if (condition != nullptr) one.when = checker_.condition(*condition, live_scope("`severity`"));
    if (one.when != nullptr) elapsed_is_plain(*one.when, "`severity`");
    if (good && one.when != nullptr) rule_.severity.push_back(std::move(one));
  }
  if (!otherwise) {
    diagnostics_.error("E053", "this `severity` does not say what it is otherwise", node->span, "add `else:`")
        .helps.push_back("for example `else: medium`");
  }
}

// Time passes without an event: when a condition on `elapsed` changes must be known beforehand.
bool RuleReader::elapsed_is_plain(const Expression& expression, std::string_view place) {
  const auto is_comparison = [](Op op) {
    return op == Op::less || op == Op::less_equal || op == Op::greater || op == Op::greater_equal || op == Op::equal ||
           op == Op::not_equal;
  };
  const auto plain = [](const Expression& other) {
    return other.node == Node::fact || (other.node == Node::literal && other.value.kind == ValueKind::duration);
  };
  if (expression.node == Node::binary && is_comparison(expression.op)) {
    const Expression& left = *expression.args[0];
    const Expression& right = *expression.args[1];
    if ((left.node == Node::elapsed && plain(right)) || (right.node == Node::elapsed && plain(left))) return true;
  }
  if (expression.node == Node::elapsed) {
    diagnostics_.error("E044", "in " + std::string(place) + " `elapsed` is compared with a duration or a fact", expression.span)
        .helps.push_back("for example `elapsed >= 5m`; make what it is compared with a fact in `let`");
    return false;
  }
  return std::all_of(expression.args.begin(), expression.args.end(),
                     [&](const ExpressionPtr& each) { return elapsed_is_plain(*each, place); });
}

Template RuleReader::text(const YamlNode& node, const Scope& scope) {
  if (!expect_scalar(node, "a text", diagnostics_)) return {};
  std::optional<Template> result = read_template(PlacedText(node, sources_), scope, checker_, diagnostics_);
  return result.has_value() ? std::move(*result) : Template{};
}

void RuleReader::labels() {
  const YamlNode* mapping = reader_.get("labels");
  if (mapping == nullptr || !expect_mapping(*mapping, "`labels`", diagnostics_)) return;
  for (size_t index = 0; index < mapping->keys.size(); ++index) {
    const YamlNode& key = *mapping->keys[index];
    if (!is_name(key.text)) {
      diagnostics_.error("E057", "`" + key.text + "` cannot be the name of a label", key.span)
          .helps.push_back("names are letters, digits and underscores");
      continue;
    }
    rule_.labels.emplace_back(key.text, text(*mapping->values[index], live_scope("`labels`")));
  }
}

void RuleReader::message() {
  const YamlNode* node = reader_.get("message");
  if (node == nullptr) {
    if (!reader_.is_mapping()) return;
    const bool emits = reader_.get("emit") != nullptr;
    const bool raises = reader_.get("severity") != nullptr || reader_.get("resolve") != nullptr;
    if (!emits || raises) {
      diagnostics_
          .error(emits ? "E004" : "E056",
                 emits ? "a rule that raises alerts needs `message`"
                       : "this rule does nothing: it has neither `message` nor `emit`",
                 rule_.span)
          .helps.push_back("`message: {en: \"…\", zh: \"…\"}` raises alerts, `emit: {stream: …, fields: …}` makes events");
    }
    return;
  }
  const MappingReader languages(*node, "`message`", {"en", "zh"}, diagnostics_);
  if (!languages.is_mapping()) return;
  const Scope scope = live_scope("`message`");
  for (const std::string_view language : {"en", "zh"}) {
    const YamlNode* in_language = languages.get(language);
    if (in_language == nullptr) {
      diagnostics_.error("E050", "this message has no `" + std::string(language) + "` text", languages.place())
          .helps.push_back("messages are written in English (`en`) and Chinese (`zh`)");
      continue;
    }
    (language == "en" ? rule_.message_en : rule_.message_zh) = text(*in_language, scope);
  }
}

void RuleReader::resolve() {
  const YamlNode* list = reader_.get("resolve");
  if (list == nullptr) return;
  if (list->shape == YamlNode::Shape::mapping) {
    diagnostics_.error("E005", "`resolve` is a list of ways", list->span).helps.push_back("begin each way with `- `");
    return;
  }
  if (!expect_sequence(*list, "`resolve`", diagnostics_)) return;
  if (list->values.size() > RuleLimits::kWays) {
    diagnostics_.error("E007", "a rule has at most " + std::to_string(RuleLimits::kWays) + " ways of resolving", list->span);
    return;
  }
  for (const YamlNode* node : list->values) way(*node);
}

void RuleReader::way(const YamlNode& node) {
  const MappingReader reader(node, "a way of resolving", {"on", "where", "when", "by", "for", "after", "reason"}, diagnostics_);
  if (!reader.is_mapping()) return;
  ResolveWay way;
  way.span = reader.place();
  const YamlNode* on = reader.get("on");
  const YamlNode* when = reader.get("when");
  const YamlNode* after = reader.get("after");
  if ((after != nullptr && (on != nullptr || when != nullptr)) || (after == nullptr && on == nullptr && when == nullptr)) {
    diagnostics_.error("E004", "a way of resolving is one of `on: STREAM`, `when: CONDITION` or `after: D`", way.span);
    return;
  }
  for (const std::string_view only_on : {"where", "by"}) {
    const YamlNode* extra = reader.get(only_on);
    if (on == nullptr && extra != nullptr)
      diagnostics_.error("E004", "`" + std::string(only_on) + "` belongs to a way with `on`", extra->span);
  }
  Scope scope = live_scope("`resolve`");
  std::string fallback = after != nullptr ? "expired" : "recovered";
  if (on != nullptr) {
    way_on_event(reader, *on, way, scope);
    fallback = on->text.substr(0, on->text.find(' '));
  }
  if (when != nullptr) {
    const ParseNodePtr condition = parsed(*when, "`when`");
    if (condition != nullptr) way.when = checker_.condition(*condition, scope);
    if (way.when != nullptr) scope.present.merge(proven(*way.when, true));
  }
  if (after != nullptr) way.after = longer_than_nothing(*after, "`after`");
  if (on == nullptr && way.when != nullptr) elapsed_is_plain(*way.when, "`resolve`");
  if (const YamlNode* held = reader.get("for")) {
    way.held_for = longer_than_nothing(*held, "`for`");
    if (on != nullptr || when == nullptr) {
      diagnostics_.error("E004", "`for` belongs to a way with `when` alone", reader.key_span("for"), "nothing to hold")
          .helps.push_back(
              "an event ends an alert at once; `- when: CONDITION` with `for: 5m` ends it when the condition has stayed true");
    }
  }
  reason(reader, fallback, scope, way);
  rule_.resolve.push_back(std::move(way));
}

// `scope` gets the event's (or row's) name; its fields are bare names in `where` only.
void RuleReader::way_on_event(const MappingReader& reader, const YamlNode& on, ResolveWay& way, Scope& scope) {
  const std::optional<Source> from = source(on);
  Scope::Alias alias;
  alias.binding = kResolver;
  alias.type.kind = Kind::event;
  alias.type.ref = kBroken;
  if (from.has_value()) {
    way.stream = schema_.find_stream(from->name);
    if (way.stream < 0) way.table = schema_.find_table(from->name);
    if (way.stream < 0 && way.table < 0) unknown_stream(*from, true);
    if (way.table >= 0 && schema_.tables[static_cast<size_t>(way.table)].derived) {
      diagnostics_.error("E054", "a table that rules make ends no alert", from->span)
          .helps.push_back("let the rule that makes it emit into a stream, and resolve on that");
    }
    if (way.stream >= 0) streams_read_.push_back(way.stream);
    alias.name = from->alias;
    if (way.table >= 0) alias.type.kind = Kind::row;
    if (way.stream >= 0 || way.table >= 0) alias.type.ref = way.table >= 0 ? way.table : way.stream;
    free_name(from->alias, from->alias_span, "the event that resolves");
  }
  ExpressionChecker::Renamed renamed;
  const YamlNode* by_node = reader.get("by");
  if (way.table >= 0 && by_node != nullptr) {
    diagnostics_.error("E004", "a way on a table takes no `by`: it is a new version of a row that the alert read",
                       by_node->span);
  } else if (way.stream >= 0 && by(by_node, way.stream, renamed)) {
    if (auto fields = checker_.carried_key(way.stream, renamed, on.span, true)) way.by = std::move(*fields);
  }
  if (const YamlNode* where = reader.get("where")) {
    Scope inner = scope;
    inner.aggregates = false;
    inner.place = "the `where` of a way of resolving";
    inner.candidate = way.stream >= 0  ? Scope::CandidateOf::stream
                      : way.table >= 0 ? Scope::CandidateOf::table
                                       : Scope::CandidateOf::unknown;
    inner.candidate_index = way.stream >= 0 ? way.stream : way.table;
    const ParseNodePtr condition = parsed(*where, "`where`");
    if (condition != nullptr) way.where = checker_.condition(*condition, inner);
    if (way.where != nullptr) scope.present.merge(rebound(proven(*way.where, true), kCandidate, kResolver));
  }
  scope.aliases.push_back(std::move(alias));
}

void RuleReader::reason(const MappingReader& reader, const std::string& fallback, const Scope& scope, ResolveWay& way) {
  const YamlNode* node = reader.get("reason");
  way.reason = node != nullptr ? text(*node, scope) : literal_text(fallback);
}

// Bare names are fields first: an alias that is called like one could not be told from it.
void RuleReader::alias_clashes() {
  for (const auto& [name, span] : alias_places_) {
    for (const int32_t stream : streams_read_) {
      const std::vector<Field>& fields = schema_.root(stream).fields;
      const auto same = std::find_if(fields.begin(), fields.end(),
                                     [&](const Field& field) { return field.name.substr(0, field.name.find('.')) == name; });
      if (same == fields.end()) continue;
      diagnostics_
          .error("E043",
                 "the name `" + name + "` is also a field of `" + schema_.streams[static_cast<size_t>(stream)].name + "` " +
                     declared(*same, schema_, sources_),
                 span, "choose another name")
          .helps.push_back("for example `as " + name.substr(0, 1) + "_event`");
      break;
    }
  }
}

}  // namespace tillwatch::rules
