#include <algorithm>

#include "rules/program/function_checks.h"
#include "rules/tariff.h"

namespace tillwatch::rules {
namespace {

std::string check_fee(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 4, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::tariff}, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 1, {Kind::money}, bad);
  for (size_t i = 2; i < 4 && wrong.empty(); ++i) wrong = check_kind(arguments, i, {Kind::string, Kind::symbol}, bad);
  result = {.kind = Kind::money, .optional = true};
  return wrong;
}

Value run_fee(std::span<const Value> arguments, Arena&, EvalError&) {
  const Value& amount = arguments[1];
  const auto fee_minor = tariff_fee(arguments[0].text(), amount.i, arguments[2].text(), arguments[3].text());
  return fee_minor ? Value::of_money(*fee_minor, amount.aux) : Value{};
}

std::string check_rate_guess(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  for (size_t i = 0; i < 2 && wrong.empty(); ++i) wrong = check_kind(arguments, i, {Kind::money}, bad);
  result = {.kind = Kind::string};
  return wrong;
}

Value run_rate_guess(std::span<const Value> arguments, Arena& arena, EvalError&) {
  return Value::of_text(arena.copy(guess_rate(arguments[0].i, arguments[1].i)));
}

std::string check_mid_mcc(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string}, bad);
  result = {.kind = Kind::string, .optional = true};
  return wrong;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// Acquirer 3, region 4, MCC 4, serial 4. The region may hold letters (887 58D7 5812 3037 is published), the serial too.
Value run_mid_mcc(std::span<const Value> arguments, Arena&, EvalError&) {
  constexpr size_t kIdLength = 15, kMccAt = 7, kMccLength = 4;
  const std::string_view id = arguments[0].text();
  if (id.size() != kIdLength || !std::ranges::all_of(id, [](char c) { return is_digit(c) || is_letter(c); })) return {};
  const std::string_view mcc = id.substr(kMccAt, kMccLength);
  if (!std::ranges::all_of(id.substr(0, 3), is_digit) || !std::ranges::all_of(mcc, is_digit) || mcc == "0000") return {};
  return Value::of_text(mcc);
}

// Acquirer and MCC are digits in both ids that hold a region; its own four places may hold letters.
Value run_mid_region(std::span<const Value> arguments, Arena& arena, EvalError& error) {
  constexpr size_t kRegionAt = 3, kRegionLength = 4;
  if (run_mid_mcc(arguments, arena, error).missing()) return {};
  return Value::of_text(arguments[0].text().substr(kRegionAt, kRegionLength));
}

std::string check_rate(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 3, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::tariff}, bad);
  for (size_t i = 1; i < 3 && wrong.empty(); ++i) wrong = check_kind(arguments, i, {Kind::string, Kind::symbol}, bad);
  result = {.kind = Kind::decimal, .optional = true};
  return wrong;
}

template <int64_t RateRange::* kEnd>
Value run_rate(std::span<const Value> arguments, Arena&, EvalError&) {
  constexpr int64_t kWhole_ppm = 1'000'000;
  const auto range = tariff_rates(arguments[0].text(), arguments[1].text(), arguments[2].text());
  return range ? Value::of_decimal_billionths((*range).*kEnd * (Value::kDecimalOne / kWhole_ppm)) : Value{};
}

}  // namespace

void append_payment_functions(std::vector<Function>& rows) {
  rows.insert(
      rows.end(),
      {{"fee", check_fee, run_fee, "fee(tariff, amount, card_type, payment_method) -> money?",
        "The fee a contract sets for an amount; missing where no product of it matches.",
        R"(fee(products, amount, "credit", "card_chip") ?? 0 == 77)"},
       {"rate_guess", check_rate_guess, run_rate_guess, "rate_guess(amount, fee) -> string",
        "The rate and flat fee that explain a fee best, for people to read.", R"(rate_guess(amount, charged) == "60 bp")"},
       {"mid_mcc", check_mid_mcc, run_mid_mcc, "mid_mcc(merchant_id) -> string?",
        "The MCC inside a merchant id of 15 characters (8 to 11); missing where the id has no such structure.",
        R"(mid_mcc("990581058120001") ?? "" == "5812")"},
       {"mid_region", check_mid_mcc, run_mid_region, "mid_region(merchant_id) -> string?",
        "The region code inside a merchant id of 15 characters (4 to 7); missing where the id has no such structure.",
        R"(mid_region("990581058120001") ?? "" == "5810")"},
       {"lowest_rate", check_rate, run_rate<&RateRange::lowest_ppm>, "lowest_rate(tariff, card_type, payment_method) -> decimal?",
        "The lowest rate a contract asks over its tiers, cap and flat fee left aside; missing where no product matches.",
        R"(lowest_rate(products, "credit", "card_chip") ?? 0 == 60bp)"},
       {"highest_rate", check_rate, run_rate<&RateRange::highest_ppm>, "highest_rate(tariff, card_type, payment_method) -> decimal?",
        "The highest rate a contract asks over its tiers, cap and flat fee left aside; missing where no product matches.",
        R"(highest_rate(products, "debit", "card_chip") ?? 0 == 50bp)"}});
}

}  // namespace tillwatch::rules
