// Card and phone numbers out of text that people or logs will see: excerpts of unreadable records, messages of errors.
//
// Knowing by shape only, it masks a little too much (an identifier of 16 digits is a valid card number one time in ten), which
// is the side to err on. What is stored or matched must stay distinct: engine/card_tokens.h hides card numbers there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tillwatch {

// Masks, keeping the length:
//  - card numbers: 13 to 19 digits that pass the Luhn check, first digit 2-9 (or 1800 and eleven more), single spaces or dashes
//  between digits allowed:
//    the first six and the last four digits stay ("622848******1234");
//  - Chinese mobile numbers: 11 digits, 13x to 19x, also as 3-4-4 groups and behind 86 or 0086: "138****1234".
std::string mask(std::string_view text);

// The text for a dead letter or a log line: at most `max_length` bytes of valid UTF-8 on one line, masked, and with "…" at its
// end when something was cut. Control characters become escapes (\n, \x1b), bytes that are no UTF-8 become U+FFFD.
std::string masked_excerpt(std::string_view bytes, size_t max_length);

// Whether a full card number stands in `text`: 13 to 19 digits as above, in one run or in the groups printed on cards (4-4-4-4,
// 4-4-4-4-3, 4-6-5), as some scheme issues them. Stricter than mask(), because records are refused on its word.
bool contains_card_number(std::string_view text);

// The first of them at or behind `from`, which must not stand within digits; empty when there is none.
std::string_view find_card_number(std::string_view text, size_t from = 0);

}  // namespace tillwatch
