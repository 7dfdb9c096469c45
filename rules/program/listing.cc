#include <array>

#include <fmt/format.h>

#include <re2/re2.h>

#include "rules/program/code.h"
#include "rules/program/show.h"

namespace tillwatch::rules {
namespace {

constexpr auto kNames = std::to_array<std::string_view>({
    "load_constant",
    "load_candidate",
    "load_bound",
    "load_resolver",
    "load_fact",
    "load_elapsed",
    "load_list",
    "member",
    "lookup",
    "aggregate",
    "not",
    "negate",
    "to_decimal",
    "to_money",
    "symbol_text",
    "add",
    "subtract",
    "add_money",
    "subtract_money",
    "multiply",
    "divide",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "equal_text",
    "in_mask",
    "equal_any",
    "order_money",
    "order_text",
    "order_mixed",
    "in_constants",
    "in_registers",
    "in_value",
    "in_named",
    "matches",
    "matches_value",
    "ends_with",
    "has",
    "jump",
    "jump_unless_true",
    "jump_unless_false",
    "jump_if_present",
    "call",
    "finish",
});
static_assert(kNames.size() == static_cast<size_t>(Opcode::finish) + 1);

std::string constant_text(const Value& value) {
  if (value.missing()) return "missing";
  if (value.kind == ValueKind::string) return fmt::format("\"{}\"", value.text());
  if (holds_bytes(value.kind)) return fmt::format("{} bytes", value.size);
  fmt::memory_buffer text;
  if (value.kind == ValueKind::symbol) text.push_back('#');
  append_text(value, text);
  return {text.data(), text.size()};
}

std::string operand(const Instruction& in, const CompiledCode& code) {
  return in.b_constant ? constant_text(code.constants[static_cast<size_t>(in.b)]) : fmt::format("r{}", in.b);
}

std::string first_operand(const Instruction& in) { return fmt::format("{}{}", in.a_field ? "field " : "r", in.a); }

std::string_view comparator(uint8_t detail) {
  constexpr std::array<std::string_view, 6> kSigns = {"==", "!=", "<", "<=", ">", ">="};
  return kSigns[detail - static_cast<size_t>(Op::equal)];
}

std::string constants_text(const CompiledCode& code, const Instruction& in) {
  std::string text;
  for (int32_t i = 0; i < in.count; ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", constant_text(code.constants[static_cast<size_t>(in.b + i)]));
  }
  return text;
}

std::string operands(const CompiledCode& code, const Instruction& in) {
  switch (in.op) {
    case Opcode::load_constant:
      return constant_text(code.constants[static_cast<size_t>(in.b)]);
    case Opcode::load_candidate:
    case Opcode::load_resolver:
    case Opcode::load_fact:
    case Opcode::load_list:
    case Opcode::aggregate:
      return fmt::format("{}", in.b);
    case Opcode::load_bound:
      return fmt::format("{}.{}", in.a, in.b);
    case Opcode::load_elapsed:
    case Opcode::jump:
      return "";
    case Opcode::member:
      return fmt::format("r{}.{}", in.a, in.b);
    case Opcode::lookup:
      return fmt::format("{}[r{} + {}]{}", in.b, in.a, in.count, in.detail != 0 ? " at" : "");
    case Opcode::multiply:
    case Opcode::divide:
      return fmt::format("r{} {} scale {}", in.a, operand(in, code), code.scales[static_cast<size_t>(in.count)]);
    case Opcode::order_money:
    case Opcode::order_text:
    case Opcode::order_mixed:
      return fmt::format("r{} {} {}", in.a, comparator(in.detail), operand(in, code));
    case Opcode::in_mask:
      return fmt::format("{} {:#x}", first_operand(in), code.constants[static_cast<size_t>(in.b)].i);
    case Opcode::in_constants:
    case Opcode::symbol_text:
      return fmt::format("r{} [{}]", in.a, constants_text(code, in));
    case Opcode::in_registers:
      return fmt::format("r{} [r{} + {}]", in.a, in.b, in.count);
    case Opcode::in_named:
      return fmt::format("r{} list {}", in.a, in.b);
    case Opcode::matches:
      return fmt::format("r{} /{}/", in.a, code.patterns[static_cast<size_t>(in.b)]->pattern());
    case Opcode::call:
      return fmt::format("{}(r{} + {})", code.call_names[static_cast<size_t>(in.b)], in.a, in.count);
    case Opcode::logical_not:
    case Opcode::negate:
    case Opcode::to_decimal:
    case Opcode::to_money:
    case Opcode::has:
    case Opcode::jump_unless_true:
    case Opcode::jump_unless_false:
    case Opcode::jump_if_present:
      return fmt::format("r{}", in.a);
    case Opcode::finish:
      return "r0";
    default:
      return fmt::format("{} {}", first_operand(in), operand(in, code));
  }
}

bool has_target(Opcode op) { return op < Opcode::jump || op == Opcode::call; }

}  // namespace

std::string listing(const CompiledCode& code) {
  std::string text;
  for (size_t i = 0; i < code.instructions.size(); ++i) {
    const Instruction& in = code.instructions[i];
    text += fmt::format("{:3} ", i);
    if (has_target(in.op)) text += fmt::format("r{} = ", in.target);
    text += fmt::format("{}{}", in.negated ? "not " : "", kNames[static_cast<size_t>(in.op)]);
    const std::string rest = operands(code, in);
    if (!rest.empty()) text += " " + rest;
    if (in.jump != 0) text += fmt::format(" -> {}", in.jump);
    text += "\n";
  }
  return text;
}

}  // namespace tillwatch::rules
