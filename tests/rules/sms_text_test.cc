#include "rules/program/sms_text.h"

#include <gtest/gtest.h>

namespace tillwatch::rules {
namespace {

struct Row {
  const char* text;
  int64_t amount;         // fen; -1: unreadable
  const char* tail;       // "": unreadable
  const char* direction;  // "": unreadable
  const char* time;       // in 2026 beside 29 August 12:31; "": unreadable
  const char* signature = "";
};

class SmsTextTest : public testing::TestWithParam<Row> {};

TEST_P(SmsTextTest, IsReadOrSaidToBeUnreadable) {
  const Row& row = GetParam();
  const std::string text = half_width(row.text);
  const TimeMs near = *parse_rfc3339("2026-08-29T12:31:00+08:00");
  EXPECT_EQ(sms_amount_minor(text).value_or(-1), row.amount);
  EXPECT_EQ(sms_tail(text), row.tail);
  EXPECT_EQ(name_of(sms_direction(text)), row.direction);
  const auto time = sms_time(text, near);
  EXPECT_EQ(time ? format_rfc3339(*time) : "", row.time);
  EXPECT_EQ(sms_signature(text), row.signature);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, SmsTextTest,
    testing::Values(
        Row{"【示例银行】您尾号1234的储蓄卡8月29日12:30快捷支付交易100.00元，交易后余额9,999.99元", 10000, "1234", "debit",
            "2026-08-29T12:30:00.000+08:00", "示例银行"},
        Row{"您账户1234于01月05日18:45消费人民币20元。【示例银行】", 2000, "1234", "debit", "2026-01-05T18:45:00.000+08:00",
            "示例银行"},
        Row{"您尾号0262的信用卡29日19时09分成功消费人民币153.00元", 15300, "0262", "debit", "2026-08-29T19:09:00.000+08:00"},
        Row{"尾号1054卡1月12日15:56支出(消费示例超市)4元，余额873.02元", 400, "1054", "debit", "2026-01-12T15:56:00.000+08:00"},
        Row{"您尾号1234的卡8月29日12:30预授权1,362.41人民币", 136241, "1234", "preauth", "2026-08-29T12:30:00.000+08:00"},
        Row{"您尾号1234的卡8月29日12:30预授权完成1,362.41元", 136241, "1234", "debit", "2026-08-29T12:30:00.000+08:00"},
        Row{"您尾号1234的卡8月29日12:30退款203.36元", 20336, "1234", "credit", "2026-08-29T12:30:00.000+08:00"},
        Row{"您尾号1234的卡消费撤销203.36元", 20336, "1234", "credit", ""},
        Row{"交易时间：2026-08-29 12:30:05\n交易类型：消费\n交易金额：128.50\n尾号：1234", 12850, "1234", "debit",
            "2026-08-29T12:30:05.000+08:00"},
        Row{"您尾号１２３４的卡８月２９日１２：３０消费４５元", 4500, "1234", "debit", "2026-08-29T12:30:00.000+08:00"},
        Row{"您尾号1234的卡支出2000.00。", 200000, "1234", "debit", ""},
        Row{"您尾号1234的卡消费￥12.5", 1250, "1234", "debit", ""}, Row{"您的卡6228****1234消费12元", 1200, "", "debit", ""},
        Row{"您尾号097的卡消费4元，客服95000", 400, "097", "debit", ""},
        Row{"您尾号1234的卡12月31日23:59消费4元", 400, "1234", "debit", "2025-12-31T23:59:00.000+08:00"},
        Row{"[Bank]您尾号1234的卡31日23:59消费4元", 400, "1234", "debit", "2026-07-31T23:59:00.000+08:00", "Bank"},
        // said in no way, or in two
        Row{"您尾号1234的卡发生快捷支付扣款，如有疑问致电95000", -1, "1234", "debit", ""},
        Row{"您尾号1234的卡消费100.00元，您尾号5678的卡消费200.00元", -1, "", "debit", ""},
        Row{"您尾号1234的卡消费100.00元或200.00元", -1, "1234", "debit", ""},
        Row{"您尾号1234的卡消费1.5万元", -1, "1234", "debit", ""}, Row{"您尾号1234的卡消费100.00美元", -1, "1234", "debit", ""},
        Row{"您尾号1234的卡消费1,23元", -1, "1234", "debit", ""}, Row{"您尾号1234的卡消费1.234元", -1, "1234", "debit", ""},
        Row{"您尾号1234的卡消费9999999999999元", -1, "1234", "debit", ""},
        Row{"您尾号1234的卡2月30日12:30消费4元", 400, "1234", "debit", ""},
        Row{"您尾号1234的卡8月29日25:30消费4元", 400, "1234", "debit", ""}, Row{"消费4元，退款请致电95000", 400, "", "", ""},
        Row{"您的余额为100.00元", -1, "", "", ""}, Row{"您的信用卡额度5,000.00元，积分200", -1, "", "", ""},
        Row{"", -1, "", "", ""}, Row{"【", -1, "", "", "", ""}));

TEST(SmsTextTimeTest, YearAndMonthAreThoseOfTheLastSuchMoment) {
  const TimeMs new_year = *parse_rfc3339("2027-01-01T00:03:00+08:00");
  EXPECT_EQ(format_rfc3339(*sms_time("12月31日23:59", new_year)), "2026-12-31T23:59:00.000+08:00");
  EXPECT_EQ(format_rfc3339(*sms_time("31日23:59", new_year)), "2026-12-31T23:59:00.000+08:00");
  EXPECT_EQ(format_rfc3339(*sms_time("2026年12月31日23:59", new_year)), "2026-12-31T23:59:00.000+08:00");
  EXPECT_EQ(format_rfc3339(*sms_time("1月1日00:01", *parse_rfc3339("2026-12-31T23:58:00+08:00"))),
            "2027-01-01T00:01:00.000+08:00");
}

TEST(SmsTextPartsTest, SeventyCharactersInOneAndSixtySevenInEachOfSeveral) {
  const auto of = [](size_t characters) {
    std::string text;
    for (size_t i = 0; i < characters; ++i) text += "字";
    return sms_parts(text);
  };
  EXPECT_EQ(of(0), 1);
  EXPECT_EQ(of(70), 1);
  EXPECT_EQ(of(71), 2);
  EXPECT_EQ(of(134), 2);
  EXPECT_EQ(of(135), 3);
}

TEST(SmsTextSecretTest, IdentityNumbersNeedTheirCheckDigit) {
  EXPECT_TRUE(contains_identity_number("证号11010519491231002X。"));
  EXPECT_TRUE(contains_identity_number("11010519491231002x"));
  EXPECT_FALSE(contains_identity_number("110105194912310021"));
  EXPECT_FALSE(contains_identity_number("9911010519491231002X"));  // a part of something longer
  EXPECT_FALSE(contains_identity_number("11010519491231002"));
}

TEST(SmsTextSecretTest, AskingForACodeIsNotWarningOfIt) {
  EXPECT_TRUE(asks_for_secret("请回复收到的验证码"));
  EXPECT_TRUE(asks_for_secret("请提供您的CVV2"));
  EXPECT_TRUE(asks_for_secret("您的密码为123456"));
  EXPECT_FALSE(asks_for_secret("请勿向任何人提供密码、验证码"));
  EXPECT_FALSE(asks_for_secret("您尾号1234的卡消费4元"));
}

}  // namespace
}  // namespace tillwatch::rules
