// The types of fields as a schema writes them: `string?`, `enum(a, b)`, `money(amount_minor, currency)`, `int @ "trans.amt"`.
#pragma once

#include <string>
#include <vector>

#include "rules/language/diagnostics.h"
#include "rules/language/placed_text.h"
#include "rules/language/schema.h"

namespace tillwatch::rules {

// Where the fields of a declaration come from: from no record (derived streams and tables), from the root of a record, or from
// an element of an array in it.
enum class Paths : uint8_t { none, record, element };

//   TYPE ["?"] ["pii"] ["@" "\"path\""]
//   TYPE: bool int decimal string time duration geo tariff list(string) enum(a, b) money money(minor, currency)
// Paths are dotted and count from the record's root, or from the element, which itself is ".". The currency of
// money(minor, currency) is a path, or three capitals: the currency itself, for records that carry none; of an element also
// `currency of FIELD`: that of a money field of its record.
//
// Fills type, paths and span of `field`. After a mistake, which is reported, the type is broken (Type::ref == kBroken).
// Money of records and elements must say where it stands.
void read_field_type(const PlacedText& text, Paths paths, Field& field, std::vector<EnumType>& enums, Diagnostics& diagnostics);

// The fields of a `fields:` or `columns:` mapping; nested mappings become dotted names.
std::vector<Field> read_fields(const YamlNode& mapping, Paths paths, std::vector<EnumType>& enums, const Sources& sources,
                               Diagnostics& diagnostics);

bool is_path(std::string_view text);  // dotted

// Whether a field, fact, stream or table may have this name; reports when not.
bool expect_name(const YamlNode& key, std::string_view what, Diagnostics& diagnostics);

}  // namespace tillwatch::rules
