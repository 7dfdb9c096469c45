#include "rules/program/arithmetic.h"

namespace tillwatch::rules {
namespace {

constexpr int64_t kOne = Value::kDecimalOne;

bool counts(Kind kind) { return kind == Kind::integer || kind == Kind::decimal; }
bool has_unit(Kind kind) { return kind == Kind::money || kind == Kind::duration; }

}  // namespace

ProductShape product_shape(Kind a, Kind b) {
  if (counts(a) && counts(b)) {
    if (a == Kind::integer && b == Kind::integer) return {Kind::integer, 1};
    return {Kind::decimal, a == b ? kOne : 1};
  }
  if (has_unit(b)) std::swap(a, b);
  if (!has_unit(a) || !counts(b)) return {};
  return {a, b == Kind::decimal ? kOne : 1};
}

QuotientShape quotient_shape(Kind a, Kind b) {
  if (a == b && (counts(a) || has_unit(a))) return {Kind::decimal, kOne};
  if (a == Kind::integer && b == Kind::decimal) return {Kind::decimal, kOne * kOne};
  if (a == Kind::decimal && b == Kind::integer) return {Kind::decimal, 1};
  if (has_unit(a) && counts(b)) return {a, b == Kind::decimal ? kOne : 1};
  return {};
}

Value multiply(const Value& a, const Value& b, ValueKind result, int64_t scale, EvalError& error) {
  Value value;
  Wide product = static_cast<Wide>(a.i) * b.i;
  if (scale != 1) product = divide_rounded(product, scale);
  if (!narrow(product, value.i)) {
    error = EvalError::overflow;
    return {};
  }
  value.kind = result;
  value.aux = a.aux | b.aux;  // at most one of them is money, the others have none
  return value;
}

Value divide(const Value& a, const Value& b, ValueKind result, int64_t scale, EvalError& error) {
  if (b.i == 0) {
    error = EvalError::divide_by_zero;
    return {};
  }
  if (!currencies_fit(a, b)) {
    error = EvalError::currency_mismatch;
    return {};
  }
  Value value;
  if (!narrow(divide_rounded(static_cast<Wide>(a.i) * scale, b.i), value.i)) {
    error = EvalError::overflow;
    return {};
  }
  value.kind = result;
  if (result == ValueKind::money) value.aux = a.aux;
  return value;
}

Value decimal_of_integer(const Value& integer, EvalError& error) {
  if (integer.missing()) return {};
  Value value;
  if (__builtin_mul_overflow(integer.i, kOne, &value.i)) {
    error = EvalError::overflow;
    return {};
  }
  value.kind = ValueKind::decimal;
  return value;
}

Value money_of_integer(const Value& integer) { return integer.missing() ? Value{} : Value::of_money(integer.i, 0); }

}  // namespace tillwatch::rules
