// `rules new`: a first rule with a test that passes, to be changed into what is wanted.
#pragma once

#include <string>

#include "engine/base/status.h"
#include "rules/language/schema.h"

namespace tillwatch::engine {

struct RuleScaffold {
  std::string rule, test;  // the texts of NAME.yaml and NAME.test.yaml
};

// A rule that counts the events of `stream` per its first field that can be a key. Error: invalid, with what to give instead.
Expected<RuleScaffold> scaffold_rule(const std::string& name, const std::string& stream, const rules::Schema& schema);

}  // namespace tillwatch::engine
