// Runs rules on keys: takes events in, folds them in order, moves obligations when their clocks pass, and says what became of
// it. Pure: no thread, no wall clock, no I/O. One machine per shard; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/arena.h"
#include "rules/runtime/compiled_rule.h"
#include "rules/runtime/event.h"
#include "rules/runtime/key_state.h"
#include "rules/runtime/tables.h"

namespace tillwatch::rules {

enum class Fed : uint8_t { used, repeated, late, failed };  // failed: only step by step (Shard::set_careful)

// When a key wants to be run again: as soon as `clock` reaches `at`.
struct Wake {
  int clock = -1;
  TimeMs at = 0;
};

// An alert that changed since it was last published.
struct AlertChange {
  const CompiledRule* rule = nullptr;
  std::string key;
  std::shared_ptr<const Instance> instance;  // null: withdrawn (what it was based on came out otherwise)
  Published published;                       // the new record of what the topic knows
  bool first = false;                        // never published before
  Severity previous = Severity::medium;      // severity last published
  bool was_open = false;
  int64_t money_before_minor = 0;
};

struct RuleCounts {
  uint64_t triggers = 0;
  uint64_t divide_by_zero = 0, overflow = 0, currency_mismatch = 0;
};

// Why a trigger came to nothing ("when", "skip m", "then 1", "quiet").
struct Stop {
  std::string what;
  int rule = -1;
  Origin origin;  // of the trigger; offset -1: it is forgotten
  bool operator==(const Stop&) const = default;
};

class Machine final : public Surroundings {
 public:
  // `clocks`: value per CompiledBundle::clocks, moved by the owner between runs.
  Machine(const CompiledBundle& bundle, const Tables& tables, const std::vector<TimeMs>& clocks);

  // Takes an event in at one input of rule `rule`. run() decides about it.
  Fed feed(int rule, KeyState& key, int input, const Event& event);
  // A row that something at this key has looked up has a new version.
  void row_changed(int rule, KeyState& key, TimeMs recorded_at);
  // Folds what was fed and what the clocks allow. Emitted events go to `derived`.
  void run(int rule, KeyState& key, std::vector<DerivedEvent>& derived);
  // What changed since the last call; call once per commit, after the last run().
  void publish(int rule, std::string_view key_bytes, KeyState& key, std::vector<AlertChange>& changes);
  // Drops what nothing can ask for any more. After publish().
  void forget(int rule, KeyState& key);
  // When to run again, and which rows it waits for; they live as long as the state is not changed. Both are cleared first.
  void wants(int rule, const KeyState& key, std::vector<Wake>& wakes, std::vector<const TableRead*>& reads);
  // Obligations of this key that are due at clock `clock` up to `upto` but not decided, and the money in them.
  struct Held {
    uint64_t count = 0;
    int64_t money_minor = 0;
  };
  Held held(int rule, const KeyState& key, int clock, TimeMs upto) const;
  void after_load(int rule, KeyState& key) const;

  const RuleCounts& counts(int rule) const { return counts_[static_cast<size_t>(rule)]; }
  // What stopped triggers, for rule tests and `why`; null: not wanted.
  void set_trace(std::vector<Stop>* trace) { trace_ = trace; }

  // Surroundings
  Value aggregate(int index) override;
  Value lookup(int table, std::span<const Value> key, bool has_at, TimeMs at) override;
  const NamedList& list(int index) const override;

 private:
  struct Timer {
    enum class Kind : uint8_t { none, step, wait, held, hold_slide, look, ask, row, emit, expire, slide, way_held, table_row };
    Order order;
    TimeMs needed = 0;  // what the clock must reach: the order's time, and the step's grace
    int clock = -1;     // -1: needs none
    Kind kind = Kind::none;
    size_t instance = 0;
    size_t way = 0;
  };
  enum class Verdict : uint8_t { skip, wait, no, yes };

  void begin(int rule, KeyState& key);
  void forget_events(int rule, KeyState& key, TimeMs settled);
  void merge();
  void rollback(const Order& to);
  void set_state(FoldState state, const Order& after);
  bool applicable(const Timer& timer) const;
  Timer next_timer() const;
  void offer(Timer& best, const Timer& timer) const;
  void offer_hold(Timer& best, size_t index) const;
  void offer_open(Timer& best, size_t index) const;
  void offer_moments(Timer& best, size_t index, const std::vector<Moment>& moments, int clock) const;
  TimeMs next_slide(const std::vector<int>& aggregates) const;
  size_t next_entry() const;

  void apply(Entry& entry);
  void apply(const Timer& timer);
  void ask_again(FoldState& state, const Entry& late);
  void resolve_by(FoldState& state, const Entry& entry);
  void step_by(FoldState& state, const Entry& entry);
  void trigger(FoldState& state, Entry& entry, TimeMs as_of);
  void decide(FoldState& state, Entry& entry, TimeMs as_of);
  void look(FoldState& state, size_t index);
  Verdict evaluate(Entry& entry, TimeMs as_of, DurationMs& waited);
  Verdict judge(Entry& entry, TimeMs as_of, DurationMs& waited);  // without writing the facts into the entry
  void write_facts(Entry& entry, bool only_kept);
  void hit(FoldState& state, const Entry& entry);
  std::optional<size_t> open_for(const FoldState& state, TimeMs time) const;
  bool join(FoldState& state, const Entry& entry);  // false: no alert is open that it could join
  bool join(FoldState& state, size_t index);        // the same for an instance whose steps are done
  void count_hit(Instance& instance);
  void add_reads(Instance& instance, const std::vector<TableRead>& reads) const;
  void hold(FoldState& state, const Entry& entry);
  void stop_holding(FoldState& state, TimeMs at);
  void ask_holding(FoldState& state, TimeMs at);
  void pass_hold(FoldState& state, size_t index);
  void note_hold(FoldState& state, size_t index, size_t way, bool holds, TimeMs at);
  void settle_early(FoldState& state, size_t index);
  bool stop_at_step(FoldState& state, size_t index);  // false: the instance is gone
  void decide_step(FoldState& state, size_t index);
  void weigh_rows(FoldState& state, const Timer& timer);
  void review(FoldState& state, TimeMs at);

  // Instances are shared between checkpoints; a change works on a copy.
  Instance& edit(FoldState& state, size_t index);
  std::shared_ptr<Instance> begin_instance(const Entry& entry) const;
  bool enter_step(FoldState& state, size_t index);          // false: the instance is gone
  bool advance(FoldState& state, size_t index, TimeMs at);  // past the step just decided
  bool complete(FoldState& state, size_t index, TimeMs at);
  bool told_in_time(const Instance& instance, const CompiledStep& step);
  bool matches(const Instance& instance, const CompiledStep& step, const Entry& entry);
  bool way_holds(const CompiledWay& way, const Instance& instance, const char* row, const RowLayout* layout, TimeMs at);
  void finish(FoldState& state, size_t index, size_t way, TimeMs at, bool expired, const Entry* by);
  void raise(Instance& instance, Severity severity, TimeMs at);
  void render(Instance& instance, TimeMs at);
  Severity severity_of(const Instance& instance, TimeMs at);
  void add_evidence(Instance& instance, const Entry& entry);
  static void add_evidence(Instance& instance, Instance::Evidence evidence);
  void emit(const Instance& instance);
  void bind(const Instance& instance, TimeMs at);
  void note_error();
  void trace(std::string what);  // of the trigger whose facts are being computed
  void trace(std::string what, const Instance& stopped);
  void trace(std::string what, const Origin& origin);

  const CompiledBundle& bundle_;
  const Tables& tables_;
  const std::vector<TimeMs>& clocks_;
  std::vector<RuleCounts> counts_;
  const uint32_t clock_numbers_;
  std::vector<DurationMs> least_keep_;  // per rule: the least of its inputs'
  Arena arena_;
  std::vector<Stop>* trace_ = nullptr;

  // machine_windows.cc
  std::optional<Value> slide(int index);  // none: every event is to be looked at
  SlidingWindows& windows();
  void move(SlidingWindow& window, const CompiledAggregate& aggregate, TimeMs lo, const Order& hi);
  void take(SlidingWindow& window, const CompiledAggregate& aggregate, const Entry& entry, bool in);
  void retract(const Order& to);      // windows hold nothing from here on
  void leave_behind(TimeMs settled);  // … nor what is going to be forgotten
  TimeMs first_time(int input);       // of the events up to the position
  int64_t streak_of(const Gathered& gathered, std::span<const std::pair<const Entry*, Value>> others) const;
  std::optional<Order> end_of(const CompiledAggregate& aggregate, const Gathered& gathered,
                              std::span<const std::pair<const Entry*, Value>> others) const;

  // machine_folds.cc
  Order behind(uint64_t id) const;
  bool speak(FoldState& state, size_t index, Severity severity, TimeMs at);
  void offer_asking(Timer& best, size_t index) const;
  void ask(FoldState& state, size_t index);
  void answer(FoldState& state, size_t index);
  void go_on(FoldState& state, size_t index);
  DerivedEvent derive(const Instance& instance, int stream, TimeMs time, std::span<const Value> fields) const;
  Value money_of(const Instance& instance) const;
  bool folded(const Instance& instance);
  void ask_for_place(const Instance& instance);
  void count_fold(FoldState& state, const Entry& entry);
  void offer_row(Timer& best, size_t index) const;
  void tell_row(FoldState& state, size_t index);
  Value usual(const CompiledAggregate& aggregate, const Type& type);
  bool contributes(const CompiledAggregate& aggregate, const Entry& entry, Value& value);  // changes environment_.candidate
  Value mean(const Sum& sum, ValueKind kind);
  Value total(const Sum& sum, const Type& type);
  static Value share(int64_t holding, int64_t count);
  static Value lesser(const Value& a, const Value& b);
  static Value greater(const Value& a, const Value& b);
  static Value at_level(std::vector<Value>& values, int64_t level);
  const Entry* entry_of(const Instance& instance) const;
  Entry* trigger_entry(uint64_t id) const;

  // The key in hand.
  const CompiledRule* rule_ = nullptr;
  int rule_index_ = -1;
  KeyState* key_ = nullptr;
  std::vector<DerivedEvent>* derived_ = nullptr;

  // The evaluation in hand.
  Environment environment_;
  std::array<Value, kMaxFacts> facts_;
  size_t facts_ready_ = 0;
  Entry* current_ = nullptr;  // the trigger whose facts are being computed
  TimeMs as_of_ = 0;
  Order position_;       // what stands behind it is not seen
  TimeMs known_ = 0;     // rows recorded by then are seen
  DurationMs wait_ = 0;  // … or, for a fact that waits, this much later
  std::vector<TableRead> reads_;
  int usual_day_ = 0;                 // as of how many days ago `usual` asks; 0: it does not
  std::vector<Value> current_slots_;  // contributes()
  std::vector<Value> row_values_;     // write_facts()
  std::string row_;
};

}  // namespace tillwatch::rules
