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

void Writer::append_content(JsonObject& json, const Submission& submission) const {
  const Card& card = world_.cards[submission.card];
  std::string& text = json.open_text("content");
  text += "【示例银行";
  append_number(text, card.issuer + 1);
  text += "】";
  if (submission.category == NoticeCategory::otp) {
    text += "您正在查询尾号";
    append_padded(text, card.last4, 4);
    text += "的账户，如非本人操作请致电95000。";
    return json.close_text();
  }
  const LocalTime local = local_time(submission.about.at);
  text += submission.to_merchant ? "贵店收款，尾号" : "您尾号";
  append_padded(text, card.last4, 4);
  text += card.type == CardType::credit ? "的信用卡" : "的储蓄卡";
  append_number(text, local.month);
  text += "月";
  append_number(text, local.day);
  text += "日";
  append_padded(text, static_cast<uint64_t>(local.hour), 2);
  text += ':';
  append_padded(text, static_cast<uint64_t>(local.minute), 2);
  text += submission.category == NoticeCategory::debit ? "消费" : "退款";
  append_yuan(text, submission.amount_minor);
  text += "元。";
  json.close_text();
}

void Writer::write(const Submission& submission, GeneratedRecord& record) const {
  static constexpr const char* kCategories[] = {"DEBIT", "REFUND_DONE", "OTHER"};
  static constexpr const char* kTemplates[] = {"TPL-DEBIT-1", "TPL-REFUND-1", "TPL-INQUIRY-1"};
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
    json.text("refund_reason", name_of(submission.refund_reason));
  }
  json.text("category", kCategories[category]);
  json.text("recipient_role", submission.to_merchant ? "merchant" : "cardholder");
  json.text("channel", kChannels[static_cast<size_t>(submission.channel)]);
  json.text("transport", "api");
  json.text("provider", provider_name(world_.issuers[card.issuer].provider));
  json.text("carrier", kCarriers[card.carrier]);
  json.text("api_key_id", "k1");
  json.text("source_ip", "10.0.0.5");
  append_phone(json, submission.to_merchant ? submission.merchant : card.token);
  std::string& sign_name = json.open_text("sign_name");
  sign_name += "示例银行";
  append_number(sign_name, card.issuer + 1);
  json.close_text();
  json.text("template_id", kTemplates[category]);
  json.number("parts", 1);
  append_content(json, submission);
  if (submission.category != NoticeCategory::otp) {
    json.begin_object("parsed");
    json.padded("card_last4", card.last4, 4);
    json.number("amount_minor", submission.amount_minor);
    json.text("currency", "CNY");
    json.text("direction", submission.category == NoticeCategory::debit ? "debit" : "credit");
    json.end_object();
  }
  json.number("attempt_no", submission.attempt);
  json.number("max_attempts", 3);
  json.text("submit_status", accepted ? "accepted" : "rejected");
  json.text("submit_code", accepted ? "OK" : "MI:0061");
  json.text("cause", accepted ? "none" : "congestion");
  json.text("auth_result", "ok");
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
  json.text("status", receipt.delivered ? "delivered" : "expired");
  json.text("status_code", receipt.delivered ? "DELIVRD" : "MK:0010");
  json.text("status_text", receipt.delivered ? "用户接收成功" : "用户关机");
  json.text("cause", receipt.delivered ? "none" : "recipient_off");
  json.boolean("final", true);
  json.time("sent_at", receipt.sent_at);
  json.time("delivered_at", receipt.at);
  json.time("occurred_at", receipt.at);
  append_phone(json, receipt.to_merchant ? receipt.merchant : card.token);
  json.finish();
}

}  // namespace tillwatch::connectors::generation
