// `tillwatch why`: one transaction or alert out of files with many others.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/time.h"
#include "tests/cli/program.h"

namespace tillwatch {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string debit(const std::string& txn, const std::string& card, TimeMs at, int amount) {
  return fmt::format(
      R"({{"event_id":"e-{0}","txn_id":"{0}","txn_type":"sale","status":"approved","occurred_at":"{2}","amount_minor":{3},)"
      R"("currency":"CNY","card_token":"{1}","merchant_id":"990581058120001","mcc":"5812","terminal_id":"1","stan":"{0}",)"
      R"("batch_no":"1","card_type":"credit","payment_method":"card_chip","issuer_id":"i-1","acquirer_id":"a-1"}})"
      "\n",
      txn, card, format_rfc3339(at), amount);
}

constexpr TimeMs kNoon = 1795320000000;

// A busy merchant: two debits of one card that look like one, and then hundreds of others.
class Why : public testing::Test {
 protected:
  Why() {
    std::string text = debit("t-1", "c-1", kNoon, 5000) + debit("t-2", "c-1", kNoon + 20 * kSecond, 5000);
    for (int i = 0; i < 600; ++i) {
      const TimeMs at = kNoon + kMinute + i * 30 * kSecond;
      text += debit(fmt::format("x-{}", i), fmt::format("c-x{}", i), at, 100 + i);
      // Every sixth is doubled too.
      if (i % 6 == 0) text += debit(fmt::format("y-{}", i), fmt::format("c-x{}", i), at + 10 * kSecond, 100 + i);
    }
    records_ = folder_.write("pos.transactions-0.ndjson", text);
  }
  ProgramResult why(const std::string& id) const { return run_program("why " + id + " " + folder_.path(), 120); }

  TestFolder folder_;
  std::string records_;
};

TEST_F(Why, ATransactionThatAlertedIsShownByItself) {
  const ProgramResult why = this->why("t-2");
  ASSERT_EQ(why.exit_code, 0) << why.err;
  EXPECT_EQ(why.err, "") << "progress is for terminals";
  EXPECT_THAT(why.out, HasSubstr("transaction pos.transactions/0 at offset "));
  EXPECT_THAT(why.out, HasSubstr("Alerted\n\nduplicate-debit:\n"));
  EXPECT_THAT(why.out, HasSubstr("      n = 2\n"));
  EXPECT_THAT(why.out, HasSubstr(" rules looked; "));
  EXPECT_THAT(why.out, HasSubstr(" nothing to say of it: "));
  EXPECT_THAT(why.out, Not(HasSubstr("\n  duplicate-debit  "))) << "it was not stopped";
  EXPECT_LT(why.out.find("\nAlerted\n"), why.out.find("\nStopped\n"));
  // One record, one alert, and what stopped it.
  EXPECT_LT(std::count(why.out.begin(), why.out.end(), '\n'), 120) << why.out;
}

// The latest records of its merchant took its place, and the answer was about those.
TEST_F(Why, TheTransactionIsAmongTheRecordsHoweverManyItsMerchantHas) {
  const ProgramResult why = this->why("t-1");
  EXPECT_THAT(why.out, HasSubstr(format_rfc3339(kNoon) + "  transaction pos.transactions/0 at offset 0\n"));
  EXPECT_THAT(why.out, HasSubstr(" of the same keys, farther away in time, are left out"));
}

TEST_F(Why, WhatStoppedItIsToldAndNotWhatStoppedOthers) {
  const ProgramResult why = this->why("x-1");
  ASSERT_EQ(why.exit_code, 0) << why.err;
  EXPECT_THAT(why.out, HasSubstr("\n  duplicate-debit  " + format_rfc3339(kNoon + kMinute + 30 * kSecond) +
                                 "  stopped by `when`: it is not so that n - floor("));
  EXPECT_THAT(why.out, Not(HasSubstr("\nduplicate-debit:\n"))) << "others were debited twice";
}

// It was looked for by whole keys only, and a notice that tells of a card's last digits is of a key that stands in no record.
TEST_F(Why, ANoticeThatIsJoinedByTheCardsTailAndTheAmountIsSeen) {
  std::string sale = debit("t-9", "c-9", kNoon, 777777);
  sale.insert(sale.rfind('}'), R"(,"card_last4":"4870")");
  folder_.write("pos.transactions-1.ndjson", sale);
  folder_.write("sms.submissions-0.ndjson",
                R"({"event_id":"m-1","message_id":"SM-1","category":"DEBIT","recipient_role":"cardholder","channel":"sms",)"
                R"("phone_token":"p-1","content":"x","parsed":{"card_last4":"4870","amount_minor":777777,"currency":"CNY",)"
                R"("direction":"debit"},"attempt_no":1,"submit_status":"accepted","cause":"none","occurred_at":")" +
                    format_rfc3339(kNoon + 5 * kSecond) + "\"}\n");
  EXPECT_THAT(why("t-9").out, HasSubstr(" 1 submission"));
}

TEST_F(Why, AnAlertIsShownWithItsRecords) {
  const std::string other = folder_ / "other";
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", other, std::filesystem::copy_options::recursive);
  std::filesystem::remove(other + "/duplicate-debit.yaml");
  std::filesystem::remove(other + "/duplicate-debit.test.yaml");
  const std::string differences = folder_ / "differences.txt";
  const ProgramResult compared =
      run_program("replay " + records_ + " --against " + other + " --differences " + differences, 120);
  ASSERT_EQ(compared.exit_code, 0) << compared.err;
  const std::string lines = read_file(differences);
  const size_t at = lines.find("\"alert_id\":\"");
  ASSERT_NE(at, std::string::npos) << compared.out;
  const std::string id = lines.substr(at + 12, 40);
  const ProgramResult why = this->why(id.substr(0, 10));
  ASSERT_EQ(why.exit_code, 0) << why.err;
  EXPECT_THAT(why.out, HasSubstr("alert " + id + ", duplicate-debit: "));
  EXPECT_THAT(why.out, HasSubstr("Alerted\n\nduplicate-debit:\n"));
  EXPECT_THAT(why.out, HasSubstr("raise, "));
}

TEST_F(Why, AnIdThatIsInNoRecordIsAnError) {
  const ProgramResult none = why("t-22");
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(none.err, HasSubstr("no record has `t-22` in it"));
}

}  // namespace
}  // namespace tillwatch
