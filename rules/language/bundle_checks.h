// What can only be seen when all rules are read.
#pragma once

#include "rules/language/checker.h"
#include "rules/language/load.h"

namespace tillwatch::rules {

// Names given twice, rules that feed each other in a circle, and warnings about what is declared and not used.
void check_bundle(const Bundle& bundle, CheckContext& context);

}  // namespace tillwatch::rules
