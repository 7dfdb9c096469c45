// Text for a terminal: lines of a readable width, and blocks set in.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tillwatch::engine {

inline constexpr size_t kTextWidth = 100;

// Paragraphs broken at blanks, each line behind `indent` blanks; the first line behind `first` instead when it is given.
std::string wrapped(std::string_view text, size_t indent = 0, std::string_view first = "");

// Every line behind `blanks` blanks; ends with a line break.
std::string indented(std::string_view text, size_t blanks);

}  // namespace tillwatch::engine
