#include "rules/program/show.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "engine/base/row.h"
#include "engine/base/time.h"
#include "rules/program/currency.h"
#include "rules/program/program.h"

namespace tillwatch::rules {
namespace {

constexpr size_t kUnmaskedRun = 6;  // a masked card number shows its first six

uint64_t magnitude(int64_t value) {
  return value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

std::string grouped(uint64_t value) {
  std::string text = std::to_string(value);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

// `value` / 10^digits; with thousands separators when `group`.
std::string fixed_point(int64_t value, int digits, bool group) {
  uint64_t unit = 1;
  for (int i = 0; i < digits; ++i) unit *= 10;
  const uint64_t size = magnitude(value);
  std::string text = value < 0 ? "-" : "";
  text += group ? grouped(size / unit) : std::to_string(size / unit);
  if (digits > 0) text += fmt::format(".{:0{}}", size % unit, digits);
  return text;
}

void trim_zeros(std::string& text) {
  if (text.find('.') == std::string::npos) return;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
}

std::string money_text(const Value& money, bool group) {
  const Currency* currency = find_currency(money.aux);
  const std::string number = fixed_point(money.i, currency == nullptr ? 2 : currency->digits, group);
  if (currency != nullptr) return fmt::format("{} {}", number, currency->code);
  return money.aux == 0 ? number : fmt::format("{} {:03}", number, money.aux);
}

std::string decimal_text(int64_t billionths) {
  std::string text = fixed_point(billionths, 9, false);
  trim_zeros(text);
  return text;
}

// In the largest unit that gives a whole number, so that nothing is lost.
std::string exact_duration(DurationMs duration) {
  struct Unit {
    DurationMs ms;
    std::string_view name;
  };
  constexpr Unit kUnits[] = {{kDay, "d"}, {kHour, "h"}, {kMinute, "m"}, {kSecond, "s"}};
  for (const Unit& unit : kUnits) {
    if (duration != 0 && duration % unit.ms == 0) return fmt::format("{}{}", duration / unit.ms, unit.name);
  }
  return duration == 0 ? "0s" : fmt::format("{}ms", duration);
}

// "2026-11-22 12:30:05"
std::string clock_text(TimeMs time, DurationMs offset) {
  const TimeMs local = std::clamp(time, kBeforeAllTime, kAfterAllTime) + offset;
  const int64_t days = local / kDay - (local % kDay < 0 ? 1 : 0);
  const int64_t second = (local - days * kDay) / kSecond;
  const int64_t in_range = std::clamp<int64_t>(days, -719'528, 2'932'896);  // years 0 to 9999, all that chrono's days can hold
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{in_range}}};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), second / 3600, second / 60 % 60, second % 60);
}

// A share as "3.2 %" or "60 bp", two digits behind the point at most.
std::string share_text(const Value& value, int64_t wholes_in_one, std::string_view unit) {
  constexpr int64_t kHundredth = 100;
  using Wide = __int128;
  const Wide one = value.kind == ValueKind::integer ? 1 : Value::kDecimalOne;
  const Wide scaled = static_cast<Wide>(value.i) * wholes_in_one * kHundredth;
  const Wide rounded = (scaled + (scaled < 0 ? -one / 2 : one / 2)) / one;
  const auto hundredths = static_cast<int64_t>(std::clamp<Wide>(rounded, INT64_MIN, INT64_MAX));
  std::string text = fixed_point(hundredths, 2, false);
  trim_zeros(text);
  return fmt::format("{} {}", text, unit);
}

std::string list_text(const Value& list) {
  std::string text;
  for (const std::string_view item : ListView(list.text()).items()) {
    if (!text.empty()) text += ", ";
    text += item;
  }
  return text;
}

std::string plain_text(const Value& value, const EnumType* symbols, DurationMs display_offset) {
  switch (value.kind) {
    case ValueKind::boolean:
      return value.truth() ? "true" : "false";
    case ValueKind::integer:
      return std::to_string(value.i);
    case ValueKind::decimal:
      return decimal_text(value.i);
    case ValueKind::money:
      return money_text(value, true);
    case ValueKind::string:
      return std::string(value.text());
    case ValueKind::symbol: {
      const auto ordinal = static_cast<size_t>(value.i);
      return symbols != nullptr && ordinal < symbols->names.size() ? symbols->names[ordinal] : "unknown";
    }
    case ValueKind::time:
      return clock_text(value.i, display_offset);
    case ValueKind::duration:
      return format_duration(value.i);
    case ValueKind::geo:
      return fmt::format("{:.5f},{:.5f}", value.lat_e7 / 1e7, value.lon_e7 / 1e7);
    case ValueKind::list:
      return list_text(value);
    case ValueKind::missing:
    case ValueKind::tariff:
    case ValueKind::row:
      return "?";
  }
  return "?";
}

std::string formatted(const Value& value, Template::Format format, const EnumType* symbols, DurationMs display_offset) {
  const bool number = value.kind == ValueKind::integer || value.kind == ValueKind::decimal;
  switch (format) {
    case Template::Format::money:
      if (value.kind == ValueKind::integer) return money_text(Value::of_money(value.i, 0), true);
      break;
    case Template::Format::percent:
      if (number) return share_text(value, 100, "%");
      break;
    case Template::Format::bp:
      if (number) return share_text(value, 10'000, "bp");
      break;
    case Template::Format::time:
      if (value.kind == ValueKind::integer) return clock_text(value.i, display_offset);
      break;
    case Template::Format::duration:
      if (value.kind == ValueKind::integer) return format_duration(value.i);
      break;
    case Template::Format::plain:
      break;
  }
  return plain_text(value, symbols, display_offset);
}

// Stars, and no more between or beside them than a masked number shows.
bool masked_already(std::string_view text) {
  size_t run = 0;
  bool stars = false;
  for (const char c : text) {
    if (!starts_character(c)) continue;
    stars |= c == '*';
    run = c == '*' ? 0 : run + 1;
    if (run > kUnmaskedRun) return false;
  }
  return stars;
}

}  // namespace

void append_text(const Value& value, fmt::memory_buffer& out) {
  const auto add = [&out](std::string_view text) { out.append(text.data(), text.data() + text.size()); };
  switch (value.kind) {
    case ValueKind::string:
      return add(value.text());
    case ValueKind::boolean:
      return add(value.truth() ? "true" : "false");
    case ValueKind::decimal:
      return add(decimal_text(value.i));
    case ValueKind::money:
      return add(money_text(value, false));
    case ValueKind::time:
      return add(format_rfc3339(value.i, 0));
    case ValueKind::duration:
      return add(exact_duration(value.i));
    default:
      return add(fmt::format_int(value.i).c_str());
  }
}

std::string mask_personal(std::string_view text) {
  if (masked_already(text)) return std::string(text);
  constexpr std::ptrdiff_t kShown = 4;
  const std::ptrdiff_t characters = std::ranges::count_if(text, starts_character);
  const std::ptrdiff_t shown = std::min(kShown, characters / 2);
  size_t at = text.size();
  for (std::ptrdiff_t left = shown; left > 0; --left) {
    do --at;
    while (!starts_character(text[at]));
  }
  return "****" + std::string(text.substr(at));
}

std::string show(const Value& value, Template::Format format, const Type& type, const EnumType* symbols,
                 DurationMs display_offset) {
  if (value.missing()) return "?";
  if (!type.pii) return formatted(value, format, symbols, display_offset);
  return mask_personal(formatted(value, Template::Format::plain, symbols, display_offset));
}

TextProgram TextProgram::compile(const Template& text, const Schema& schema, const RowShapes& shapes,
                                 DurationMs display_offset) {
  TextProgram program;
  program.display_offset_ = display_offset;
  for (const Template::Part& part : text.parts) {
    Part& out = program.parts_.emplace_back();
    if (part.expression == nullptr) {
      out.text = part.text;
      continue;
    }
    out.program = Program::compile(*part.expression, schema, shapes);
    out.format = part.format;
    out.type = part.expression->type;
    if (out.type.kind == Kind::symbol) out.symbols = &schema.enums[static_cast<size_t>(out.type.ref)];
  }
  return program;
}

std::string TextProgram::render(Environment& environment) const {
  std::string text;
  for (const Part& part : parts_) {
    if (part.program.empty()) {
      text += part.text;
    } else {
      text += show(part.program.run(environment), part.format, part.type, part.symbols, display_offset_);
    }
  }
  return text;
}

}  // namespace tillwatch::rules
