// Rules in plain words, against golden files (TILLWATCH_UPDATE=1 writes them anew: read the difference).
#include "engine/rule_explanation.h"

#include <gtest/gtest.h>

#include <regex>

#include "tests/cli/program.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch::engine {
namespace {

std::shared_ptr<const rules::CompiledBundle> core_bundle() {
  rules::Texts files = rules::schema_texts();
  for (const char* name : {"core.yaml", "helpers.yaml"})
    files.emplace_back(name, rules::text_of_file(rules::language_folder() + name));
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::Bundle bundle = rules::load_bundle_texts(files, sources, diagnostics);
  auto compiled = rules::compile_bundle(std::move(bundle), {}, diagnostics);
  EXPECT_EQ(diagnostics.errors(), 0U);
  return compiled;
}

// What a byte or an instruction more would change is not what the words are about.
std::string without_figures(const std::string& text) {
  return std::regex_replace(text, std::regex("[0-9]+(\\s+)(bytes|steps?)"), "N$1$2");
}

TEST(RuleExplanation, SaysTheCoreRulesInPlainWords) {
  const auto bundle = core_bundle();
  ASSERT_GT(bundle->rules.size(), 5U);
  std::string all;
  for (const auto& rule : bundle->rules) all += without_figures(explain_rule(*rule, *bundle)) + "\n";
  const std::string golden = rules::language_folder() + "explanations.golden";
  if (std::getenv("TILLWATCH_UPDATE") != nullptr) std::ofstream(golden, std::ios::binary) << all;
  EXPECT_EQ(all, rules::text_of_file(golden)) << "run with TILLWATCH_UPDATE=1 when the new text is better";
}

TEST(RuleCost, GrowsWithWhatARuleKeepsAndAsks) {
  const auto cost = [](const std::string& body) {
    rules::Sources sources;
    rules::Diagnostics diagnostics;
    rules::Bundle bundle = rules::load_bundle_texts(rules::with_rule(body + rules::kAlert), sources, diagnostics);
    const auto compiled = rules::compile_bundle(std::move(bundle), {}, diagnostics);
    EXPECT_NE(compiled, nullptr);
    return rules::cost_of(*compiled->rules.at(0), *compiled);
  };
  const rules::RuleCost small = cost("when: d.amount > 5\n");
  const rules::RuleCost large = cost(
      "where: mcc == \"5812\"\nlet:\n  n: count(this over 1d)\n  s: sum(amount of this where has(order_no) over 2d)\nwhen: n > "
      "5 and s > 5\n");
  EXPECT_EQ(small.filter_steps, 0U);
  EXPECT_GT(large.filter_steps, 0U);
  EXPECT_GT(large.trigger_steps, small.trigger_steps);
  EXPECT_EQ(large.windows, 2U);
  EXPECT_GT(large.window_steps, 0U);
  ASSERT_EQ(large.kept.size(), 1U);
  EXPECT_GE(large.kept[0].keep, 2 * kDay);
  EXPECT_GT(large.kept[0].event_bytes, small.kept.at(0).event_bytes);
}

TEST(RuleExplanation, TheProgramExplainsARuleAndFindsTheOneMeant) {
  const ProgramResult said = run_program("rules explain duplicate-debit");
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_NE(said.out.find("What ends it"), std::string::npos) << said.out;
  const ProgramResult meant = run_program("rules explain duplicate-debt");
  EXPECT_EQ(meant.exit_code, 1);
  EXPECT_NE(meant.err.find("did you mean `duplicate-debit`?"), std::string::npos) << meant.err;
  const ProgramResult checked = run_program("rules check");
  EXPECT_NE(checked.out.find("a key keeps events of up to"), std::string::npos) << checked.out;
}

}  // namespace
}  // namespace tillwatch::engine
