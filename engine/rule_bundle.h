// Loads and compiles the rules a command works with, and prints what is wrong with them.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

struct RuleBundleReport {
  bool colour = false;
  size_t errors = 0, warnings = 0;
};

// Null when there are errors; all of them, and the warnings, go to `out`. Empty `paths`: the payments pack.
std::shared_ptr<const rules::CompiledBundle> load_rule_bundle(const std::vector<std::string>& paths, bool json, std::ostream& out,
                                                              RuleBundleReport& report);

}  // namespace tillwatch::engine
