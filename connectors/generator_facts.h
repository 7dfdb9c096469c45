// What happened, in a form small enough to wait for its arrival: the facts behind the records, before they become JSON.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/generator_world.h"
#include "engine/base/time.h"

namespace tillwatch::connectors::generation {

// A transaction's number says its date, so both are needed to write its id.
struct TransactionId {
  uint64_t number = 0;  // 0: none
  TimeMs at = 0;
};
void append_transaction_id(std::string& out, const TransactionId& id);  // "T202611220000000123"

enum class TransactionType : uint8_t {
  sale,
  preauth,
  preauth_completion,
  void_sale,
  preauth_void,
  refund,
  reversal,
  adjustment,
  balance_inquiry
};
enum class TransactionStatus : uint8_t { approved, declined, timeout };
enum class PaymentMethod : uint8_t { card_mag, card_chip, card_contactless, qr_consumer_presented, qr_merchant_presented };
enum class ReasonCode : uint8_t { none, order_error, goods_issue, account_issue, other, timeout, operator_error };
// How an undoing names its original.
enum class Link : uint8_t { none, by_id, by_stan, by_rrn };

constexpr bool is_qr(PaymentMethod method) { return method >= PaymentMethod::qr_consumer_presented; }
const char* name_of(PaymentMethod method);
const char* name_of(CardType type);
const char* name_of(ReasonCode reason);

struct Transaction {
  TransactionId id;
  uint64_t fact = 0;   // makes the event_id
  TimeMs host_at = 0;  // 0: the terminal's own report, of which the host knows nothing
  uint64_t rrn = 0;    // 0: none
  int64_t amount_minor = 0;
  int64_t billed_minor = 0;  // the cashier's bill; 0: the amount
  uint32_t card = 0;
  uint32_t terminal = 0;  // whose merchant and terminal id it goes under
  uint32_t device = 0;    // the terminal that stands there: serial number, software, place
  int32_t moved_e4 = 0;   // so far north of its place the device says it is, in 1e-4 degrees
  uint32_t stan = 0;
  uint32_t batch = 0;
  uint32_t order = 0;   // 0: none
  uint32_t refund = 0;  // 0: none
  uint16_t mcc = 0;
  uint16_t response_code = 0;  // two digits
  TransactionType type = TransactionType::sale;
  TransactionStatus status = TransactionStatus::approved;
  PaymentMethod method = PaymentMethod::card_chip;
  ReasonCode reason = ReasonCode::none;
  bool answered = true;  // the terminal got the response
  bool offline = false;  // sent up later, at host_at
  Link link = Link::none;
  TransactionId original;
  uint64_t original_rrn = 0;
  uint32_t original_stan = 0;
  uint32_t original_batch = 0;
  int64_t original_amount_minor = 0;

  TimeMs at() const { return id.at; }
  bool reported_by_terminal() const { return host_at == 0; }
  // When the bank can know of it.
  TimeMs known_at() const { return host_at == 0 ? id.at : host_at; }
};

enum class SlipStatus : uint8_t { printed, reprinted, failed, e_slip_issued, e_slip_signed };

struct Slip {
  TransactionId transaction;
  TimeMs at = 0;
  uint64_t fact = 0;
  uint32_t card = 0;  // for the Kafka key only
  uint32_t terminal = 0;
  uint32_t stan = 0;
  uint32_t batch = 0;
  SlipStatus status = SlipStatus::printed;
};

// A moment of the day a transaction is cleared for: what happens after 23:00 belongs to the next.
constexpr TimeMs settlement_day(TimeMs at) { return at + kHour; }

enum class LineType : uint8_t { sale, refund, adjustment, fee_only };
enum class FeeType : uint8_t { merchant_service, deposit, annual, data_sim, sms_service };
const char* name_of(FeeType type);

struct SettlementLine {
  TransactionId transaction;
  TimeMs posted_at = 0;
  uint64_t fact = 0;
  uint64_t rrn = 0;
  int64_t amount_minor = 0;
  int64_t fee_minor = 0;
  int64_t flat_minor = 0;  // the part of the fee that is per transaction
  int32_t rate_ppm = 0;    // 0: not stated
  uint32_t card = 0;
  uint32_t terminal = 0;
  uint16_t settled_mcc = 0;
  PaymentMethod method = PaymentMethod::card_chip;
  LineType type = LineType::sale;
  FeeType fee_type = FeeType::merchant_service;  // of the fee, less the flat part
  bool other_account = false;                    // paid to one that is not the merchant's
};

enum class NoticeCategory : uint8_t { debit, refund_done, refund_promised, declined, other };
enum class Channel : uint8_t { sms, app_push, wechat, email };
enum class SubmitStatus : uint8_t { accepted, rejected };
// Why a message was refused, or not delivered.
enum class FailureCause : uint8_t { none, recipient_off, invalid_number, content_blocked, congestion, carrier_internal, auth };
// What is wrong with a text.
enum class Flaw : uint8_t { none, no_signature, unknown_link, unknown_contact, asks_code, advertising, too_long };

// What a text says, where that is not as the transaction was.
struct Saying {
  int64_t amount_minor = 0;  // 0: the submission's
  int32_t tail = -1;         // last digits of the card; -1: its own
  DurationMs off = 0;        // the time it says, less the transaction's
  bool credit = false;       // money coming in
  bool parsed = true;        // the sender says it in fields as well
  Flaw flaw = Flaw::none;
};

// From where senders of their own send.
inline constexpr const char* kSenderAddress = "198.51.100.23";

struct Submission {
  TransactionId transaction;  // number 0: the submission does not say
  TransactionId about;        // what its text speaks of
  TimeMs at = 0;
  uint64_t fact = 0;
  uint64_t message = 0;
  int64_t amount_minor = 0;
  uint32_t card = 0;
  uint32_t merchant = 0;
  uint32_t refund = 0;  // 0: none
  NoticeCategory category = NoticeCategory::debit;
  ReasonCode refund_reason = ReasonCode::none;
  Channel channel = Channel::sms;
  SubmitStatus status = SubmitStatus::accepted;
  FailureCause cause = FailureCause::congestion;  // of a rejected one
  bool to_merchant = false;
  uint8_t attempt = 1;
  uint32_t sender = 0;       // of its own: key, address and template; 0: the banks' usual one
  uint64_t phone_owner = 0;  // phone_of() has the phone; 0: the recipient
  Saying saying;
};

struct Receipt {
  TimeMs sent_at = 0;
  TimeMs at = 0;
  uint64_t fact = 0;
  uint64_t message = 0;
  uint32_t card = 0;
  uint32_t merchant = 0;
  uint64_t phone_owner = 0;
  bool to_merchant = false;
  FailureCause cause = FailureCause::none;  // none: delivered
};

// What a holder answers to a message: take me off the list.
struct Reply {
  TimeMs at = 0;
  uint64_t fact = 0;
  uint32_t card = 0;
};

// A reference record, written when it was decided on. Its key is the natural key, '@' and effective_from.
inline constexpr char kBeforeVersion = '@';
struct ReferenceRecord {
  const char* topic = "";
  std::string key;
  std::string value;
  TimeMs recorded_at = 0;
};

// What somebody may well pay at such a merchant, and how.
int64_t pick_amount(Random& random, uint16_t mcc);
PaymentMethod pick_method(Random& random);

// "c_", "p_" or "a_" and sixteen digits: an opaque token.
void append_token(std::string& out, char kind, uint64_t token);
// The number behind the phone of a card (its token) or of a merchant (its index).
constexpr uint64_t phone_of(uint64_t owner) { return mix(owner ^ 0x70686f6e65ULL); }
void append_card_token(std::string& out, const Card& card);
std::string card_token(const Card& card);
void append_merchant_name(std::string& out, uint16_t mcc, uint32_t merchant);
std::string provider_name(uint32_t provider);
std::string issuer_id(uint32_t issuer);
std::string acquirer_id(uint32_t acquirer);
std::string merchant_name(const World& world, uint32_t merchant);

}  // namespace tillwatch::connectors::generation
