// Every code has a page, and what the page says of right and wrong is so.
#include "engine/code_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/config.h"
#include "engine/rule_case.h"
#include "rules/runtime/compiled_rule.h"
#include "tests/cli/program.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch::engine {
namespace {

using rules::Diagnostic;
using rules::Diagnostics;
using rules::Sources;

// Shown as they happen: they go away with what is not there yet.
const std::set<std::string_view> kWithoutExample = {"E090"};
// Not a matter of one text: a missing file, a missing neighbour.
const std::set<std::string_view> kCommandLines = {"C005", "E006", "E079"};

std::set<std::string> codes_of(const Diagnostics& diagnostics) {
  std::set<std::string> codes;
  for (const Diagnostic& each : diagnostics.all()) codes.insert(each.code);
  return codes;
}

bool has_line(std::string_view text, const std::string& begin) {
  return text.starts_with(begin) || text.find("\n" + begin) != std::string_view::npos;
}

// The lines of an example as a whole file.
std::string rule_around(std::string_view lines) {
  std::string text(lines);
  if (has_line(text, "rule:")) return text;
  std::string head = "rule: tried\n";
  if (!has_line(text, "version:")) head += "version: 1\n";
  if (!has_line(text, "on:")) head += "on: debit as d\n";
  if (!has_line(text, "key:")) head += "key: [card_token, merchant_id]\n";
  if (!has_line(text, "emit:") && !has_line(text, "severity:")) text += "\nseverity: low";
  if (!has_line(text, "emit:") && !has_line(text, "message:")) text += "\nmessage: {en: hit, zh: hit}";
  return head + text + "\n";
}

// Beside the rule in question, so that the list of the test schema has its use.
constexpr const char* kNeighbour =
    "rule: neighbour\nversion: 1\non: debit as d\nwhere: mcc in lists.repeat_purchase_mcc\nkey: [card_token]\nseverity: "
    "low\nmessage: {en: hit, zh: hit}\n";

std::set<std::string> codes_of_rule(std::string_view code, std::string_view lines) {
  const bool schema = has_line(lines, "streams:") || has_line(lines, "tables:") || has_line(lines, "lists:");
  rules::Texts files = schema ? rules::Texts{} : rules::schema_texts();
  files.emplace_back(schema ? "own-schema.yaml" : "rule.yaml", schema ? std::string(lines) + "\n" : rule_around(lines));
  if (!schema && code != "W001") files.emplace_back("neighbour.yaml", kNeighbour);
  Sources sources;
  Diagnostics diagnostics;
  rules::Bundle bundle = rules::load_bundle_texts(files, sources, diagnostics);
  if (diagnostics.errors() == 0) rules::compile_bundle(std::move(bundle), {}, diagnostics);
  return codes_of(diagnostics);
}

std::set<std::string> codes_of_cases(std::string_view lines) {
  Sources sources;
  Diagnostics diagnostics;
  const rules::Bundle bundle = rules::load_bundle_texts(rules::schema_texts(), sources, diagnostics);
  const rules::YamlFile yaml =
      rules::read_yaml(sources.add("tried.test.yaml", std::string(lines) + "\n"), sources, diagnostics);
  Diagnostics found;
  read_rule_cases(yaml, "tried", bundle.schema, found);
  return codes_of(found);
}

std::set<std::string> codes_of_config(std::string_view lines) {
  std::string text = "rules: [rules/packs/payments]\n" + std::string(lines) + "\n";
  if (!has_line(lines, "source:")) text += "source: {generator: {}}\n";
  Sources sources;
  Diagnostics diagnostics;
  const auto no_variables = [](const char*) -> const char* { return nullptr; };
  read_config_text("tillwatch.yaml", text, "", no_variables, sources, diagnostics);
  return codes_of(diagnostics);
}

std::set<std::string> codes_of_example(std::string_view code, std::string_view lines) {
  if (code[0] == 'C') return codes_of_config(lines);
  if (code >= "E079" && code <= "E089") return codes_of_cases(lines);
  return codes_of_rule(code, lines);
}

TEST(CodePage, EveryCodeHasOneWithAMistakeAndItsMend) {
  for (const rules::CodeEntry& entry : rules::codes()) {
    const std::string page = code_page(entry);
    EXPECT_TRUE(page.starts_with(entry.code)) << page;
    const rules::CodeExample* example = rules::find_code_example(entry.code);
    EXPECT_EQ(example == nullptr, kWithoutExample.contains(entry.code)) << entry.code;
    if (example == nullptr || kCommandLines.contains(entry.code)) continue;
    EXPECT_TRUE(codes_of_example(entry.code, example->wrong).contains(std::string(entry.code)))
        << entry.code << ", the wrong one";
    const std::set<std::string> right = codes_of_example(entry.code, example->right);
    EXPECT_TRUE(right.empty()) << entry.code << ", the right one: " << testing::PrintToString(right);
  }
}

TEST(CodePage, EveryCodeInTheSourcesHasAnEntry) {
  std::set<std::string> used;
  for (const char* folder : {"rules/language", "rules/runtime", "rules/program", "engine"}) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(std::string(TILLWATCH_SOURCE_DIR) + "/" + folder)) {
      if (file.path().extension() != ".cc" && file.path().extension() != ".h") continue;
      const std::string text = rules::text_of_file(file.path().string());
      for (size_t at = 0; (at = text.find('"', at)) != std::string::npos; ++at) {
        if (text.compare(at + 5, 1, "\"") != 0) continue;
        const std::string word = text.substr(at + 1, 4);
        if (word[0] != 'E' && word[0] != 'W' && word[0] != 'C') continue;
        if (code_written(word) == word) used.insert(word);
      }
    }
  }
  EXPECT_GT(used.size(), 60U);
  for (const std::string& code : used) EXPECT_NE(rules::find_code(code), nullptr) << code;
}

TEST(CodePage, TheProgramPrintsIt) {
  const ProgramResult page = run_program("rules explain e022");
  EXPECT_EQ(page.exit_code, 0) << page.err;
  EXPECT_NE(page.out.find("E022: a value that may be missing"), std::string::npos) << page.out;
  EXPECT_NE(page.out.find("Wrong:\n\n    when: d.order_no == \"7\"\n\nRight:\n\n    when: (d.order_no ?? \"\") == \"7\"\n"),
            std::string::npos)
      << page.out;
  const ProgramResult all = run_program("rules explain codes");
  EXPECT_EQ(static_cast<size_t>(std::count(all.out.begin(), all.out.end(), '\n')), rules::codes().size());
  const ProgramResult none = run_program("rules explain E999");
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_NE(none.err.find("there is no code E999"), std::string::npos) << none.err;
}

}  // namespace
}  // namespace tillwatch::engine
