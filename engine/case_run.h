// Runs one case of a rule test through the production pipeline under a clock of its own, and says what does not fit.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/alert.h"
#include "engine/base/status.h"
#include "engine/rule_case.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

// One thing that happened to an alert.
struct Transition {
  std::string what, severity, reason;  // what: raise, update, resolve, expire
  TimeMs at = 0;
  AlertRecord alert;
};

// A trigger that came to nothing.
struct CaseStop {
  std::string rule;
  std::string what;  // as in stopped_by
  // The trigger's record as the evidence of alerts names it: the first record of a topic in the case has offset 0, the next 1;
  // offset -1: it is not known any more.
  std::string topic;
  int64_t offset = -1;
  TimeMs at = 0;  // by the case's clock
};

struct CaseResult {
  Status status;                        // an error: the case could not be run
  std::vector<Transition> transitions;  // in order
  std::vector<std::string> stopped_by;  // "where", "when", "skip m", "then 1", …; each once
  std::vector<CaseStop> stops;          // the same for each trigger
  std::vector<std::string> refused;     // dead letters
};

// `rule`: whose transitions are wanted; empty: those of every rule. What stops triggers is told of every rule that is live.
// `progress` is told how many of the steps are taken.
CaseResult run_case(const std::shared_ptr<const rules::CompiledBundle>& bundle, const RuleCase& test, const std::string& rule,
                    const std::function<void(size_t steps)>& progress = nullptr);

// What does not fit, one line each; nothing: the case passes.
std::vector<std::string> judge(const RuleCase& test, const CaseResult& result);

std::string show(const Transition& transition);

}  // namespace tillwatch::engine
