#include "rules/language/load.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "rules/language/bundle_checks.h"
#include "rules/language/limit_rule.h"
#include "rules/language/rule_reader.h"
#include "rules/language/schema_reader.h"
#include "rules/language/yaml.h"

namespace tillwatch::rules {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFiles = 10'000;
constexpr size_t kListFileBytes = 64 << 20;

std::string beside(const std::string& file, const std::string& name) {
  return (fs::path(file).parent_path() / name).lexically_normal().string();
}

// One load: documents are sorted into schema and rules first, so that the order of files does not matter.
class Loader {
 public:
  Loader(Sources& sources, Diagnostics& diagnostics, ReadListFile read_list_file)
      : sources_(sources),
        diagnostics_(diagnostics),
        context_{bundle_.schema, sources, diagnostics, {}, {}, {}, {}},
        schema_(bundle_.schema, context_, std::move(read_list_file)) {}

  void add(std::string name, std::string text) {
    const int32_t file = sources_.add(std::move(name), std::move(text));
    files_.push_back(read_yaml(file, sources_, diagnostics_));
    for (const YamlNode* document : files_.back().documents) sort(*document);
  }

  Bundle finish() {
    schema_.finish();
    for (const YamlNode* node : rules_) bundle_.rules.push_back(RuleReader(*node, context_).read());
    add_limit_rules();
    check_bundle(bundle_, context_);
    diagnostics_.sort_and_unique();
    return std::move(bundle_);
  }

 private:
  void sort(const YamlNode& document) {
    switch (document.shape) {
      case YamlNode::Shape::mapping:
        if (SchemaReader::is_schema(document)) {
          schema_.add(document);
        } else {
          rules_.push_back(&document);
        }
        break;
      case YamlNode::Shape::sequence:
        rules_.insert(rules_.end(), document.values.begin(), document.values.end());
        break;
      case YamlNode::Shape::scalar:
        diagnostics_.error("E005", "a file holds rules, or `streams`, `tables` and `lists`; this is text", document.span);
    }
  }

  // Streams and rules behind every `limit`.
  void add_limit_rules() {
    if (diagnostics_.errors() > 0) return;
    const size_t written = bundle_.rules.size();
    for (size_t index = 0; index < written; ++index) {
      if (bundle_.rules[index].limit.most == 0) continue;
      add_limit_streams(bundle_.rules[index], bundle_.schema);
      const CheckedRule& limited = bundle_.rules[index];
      const std::string name = sources_.name(limited.limit.span.file) + " (limit of " + limited.name + ")";
      const int32_t file = sources_.add(name, limit_rule_text(limited, bundle_.schema));
      files_.push_back(read_yaml(file, sources_, diagnostics_));
      for (const YamlNode* document : files_.back().documents) bundle_.rules.push_back(RuleReader(*document, context_).read());
    }
  }

  Sources& sources_;
  Diagnostics& diagnostics_;
  Bundle bundle_;
  CheckContext context_;
  SchemaReader schema_;
  std::deque<YamlFile> files_;  // nodes are pointed to: never moved
  std::vector<const YamlNode*> rules_;
};

Expected<std::string> read_file(const std::string& path, size_t most_bytes) {
  std::error_code problem;
  const auto size = fs::file_size(path, problem);
  if (problem) return fail(ErrorKind::invalid, problem.message());
  if (size > most_bytes) return fail(ErrorKind::exhausted, "it is larger than " + std::to_string(most_bytes >> 20) + " MiB");
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) return fail(ErrorKind::unavailable, "reading failed");
  return text.str();
}

bool is_bundle_file(const std::string& name) { return name.ends_with(".yaml") && !name.ends_with(".test.yaml"); }

// The files under `paths`, by name.
std::vector<std::string> files_under(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code problem;
    if (!fs::is_directory(path, problem)) {
      files.push_back(path);
      continue;
    }
    for (auto entry = fs::recursive_directory_iterator(path, problem); !problem && entry != fs::recursive_directory_iterator();
         entry.increment(problem)) {
      if (entry->is_regular_file(problem) && is_bundle_file(entry->path().string())) files.push_back(entry->path().string());
      if (files.size() > kMostFiles) break;
    }
    if (problem) diagnostics.error("E006", "the folder `" + path + "` cannot be read: " + problem.message(), {});
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  if (files.size() > kMostFiles) {
    diagnostics.error("E007", "a bundle has at most " + std::to_string(kMostFiles) + " files", {});
    files.resize(kMostFiles);
  }
  return files;
}

}  // namespace

Bundle load_bundle(const std::vector<std::string>& paths, Sources& sources, Diagnostics& diagnostics) {
  Loader loader(sources, diagnostics, [](const std::string& schema_file, const std::string& name) {
    return read_file(beside(schema_file, name), kListFileBytes);
  });
  for (const std::string& path : files_under(paths, diagnostics)) {
    Expected<std::string> text = read_file(path, YamlLimits::kFileBytes);
    if (!text.has_value()) {
      diagnostics.error("E006", "`" + path + "` cannot be read: " + text.error().message, {});
      continue;
    }
    loader.add(path, std::move(*text));
  }
  return loader.finish();
}

Bundle load_bundle_texts(const std::vector<std::pair<std::string, std::string>>& files, Sources& sources,
                         Diagnostics& diagnostics) {
  Loader loader(sources, diagnostics, [&](const std::string& schema_file, const std::string& name) -> Expected<std::string> {
    const std::string path = beside(schema_file, name);
    const auto found = std::find_if(files.begin(), files.end(), [&](const auto& file) { return file.first == path; });
    if (found == files.end()) return fail(ErrorKind::invalid, "there is no file " + path);
    return found->second;
  });
  for (const auto& [name, text] : files) {
    if (is_bundle_file(name)) loader.add(name, text);
  }
  return loader.finish();
}

}  // namespace tillwatch::rules
