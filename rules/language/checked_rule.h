// A rule after parsing and checking: names resolved, types known, nothing compiled yet.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rules/language/schema.h"
#include "rules/language/syntax.h"

namespace tillwatch::rules {

enum class Severity : uint8_t { info, low, medium, high, critical };
enum class Mode : uint8_t { live, shadow, off };

struct KeyPart {
  std::string name;      // as written: "original.txn_id"
  int32_t field = -1;    // of the trigger's root stream (or column, for a rule on a table)
  Type type;
};

struct Fact {
  enum class Otherwise : uint8_t { keep, skip, wait };
  std::string name;
  ExpressionPtr value;
  Type type;                 // after `else`: not optional
  Otherwise otherwise = Otherwise::keep;
  DurationMs wait = 0;
  Span span;
};

struct Step {
  bool absent = false;
  int32_t stream = -1;
  std::string alias;
  int32_t binding = 1;          // what its event is bound as (event steps); position in `then` + 1
  ExpressionPtr where;          // may be null; bare names are the event's
  std::vector<int32_t> by;      // per key part: the field of `stream` that carries it
  ExpressionPtr from, to;       // durations relative to the trigger, closed at both ends
  int32_t until = -1;           // stream; -1 none
  std::vector<int32_t> until_by;
  bool take_one = false;
  DurationMs grace = 0;
  bool has_severity = false;
  Severity severity = Severity::medium;
  Span span;
};

struct SeverityCase {
  ExpressionPtr when;  // null: else
  Severity severity = Severity::medium;
};

struct ResolveWay {
  int32_t stream = -1;          // `on:` a stream
  int32_t table = -1;           // `on:` a table
  std::vector<int32_t> by;
  ExpressionPtr where, when;    // may be null
  DurationMs held_for = 0;      // `for`
  DurationMs after = 0;         // `after`: expires so long after the last hit; 0: not this way
  Template reason;              // default: the stream's or table's name, or "expired"
  Span span;
};

struct Emission {
  int32_t stream = -1;                // of a table: the one that carries its rows
  int32_t table = -1;                 // an open alert is a row of it
  std::vector<ExpressionPtr> fields;  // in the order of the stream's fields; null for an optional field left out
  Span span;
};

// `limit: MOST per PER by FIELDS`. What is over it goes to a rule of its own (limit_rule.h) by two streams made for it.
struct Limit {
  int64_t most = 0;                   // 0: none
  DurationMs per = 0;
  std::vector<int32_t> by;            // fields of the trigger
  int32_t asked_stream = -1;          // an alert asks for its place
  int32_t over_stream = -1;           // the answer, to those who have none
  Span span;
};

struct CheckedRule {
  std::string name;
  int64_t version = 1;
  Mode mode = Mode::live;
  std::string title_en, title_zh, doc, owner, runbook;
  std::vector<std::pair<std::string, Template>> labels;
  int32_t stream = -1;   // `on:` a stream …
  int32_t table = -1;    // … or a table
  std::string alias;
  ExpressionPtr where;                    // null: every event
  std::vector<ExpressionPtr> except;
  std::vector<KeyPart> key;
  std::vector<Fact> facts;
  ExpressionPtr when;                     // null: true
  DurationMs held_for = 0;
  std::vector<Step> steps;
  std::vector<SeverityCase> severity;
  DurationMs quiet = -1;                  // -1: while the alert is open
  ExpressionPtr fold;                     // a look-up in a derived table: if the row is there, count there; null: none
  Limit limit;
  std::vector<ResolveWay> resolve;
  Emission emit;                          // emit.stream == -1: none
  Template message_en, message_zh;        // empty: no alert (a rule that only emits)
  std::vector<Aggregate> aggregates;      // every aggregate of every expression of the rule
  std::string source_text;                // the rule's YAML text, for its hash
  Span span;
};

}  // namespace tillwatch::rules
