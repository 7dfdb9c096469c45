// Values as text: for people (show(), in program.h, adds formats, names and masks) and for keys.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "engine/base/value.h"

namespace tillwatch::rules {

// Whether a byte of UTF-8 text begins a character.
inline bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Exact and stable, as text() and join() give it: two values of a kind have the same text only when they are equal. Symbols
// have no name here; rows, lists, tariffs and positions no text.
void append_text(const Value& value, fmt::memory_buffer& out);

// Personal text as people may see it: at most its last four characters, of a short one the last half. What its sender has
// masked already ("622848******1234", "138****1234", "张*") stays as it is.
std::string mask_personal(std::string_view text);

}  // namespace tillwatch::rules
