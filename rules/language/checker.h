// Types and names of expressions: turns what was written (parser.h) into the checked tree (syntax.h).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rules/language/checked_rule.h"
#include "rules/language/diagnostics.h"
#include "rules/language/narrowing.h"
#include "rules/language/parser.h"

namespace tillwatch::rules {

// What all checks of a bundle share.
struct CheckContext {
  const Schema& schema;
  const Sources& sources;
  Diagnostics& diagnostics;
  std::set<int32_t> broken_streams, broken_tables;  // declared with a mistake: their missing fields are not reported
  std::set<std::string> broken_names;               // streams, tables and lists that could not be declared at all
  std::set<int32_t> used_lists;
};

// What an expression may speak of at the place where it stands.
struct Scope {
  enum class CandidateOf : uint8_t { nothing, stream, table, unknown };
  struct Alias {
    std::string name;
    int32_t binding = kTrigger;  // kCandidate: another name of the candidate
    Type type;                   // event or row; ref kBroken: its stream is not known
  };

  CandidateOf candidate = CandidateOf::nothing;  // whose fields are bare names
  int32_t candidate_index = -1;                  // stream or table
  bool candidate_with_facts = false;
  std::vector<Alias> aliases;
  bool facts = false;  // the rule's facts, as far as they are computed
  bool live = false;   // `elapsed`
  bool aggregates = false;
  bool lookups = false;
  bool derived_tables = false;  // look-ups in tables that rules make: where waiting for their clock is possible
  std::string place;        // "`where`", for messages
  Present present;          // what is known not to be missing
  Present trigger_present;  // of the rule's own triggers, as the candidate's fields
};

class ExpressionChecker {
 public:
  // `rule` gives facts, key and trigger, and takes the aggregates; null for expressions of the schema.
  ExpressionChecker(CheckContext& context, CheckedRule* rule) : context_(context), schema_(context.schema), rule_(rule) {}

  // Each returns null when something is wrong, which is then reported. `expected` names the enum that a bare word may be of.
  ExpressionPtr check(const ParseNode& node, const Scope& scope, const Type* expected = nullptr);
  ExpressionPtr present_value(const ParseNode& node, const Scope& scope);             // any type, not optional
  ExpressionPtr condition(const ParseNode& node, const Scope& scope);                 // bool, not optional
  ExpressionPtr value_of_kind(const ParseNode& node, const Scope& scope, Kind kind);  // not optional
  ExpressionPtr value_of_type(const ParseNode& node, const Scope& scope, const Type& type, const std::string& what);

  // The fields of `stream` that carry the rule's key: those named in `by` (theirs, ours), else those of the same names.
  using Renamed = std::vector<std::pair<std::string, std::string>>;
  std::optional<std::vector<int32_t>> carried_key(int32_t stream, const Renamed& by, const Span& span, bool may_rename);

  bool has_fact(std::string_view name) const { return find_fact(name) >= 0; }
  // The fields of an event or row type; null for others.
  const std::vector<Field>* fields_of(const Type& type) const;
  std::string shown(const Type& type) const;

 private:
  using Path = std::vector<const ParseNode*>;  // a.b.c: the nodes of `a`, `a.b` and `a.b.c`
  struct Member {
    int32_t index = -1;
    size_t consumed = 0;  // segments of the path it took
    Type type;
    bool broken = false;
  };
  struct Pair {
    ExpressionPtr left, right;
  };

  // check_names.cc
  ExpressionPtr path(const Path& path, const ParseNode& node, const Scope& scope, const Type* expected);
  ExpressionPtr candidate_path(const Path& path, const Scope& scope);
  ExpressionPtr fact_path(const Path& path, const Scope& scope);
  ExpressionPtr alias_path(const Scope::Alias& alias, const Path& path, const Scope& scope);
  ExpressionPtr list_path(const Path& path, const ParseNode& node);
  ExpressionPtr enum_value(const ParseNode& node, const Type& type);
  ExpressionPtr members(ExpressionPtr base, const Path& path, size_t from, const Scope& scope);
  ExpressionPtr lookup(const ParseNode& node, const Scope& scope);
  std::optional<Member> find_member(const std::vector<Field>& fields, bool with_facts, const Path& path, size_t from) const;
  bool in_candidate(const Path& path, const Scope& scope) const;
  bool resolves(const ParseNode& node, const Scope& scope) const;
  int find_fact(std::string_view name) const;
  const std::vector<Field>* candidate_fields(const Scope& scope) const;
  ExpressionPtr narrowed(ExpressionPtr expression, const Scope& scope) const;
  ExpressionPtr unknown_name(const Path& path, const ParseNode& node, const Scope& scope, const Type* expected);
  ExpressionPtr unknown_member(const Type& type, const Path& path, size_t from);

  // check_operators.cc
  ExpressionPtr unary(const ParseNode& node, const Scope& scope);
  ExpressionPtr binary(const ParseNode& node, const Scope& scope);
  ExpressionPtr logic(const ParseNode& node, const Scope& scope);
  ExpressionPtr comparison(const ParseNode& node, const Scope& scope);
  ExpressionPtr compared(const ParseNode& node, Pair pair);
  ExpressionPtr membership(const ParseNode& node, const Scope& scope);
  ExpressionPtr membership_in_list(const ParseNode& node, const Scope& scope);
  bool fits_item(Expression& item, Expression& value, const ParseNode& element);
  ExpressionPtr any_of(const ParseNode& node, const Expression& item, std::vector<ExpressionPtr> values);
  ExpressionPtr pattern(const ParseNode& node, const Scope& scope);
  ExpressionPtr arithmetic(const ParseNode& node, const Scope& scope);
  std::optional<Type> arithmetic_type(Op op, Expression& left, Expression& right);
  Pair pair(const ParseNode& left, const ParseNode& right, const Scope& scope);
  ExpressionPtr report_mismatch(const ParseNode& node, const Expression& left, const Expression& right);

  // check_calls.cc
  ExpressionPtr call(const ParseNode& node, const Scope& scope, const Type* expected);
  ExpressionPtr has(const ParseNode& node, const Scope& scope);
  ExpressionPtr choose(const ParseNode& node, const Scope& scope, const Type* expected);
  ExpressionPtr text_list(const ParseNode& node);
  ExpressionPtr function(const ParseNode& node, int index, std::vector<ExpressionPtr> args);
  ExpressionPtr as_text(ExpressionPtr symbol);

  // check_aggregates.cc
  ExpressionPtr aggregate(const ParseNode& node, const Scope& scope);
  ExpressionPtr usual(const ParseNode& node, const Scope& scope);
  bool aggregate_source(const ParseNode& node, Aggregate& result, Scope& inner);
  bool aggregate_type(const ParseNode& node, Aggregate& result);
  int32_t kept(Aggregate aggregate);

  // checker.cc
  ExpressionPtr literal(const ParseNode& node) const;
  ExpressionPtr coalesce(const ParseNode& node, const Scope& scope, const Type* expected);
  ExpressionPtr need_value(ExpressionPtr expression, const ParseNode& node);
  std::optional<Type> unify(Expression& left, Expression& right) const;
  Diagnostic& error(std::string code, std::string message, const Span& span, std::string label = "") {
    return context_.diagnostics.error(std::move(code), std::move(message), span, std::move(label));
  }

  CheckContext& context_;
  const Schema& schema_;
  CheckedRule* rule_;
};

// A new node with the place of `node`.
ExpressionPtr make_expression(Node kind, const Type& type, const ParseNode& node);
// A copy of a whole tree.
ExpressionPtr clone(const Expression& expression);
// Whether two types hold the same kind of value (optional and pii aside).
bool same_kind(const Type& a, const Type& b);
// Turns an int that is made of literals alone into money or a decimal. False: it is not such an int, or does not fit.
bool retarget(Expression& expression, Kind kind);

}  // namespace tillwatch::rules
