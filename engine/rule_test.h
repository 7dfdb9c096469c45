// `tillwatch rules test`: event-time cases beside the rules, run through the production pipeline (format:
// rules/packs/payments/README.md).
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace tillwatch::engine {

struct RuleTestOptions {
  std::vector<std::string> paths;  // files or folders; cases are in *.test.yaml, rules and schema in the other *.yaml
  std::string filter;              // only cases whose "rule: name" contains it
  std::string junit;               // also write results there as JUnit's XML
  bool coverage = false;           // name the clauses no case depends on
  bool mutate = false;             // name the small changes of the rules no case notices
  bool verbose = false;            // passed cases too
  bool colour = false;
};

struct RuleTestReport {
  size_t passed = 0, failed = 0;
};

// Prints each failure with what was expected and what came, and a last line `N passed, N failed`. Problems of the files
// themselves are printed as located errors and count as failures.
RuleTestReport run_rule_tests(const RuleTestOptions& options, std::ostream& out);

}  // namespace tillwatch::engine
