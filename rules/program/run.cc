#include <algorithm>
#include <string>
#include <vector>

#include <re2/re2.h>

#include "engine/base/status.h"
#include "rules/program/arithmetic.h"
#include "rules/program/code.h"

namespace tillwatch::rules {
namespace {

constexpr int32_t kStackRegisters = 48;

// Registers on the stack, without the cost of clearing them: a register is written before it is read.
union RegisterFile {
  RegisterFile() {}
  Value values[kStackRegisters];
};

bool ordered(int order, Op op) {
  switch (op) {
    case Op::equal:
      return order == 0;
    case Op::not_equal:
      return order != 0;
    case Op::less:
      return order < 0;
    case Op::less_equal:
      return order <= 0;
    case Op::greater:
      return order > 0;
    default:
      return order >= 0;
  }
}

re2::StringPiece piece(const Value& text) { return {text.bytes, text.size}; }

// The instructions that are too rare or too long for the loop. Operands are present.
Value order_mixed(const Value& a, const Value& b, Op op) {
  const Wide left = static_cast<Wide>(a.i) * (a.kind == ValueKind::integer ? Value::kDecimalOne : 1);
  const Wide right = static_cast<Wide>(b.i) * (b.kind == ValueKind::integer ? Value::kDecimalOne : 1);
  return Value::of_bool(ordered(left < right ? -1 : left > right, op));
}

Value order_money(const Value& a, const Value& b, Op op, EvalError& error) {
  if (!currencies_fit(a, b)) {
    error = EvalError::currency_mismatch;
    return {};
  }
  return Value::of_bool(ordered(compare(a, b), op));
}

Value sum(const Value& a, const Value& b, bool plus, ValueKind kind, EvalError& error) {
  Value value;
  if (plus ? __builtin_add_overflow(a.i, b.i, &value.i) : __builtin_sub_overflow(a.i, b.i, &value.i)) {
    error = EvalError::overflow;
    return {};
  }
  value.kind = kind;
  return value;
}

Value sum_of_money(const Value& a, const Value& b, bool plus, EvalError& error) {
  if (!currencies_fit(a, b)) {
    error = EvalError::currency_mismatch;
    return {};
  }
  Value value = sum(a, b, plus, ValueKind::money, error);
  if (!value.missing()) value.aux = a.aux != 0 ? a.aux : b.aux;
  return value;
}

Value negated(const Value& a, EvalError& error) {
  Value value = a;
  if (__builtin_sub_overflow(int64_t{0}, a.i, &value.i)) {
    error = EvalError::overflow;
    return {};
  }
  return value;
}

// Beside the registers a program needs these three; the loop passes them to the instructions that stand outside of it.
struct Machine {
  const CompiledCode& code;
  Value* registers;
  Environment& environment;

  const Value& second(const Instruction& in) const {
    return in.b_constant ? code.constants[static_cast<size_t>(in.b)] : registers[in.b];
  }
  bool among(const Instruction& in, const Value* items, const Value& needle) const {
    return std::any_of(items, items + in.count, [&](const Value& item) { return equal(item, needle); });
  }
  Value text_instruction(const Instruction& in) const;
  Value membership(const Instruction& in) const;
  Value arithmetic(const Instruction& in) const;
  Value conversion(const Instruction& in) const;
  Value outside(const Instruction& in) const;
  Value lookup(const Instruction& in) const;
  Value call(const Instruction& in) const;
  Value named_list(const Instruction& in) const;
  Value slow(const Instruction& in) const;
};

Value Machine::text_instruction(const Instruction& in) const {
  const Value& a = registers[in.a];
  if (a.missing()) return {};
  if (in.op == Opcode::matches) {
    const re2::RE2& pattern = *code.patterns[static_cast<size_t>(in.b)];
    return Value::of_bool(re2::RE2::PartialMatch(piece(a), pattern));
  }
  const Value& b = second(in);
  if (b.missing()) return {};
  switch (in.op) {
    case Opcode::order_text:
      return Value::of_bool(ordered(compare(a, b), static_cast<Op>(in.detail)));
    case Opcode::ends_with:
      return Value::of_bool(a.text().ends_with(b.text()));
    default:
      break;
  }
  const auto pattern = compile_pattern(b.text());
  return pattern == nullptr ? Value{} : Value::of_bool(re2::RE2::PartialMatch(piece(a), *pattern));
}

Value Machine::membership(const Instruction& in) const {
  const Value& a = registers[in.a];
  if (a.missing()) return {};
  bool found = false;
  switch (in.op) {
    case Opcode::in_constants:
      found = among(in, &code.constants[static_cast<size_t>(in.b)], a);
      break;
    case Opcode::in_registers:
      found = among(in, registers + in.b, a);
      break;
    case Opcode::in_named:
      found = environment.surroundings->list(in.b).values.contains(a.text());
      break;
    default: {
      const Value& list = registers[in.b];
      if (list.missing()) return {};
      found = ListView(list.text()).contains(a.text());
    }
  }
  return Value::of_bool(found != in.negated);
}

Value Machine::arithmetic(const Instruction& in) const {
  const Value& a = registers[in.a];
  const Value& b = second(in);
  if (a.missing() || b.missing()) return {};
  EvalError& error = environment.error;
  const auto kind = static_cast<ValueKind>(in.detail);
  switch (in.op) {
    case Opcode::add_money:
      return sum_of_money(a, b, true, error);
    case Opcode::subtract_money:
      return sum_of_money(a, b, false, error);
    case Opcode::multiply:
      return multiply(a, b, kind, code.scales[static_cast<size_t>(in.count)], error);
    case Opcode::divide:
      return divide(a, b, kind, code.scales[static_cast<size_t>(in.count)], error);
    case Opcode::order_money:
      return order_money(a, b, static_cast<Op>(in.detail), error);
    case Opcode::equal_any:
      return Value::of_bool(equal(a, b) != in.negated);
    default:
      return order_mixed(a, b, static_cast<Op>(in.detail));
  }
}

Value Machine::conversion(const Instruction& in) const {
  const Value& a = registers[in.a];
  if (a.missing()) return {};
  switch (in.op) {
    case Opcode::negate:
      return negated(a, environment.error);
    case Opcode::to_decimal:
      return decimal_of_integer(a, environment.error);
    case Opcode::to_money:
      return money_of_integer(a);
    default:
      break;
  }
  const bool named = a.i >= 0 && a.i < in.count;  // a row kept under an older schema may know more names: the last is `unknown`
  return code.constants[static_cast<size_t>(in.b + (named ? a.i : in.count))];
}

Value Machine::lookup(const Instruction& in) const {
  const Value* key = registers + in.a;
  const int32_t inputs = in.count + in.detail;
  if (std::any_of(key, key + inputs, [](const Value& value) { return value.missing(); })) return {};
  const TimeMs at = in.detail != 0 ? key[in.count].i : 0;
  const Value row = environment.surroundings->lookup(in.b, {key, static_cast<size_t>(in.count)}, in.detail != 0, at);
  TILLWATCH_CHECK(row.missing() || row.kind == ValueKind::row);
  return row;
}

Value Machine::call(const Instruction& in) const {
  const Value* arguments = registers + in.a;
  if (std::any_of(arguments, arguments + in.count, [](const Value& value) { return value.missing(); })) return {};
  TILLWATCH_CHECK(environment.arena != nullptr);
  return code.calls[static_cast<size_t>(in.b)]({arguments, static_cast<size_t>(in.count)}, *environment.arena,
                                               environment.error);
}

// A named list where its items are wanted, not only `in`: sorted, so that two runs agree.
Value Machine::named_list(const Instruction& in) const {
  const NamedList& list = environment.surroundings->list(in.b);
  std::vector<std::string_view> items(list.values.begin(), list.values.end());
  std::ranges::sort(items);
  std::string bytes;
  ListView::encode(items, bytes);
  return Value::of_bytes(ValueKind::list, environment.arena->copy(bytes));
}

Value Machine::outside(const Instruction& in) const {
  if (in.op == Opcode::lookup) return lookup(in);
  if (in.op == Opcode::load_list) return named_list(in);
  const Value value = environment.surroundings->aggregate(in.b);
  TILLWATCH_CHECK(value.missing() || value.kind == static_cast<ValueKind>(in.detail));
  return value;
}

Value Machine::slow(const Instruction& in) const {
  switch (in.op) {
    case Opcode::lookup:
    case Opcode::load_list:
    case Opcode::aggregate:
      return outside(in);
    case Opcode::call:
      return call(in);
    case Opcode::order_text:
    case Opcode::matches:
    case Opcode::matches_value:
    case Opcode::ends_with:
      return text_instruction(in);
    case Opcode::in_constants:
    case Opcode::in_registers:
    case Opcode::in_value:
    case Opcode::in_named:
      return membership(in);
    case Opcode::negate:
    case Opcode::to_decimal:
    case Opcode::to_money:
    case Opcode::symbol_text:
      return conversion(in);
    default:
      return arithmetic(in);
  }
}

Value field(const EventView& event, int32_t position) {
  return event.slots == nullptr && event.row == nullptr ? Value{} : event.get(position);
}

// The tests a condition is made of. Each says whether it holds, and writes that; a missing operand does not hold.
template <class Holds>
inline bool test(bool present, Value& out, Holds holds) {
  if (!present) {
    out.kind = ValueKind::missing;
    return false;
  }
  const bool truth = holds();
  out = Value::of_bool(truth);
  return truth;
}

inline bool bit_of(const Value& mask, int64_t ordinal) {
  return static_cast<uint64_t>(ordinal) < 64 && ((static_cast<uint64_t>(mask.i) >> ordinal) & 1) != 0;
}

Value run_loop(const Machine& machine) {
  Value* const registers = machine.registers;
  Environment& environment = machine.environment;
  const Instruction* const start = machine.code.instructions.data();
  const Value* const spaces[2] = {registers, machine.code.constants.data()};
  const auto next = [&](const Instruction& in, bool holds) { return !holds && in.jump != 0 ? start + in.jump : &in + 1; };
  Value loaded;
  const auto first = [&](const Instruction& in) -> const Value& {
    if (!in.a_field) return registers[in.a];
    if (environment.candidate.slots != nullptr) return environment.candidate.slots[in.a];
    return loaded = field(environment.candidate, in.a);
  };
  const auto compared = [&](const Instruction& in, auto compare) {
    const Value& a = first(in);
    const Value& b = spaces[in.b_constant][in.b];
    return next(in, test(!a.missing() && !b.missing(), registers[in.target], [&] { return compare(a, b); }));
  };
  for (const Instruction* at = start;;) {
    const Instruction& in = *at;
    Value& out = registers[in.target];
    ++at;
    switch (in.op) {
      case Opcode::load_constant:
        out = spaces[1][in.b];
        break;
      case Opcode::load_candidate:
        out = field(environment.candidate, in.b);
        break;
      case Opcode::load_bound:
        out = field(environment.bound[static_cast<size_t>(in.a)], in.b);
        break;
      case Opcode::load_resolver:
        out = field(environment.resolver, in.b);
        break;
      case Opcode::load_fact:
        out = environment.facts[in.b];
        break;
      case Opcode::load_elapsed:
        out = Value::of_duration(environment.elapsed);
        break;
      case Opcode::member: {
        const Value& row = registers[in.a];
        out = row.missing() ? row
                            : machine.code.layouts[static_cast<size_t>(in.count)]->get(row.bytes, static_cast<size_t>(in.b));
        break;
      }
      case Opcode::equal:
        at = compared(in, [](const Value& a, const Value& b) { return a.i == b.i; });
        break;
      case Opcode::not_equal:
        at = compared(in, [](const Value& a, const Value& b) { return a.i != b.i; });
        break;
      case Opcode::less:
        at = compared(in, [](const Value& a, const Value& b) { return a.i < b.i; });
        break;
      case Opcode::less_equal:
        at = compared(in, [](const Value& a, const Value& b) { return a.i <= b.i; });
        break;
      case Opcode::greater:
        at = compared(in, [](const Value& a, const Value& b) { return a.i > b.i; });
        break;
      case Opcode::greater_equal:
        at = compared(in, [](const Value& a, const Value& b) { return a.i >= b.i; });
        break;
      case Opcode::equal_text:
        at = compared(in, [&](const Value& a, const Value& b) { return (a.text() == b.text()) != in.negated; });
        break;
      case Opcode::in_mask: {
        const Value& a = first(in);
        at = next(in, test(!a.missing(), out, [&] { return bit_of(spaces[1][in.b], a.i) != in.negated; }));
        break;
      }
      case Opcode::add:
      case Opcode::subtract: {
        const Value& a = registers[in.a];
        const Value& b = spaces[in.b_constant][in.b];
        out = a.missing() || b.missing()
                  ? Value{}
                  : sum(a, b, in.op == Opcode::add, static_cast<ValueKind>(in.detail), environment.error);
        if (environment.error != EvalError::none) return {};
        break;
      }
      case Opcode::logical_not:
        if (!registers[in.a].missing()) out = Value::of_bool(!registers[in.a].truth());
        break;
      case Opcode::has:
        out = Value::of_bool(!registers[in.a].missing());
        break;
      case Opcode::jump:
        at = start + in.jump;
        break;
      case Opcode::jump_unless_true:
        if (registers[in.a].missing() || !registers[in.a].truth()) at = start + in.jump;
        break;
      case Opcode::jump_unless_false:
        if (registers[in.a].missing() || registers[in.a].truth()) at = start + in.jump;
        break;
      case Opcode::jump_if_present:
        if (!registers[in.a].missing()) at = start + in.jump;
        break;
      case Opcode::finish:
        return registers[0];
      default:
        out = machine.slow(in);
        if (environment.error != EvalError::none) return {};
    }
  }
}

}  // namespace

Value execute(const CompiledCode& code, Environment& environment) {
  environment.error = EvalError::none;
  if (code.registers <= kStackRegisters) {
    RegisterFile file;
    return run_loop({code, file.values, environment});
  }
  // An expression nested this deep is rare: its registers come from the arena, which has no alignment of its own.
  TILLWATCH_CHECK(environment.arena != nullptr);
  const auto count = static_cast<size_t>(code.registers);
  void* at = environment.arena->allocate(count * sizeof(Value) + alignof(Value));
  size_t space = count * sizeof(Value) + alignof(Value);
  auto* registers = static_cast<Value*>(std::align(alignof(Value), count * sizeof(Value), at, space));
  std::uninitialized_default_construct_n(registers, count);
  return run_loop({code, registers, environment});
}

struct Program::Code : CompiledCode {};

Program::Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Program Program::compile(const Expression& expression, const Schema& schema, const RowShapes& shapes) {
  return compile(expression, schema, shapes, expression.type);
}

Program Program::compile(const Expression& expression, const Schema& schema, const RowShapes& shapes, const Type& result) {
  Program program;
  program.code_ = std::make_unique<Code>();
  compile_into(expression, schema, shapes, result, *program.code_);
  return program;
}

bool Program::empty() const { return code_ == nullptr; }

Value Program::run(Environment& environment) const { return execute(*code_, environment); }

std::string Program::disassemble() const { return code_ == nullptr ? "" : listing(*code_); }

}  // namespace tillwatch::rules
