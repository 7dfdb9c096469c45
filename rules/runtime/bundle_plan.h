// What becomes of each rule's state when one bundle takes the place of another: `rules plan`, and every reload.
#pragma once

#include <string>
#include <vector>

#include "rules/runtime/compiled_rule.h"

namespace tillwatch::rules {

struct PlannedRule {
  enum class Fate : uint8_t { same, kept, fresh, lost, gone };
  std::string name;
  Fate fate = Fate::same;  // unchanged; changed, state kept; new; changed so that its state cannot be read; no longer there
  DurationMs warm_up = 0;  // fresh, lost: so long it is in shadow
  std::string why;         // lost: what of its state differs
};

struct BundlePlan {
  std::vector<PlannedRule> rules;     // by name
  std::vector<std::string> refusals;  // why the new bundle cannot be taken without a restart, whatever is forced

  bool loses() const;
  bool changes() const;
  // One line a rule that is not the same, and a last line with how many are; for people.
  std::string text() const;
};

BundlePlan plan_bundle(const CompiledBundle& now, const CompiledBundle& next);

}  // namespace tillwatch::rules
