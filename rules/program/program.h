// Expressions as flat register programs: compiled once from the checked tree, run for every event.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/arena.h"
#include "engine/base/row.h"
#include "engine/base/time.h"
#include "engine/base/value.h"
#include "rules/language/checked_rule.h"

namespace tillwatch::rules {

// An event as a program sees it: encoded row, or slots just decoded (when `slots` is set). Both null: not bound.
struct EventView {
  const RowLayout* layout = nullptr;
  const char* row = nullptr;
  const Value* slots = nullptr;
  Value get(int position) const { return slots != nullptr ? slots[position] : layout->get(row, static_cast<size_t>(position)); }
};

// What a program asks of the machine that runs the rule.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // Aggregate `index` of the rule, as of the moment of evaluation. Missing where the language says so.
  virtual Value aggregate(int index) = 0;
  // The row of `table` in force at `at` (kind row, layout of all columns in order), or missing. `has_at`: written `at TIME`;
  // else the event's own time.
  virtual Value lookup(int table, std::span<const Value> key, bool has_at, TimeMs at) = 0;
  virtual const NamedList& list(int index) const = 0;
};

enum class EvalError : uint8_t { none, divide_by_zero, overflow, currency_mismatch };

struct Environment {
  static constexpr int kMaxSteps = 15;
  EventView candidate;                         // kCandidate
  std::array<EventView, kMaxSteps + 1> bound;  // kTrigger, steps
  EventView resolver;                          // kResolver
  const Value* facts = nullptr;                // the rule's facts, as many as are computed so far
  DurationMs elapsed = 0;
  Surroundings* surroundings = nullptr;
  Arena* arena = nullptr;             // results of text functions live here
  EvalError error = EvalError::none;  // set by run(); the value is then missing
};

// Where fields stand in the rows a program will meet.
struct RowShapes {
  // Position of `field` in the events bound at `binding` (kCandidate included).
  std::function<int(int binding, int field)> position;
  // Layout and position for members of row and event values.
  std::function<const RowLayout*(const Type& type)> layout;
  std::function<int(const Type& type, int index)> member;
};

class Program {
 public:
  Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  static Program compile(const Expression& expression, const Schema& schema, const RowShapes& shapes);
  // The same with the value as `result` has it: an integer becomes a decimal or money, an enum value its name.
  static Program compile(const Expression& expression, const Schema& schema, const RowShapes& shapes, const Type& result);
  bool empty() const;  // default constructed: nothing to run

  // The value; missing where the expression is missing, or when environment.error was set. Thread-safe (const), one environment
  // per thread. Bytes of the result live in the event rows, the program or environment.arena.
  Value run(Environment& environment) const;
  bool holds(Environment& environment) const {  // conditions: missing and errors are false
    const Value value = run(environment);
    return !value.missing() && value.truth();
  }
  std::string disassemble() const;  // for golden tests

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

// A compiled template. Values of pii type are masked.
class TextProgram {
 public:
  static TextProgram compile(const Template& text, const Schema& schema, const RowShapes& shapes, DurationMs display_offset);
  std::string render(Environment& environment) const;  // a missing value prints as "?"
  bool empty() const { return parts_.empty(); }

 private:
  struct Part {
    std::string text;
    Program program;
    Template::Format format = Template::Format::plain;
    Type type;
    const EnumType* symbols = nullptr;
  };
  std::vector<Part> parts_;
  DurationMs display_offset_ = 0;
};

// "1,234.56 CNY", "60 bp", "3.2 %": how values are shown to people. Enum values by name.
std::string show(const Value& value, Template::Format format, const Type& type, const EnumType* symbols,
                 DurationMs display_offset);

}  // namespace tillwatch::rules
