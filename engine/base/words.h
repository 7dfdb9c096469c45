// Numbers in sentences for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tillwatch {

// "1 record", "0 records", "1234 records"; `many` where an s is not enough: counted(2, "entry", "entries").
std::string counted(uint64_t number, std::string_view one, std::string_view many = {});

// "1,234,567".
std::string grouped(uint64_t number);

}  // namespace tillwatch
