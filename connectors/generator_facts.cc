#include "connectors/generator_facts.h"

#include <iterator>

#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {

const char* name_of(ReasonCode reason) {
  static constexpr const char* kNames[] = {"", "ORDER_ERROR", "GOODS_ISSUE", "ACCOUNT_ISSUE", "OTHER", "TIMEOUT", "OPERATOR"};
  return kNames[static_cast<size_t>(reason)];
}

void append_token(std::string& out, char kind, uint64_t token) {
  out += kind;
  out += '_';
  append_hex(out, token);
}

void append_card_token(std::string& out, const Card& card) { append_token(out, 'c', card.token); }

void append_merchant_name(std::string& out, uint16_t mcc, uint32_t merchant) {
  out += "示例";
  out += category_of(mcc).name_zh;
  append_padded(out, merchant, 5);
}

const char* name_of(PaymentMethod method) {
  static constexpr const char* kNames[] = {"card_mag", "card_chip", "card_contactless", "qr_consumer_presented",
                                           "qr_merchant_presented"};
  return kNames[static_cast<size_t>(method)];
}

const char* name_of(CardType type) { return type == CardType::credit ? "credit" : "debit"; }

std::string provider_name(uint32_t provider) {
  static constexpr const char* kNames[] = {"aliyun-sim", "tencent-sim", "huawei-sim"};
  if (provider < std::size(kNames)) return kNames[provider];
  std::string name = "regional-sim-";  // one bank's own gateway
  append_padded(name, provider, 4);
  return name;
}

int64_t pick_amount(Random& random, uint16_t mcc) {
  constexpr int64_t kLargestMinor = 4'900'000;  // below what counts as a large transaction
  const Category& category = category_of(mcc);
  int64_t amount = scale_by_power_of_two(category.median_minor, random.normal_q16() * category.sigma_percent / 100);
  const uint32_t style = random.below(10);  // prices end in .00, .50, .90 or anyhow
  if (amount > 1000 && style < 7) amount = amount / 100 * 100 + (style < 5 ? 0 : style == 5 ? 50 : 90);
  if (amount < 50) amount = 50;
  return amount > kLargestMinor ? kLargestMinor - random.between(0, 90'000) : amount;
}

PaymentMethod pick_method(Random& random) {
  using enum PaymentMethod;
  constexpr PaymentMethod kMethods[] = {card_chip,
                                        card_chip,
                                        card_chip,
                                        card_contactless,
                                        card_contactless,
                                        card_contactless,
                                        card_mag,
                                        qr_consumer_presented,
                                        qr_consumer_presented,
                                        qr_merchant_presented};
  return kMethods[random.below(10)];
}

const char* name_of(FeeType type) {
  static constexpr const char* kNames[] = {"MERCHANT_SERVICE", "DEPOSIT", "ANNUAL", "DATA_SIM", "SMS_SERVICE"};
  return kNames[static_cast<size_t>(type)];
}

std::string card_token(const Card& card) {
  std::string token;
  append_card_token(token, card);
  return token;
}

std::string issuer_id(uint32_t issuer) {
  std::string id;
  append_padded(id, 900U + issuer, 4);
  return id;
}

// 990 to 999, then a number: no institution has these.
std::string acquirer_id(uint32_t acquirer) {
  std::string id = std::to_string(990 + acquirer % 10) + "1";
  append_padded(id, 1 + acquirer / 10, 4);
  return id;
}

std::string merchant_name(const World& world, uint32_t merchant) {
  std::string name;
  append_merchant_name(name, world.merchants[merchant].mcc, merchant);
  return name;
}

void append_transaction_id(std::string& out, const TransactionId& id) {
  out += 'T';
  append_date(out, id.at, "");
  append_padded(out, id.number, 10);
}

}  // namespace tillwatch::connectors::generation
