// Whether the text behind `matches` is a regular expression (RE2).
#pragma once

#include <string>
#include <string_view>

namespace tillwatch::rules {

// Empty when `pattern` can be used; else what is wrong with it.
std::string pattern_problem(std::string_view pattern);

}  // namespace tillwatch::rules
