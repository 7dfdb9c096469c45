#include <algorithm>

#include <fmt/format.h>

#include "rules/program/function_checks.h"
#include "rules/program/show.h"

namespace tillwatch::rules {
namespace {

constexpr char kSeparator = '|';
constexpr char kEscape = '\\';

// Where character `count` of `text` begins (UTF-8); its size when there are not so many.
size_t after_characters(std::string_view text, int64_t count) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (!starts_character(text[at])) continue;
    if (count <= 0) break;
    --count;
  }
  return at;
}

int64_t characters(std::string_view text) { return std::ranges::count_if(text, starts_character); }

std::string check_printable(std::span<const Type> arguments, size_t index, size_t& bad) {
  return check_kind(
      arguments, index,
      {Kind::string, Kind::symbol, Kind::integer, Kind::decimal, Kind::money, Kind::boolean, Kind::time, Kind::duration}, bad);
}

std::string check_join(std::span<const Type> arguments, Type& result, size_t& bad) {
  if (arguments.empty()) {
    bad = arguments.size();
    return "takes one or more arguments";
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string wrong = check_printable(arguments, i, bad);
    if (!wrong.empty()) return wrong;
  }
  result = {.kind = Kind::string, .pii = any_pii(arguments)};
  return "";
}

Value run_join(std::span<const Value> arguments, Arena& arena, EvalError&) {
  fmt::memory_buffer joined;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0) joined.push_back(kSeparator);
    fmt::memory_buffer part;
    append_text(arguments[i], part);
    for (const char c : part) {
      if (c == kSeparator || c == kEscape) joined.push_back(kEscape);
      joined.push_back(c);
    }
  }
  return Value::of_text(arena.copy({joined.data(), joined.size()}));
}

// The parts one after another, with `separator` between those that are not empty.
Value put_together(std::span<const Value> arguments, std::string_view separator, Arena& arena) {
  fmt::memory_buffer whole;
  for (const Value& argument : arguments) {
    fmt::memory_buffer part;
    append_text(argument, part);
    if (part.size() == 0) continue;
    if (whole.size() > 0) whole.append(separator);
    whole.append(part);
  }
  return Value::of_text(arena.copy({whole.data(), whole.size()}));
}

Value run_concat(std::span<const Value> arguments, Arena& arena, EvalError&) { return put_together(arguments, "", arena); }
Value run_listing(std::span<const Value> arguments, Arena& arena, EvalError&) { return put_together(arguments, ", ", arena); }

std::string check_text(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_printable(arguments, 0, bad);
  result = {.kind = Kind::string, .pii = any_pii(arguments)};
  return wrong;
}

Value run_text(std::span<const Value> arguments, Arena& arena, EvalError&) {
  if (arguments[0].kind == ValueKind::string) return arguments[0];
  fmt::memory_buffer text;
  append_text(arguments[0], text);
  return Value::of_text(arena.copy({text.data(), text.size()}));
}

// f(text) and f(text, n)
std::string check_one_text(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string, Kind::symbol}, bad);
  result = {.kind = Kind::string, .pii = any_pii(arguments)};
  return wrong;
}

std::string check_cut(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string, Kind::symbol}, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 1, {Kind::integer}, bad);
  result = {.kind = Kind::string, .pii = any_pii(arguments)};
  return wrong;
}

Value run_left(std::span<const Value> arguments, Arena&, EvalError&) {
  const std::string_view text = arguments[0].text();
  return Value::of_text(text.substr(0, after_characters(text, arguments[1].i)));
}

Value run_right(std::span<const Value> arguments, Arena&, EvalError&) {
  const std::string_view text = arguments[0].text();
  const int64_t wanted = std::max<int64_t>(arguments[1].i, 0);
  const int64_t all = characters(text);
  return Value::of_text(wanted >= all ? text : text.substr(after_characters(text, all - wanted)));
}

template <char kFirst, char kLast>
Value with_case_flipped(std::string_view text, Arena& arena) {
  char* const copy = arena.allocate(text.size());
  std::ranges::transform(text, copy, [](char c) { return c >= kFirst && c <= kLast ? static_cast<char>(c ^ 0x20) : c; });
  return Value::of_text({copy, text.size()});
}

Value run_lower(std::span<const Value> arguments, Arena& arena, EvalError&) {
  return with_case_flipped<'A', 'Z'>(arguments[0].text(), arena);
}
Value run_upper(std::span<const Value> arguments, Arena& arena, EvalError&) {
  return with_case_flipped<'a', 'z'>(arguments[0].text(), arena);
}

std::string check_length(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_one_text(arguments, result, bad);
  result = {.kind = Kind::integer};
  return wrong;
}

Value run_length(std::span<const Value> arguments, Arena&, EvalError&) {
  return Value::of_int(characters(arguments[0].text()));
}

std::string check_search(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  for (size_t i = 0; i < 2 && wrong.empty(); ++i) wrong = check_kind(arguments, i, {Kind::string, Kind::symbol}, bad);
  result = {.kind = Kind::boolean};
  return wrong;
}

Value run_starts_with(std::span<const Value> arguments, Arena&, EvalError&) {
  return Value::of_bool(arguments[0].text().starts_with(arguments[1].text()));
}
Value run_ends_with(std::span<const Value> arguments, Arena&, EvalError&) {
  return Value::of_bool(arguments[0].text().ends_with(arguments[1].text()));
}
Value run_contains(std::span<const Value> arguments, Arena&, EvalError&) {
  return Value::of_bool(arguments[0].text().find(arguments[1].text()) != std::string_view::npos);
}

}  // namespace

void append_text_functions(std::vector<Function>& rows) {
  rows.insert(
      rows.end(),
      {{"join", check_join, run_join, "join(part, …) -> string",
        "The parts as text with `|` between them; a `|` or `\\` inside a part gets a `\\` before it, so different parts never "
        "join to the same text.",
        R"(join("a", 7) == "a|7" and join("a|b") != join("a", "b"))"},
       {"concat", check_join, run_concat, "concat(part, …) -> string", "The parts as text, one after another.",
        R"(concat("MCC ", 5812) == "MCC 5812")"},
       {"listing", check_join, run_listing, "listing(part, …) -> string",
        "The parts that are not empty as text, with `, ` between them.", R"(listing("card", "", "amount") == "card, amount")"},
       {"text", check_text, run_text, "text(value) -> string",
        "The value as text: an enum by its name, a time in UTC (RFC 3339), a duration in its largest whole unit.",
        R"(text(128) == "128" and text(90s) == "90s")"},
       {"left", check_cut, run_left, "left(string, int) -> string", "The first characters, all when there are fewer.",
        R"(left("622848", 3) == "622")"},
       {"right", check_cut, run_right, "right(string, int) -> string", "The last characters, all when there are fewer.",
        R"(right("622848", 4) == "2848")"},
       {"length", check_length, run_length, "length(string) -> int", "The number of characters.", R"(length("跳码") == 2)"},
       {"lower", check_one_text, run_lower, "lower(string) -> string", "The letters A to Z made small, others left.",
        R"(lower("P3100") == "p3100")"},
       {"upper", check_one_text, run_upper, "upper(string) -> string", "The letters a to z made capital, others left.",
        R"(upper("cny") == "CNY")"},
       {"starts_with", check_search, run_starts_with, "starts_with(string, string) -> bool",
        "Whether the first begins with the second.", R"(starts_with("990581058120001", "990"))"},
       {"ends_with", check_search, run_ends_with, "ends_with(string, string) -> bool",
        "Whether the first ends with the second.", R"(ends_with("622848******1234", "1234"))"},
       {"contains", check_search, run_contains, "contains(string, string) -> bool",
        "Whether the second stands somewhere in the first.", R"(contains("您尾号1234的卡", "1234"))"}});
}

}  // namespace tillwatch::rules
