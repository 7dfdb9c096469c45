// A checked rule's expressions as text again: in the language, and in plain words for people who do not write rules.
#pragma once

#include <string>

#include "rules/language/checked_rule.h"
#include "rules/language/schema.h"

namespace tillwatch::rules {

class Wording {
 public:
  enum class Style : uint8_t { code, words };

  Wording(const CheckedRule& rule, const Schema& schema, Style style) : rule_(rule), schema_(schema), style_(style) {}

  // What bare names belong to, where expressions stand that use them: conditions on one event or row, ways of resolving.
  Wording about_stream(int32_t stream) const;
  Wording about_table(int32_t table) const;
  Wording resolved_by(const ResolveWay& way) const;

  // `n >= 2 and has(d.order_no)`, or: n is at least 2 and the debit's order_no is there.
  std::string of(const Expression& expression) const { return text(expression, 0); }
  // A text with {…} in it, as written in code; in words its parts in parentheses.
  std::string of(const Template& text) const;
  // count(this over 5m), or: the number of its triggers in the last 5m.
  std::string of(const Aggregate& aggregate) const;

  std::string stream_name(int32_t stream) const;
  std::string table_name(int32_t table) const;

 private:
  // `strength`: how tightly the operator around it binds; what binds less gets parentheses.
  std::string text(const Expression& expression, int strength) const;
  std::string literal(const Expression& expression) const;
  std::string field(const Expression& expression) const;
  std::string member(const Expression& expression) const;
  std::string lookup(const Expression& expression) const;
  std::string unary(const Expression& expression) const;
  std::string binary(const Expression& expression, int strength) const;
  std::string choose(const Expression& expression, int strength) const;
  std::string call(const Expression& expression) const;
  std::string list(const Expression& expression) const;
  std::string what_is_aggregated(const Aggregate& aggregate) const;
  bool words() const { return style_ == Style::words; }

  const CheckedRule& rule_;
  const Schema& schema_;
  const Style style_;
  const std::vector<Field>* candidate_ = nullptr;
  const std::vector<Field>* resolver_ = nullptr;
  std::string resolver_name_;
};

// "5m", "1h 30m": as people read it; exact.
std::string duration_text(DurationMs duration);

}  // namespace tillwatch::rules
