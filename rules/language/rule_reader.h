// Reads and checks one rule.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rules/language/checker.h"
#include "rules/language/lexer.h"
#include "rules/language/mapping_reader.h"

namespace tillwatch::rules {

struct RuleLimits {
  static constexpr size_t kKeyParts = 16;
  static constexpr size_t kFacts = 200;
  static constexpr size_t kSteps = 15;  // Environment::kMaxSteps
  static constexpr size_t kWays = 50;
};

class RuleReader {
 public:
  RuleReader(const YamlNode& node, CheckContext& context)
      : context_(context),
        schema_(context.schema),
        sources_(context.sources),
        diagnostics_(context.diagnostics),
        reader_(node, "a rule", {"rule",  "version", "mode",   "title",   "doc",  "owner",   "labels", "on",
                                 "where", "key",     "except", "let",     "when", "for",     "then",   "severity",
                                 "quiet", "fold",    "limit",  "resolve", "emit", "message", "runbook"},
                diagnostics_),
        checker_(context, &rule_) {}
  RuleReader(const RuleReader&) = delete;
  RuleReader& operator=(const RuleReader&) = delete;

  // Reports every mistake. What comes back is whole only when nothing was reported.
  CheckedRule read();

 private:
  struct Source {  // `STREAM as NAME`
    std::string name, alias;
    Span span, alias_span;
    bool named = false;  // `as` was written
  };

  // rule_reader.cc
  void header();
  void title();
  void trigger();
  void where();
  void key();
  void except();
  void facts();
  void fact(const YamlNode& key, const YamlNode& value);
  void when();
  void held_for();
  DurationMs longer_than_nothing(const YamlNode& node, std::string_view what);  // 0: reported
  std::optional<Source> source(const YamlNode& node);
  int32_t stream_of(const Source& source);  // -1: reported
  void unknown_stream(const Source& source, bool tables_too);
  bool free_name(const std::string& name, const Span& span, std::string_view what);
  ParseNodePtr parsed(const YamlNode& node, std::string_view what);
  const std::vector<Field>* trigger_fields() const;

  Scope event_scope(std::string place) const;  // the trigger's event alone
  Scope fact_scope(std::string place) const;
  Scope waiting_scope(std::string place) const;
  Scope step_scope(int32_t stream, std::string place) const;
  Scope live_scope(std::string place) const;

  // rule_steps.cc
  void steps();
  void step(const YamlNode& node);
  void step_timing(const MappingReader& reader, Step& step);
  void until(const YamlNode& node, Step& step);
  void within(const YamlNode& node, Step& step);
  ExpressionPtr bound(const YamlNode& node);
  bool by(const YamlNode* node, int32_t stream, ExpressionChecker::Renamed& renamed);
  bool by_pair(const PlacedText& text, int32_t stream, ExpressionChecker::Renamed& renamed);

  // rule_alerts.cc
  void severity();
  void labels();
  void message();
  void resolve();
  void way(const YamlNode& node);
  void way_on_event(const MappingReader& reader, const YamlNode& on, ResolveWay& way, Scope& scope);
  void reason(const MappingReader& reader, const std::string& fallback, const Scope& scope, ResolveWay& way);
  void alias_clashes();
  bool elapsed_is_plain(const Expression& expression, std::string_view place);
  bool severity_of(const YamlNode& node, Severity& severity);
  Template text(const YamlNode& node, const Scope& scope);

  // rule_folds.cc
  void fold();
  void limit();
  bool limited_by(const YamlNode& node, const PlacedText& text, const std::vector<Token>& tokens);

  // rule_emission.cc
  void emission();
  void table_emission(const MappingReader& reader);
  void row_key(const Table& table, const YamlNode& place);
  void emitted_fields(const YamlNode& mapping, const Stream& stream);
  void emitted_field(const YamlNode& key, const YamlNode& value, const Stream& stream);

  CheckContext& context_;
  const Schema& schema_;
  const Sources& sources_;
  Diagnostics& diagnostics_;
  MappingReader reader_;
  CheckedRule rule_;
  ExpressionChecker checker_;
  bool trigger_known_ = false;
  std::vector<Scope::Alias> aliases_;  // the trigger, then the event steps
  std::vector<std::pair<std::string, Span>> alias_places_;
  std::vector<int32_t> streams_read_;  // whose fields are bare names somewhere
  Present present_;                    // what `where`, `except` and `when` have shown
  Present trigger_present_;            // of the trigger, as the candidate's fields
};

}  // namespace tillwatch::rules
