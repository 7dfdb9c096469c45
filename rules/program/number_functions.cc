#include <algorithm>

#include <fmt/format.h>

#include "rules/program/arithmetic.h"
#include "rules/program/function_checks.h"

namespace tillwatch::rules {
namespace {

Kind number_kind(ValueKind kind) {
  switch (kind) {
    case ValueKind::decimal:
      return Kind::decimal;
    case ValueKind::money:
      return Kind::money;
    case ValueKind::duration:
      return Kind::duration;
    default:
      return Kind::integer;
  }
}

// min, max: all of one kind; integers may stand among decimals or money.
std::string check_extreme(std::span<const Type> arguments, Type& result, size_t& bad) {
  if (arguments.size() < 2) {
    bad = arguments.size();
    return "takes two or more arguments";
  }
  Type common = arguments[0];
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string wrong = check_kind(arguments, i, {Kind::integer, Kind::decimal, Kind::money, Kind::time, Kind::duration}, bad);
    if (!wrong.empty()) return wrong;
    const Kind kind = arguments[i].kind;
    if (kind == common.kind || (kind == Kind::integer && (common.kind == Kind::decimal || common.kind == Kind::money)))
      continue;
    if (common.kind == Kind::integer && (kind == Kind::decimal || kind == Kind::money)) {
      common = arguments[i];
      continue;
    }
    bad = i;
    return fmt::format("needs {} like the others, this is {}", kind_name(common.kind), kind_name(kind));
  }
  result = {.kind = common.kind};
  return "";
}

Value promoted(const Value& value, ValueKind kind, EvalError& error) {
  if (value.kind != ValueKind::integer || kind == ValueKind::integer) return value;
  return kind == ValueKind::decimal ? decimal_of_integer(value, error) : money_of_integer(value);
}

Value extreme(std::span<const Value> arguments, int wanted, EvalError& error) {
  ValueKind kind = arguments[0].kind;
  for (const Value& value : arguments) {
    if (value.kind != ValueKind::integer) kind = value.kind;
  }
  Value best = promoted(arguments[0], kind, error);
  for (const Value& argument : arguments.subspan(1)) {
    const Value value = promoted(argument, kind, error);
    if (kind == ValueKind::money && !currencies_fit(best, value)) error = EvalError::currency_mismatch;
    if (error != EvalError::none) return {};
    const uint16_t currency = best.aux != 0 ? best.aux : value.aux;
    if (compare(value, best) == wanted) best = value;
    if (kind == ValueKind::money) best.aux = currency;
  }
  return best;
}

Value run_min(std::span<const Value> arguments, Arena&, EvalError& error) { return extreme(arguments, -1, error); }
Value run_max(std::span<const Value> arguments, Arena&, EvalError& error) { return extreme(arguments, 1, error); }

std::string check_abs(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::integer, Kind::decimal, Kind::money, Kind::duration}, bad);
  if (wrong.empty()) result = {.kind = arguments[0].kind};
  return wrong;
}

Value run_abs(std::span<const Value> arguments, Arena&, EvalError& error) {
  Value value = arguments[0];
  if (value.i < 0 && __builtin_sub_overflow(int64_t{0}, value.i, &value.i)) {
    error = EvalError::overflow;
    return {};
  }
  return value;
}

std::string check_floor(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::decimal, Kind::integer}, bad);
  result = {.kind = Kind::integer};
  return wrong;
}

Value run_floor(std::span<const Value> arguments, Arena&, EvalError&) {
  const Value& value = arguments[0];
  if (value.kind == ValueKind::integer) return value;
  const int64_t whole = value.i / Value::kDecimalOne;
  return Value::of_int(value.i % Value::kDecimalOne < 0 ? whole - 1 : whole);
}

std::string check_div(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  for (size_t i = 0; i < 2 && wrong.empty(); ++i) {
    wrong = check_kind(arguments, i, {Kind::integer, Kind::decimal, Kind::money, Kind::duration}, bad);
  }
  if (!wrong.empty()) return wrong;
  const QuotientShape shape = quotient_shape(arguments[0].kind, arguments[1].kind);
  if (shape.scale == 0) {
    bad = 1;
    return fmt::format("is {}, by which {} cannot be divided", kind_name(arguments[1].kind), kind_name(arguments[0].kind));
  }
  result = {.kind = shape.result, .optional = true};
  return "";
}

Value run_div(std::span<const Value> arguments, Arena&, EvalError& error) {
  if (arguments[1].i == 0) return {};
  const QuotientShape shape = quotient_shape(number_kind(arguments[0].kind), number_kind(arguments[1].kind));
  return divide(arguments[0], arguments[1], value_kind(shape.result), shape.scale, error);
}

}  // namespace

void append_number_functions(std::vector<Function>& rows) {
  rows.insert(rows.end(), {{"min", check_extreme, run_min, "min(a, b, …) -> as the arguments",
                            "The least of two or more numbers, amounts, times or durations.", "min(2, 1, 3) == 1"},
                           {"max", check_extreme, run_max, "max(a, b, …) -> as the arguments",
                            "The greatest of two or more numbers, amounts, times or durations.", "max(90s, 2m) == 120s"},
                           {"abs", check_abs, run_abs, "abs(number, money or duration) -> the same",
                            "The size of a value without its sign.", "abs(3 - 5) == 2"},
                           {"floor", check_floor, run_floor, "floor(decimal) -> int",
                            "The greatest whole number not above the value.", "floor(7 / 2) == 3"},
                           {"div", check_div, run_div, "div(a, b) -> as a / b, or missing",
                            "a / b, and missing where b is zero (a plain division skips the event then).",
                            "has(div(1, 4)) and not has(div(1, 0))"}});
}

}  // namespace tillwatch::rules
