// ISO 4217: what a currency is called and how many digits its minor unit has.
#pragma once

#include <cstdint>
#include <string_view>

namespace tillwatch::rules {

struct Currency {
  uint16_t number = 0;    // 156
  std::string_view code;  // "CNY"
  uint8_t digits = 2;     // of the minor unit: 2 for CNY, 0 for JPY, 3 for KWD
};

const Currency* find_currency(uint16_t number);        // null: not one of them
const Currency* find_currency(std::string_view text);  // "CNY" or "156"; null: not one of them

}  // namespace tillwatch::rules
