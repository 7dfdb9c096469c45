// `then`: what must come, or must not.
#include <algorithm>

#include "rules/language/lexer.h"
#include "rules/language/names.h"
#include "rules/language/rule_reader.h"
#include "rules/language/schema_reader.h"

namespace tillwatch::rules {
namespace {

ExpressionPtr zero_duration(const Span& span) {
  auto zero = std::make_unique<Expression>();
  zero->type.kind = Kind::duration;
  zero->value = Value::of_duration(0);
  zero->span = span;
  return zero;
}

}  // namespace

void RuleReader::steps() {
  const YamlNode* list = reader_.get("then");
  if (list == nullptr || !expect_sequence(*list, "`then`", diagnostics_)) return;
  if (list->values.size() > RuleLimits::kSteps) {
    diagnostics_.error("E007", "a rule has at most " + std::to_string(RuleLimits::kSteps) + " steps", list->span);
    return;
  }
  for (const YamlNode* node : list->values) step(*node);
}

void RuleReader::step(const YamlNode& node) {
  const MappingReader reader(node, "a step", {"event", "absent", "where", "by", "within", "until", "take", "grace", "severity"},
                             diagnostics_);
  Step step;
  step.binding = static_cast<int32_t>(rule_.steps.size()) + 1;
  step.span = reader.place();
  const YamlNode* event = reader.get("event");
  const YamlNode* absent = reader.get("absent");
  const YamlNode* named = event != nullptr ? event : absent;
  if ((event == nullptr) == (absent == nullptr)) {
    if (reader.is_mapping()) diagnostics_.error("E004", "a step is either `event: STREAM` or `absent: STREAM`", step.span);
    return;
  }
  step.absent = absent != nullptr;
  const std::optional<Source> from = source(*named);
  if (from.has_value()) {
    step.stream = stream_of(*from);
    step.alias = from->alias;
    if (step.absent && from->named) {
      diagnostics_.error("E042", "what must not come has no name", from->alias_span, "never there")
          .helps.push_back("in `where` its fields are bare names");
    }
  }
  if (step.stream >= 0) streams_read_.push_back(step.stream);
  ExpressionChecker::Renamed renamed;
  if (by(reader.get("by"), step.stream, renamed) && step.stream >= 0) {
    if (auto fields = checker_.carried_key(step.stream, renamed, named->span, true)) step.by = std::move(*fields);
  }
  Scope scope = step_scope(step.stream, "the `where` of a step");
  if (const YamlNode* where = reader.get("where")) {
    const ParseNodePtr condition = parsed(*where, "`where`");
    if (condition != nullptr) step.where = checker_.condition(*condition, scope);
  }
  step_timing(reader, step);
  if (!step.absent && from.has_value()) {
    Scope::Alias alias{step.alias, step.binding, {}};
    alias.type.kind = Kind::event;
    alias.type.ref = step.stream >= 0 ? step.stream : kBroken;
    if (free_name(step.alias, from->alias_span, "an event")) {
      aliases_.push_back(std::move(alias));
      alias_places_.emplace_back(step.alias, from->alias_span);
    }
    if (step.where != nullptr) present_.merge(rebound(proven(*step.where, true), kCandidate, step.binding));
  }
  rule_.steps.push_back(std::move(step));
}

void RuleReader::step_timing(const MappingReader& reader, Step& step) {
  const std::string kind = step.absent ? "absent" : "event";
  if (const YamlNode* limit = reader.get("within")) {
    within(*limit, step);
  } else {
    Diagnostic& mistake = diagnostics_.error("E018", "this `" + kind + "` step has no time limit", step.span, "add `within`");
    mistake.helps.push_back("for example `within: 5m`, or `within: [-10m, 5m]` around the trigger");
    if (step.absent) mistake.notes.push_back("without a limit nothing could ever be found missing");
  }
  if (const YamlNode* node = reader.get("until")) until(*node, step);
  if (const YamlNode* take = reader.scalar("take")) {
    step.take_one = true;
    if (take->text != "one") diagnostics_.error("E009", "`take` is `one` or not there", take->span);
  }
  if (const YamlNode* grace = reader.get("grace")) {
    step.grace = constant_duration(grace, 0, sources_, diagnostics_);
    const DurationMs lateness = step.stream < 0 ? 0 : schema_.streams[static_cast<size_t>(step.stream)].lateness;
    if (step.grace < lateness && step.grace > 0) {
      diagnostics_.warning("W003",
                           "this grace is shorter than the lateness of `" +
                               schema_.streams[static_cast<size_t>(step.stream)].name + "` (" + format_duration(lateness) + ")",
                           grace->span);
    }
  }
  if (const YamlNode* severity = reader.get("severity")) step.has_severity = severity_of(*severity, step.severity);
}

// `until: passed`, or `until: {event: passed, by: theirs = ours}`
void RuleReader::until(const YamlNode& node, Step& step) {
  const YamlNode* named = &node;
  const YamlNode* renames = nullptr;
  if (node.shape == YamlNode::Shape::mapping) {
    const MappingReader parts(node, "`until`", {"event", "by"}, diagnostics_);
    named = parts.need_scalar("event", "the stream whose event ends the wait early");
    renames = parts.get("by");
    if (named == nullptr) return;
  }
  const std::optional<Source> stream = source(*named);
  step.until = stream.has_value() ? stream_of(*stream) : -1;
  ExpressionChecker::Renamed renamed;
  if (step.until < 0 || !by(renames, step.until, renamed)) return;
  if (auto fields = checker_.carried_key(step.until, renamed, named->span, true)) step.until_by = std::move(*fields);
}

// `D` means [0s, D].
void RuleReader::within(const YamlNode& node, Step& step) {
  if (node.shape == YamlNode::Shape::scalar) {
    step.from = zero_duration(node.span);
    step.to = bound(node);
  } else if (node.shape == YamlNode::Shape::sequence && node.values.size() == 2) {
    step.from = bound(*node.values[0]);
    step.to = bound(*node.values[1]);
  } else {
    diagnostics_.error("E005", "`within` is a duration or a list of two", node.span)
        .helps.push_back("for example `[-10m, 5m]`; an expression with commas stands on a line of its own, behind `- `");
    return;
  }
  if (step.from == nullptr || step.to == nullptr) return;
  const bool constant = step.from->node == Node::literal && step.to->node == Node::literal;
  if (constant && step.from->value.i > step.to->value.i) {
    diagnostics_.error("E009", "this `within` ends before it begins", node.span, "never")
        .helps.push_back("write the earlier end first: `[-10m, 5m]`");
  }
}

ExpressionPtr RuleReader::bound(const YamlNode& node) {
  const ParseNodePtr value = parsed(node, "an end of `within`");
  if (value == nullptr) return nullptr;
  Scope scope = fact_scope("`within`");
  scope.aggregates = false;
  return checker_.value_of_kind(*value, scope, Kind::duration);
}

// `by: theirs = ours, …`; false when something is wrong, which is reported.
bool RuleReader::by(const YamlNode* node, int32_t stream, ExpressionChecker::Renamed& renamed) {
  if (node == nullptr) return true;
  bool good = true;
  if (node->shape == YamlNode::Shape::sequence) {
    for (const YamlNode* item : node->values) {
      good =
          expect_scalar(*item, "a part of `by`", diagnostics_) && by_pair(PlacedText(*item, sources_), stream, renamed) && good;
    }
    return good;
  }
  if (!expect_scalar(*node, "`by`", diagnostics_)) return false;
  const PlacedText text(*node, sources_);
  for (size_t begin = 0; begin <= text.text().size();) {
    const size_t end = std::min(text.text().find(',', begin), text.text().size());
    good = by_pair(text.part(begin, end), stream, renamed) && good;
    begin = end + 1;
  }
  return good;
}

bool RuleReader::by_pair(const PlacedText& text, int32_t stream, ExpressionChecker::Renamed& renamed) {
  const std::vector<Token> tokens = tokenize(text, diagnostics_);
  if (tokens.empty()) return false;
  struct Side {
    std::string name;
    size_t begin = 0, end = 0;
  };
  std::vector<Side> sides(1, Side{"", tokens[0].begin, tokens[0].end});
  bool good = true;
  for (const Token& token : tokens) {
    if (token.is("=")) {
      sides.push_back({"", token.end, token.end});
    } else if (token.kind == Token::Kind::word || token.is(".")) {
      if (sides.back().name.empty()) sides.back().begin = token.begin;
      sides.back().name += token.text;
      sides.back().end = token.end;
    } else if (token.kind != Token::Kind::end) {
      good = false;
    }
  }
  if (!good || sides.size() > 2 || sides.front().name.empty() || sides.back().name.empty()) {
    diagnostics_.error("E042", "`by` is a list of `theirs = ours`", text.span())
        .helps.push_back("for example `by: original_id = txn_id`");
    return false;
  }
  const Side& theirs = sides.front();
  const Side& ours = sides.back();
  const bool known =
      std::any_of(rule_.key.begin(), rule_.key.end(), [&](const KeyPart& part) { return part.name == ours.name; });
  const bool key_broken = std::any_of(rule_.key.begin(), rule_.key.end(), [](const KeyPart& part) { return part.field < 0; });
  if (!known && !key_broken) {
    std::vector<std::string> parts;
    for (const KeyPart& part : rule_.key) parts.push_back(part.name);
    suggest(diagnostics_.error("E040", "`" + ours.name + "` is not a part of this rule's key", text.span(ours.begin, ours.end)),
            ours.name, parts, "key");
    good = false;
  }
  if (stream < 0) return false;
  const std::vector<Field>& fields = schema_.root(stream).fields;
  if (find_field(fields, theirs.name) < 0) {
    good = false;
    if (!context_.broken_streams.contains(stream)) {
      suggest_field(
          diagnostics_.error(
              "E020", "stream `" + schema_.streams[static_cast<size_t>(stream)].name + "` has no field `" + theirs.name + "`",
              text.span(theirs.begin, theirs.end), "unknown field"),
          theirs.name, fields, schema_, sources_);
    }
  }
  renamed.emplace_back(theirs.name, ours.name);
  return good;
}

}  // namespace tillwatch::rules
