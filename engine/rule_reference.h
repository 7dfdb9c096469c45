// The reference of the rule language, for people (`rules docs`) and for editors (`rules schema`). Both come from the tables the
// compiler reads.
#pragma once

#include <string>

#include "rules/language/schema.h"

namespace tillwatch::engine {

// Markdown.
std::string rule_reference();

// A JSON schema of rule files; streams, fields and lists of `schema` are offered for completion.
std::string rule_json_schema(const rules::Schema& schema);

}  // namespace tillwatch::engine
