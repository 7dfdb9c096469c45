// From files to checked rules: the front door of the language.
#pragma once

#include <string>
#include <vector>

#include "rules/language/checked_rule.h"
#include "rules/language/diagnostics.h"
#include "rules/language/schema.h"

namespace tillwatch::rules {

struct Bundle {
  Schema schema;
  std::vector<CheckedRule> rules;  // in file order, files by name
};

// Reads every *.yaml under each path (a file, or a folder searched recursively; *.test.yaml left out; a file whose top level has
// `streams:`, `tables:` or `lists:` is a schema file, others hold rules, one a document). Reports every mistake of every
// file; the bundle is usable only when diagnostics.errors() == 0.
Bundle load_bundle(const std::vector<std::string>& paths, Sources& sources, Diagnostics& diagnostics);

// The same from texts in memory (name, text), for tests and fuzzers; list files are looked up among them too.
Bundle load_bundle_texts(const std::vector<std::pair<std::string, std::string>>& files, Sources& sources,
                         Diagnostics& diagnostics);

}  // namespace tillwatch::rules
