// What a condition tells about values that may be missing: behind `has(x) and …` and behind a `where` or `when` with it, `x` is
// there.
#pragma once

#include <set>
#include <string>

#include "rules/language/syntax.h"

namespace tillwatch::rules {

using Present = std::set<std::string>;  // canonical() of expressions known not to be missing

// One text for equal expressions.
std::string canonical(const Expression& expression);

// What is known not to be missing when `condition` is `truth`.
Present proven(const Expression& condition, bool truth);

// What is known of the candidate, said of the event bound at `binding` instead; and the other way round.
Present rebound(const Present& present, int32_t from_binding, int32_t to_binding);
// Without what is computed anew at another moment (look-ups, aggregates): facts and fields stay.
Present frozen(const Present& present);
// Without what is known of the candidate.
Present without_candidate(const Present& present);

}  // namespace tillwatch::rules
