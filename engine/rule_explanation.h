// One rule in plain words: what it looks at, what it works out, when it fires, what ends it, what it keeps and costs.
#pragma once

#include <string>

#include "rules/runtime/compiled_rule.h"
#include "rules/runtime/rule_cost.h"

namespace tillwatch::engine {

std::string explain_rule(const rules::CompiledRule& rule, const rules::CompiledBundle& bundle);

// "3 windows over 30d, 212 bytes an event and 2 texts; 41 steps an event, 6 a window's event": a line of `rules check`.
std::string cost_line(const rules::RuleCost& cost);

}  // namespace tillwatch::engine
