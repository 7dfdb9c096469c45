#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "engine/base/words.h"
#include "engine/commands.h"
#include "engine/rule_bundle.h"
#include "engine/rule_explanation.h"
#include "engine/rule_test.h"

namespace tillwatch::engine {
namespace {

bool colour_on(int descriptor) { return isatty(descriptor) == 1 && std::getenv("NO_COLOR") == nullptr; }

}  // namespace

std::string version() { return TILLWATCH_VERSION; }

std::string default_rules() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path here = "rules/packs/payments";
  if (fs::exists(here, error)) return here.string();
  // build/PRESET/tillwatch → the tree it was built from
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  for (fs::path folder = program.parent_path(); !error && folder.has_relative_path(); folder = folder.parent_path()) {
    if (fs::exists(folder / here, error)) return (folder / here).string();
  }
  return here.string();
}

std::shared_ptr<const rules::CompiledBundle> load_rule_bundle(const std::vector<std::string>& paths, bool json,
                                                              std::ostream& out, RuleBundleReport& report) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const std::vector<std::string> wanted = paths.empty() ? std::vector<std::string>{default_rules()} : paths;
  rules::Bundle bundle = rules::load_bundle(wanted, sources, diagnostics);
  std::shared_ptr<const rules::CompiledBundle> compiled;
  if (diagnostics.errors() == 0) compiled = rules::compile_bundle(std::move(bundle), {}, diagnostics);
  for (const rules::Diagnostic& each : diagnostics.all()) {
    out << (json ? rules::render_json(each, sources) : rules::render(each, sources, report.colour)) << "\n";
  }
  report.errors = diagnostics.errors();
  report.warnings = diagnostics.all().size() - report.errors;
  return compiled;
}

int check_rules(const RulesCommand& command) {
  const bool json = command.format == "json";
  RuleBundleReport report;
  report.colour = colour_on(STDERR_FILENO);
  const auto bundle = load_rule_bundle(command.paths, json, json ? std::cout : std::cerr, report);
  if (json) return bundle ? 0 : 1;
  if (bundle) {
    size_t width = 0;
    for (const auto& rule : bundle->rules) width = std::max(width, rule->name.size());
    for (const auto& rule : bundle->rules)
      fmt::print("{:<{}}  {}\n", rule->name, width, cost_line(rules::cost_of(*rule, *bundle)));
    const rules::Schema& schema = bundle->source.schema;
    fmt::print("{}, {}, {}: all well", counted(bundle->rules.size(), "rule"), counted(schema.streams.size(), "stream"),
               counted(schema.tables.size(), "table"));
  } else {
    fmt::print("{}", counted(report.errors, "error"));
  }
  fmt::print("{}\n", report.warnings > 0 ? ", " + counted(report.warnings, "warning") : "");
  if (!bundle) fmt::print("`tillwatch rules explain CODE` says more of a code\n");
  return bundle ? 0 : 1;
}

int test_rules(const RulesCommand& command) {
  RuleTestOptions options;
  options.paths = command.paths.empty() ? std::vector<std::string>{default_rules()} : command.paths;
  options.filter = command.filter;
  options.junit = command.junit;
  options.coverage = command.coverage;
  options.mutate = command.mutate;
  options.verbose = command.verbose;
  options.colour = colour_on(STDOUT_FILENO);
  const RuleTestReport report = run_rule_tests(options, std::cout);
  if (report.passed + report.failed == 0) {
    std::cerr << fmt::format("tillwatch: no case ran of {}{}; cases are in NAME.test.yaml beside NAME.yaml\n",
                             fmt::join(options.paths, ", "),
                             command.filter.empty() ? "" : " with \"" + command.filter + "\" in its name");
    return 1;
  }
  return report.failed == 0 ? 0 : 1;
}

int list_rules(const RulesCommand& command) {
  RuleBundleReport report;
  report.colour = colour_on(STDERR_FILENO);
  const auto bundle = load_rule_bundle(command.paths, false, std::cerr, report);
  if (!bundle) return 1;
  for (const auto& rule : bundle->rules) {
    const rules::CheckedRule& source = *rule->source;
    const auto& schema = bundle->source.schema;
    std::string key;
    for (const rules::KeyPart& part : source.key) key += (key.empty() ? "" : ", ") + part.name;
    const std::string from = source.stream >= 0 ? schema.streams[static_cast<size_t>(source.stream)].name
                                                : schema.tables[static_cast<size_t>(source.table)].name;
    DurationMs keep = 0;
    for (const rules::Input& input : rule->inputs) keep = std::max(keep, input.keep);
    fmt::print("{:<26} v{} on {} per [{}], keeps {}\n", rule->name, rule->version, from, key,
               rule->stateless ? "nothing" : format_duration(keep));
    if (!source.title_en.empty()) fmt::print("{:<26}    {} / {}\n", "", source.title_en, source.title_zh);
  }
  return 0;
}

}  // namespace tillwatch::engine
