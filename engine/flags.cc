#include "engine/flags.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "engine/base/words.h"

namespace tillwatch::engine {
namespace {

// Bounds are written in the source: whole ones with commas, others as they are.
std::string shown(double bound) {
  return bound == std::floor(bound) ? grouped(static_cast<uint64_t>(bound)) : fmt::format("{}", bound);
}

template <class T>
std::optional<T> parse(const std::string& text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::string describe(const FlagRange& range) {
  std::string text = range.whole && !range.high ? "a whole number of " : "";
  text += shown(range.low);
  if (!range.zero.empty()) text += fmt::format(" ({})", range.zero);
  text += range.high ? " to " + shown(*range.high) : " or more";
  if (!range.unit.empty()) text += fmt::format(" {}", range.unit);
  return text;
}

std::string check_flag(const FlagRange& range, const std::string& text) {
  // Whole numbers go up to 2^64 - 1, which no double can tell from its neighbours.
  const std::optional<double> number =
      !range.whole ? parse<double>(text)
                   : parse<uint64_t>(text).transform([](uint64_t whole) { return static_cast<double>(whole); });
  if (number && std::isfinite(*number) && *number >= range.low && (!range.high || *number <= *range.high)) return {};
  return fmt::format("'{}' will not do; give {}", text, describe(range));
}

}  // namespace tillwatch::engine
