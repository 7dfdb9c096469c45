// Text with `{expression}` and `{expression:format}` in it; `{{` and `}}` are braces.
#pragma once

#include <optional>

#include "rules/language/checker.h"
#include "rules/language/placed_text.h"

namespace tillwatch::rules {

// Empty when something is wrong, which is reported. Formats: money, time, duration, percent, bp.
std::optional<Template> read_template(const PlacedText& text, const Scope& scope, ExpressionChecker& checker,
                                      Diagnostics& diagnostics);

}  // namespace tillwatch::rules
