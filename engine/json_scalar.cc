#include "engine/json_scalar.h"

#include <algorithm>

namespace tillwatch::engine {
namespace {

constexpr int kDecimalDigits = 9;

// The parts of a number: -12.50e+3.
struct Number {
  bool negative = false;
  std::string_view whole;     // "12"
  std::string_view fraction;  // "50"; empty when there is none
  bool has_exponent = false;
  int exponent = 0;  // clamped to +-kExponentLimit, far beyond what any type holds
};
constexpr int kExponentLimit = 100'000;

size_t digits_at(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  return end - at;
}

// Reads "e+12" at `at`, which must end the token.
bool read_exponent(std::string_view token, size_t at, Number& number) {
  ++at;
  const bool negative = at < token.size() && token[at] == '-';
  if (at < token.size() && (token[at] == '-' || token[at] == '+')) ++at;
  const size_t count = digits_at(token, at);
  if (count == 0 || at + count != token.size()) return false;
  for (const char digit : token.substr(at)) number.exponent = std::min(number.exponent * 10 + (digit - '0'), kExponentLimit);
  if (negative) number.exponent = -number.exponent;
  number.has_exponent = true;
  return true;
}

bool read_number(std::string_view token, Number& number) {
  size_t at = 0;
  if (!token.empty() && token[0] == '-') {
    number.negative = true;
    at = 1;
  }
  const size_t whole = digits_at(token, at);
  if (whole == 0 || (whole > 1 && token[at] == '0')) return false;
  number.whole = token.substr(at, whole);
  at += whole;
  if (at < token.size() && token[at] == '.') {
    const size_t fraction = digits_at(token, at + 1);
    if (fraction == 0) return false;
    number.fraction = token.substr(at + 1, fraction);
    at += 1 + fraction;
  }
  if (at == token.size()) return true;
  return (token[at] == 'e' || token[at] == 'E') && read_exponent(token, at, number);
}

bool append_digit(int64_t& value, int digit) {
  return !__builtin_mul_overflow(value, int64_t{10}, &value) && !__builtin_add_overflow(value, int64_t{digit}, &value);
}

}  // namespace

NumberFault read_integer(std::string_view token, int64_t& value) {
  Number number;
  if (!read_number(token, number)) return NumberFault::malformed;
  if (!number.fraction.empty() || number.has_exponent) return NumberFault::not_whole;
  int64_t negated = 0;  // collected below zero, where there is room for one more
  for (const char digit : number.whole) {
    if (!append_digit(negated, -(digit - '0'))) return NumberFault::out_of_range;
  }
  if (!number.negative && __builtin_sub_overflow(int64_t{0}, negated, &negated)) return NumberFault::out_of_range;
  value = negated;
  return NumberFault::none;
}

NumberFault read_decimal(std::string_view token, int64_t& billionths) {
  Number number;
  if (!read_number(token, number)) return NumberFault::malformed;
  const auto given = static_cast<int64_t>(number.whole.size() + number.fraction.size());
  const auto digit = [&](int64_t at) {
    if (at < 0 || at >= given) return 0;
    const auto i = static_cast<size_t>(at);
    return (i < number.whole.size() ? number.whole[i] : number.fraction[i - number.whole.size()]) - '0';
  };
  // Digit k weighs 10^(point - 1 - k); those with a weight of a billionth and more are kept.
  const int64_t kept = static_cast<int64_t>(number.whole.size()) + number.exponent + kDecimalDigits;
  int64_t value = 0;
  for (int64_t at = 0; at < kept && (at < given || value != 0); ++at) {
    if (!append_digit(value, digit(at))) return NumberFault::out_of_range;
  }
  if (kept >= 0 && digit(kept) >= 5 && __builtin_add_overflow(value, int64_t{1}, &value)) return NumberFault::out_of_range;
  billionths = number.negative ? -value : value;
  return NumberFault::none;
}

bool is_number(std::string_view token) {
  Number number;
  return read_number(token, number);
}

}  // namespace tillwatch::engine
