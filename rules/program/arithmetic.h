// Exact arithmetic on the integers behind the language's numbers: computed in 128 bits, rounded half away from zero, and never
// wrapped: what does not fit 64 bits is EvalError::overflow.
#pragma once

#include <cstdint>
#include <limits>

#include "rules/language/type.h"
#include "rules/program/program.h"

namespace tillwatch::rules {

using Wide = __int128;

inline bool narrow(Wide wide, int64_t& result) {
  if (wide < std::numeric_limits<int64_t>::min() || wide > std::numeric_limits<int64_t>::max()) return false;
  result = static_cast<int64_t>(wide);
  return true;
}

// `divisor` is not zero.
inline Wide divide_rounded(Wide dividend, Wide divisor) {
  const Wide quotient = dividend / divisor;
  const Wide rest = dividend % divisor;
  const Wide twice_rest = (rest < 0 ? -rest : rest) * 2;
  if (twice_rest < (divisor < 0 ? -divisor : divisor)) return quotient;
  return (dividend < 0) == (divisor < 0) ? quotient + 1 : quotient - 1;
}

inline bool currencies_fit(const Value& a, const Value& b) { return a.aux == b.aux || a.aux == 0 || b.aux == 0; }

// a * b: the kind of the product and what the product of the integers is divided by. `scale` 0: no such operation.
struct ProductShape {
  Kind result = Kind::integer;
  int64_t scale = 0;
};
ProductShape product_shape(Kind a, Kind b);

// a / b: the kind of the quotient and what the dividend's integer is multiplied by. `scale` 0: no such operation.
struct QuotientShape {
  Kind result = Kind::integer;
  int64_t scale = 0;
};
QuotientShape quotient_shape(Kind a, Kind b);

// Both kinds already fit; missing operands are the caller's. On an error the value is missing and `error` set.
Value multiply(const Value& a, const Value& b, ValueKind result, int64_t scale, EvalError& error);
Value divide(const Value& a, const Value& b, ValueKind result, int64_t scale, EvalError& error);

Value decimal_of_integer(const Value& integer, EvalError& error);  // missing stays missing
Value money_of_integer(const Value& integer);                      // minor units that fit any currency; missing stays missing

}  // namespace tillwatch::rules
