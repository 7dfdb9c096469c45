#include "engine/base/time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace tillwatch {
namespace {

// Reads exactly `count` digits at `at`; -1 when one of them is none. The caller checks the length.
int digits(std::string_view text, size_t at, int count) {
  int value = 0;
  for (int i = 0; i < count; ++i) {
    const unsigned digit = static_cast<unsigned char>(text[at + i]) - unsigned{'0'};
    if (digit > 9) return -1;
    value = value * 10 + static_cast<int>(digit);
  }
  return value;
}

int days_in_month(int year, int month) {
  constexpr std::array<int, 13> kDays = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month];
}

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Years are counted from March, so that the leap day
// is the last of its year; 400 years are 146097 days.
int64_t days_from_date(int year, int month, int day) {
  const int64_t march_year = month <= 2 ? year - 1 : year;
  const int64_t era = (march_year >= 0 ? march_year : march_year - 399) / 400;
  const int64_t year_of_era = march_year - era * 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

struct Date {
  int64_t year;
  int month;
  int day;
};

Date date_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t march_month = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * march_month + 2) / 5 + 1);
  const int month = static_cast<int>(march_month < 10 ? march_month + 3 : march_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

// "Z" or "+08:00", which must be all of `text`.
std::optional<DurationMs> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hours = digits(text, 1, 2);
  const int minutes = digits(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const DurationMs offset = hours * kHour + minutes * kMinute;
  return text[0] == '-' ? -offset : offset;
}

struct Unit {
  std::string_view name;
  DurationMs ms;
};
constexpr std::array<Unit, 5> kUnits = {{{"d", kDay}, {"h", kHour}, {"m", kMinute}, {"s", kSecond}, {"ms", 1}}};

}  // namespace

std::optional<TimeMs> parse_rfc3339(std::string_view text) {
  constexpr size_t kSecondsEnd = 19;  // "2026-11-22T12:30:05"
  if (text.size() <= kSecondsEnd || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);  // a leap second, 60, has no place in Unix time and is refused
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return std::nullopt;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return std::nullopt;

  size_t at = kSecondsEnd;
  int ms = 0;
  if (text[at] == '.') {
    int scale = 100;
    const size_t first_digit = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) ms += (text[at] - '0') * scale;
    if (at == first_digit) return std::nullopt;
  }
  const std::optional<DurationMs> offset = parse_offset(text.substr(at));
  if (!offset) return std::nullopt;
  return days_from_date(year, month, day) * kDay + hour * kHour + minute * kMinute + second * kSecond + ms - *offset;
}

std::string format_rfc3339(TimeMs time, DurationMs offset) {
  const DurationMs shown_offset = std::clamp(offset, -kDay + kMinute, kDay - kMinute) / kMinute * kMinute;
  const int64_t local = std::clamp(time, kBeforeAllTime, kAfterAllTime) + shown_offset;
  const int64_t days = (local >= 0 ? local : local - (kDay - 1)) / kDay;
  const int64_t of_day = local - days * kDay;
  const Date date = date_from_days(days);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}", date.year, date.month, date.day, of_day / kHour,
                                 of_day / kMinute % 60, of_day / kSecond % 60, of_day % kSecond);
  if (shown_offset == 0) return text + "Z";
  const DurationMs magnitude = shown_offset < 0 ? -shown_offset : shown_offset;
  return text + fmt::format("{}{:02}:{:02}", shown_offset < 0 ? '-' : '+', magnitude / kHour, magnitude / kMinute % 60);
}

std::optional<DurationMs> parse_duration(std::string_view text) {
  const size_t unit_at = text.find_first_not_of("0123456789");
  if (unit_at == 0 || unit_at == std::string_view::npos) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (text.substr(unit_at) != unit.name) continue;
    DurationMs total = 0;
    for (const char digit : text.substr(0, unit_at)) {
      if (__builtin_mul_overflow(total, int64_t{10}, &total) || __builtin_add_overflow(total, digit - '0', &total)) {
        return std::nullopt;
      }
    }
    // Sums of an instant and a duration must not overflow, so the bound is that of instants.
    if (__builtin_mul_overflow(total, unit.ms, &total) || total > kAfterAllTime) return std::nullopt;
    return total;
  }
  return std::nullopt;
}

std::string format_duration(DurationMs duration) {
  if (duration == 0) return "0s";
  // Unsigned, because the lowest int64 has no positive counterpart.
  uint64_t rest = duration < 0 ? uint64_t{0} - static_cast<uint64_t>(duration) : static_cast<uint64_t>(duration);
  std::string text;
  int shown = 0;
  for (const Unit& unit : kUnits) {
    const uint64_t count = rest / static_cast<uint64_t>(unit.ms);
    rest %= static_cast<uint64_t>(unit.ms);
    if (count == 0) continue;
    text += fmt::format("{}{}{}", shown == 0 ? "" : " ", count, unit.name);
    if (++shown == 2) break;
  }
  return duration < 0 ? "-" + text : text;
}

TimeMs wall_clock_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace tillwatch
