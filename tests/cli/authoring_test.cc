// Commands for who writes rules: new, fmt, docs, schema.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <set>

#include "rules/language/vocabulary.h"
#include "rules/language/yaml_format.h"
#include "rules/program/functions.h"
#include "tests/cli/program.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch {
namespace {

using testing::HasSubstr;

std::string formatted(const std::string& text) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const std::string result = rules::format_yaml(sources.add("f.yaml", text), sources, diagnostics);
  EXPECT_EQ(diagnostics.errors(), 0U) << text;
  return result;
}

TEST(RulesNew, WritesARuleAndATestThatPass) {
  const TestFolder folder;
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments/schema.yaml", folder / "schema.yaml");
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments/lists", folder / "lists");
  for (const std::string& stream : {std::string("debit"), std::string("transaction"), std::string("submission"),
                                    std::string("settlement"), std::string("fee_line")}) {
    std::string name = "first-" + stream;
    std::replace(name.begin(), name.end(), '_', '-');
    const ProgramResult made = run_program("rules new " + name + " --on " + stream + " " + folder.path());
    EXPECT_EQ(made.exit_code, 0) << stream << "\n" << made.out << made.err << read_file(folder / (name + ".test.yaml"));
    EXPECT_THAT(made.out, HasSubstr("2 passed, 0 failed"));
  }
  const ProgramResult again = run_program("rules new first-debit " + folder.path());
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("is there already"));
  const ProgramResult nowhere = run_program("rules new other --on sales " + folder.path());
  EXPECT_THAT(nowhere.err, HasSubstr("--on sales: there is no such stream"));
  EXPECT_EQ(run_program("rules test --mutate " + folder.path()).exit_code, 0);
}

TEST(RulesFormat, LaysOutAlikeAndKeepsCommentsAndMeaning) {
  EXPECT_EQ(
      formatted(
          "rule:   a   \nlet:\n    # of the day\n    n:  1    # one\n\n\n\n    m: 2\nresolve:\n- on: x\n  reason: y\n-   "
          "after: 1d\nmessage:\n      en: |\n        two\n          lines\n      zh: {a: b,\n           c: d}\n# the end\n"),
      "rule: a\nlet:\n  # of the day\n  n: 1    # one\n\n  m: 2\nresolve:\n  - on: x\n    reason: y\n  - after: 1d\nmessage:\n "
      " en: |\n    two\n      lines\n  zh: {a: b,\n       c: d}\n# the end\n");
}

TEST(RulesFormat, KeepsWhatEveryFileOfThePackAndTheTestsMeansAndIsSettledAfterOnce) {
  size_t files = 0;
  for (const char* folder : {"/rules", "/tests/rules"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(TILLWATCH_SOURCE_DIR) + folder)) {
      if (entry.path().extension() != ".yaml") continue;
      const std::string text = read_file(entry.path().string());
      rules::Sources sources;
      rules::Diagnostics diagnostics;
      const int32_t file = sources.add("f.yaml", text);
      const std::string once = rules::format_yaml(file, sources, diagnostics);
      if (diagnostics.errors() > 0) {
        EXPECT_EQ(once, text) << entry.path();
        continue;
      }
      ++files;
      EXPECT_EQ(formatted(once), once) << entry.path();
      const auto comments = [](const std::string& in) { return std::count(in.begin(), in.end(), '#'); };
      EXPECT_EQ(comments(once), comments(text)) << entry.path();
    }
  }
  EXPECT_GT(files, 40U);
}

TEST(RulesFormat, TheProgramChangesOnlyWhatNeedsIt) {
  const TestFolder folder;
  const std::string loose = folder.write("loose.yaml", "rule:  a\n");
  folder.write("good.yaml", "rule: b\n");
  const ProgramResult checked = run_program("rules fmt --check " + folder.path());
  EXPECT_EQ(checked.exit_code, 1);
  EXPECT_EQ(checked.out, loose + "\n1 file would change, 1 as they were\n");
  EXPECT_EQ(run_program("rules fmt " + folder.path()).exit_code, 0);
  EXPECT_EQ(read_file(loose), "rule: a\n");
  EXPECT_EQ(run_program("rules fmt --check " + folder.path()).exit_code, 0);
  folder.write("broken.yaml", "a: [b\n");
  EXPECT_EQ(run_program("rules fmt " + folder.path()).exit_code, 1);
}

TEST(RulesDocs, NamesEveryFunctionAggregateOperatorAndKey) {
  const ProgramResult docs = run_program("rules docs");
  EXPECT_EQ(docs.exit_code, 0);
  for (const rules::Function& each : rules::functions())
    EXPECT_THAT(docs.out, HasSubstr("\n### " + std::string(each.name) + "\n"));
  for (const rules::AggregateRow& each : rules::aggregate_rows()) EXPECT_THAT(docs.out, HasSubstr(std::string(each.signature)));
  for (const rules::OperatorRow& each : rules::operator_rows())
    EXPECT_THAT(docs.out, HasSubstr("- `" + std::string(each.text) + "`"));
  for (const rules::KeyRow& each : rules::rule_keys()) EXPECT_THAT(docs.out, HasSubstr("- `" + std::string(each.name) + "`"));
}

TEST(RulesDocs, EveryExampleIsRight) {
  for (const rules::AggregateRow& each : rules::aggregate_rows()) {
    const rules::Loaded loaded(
        rules::with_rule("let:\n  x: " + rules::single_quoted(std::string(each.example)) + "\n" + rules::kAlert));
    EXPECT_FALSE(loaded.codes().contains('E')) << loaded.messages();
  }
  for (const rules::OperatorRow& each : rules::operator_rows()) {
    const rules::Loaded loaded(
        rules::with_rule("when: " + rules::single_quoted(std::string(each.example)) + "\n" + rules::kAlert));
    EXPECT_FALSE(loaded.codes().contains('E')) << loaded.messages();
    EXPECT_NE(each.example.find(each.text), std::string_view::npos) << each.text;
  }
}

// What the reader says of a key it does not know lists those it knows.
std::set<std::string> known_keys(const rules::Texts& files) {
  const rules::Loaded loaded(files);
  for (const rules::Diagnostic& each : loaded.diagnostics.all()) {
    if (each.code != "E003" || each.notes.empty()) continue;
    std::set<std::string> names;
    std::istringstream words(each.notes[0].substr(each.notes[0].find(':') + 1));
    for (std::string word; words >> word;) names.insert(word.back() == ',' ? word.substr(0, word.size() - 1) : word);
    return names;
  }
  return {};
}

std::set<std::string> known_rule_keys(const std::string& body) { return known_keys(rules::with_rule(body + rules::kAlert)); }
std::set<std::string> known_schema_keys(const std::string& text) { return known_keys({{"schema.yaml", text}}); }

std::set<std::string> names_of(const std::vector<rules::KeyRow>& rows) {
  std::set<std::string> names;
  for (const rules::KeyRow& each : rows) names.insert(std::string(each.name));
  return names;
}

TEST(RulesDocs, TheKeysAreThoseTheReaderKnows) {
  EXPECT_EQ(names_of(rules::rule_keys()), known_rule_keys("zzzzzzzzzzzzzzzz: 1\n"));
  EXPECT_EQ(names_of(rules::step_keys()), known_rule_keys("then:\n  - zzzzzzzzzzzzzzzz: 1\n"));
  EXPECT_EQ(names_of(rules::way_keys()), known_rule_keys("resolve:\n  - zzzzzzzzzzzzzzzz: 1\n"));
  EXPECT_EQ(names_of(rules::stream_keys()), known_schema_keys("streams:\n  a: {topic: t, zzzzzzzzzzzzzzzz: 1}\n"));
  EXPECT_EQ(
      names_of(rules::view_keys()),
      known_schema_keys("streams:\n  a: {topic: t, time: at, id: x, fields: {x: string, at_: time}}\n  b: {from: a, each: c, "
                        "zzzzzzzzzzzzzzzz: 1}\n"));
  EXPECT_EQ(names_of(rules::table_keys()), known_schema_keys("tables:\n  a: {zzzzzzzzzzzzzzzz: 1}\n"));
}

TEST(RulesSchema, IsJsonAndOffersWhatThePackHas) {
  const ProgramResult run = run_program("rules schema");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  rapidjson::Document document;
  document.Parse(run.out.c_str());
  ASSERT_FALSE(document.HasParseError()) << run.out;
  const auto& properties = document["anyOf"][0]["properties"];
  EXPECT_EQ(properties.MemberCount(), rules::rule_keys().size());
  EXPECT_FALSE(document["anyOf"][0]["additionalProperties"].GetBool());
  const auto& streams = document["anyOf"][2]["properties"]["streams"]["additionalProperties"]["properties"];
  for (const char* key : {"topic", "each", "derived", "select"}) EXPECT_TRUE(streams.HasMember(key)) << key;
  EXPECT_STREQ(properties["mode"]["enum"][0].GetString(), "live");
  EXPECT_THAT(run.out, HasSubstr("\"debit as d\""));
  EXPECT_THAT(run.out, HasSubstr("\"card_token\""));
}

}  // namespace
}  // namespace tillwatch
