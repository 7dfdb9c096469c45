#include "connectors/generator_reference.h"

#include <string_view>

#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

// Everything else was registered two years before the run.
constexpr DurationMs kLongBefore = 730 * kDay;

const char* name_of(CategoryTier tier) {
  static constexpr const char* kNames[] = {"exempt", "preferential", "standard"};
  return kNames[static_cast<size_t>(tier)];
}

ReferenceRecord start_record(const char* topic, std::string_view natural_key, TimeMs effective_from, TimeMs recorded_at) {
  ReferenceRecord record;
  record.topic = topic;
  record.key = natural_key;
  record.key += kBeforeVersion;
  append_time(record.key, effective_from);
  record.recorded_at = recorded_at;
  return record;
}

void end_record(JsonObject& json, TimeMs effective_from, TimeMs recorded_at) {
  json.time("effective_from", effective_from);
  json.time("recorded_at", recorded_at);
  json.finish();
}

ReferenceRecord category_record(const Category& category, TimeMs since) {
  std::string mcc;
  append_padded(mcc, category.mcc, 4);
  ReferenceRecord record = start_record("ref.mcc_tier", mcc, since, since);
  JsonObject json(record.value);
  json.text("schema", "mcc_tier/1");
  json.text("mcc", mcc);
  json.text("name_en", category.name_en);
  json.text("name_zh", category.name_zh);
  json.text("tier", name_of(category.tier));
  json.number("rank", static_cast<int64_t>(category.tier));
  end_record(json, since, since);
  return record;
}

ReferenceRecord region_record(uint32_t row, TimeMs since) {
  const City& city = cities()[row / 2];
  const bool gb = row % 2 == 1;
  const char* const code = gb ? city.gb_code : city.union_pay_code;
  ReferenceRecord record = start_record("ref.region", code, since, since);
  JsonObject json(record.value);
  json.text("schema", "region/1");
  json.text("code", code);
  json.text("system", gb ? "gb" : "unionpay");
  json.text("province", city.province);
  json.text("city", city.name);
  json.text("gb", city.gb_code);
  json.begin_object("location");
  json.decimal("lat", city.latitude_e4, 4);
  json.decimal("lon", city.longitude_e4, 4);
  json.text("coord_system", "WGS84");
  json.end_object();
  end_record(json, since, since);
  return record;
}

ReferenceRecord sla_record(const World& world, uint32_t issuer, TimeMs since) {
  const std::string id = issuer_id(issuer);
  ReferenceRecord record = start_record("ref.issuer_sla", id, since, since);
  JsonObject json(record.value);
  json.text("schema", "issuer_sla/1");
  json.text("issuer_id", id);
  json.number("submit_within_ms", world.issuers[issuer].submit_within);
  json.number("critical_after_ms", world.issuers[issuer].critical_after);
  json.number("deliver_within_ms", 300'000);
  json.text("provider", provider_name(world.issuers[issuer].provider));
  end_record(json, since, since);
  return record;
}

// Holds from `from` to `to` only: outside of it a look-up finds nothing.
ReferenceRecord maintenance_record(const Maintenance& window, TimeMs recorded_at) {
  const std::string id = issuer_id(window.issuer);
  ReferenceRecord record = start_record("ref.maintenance", "issuer|" + id, window.from, recorded_at);
  JsonObject json(record.value);
  json.text("schema", "maintenance/1");
  json.text("scope", "issuer");
  json.text("id", id);
  json.time("from", window.from);
  json.time("to", window.to);
  json.begin_array("effects");
  json.element("sms");
  json.end_array();
  json.time("effective_to", window.to);
  end_record(json, window.from, recorded_at);
  return record;
}

void append_product(JsonObject& json, const char* card_type, const char* method, const Price& price) {
  json.begin_element();
  json.text("card_type", card_type);
  json.text("payment_method", method);
  json.text("tier", "*");
  json.decimal("rate_bp", price.rate_ppm, 2);
  if (price.cap_minor > 0) json.number("cap_minor", price.cap_minor);
  json.number("flat_minor", price.flat_minor);
  if (price.upto_minor > 0) {
    json.begin_array("tiers");
    json.begin_element();
    json.number("upto_minor", price.upto_minor);
    json.decimal("rate_bp", price.tier_rate_ppm, 2);
    json.end_object();
    json.begin_element();
    json.decimal("rate_bp", price.rate_ppm, 2);
    json.end_object();
    json.end_array();
  }
  json.end_object();
}

// Who may be told, over what, from which amount on: what the two subscriptions differ in.
struct Terms {
  bool of_card;
  std::string subject_id;
  uint64_t phone_owner;
  uint8_t channels;
  bool enabled;
  bool inclusive;
  int64_t min_notify_minor;
  std::string issuer;
};

ReferenceRecord subscription_record(const Terms& terms, TimeMs since, TimeMs recorded_at) {
  const char* role = terms.of_card ? "cardholder" : "merchant";
  ReferenceRecord record = start_record("ref.subscription", terms.subject_id + "|" + role, since, recorded_at);
  JsonObject json(record.value);
  json.text("schema", "subscription/1");
  json.text("subject", terms.of_card ? "card" : "merchant");
  json.text("subject_id", terms.subject_id);
  json.text("role", role);
  json.text(terms.of_card ? "card_token" : "merchant_id", terms.subject_id);
  json.null(terms.of_card ? "merchant_id" : "card_token");
  json.text("recipient_role", role);
  append_token(json.open_text("phone_token"), 'p', phone_of(terms.phone_owner));
  json.close_text();
  json.begin_array("channels");
  if ((terms.channels & kBySms) != 0) json.element("sms");
  if ((terms.channels & kByPush) != 0) json.element("app_push");
  if ((terms.channels & kByWechat) != 0) json.element("wechat");
  json.end_array();
  json.boolean("enabled", terms.enabled);
  json.number("min_notify_amount_minor", terms.min_notify_minor);
  json.text("currency", "CNY");
  json.boolean("min_notify_inclusive", terms.inclusive);
  json.begin_array("categories");
  json.element("DEBIT");
  json.element("REFUND_DONE");
  json.end_array();
  json.boolean("notify_on_decline", false);
  json.time("opt_in_at", since);
  if (terms.enabled) {
    json.null("opt_out_at");
  } else {
    json.time("opt_out_at", since + 30 * kDay);
  }
  if (!terms.issuer.empty()) json.text("issuer_id", terms.issuer);
  end_record(json, since, recorded_at);
  return record;
}

Terms terms_of_card(const Card& card) {
  return {.of_card = true,
          .subject_id = card_token(card),
          .phone_owner = card.token,
          .channels = card.channels,
          .enabled = card.enabled,
          .inclusive = card.inclusive,
          .min_notify_minor = card.min_notify_minor,
          .issuer = issuer_id(card.issuer)};
}

Terms terms_of_merchant(const Merchant& merchant, uint32_t index) {
  return {.of_card = false,
          .subject_id = merchant.id,
          .phone_owner = index,
          .channels = kByPush,
          .enabled = true,
          .inclusive = true,
          .min_notify_minor = merchant.min_notify_minor,
          .issuer = ""};
}

}  // namespace

ReferenceRecord acquirer_version(const World& world, uint32_t acquirer, Licence licence, TimeMs effective_from,
                                 TimeMs recorded_at) {
  const std::string id = acquirer_id(acquirer);
  ReferenceRecord record = start_record("ref.acquirer", id, effective_from, recorded_at);
  JsonObject json(record.value);
  json.text("schema", "acquirer/1");
  json.text("acquirer_id", id);
  json.begin_array("mid_prefixes");
  json.element(id.substr(0, 3));
  json.end_array();
  json.text("licence_no", "Z" + id);
  json.begin_array("licence_types");
  json.element(licence == Licence::other_business ? "prepaid_card" : "bank_card_acquiring");
  json.end_array();
  json.begin_array("regions");
  json.element(licence == Licence::other_region ? "46" : "*");  // Hainan, where none of the cities lies
  json.end_array();
  json.date("licence_valid_to", world.began_at + (licence == Licence::expired ? -2 : 2920) * kDay);
  json.text("status", licence == Licence::revoked ? "revoked" : "licensed");
  end_record(json, effective_from, recorded_at);
  return record;
}

ReferenceRecord terminal_version(const World& world, uint32_t index, const Placement& placement, TimeMs effective_from,
                                 TimeMs recorded_at) {
  const Terminal& terminal = world.terminals[index];
  const uint32_t account = placement.account.value_or(index);
  const Merchant& merchant = world.merchant_of(account);
  std::string id;
  append_padded(id, 100U + account, 8);
  const std::string serial = terminal_serial(index);
  ReferenceRecord record = start_record("ref.terminal", serial, effective_from, recorded_at);
  JsonObject json(record.value);
  json.text("schema", "terminal/1");
  json.text("terminal_id", id);
  json.text("terminal_sn", serial);
  json.text("merchant_id", merchant.id);
  json.text("acquirer_id", acquirer_id(merchant.acquirer));
  json.padded("device_type", terminal.device_type, 2);
  json.text("network_license", "P3100");
  json.boolean("certified", terminal.certified || placement.certified);
  json.text("mobility", "fixed");
  json.begin_object("location");
  json.decimal("lat", terminal.latitude_e4 + placement.moved_e4, 4);
  json.decimal("lon", terminal.longitude_e4, 4);
  json.text("coord_system", "WGS84");
  json.end_object();
  json.number("geofence_m", 5000);
  json.text("slip_capability", terminal.slip == SlipKind::paper ? "paper" : "electronic");
  json.boolean("supports_sms", true);
  json.boolean("offline_capable", terminal.offline_capable);
  json.boolean("shared_merchants", false);
  json.text("app_version", "2.3." + std::to_string(terminal.app_version));
  end_record(json, effective_from, recorded_at);
  return record;
}

ReferenceRecord subscription_version(const Card& card, uint64_t phone_owner, TimeMs effective_from, TimeMs recorded_at) {
  Terms terms = terms_of_card(card);
  terms.phone_owner = phone_owner;
  return subscription_record(terms, effective_from, recorded_at);
}

ReferenceRecord sending_key_version(const std::string& api_key_id, const char* address, TimeMs effective_from,
                                    TimeMs recorded_at) {
  ReferenceRecord record = start_record("ref.sms_key", api_key_id, effective_from, recorded_at);
  JsonObject json(record.value);
  json.text("schema", "sms_key/1");
  json.text("api_key_id", api_key_id);
  json.begin_array("addresses");
  json.element(address);
  json.end_array();
  end_record(json, effective_from, recorded_at);
  return record;
}

ReferenceRecord merchant_version(const World& world, uint32_t merchant, uint16_t mcc, TimeMs effective_from,
                                 TimeMs recorded_at) {
  const Merchant& row = world.merchants[merchant];
  const City& city = cities()[row.city];
  ReferenceRecord record = start_record("ref.merchant", row.id, effective_from, recorded_at);
  JsonObject json(record.value);
  json.text("schema", "merchant/1");
  json.text("merchant_id", row.id);
  json.text("name", merchant_name(world, merchant));
  json.padded("mcc", mcc, 4);
  json.text("tier", name_of(category_of(mcc).tier));
  json.text("acquirer_id", acquirer_id(row.acquirer));
  json.text("region_code", row.gb_region ? city.gb_code : city.union_pay_code);
  json.text("city_gb", city.gb_code);
  json.begin_object("location");
  json.decimal("lat", world.terminals[row.first_terminal].latitude_e4, 4);
  json.decimal("lon", world.terminals[row.first_terminal].longitude_e4, 4);
  json.text("coord_system", "WGS84");
  json.end_object();
  append_token(json.open_text("settlement_account_token"), 'a', mix(merchant));
  json.close_text();
  json.text("status", "active");
  json.boolean("notify_required", row.notified);
  json.boolean("multi_terminal", row.terminals > 1);
  end_record(json, effective_from, recorded_at);
  return record;
}

ReferenceRecord contract_version(const World& world, uint32_t merchant, const Contract& contract) {
  const Merchant& row = world.merchants[merchant];
  ReferenceRecord record = start_record("ref.rate_contract", row.id, contract.effective_from, contract.recorded_at);
  JsonObject json(record.value);
  json.text("schema", "rate_contract/1");
  json.text("merchant_id", row.id);
  json.number("version", contract.version);
  json.time("notice_at", contract.notice_at);
  json.begin_array("products");
  append_product(json, "credit", "*", contract.credit);
  append_product(json, "debit", "*", contract.debit);
  append_product(json, "credit", "qr_*", contract.qr_credit);
  append_product(json, "debit", "qr_*", contract.qr_debit);
  json.end_array();
  json.begin_array("allowed_fee_types");
  json.element("MERCHANT_SERVICE");
  if (contract.credit.flat_minor > 0) json.element("INSTANT_SETTLEMENT");
  json.end_array();
  json.text("rounding", "half_up");
  json.boolean("refund_fee_returned", contract.refund_fee_returned);
  end_record(json, contract.effective_from, contract.recorded_at);
  return record;
}

bool Prologue::next(ReferenceRecord& record) {
  constexpr uint32_t kTables = 10;
  for (; table_ < kTables; ++table_, row_ = 0, version_ = 0) {
    if (next_of_table(record)) return true;
  }
  return false;
}

// The row at hand of the table at hand, and one step on; false at the end of the table.
bool Prologue::next_of_table(ReferenceRecord& record) {
  const TimeMs since = local_midnight(options_.start) - kLongBefore;
  const size_t rows[] = {categories().size(),     world_.acquirers.size(), world_.issuers.size(), world_.maintenance.size(),
                         world_.terminals.size(), world_.cards.size(),     2 * cities().size()};
  if (table_ == 7) return next_merchant(record);
  if (table_ == 8) return next_contract(record);
  if (table_ == 9) return next_merchant_subscription(record);
  while (table_ == 4 && row_ < rows[4] && !world_.terminals[row_].registered) ++row_;
  if (row_ >= rows[table_]) return false;
  const uint32_t row = row_++;
  switch (table_) {
    case 0:
      record = category_record(categories()[row], since);
      break;
    case 1:
      record = acquirer_version(world_, row, world_.acquirers[row].licence, since, since);
      break;
    case 2:
      record = sla_record(world_, row, since);
      break;
    case 3:
      record = maintenance_record(world_.maintenance[row], local_midnight(options_.start) - 7 * kDay);
      break;
    case 4:
      record = terminal_version(world_, row, {}, world_.merchant_of(row).effective_from,
                                world_.merchant_of(row).effective_from + 9 * kHour);
      break;
    case 5:
      record = subscription_version(world_.cards[row], world_.cards[row].phone_owner(), since, since);
      break;
    default:
      record = region_record(row, since);
      break;
  }
  return true;
}

bool Prologue::next_merchant(ReferenceRecord& record) {
  if (row_ >= world_.merchants.size()) return false;
  const Merchant& merchant = world_.merchants[row_];
  const bool first = version_++ == 0;
  record = first ? merchant_version(world_, row_, merchant.mcc, merchant.effective_from, merchant.effective_from + 9 * kHour)
                 : merchant_version(world_, row_, merchant.later_mcc, merchant.mcc_changes_at,
                                    local_midnight(options_.start) - 10 * kDay);
  if (!first || merchant.later_mcc == 0) next_row();
  return true;
}

bool Prologue::next_contract(ReferenceRecord& record) {
  if (row_ >= world_.merchants.size()) return false;
  const auto& contracts = world_.merchants[row_].contracts;
  record = contract_version(world_, row_, contracts[version_++]);
  if (version_ == contracts.size()) next_row();
  return true;
}

bool Prologue::next_merchant_subscription(ReferenceRecord& record) {
  while (row_ < world_.merchants.size() && !world_.merchants[row_].notified) ++row_;
  if (row_ >= world_.merchants.size()) return false;
  const TimeMs since = world_.merchants[row_].effective_from;
  record = subscription_record(terms_of_merchant(world_.merchants[row_], row_), since, since);
  next_row();
  return true;
}

void Prologue::next_row() {
  ++row_;
  version_ = 0;
}

}  // namespace tillwatch::connectors::generation
