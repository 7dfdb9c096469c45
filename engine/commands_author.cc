// Commands for who writes rules: new, fmt, docs, schema.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "engine/base/words.h"
#include "engine/commands.h"
#include "engine/rule_reference.h"
#include "engine/rule_scaffold.h"
#include "engine/rule_test.h"
#include "rules/language/load.h"
#include "rules/language/yaml_format.h"

namespace tillwatch::engine {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const RulesCommand& command) {
  const std::string path = command.paths.empty() ? default_rules() : command.paths.front();
  return fs::is_directory(path) ? path : fs::path(path).parent_path().string();
}

int complain(const std::string& text) {
  std::cerr << "tillwatch: " << text << "\n";
  return 1;
}

void print_errors(const rules::Diagnostics& diagnostics, const rules::Sources& sources) {
  const bool colour = isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  for (const rules::Diagnostic& each : diagnostics.all()) {
    if (each.level == rules::Diagnostic::Level::error) std::cerr << rules::render(each, sources, colour) << "\n";
  }
}

std::vector<std::string> yaml_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().extension() == ".yaml") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int new_rule(const RulesCommand& command) {
  const std::string folder = folder_of(command);
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const rules::Bundle bundle = rules::load_bundle({folder}, sources, diagnostics);
  if (diagnostics.errors() > 0) {
    print_errors(diagnostics, sources);
    return complain("the rules in " + folder + " have mistakes; mend those first");
  }
  std::string stream = command.stream;
  if (stream.empty())
    stream = bundle.schema.find_stream("debit") >= 0 ? "debit"
             : bundle.schema.streams.empty()         ? ""
                                                     : bundle.schema.streams.front().name;
  const auto scaffold = scaffold_rule(command.subject, stream, bundle.schema);
  if (!scaffold) return complain(scaffold.error().message);
  const std::string rule_file = (fs::path(folder) / (command.subject + ".yaml")).string();
  const std::string test_file = (fs::path(folder) / (command.subject + ".test.yaml")).string();
  for (const auto& [path, text] : {std::pair(rule_file, scaffold->rule), std::pair(test_file, scaffold->test)}) {
    if (fs::exists(path)) return complain(path + " is there already; give the rule another name");
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.flush();
    if (!out) return complain("cannot write " + path);
    fmt::print("{}\n", path);
  }
  std::fflush(stdout);
  RuleTestOptions options;
  options.paths = {test_file};
  const RuleTestReport report = run_rule_tests(options, std::cout);
  return report.failed == 0 && report.passed > 0 ? 0 : 1;
}

int format_rules(const RulesCommand& command) {
  size_t changed = 0, broken = 0;
  const std::vector<std::string> files =
      yaml_files(command.paths.empty() ? std::vector<std::string>{default_rules()} : command.paths);
  for (const std::string& path : files) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    if (!in) return complain("cannot read " + path);
    rules::Sources sources;
    rules::Diagnostics diagnostics;
    const std::string formatted = rules::format_yaml(sources.add(path, text.str()), sources, diagnostics);
    if (diagnostics.errors() > 0) {
      print_errors(diagnostics, sources);
      ++broken;
      continue;
    }
    if (formatted == text.str()) continue;
    ++changed;
    fmt::print("{}\n", path);
    if (command.only_check) continue;
    std::ofstream out(path, std::ios::binary);
    out << formatted;
    out.flush();
    if (!out) return complain("cannot write " + path);
  }
  fmt::print("{} {}, {} as they were\n", counted(changed, "file"), command.only_check ? "would change" : "changed",
             files.size() - changed - broken);
  return broken > 0 || (command.only_check && changed > 0) ? 1 : 0;
}

int print_reference(const RulesCommand&) {
  fmt::print("{}", rule_reference());
  return 0;
}

int print_json_schema(const RulesCommand& command) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const rules::Bundle bundle = rules::load_bundle({folder_of(command)}, sources, diagnostics);
  fmt::print("{}", rule_json_schema(bundle.schema));
  return 0;
}

}  // namespace tillwatch::engine
