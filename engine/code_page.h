// What `rules explain E022` prints: one code of the compiler's messages, with a mistake and its mend.
#pragma once

#include <string>
#include <string_view>

#include "rules/language/codes.h"

namespace tillwatch::engine {

// "E022" and the like in any case; empty: not written like a code.
std::string code_written(std::string_view word);

std::string code_page(const rules::CodeEntry& entry);

// All codes with their titles, one a line.
std::string code_index();

}  // namespace tillwatch::engine
