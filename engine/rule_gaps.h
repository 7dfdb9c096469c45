// What the cases of a rule do not hold: clauses no case depends on (`rules test --coverage`) and changes no case notices
// (`--mutate`).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/rule_suite.h"

namespace tillwatch::engine {

struct Gap {
  std::string rule, place, what;  // place: "rules/packs/payments/duplicate-debit.yaml:12"
};

struct GapReport {
  size_t asked = 0, held = 0;
  std::vector<Gap> gaps;
};

// A clause counts as held when some case comes out otherwise were it always true, and some were it always false: that is more
// than having been both. Two are asked for each clause.
GapReport uncovered_clauses(const RuleSuite& suite);

// Each small change of the rule (rule_mutants.h) that compiles is asked for.
GapReport unnoticed_mutants(const RuleSuite& suite);

}  // namespace tillwatch::engine
