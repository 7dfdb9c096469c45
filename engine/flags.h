// Flags that are numbers: --help and the word on a mistake give the same range, in its unit.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace tillwatch::engine {

struct FlagRange {
  double low = 0;
  std::optional<double> high;  // inclusive; empty: no bound but the type's
  std::string_view unit;       // plural: "minutes"; may be empty
  std::string_view zero;       // what 0 means, where it means something of its own
  bool whole = false;
};

// "30 to 10,000 minutes", "0 (as fast as it goes) to 1,000,000 seconds of traffic per second", "a whole number of 0 or more".
std::string describe(const FlagRange& range);

// Empty when `text` is a number within `range`, else what to give instead.
std::string check_flag(const FlagRange& range, const std::string& text);

// `--minutes N [60]   length of the traffic: 30 to 10,000 minutes`.
template <class T>
CLI::Option* add_number(CLI::App& command, const std::string& name, T& value, const FlagRange& range, std::string_view text) {
  return command.add_option(name, value, fmt::format("{}: {}", text, describe(range)))
      ->option_text(fmt::format("N [{}]", value))
      ->check([range](const std::string& given) { return check_flag(range, given); });
}

}  // namespace tillwatch::engine
