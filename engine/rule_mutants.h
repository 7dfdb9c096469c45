// Small changes of a rule, one at a time: what its cases ought to notice.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "rules/language/checked_rule.h"

namespace tillwatch::engine {

struct Mutant {
  rules::Span place;
  std::string was, became;  // "n >= 2", "n > 2"
};

// Makes change number `index`, counted from 0, to `rule`; empty: there are no more. The order is that of the rule.
std::optional<Mutant> mutate(rules::CheckedRule& rule, const rules::Schema& schema, size_t index);

// The same with another kind of change: clause number index / 2, each test that is part of a condition, made always true
// (even numbers) or always false.
std::optional<Mutant> force_clause(rules::CheckedRule& rule, const rules::Schema& schema, size_t index);

}  // namespace tillwatch::engine
