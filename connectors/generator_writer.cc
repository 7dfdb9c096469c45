#include "connectors/generator_writer.h"

#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

struct TypeRow {
  const char* name;
  const char* mti;
  const char* processing_code;
  const char* condition_code;
};

const TypeRow& row_of(TransactionType type) {
  static constexpr TypeRow kRows[] = {{"sale", "0210", "000000", "00"},
                                      {"preauth", "0110", "030000", "06"},
                                      {"preauth_completion", "0210", "000000", "06"},
                                      {"void", "0210", "200000", "00"},
                                      {"preauth_void", "0110", "200000", "06"},
                                      {"refund", "0230", "200000", "00"},
                                      {"reversal", "0410", "000000", "00"},
                                      {"adjustment", "0230", "000000", "00"},
                                      {"balance_inquiry", "0210", "310000", "00"}};
  return kRows[static_cast<size_t>(type)];
}

const char* entry_mode(PaymentMethod method) {
  static constexpr const char* kModes[] = {"021", "051", "071", "031", "041"};
  return kModes[static_cast<size_t>(method)];
}

void append_location(JsonObject& json, const Terminal& terminal, int32_t moved_e4, uint64_t noise) {
  json.begin_object("location");
  json.decimal("lat", terminal.latitude_e4 + moved_e4 + static_cast<int64_t>(noise % 5) - 2, 4);
  json.decimal("lon", terminal.longitude_e4 + static_cast<int64_t>(noise / 5 % 5) - 2, 4);
  json.text("coord_system", "WGS84");
  json.text("source", "gps");
  json.number("accuracy_m", 15 + static_cast<int64_t>(noise / 25 % 30));
  json.end_object();
}

}  // namespace

// 26 characters of Crockford's base 32, as a ULID has them: the time, then what makes it unique.
void Writer::append_event_id(std::string& out, TimeMs at, uint64_t fact) const {
  static constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto put = [&out](uint64_t value, int digits) {
    for (int i = digits - 1; i >= 0; --i) out += kDigits[(value >> (5 * i)) & 31];
  };
  put(static_cast<uint64_t>(at), 10);
  put(mix(seed_ ^ fact), 7);
  put(fact, 9);
}

void Writer::append_original(JsonObject& json, const Transaction& transaction) const {
  if (transaction.link == Link::none) return json.null("original");
  json.begin_object("original");
  if (transaction.link == Link::by_id) {
    append_transaction_id(json.open_text("txn_id"), transaction.original);
    json.close_text();
  }
  if (transaction.link == Link::by_stan) {
    json.padded("stan", transaction.original_stan, 6);
    json.padded("batch_no", transaction.original_batch, 6);
  }
  if (transaction.original_rrn != 0) json.padded("rrn", transaction.original_rrn, 12);
  const LocalTime local = local_time(transaction.original.at);
  json.padded("local_date", static_cast<uint64_t>(local.month * 100 + local.day), 4);
  json.number("amount_minor", transaction.original_amount_minor);
  json.end_object();
}

void Writer::write(const Transaction& transaction, GeneratedRecord& record) const {
  const Card& card = world_.cards[transaction.card];
  const Terminal& terminal = world_.terminals[transaction.terminal];
  const Terminal& device = world_.terminals[transaction.device];
  const Merchant& merchant = world_.merchants[terminal.merchant];
  const TypeRow& row = row_of(transaction.type);
  const TimeMs at = transaction.at();
  record.topic = "pos.transactions";
  record.event_time = at;
  append_card_token(record.key, card);

  JsonObject json(record.value);
  json.text("schema", "transaction/1");
  append_event_id(json.open_text("event_id"), at, transaction.fact);
  json.close_text();
  append_transaction_id(json.open_text("txn_id"), transaction.id);
  json.close_text();
  json.text("txn_type", row.name);
  static constexpr const char* kStatuses[] = {"approved", "declined", "timeout"};
  json.text("status", kStatuses[static_cast<size_t>(transaction.status)]);
  json.padded("response_code", transaction.response_code, 2);
  json.text("reported_by", transaction.reported_by_terminal() ? "terminal" : "host");
  json.text("mti", transaction.offline ? "0230" : row.mti);
  json.text("processing_code", row.processing_code);
  json.text("pos_condition_code", row.condition_code);
  json.time("occurred_at", at);
  json.time("requested_at", at - 1220);
  if (transaction.answered) json.time("responded_at", at - 70);
  if (!transaction.reported_by_terminal()) json.time("host_at", transaction.host_at);
  json.number("ingested_at", transaction.known_at() + 25);
  const LocalTime local = local_time(at);
  json.padded("local_date", static_cast<uint64_t>(local.month * 100 + local.day), 4);
  json.padded("local_time", static_cast<uint64_t>(local.hour * 10'000 + local.minute * 100 + local.second), 6);
  json.date("settlement_date", settlement_day(at));
  json.number("amount_minor", transaction.amount_minor);
  if (transaction.type == TransactionType::sale) {
    json.number("order_amount_minor", transaction.billed_minor != 0 ? transaction.billed_minor : transaction.amount_minor);
  }
  json.text("currency", "CNY");
  append_card_token(json.open_text("card_token"), card);
  json.close_text();
  std::string& pan = json.open_text("pan_masked");
  append_padded(pan, 629'900U + card.issuer, 6);
  pan += "******";
  append_padded(pan, card.last4, 4);
  json.close_text();
  json.padded("card_last4", card.last4, 4);
  json.text("card_type", name_of(card.type));
  json.padded("issuer_id", 900U + card.issuer, 4);
  json.text("payment_method", name_of(transaction.method));
  json.text("entry_mode", entry_mode(transaction.method));
  json.text("acquirer_id", acquirer_id(merchant.acquirer));
  json.text("merchant_id", merchant.id);
  append_merchant_name(json.open_text("merchant_name"), merchant.mcc, terminal.merchant);
  json.close_text();
  json.padded("mcc", transaction.mcc, 4);
  json.padded("terminal_id", 100U + transaction.terminal, 8);
  json.text("terminal_sn", terminal_serial(transaction.device));
  json.padded("device_type", device.device_type, 2);
  std::string& version = json.open_text("app_version");
  version += "2.3.";
  append_number(version, device.app_version);
  json.close_text();
  json.text("operator_id", "01");
  if (transaction.order != 0) {
    std::string& order = json.open_text("order_no");
    order += "SO-";
    append_number(order, transaction.order);
    json.close_text();
  }
  json.padded("stan", transaction.stan, 6);
  json.padded("batch_no", transaction.batch, 6);
  if (transaction.rrn != 0) json.padded("rrn", transaction.rrn, 12);
  if (transaction.status == TransactionStatus::approved) json.padded("auth_code", mix(transaction.fact), 6);
  if (device.located) append_location(json, device, transaction.moved_e4, mix(transaction.id.number));
  json.text("upload_mode", transaction.offline ? "offline_advice" : "online");
  if (transaction.reason != ReasonCode::none) json.text("reason_code", name_of(transaction.reason));
  if (transaction.refund != 0) {
    std::string& refund = json.open_text("refund_id");
    refund += "RF-";
    append_number(refund, transaction.refund);
    json.close_text();
  }
  append_original(json, transaction);
  json.finish();
}

void Writer::write(const Slip& slip, GeneratedRecord& record) const {
  static constexpr const char* kStatuses[] = {"printed", "reprinted", "failed", "e_slip_issued", "e_slip_signed"};
  const Terminal& terminal = world_.terminals[slip.terminal];
  record.topic = "pos.slips";
  record.event_time = slip.at;
  append_card_token(record.key, world_.cards[slip.card]);
  JsonObject json(record.value);
  json.text("schema", "slip/1");
  append_event_id(json.open_text("event_id"), slip.at, slip.fact);
  json.close_text();
  append_transaction_id(json.open_text("txn_id"), slip.transaction);
  json.close_text();
  json.text("merchant_id", world_.merchants[terminal.merchant].id);
  json.padded("terminal_id", 100U + slip.terminal, 8);
  json.padded("batch_no", slip.batch, 6);
  json.padded("stan", slip.stan, 6);
  json.text("status", kStatuses[static_cast<size_t>(slip.status)]);
  json.text("kind", terminal.slip == SlipKind::paper ? "paper" : "electronic");
  json.number("copy", slip.status == SlipStatus::reprinted ? 2 : 1);
  if (slip.status == SlipStatus::failed) {
    json.text("fault_code", "OUT_OF_PAPER");
  } else {
    json.null("fault_code");
  }
  json.time("occurred_at", slip.at);
  json.finish();
}

void Writer::write(const SettlementLine& line, GeneratedRecord& record) const {
  static constexpr const char* kTypes[] = {"sale", "refund", "adjustment", "fee_only"};
  const Card& card = world_.cards[line.card];
  const uint32_t merchant = world_.terminals[line.terminal].merchant;
  record.topic = "pos.settlements";
  record.event_time = line.posted_at;
  append_card_token(record.key, card);
  JsonObject json(record.value);
  json.text("schema", "settlement/1");
  append_event_id(json.open_text("event_id"), line.posted_at, line.fact);
  json.close_text();
  std::string& line_id = json.open_text("line_id");
  line_id += 'S';
  append_date(line_id, line.posted_at, "");
  line_id += '-';
  append_padded(line_id, line.fact, 10);
  json.close_text();
  append_transaction_id(json.open_text("txn_id"), line.transaction);
  json.close_text();
  if (line.rrn != 0) json.padded("rrn", line.rrn, 12);
  json.text("merchant_id", world_.merchants[merchant].id);
  json.padded("terminal_id", 100U + line.terminal, 8);
  json.text("line_type", kTypes[static_cast<size_t>(line.type)]);
  json.date("settlement_date", settlement_day(line.transaction.at));
  json.time("txn_at", line.transaction.at);
  json.time("posted_at", line.posted_at);
  json.number("amount_minor", line.amount_minor);
  json.number("fee_minor", line.fee_minor);
  json.number("net_minor",
              line.type == LineType::refund ? -line.amount_minor - line.fee_minor : line.amount_minor - line.fee_minor);
  json.text("currency", "CNY");
  json.padded("settled_mcc", line.settled_mcc, 4);
  json.text("card_type", name_of(card.type));
  json.text("payment_method", name_of(line.method));
  json.begin_array("fee_lines");
  if (line.type != LineType::adjustment) {
    json.begin_element();
    json.text("fee_type", name_of(line.fee_type));
    json.number("amount_minor", line.fee_minor - line.flat_minor);
    if (line.rate_ppm != 0) json.decimal("rate_bp", line.rate_ppm, 2);
    json.end_object();
  }
  if (line.flat_minor != 0) {
    json.begin_element();
    json.text("fee_type", "INSTANT_SETTLEMENT");
    json.number("amount_minor", line.flat_minor);
    json.end_object();
  }
  json.end_array();
  json.text("payer_id", acquirer_id(world_.merchants[merchant].acquirer));
  append_token(json.open_text("payee_account_token"), 'a', line.other_account ? mix(~uint64_t{merchant}) : mix(merchant));
  json.close_text();
  json.finish();
}

void Writer::write(const ReferenceRecord& reference, GeneratedRecord& record) {
  record.topic = reference.topic;
  record.event_time = reference.recorded_at;
  record.key = reference.key;
  record.value = reference.value;
}

}  // namespace tillwatch::connectors::generation
