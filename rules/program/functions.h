// The functions of the language: one row each. The parser, the checker, the evaluator, the reference and the tests learn of a
// function from its row alone.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/arena.h"
#include "engine/base/value.h"
#include "rules/language/type.h"

namespace tillwatch::rules {

enum class EvalError : uint8_t;

struct Function {
  std::string_view name;
  // Types: the checker calls this with the argument types; it returns an empty string and sets `result`, or says what is wrong
  // with argument `bad` ("needs money, this is string"); `bad` behind the last argument means the call as a whole ("takes 2
  // arguments, 1 given"). An enum stands wherever a string does: programs hand it over as its name. Whether arguments may be
  // missing is the checker's.
  std::string (*check)(std::span<const Type> arguments, Type& result, size_t& bad);
  Value (*run)(std::span<const Value> arguments, Arena& arena, EvalError& error);  // arguments are never missing
  std::string_view signature;  // "fee(tariff, amount, card_type, payment_method) -> money?"
  std::string_view doc;
  // "floor(7 / 2) == 3": a condition that holds, run by a test. It may use the fields of the example event: amount (128.50
  // CNY), charged (0.77 CNY), products (a tariff: credit 60 bp, debit 50 bp up to 20.00), here (GPS, 20 m) and there (the same
  // place on a map, GCJ-02).
  std::string_view example;
  bool anonymous = false;  // its text is no personal data though an argument is, as 4 digits of a card are not
};

const std::vector<Function>& functions();
int find_function(std::string_view name);  // -1: none

}  // namespace tillwatch::rules
