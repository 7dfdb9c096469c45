// The checked syntax tree of an expression: every name resolved, every node typed. The checker makes it, the program compiler
// (rules/program) and the plain tree evaluator read it, and so do `rules explain` and the planner of windows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/time.h"
#include "engine/base/value.h"
#include "rules/language/type.h"

namespace tillwatch::rules {

// A place in a file; line and column count from 1, column and length in bytes of the line's UTF-8 text.
struct Span {
  int32_t file = -1;  // index into Sources
  int32_t line = 0;
  int32_t column = 0;
  int32_t length = 1;
};

enum class Node : uint8_t {
  literal,       // `value` (strings: `text`)
  list,          // args: string or symbol literals, for `in [...]`
  list_name,     // index: Schema::lists
  field,         // index: field of the event bound at `binding` (kCandidate: the event under test, written as a bare name)
  fact,          // index: into CheckedRule::facts
  elapsed,       // time since the trigger, at the moment of evaluation
  member,        // args[0] is a row or event value (may be optional: then so is the result); index: column or field
  lookup,        // index: table; args: the key parts; `at`: args.back() when has_at
  unary,         // op: not, minus
  binary,        // op; args[0], args[1]
  coalesce,      // args[0] ?? args[1]
  has,           // has(args[0])
  choose,        // if(args[0], args[1], args[2])
  call,          // index: into functions() (rules/program/functions.h)
  aggregate,     // index: into CheckedRule::aggregates
};

enum class Op : uint8_t {
  none, op_not, minus, plus, times, divide, equal, not_equal, less, less_equal, greater, greater_equal,
  op_and, op_or, in, not_in, matches, ends_with,
};

// Bindings: which event a `field` node reads.
inline constexpr int kCandidate = -1;  // bare names: the event (or row) a `where` is asked about
inline constexpr int kTrigger = 0;     // the rule's `on` event; steps bind 1, 2, … in order
inline constexpr int kResolver = 100;  // in `resolve`: the event or row that ends the alert, by its stream's name

struct Expression {
  Node node = Node::literal;
  Op op = Op::none;
  Type type;
  Span span;
  int32_t index = -1;
  int32_t binding = kCandidate;
  bool has_at = false;
  Value value;       // literal scalars
  std::string text;  // literal strings; for RE2 `matches` the pattern stands in args[1]
  std::vector<std::unique_ptr<Expression>> args;
};
using ExpressionPtr = std::unique_ptr<Expression>;
// Field index convention: for an event of the rule's own triggers (binding kTrigger, `this`, or a member of a with_facts event)
// index >= fields.size() of the stream's root means fact number index - fields.size().

enum class Aggregation : uint8_t { count, sum, average, minimum, maximum, distinct, ratio, first, last, streak, quantile, top, usual };

// AGG([value of] STREAM [where condition] over D [every D])
struct Aggregate {
  Aggregation function = Aggregation::count;
  bool over_this = false;    // the rule's own triggers, with the facts computed for each
  int32_t stream = -1;       // Schema::streams; the trigger's stream for `this`
  ExpressionPtr value;       // may be null: the event itself (first, last) or nothing (count)
  ExpressionPtr where;       // may be null
  DurationMs over = 0;       // event times in [t - over, t]
  DurationMs every = 0;      // 0: sliding
  int64_t level = 0;         // quantile: billionths
  int32_t of = -1;           // usual: the aggregate whose mean at this time of the last days is meant; `over` is how many days
  std::vector<int32_t> by;   // per key part of the rule: the field of `stream` that carries it
  Type type;
  Span span;
};

// Text with {expression:format} in it.
struct Template {
  enum class Format : uint8_t { plain, money, time, duration, percent, bp };
  struct Part {
    std::string text;          // literal text, when `expression` is null
    ExpressionPtr expression;
    Format format = Format::plain;
  };
  std::vector<Part> parts;
  bool empty() const { return parts.empty(); }
};

}  // namespace tillwatch::rules
