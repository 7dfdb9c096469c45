#include <algorithm>

#include <re2/re2.h>

#include "engine/base/status.h"
#include "rules/program/arithmetic.h"
#include "rules/program/compiler.h"

namespace tillwatch::rules {
namespace {

bool is_comparison(Op op) { return op >= Op::equal && op <= Op::greater_equal; }

Op mirrored(Op op) {
  switch (op) {
    case Op::less:
      return Op::greater;
    case Op::less_equal:
      return Op::greater_equal;
    case Op::greater:
      return Op::less;
    case Op::greater_equal:
      return Op::less_equal;
    default:
      return op;
  }
}

Opcode scalar_comparison(Op op) {
  return static_cast<Opcode>(static_cast<int>(Opcode::equal) + static_cast<int>(op) - static_cast<int>(Op::equal));
}
static_assert(static_cast<int>(Opcode::greater_equal) - static_cast<int>(Opcode::equal) ==
              static_cast<int>(Op::greater_equal) - static_cast<int>(Op::equal));

void flatten(const Expression& expression, Op op, std::vector<const Expression*>& terms) {
  if (expression.node == Node::binary && expression.op == op) {
    for (const ExpressionPtr& argument : expression.args) flatten(*argument, op, terms);
  } else {
    terms.push_back(&expression);
  }
}

}  // namespace

void Compiler::binary(const Expression& expression, int32_t target) {
  switch (expression.op) {
    case Op::op_and:
    case Op::op_or:
      return logic(expression, target);
    case Op::plus:
    case Op::minus:
      return sum(expression, target);
    case Op::times:
      return product(expression, target);
    case Op::divide:
      return quotient(expression, target);
    case Op::in:
    case Op::not_in:
      return membership(expression, target);
    case Op::matches:
    case Op::ends_with:
      return pattern(expression, target);
    default:
      break;
  }
  TILLWATCH_CHECK(is_comparison(expression.op));
  comparison(expression, target);
}

void Compiler::logic(const Expression& expression, int32_t target) {
  std::vector<const Expression*> terms;
  flatten(expression, expression.op, terms);
  std::vector<int32_t> exits;
  for (const Expression* term : terms) {
    into(*term, target);
    if (term == terms.back()) break;
    exits.push_back(branch(expression.op == Op::op_and ? Opcode::jump_unless_true : Opcode::jump_unless_false, target));
  }
  for (const int32_t exit : exits) land(exit);
}

void Compiler::sum(const Expression& expression, int32_t target) {
  const Expression& left = *expression.args[0];
  const Expression& right = *expression.args[1];
  const bool plus = expression.op == Op::plus;
  Type left_type = left.type, right_type = right.type;
  Kind result = Kind::time;
  if (left_type.kind == Kind::time || right_type.kind == Kind::time) {
    if (left_type.kind == right_type.kind) result = Kind::duration;
  } else {
    left_type = right_type = common_type(left.type, right.type);
    result = left_type.kind;
  }
  into_as(left, left_type, target);
  const Operand operand = operand_as(right, right_type, target + 1);
  Opcode op = plus ? Opcode::add : Opcode::subtract;
  if (result == Kind::money) op = plus ? Opcode::add_money : Opcode::subtract_money;
  emit({.op = op,
        .detail = static_cast<uint8_t>(value_kind(result)),
        .b_constant = operand.constant,
        .target = target,
        .a = target,
        .b = operand.index});
}

void Compiler::product(const Expression& expression, int32_t target) {
  const Expression& left = *expression.args[0];
  const Expression& right = *expression.args[1];
  const ProductShape shape = product_shape(left.type.kind, right.type.kind);
  TILLWATCH_CHECK(shape.scale != 0);
  into(left, target);
  const Operand operand = operand_as(right, right.type, target + 1);
  emit({.op = Opcode::multiply,
        .detail = static_cast<uint8_t>(value_kind(shape.result)),
        .b_constant = operand.constant,
        .target = target,
        .a = target,
        .b = operand.index,
        .count = add_scale(shape.scale)});
}

void Compiler::quotient(const Expression& expression, int32_t target) {
  const Expression& left = *expression.args[0];
  const Expression& right = *expression.args[1];
  const QuotientShape shape = quotient_shape(left.type.kind, right.type.kind);
  TILLWATCH_CHECK(shape.scale != 0);
  into(left, target);
  const Operand operand = operand_as(right, right.type, target + 1);
  emit({.op = Opcode::divide,
        .detail = static_cast<uint8_t>(value_kind(shape.result)),
        .b_constant = operand.constant,
        .target = target,
        .a = target,
        .b = operand.index,
        .count = add_scale(shape.scale)});
}

void Compiler::comparison(const Expression& expression, int32_t target) {
  const Expression* left = expression.args[0].get();
  const Expression* right = expression.args[1].get();
  Op op = expression.op;
  if (constant_value(*left) && !constant_value(*right)) {  // constants stand on the right
    std::swap(left, right);
    op = mirrored(op);
  }
  const Kind left_kind = left->type.kind, right_kind = right->type.kind;
  if (left_kind != right_kind && std::min(left_kind, right_kind) == Kind::integer &&
      std::max(left_kind, right_kind) == Kind::decimal) {
    return ordered_mixed(*left, *right, op, target);
  }
  const Type type = common_type(left->type, right->type);
  into_as(*left, type, target);
  const Operand operand = operand_as(*right, type, target + 1);
  const bool equality = op == Op::equal || op == Op::not_equal;
  Instruction instruction{.detail = static_cast<uint8_t>(op),
                          .b_constant = operand.constant,
                          .negated = op == Op::not_equal,
                          .target = target,
                          .a = target,
                          .b = operand.index};
  switch (type.kind) {
    case Kind::boolean:
    case Kind::integer:
    case Kind::decimal:
    case Kind::symbol:
    case Kind::time:
    case Kind::duration:
      instruction.op = scalar_comparison(op);
      instruction.negated = false;
      break;
    case Kind::string:
      instruction.op = equality ? Opcode::equal_text : Opcode::order_text;
      break;
    case Kind::money:
      // A literal fits any currency, so its minor units are all there is to compare.
      if (operand.constant && code_.constants[static_cast<size_t>(operand.index)].aux == 0) {
        instruction.op = scalar_comparison(op);
        instruction.negated = false;
      } else {
        instruction.op = equality ? Opcode::equal_any : Opcode::order_money;
      }
      break;
    default:
      TILLWATCH_CHECK(equality);
      instruction.op = Opcode::equal_any;
  }
  emit_test(instruction);
}

// An integer and a decimal compare without promoting: a count beyond the range of decimals is no error.
void Compiler::ordered_mixed(const Expression& left, const Expression& right, Op op, int32_t target) {
  into(left, target);
  const Operand operand = operand_as(right, right.type, target + 1);
  emit({.op = Opcode::order_mixed,
        .detail = static_cast<uint8_t>(op),
        .b_constant = operand.constant,
        .target = target,
        .a = target,
        .b = operand.index});
}

void Compiler::membership(const Expression& expression, int32_t target) {
  const Expression& needle = *expression.args[0];
  const Expression& haystack = *expression.args[1];
  const bool negated = expression.op == Op::not_in;
  if (haystack.node == Node::list) return membership_of_literals(needle, haystack, negated, target);
  into_as(needle, {.kind = Kind::string}, target);
  if (haystack.node == Node::list_name) {
    emit({.op = Opcode::in_named, .negated = negated, .target = target, .a = target, .b = haystack.index});
    return;
  }
  into(haystack, target + 1);
  emit({.op = Opcode::in_value, .negated = negated, .target = target, .a = target, .b = target + 1});
}

void Compiler::membership_of_literals(const Expression& needle, const Expression& list, bool negated, int32_t target) {
  Type type = needle.type;
  for (const ExpressionPtr& item : list.args) type = common_type(type, item->type);
  into_as(needle, type, target);
  std::vector<Value> items;
  for (const ExpressionPtr& item : list.args) {
    const auto value = constant_value(*item);
    const auto converted = value ? convert_constant(*value, item->type, type) : std::nullopt;
    if (converted) items.push_back(*converted);
  }
  const auto count = static_cast<int32_t>(list.args.size());
  if (items.size() != list.args.size()) {
    for (int32_t i = 0; i < count; ++i) into_as(*list.args[static_cast<size_t>(i)], type, target + 1 + i);
    emit({.op = Opcode::in_registers, .negated = negated, .target = target, .a = target, .b = target + 1, .count = count});
    return;
  }
  const bool mask =
      type.kind == Kind::symbol && std::ranges::all_of(items, [](const Value& item) { return item.i >= 0 && item.i < 64; });
  if (mask) {
    uint64_t bits = 0;
    for (const Value& item : items) bits |= uint64_t{1} << item.i;
    const int32_t constant = add_constant(Value::of_int(static_cast<int64_t>(bits)));
    emit_test({.op = Opcode::in_mask, .negated = negated, .target = target, .a = target, .b = constant});
    return;
  }
  const auto first = static_cast<int32_t>(code_.constants.size());
  for (const Value& item : items) add_constant(item);
  emit({.op = Opcode::in_constants, .negated = negated, .target = target, .a = target, .b = first, .count = count});
}

void Compiler::pattern(const Expression& expression, int32_t target) {
  const Expression& left = *expression.args[0];
  const Expression& right = *expression.args[1];
  const Type text{.kind = Kind::string};
  into_as(left, text, target);
  if (expression.op == Op::matches) {
    const auto literal = constant_value(right);
    if (literal && !literal->missing()) {
      if (auto compiled = compile_pattern(literal->text())) {
        code_.patterns.push_back(std::move(compiled));
        emit({.op = Opcode::matches, .target = target, .a = target, .b = static_cast<int32_t>(code_.patterns.size()) - 1});
        return;
      }
    }
  }
  const Operand operand = operand_as(right, text, target + 1);
  emit({.op = expression.op == Op::matches ? Opcode::matches_value : Opcode::ends_with,
        .b_constant = operand.constant,
        .target = target,
        .a = target,
        .b = operand.index});
}

}  // namespace tillwatch::rules
