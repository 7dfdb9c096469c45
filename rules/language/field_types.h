// The types of fields as a schema writes them: `string?`, `enum(a, b)`, `money(amount_minor, currency)`, `int @ "trans.amt"`.
#pragma once

#include <string>
#include <vector>

#include "rules/language/diagnostics.h"
#include "rules/language/placed_text.h"
#include "rules/language/schema.h"

namespace tillwatch::rules {

//   TYPE ["?"] ["pii"] ["@" "\"path\""]
//   TYPE: bool int decimal string time duration geo tariff list(string) enum(a, b) money money(minor, currency)
// Paths are dotted and count from the record's root. The currency of money(minor, currency) is a path, or three capitals: the
// currency itself, for records that carry none.
//
// Fills type, paths and span of `field`. After a mistake, which is reported, the type is broken (Type::ref == kBroken).
// `needs_paths`: money must say where it stands (streams and tables from topics).
void read_field_type(const PlacedText& text, bool needs_paths, Field& field, std::vector<EnumType>& enums,
                     Diagnostics& diagnostics);

// The fields of a `fields:` or `columns:` mapping; nested mappings become dotted names.
std::vector<Field> read_fields(const YamlNode& mapping, bool needs_paths, std::vector<EnumType>& enums, const Sources& sources,
                               Diagnostics& diagnostics);

// Whether a field, fact, stream or table may have this name; reports when not.
bool expect_name(const YamlNode& key, std::string_view what, Diagnostics& diagnostics);

}  // namespace tillwatch::rules
