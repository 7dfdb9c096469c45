#include <algorithm>

#include <re2/re2.h>

#include "engine/base/status.h"
#include "rules/program/arithmetic.h"
#include "rules/program/compiler.h"

namespace tillwatch::rules {
namespace {

// Nothing but literals and pure operations beneath.
bool is_constant(const Expression& expression) {
  switch (expression.node) {
    case Node::literal:
    case Node::unary:
    case Node::binary:
    case Node::coalesce:
    case Node::has:
    case Node::choose:
    case Node::call:
    case Node::list:
      break;
    default:
      return false;
  }
  return std::ranges::all_of(expression.args, [](const auto& argument) { return is_constant(*argument); });
}

}  // namespace

Type common_type(const Type& a, const Type& b) {
  if (a.kind == b.kind) {
    if (a.kind == Kind::symbol && a.ref != b.ref) return {.kind = Kind::string};
    return a;
  }
  if (a.kind == Kind::integer && (b.kind == Kind::decimal || b.kind == Kind::money)) return b;
  if (b.kind == Kind::integer && (a.kind == Kind::decimal || a.kind == Kind::money)) return a;
  if (a.kind == Kind::symbol && b.kind == Kind::string) return b;
  if (b.kind == Kind::symbol && a.kind == Kind::string) return a;
  abort_because(__FILE__, __LINE__, "the checker let two types meet that have nothing in common");
}

std::optional<Value> Compiler::constant_value(const Expression& expression) {
  if (expression.node == Node::literal) {
    return expression.type.kind == Kind::string ? own(expression.text) : expression.value;
  }
  if (!fold_ || expression.node == Node::list || !is_constant(expression)) return std::nullopt;
  CompiledCode folded;
  Compiler compiler(schema_, shapes_, folded, /*fold=*/false);
  compiler.into(expression, 0);
  compiler.finish();
  Environment nothing;
  nothing.arena = &folded.bytes;
  Value value = execute(folded, nothing);
  if (nothing.error != EvalError::none) return std::nullopt;  // left to fail when it is run
  if (holds_bytes(value.kind)) value.bytes = code_.bytes.copy(value.text()).data();
  return value;
}

std::optional<Value> Compiler::convert_constant(const Value& value, const Type& from, const Type& to) {
  if (value.missing() || from.kind == to.kind) return value;
  if (from.kind == Kind::symbol && to.kind == Kind::string) {
    const EnumType& type = schema_.enums[static_cast<size_t>(from.ref)];
    return own(type.names[static_cast<size_t>(value.i)]);
  }
  if (from.kind != Kind::integer) return value;
  if (to.kind == Kind::money) return money_of_integer(value);
  if (to.kind != Kind::decimal) return value;
  EvalError error = EvalError::none;
  const Value decimal = decimal_of_integer(value, error);
  return error == EvalError::none ? std::optional(decimal) : std::nullopt;
}

void Compiler::convert(int32_t target, const Type& from, const Type& to) {
  if (from.kind == Kind::integer && to.kind == Kind::decimal) {
    emit({.op = Opcode::to_decimal, .target = target, .a = target});
  } else if (from.kind == Kind::integer && to.kind == Kind::money) {
    emit({.op = Opcode::to_money, .target = target, .a = target});
  } else if (from.kind == Kind::symbol && to.kind == Kind::string) {
    const EnumType& type = schema_.enums[static_cast<size_t>(from.ref)];
    auto [names, fresh] = enum_names_.try_emplace(from.ref, static_cast<int32_t>(code_.constants.size()));
    if (fresh) {
      for (const std::string& name : type.names) add_constant(own(name));
      add_constant(own("unknown"));
    }
    emit({.op = Opcode::symbol_text,
          .target = target,
          .a = target,
          .b = names->second,
          .count = static_cast<int32_t>(type.names.size())});
  }
}

Operand Compiler::operand_as(const Expression& expression, const Type& type, int32_t scratch) {
  if (const auto value = constant_value(expression)) {
    if (const auto converted = convert_constant(*value, expression.type, type)) return {add_constant(*converted), true};
  }
  into_as(expression, type, scratch);
  return {scratch, false};
}

// Emits a conditional jump to be landed later. Behind a test that can carry it, it becomes part of the test.
int32_t Compiler::branch(Opcode op, int32_t reg) {
  if (op == Opcode::jump_unless_true && last_landing_ != here() && here() > 0) {
    const Instruction& last = code_.instructions.back();
    if (can_jump(last.op) && last.target == reg) return here() - 1;
  }
  emit({.op = op, .a = reg});
  return here() - 1;
}

void Compiler::into(const Expression& expression, int32_t target) {
  code_.registers = std::max(code_.registers, target + 1);
  if (const auto value = constant_value(expression)) {
    emit({.op = Opcode::load_constant, .target = target, .b = add_constant(*value)});
    return;
  }
  switch (expression.node) {
    case Node::field:
      return load_field(expression, target);
    case Node::fact:
      emit({.op = Opcode::load_fact, .target = target, .b = expression.index});
      return;
    case Node::elapsed:
      emit({.op = Opcode::load_elapsed, .target = target});
      return;
    case Node::list_name:
      emit({.op = Opcode::load_list, .target = target, .b = expression.index});
      return;
    case Node::member:
      return member(expression, target);
    case Node::lookup:
      return lookup(expression, target);
    case Node::unary:
      return unary(expression, target);
    case Node::binary:
      return binary(expression, target);
    case Node::coalesce:
      return coalesce(expression, target);
    case Node::has:
      into(*expression.args[0], target);
      emit({.op = Opcode::has, .target = target, .a = target});
      return;
    case Node::choose:
      return choose(expression, target);
    case Node::call:
      return call(expression, target);
    case Node::aggregate:
      emit({.op = Opcode::aggregate,
            .detail = static_cast<uint8_t>(value_kind(expression.type.kind)),
            .target = target,
            .b = expression.index});
      return;
    case Node::list:
      return literal_list(expression, target);
    case Node::literal:
      break;
  }
  abort_because(__FILE__, __LINE__, "a literal is a constant");
}

void Compiler::literal_list(const Expression& expression, int32_t target) {
  const Type text{.kind = Kind::string};
  std::vector<std::string_view> items;
  for (const ExpressionPtr& item : expression.args) {
    const auto value = constant_value(*item);
    const auto converted = value ? convert_constant(*value, item->type, text) : std::nullopt;
    TILLWATCH_CHECK(converted && converted->kind == ValueKind::string);  // other lists stand only behind `in`
    items.push_back(converted->text());
  }
  std::string bytes;
  ListView::encode(items, bytes);
  const Value list = Value::of_bytes(ValueKind::list, code_.bytes.copy(bytes));
  emit({.op = Opcode::load_constant, .target = target, .b = add_constant(list)});
}

void Compiler::load_field(const Expression& expression, int32_t target) {
  const int position = shapes_.position(expression.binding, expression.index);
  TILLWATCH_CHECK(position >= 0);
  if (expression.binding == kCandidate) {
    emit({.op = Opcode::load_candidate, .target = target, .b = position});
  } else if (expression.binding == kResolver) {
    emit({.op = Opcode::load_resolver, .target = target, .b = position});
  } else {
    TILLWATCH_CHECK(expression.binding >= 0 && expression.binding <= Environment::kMaxSteps);
    emit({.op = Opcode::load_bound, .target = target, .a = expression.binding, .b = position});
  }
}

void Compiler::member(const Expression& expression, int32_t target) {
  const Type& type = expression.args[0]->type;
  const RowLayout* layout = shapes_.layout(type);
  const int position = shapes_.member(type, expression.index);
  TILLWATCH_CHECK(layout != nullptr && position >= 0);
  into(*expression.args[0], target);
  auto known = std::ranges::find(code_.layouts, layout);
  if (known == code_.layouts.end()) known = code_.layouts.insert(known, layout);
  emit({.op = Opcode::member,
        .target = target,
        .a = target,
        .b = position,
        .count = static_cast<int32_t>(known - code_.layouts.begin())});
}

void Compiler::lookup(const Expression& expression, int32_t target) {
  const Table& table = schema_.tables[static_cast<size_t>(expression.index)];
  const size_t keys = expression.args.size() - (expression.has_at ? 1 : 0);
  TILLWATCH_CHECK(keys == table.key.size());
  for (size_t i = 0; i < expression.args.size(); ++i) {
    const int32_t reg = target + 1 + static_cast<int32_t>(i);
    const Type& type = i < keys ? table.columns[static_cast<size_t>(table.key[i])].type : expression.args[i]->type;
    into_as(*expression.args[i], type, reg);
  }
  emit({.op = Opcode::lookup,
        .detail = expression.has_at,
        .target = target,
        .a = target + 1,
        .b = expression.index,
        .count = static_cast<int32_t>(keys)});
}

// Functions see values only: a symbol reaches them as its name.
void Compiler::call(const Expression& expression, int32_t target) {
  const Function& function = functions()[static_cast<size_t>(expression.index)];
  int32_t reg = target;
  for (const ExpressionPtr& argument : expression.args) {
    const bool symbol = argument->type.kind == Kind::symbol;
    into_as(*argument, symbol ? Type{.kind = Kind::string} : argument->type, ++reg);
  }
  code_.calls.push_back(function.run);
  code_.call_names.push_back(function.name);
  emit({.op = Opcode::call,
        .target = target,
        .a = target + 1,
        .b = static_cast<int32_t>(code_.calls.size()) - 1,
        .count = static_cast<int32_t>(expression.args.size())});
}

void Compiler::choose(const Expression& expression, int32_t target) {
  into(*expression.args[0], target);
  const int32_t otherwise = branch(Opcode::jump_unless_true, target);
  into_as(*expression.args[1], expression.type, target);
  const int32_t end = branch(Opcode::jump, target);
  land(otherwise);
  into_as(*expression.args[2], expression.type, target);
  land(end);
}

void Compiler::coalesce(const Expression& expression, int32_t target) {
  into_as(*expression.args[0], expression.type, target);
  const int32_t end = branch(Opcode::jump_if_present, target);
  into_as(*expression.args[1], expression.type, target);
  land(end);
}

void Compiler::unary(const Expression& expression, int32_t target) {
  into(*expression.args[0], target);
  emit({.op = expression.op == Op::op_not ? Opcode::logical_not : Opcode::negate, .target = target, .a = target});
}

CompiledCode::CompiledCode() = default;
CompiledCode::~CompiledCode() = default;

void compile_into(const Expression& expression, const Schema& schema, const RowShapes& shapes, const Type& result,
                  CompiledCode& code) {
  Compiler compiler(schema, shapes, code, /*fold=*/true);
  compiler.into_as(expression, result, 0);
  compiler.finish();
}

std::unique_ptr<re2::RE2> compile_pattern(std::string_view pattern) {
  constexpr int64_t kMaxPatternBytes = 1 << 20;  // of RE2's automaton; what is larger is refused
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternBytes);
  auto compiled = std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled->ok()) return nullptr;
  return compiled;
}

}  // namespace tillwatch::rules
