// What the rows of the functions table share: tests of argument types. Each returns an empty string, or what is wrong with
// `bad`.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/program/functions.h"

namespace tillwatch::rules {

std::string_view kind_name(Kind kind);

std::string check_count(std::span<const Type> arguments, size_t count, size_t& bad);
std::string check_kind(std::span<const Type> arguments, size_t index, std::initializer_list<Kind> allowed, size_t& bad);

inline bool any_pii(std::span<const Type> arguments) {
  for (const Type& argument : arguments) {
    if (argument.pii) return true;
  }
  return false;
}

// The table, a file a family.
void append_number_functions(std::vector<Function>& rows);
void append_text_functions(std::vector<Function>& rows);
void append_payment_functions(std::vector<Function>& rows);
void append_place_functions(std::vector<Function>& rows);
void append_sms_functions(std::vector<Function>& rows);
void append_calendar_functions(std::vector<Function>& rows);
void append_word_functions(std::vector<Function>& rows);

}  // namespace tillwatch::rules
