// Each format's documented report, damaged in twenty ways: each is refused, and the reason names what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "connectors/receipt_formats.h"

namespace tillwatch::connectors {
namespace {

struct Damage {
  std::string from, to;  // in the documented report; `from` empty: all of it
  std::string reason;
};

struct Refusals {
  std::string format, report;
  std::vector<Damage> damages;
};

std::string long_text() { return std::string(257, '7'); }

// What is wrong with JSON whoever sends it; `id` is a member of the report whose value is `value`.
std::vector<Damage> json_damages(const std::string& id, const std::string& value) {
  const std::string member = "\"" + id + "\":\"" + value + "\"";
  return {
      {"", "", "not JSON"},
      {"", "{", "not JSON"},
      {"}", "", "not JSON"},
      {"\":\"", "\" \"", "not JSON"},
      {"", "null", "JSON object"},
      {"", "[]", "empty array"},
      {"", "[7]", "JSON object"},
      {"", "\"DELIVRD\"", "JSON object"},
      {member, "\"" + id + "\":\"\"", "`" + id + "` is missing"},
      {member, "\"" + id + "\":null", "`" + id + "` is missing"},
      {member, "\"" + id + "\":1.5", "`" + id + "` must be a text"},
      {member, "\"" + id + "\":{}", "`" + id + "` must be a text"},
      {member, "\"" + id + "\":\"" + long_text() + "\"", "`" + id + "` is longer than 256 bytes"},
      {member, "\"" + id + "\":\"a\\u0000b\"", "`" + id + "` holds a control character"},
      {member, "\"" + id + "\":\"\xff\xfe\"", "not JSON"},
  };
}

std::vector<Damage> joined(std::vector<Damage> some, const std::vector<Damage>& more) {
  some.insert(some.end(), more.begin(), more.end());
  return some;
}

Refusals aliyun() {
  return {
      "aliyun",
      R"({"phone_number":"13800001234","send_time":"2021-09-06 15:49:55","report_time":"2021-09-06 15:49:58","success":true,)"
      R"("err_code":"DELIVERED","err_msg":"ok","sms_size":"1","biz_id":"9001","out_id":"T1"})",
      joined(json_damages("biz_id", "9001"), {{R"("success":true,)", "", "`success` is missing"},
                                              {R"("success":true)", R"("success":"true")", "`success` must be true or false"},
                                              {R"("success":true)", R"("success":false)", "contradict"},
                                              {R"("err_code":"DELIVERED",)", "", "`err_code` is missing"},
                                              {"2021-09-06 15:49:58", "2021-02-30 15:49:58", "`report_time` is no time"},
                                              {"2021-09-06 15:49:55", "yesterday", "`send_time` is no time"},
                                              {R"("phone_number":"13800001234",)", "", "`phone_number` is missing"}})};
}

Refusals tencent() {
  return {"tencent",
          R"({"user_receive_time":"2015-10-17 08:03:04","nationcode":"86","mobile":"13800001234","report_status":"SUCCESS",)"
          R"("errmsg":"DELIVRD","description":"ok","sid":"7001"})",
          joined(json_damages("sid", "7001"), {{R"("report_status":"SUCCESS",)", "", "`report_status` is missing"},
                                               {"SUCCESS", "OK", "SUCCESS or FAIL"},
                                               {"SUCCESS", "FAIL", "contradict"},
                                               {R"("errmsg":"DELIVRD",)", "", "`errmsg` is missing"},
                                               {"2015-10-17 08:03:04", "2015-10-17 25:03:04", "`user_receive_time` is no time"},
                                               {R"("mobile":"13800001234",)", "", "`mobile` is missing"}})};
}

Refusals cmpp() {
  return {
      "cmpp",
      R"({"Msg_Id":"5001","Stat":"DELIVRD","Submit_time":"2611221229","Done_time":"2611221230","Dest_terminal_Id":"13800001234"})",
      joined(json_damages("Msg_Id", "5001"), {{"DELIVRD", "DELIVERED", "`Stat` has 7 characters"},
                                              {R"("Stat":"DELIVRD",)", "", "`Stat` is missing"},
                                              {"2611221230", "2611321230", "`Done_time` is no time"},
                                              {"2611221230", "26112212", "`Done_time` is no time"},
                                              {"2611221229", "2611222529", "`Submit_time` is no time"},
                                              {R"("Submit_time":"2611221229",)", "", "`Submit_time` is missing"}})};
}

Refusals huawei() {
  return {
      "huawei",
      "smsMsgId=2ea20735&total=3&sequence=2&status=DELIVRD&source=2&updateTime=2018-04-13T06%3A31%3A46Z&to=%2B8613800001234",
      {{"", "", "`smsMsgId` is missing"},
       {"", "smsMsgId", "not a form"},
       {"", "=1", "not a form"},
       {"", "{\"smsMsgId\":\"1\"}", "not a form"},
       {"smsMsgId=2ea20735&", "", "`smsMsgId` is missing"},
       {"smsMsgId=2ea20735", "smsMsgId=", "`smsMsgId` is missing"},
       {"smsMsgId=2ea20735", "smsMsgId=%G1", "hexadecimal"},
       {"smsMsgId=2ea20735", "smsMsgId=%", "hexadecimal"},
       {"smsMsgId=2ea20735", "smsMsgId=%FF", "no ASCII"},
       {"smsMsgId=2ea20735", "smsMsgId=a%00b", "control character"},
       {"smsMsgId=2ea20735", "smsMsgId=" + long_text(), "longer than 256"},
       {"smsMsgId=2ea20735", "smsMsgId=1&smsMsgId=2", "`smsMsgId` is given twice"},
       {"status=DELIVRD&", "", "`status` is missing"},
       {"status=DELIVRD", "status=%E6%88%90", "no ASCII"},
       {"2018-04-13T06%3A31%3A46Z", "2018-04-31T06%3A31%3A46Z", "`updateTime` is no time"},
       {"2018-04-13T06%3A31%3A46Z", "1523601106", "`updateTime` is no time"},
       {"&to=%2B8613800001234", "", "`to` is missing"},
       {"total=3", "total=0", "`total` is a number from 1 to 255"},
       {"total=3", "total=three", "`total` is a number from 1 to 255"},
       {"sequence=2", "sequence=256", "`sequence` is a number from 1 to 255"},
       {"sequence=2", "sequence=4", "`sequence` is above `total`"}}};
}

Refusals smpp() {
  return {"smpp",
          "id:0123456789 sub:001 dlvrd:001 submit date:2611221229 done date:2611221230 stat:DELIVRD err:000 text:abc",
          {{"", "", "`id` is missing"},
           {"", "DELIVRD", "`id` is missing"},
           {"id:0123456789 ", "", "`id` is missing"},
           {"id:0123456789", "id:", "`id` is missing"},
           {"id:0123456789", "id:\xff", "no ASCII"},
           {"id:0123456789", "id:\x01", "control character"},
           {"id:0123456789", "id:" + long_text(), "longer than 256"},
           {"id:0123456789", "message_id:0123456789", "`id` is missing"},
           {"stat:DELIVRD ", "", "`stat` is missing"},
           {"stat:DELIVRD", "stat:", "`stat` is missing"},
           {"stat:DELIVRD", "stat:GONE", "none of the states"},
           {"stat:DELIVRD", "stat:delivrd", "none of the states"},
           {"stat:DELIVRD", "stat:\xe6\x88\x90", "no ASCII"},
           {"submit date:2611221229 ", "", "`submit date` is no time"},
           {"submit date:2611221229", "submit date:26112212", "`submit date` is no time"},
           {"submit date:2611221229", "submit date:2613221229", "`submit date` is no time"},
           {"done date:2611221230 ", "", "`done date` is no time"},
           {"done date:2611221230", "done date:2611221260", "`done date` is no time"},
           {"done date:2611221230", "done date:2026-11-22", "`done date` is no time"},
           {"done date:2611221230", "done date:261122123000000", "`done date` is no time"}}};
}

class ReceiptRefusals : public testing::TestWithParam<Refusals> {};

TEST_P(ReceiptRefusals, TwentyWaysToBeWrongAreNamed) {
  const Refusals& all = GetParam();
  const ReceiptFormat format = *receipt_format(all.format);
  ASSERT_TRUE(read_receipts(format, all.report, "gateway").has_value()) << "as documented it is read";
  EXPECT_GE(all.damages.size(), 20u);
  for (const Damage& damage : all.damages) {
    std::string payload = damage.to;
    if (!damage.from.empty()) {
      payload = all.report;
      const size_t at = payload.rfind(damage.from);
      ASSERT_NE(at, std::string::npos) << damage.from;
      payload.replace(at, damage.from.size(), damage.to);
    }
    const auto read = read_receipts(format, payload, "gateway");
    EXPECT_FALSE(read.has_value()) << payload;
    if (read) continue;
    EXPECT_THAT(read.error().message, testing::HasSubstr(damage.reason)) << payload;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ReceiptRefusals, testing::Values(aliyun(), tencent(), huawei(), cmpp(), smpp()),
                         [](const auto& each) { return each.param.format; });

}  // namespace
}  // namespace tillwatch::connectors
