// `tillwatch replay` and `why` over files the generator wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "tests/cli/program.h"

namespace tillwatch {
namespace {

using testing::HasSubstr;

// An hour of traffic, generated once for all tests here.
class Replay : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TestFolder();
    const ProgramResult made =
        run_program("generate --to " + (*folder_ / "data") + " --minutes 60 --seed 5 --events-per-second 8", 120);
    ASSERT_EQ(made.exit_code, 0) << made.err;
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::string data() { return *folder_ / "data"; }

  static std::string other_rules(const std::string& name, const std::string& from, const std::string& to) {
    const std::string rules = *folder_ / name;
    std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", rules, std::filesystem::copy_options::recursive);
    std::string text = read_file(rules + "/duplicate-debit.yaml");
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    std::ofstream(rules + "/duplicate-debit.yaml", std::ios::binary) << text;
    return rules;
  }
  static TestFolder* folder_;
};
TestFolder* Replay::folder_ = nullptr;

std::vector<std::string> alerts_of(const std::string& ndjson) {
  std::vector<std::string> ids;
  std::istringstream lines(ndjson);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("\"alert_id\":\"");
    if (at != std::string::npos) ids.push_back(line.substr(at + 12, 40));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

TEST_F(Replay, SaysPerRuleWhatARunOverTheSameFilesSays) {
  const ProgramResult replayed = run_program("replay " + data() + " --run-on 30", 120);
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("duplicate-debit "));
  EXPECT_THAT(replayed.out, HasSubstr(" 0 dead letters"));
  std::string files;
  for (const auto& entry : std::filesystem::directory_iterator(data())) {
    const std::string name = entry.path().filename().string();
    if (name != "truth.ndjson") files += " --file " + name.substr(0, name.rfind('-')) + "=" + entry.path().string();
  }
  const ProgramResult live = run_program("run" + files + " --run-on 30 --output " + (*folder_ / "live"), 120);
  EXPECT_EQ(live.exit_code, 0) << live.err;
  const std::string said = read_file(*folder_ / "live/alerts.ndjson");
  std::vector<std::string> standing;
  for (const std::string& id : alerts_of(said)) {
    const size_t last = said.rfind("\"alert_id\":\"" + id);
    const std::string line = said.substr(last, said.find('\n', last) - last);
    if (line.find("\"resolution\":\"corrected\"") == std::string::npos) standing.push_back(id);
  }
  ASSERT_GT(standing.size(), 10U);
  uint64_t replayed_alerts = 0;
  std::istringstream lines(replayed.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string rule;
    uint64_t alerts = 0;
    if (words >> rule >> alerts && rule != "rule" && line.find(" in ") == std::string::npos) replayed_alerts += alerts;
  }
  EXPECT_EQ(replayed_alerts, standing.size());
}

TEST_F(Replay, ComparesTwoRuleSetsInCountsAndMoney) {
  const std::string stricter =
      other_rules("stricter", "when: n - floor(gone / d.amount) >= 2", "when: n - floor(gone / d.amount) >= 99");
  const std::string differences = *folder_ / "differences.ndjson";
  const ProgramResult compared =
      run_program("replay " + data() + " --against " + stricter + " --differences " + differences, 120);
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  EXPECT_THAT(compared.out, HasSubstr("money, old"));
  EXPECT_THAT(compared.out, HasSubstr("merchant"));
  const std::string lines = read_file(differences);
  EXPECT_THAT(lines, HasSubstr(R"("change":"lost","rule":"duplicate-debit")"));
  EXPECT_THAT(lines, testing::Not(HasSubstr(R"("change":"new")")));
  EXPECT_THAT(lines, HasSubstr(R"("merchant":"99)"));
  const ProgramResult same = run_program("replay " + data() + " --against rules/packs/payments", 120);
  EXPECT_THAT(same.out, HasSubstr("the same alerts\n"));
}

TEST_F(Replay, ReadsCompressedFilesAndSaysWhenOneIsCutShort) {
  const std::string plain = run_program("replay " + data(), 120).out;
  const auto table = [](const std::string& out) { return out.substr(0, out.find(" records in ")); };
  for (const std::string packer : {"gzip", "zstd"}) {
    const std::string packed = *folder_ / packer;
    std::filesystem::copy(data(), packed);
    ASSERT_EQ(
        std::system((packer + " -q " + packed + "/pos.*.ndjson && find " + packed + " -name 'pos.*.ndjson' -delete").c_str()),
        0);
    const ProgramResult replayed = run_program("replay " + packed, 120);
    EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
    EXPECT_EQ(table(replayed.out), table(plain)) << packer;
    for (const auto& entry : std::filesystem::directory_iterator(packed)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("pos.transactions-0")) std::filesystem::resize_file(entry.path(), entry.file_size() / 2);
    }
    const ProgramResult cut = run_program("replay " + packed, 120);
    EXPECT_EQ(cut.exit_code, 1);
    EXPECT_THAT(cut.err, HasSubstr("it is cut short")) << packer;
  }
}

TEST_F(Replay, SavesAnAlertAsARuleTestThatPasses) {
  const std::string stricter =
      other_rules("for-cases", "when: n - floor(gone / d.amount) >= 2", "when: n - floor(gone / d.amount) >= 99");
  const std::string differences = *folder_ / "for-cases.ndjson";
  ASSERT_EQ(run_program("replay " + data() + " --against " + stricter + " --differences " + differences, 120).exit_code, 0);
  const std::vector<std::string> ids = alerts_of(read_file(differences));
  ASSERT_FALSE(ids.empty());
  const ProgramResult saved = run_program("replay " + data() + " --save-case " + ids.front().substr(0, 10), 120);
  ASSERT_EQ(saved.exit_code, 0) << saved.err;
  const std::string pack = *folder_ / "with-case";
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", pack, std::filesystem::copy_options::recursive);
  std::ofstream(pack + "/duplicate-debit.test.yaml", std::ios::binary) << saved.out;
  const ProgramResult tested = run_program("rules test --filter duplicate-debit: " + pack);
  EXPECT_THAT(tested.out, HasSubstr("1 passed, 0 failed")) << tested.out << saved.out;
  const ProgramResult none = run_program("replay " + data() + " --save-case ffffffffffff", 120);
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("no alert of these files begins with ffffffffffff"));

  const ProgramResult why = run_program("why " + ids.front().substr(0, 10) + " " + data(), 120);
  EXPECT_EQ(why.exit_code, 0) << why.err;
  EXPECT_THAT(why.out, HasSubstr("\nduplicate-debit:\n"));
  EXPECT_THAT(why.out, HasSubstr("raise, "));
  EXPECT_THAT(why.out, HasSubstr("      n = 2\n"));
  EXPECT_THAT(why.out, HasSubstr(" at offset "));
}

// A fee that a view of the pack opens the line for.
TEST(ReplayCommand, SavesTheArraysThatViewsOpen) {
  const TestFolder folder;
  folder.write(
      "ref.rate_contract-0.ndjson",
      R"({"merchant_id":"M1","version":3,"products":[],"allowed_fee_types":["MERCHANT_SERVICE"],"refund_fee_returned":true,)"
      R"("effective_from":"2026-01-01T00:00:00+08:00","recorded_at":"2026-01-01T00:00:00+08:00"})"
      "\n");
  folder.write(
      "pos.settlements-0.ndjson",
      R"({"event_id":"X1","line_id":"L1","merchant_id":"M1","line_type":"sale","settlement_date":"2026-11-22",)"
      R"("posted_at":"2026-11-22T10:05:00+08:00","amount_minor":12850,"fee_minor":77,"currency":"CNY","card_type":"credit",)"
      R"("payment_method":"card_chip","fee_lines":[{"fee_type":"MERCHANT_SERVICE","amount_minor":77,"rate_bp":60},)"
      R"({"fee_type":"DEPOSIT","amount_minor":29900}]})"
      "\n");
  const std::string pack = folder / "pack";
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", pack, std::filesystem::copy_options::recursive);
  std::string none = read_file(pack + "/hidden-fee.yaml");
  none.replace(none.find("charge > 0"), 10, "charge > 9_999_99");
  const std::string without = folder / "without";
  std::filesystem::copy(pack, without, std::filesystem::copy_options::recursive);
  std::ofstream(without + "/hidden-fee.yaml", std::ios::binary) << none;
  const std::string named = " pos.settlements=" + (folder / "pos.settlements-0.ndjson") +
                            " ref.rate_contract=" + (folder / "ref.rate_contract-0.ndjson");
  const std::string differences = folder / "differences.ndjson";
  const ProgramResult compared = run_program("replay" + named + " --against " + without + " --differences " + differences);
  ASSERT_EQ(compared.exit_code, 0) << compared.err;
  const std::vector<std::string> ids = alerts_of(read_file(differences));
  ASSERT_EQ(ids.size(), 1U);
  const ProgramResult saved = run_program("replay" + named + " --save-case " + ids.front());
  ASSERT_EQ(saved.exit_code, 0) << saved.err;
  EXPECT_THAT(saved.out,
              HasSubstr(R"(fee_lines: [{fee_type: "MERCHANT_SERVICE", charge: 77}, {fee_type: "DEPOSIT", charge: 29900}])"));
  std::ofstream(pack + "/hidden-fee.test.yaml", std::ios::binary) << saved.out;
  EXPECT_THAT(run_program("rules test --filter hidden-fee: " + pack).out, HasSubstr("1 passed, 0 failed"));
}

TEST(ReplayCommand, WhatIsWrongWithItsFilesIsSaid) {
  const ProgramResult topic = run_program("replay pos.transaction=x.ndjson");
  EXPECT_EQ(topic.exit_code, 2);
  EXPECT_THAT(topic.err, HasSubstr("the rules' schema has no topic 'pos.transaction'"));
  const TestFolder empty;
  EXPECT_THAT(run_program("replay " + empty.path()).err, HasSubstr("there is no file to replay"));
  const ProgramResult away = run_program("replay pos.transactions=" + (empty / "no.ndjson.gz"));
  EXPECT_EQ(away.exit_code, 1);
  EXPECT_THAT(away.err, HasSubstr("cannot read"));
}

}  // namespace
}  // namespace tillwatch
