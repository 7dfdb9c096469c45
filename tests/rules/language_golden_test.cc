// Every file of tests/rules/broken says with its .golden what the compiler says of it.
// TILLWATCH_UPDATE=1 in the environment writes the .golden files anew: read the difference before committing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "rules/language/codes.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch::rules {
namespace {

std::vector<std::string> broken_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(broken_folder())) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Files called schema-… bring their own schema.
Texts texts_of(const std::string& name) {
  Texts files = name.starts_with("schema-") ? Texts{} : schema_texts();
  files.emplace_back(name + ".yaml", text_of_file(broken_folder() + name + ".yaml"));
  return files;
}

class BrokenRule : public testing::TestWithParam<std::string> {};

TEST_P(BrokenRule, SaysWhatItsGoldenFileSays) {
  const Loaded loaded(texts_of(GetParam()));
  const std::string golden = broken_folder() + GetParam() + ".golden";
  if (std::getenv("TILLWATCH_UPDATE") != nullptr) std::ofstream(golden, std::ios::binary) << loaded.messages();
  EXPECT_EQ(loaded.messages(), text_of_file(golden)) << "run with TILLWATCH_UPDATE=1 when the new text is better";
  EXPECT_FALSE(loaded.diagnostics.all().empty()) << "a broken rule has something wrong with it";
  for (const Diagnostic& diagnostic : loaded.diagnostics.all()) {
    EXPECT_NE(find_code(diagnostic.code), nullptr) << diagnostic.code << " is not in the table of codes";
    EXPECT_GT(diagnostic.span.line, 0) << diagnostic.message << " has no place";
  }
}

INSTANTIATE_TEST_SUITE_P(All, BrokenRule, testing::ValuesIn(broken_names()), [](const auto& instance) {
  std::string name = instance.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(BrokenRules, TenMistakesOfOneFileAreTenLocatedErrors) {
  const Loaded loaded(texts_of("ten-mistakes"));
  EXPECT_EQ(loaded.codes(), "E009 E021 E020 E017 E030 E022 E020 E031 E053 E051");
}

TEST(BrokenRules, EveryCodeOfTheTableIsMetByOneOfThem) {
  std::string met;
  for (const std::string& name : broken_names()) met += Loaded(texts_of(name)).codes() + " ";
  for (const CodeEntry& entry : codes()) {
    // A file that cannot be read: language_load_test.cc. Tests, limits of the engine and the configuration: code_page_test.cc.
    if (entry.code == "E006" || (entry.code >= "E079" && entry.code <= "E089") || entry.code == "E095" || entry.code[0] == 'C') continue;
    EXPECT_TRUE(met.contains(entry.code)) << entry.code << ", " << entry.title;
  }
}

TEST(Codes, AreInOrderAndExplained) {
  for (size_t index = 0; index < codes().size(); ++index) {
    const CodeEntry& entry = codes()[index];
    if (index > 0) { EXPECT_LT(codes()[index - 1].code, entry.code); }
    EXPECT_FALSE(entry.title.empty());
    EXPECT_GT(entry.explanation.size(), 20U) << entry.code;
  }
  EXPECT_EQ(find_code("E999"), nullptr);
  ASSERT_NE(find_code("E022"), nullptr);
}

}  // namespace
}  // namespace tillwatch::rules
