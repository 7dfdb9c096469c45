#include <cmath>

#include "rules/program/function_checks.h"
#include "rules/program/geo.h"

namespace tillwatch::rules {
namespace {

std::string check_distance(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  for (size_t i = 0; i < 2 && wrong.empty(); ++i) wrong = check_kind(arguments, i, {Kind::geo}, bad);
  result = {.kind = Kind::decimal};
  return wrong;
}

// Rounded to the millimetre, so that the last digits of one machine's sine do not decide a rule.
Value run_distance(std::span<const Value> arguments, Arena&, EvalError&) {
  const double metres = distance_m(wgs84_position(arguments[0]), wgs84_position(arguments[1]));
  return Value::of_decimal_billionths(std::llround(metres * 1000) * (Value::kDecimalOne / 1000));
}

std::string check_accuracy(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::geo}, bad);
  result = {.kind = Kind::decimal, .optional = true};
  return wrong;
}

Value run_accuracy(std::span<const Value> arguments, Arena&, EvalError&) {
  const uint32_t decimetres = arguments[0].size;
  if (decimetres == Value::kUnknownAccuracy) return {};
  return Value::of_decimal_billionths(static_cast<int64_t>(decimetres) * (Value::kDecimalOne / 10));
}

}  // namespace

void append_place_functions(std::vector<Function>& rows) {
  rows.insert(
      rows.end(),
      {{"distance_m", check_distance, run_distance, "distance_m(geo, geo) -> decimal",
        "Metres between two positions; GCJ-02 positions are brought to WGS-84 first.", "distance_m(here, there) < 1"},
       {"accuracy_m", check_accuracy, run_accuracy, "accuracy_m(geo) -> decimal?",
        "How far off a position may be, in metres; missing where the sender did not say.", "accuracy_m(here) ?? 0 == 20"}});
}

}  // namespace tillwatch::rules
