#include "connectors/receipt_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tillwatch::connectors {
namespace {

using testing::HasSubstr;

std::vector<std::string> read(std::string_view format, std::string_view payload) {
  auto records = read_receipts(*receipt_format(format), payload, "gateway");
  EXPECT_TRUE(records.has_value()) << payload << "\n" << (records ? "" : records.error().message);
  return records ? *records : std::vector<std::string>();
}

std::string refused(std::string_view format, std::string_view payload) {
  const auto records = read_receipts(*receipt_format(format), payload, "gateway");
  EXPECT_FALSE(records.has_value()) << payload;
  return records ? "" : records.error().message;
}

constexpr std::string_view kAliyun =
    R"([{"phone_number":"13800001234","send_time":"2021-09-06 15:49:55","report_time":"2021-09-06 15:49:58","success":true,)"
    R"("err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1","biz_id":"9001","out_id":"T1"},)"
    R"({"phone_number":"13800005678","send_time":"2021-09-06 15:49:55","report_time":"2021-09-06 15:50:28","success":false,)"
    R"("err_code":"MK:0010","err_msg":"关机","sms_size":"1","biz_id":"9002"}])";

TEST(ReceiptFormats, AliyunArrays) {
  const auto records = read("aliyun", kAliyun);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(records[0],
              HasSubstr(R"("message_id":"9001","part_seq":1,"part_total":1,"provider":"gateway","status":"delivered")"));
  EXPECT_THAT(records[0], HasSubstr(R"("occurred_at":"2021-09-06T15:49:58.000+08:00")"));  // E08: no zone is China's
  EXPECT_THAT(records[0], HasSubstr(R"("phone_masked":"138****1234")"));
  EXPECT_THAT(records[0], testing::Not(HasSubstr("13800001234")));
  EXPECT_THAT(records[1], HasSubstr(R"("status":"expired","status_code":"MK:0010")"));
  EXPECT_THAT(records[1], HasSubstr(R"("cause":"recipient_off","final":true)"));
}

TEST(ReceiptFormats, AReportPushedAgainHasTheSameId) {
  EXPECT_EQ(read("aliyun", kAliyun), read("aliyun", kAliyun));
  const auto other = read_receipts(ReceiptFormat::aliyun, kAliyun, "another");
  ASSERT_TRUE(other.has_value());
  EXPECT_NE(other->front(), read("aliyun", kAliyun).front());
}

TEST(ReceiptFormats, TencentSingleAndArray) {
  constexpr std::string_view kOne =
      R"({"user_receive_time":"2015-10-17 08:03:04","nationcode":"86","mobile":"13800001234","report_status":"SUCCESS",)"
      R"("errmsg":"DELIVRD","description":"用户短信送达成功","sid":"xxxxxxx"})";
  const auto records = read("tencent", kOne);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_THAT(records[0], HasSubstr(R"("message_id":"xxxxxxx")"));
  EXPECT_THAT(records[0], HasSubstr(R"("delivered_at":"2015-10-17T08:03:04.000+08:00")"));
  EXPECT_EQ(read("tencent", "[" + std::string(kOne) + "]"), records);
}

TEST(ReceiptFormats, HuaweiParts) {
  const auto records = read("huawei",
                            "smsMsgId=2ea20735&total=3&sequence=2&status=E200028&statusDesc=%E5%A4%B1%E8%B4%A5&source=2&"
                            "updateTime=2018-04-13T06%3A31%3A46Z&to=%2B8613800001234");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_THAT(records[0], HasSubstr(R"("part_seq":2,"part_total":3)"));
  EXPECT_THAT(records[0], HasSubstr(R"("status":"unknown","status_code":"E200028","final":false)"));  // unknown, never dropped
  EXPECT_THAT(records[0], HasSubstr(R"("occurred_at":"2018-04-13T14:31:46.000+08:00")"));
  EXPECT_THAT(records[0], HasSubstr(R"("phone_masked":"138****1234")"));
}

TEST(ReceiptFormats, CmppToTheMinute) {
  const auto records =
      read("cmpp", R"({"Msg_Id":"1234567890123456789","Stat":"UNDELIV","Submit_time":"2611221230","Done_time":"2611221230",)"
                   R"("Dest_terminal_Id":"13800001234","SMSC_sequence":1})");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_THAT(records[0], HasSubstr(R"("status":"undeliverable")"));
  EXPECT_THAT(records[0], HasSubstr(R"("occurred_at":"2026-11-22T12:30:00.000+08:00")"));  // E07
}

TEST(ReceiptFormats, SmppText) {
  const auto records =
      read("smpp", "id:0123456789 sub:001 dlvrd:000 submit date:2611221229 done date:2611221230 stat:EXPIRED err:002 text:abc");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_THAT(records[0], HasSubstr(R"("message_id":"0123456789")"));
  EXPECT_THAT(records[0], HasSubstr(R"("status":"expired")"));
  EXPECT_THAT(records[0], HasSubstr(R"("cause":"recipient_off")"));
  EXPECT_THAT(read("smpp", "id:1 submit date:2611221229 done date:2611221230 stat:ACCEPTD err:000")[0],
              HasSubstr(R"("final":false)"));
}

TEST(ReceiptFormats, CodesInOneSetOfWords) {
  EXPECT_EQ(receipt_cause("MI:0051"), "recipient_suspended");
  EXPECT_EQ(receipt_cause("DB:0144"), "blacklist_or_optout");
  EXPECT_EQ(receipt_cause("isv.SMS_SIGN_ILLEGAL"), "signature_or_template");
  EXPECT_EQ(receipt_cause("BEYONDH"), "rate_limited");
  EXPECT_EQ(receipt_cause("CA:0111"), "carrier_internal");
  EXPECT_EQ(receipt_cause("never heard of"), "");
  EXPECT_EQ(receipt_status("MK:0001"), "undeliverable");
  EXPECT_EQ(receipt_status("MA:0002"), "rejected");
  EXPECT_EQ(receipt_status("never heard of"), "unknown");
}

std::string aliyun(const std::string& from, const std::string& to) {
  std::string text(kAliyun);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ReceiptFormats, OneBadReportOfAnArrayRefusesAll) {
  EXPECT_THAT(refused("aliyun", aliyun(R"("biz_id":"9002")", R"("biz_id":"")")), HasSubstr("`biz_id` is missing"));
}

TEST(ReceiptFormats, LimitsAreReached) {
  std::string many = "[";
  for (int i = 0; i < 1001; ++i) many += "{},";
  many.back() = ']';
  EXPECT_THAT(refused("aliyun", many), HasSubstr("more than 1000"));
  EXPECT_THAT(refused("smpp", std::string((1 << 20) + 1, 'x')), HasSubstr("longer than"));
  EXPECT_FALSE(receipt_format("baidu").has_value());
}

}  // namespace
}  // namespace tillwatch::connectors
