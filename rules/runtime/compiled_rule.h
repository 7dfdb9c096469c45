// A rule ready to run: programs instead of expressions, positions instead of names, and what it must keep and wait for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/row.h"
#include "rules/language/checked_rule.h"
#include "rules/language/diagnostics.h"
#include "rules/language/load.h"
#include "rules/program/program.h"
#include "rules/runtime/event.h"

namespace tillwatch::rules {

inline constexpr size_t kMaxFacts = 48;
inline constexpr size_t kMaxInputs = 32;

// The fields of a root stream that somebody uses, as they cross the exchange.
struct StreamShape {
  std::vector<bool> used;     // per field of the root
  std::vector<int> position;  // per field of the root; -1: not used
  std::vector<int> fields;    // per position: the field
  RowLayout layout;
  std::vector<std::pair<int, Program>> computed;  // (position, program over slots), in order of declaration
};

// The fields of an event that one rule keeps, and where they stand in the stream's row.
struct KeptShape {
  std::vector<int> position;  // per field of the root (then per fact, for triggers); -1: not kept
  std::vector<int> from;      // per kept stream field: position in the StreamShape's row
  RowLayout layout;           // kept fields, then the facts of a trigger
  int id_position = -1;       // a trigger's identity as text, for evidence; -1: none
};

// Streams whose clocks something waits for. `plain` ones may move by the wall clock when their feed is quiet; `gated` ones only
// as far as silence is believed (design: dark feeds).
struct ClockNeeds {
  std::vector<int> plain;
  std::vector<int> gated;
  bool operator==(const ClockNeeds&) const = default;
};

struct CompiledRule;

// A stream, keyed one way, that feeds a rule. Input 0 is the trigger.
struct Input {
  int stream = -1;      // as named (a view counts)
  int table = -1;       // trigger on a table
  std::vector<int> by;  // per key part: field of the root stream (column of the table)
  const KeptShape* shape = nullptr;
  DurationMs keep = 0;                        // how far behind the settled clock an event can still matter
  std::vector<std::vector<Program>> filters;  // any list of which all hold; conditions on the event alone, over stream slots
  std::vector<Program> rejects;               // triggers: `except`, none of which may hold
  std::vector<int> steps, until_steps, ways;  // uses beside aggregates
  bool aggregated = false;
  bool folds = false;  // alerts of other rules that are counted on this rule's
};

// A stream a rule emits into: its clock is the lowest of these streams' less the delay.
struct Emits {
  int stream = -1;
  DurationMs delay = 0;
  std::vector<int> streams;  // roots
};

struct CompiledAggregate {
  Aggregation function = Aggregation::count;
  int input = 0;
  bool over_this = false;
  Program where, value;
  DurationMs over = 0;
  DurationMs every = 0;  // 0: slides; else the window's bounds are multiples of it, in local time
  DurationMs local_offset = 0;
  int64_t level = 0;    // quantile: billionths
  int of = -1;          // usual: of this aggregate
  bool slides = false;  // what an event adds to it depends on that event alone, and can be taken away again

  // The first instant (inclusive) of the window that is asked for at `at`.
  TimeMs from(TimeMs at) const { return every == 0 ? at - over : floor(at) + every - over; }
  // When an event of `time` leaves it.
  TimeMs leaves(TimeMs time) const { return every == 0 ? time + over + 1 : floor(time + over); }

 private:
  TimeMs floor(TimeMs at) const {
    const TimeMs local = at + local_offset;
    return local - (local % every + every) % every - local_offset;
  }
};

struct CompiledStep {
  bool absent = false;
  int input = -1;
  int until_input = -1;
  Program where, from, to;
  bool take_one = false;
  DurationMs grace = 0;
  bool has_severity = false;
  Severity severity = Severity::medium;
  int clock = -1;  // index into CompiledBundle::clocks
};

// `elapsed` compared with a duration: the answer changes so long after the trigger.
struct Moment {
  int fact = -1;  // whose value is the duration; -1: `value`
  DurationMs value = 0;
  DurationMs offset = 0;  // 1: changes one millisecond later (`>`, `<=`)
};

struct CompiledWay {
  int input = -1;  // on a stream
  int table = -1;  // on a table
  Program where, when;
  std::vector<int> when_aggregates;  // whose sliding can make `when` true
  std::vector<Moment> moments;       // and when time alone can
  DurationMs held_for = 0;           // `when` must stay true so long
  DurationMs after = 0;
  TextProgram reason;
  std::string default_reason;
  int clock = -1;
};

struct CompiledFact {
  std::string name;
  Type type;
  Program value;
  Fact::Otherwise otherwise = Fact::Otherwise::keep;
  DurationMs wait = 0;
};

struct CompiledRule {
  const CheckedRule* source = nullptr;
  std::string name;
  int64_t version = 1;
  Mode mode = Mode::live;
  uint32_t slot = 0;  // stable number of the rule in stored keys: a hash of its name
  std::vector<Input> inputs;
  std::vector<CompiledFact> facts;
  std::vector<bool> facts_kept;  // per fact: later triggers read it (`this`), so that it stays with a trigger that came to nothing
  Program when;
  DurationMs held_for = 0;           // `when` must stay true so long before anything follows
  int hold_clock = -1;               // streams that could end it
  std::vector<int> when_aggregates;  // of facts and `when`
  std::vector<CompiledAggregate> aggregates;
  std::vector<CompiledStep> steps;
  std::vector<std::pair<Program, Severity>> severity;  // empty program: else
  std::vector<int> severity_aggregates;
  std::vector<Moment> severity_moments;
  bool severity_lives = false;  // it may change while the alert is open; false: steps say it
  DurationMs quiet = -1;
  std::vector<CompiledWay> ways;
  bool reads_matter = false;  // some way resolves on a table
  int emit_stream = -1;
  bool emit_settled = false;         // wait for the clock before emitting
  std::vector<Program> emit_fields;  // per field of the stream; empty program: left out
  bool alerts = false;
  std::vector<Emits> emits;  // every stream it emits into, those it was not asked to among them
  // Rows of tables that rules make, and alerts that ask before they are raised (machine_folds.cc).
  std::vector<int> table_streams;  // behind the tables it looks up
  int look_clock = -1;             // facts look one up: a trigger waits for it; -1: none
  int emit_table = -1;             // an open alert is a row of it
  int row_clock = -1;              // when a row can no longer change
  int fold_table = -1;
  std::vector<Program> fold_key;
  int asked_stream = -1, over_input = -1, over_anchor = -1;  // `limit`; over_anchor: position in the kept row
  std::vector<std::pair<int, int>> asked_fields;             // (field of the asking stream, position in the trigger's kept row)
  int ask_clock = -1, answer_clock = -1;
  int folds_input = -1, folds_amount = -1;

  bool asks() const { return fold_table >= 0 || asked_stream >= 0; }
  TextProgram message_en, message_zh;
  std::vector<std::pair<std::string, TextProgram>> labels;
  int money_field = -1;           // position of the trigger's first money field in its kept row, for "money at risk"; -1
  int clock = -1;                 // all inputs: what may be forgotten, and settled emission
  int trigger_clock = -1;         // the trigger's stream alone: waits and expiry
  DurationMs emission_delay = 0;  // how far behind its inputs what it emits may be
  DurationMs slack = 0;           // of every input's keep: how late its triggers may be
  bool stateless = false;         // filter and look-ups only: nothing is kept per key

  KeptShape trigger_shape;
  std::vector<std::unique_ptr<KeptShape>> kept_shapes;
  std::string error;  // limits exceeded; reported by compile_bundle
};

// One input of one rule: what the exchange delivers to.
struct Subscription {
  int rule = 0;
  int input = 0;
  std::string name;  // "duplicate-debit.undo", the route's label
};

struct CompiledBundle {
  Bundle source;
  std::vector<StreamShape> shapes;                   // per stream; of roots and derived streams
  std::vector<RowLayout> table_layouts;              // per table: all columns
  std::vector<std::unique_ptr<CompiledRule>> rules;  // without rules that are off
  std::vector<ClockNeeds> clocks;
  std::vector<Subscription> subscriptions;
  std::vector<std::vector<int>> by_stream;  // per stream: its subscriptions
  std::vector<std::vector<int>> by_table;   // per table: subscriptions of rules on it
  std::vector<bool> table_used;             // per table: some rule looks it up, is on it or resolves on it
  std::vector<std::vector<int>> views;      // per root stream: its views, in order of declaration
  std::vector<std::vector<int>> elements;   // per root stream: those of arrays in its records that some rule wants
  std::vector<Program> selects;             // per stream: view condition over the root's slots
  std::vector<Program> accepts;             // per root stream: `accept … where`
  std::vector<int> derived_order;           // derived streams, emitters before consumers
  std::vector<std::vector<int>> emitters;   // per stream: rules that emit into it
  std::vector<int> table_of_stream;         // per stream: the table whose rows it carries; -1
  // Faults that tests plant; both empty otherwise.
  struct Faults {
    // Asked before an event is fed to a rule's key, and, with null, before the key is run; with rule -1 before an event of a
    // source is routed. May throw.
    std::function<void(int rule, std::string_view key, const Event* event)> work;
    // Whether a wake-up of a key gets lost.
    std::function<bool(int rule, std::string_view key)> loses_wake;
  } faults;
};

struct CompileOptions {
  DurationMs display_offset = 8 * kHour;
};

// Compiles a checked bundle. Reports limits that are exceeded (too many facts or inputs, a window of an emitting rule that is
// no constant); null when diagnostics.errors() > 0 afterwards.
std::shared_ptr<const CompiledBundle> compile_bundle(Bundle bundle, const CompileOptions& options, Diagnostics& diagnostics);

}  // namespace tillwatch::rules
