#include <fmt/format.h>

#include <iostream>

#include "engine/commands.h"
#include "engine/rule_bundle.h"
#include "rules/runtime/bundle_plan.h"

namespace tillwatch::engine {

int plan_rules(const RulesCommand& command) {
  RuleBundleReport report;
  const auto now = load_rule_bundle({command.subject}, false, std::cerr, report);
  const auto next = load_rule_bundle(command.paths, false, std::cerr, report);
  if (!now || !next) return 1;
  const rules::BundlePlan plan = rules::plan_bundle(*now, *next);
  fmt::print("{}", plan.text());
  return plan.loses() || !plan.refusals.empty() ? 1 : 0;
}

}  // namespace tillwatch::engine
