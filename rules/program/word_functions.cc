// Words of the trade's records as Chinese readers know them.
#include <algorithm>
#include <array>

#include "rules/program/function_checks.h"

namespace tillwatch::rules {
namespace {

struct WordRow {
  std::string_view word, chinese;
};
constexpr auto kWords = std::to_array<WordRow>({
    {"reversed", "冲正"},
    {"voided", "撤销"},
    {"refunded", "退款"},
    {"cardholder", "持卡人"},
    {"merchant", "商户"},
    {"sale", "消费"},
    {"refund", "退款"},
    {"preauth_completion", "预授权完成"},
    {"DEBIT", "扣款通知"},
    {"CREDIT", "入账通知"},
    {"REFUND_NOTICE", "返还通知"},
    {"REFUND_DONE", "退款通知"},
    {"DECLINED", "失败通知"},
    {"PREAUTH", "预授权通知"},
    {"OTP", "验证码"},
    {"MARKETING", "营销短信"},
    {"REPAYMENT", "还款提醒"},
    {"OTHER", "其他"},
    {"ORDER_ERROR", "订单错误"},
    {"GOODS_ISSUE", "商品问题"},
    {"ACCOUNT_ISSUE", "账户问题"},
    {"PROMOTION", "活动"},
    {"TIMEOUT", "超时"},
    {"recipient_off", "对方关机"},
    {"recipient_suspended", "对方停机"},
    {"invalid_number", "空号"},
    {"blacklist_or_optout", "退订或黑名单"},
    {"content_blocked", "内容被拦截"},
    {"signature_or_template", "签名或模板问题"},
    {"rate_limited", "被限流"},
    {"congestion", "网络拥堵"},
    {"account_out_of_funds", "账户余额不足"},
    {"auth", "认证失败"},
    {"carrier_internal", "运营商内部错误"},
    {"unknown", "原因不明"},
    {"CMCC", "中国移动"},
    {"CUCC", "中国联通"},
    {"CTCC", "中国电信"},
    {"credit", "信用卡"},
    {"debit", "借记卡"},
    {"qr", "扫码"},
    {"MERCHANT_SERVICE", "手续费"},
    {"INSTANT_SETTLEMENT", "秒到费"},
    {"ANNUAL", "年费"},
    {"DATA_SIM", "流量费"},
    {"SMS_SERVICE", "短信服务费"},
    {"DEPOSIT", "押金"},
    {"SLIP_PRINT", "打印单据费"},
    {"SERVICE", "服务费"},
    {"OUT_OF_PAPER", "缺纸"},
    {"PRINTER_ERROR", "打印机故障"},
    {"OVERHEAT", "过热"},
    {"POWER", "供电故障"},
    {"APP_ERROR", "程序错误"},
});

std::string check_chinese(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string, Kind::symbol}, bad);
  result = {.kind = Kind::string, .pii = any_pii(arguments)};
  return wrong;
}

Value run_chinese(std::span<const Value> arguments, Arena&, EvalError&) {
  const auto found = std::ranges::find(kWords, arguments[0].text(), &WordRow::word);
  return found == kWords.end() ? arguments[0] : Value::of_text(found->chinese);
}

}  // namespace

void append_word_functions(std::vector<Function>& rows) {
  rows.push_back({"chinese", check_chinese, run_chinese, "chinese(word) -> string",
                  "A word of the payments' records (a reason, cause, carrier, role or category) in Chinese; the word itself "
                  "where there is "
                  "none.",
                  R"(chinese("recipient_off") == "对方关机" and chinese("P3100") == "P3100")"});
}

}  // namespace tillwatch::rules
