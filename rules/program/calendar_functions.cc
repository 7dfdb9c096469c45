// Dates and times of day. The pack's trade has one zone, China's (+08:00, no daylight saving), so these know no other.
#include <fmt/format.h>

#include "engine/base/row.h"
#include "engine/base/time.h"
#include "rules/program/function_checks.h"

namespace tillwatch::rules {
namespace {

constexpr DurationMs kChinaOffset = 8 * kHour;

int64_t floor_div(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

std::string check_date(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::time}, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 1, {Kind::duration}, bad);
  result = {.kind = Kind::string};
  return wrong;
}

// A moment behind the cut belongs to the next day, as clearing days do.
Value run_date(std::span<const Value> arguments, Arena& arena, EvalError&) {
  const std::string text = format_rfc3339(arguments[0].i + kDay - arguments[1].i, kChinaOffset);
  constexpr size_t kDateLength = 10;
  return Value::of_text(arena.copy(std::string_view(text).substr(0, kDateLength)));
}

std::string check_date_start(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string}, bad);
  result = {.kind = Kind::time, .optional = true};
  return wrong;
}

Value run_date_start(std::span<const Value> arguments, Arena&, EvalError&) {
  const auto start = parse_rfc3339(fmt::format("{}T00:00:00+08:00", arguments[0].text()));
  return start ? Value::of_time(*start) : Value{};
}

std::string check_time_of_day(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::time}, bad);
  result = {.kind = Kind::duration};
  return wrong;
}

Value run_time_of_day(std::span<const Value> arguments, Arena&, EvalError&) {
  const int64_t local = arguments[0].i + kChinaOffset;
  return Value::of_duration(local - floor_div(local, kDay) * kDay);
}

std::string check_business_day(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 3, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string}, bad);
  for (size_t i = 1; i < 3 && wrong.empty(); ++i) wrong = check_kind(arguments, i, {Kind::list}, bad);
  result = {.kind = Kind::string, .optional = true};
  return wrong;
}

Value run_business_day(std::span<const Value> arguments, Arena& arena, EvalError&) {
  constexpr int kMostDays = 30;  // no holiday is longer: then the lists are wrong
  const auto start = parse_rfc3339(fmt::format("{}T00:00:00+08:00", arguments[0].text()));
  if (!start) return {};
  const ListView holidays(arguments[1].text()), working(arguments[2].text());
  for (int days = 1; days <= kMostDays; ++days) {
    const TimeMs at = *start + days * kDay;
    const std::string text = format_rfc3339(at, kChinaOffset).substr(0, arguments[0].text().size());
    constexpr int64_t kThursday = 3;  // 1 January 1970, counted from Monday
    const bool weekend = (floor_div(at + kChinaOffset, kDay) + kThursday) % 7 >= 5;
    if (weekend ? working.contains(text) : !holidays.contains(text)) return Value::of_text(arena.copy(text));
  }
  return {};
}

}  // namespace

void append_calendar_functions(std::vector<Function>& rows) {
  rows.insert(rows.end(),
              {{"date", check_date, run_date, "date(time, cut) -> string",
                "The date a moment belongs to when days end at `cut` (23h for clearing days, 24h for the calendar's), in "
                "China's time.",
                R"(date(sold_at, 23h) == "1970-01-01" and date(sold_at + 15h, 23h) == "1970-01-02")"},
               {"date_start", check_date_start, run_date_start, "date_start(string) -> time?",
                "The first moment of a date written 2026-11-22, in China's time; missing for anything else.",
                R"(date_start("1970-01-01") ?? sold_at == sold_at - 8h)"},
               {"next_business_day", check_business_day, run_business_day,
                "next_business_day(date, holidays, working_weekends) -> string?",
                "The first day after `date` that is no weekend and no listed holiday, or a listed weekend that is worked; "
                "missing where there is none within 30 days.",
                R"(next_business_day("1970-01-02", ["1970-01-05"], ["1970-01-03"]) ?? "" == "1970-01-03")"},
               {"time_of_day", check_time_of_day, run_time_of_day, "time_of_day(time) -> duration",
                "How long after midnight a moment is, in China's time.", "time_of_day(sold_at) == 8h"}});
}

}  // namespace tillwatch::rules
