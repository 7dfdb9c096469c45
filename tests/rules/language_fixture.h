// What the tests of the language share: the schema under tests/rules/language, rules around one expression, messages as text.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "rules/language/load.h"

namespace tillwatch::rules {

using Texts = std::vector<std::pair<std::string, std::string>>;

inline std::string language_folder() { return std::string(TILLWATCH_SOURCE_DIR) + "/tests/rules/language/"; }
inline std::string broken_folder() { return std::string(TILLWATCH_SOURCE_DIR) + "/tests/rules/broken/"; }

inline std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Texts schema_texts() {
  const std::string list = "lists/repeat_purchase_mcc.txt";
  return {{"schema.yaml", text_of_file(language_folder() + "schema.yaml")}, {list, text_of_file(language_folder() + list)}};
}

// A bundle loaded from texts, with everything its messages need.
struct Loaded {
  Sources sources;
  Diagnostics diagnostics;
  Bundle bundle;

  explicit Loaded(const Texts& files) : bundle(load_bundle_texts(files, sources, diagnostics)) {}
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  std::string messages() const {
    std::string text;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      if (!text.empty()) text += "\n";
      text += render(diagnostic, sources);
    }
    return text;
  }
  // The codes of all messages, in order: "E020 E030".
  std::string codes() const {
    std::string text;
    for (const Diagnostic& diagnostic : diagnostics.all()) text += (text.empty() ? "" : " ") + diagnostic.code;
    return text;
  }
};

inline std::string single_quoted(const std::string& text) {
  std::string result = "'";
  for (const char sign : text) result += sign == '\'' ? "''" : std::string(1, sign);
  return result + "'";
}

// The test schema and one rule, `body` being what stands behind its key.
inline Texts with_rule(const std::string& body) {
  Texts files = schema_texts();
  files.emplace_back("rule.yaml", "rule: tried\nversion: 1\non: debit as d\nkey: [card_token, merchant_id]\n" + body);
  return files;
}

inline constexpr const char* kAlert = "severity: high\nmessage: {en: hit, zh: hit}\n";

}  // namespace tillwatch::rules
