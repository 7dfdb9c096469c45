// The language's reference: an expression evaluated straight from its tree, as plainly as possible and sharing no code with the
// register programs (functions aside). Tests hold the two against each other; where they differ, this one says what is meant.
//
//  - Operands are evaluated left to right, all of them; a missing one makes the result missing. Only `and`, `or`, `??` and `if`
//    leave out what does not matter. A missing condition of `if` counts as false; a missing left side of `and`, `or` is the
//    result.
//  - Numbers are exact until the end of one operation, which rounds half away from zero; what does not fit 64 bits is an
//  overflow.
//  - The first error ends the evaluation.
#pragma once

#include "rules/program/program.h"

namespace tillwatch::rules {

// As Program::run of the compiled expression. Text made on the way lives in environment.arena.
Value evaluate_tree(const Expression& expression, const Schema& schema, const RowShapes& shapes, Environment& environment);

}  // namespace tillwatch::rules
