#include <fmt/format.h>

#include <iostream>

#include "engine/code_page.h"
#include "engine/commands.h"
#include "engine/rule_bundle.h"
#include "engine/rule_explanation.h"
#include "rules/language/names.h"

namespace tillwatch::engine {
namespace {

int explain_code(const std::string& code) {
  if (const rules::CodeEntry* entry = rules::find_code(code)) {
    fmt::print("{}", code_page(*entry));
    return 0;
  }
  std::cerr << "tillwatch: there is no code " << code << "; `tillwatch rules explain codes` lists them all\n";
  return 1;
}

int explain_one(const RulesCommand& command) {
  RuleBundleReport report;
  const auto bundle = load_rule_bundle(command.paths, false, std::cerr, report);
  if (!bundle) return 1;
  std::vector<std::string> names;
  for (const auto& rule : bundle->rules) {
    if (rule->name == command.subject) {
      fmt::print("{}", explain_rule(*rule, *bundle));
      return 0;
    }
    names.push_back(rule->name);
  }
  const std::string near = rules::closest(command.subject, names);
  std::cerr << "tillwatch: there is no rule `" << command.subject << "`, and it is no code such as E022\n";
  if (!near.empty()) std::cerr << "did you mean `" << near << "`?\n";
  return 1;
}

}  // namespace

int explain_rules(const RulesCommand& command) {
  if (command.subject == "codes") {
    fmt::print("{}", code_index());
    return 0;
  }
  if (const std::string code = code_written(command.subject); !code.empty()) return explain_code(code);
  return explain_one(command);
}

}  // namespace tillwatch::engine
