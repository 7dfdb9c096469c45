// Expressions as written: shape and places, nothing resolved. The grammar (rules.md, "Expressions"):
//
//   or    := and {"or" and}            and := not {"and" not}        mixing both needs parentheses
//   not   := "not" not | cmp           cmp := coal [op coal]         == != < <= > >= in, not in, matches, ends_with; no chains
//   coal  := add ["??" coal]           add := mul {("+"|"-") mul}    mul := unary {("*"|"/") unary}
//   prim  := 12_000 | 3.5 | 2% | 35bp | 10m | "text" | true | NAME | f(…) | aggregate | (…) | [a, b]
//   post  := prim {"." field | "[" key, … "]" ["at" add]}
//   aggregate := NAME "(" [expr "of"] STREAM ["where" cond] "over" D ["every" D] ")"
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rules/language/checked_rule.h"
#include "rules/language/placed_text.h"

namespace tillwatch::rules {

struct ParseNode;
using ParseNodePtr = std::unique_ptr<ParseNode>;

struct ParseNode {
  enum class Kind : uint8_t { literal, text, list, name, member, index, unary, binary, coalesce, call, aggregate };
  Kind kind = Kind::literal;
  Op op = Op::none;
  Span span;
  Span word_span;      // of `word`, the operator or the aggregate's stream
  std::string source;  // as written, for messages
  std::string word;    // name; member: field; call, aggregate: function; text: its content
  rules::Kind literal = rules::Kind::boolean;
  Value value;  // literal
  bool parenthesised = false;
  std::vector<ParseNodePtr> args;  // member, index: the base first; aggregate: value and condition, either may be null
  ParseNodePtr at;                 // index: `at TIME`
  Aggregation aggregation = Aggregation::count;
  std::string stream;
  DurationMs over = 0, every = 0;
  int64_t level = 0;  // quantile: billionths
};

struct ParserLimits {
  static constexpr int kDepth = 64;
};

// A condition or value. Null after a mistake, which is reported.
ParseNodePtr parse_expression(const PlacedText& source, Diagnostics& diagnostics);

// What stands behind a fact's expression: `else skip`, `else wait 60s`.
struct ParsedFact {
  ParseNodePtr value;  // null after a mistake
  Fact::Otherwise otherwise = Fact::Otherwise::keep;
  DurationMs wait = 0;
  Span otherwise_span;
};
ParsedFact parse_fact(const PlacedText& source, Diagnostics& diagnostics);

// A constant duration ("90s", "24h"); empty after a mistake, which is reported.
std::optional<DurationMs> parse_constant_duration(const PlacedText& source, Diagnostics& diagnostics);

}  // namespace tillwatch::rules
