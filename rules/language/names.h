// How types and names are shown in messages, and what somebody may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/language/diagnostics.h"
#include "rules/language/schema.h"

namespace tillwatch::rules {

// "money?", "enum(approved, declined, …)", "list(string)", "row of merchants".
std::string show(const Type& type, const Schema& schema);

// The candidate nearest to `name`, or empty when none is near enough to be meant.
std::string closest(std::string_view name, const std::vector<std::string>& candidates);

// "a, b, c"; long lists are cut with "…".
std::string listed(const std::vector<std::string>& names);
std::vector<std::string> names_of(const std::vector<Field>& fields);

// "(money, schema.yaml:18)" behind a suggested field.
std::string declared(const Field& field, const Schema& schema, const Sources& sources);

// Adds "did you mean `x`?" or, when nothing is near, the note "WHAT: a, b, c".
void suggest(Diagnostic& diagnostic, std::string_view name, const std::vector<std::string>& candidates, std::string_view what);
// The same for fields, with the type and place of the suggested one.
void suggest_field(Diagnostic& diagnostic, std::string_view name, const std::vector<Field>& fields, const Schema& schema,
                   const Sources& sources);

}  // namespace tillwatch::rules
