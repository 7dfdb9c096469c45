// Numbers of JSON from their text: exact, with a word for each way in which they do not fit.
#pragma once

#include <cstdint>
#include <string_view>

namespace tillwatch::engine {

enum class NumberFault : uint8_t {
  none,
  malformed,     // no number by JSON's grammar: "NaN", "01", "1.", "+1"
  not_whole,     // a number, with a fraction or an exponent: "1.0", "1e3"
  out_of_range,  // beyond int64, or for a decimal beyond Value's range
};

// `token` is the number's text without white space around it. `value` is set when the result is none.
NumberFault read_integer(std::string_view token, int64_t& value);

// As billionths (Value::kDecimalOne); digits beyond the ninth are rounded, half away from zero.
NumberFault read_decimal(std::string_view token, int64_t& billionths);

bool is_number(std::string_view token);

}  // namespace tillwatch::engine
