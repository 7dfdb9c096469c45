// The rules other systems are known by, as rules/examples writes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/program.h"

namespace tillwatch {
namespace {

TEST(Examples, AreRightAndPassTheirTests) {
  const ProgramResult checked = run_program("rules check rules/examples");
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
  const ProgramResult tested = run_program("rules test rules/examples");
  EXPECT_EQ(tested.exit_code, 0) << tested.out;
  size_t rules = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TILLWATCH_SOURCE_DIR "/rules/examples")) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".yaml") || path.ends_with(".test.yaml") || path.ends_with("schema.yaml")) continue;
    ++rules;
    EXPECT_TRUE(std::filesystem::exists(path.substr(0, path.size() - 5) + ".test.yaml")) << path;
  }
  EXPECT_GE(rules, 8U);
}

}  // namespace
}  // namespace tillwatch
