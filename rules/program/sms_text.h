// What a bank's SMS says of a debit: amount, card, direction, time, sender. Shapes as Chinese banks send them (half and full
// width, with and without decimals, signature first or last). What is not said, or said in two ways, is missing: never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/time.h"

namespace tillwatch::rules {

// Full-width digits, letters, signs and spaces as their ASCII counterparts; other characters stay.
std::string half_width(std::string_view text);

// The functions below take what half_width() gave.

// The amount of the transaction in fen, not a balance, limit, tail number or hotline. At most 12 digits before the point.
std::optional<int64_t> sms_amount_minor(std::string_view text);

// The 3 or 4 digits by which the text names the card.
std::string_view sms_tail(std::string_view text);  // empty: none, or two that differ

enum class SmsDirection : uint8_t { unreadable, debit, credit, preauth };
SmsDirection sms_direction(std::string_view text);
std::string_view name_of(SmsDirection direction);  // "debit"; empty for unreadable

// The stated time, to the minute or second, in China's time. Where year or month are not stated, it is the last such moment before
// `near`, or within a day after it. Empty without a day or without a time of day.
std::optional<TimeMs> sms_time(std::string_view text, TimeMs near);

// What stands in 【 】 (or [ ]) at the start or end.
std::string_view sms_signature(std::string_view text);  // empty: none

// How many parts a gateway makes of it: 70 characters in one, 67 in each of several.
int64_t sms_parts(std::string_view text);

// An 18-digit resident identity number whose check digit is right.
bool contains_identity_number(std::string_view text);

// Whether the reader is asked for, or given, what must not go by SMS: a password, CVV or a code to be told to somebody.
bool asks_for_secret(std::string_view text);

}  // namespace tillwatch::rules
