// The words of the language with what they mean: one row each. The parser reads the rows of aggregates and comparisons; the
// reference (`rules docs`) and the schema for editors (`rules schema`) print all of them. Functions: rules/program/functions.h.
#pragma once

#include <string_view>
#include <vector>

#include "rules/language/syntax.h"

namespace tillwatch::rules {

struct AggregateRow {
  std::string_view name;
  Aggregation function;
  bool also_function;  // min(a, b) and max(a, b) are functions as well
  std::string_view signature;
  std::string_view doc;
  std::string_view example;  // an expression about the rule's own debits
};
const std::vector<AggregateRow>& aggregate_rows();

struct OperatorRow {
  std::string_view text;
  Op op;  // Op::none: not an operator of its own in the tree (`??`)
  bool comparison;
  std::string_view doc;
  std::string_view example;
};
const std::vector<OperatorRow>& operator_rows();
const OperatorRow* find_comparison(std::string_view text);  // null: none

// A key of a rule, a step or a way of resolving; of a stream, a view or a table of a schema.
struct KeyRow {
  enum class Shape : uint8_t { text, text_or_mapping, condition, expression, duration, number, choice, list, mapping, steps, ways };
  std::string_view name;
  Shape shape;
  std::string_view doc;
  std::vector<std::string_view> choices;  // Shape::choice
};
const std::vector<KeyRow>& rule_keys();
const std::vector<KeyRow>& step_keys();
const std::vector<KeyRow>& way_keys();
const std::vector<KeyRow>& stream_keys();  // `from` makes it a view, `derived` one that rules make
const std::vector<KeyRow>& view_keys();
const std::vector<KeyRow>& table_keys();

}  // namespace tillwatch::rules
