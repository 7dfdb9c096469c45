#include "connectors/generator_truth.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tillwatch::connectors {
namespace {

Injected example() {
  Injected injected;
  injected.anomaly = injected.rule = kDuplicateDebit;
  injected.key = {{"amount_minor", "12850"}, {"card_token", "c_1"}, {"currency", "CNY"}, {"merchant_id", "99058105812A001"}};
  injected.at = 1'795'321'805'400;
  injected.expected_severity = "high";
  injected.resolves = true;
  injected.resolution = "reversed";
  injected.resolves_at = 1'795'322'000'000;
  injected.note = "a \"note\"\nof two lines";
  injected.late = true;
  return injected;
}

std::string temporary_file() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return (std::filesystem::temp_directory_path() / (std::string("tillwatch-truth-") + test->name())).string();
}

TEST(GeneratorTruth, IsOneLineThatReadsBack) {
  const std::string line = truth_to_json(example());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find(R"("at":"2026-11-22T12:30:05.400+08:00")"), std::string::npos) << line;
  const auto read = truth_from_json(line);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, example());
}

TEST(GeneratorTruth, SaysWhatIsWrongWithALine) {
  struct Row {
    const char* line;
    const char* says;
  };
  const std::string good = truth_to_json(example());
  const std::string no_offset = [&] {
    std::string line = good;
    return line.replace(line.find("+08:00"), 6, "");
  }();
  const std::string no_flag = [&] {
    std::string line = good;
    return line.replace(line.find(R"("late":true)"), 11, R"("late":"yes")");
  }();
  const std::string no_key = [&] {
    std::string line = good;
    return line.replace(line.find(R"("key":{)"), 7, R"("other":{)");
  }();
  const Row rows[] = {{"{", "not a JSON object"},
                      {"[]", "not a JSON object"},
                      {"\"text\"", "not a JSON object"},
                      {"1", "not a JSON object"},
                      {"", "not a JSON object"},
                      {R"({"a":{"b":{"c":"d"}}})", "not a JSON object"},
                      {R"({"a":"b"} x)", "not a JSON object"},
                      {R"({"a":"b)", "not a JSON object"},
                      {R"({"a":"\u00zz"})", "not a JSON object"},
                      {R"({"a":"\u0)", "not a JSON object"},
                      {R"({"a":"\q"})", "not a JSON object"},
                      {R"({"a":"b",})", "not a JSON object"},
                      {"{}", "'anomaly' must be a text"},
                      {R"({"anomaly":true})", "'anomaly' must be a text"},
                      {no_offset.c_str(), "'at' must be a time with offset"},
                      {no_flag.c_str(), "'late' must be true or false"},
                      {no_key.c_str(), "'key' must be an object of texts"}};
  for (const Row& row : rows) {
    const auto read = truth_from_json(row.line);
    ASSERT_FALSE(read.has_value()) << row.line;
    EXPECT_EQ(read.error().kind, ErrorKind::invalid);
    EXPECT_NE(read.error().message.find(row.says), std::string::npos) << read.error().message;
  }
}

TEST(GeneratorTruthFile, WritesAndReads) {
  const TruthFile file(temporary_file());
  ASSERT_TRUE(file.write({example(), example()}).has_value());
  const auto read = file.read();
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, (std::vector<Injected>{example(), example()}));
  std::filesystem::remove(temporary_file());
}

TEST(GeneratorTruthFile, NamesTheLineThatIsWrong) {
  std::ofstream(temporary_file()) << truth_to_json(example()) << "\n\n{}\n";
  const auto read = TruthFile(temporary_file()).read();
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find(":3: "), std::string::npos) << read.error().message;
  std::filesystem::remove(temporary_file());
}

TEST(GeneratorTruthFile, SaysThatAFileCannotBeOpened) {
  const TruthFile file("/nowhere/at/all/truth.ndjson");
  ASSERT_FALSE(file.read().has_value());
  EXPECT_EQ(file.read().error().kind, ErrorKind::unavailable);
  EXPECT_EQ(file.write({}).error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace tillwatch::connectors
