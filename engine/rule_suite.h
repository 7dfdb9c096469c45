// The cases of one rule with the rules they run: what `rules test` and its mutations start from.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/rule_case.h"
#include "rules/language/diagnostics.h"
#include "rules/language/load.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

// The test files (*.test.yaml) among `paths`, files or folders, by name.
std::vector<std::string> test_files(const std::vector<std::string>& paths);

class RuleSuite {
 public:
  // Reads the test file; the rules and the schema are those under the folders of `paths`. Problems are in diagnostics().
  RuleSuite(std::string test_file, const std::vector<std::string>& paths);

  const std::string& path() const { return path_; }
  const std::string& rule() const { return rule_; }
  const std::vector<RuleCase>& cases() const { return cases_.cases; }
  const rules::Sources& sources() const { return sources_; }
  const rules::Diagnostics& diagnostics() const { return diagnostics_; }
  bool usable() const { return bundle_ != nullptr; }
  const std::shared_ptr<const rules::CompiledBundle>& bundle() const { return bundle_; }

  // The rules again with the rule under test changed by `change`; null when `change` says no or the result cannot be compiled.
  using Change = std::function<bool(rules::CheckedRule& rule, const rules::Schema& schema)>;
  std::shared_ptr<const rules::CompiledBundle> changed(const Change& change) const;

 private:
  rules::CheckedRule* choose_rules(rules::Bundle& bundle) const;

  std::string path_, rule_;
  std::vector<std::string> folders_;
  rules::Sources sources_;
  rules::Diagnostics diagnostics_;
  RuleCaseFile cases_;
  std::shared_ptr<const rules::CompiledBundle> bundle_;
};

}  // namespace tillwatch::engine
