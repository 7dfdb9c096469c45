// Runs one case of a rule test through the production pipeline under a clock of its own, and says what does not fit.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/alert.h"
#include "engine/base/status.h"
#include "engine/rule_case.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

// One thing that happened to an alert of the rule under test.
struct Transition {
  std::string what, severity, reason;  // what: raise, update, resolve, expire
  TimeMs at = 0;
  AlertRecord alert;
};

struct CaseResult {
  Status status;                        // an error: the case could not be run
  std::vector<Transition> transitions;  // in order
  std::vector<std::string> stopped_by;  // "where", "when", "skip m", "then 1", …; each once
  std::vector<std::string> refused;     // dead letters
};

CaseResult run_case(const std::shared_ptr<const rules::CompiledBundle>& bundle, const RuleCase& test, const std::string& rule);

// What does not fit, one line each; nothing: the case passes.
std::vector<std::string> judge(const RuleCase& test, const CaseResult& result);

std::string show(const Transition& transition);

}  // namespace tillwatch::engine
