// From a checked expression to instructions. The value of a node ends in the register it is asked for; what it needs on the way
// stands in the registers above. compile.cc has the nodes, compile_operators.cc the operators.
#pragma once

#include <map>
#include <optional>

#include "rules/program/code.h"

namespace tillwatch::rules {

// The type two operands or branches meet in: an integer becomes what the other is, a symbol its name.
Type common_type(const Type& a, const Type& b);

struct Operand {
  int32_t index = 0;
  bool constant = false;
};

class Compiler {
 public:
  Compiler(const Schema& schema, const RowShapes& shapes, CompiledCode& code, bool fold)
      : schema_(schema), shapes_(shapes), code_(code), fold_(fold) {}

  void into(const Expression& expression, int32_t target);
  void into_as(const Expression& expression, const Type& type, int32_t target) {
    into(expression, target);
    convert(target, expression.type, type);
  }
  void finish() { emit({.op = Opcode::finish}); }

 private:
  Instruction& emit(Instruction instruction) {
    code_.instructions.push_back(instruction);
    return code_.instructions.back();
  }
  // A test right behind the load of a candidate's field reads the field itself.
  void emit_test(Instruction instruction) {
    if (!code_.instructions.empty() && last_landing_ != here()) {
      const Instruction& last = code_.instructions.back();
      if (can_jump(instruction.op) && last.op == Opcode::load_candidate && last.target == instruction.a) {
        instruction.a = last.b;
        instruction.a_field = true;
        code_.instructions.pop_back();
      }
    }
    emit(instruction);
  }
  static bool can_jump(Opcode op) { return op >= Opcode::equal && op <= Opcode::in_mask; }
  int32_t here() const { return static_cast<int32_t>(code_.instructions.size()); }
  void land(int32_t from) {
    code_.instructions[static_cast<size_t>(from)].jump = here();
    last_landing_ = here();
  }
  int32_t add_constant(const Value& value) {
    code_.constants.push_back(value);
    return static_cast<int32_t>(code_.constants.size()) - 1;
  }
  int32_t add_scale(int64_t scale) {
    code_.scales.push_back(scale);
    return static_cast<int32_t>(code_.scales.size()) - 1;
  }
  Value own(std::string_view text) { return Value::of_text(code_.bytes.copy(text)); }

  std::optional<Value> constant_value(const Expression& expression);
  std::optional<Value> convert_constant(const Value& value, const Type& from, const Type& to);
  void convert(int32_t target, const Type& from, const Type& to);
  Operand operand_as(const Expression& expression, const Type& type, int32_t scratch);
  int32_t branch(Opcode op, int32_t reg);

  void load_field(const Expression& expression, int32_t target);
  void literal_list(const Expression& expression, int32_t target);
  void member(const Expression& expression, int32_t target);
  void lookup(const Expression& expression, int32_t target);
  void call(const Expression& expression, int32_t target);
  void choose(const Expression& expression, int32_t target);
  void coalesce(const Expression& expression, int32_t target);
  void unary(const Expression& expression, int32_t target);
  void binary(const Expression& expression, int32_t target);
  void logic(const Expression& expression, int32_t target);
  void sum(const Expression& expression, int32_t target);
  void product(const Expression& expression, int32_t target);
  void quotient(const Expression& expression, int32_t target);
  void comparison(const Expression& expression, int32_t target);
  void ordered_mixed(const Expression& left, const Expression& right, Op op, int32_t target);
  void membership(const Expression& expression, int32_t target);
  void membership_of_literals(const Expression& needle, const Expression& list, bool negated, int32_t target);
  void pattern(const Expression& expression, int32_t target);

  const Schema& schema_;
  const RowShapes& shapes_;
  CompiledCode& code_;
  const bool fold_;
  int32_t last_landing_ = -1;              // a jump may arrive here: do not merge the instructions around it
  std::map<int32_t, int32_t> enum_names_;  // enum: its first name's constant
};

}  // namespace tillwatch::rules
