// One layout for rule files: two blanks a level, no trailing blanks, one empty line at most, one blank behind `key:` and `-`.
// Comments and everything a value is made of stay as they are.
#pragma once

#include <string>

#include "rules/language/diagnostics.h"

namespace tillwatch::rules {

// The text of file `file` in that layout. What it means is the same, which is checked: a text that would come out otherwise is
// given back as it was. A file that is no YAML is reported and given back as it was.
std::string format_yaml(int32_t file, const Sources& sources, Diagnostics& diagnostics);

}  // namespace tillwatch::rules
