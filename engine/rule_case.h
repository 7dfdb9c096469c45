// One case of a rule test: its steps as records for the pipeline, and what it expects.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/time.h"
#include "rules/language/diagnostics.h"
#include "rules/language/schema.h"
#include "rules/language/yaml.h"

namespace tillwatch::engine {

struct CaseStep {
  enum class Kind : uint8_t { event, row, crash, restart };
  Kind kind = Kind::event;
  std::string topic;
  std::string json;
  TimeMs arrives = 0;
};

struct Expectation {
  std::string what;  // raise, update, resolve, expire
  std::optional<TimeMs> at;
  std::vector<std::pair<std::string, std::string>> key, labels, message;  // message: language, part of the text
  std::string severity, reason;
  rules::Span span;
};

struct RuleCase {
  std::string name;
  std::vector<CaseStep> steps;   // in the order they are read
  std::optional<TimeMs> until;
  std::vector<Expectation> expect;
  std::vector<std::string> because;
  rules::Span span;
};

struct RuleCaseFile {
  std::string rule;                      // the rule under test: the file's name
  std::vector<std::string> also;         // `rules:`
  bool names_rules = false;
  std::vector<RuleCase> cases;
};

// Reads the cases of one parsed file. Mistakes go to `diagnostics`.
RuleCaseFile read_rule_cases(const rules::YamlFile& file, const std::string& rule, const rules::Schema& schema,
                             rules::Diagnostics& diagnostics);

}  // namespace tillwatch::engine
