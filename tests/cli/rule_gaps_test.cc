// `rules test --junit`, `--coverage` and `--mutate`: what the cases hold and what they do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/program.h"

namespace tillwatch {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kSchema = R"(streams:
  sale:
    topic: sales
    time: sold_at
    id: [number]
    fields: {number: string, sold_at: time, card: string, shop: string, amount: int}
)";

constexpr const char* kRule = R"(rule: big-sale
version: 1
on: sale as s
key: [card]
except:
  - shop == "own"
when: s.amount > 100
severity: low
message: {en: "{s.amount}", zh: "{s.amount}"}
)";

std::string cases(const std::string& amounts_and_more) { return "cases:\n" + amounts_and_more; }

std::string one_case(const std::string& name, const std::string& shop, int amount, bool raises) {
  return "  - name: " + name + "\n    given:\n      - {at: \"10:00\", sale: {card: C, shop: " + shop +
         ", amount: " + std::to_string(amount) + "}}\n    until: \"10:05\"\n    expect: [" +
         (raises ? "{raise: {card: C}, severity: low}" : "") + "]\n";
}

class RuleGaps : public testing::Test {
 protected:
  ProgramResult test(const std::string& flags, const std::string& texts) {
    folder_.write("schema.yaml", kSchema);
    folder_.write("big-sale.yaml", kRule);
    folder_.write("big-sale.test.yaml", cases(texts));
    return run_program("rules test " + flags + " " + folder_.path());
  }
  TestFolder folder_;
};

// A change that takes a `not` away ends the node it is told of: this read its place from freed memory.
TEST_F(RuleGaps, ANegationTakenAwayIsToldWithItsPlace) {
  folder_.write("other.yaml", "rule: other-shops\nversion: 1\non: sale as s\nwhere: not (shop == \"own\")\nkey: [card]\n"
                              "severity: low\nmessage: {en: \"{s.amount}\", zh: \"{s.amount}\"}\n");
  folder_.write("other-shops.test.yaml", cases("  - name: nobody buys\n    given: []\n    expect: []\n"));
  const ProgramResult run = test("--mutate", one_case("just above", "x", 101, true));
  EXPECT_THAT(run.out, HasSubstr("other-shops: `not shop == \"own\"` could be `shop == \"own\"`\n"));
  EXPECT_THAT(run.out, HasSubstr("other.yaml:4\n"));
}

TEST_F(RuleGaps, MutantsNoCaseNoticesAreNamedWithTheirPlace) {
  const ProgramResult run = test("--mutate", one_case("far above", "x", 1000, true) + one_case("below", "x", 5, false));
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("unnoticed  big-sale: `s.amount > 100` could be `s.amount >= 100`\n"));
  EXPECT_THAT(run.out, HasSubstr("big-sale.yaml:7\n"));
  EXPECT_THAT(run.out, HasSubstr("`except: shop == \"own\"` could be `nothing`"));
  EXPECT_THAT(run.out, Not(HasSubstr("severity")));
}

TEST_F(RuleGaps, CasesOnBothSidesOfEveryBoundaryNoticeEveryMutant) {
  const ProgramResult run = test("--mutate", one_case("just above", "x", 101, true) + one_case("just not", "x", 100, false) +
                                                 one_case("own", "own", 1000, false));
  EXPECT_THAT(run.out, HasSubstr("(100.0 %)\n3 passed, 0 failed\n"));
  EXPECT_THAT(run.out, Not(HasSubstr("unnoticed")));
}

TEST_F(RuleGaps, ClausesNoCaseNeedsBothWaysAreNamed) {
  const ProgramResult run = test("--coverage", one_case("above", "x", 101, true) + one_case("below", "x", 100, false));
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("uncovered  big-sale: no case needs `shop == \"own\"` to be true\n"));
  EXPECT_THAT(run.out, Not(HasSubstr("s.amount")));
  EXPECT_THAT(run.out, HasSubstr("3 of 4 halves of clauses are held by a case (75.0 %)"));
}

TEST_F(RuleGaps, JunitHoldsWhatPassedAndWhatFailed) {
  const std::string file = folder_ / "results.xml";
  const ProgramResult run =
      test("--junit " + file, one_case("above", "x", 101, true) + one_case("wrong & <loud>", "x", 101, false));
  EXPECT_EQ(run.exit_code, 1);
  const std::string xml = read_file(file);
  EXPECT_THAT(xml, HasSubstr("<testsuites name=\"tillwatch rules\" tests=\"2\" failures=\"1\">"));
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"big-sale\" name=\"above\""));
  EXPECT_THAT(xml, HasSubstr("name=\"wrong &amp; &lt;loud&gt;\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"0 entries expected, 1 came\">"));
  const ProgramResult nowhere = test("--junit " + (folder_ / "no/such/folder.xml"), one_case("above", "x", 101, true));
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_THAT(nowhere.out, HasSubstr("cannot write"));
}

}  // namespace
}  // namespace tillwatch
