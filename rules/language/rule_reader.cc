#include "rules/language/rule_reader.h"

#include <algorithm>
#include <array>

#include "rules/language/field_types.h"
#include "rules/language/lexer.h"
#include "rules/language/names.h"
#include "rules/language/schema_reader.h"

namespace tillwatch::rules {
namespace {

struct ModeRow {
  std::string_view name;
  Mode mode;
};
constexpr std::array kModes = std::to_array<ModeRow>({{"live", Mode::live}, {"shadow", Mode::shadow}, {"off", Mode::off}});

bool is_rule_name(std::string_view name) {
  constexpr size_t kLongest = 100;
  if (name.empty() || name.size() > kLongest || name.front() == '-' || name.back() == '-' || name.contains("--")) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char sign) { return (sign >= 'a' && sign <= 'z') || (sign >= '0' && sign <= '9') || sign == '-'; });
}

bool can_be_key(const Type& type) {
  return type.kind != Kind::geo && type.kind != Kind::list && type.kind != Kind::tariff && type.kind != Kind::row &&
         type.kind != Kind::event;
}

// Whether a value can come later: when a table or a stream has moved.
bool can_move(const Expression& expression) {
  if (expression.node == Node::lookup || expression.node == Node::aggregate || expression.node == Node::fact) return true;
  return std::any_of(expression.args.begin(), expression.args.end(),
                     [](const ExpressionPtr& argument) { return can_move(*argument); });
}

}  // namespace

CheckedRule RuleReader::read() {
  if (!reader_.is_mapping()) return std::move(rule_);
  rule_.source_text = canonical_text(reader_.node());
  header();
  title();
  trigger();
  where();
  key();
  except();
  facts();
  when();
  held_for();
  steps();
  severity();
  rule_.quiet = constant_duration(reader_.get("quiet"), -1, sources_, diagnostics_);
  labels();
  message();
  resolve();
  emission();
  fold();
  limit();
  alias_clashes();
  return std::move(rule_);
}

void RuleReader::header() {
  rule_.span = reader_.place();
  if (const YamlNode* name = reader_.need_scalar("rule", "its name: `rule: duplicate-debit`")) {
    rule_.name = name->text;
    rule_.span = name->span;
    if (!is_rule_name(name->text)) {
      diagnostics_.error("E057", "`" + name->text + "` cannot be the name of a rule", name->span)
          .helps.push_back("words of small letters and digits, joined by hyphens: `duplicate-debit`");
    }
  }
  if (const YamlNode* version = reader_.need_scalar("version", "`version: 1`; it rises when the rule changes")) {
    const bool digits =
        std::all_of(version->text.begin(), version->text.end(), [](char sign) { return sign >= '0' && sign <= '9'; });
    constexpr size_t kMostDigits = 9;
    if (digits && version->text.size() <= kMostDigits && version->text[0] != '0') {
      rule_.version = std::stoll(version->text);
    } else {
      diagnostics_.error("E009", "a version is a whole number from 1", version->span);
    }
  }
  if (const YamlNode* mode = reader_.scalar("mode")) {
    const auto found = std::find_if(kModes.begin(), kModes.end(), [&](const ModeRow& row) { return row.name == mode->text; });
    if (found != kModes.end()) {
      rule_.mode = found->mode;
    } else {
      suggest(diagnostics_.error("E009", "there is no mode `" + mode->text + "`", mode->span), mode->text,
              {"live", "shadow", "off"}, "modes");
    }
  }
}

void RuleReader::title() {
  rule_.title_en = rule_.title_zh = rule_.name;
  if (const YamlNode* node = reader_.get("title")) {
    if (node->shape == YamlNode::Shape::scalar) {
      rule_.title_en = rule_.title_zh = node->text;
    } else {
      const MappingReader languages(*node, "`title`", {"en", "zh"}, diagnostics_);
      if (const YamlNode* en = languages.need_scalar("en")) rule_.title_en = rule_.title_zh = en->text;
      if (const YamlNode* zh = languages.need_scalar("zh")) rule_.title_zh = zh->text;
    }
  }
  if (const YamlNode* doc = reader_.scalar("doc")) rule_.doc = doc->text;
  if (const YamlNode* owner = reader_.scalar("owner")) rule_.owner = owner->text;
  const YamlNode* runbook = reader_.scalar("runbook");
  rule_.runbook = runbook != nullptr ? runbook->text : "docs/runbooks/" + rule_.name + ".md";
}

std::optional<RuleReader::Source> RuleReader::source(const YamlNode& node) {
  if (!expect_scalar(node, "the name of a stream", diagnostics_)) return std::nullopt;
  const PlacedText text(node, sources_);
  const std::vector<Token> tokens = tokenize(text, diagnostics_);
  if (tokens.empty()) return std::nullopt;
  const auto is_word = [&](size_t index) {
    return tokens[index].kind == Token::Kind::word && !is_reserved(tokens[index].text);
  };
  const bool alone = tokens.size() == 2 && is_word(0);
  const bool named = tokens.size() == 4 && is_word(0) && tokens[1].is("as") && is_word(2);
  if (!alone && !named) {
    diagnostics_.error("E042", "this is neither `STREAM` nor `STREAM as NAME`", text.span())
        .helps.push_back("for example `debit as d`");
    return std::nullopt;
  }
  const Token& last = tokens[named ? 2 : 0];
  return Source{std::string(tokens[0].text), std::string(last.text), text.span(tokens[0].begin, tokens[0].end),
                text.span(last.begin, last.end), named};
}

void RuleReader::unknown_stream(const Source& source, bool tables_too) {
  if (context_.broken_names.contains(source.name)) return;
  std::vector<std::string> names;
  for (const Stream& stream : schema_.streams) names.push_back(stream.name);
  if (tables_too) {
    for (const Table& table : schema_.tables) names.push_back(table.name);
  }
  Diagnostic& mistake = diagnostics_.error("E038", "there is no stream `" + source.name + "`", source.span, "unknown stream");
  if (!tables_too && schema_.find_table(source.name) >= 0) {
    mistake.helps.push_back("`" + source.name + "` is a table; only `on:` takes tables");
    return;
  }
  suggest(mistake, source.name, names, "streams");
}

int32_t RuleReader::stream_of(const Source& source) {
  const int32_t index = schema_.find_stream(source.name);
  if (index < 0) unknown_stream(source, false);
  return index;
}

void RuleReader::trigger() {
  Scope::Alias alias;
  alias.type.kind = Kind::event;
  alias.type.ref = kBroken;
  const YamlNode* on = reader_.need("on", "the stream the rule starts from: `on: debit as d`");
  const std::optional<Source> from = on == nullptr ? std::nullopt : source(*on);
  if (from.has_value()) {
    rule_.stream = schema_.find_stream(from->name);
    if (rule_.stream < 0) rule_.table = schema_.find_table(from->name);
    trigger_known_ = rule_.stream >= 0 || rule_.table >= 0;
    if (!trigger_known_) unknown_stream(*from, true);
    if (rule_.table >= 0 && schema_.tables[static_cast<size_t>(rule_.table)].derived) {
      diagnostics_.error("E054", "a table that rules make starts no rule", from->span)
          .helps.push_back("let the rule that makes it emit into a stream, and start from that");
    }
    alias.name = rule_.alias = from->alias;
    if (rule_.table >= 0) alias.type.kind = Kind::row;
    if (trigger_known_) alias.type.ref = rule_.table >= 0 ? rule_.table : rule_.stream;
    if (rule_.stream >= 0) streams_read_.push_back(rule_.stream);
    alias_places_.emplace_back(from->alias, from->alias_span);
    if (from->named) free_name(from->alias, from->alias_span, "an event");
  }
  aliases_.push_back(std::move(alias));
}

const std::vector<Field>* RuleReader::trigger_fields() const {
  if (rule_.stream >= 0) return &schema_.root(rule_.stream).fields;
  if (rule_.table >= 0) return &schema_.tables[static_cast<size_t>(rule_.table)].columns;
  return nullptr;
}

// A name of the rule's own must not stand for two things.
bool RuleReader::free_name(const std::string& name, const Span& span, std::string_view what) {
  const std::string cannot = "`" + name + "` cannot be the name of " + std::string(what) + ": ";
  if (name == "this" || name == "lists" || name == "elapsed") {
    diagnostics_.error("E043", cannot + "it is a word of the language", span);
    return false;
  }
  if (checker_.has_fact(name)) {
    diagnostics_.error("E043", cannot + "a fact is called so", span);
    return false;
  }
  const bool alias = std::any_of(aliases_.begin(), aliases_.end(), [&](const Scope::Alias& one) { return one.name == name; });
  if (!alias) return true;
  diagnostics_.error("E043", cannot + "an event of this rule is called so", span)
      .helps.push_back("give it another name with `as`");
  return false;
}

ParseNodePtr RuleReader::parsed(const YamlNode& node, std::string_view what) {
  if (!expect_scalar(node, what, diagnostics_)) return nullptr;
  return parse_expression(PlacedText(node, sources_), diagnostics_);
}

Scope RuleReader::event_scope(std::string place) const {
  Scope scope;
  scope.place = std::move(place);
  scope.candidate = rule_.stream >= 0  ? Scope::CandidateOf::stream
                    : rule_.table >= 0 ? Scope::CandidateOf::table
                                       : Scope::CandidateOf::unknown;
  scope.candidate_index = rule_.stream >= 0 ? rule_.stream : rule_.table;
  scope.aliases = aliases_;
  scope.aliases[0].binding = kCandidate;
  scope.present = trigger_present_;
  return scope;
}

Scope RuleReader::fact_scope(std::string place) const {
  Scope scope;
  scope.place = std::move(place);
  scope.aliases = aliases_;
  scope.facts = true;
  scope.aggregates = true;
  scope.lookups = true;
  scope.present = present_;
  scope.trigger_present = trigger_present_;
  if (!trigger_known_) scope.candidate = Scope::CandidateOf::nothing;
  return scope;
}

// Where a look-up in a table that rules make lets the rule wait for that table's clock.
Scope RuleReader::waiting_scope(std::string place) const {
  Scope scope = fact_scope(std::move(place));
  scope.derived_tables = true;
  return scope;
}

Scope RuleReader::step_scope(int32_t stream, std::string place) const {
  Scope scope = fact_scope(std::move(place));
  scope.aggregates = false;
  scope.candidate = stream >= 0 ? Scope::CandidateOf::stream : Scope::CandidateOf::unknown;
  scope.candidate_index = stream;
  return scope;
}

Scope RuleReader::live_scope(std::string place) const {
  Scope scope = fact_scope(std::move(place));
  scope.live = true;
  return scope;
}

void RuleReader::where() {
  const YamlNode* node = reader_.get("where");
  if (node == nullptr) return;
  const ParseNodePtr condition = parsed(*node, "`where`");
  if (condition == nullptr) return;
  rule_.where = checker_.condition(*condition, event_scope("`where`"));
  if (rule_.where != nullptr) trigger_present_ = proven(*rule_.where, true);
}

void RuleReader::except() {
  const YamlNode* list = reader_.get("except");
  const bool is_list = list != nullptr && expect_sequence(*list, "`except`", diagnostics_);
  for (size_t index = 0; is_list && index < list->values.size(); ++index) {
    const ParseNodePtr condition = parsed(*list->values[index], "a condition of `except`");
    if (condition == nullptr) continue;
    ExpressionPtr checked = checker_.condition(*condition, event_scope("`except`"));
    if (checked == nullptr) continue;
    trigger_present_.merge(proven(*checked, false));
    rule_.except.push_back(std::move(checked));
  }
  present_ = rebound(trigger_present_, kCandidate, kTrigger);
}

void RuleReader::key() {
  const YamlNode* list = reader_.need("key", "what state and alerts are kept per: `key: [merchant_id]`");
  if (list == nullptr || !expect_sequence(*list, "`key`", diagnostics_)) {
    rule_.key.push_back({});
    return;
  }
  if (list->values.empty() || list->values.size() > RuleLimits::kKeyParts) {
    diagnostics_.error("E009", "a key has 1 to " + std::to_string(RuleLimits::kKeyParts) + " parts", list->span);
    rule_.key.push_back({});
    return;
  }
  const std::vector<Field>* fields = trigger_fields();
  for (const YamlNode* name : list->values) {
    KeyPart part;
    if (expect_scalar(*name, "a part of the key", diagnostics_) && fields != nullptr) {
      part.name = name->text;
      part.field = find_field(*fields, name->text);
      const bool broken =
          rule_.stream >= 0 ? context_.broken_streams.contains(rule_.stream) : context_.broken_tables.contains(rule_.table);
      if (part.field >= 0) {
        part.type = (*fields)[static_cast<size_t>(part.field)].type;
        if (part.type.ref == kBroken) part.field = -1;
      } else if (!broken) {
        const std::string owner = rule_.stream >= 0 ? "stream `" + schema_.streams[static_cast<size_t>(rule_.stream)].name
                                                    : "table `" + schema_.tables[static_cast<size_t>(rule_.table)].name;
        suggest_field(diagnostics_.error("E020", owner + "` has no field `" + name->text + "`", name->span, "unknown field"),
                      name->text, *fields, schema_, sources_);
      }
      if (part.field >= 0 && !can_be_key(part.type)) {
        diagnostics_.error("E048", "`" + part.name + "` is " + show(part.type, schema_) + " and cannot be a key", name->span);
        part.field = -1;
      }
    }
    rule_.key.push_back(std::move(part));
  }
}

void RuleReader::facts() {
  const YamlNode* mapping = reader_.get("let");
  if (mapping == nullptr || !expect_mapping(*mapping, "`let`", diagnostics_)) return;
  if (mapping->keys.size() > RuleLimits::kFacts) {
    diagnostics_.error("E007", "a rule has at most " + std::to_string(RuleLimits::kFacts) + " facts", mapping->span);
    return;
  }
  for (size_t index = 0; index < mapping->keys.size(); ++index) fact(*mapping->keys[index], *mapping->values[index]);
}

void RuleReader::fact(const YamlNode& key, const YamlNode& value) {
  Fact fact;
  fact.name = key.text;
  fact.span = key.span;
  const std::vector<Field>* fields = trigger_fields();
  bool good = expect_name(key, "a fact", diagnostics_) && free_name(key.text, key.span, "a fact");
  if (fields != nullptr) {
    const auto same = std::find_if(fields->begin(), fields->end(),
                                   [&](const Field& field) { return field.name.substr(0, field.name.find('.')) == key.text; });
    if (same != fields->end()) {
      good = false;
      diagnostics_
          .error("E043",
                 "the fact `" + key.text + "` is called like a field of the trigger " + declared(*same, schema_, sources_),
                 key.span, "choose another name")
          .notes.push_back("inside an aggregate over `this` the name would mean both");
    }
  }
  ExpressionPtr checked;
  ParsedFact written;
  if (expect_scalar(value, "a fact", diagnostics_)) written = parse_fact(PlacedText(value, sources_), diagnostics_);
  if (written.value != nullptr) checked = checker_.check(*written.value, waiting_scope("a fact"));
  if (checked != nullptr && written.otherwise != Fact::Otherwise::keep && !checked->type.optional) {
    diagnostics_.error("E029", "`" + key.text + "` is never missing, so its `else` never applies", written.otherwise_span,
                       "never used");
    checked = nullptr;
  }
  if (checked != nullptr && written.otherwise == Fact::Otherwise::wait && !can_move(*checked)) {
    diagnostics_
        .error("E046", "there is nothing `" + key.text + "` could wait for", written.otherwise_span, "write `else skip`")
        .helps.push_back("`else wait` tries again when a table or another stream has moved");
  }
  if (checked != nullptr) {
    fact.type = checked->type;
    if (written.otherwise != Fact::Otherwise::keep) fact.type.optional = false;
    fact.otherwise = written.otherwise;
    fact.wait = written.wait;
  }
  fact.value = std::move(checked);
  if (good || !checker_.has_fact(key.text)) rule_.facts.push_back(std::move(fact));
}

void RuleReader::when() {
  const YamlNode* node = reader_.get("when");
  if (node == nullptr) return;
  const ParseNodePtr condition = parsed(*node, "`when`");
  if (condition == nullptr) return;
  rule_.when = checker_.condition(*condition, waiting_scope("`when`"));
  if (rule_.when != nullptr) present_.merge(frozen(proven(*rule_.when, true)));
}

void RuleReader::held_for() {
  const YamlNode* node = reader_.get("for");
  if (node == nullptr) return;
  rule_.held_for = longer_than_nothing(*node, "`for`");
  if (reader_.get("when") != nullptr) return;
  diagnostics_
      .error("E004", "`for` needs `when`: the condition that must stay true", reader_.key_span("for"), "nothing to hold")
      .helps.push_back("what must not come for so long is an `absent` step of `then`");
}

DurationMs RuleReader::longer_than_nothing(const YamlNode& node, std::string_view what) {
  const DurationMs duration = constant_duration(&node, -1, sources_, diagnostics_);
  if (duration == 0) diagnostics_.error("E009", std::string(what) + " is longer than nothing", node.span);
  return std::max<DurationMs>(duration, 0);
}

}  // namespace tillwatch::rules
