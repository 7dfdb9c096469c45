// The records of messages and their receipts.
#include "connectors/generator_json.h"
#include "connectors/generator_writer.h"

namespace tillwatch::connectors::generation {
namespace {

constexpr const char* kCarriers[] = {"CMCC", "CUCC", "CTCC"};

void append_message_id(std::string& out, uint64_t message) {
  out += "SM-";
  append_padded(out, message, 10);
}

// What gateways say, by FailureCause.
struct Failure {
  const char* name;
  const char* status;
  const char* code;
  const char* text;
};
constexpr Failure kFailures[] = {{"none", "delivered", "DELIVRD", "用户接收成功"},
                                 {"recipient_off", "expired", "MK:0010", "用户关机"},
                                 {"invalid_number", "undeliverable", "MK:0001", "空号"},
                                 {"content_blocked", "rejected", "MK:0024", "内容被拦截"},
                                 {"congestion", "undeliverable", "MI:0061", "通道拥塞"},
                                 {"carrier_internal", "undeliverable", "MK:0012", "运营商内部错误"},
                                 {"auth", "rejected", "SignatureDoesNotMatch", "签名校验失败"}};

// What follows the sentence of a text that has a Flaw.
constexpr const char* kFlawedTexts[] = {
    "",
    "",
    "如非本人操作请登录 http://bank-example.top/x 取消。",
    "如有疑问请致电400-123-4567。",
    "如需退款请回复验证码。",
    "本周刷卡抽奖赢红包。",
    "以下为本次交易的说明：本行依据您与本行签订的服务协议向您发送本条信息，所列时间为交易受理时间，所列金额为交易金额，"
    "不含可能发生的手续费；入账时间以账单为准，如遇节假日顺延；信息内容仅供参考，不作为交易凭证，请以本行账务记录为准；"
    "您可在营业网点、电子银行或客户服务热线查询交易明细，也可在线上渠道变更通知方式、通知金额与通知时段；"
    "请妥善保管银行卡及有关信息，发现异常请及时与本行联系，感谢您的支持与理解。"};

int64_t said_amount(const Submission& submission) {
  return submission.saying.amount_minor != 0 ? submission.saying.amount_minor : submission.amount_minor;
}

// Of a submission or a receipt.
template <class Message>
uint64_t phone_owner(const Message& message, const Card& card) {
  if (message.phone_owner != 0) return message.phone_owner;
  return message.to_merchant ? message.merchant : card.phone_owner();
}

// "128.50", as people read it.
void append_yuan(std::string& out, int64_t amount_minor) {
  append_number(out, amount_minor / 100);
  out += '.';
  append_padded(out, static_cast<uint64_t>(amount_minor % 100), 2);
}

}  // namespace

void Writer::append_phone(JsonObject& json, uint64_t owner) const {
  const uint64_t phone = phone_of(owner);
  append_token(json.open_text("phone_token"), 'p', phone);
  json.close_text();
  std::string& masked = json.open_text("phone_masked");
  masked += '1';
  append_padded(masked, 30 + phone % 69, 2);
  masked += "****";
  append_padded(masked, phone / 100, 4);
  json.close_text();
}

uint16_t Writer::said_tail(const Submission& submission) const {
  return submission.saying.tail >= 0 ? static_cast<uint16_t>(submission.saying.tail) : world_.cards[submission.card].last4;
}

void Writer::append_content(JsonObject& json, const Submission& submission) const {
  const Card& card = world_.cards[submission.card];
  const Saying& saying = submission.saying;
  std::string& text = json.open_text("content");
  if (saying.flaw != Flaw::no_signature) {
    text += "【示例银行";
    append_number(text, card.issuer + 1);
    text += "】";
  }
  if (submission.category == NoticeCategory::other) {
    text += "您正在查询尾号";
    append_padded(text, card.last4, 4);
    text += "的账户，如非本人操作请致电95000。";
    return json.close_text();
  }
  const LocalTime local = local_time(submission.about.at + saying.off);
  text += submission.to_merchant ? "贵店收款，尾号" : "您尾号";
  append_padded(text, said_tail(submission), 4);
  text += card.type == CardType::credit ? "的信用卡" : "的储蓄卡";
  append_number(text, local.month);
  text += "月";
  append_number(text, local.day);
  text += "日";
  append_padded(text, static_cast<uint64_t>(local.hour), 2);
  text += ':';
  append_padded(text, static_cast<uint64_t>(local.minute), 2);
  static constexpr const char* kDeeds[] = {"消费", "退款", "申请退款", "消费未成功，金额", ""};
  text += saying.credit ? "收入" : kDeeds[static_cast<size_t>(submission.category)];
  append_yuan(text, said_amount(submission));
  text += "元。";
  text += kFlawedTexts[static_cast<size_t>(saying.flaw)];
  json.close_text();
}

void Writer::write(const Submission& submission, GeneratedRecord& record) const {
  static constexpr const char* kCategories[] = {"DEBIT", "REFUND_DONE", "REFUND_NOTICE", "DECLINED", "OTHER"};
  static constexpr const char* kTemplates[] = {"TPL-DEBIT-", "TPL-REFUND-", "TPL-PROMISE-", "TPL-DECLINED-", "TPL-INQUIRY-"};
  static constexpr const char* kChannels[] = {"sms", "app_push", "wechat", "email"};
  const Card& card = world_.cards[submission.card];
  const auto category = static_cast<size_t>(submission.category);
  const bool accepted = submission.status == SubmitStatus::accepted;
  record.topic = "sms.submissions";
  record.event_time = submission.at;
  append_card_token(record.key, card);
  JsonObject json(record.value);
  json.text("schema", "sms_submitted/1");
  append_event_id(json.open_text("event_id"), submission.at, submission.fact);
  json.close_text();
  append_message_id(json.open_text("message_id"), submission.message);
  json.close_text();
  if (submission.transaction.number != 0) {
    append_transaction_id(json.open_text("txn_id"), submission.transaction);
    json.close_text();
  }
  if (submission.refund != 0) {
    std::string& refund = json.open_text("refund_id");
    refund += "RF-";
    append_number(refund, submission.refund);
    json.close_text();
  }
  if (submission.refund != 0 || submission.category == NoticeCategory::refund_promised) {
    json.text("refund_reason", name_of(submission.refund_reason));
  }
  json.text("category", kCategories[category]);
  json.text("recipient_role", submission.to_merchant ? "merchant" : "cardholder");
  json.text("channel", kChannels[static_cast<size_t>(submission.channel)]);
  json.text("transport", "api");
  json.text("provider", provider_name(world_.issuers[card.issuer].provider));
  json.text("carrier", kCarriers[card.carrier]);
  std::string& key = json.open_text("api_key_id");
  key += 'k';
  append_number(key, 1 + submission.sender);
  json.close_text();
  json.text("source_ip", submission.sender == 0 ? "10.0.0.5" : kSenderAddress);
  append_phone(json, phone_owner(submission, card));
  std::string& sign_name = json.open_text("sign_name");
  sign_name += "示例银行";
  append_number(sign_name, card.issuer + 1);
  json.close_text();
  std::string& used = json.open_text("template_id");
  used += kTemplates[category];
  append_number(used, 1 + submission.sender);
  json.close_text();
  json.number("parts", 1);
  append_content(json, submission);
  if (submission.category != NoticeCategory::other && submission.saying.parsed) {
    json.begin_object("parsed");
    json.padded("card_last4", said_tail(submission), 4);
    json.number("amount_minor", said_amount(submission));
    json.text("currency", "CNY");
    json.text("direction", submission.category == NoticeCategory::debit && !submission.saying.credit ? "debit" : "credit");
    json.end_object();
  }
  json.number("attempt_no", submission.attempt);
  json.number("max_attempts", 3);
  json.text("submit_status", accepted ? "accepted" : "rejected");
  const Failure& failure = kFailures[static_cast<size_t>(accepted ? FailureCause::none : submission.cause)];
  json.text("submit_code", accepted ? "OK" : failure.code);
  json.text("cause", failure.name);
  json.text("auth_result", !accepted && submission.cause == FailureCause::auth ? "bad_signature" : "ok");
  json.time("requested_at", submission.at - 240);
  json.time("submitted_at", submission.at);
  json.time("occurred_at", submission.at);
  json.finish();
}

void Writer::write(const Receipt& receipt, GeneratedRecord& record) const {
  const Card& card = world_.cards[receipt.card];
  record.topic = "sms.receipts";
  record.event_time = receipt.at;
  append_message_id(record.key, receipt.message);
  JsonObject json(record.value);
  json.text("schema", "sms_receipt/1");
  append_event_id(json.open_text("event_id"), receipt.at, receipt.fact);
  json.close_text();
  append_message_id(json.open_text("message_id"), receipt.message);
  json.close_text();
  json.number("part_seq", 1);
  json.number("part_total", 1);
  json.text("provider", provider_name(world_.issuers[card.issuer].provider));
  json.text("carrier", kCarriers[card.carrier]);
  const Failure& failure = kFailures[static_cast<size_t>(receipt.cause)];
  json.text("status", failure.status);
  json.text("status_code", failure.code);
  json.text("status_text", failure.text);
  json.text("cause", failure.name);
  json.boolean("final", true);
  json.time("sent_at", receipt.sent_at);
  json.time("delivered_at", receipt.at);
  json.time("occurred_at", receipt.at);
  append_phone(json, phone_owner(receipt, card));
  json.finish();
}

void Writer::write(const Reply& reply, GeneratedRecord& record) const {
  const Card& card = world_.cards[reply.card];
  record.topic = "sms.replies";
  record.event_time = reply.at;
  append_token(record.key, 'p', phone_of(card.token));
  JsonObject json(record.value);
  json.text("schema", "sms_reply/1");
  append_event_id(json.open_text("event_id"), reply.at, reply.fact);
  json.close_text();
  append_token(json.open_text("phone_token"), 'p', phone_of(card.token));
  json.close_text();
  json.text("dest_code", "1069000095000");
  json.text("content", "TD");
  json.time("occurred_at", reply.at);
  json.finish();
}

}  // namespace tillwatch::connectors::generation
