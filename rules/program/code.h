// The inside of a Program: instructions over registers of Value, with their constants. Only rules/program reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/arena.h"
#include "engine/base/row.h"
#include "rules/program/functions.h"
#include "rules/program/program.h"

namespace re2 {
class RE2;
}

namespace tillwatch::rules {

// `r` is a register; `b` is a register or a constant (Instruction::b_constant). Unless said otherwise a missing operand makes
// the result missing, and an error ends the program.
enum class Opcode : uint8_t {
  load_constant,   // target = constants[b]
  load_candidate,  // target = field b of the candidate
  load_bound,      // target = field b of bound[a]; missing when nothing is bound there
  load_resolver,
  load_fact,  // target = facts[b]
  load_elapsed,
  load_list,  // target = the named list b as a list value
  member,     // target = field b of row a, laid out by layouts[count]
  lookup,     // target = the row of table b for the count keys from register a on (detail 1: then a register with the time)
  aggregate,  // target = aggregate b; detail: its kind
  logical_not,
  negate,
  to_decimal,   // target = integer a as a decimal
  to_money,     // target = integer a as minor units of any currency
  symbol_text,  // target = name of symbol a: constants[b + ordinal], count names; behind them what stands for others
  add,          // target (of kind detail) = a + b, currencies not looked at
  subtract,
  add_money,
  subtract_money,
  multiply,  // target (of kind detail) = a * b / scales[count]
  divide,    // target (of kind detail) = a * scales[count] / b
  equal,     // of the integers behind two values of one kind; from here to in_mask all may carry a jump: taken when not true
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  equal_text,   // negated: differs
  in_mask,      // bit a of constants[b]
  equal_any,    // money, geo, lists: as engine/base sees it
  order_money,  // detail: an Op
  order_text,
  order_mixed,    // integer a with decimal b, exactly
  in_constants,   // a is one of count constants from b on
  in_registers,   // … registers
  in_value,       // string a is in list b
  in_named,       // string a is in the named list b
  matches,        // string a and patterns[b]
  matches_value,  // string a and the pattern in b; an invalid pattern is missing
  ends_with,
  has,
  jump,               // to `jump`
  jump_unless_true,   // when a is false or missing
  jump_unless_false,  // when a is true or missing
  jump_if_present,
  call,    // target = calls[b](count arguments from register a on)
  finish,  // the value is register 0
};

struct Instruction {
  Opcode op = Opcode::finish;
  uint8_t detail = 0;
  bool b_constant = false;
  bool negated = false;  // in_*, equal_text, equal_any: the opposite
  bool a_field = false;  // equal to in_mask: a is a field of the candidate, not a register
  int32_t target = 0;
  int32_t a = 0;
  int32_t b = 0;
  int32_t count = 0;
  int32_t jump = 0;  // an instruction's position; 0: none
};

struct CompiledCode {
  std::vector<Instruction> instructions;
  std::vector<Value> constants;  // their bytes are in `bytes`
  std::vector<int64_t> scales;
  std::vector<const RowLayout*> layouts;
  std::vector<decltype(Function::run)> calls;
  std::vector<std::string_view> call_names;
  std::vector<std::unique_ptr<re2::RE2>> patterns;
  Arena bytes;
  int32_t registers = 1;

  CompiledCode();
  ~CompiledCode();
};

// Appends the instructions of `expression`; its value, as `result` has it, ends in register 0.
void compile_into(const Expression& expression, const Schema& schema, const RowShapes& shapes, const Type& result,
                  CompiledCode& code);
Value execute(const CompiledCode& code, Environment& environment);
std::string listing(const CompiledCode& code);
// Patterns of `matches` compile with these limits, in programs and in the tree evaluator; null when the pattern is invalid.
std::unique_ptr<re2::RE2> compile_pattern(std::string_view pattern);

}  // namespace tillwatch::rules
