#include "engine/rule_suite.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tillwatch::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".test.yaml";

// The folders whose rules a test file goes with: the paths given, or the file's own folder.
std::vector<std::string> rule_folders(const std::vector<std::string>& paths) {
  std::vector<std::string> result;
  for (const std::string& path : paths) {
    std::string folder = path;
    if (path.ends_with(".yaml")) folder = fs::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
    if (std::find(result.begin(), result.end(), folder) == result.end()) result.push_back(folder);
  }
  return result;
}

}  // namespace

std::vector<std::string> test_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      if (path.ends_with(kEnding)) files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().string().ends_with(kEnding)) files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

RuleSuite::RuleSuite(std::string test_file, const std::vector<std::string>& paths)
    : path_(std::move(test_file)), rule_(fs::path(path_).filename().string()), folders_(rule_folders(paths)) {
  rule_ = rule_.substr(0, rule_.size() - kEnding.size());
  rules::Bundle bundle = rules::load_bundle(folders_, sources_, diagnostics_);
  std::ifstream in(path_, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  const int32_t file = sources_.add(path_, text.str());
  if (diagnostics_.errors() > 0) return;
  cases_ = read_rule_cases(rules::read_yaml(file, sources_, diagnostics_), rule_, bundle.schema, diagnostics_);
  if (choose_rules(bundle) == nullptr) {
    diagnostics_.error("E079", "there is no rule `" + cases_.rule + "` beside " + path_, {file, 1, 1, 1})
        .helps.push_back("the cases of rule NAME are in NAME.test.yaml");
  }
  if (diagnostics_.errors() == 0) bundle_ = rules::compile_bundle(std::move(bundle), {}, diagnostics_);
}

// Live are the rule under test and the rules it names, or all that only emit; null: the rule is not there.
rules::CheckedRule* RuleSuite::choose_rules(rules::Bundle& bundle) const {
  rules::CheckedRule* found = nullptr;
  for (rules::CheckedRule& rule : bundle.rules) {
    const bool under_test = rule.name == cases_.rule;
    const bool only_emits = rule.message_en.empty() && rule.message_zh.empty();
    const bool named = std::find(cases_.also.begin(), cases_.also.end(), rule.name) != cases_.also.end();
    if (under_test) found = &rule;
    rule.mode = under_test || (cases_.names_rules ? named : only_emits) ? rules::Mode::live : rules::Mode::off;
  }
  return found;
}

std::shared_ptr<const rules::CompiledBundle> RuleSuite::changed(const Change& change) const {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::Bundle bundle = rules::load_bundle(folders_, sources, diagnostics);
  rules::CheckedRule* rule = choose_rules(bundle);
  if (rule == nullptr || !change(*rule, bundle.schema)) return nullptr;
  return rules::compile_bundle(std::move(bundle), {}, diagnostics);
}

}  // namespace tillwatch::engine
