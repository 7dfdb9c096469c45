// Who takes part in the generated traffic: merchants with their terminals and contracts, cards with their subscriptions,
// issuers and acquirers. All of them are fictional; acquirer codes are 990-999, which no institution has.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "connectors/generator.h"
#include "connectors/generator_fee.h"
#include "connectors/generator_random.h"

namespace tillwatch::connectors::generation {

// Who takes part in one anomaly, and in nothing else. What is not asked for is ordinary.
struct Cast {
  uint32_t merchants = 1;
  uint32_t cards = 1;
  bool issuer = false;          // the cards are of an issuer of its own, with a gateway of its own
  bool acquirer = false;        // the merchants have an acquirer of their own
  bool one_city = false;        // the merchants lie in the same city
  bool foreign_region = false;  // the merchants' ids name another city than the one they lie in
  bool notified = false;        // the merchants are told of every sale
  bool unregistered = false;    // and a terminal that no register knows, after the merchants' own
};

// Those of one anomaly: the first of each.
struct Actors {
  uint32_t merchant = 0;
  uint32_t card = 0;
  uint32_t issuer = 0;
  uint32_t stranger = 0;  // the unregistered terminal
  uint32_t number = 0;    // of the anomaly among all, from 1: for names of its own
};

struct Casting {
  Cast cast;
  uint32_t count = 0;  // of anomalies
};

enum class CategoryTier : uint8_t { exempt, preferential, standard };  // in order of the rate

// A merchant category, with how much is spent there.
struct Category {
  uint16_t mcc;
  CategoryTier tier;
  uint8_t weight;         // of 100 merchants about so many
  uint8_t sigma_percent;  // spread of the amounts, in doublings
  int64_t median_minor;
  const char* name_en;
  const char* name_zh;
};
const std::vector<Category>& categories();
const Category& category_of(uint16_t mcc);  // of categories(); aborts when it is not there
bool is_repeat_purchase(uint16_t mcc);      // transit, taxi, toll, parking, courier: equal debits are ordinary there
inline constexpr uint16_t kTransitMcc = 4111;

struct City {
  const char* name;
  const char* province;
  const char* union_pay_code;
  const char* gb_code;
  int32_t latitude_e4, longitude_e4;
};
const std::array<City, 12>& cities();

struct Merchant {
  std::string id;  // 15 characters: acquirer, region, MCC, serial
  uint16_t mcc = 0;
  uint16_t later_mcc = 0;  // from mcc_changes_at on; 0: it stays
  TimeMs mcc_changes_at = 0;
  uint8_t city = 0;
  uint8_t id_city = 0;  // the one its id names
  uint16_t acquirer = 0;
  bool gb_region = false;  // which of the two region codes the id holds
  bool notified = false;   // has a subscription of its own (role merchant)
  int64_t min_notify_minor = 0;
  uint32_t first_terminal = 0;
  uint32_t terminals = 1;
  TimeMs effective_from = 0;
  std::vector<Contract> contracts;  // by effective_from, ascending

  uint16_t mcc_at(TimeMs time) const { return later_mcc != 0 && time >= mcc_changes_at ? later_mcc : mcc; }
  const Contract& contract_at(TimeMs time) const;
};

enum class SlipKind : uint8_t { paper, electronic };

struct Terminal {
  uint32_t merchant = 0;
  uint32_t stan = 0;  // the last one used
  uint8_t device_type = 2;
  uint16_t app_version = 0;
  SlipKind slip = SlipKind::paper;
  bool located = false;  // sends its position
  bool registered = true;
  bool certified = true;
  bool offline_capable = false;
  int32_t latitude_e4 = 0, longitude_e4 = 0;
};
std::string terminal_serial(uint32_t terminal);

enum class CardType : uint8_t { debit, credit };
inline constexpr uint8_t kBySms = 1, kByPush = 2, kByWechat = 4;  // bits of Card::channels

struct Card {
  uint64_t token = 0;
  uint16_t last4 = 0;
  uint16_t issuer = 0;
  CardType type = CardType::debit;
  uint8_t channels = kBySms;
  uint8_t carrier = 0;
  bool enabled = true;
  bool inclusive = true;  // a debit of exactly min_notify_minor is due
  int64_t min_notify_minor = 0;
  TimeMs last_used_at = 0;
  uint64_t phone_owner() const { return shared_phone != 0 ? shared_phone : token; }
  uint64_t shared_phone = 0;  // the token of the card whose phone it is; 0: its own

  // Whether a debit of this amount must be told to the holder.
  bool owes_notice(int64_t amount_minor) const {
    return enabled && (amount_minor > min_notify_minor || (amount_minor == min_notify_minor && inclusive));
  }
};

struct Issuer {
  DurationMs submit_within = 120 * kSecond;
  DurationMs critical_after = 300 * kSecond;
  uint32_t provider = 0;
};

struct Maintenance {
  uint16_t issuer;
  TimeMs from, to;
};

enum class Licence : uint8_t { valid, revoked, expired, other_business, other_region };

struct Acquirer {
  Licence licence = Licence::valid;
};

inline constexpr uint32_t kOrdinaryAcquirers = 10;

struct World {
  World(const GeneratorOptions& options, const std::vector<Casting>& castings);

  TimeMs began_at = 0;
  std::vector<Merchant> merchants;  // the ordinary ones first, then those set apart for anomalies
  std::vector<Terminal> terminals;
  std::vector<Card> cards;  // likewise
  std::vector<Issuer> issuers;
  std::vector<Maintenance> maintenance;
  std::vector<Acquirer> acquirers;
  uint32_t ordinary_merchants = 0;
  uint32_t ordinary_cards = 0;

  std::vector<std::vector<Actors>> actors;  // by casting, then by anomaly

  const Merchant& merchant_of(uint32_t terminal) const { return merchants[terminals[terminal].merchant]; }
  // The end of the maintenance that covers `time`; 0 when there is none.
  TimeMs maintenance_end(uint32_t issuer, TimeMs time) const;
};

}  // namespace tillwatch::connectors::generation
