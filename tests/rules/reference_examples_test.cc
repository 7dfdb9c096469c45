// Every rule of docs/rules.md compiles, with the schema of that page.
#include <gtest/gtest.h>

#include "rules/runtime/compiled_rule.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch::rules {
namespace {

std::vector<std::string> yaml_blocks(const std::string& page) {
  std::vector<std::string> blocks;
  const std::string fence = "```yaml\n";
  for (size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    const size_t begin = at + fence.size();
    at = page.find("```\n", begin);
    blocks.push_back(page.substr(begin, at - begin));
  }
  return blocks;
}

TEST(RuleReference, EveryExampleCompilesWithoutAWarning) {
  const std::vector<std::string> blocks = yaml_blocks(text_of_file(std::string(TILLWATCH_SOURCE_DIR) + "/docs/rules.md"));
  ASSERT_GE(blocks.size(), 8u);
  Texts files;
  for (size_t i = 0; i < blocks.size(); ++i) files.emplace_back("example-" + std::to_string(i) + ".yaml", blocks[i]);
  Loaded loaded(files);
  EXPECT_EQ(loaded.messages(), "");
  ASSERT_EQ(loaded.diagnostics.errors(), 0u);
  const size_t written = loaded.bundle.rules.size();
  const auto compiled = compile_bundle(std::move(loaded.bundle), {}, loaded.diagnostics);
  EXPECT_EQ(loaded.messages(), "");
  ASSERT_NE(compiled, nullptr);
  EXPECT_EQ(compiled->rules.size(), written);
}

}  // namespace
}  // namespace tillwatch::rules
