// One transaction at a terminal, with all that follows from it: slip, messages and settlement line.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "connectors/generator_agenda.h"
#include "connectors/generator_creep.h"
#include "connectors/generator_delivery.h"
#include "connectors/generator_facts.h"
#include "connectors/generator_notices.h"
#include "connectors/generator_random.h"
#include "connectors/generator_recent.h"
#include "connectors/generator_world.h"

namespace tillwatch::connectors::generation {

// A debit that the host approves. What is not set is as usual.
struct Debit {
  uint32_t card = 0;
  uint32_t terminal = 0;
  std::optional<uint32_t> device;  // what stands there, if it is not the terminal itself
  int32_t moved_e4 = 0;            // so far north of its place
  int64_t amount_minor = 0;
  int64_t billed_minor = 0;  // 0: the amount
  PaymentMethod method = PaymentMethod::card_chip;
  TransactionType type = TransactionType::sale;
  uint32_t order = 0;
  uint16_t mcc = 0;    // what the terminal says; 0: the registered one
  TimeMs host_at = 0;  // of an offline sale: when it is sent up; 0: at once
  bool answered = true;
  bool slip = true;
  bool notice = true;    // to the holder, as the subscription says
  bool by_tail = false;  // that notice may lack the txn_id
  bool at_once = false;  // that notice comes within seconds
  bool tell_merchant = true;
  bool settle = true;
  const Transaction* completes = nullptr;  // the pre-authorisation
};

// A settlement line that is not as usual.
struct Posting {
  TimeMs at = 0;
  uint16_t mcc = 0;                  // as reported upstream; 0: the transaction's
  std::optional<int64_t> fee_minor;  // else as the contract says
  int32_t rate_ppm = 0;              // what the line states, with fee_minor
  bool other_account = false;
};

class Till {
 public:
  Till(const GeneratorOptions& options, World& world, Agenda& agenda, Delivery& delivery);

  // An amount near `wanted_minor` that this card has not paid at this merchant for an hour, and that no message without txn_id
  // could be taken for; 0 when none is found. `same_amounts`: the card may pay the same again.
  int64_t free_amount(uint32_t card, uint32_t terminal, int64_t wanted_minor, bool same_amounts);

  // An amount near `wanted_minor` of which no debit with this card's last digits was seen for an hour, and that none will have
  // for another: what a message without txn_id may say that must fit no debit.
  int64_t unseen_amount(uint32_t card, int64_t wanted_minor);

  // Time must not go back from call to call, a few seconds within one story aside.
  Transaction debit(TimeMs at, const Debit& debit);
  // Any other transaction, with nothing that follows.
  Transaction plain(TimeMs at, TransactionType type, const Debit& debit, TransactionStatus status, uint16_t response_code);
  // Takes back `amount_minor` of `original`, tells the holder if `tell`, and settles it if it is a refund.
  struct Undoing {
    TransactionType type = TransactionType::reversal;
    int64_t amount_minor = 0;
    Link link = Link::by_id;
    ReasonCode reason = ReasonCode::timeout;
    bool tell = true;
    bool punctual = false;
    uint32_t refund = 0;  // its number, promised before; 0: a new one
  };
  Transaction undo(TimeMs at, const Transaction& original, const Undoing& undoing);

  // The same once more, under a new event_id: the terminal asked again a second later. Nothing follows from it.
  void retransmit(const Transaction& transaction);

  void settle(const Transaction& transaction, int64_t amount_minor, const Posting& posting);
  void settle(const Transaction& transaction) { settle(transaction, transaction.amount_minor, {}); }
  // Gives the merchant back what it paid too much.
  void adjust(TimeMs at, const Transaction& about, int64_t amount_minor);
  // A fee on a line of its own; negative: given back.
  void charge(TimeMs at, const Transaction& about, FeeType type, int64_t fee_minor);
  TimeMs posting_time(const Transaction& transaction);

  void print_slip(const Transaction& transaction);
  // One try of it, which may fail for want of paper.
  void try_slip(TimeMs at, const Transaction& transaction, SlipStatus status);
  // The terminal's own word on what the host may not know.
  void report(TimeMs at, const Transaction& transaction, TransactionStatus status);
  // A transaction that has not been sent.
  Transaction start(TimeMs at, TransactionType type, uint32_t card, uint32_t terminal);

  Notices& notices() { return notices_; }
  Creep& creep() { return creep_; }
  const Creep& creep() const { return creep_; }
  uint32_t next_order() { return ++order_; }
  uint32_t next_refund() { return ++refund_; }

 private:
  void remember(const Transaction& debit);

  World& world_;
  Delivery& delivery_;
  Notices notices_;
  Creep creep_;  // of the merchants that take part in anomalies
  Random random_;
  std::optional<DurationMs> settlement_delay_;
  Recent paid_;           // (card, merchant, amount) of every debit
  Recent seen_by_tail_;   // (last three digits, amount) of every debit
  Recent taken_by_tail_;  // the same of those whose message has no txn_id
  uint64_t transaction_ = 0;
  uint32_t order_ = 80'000;
  uint32_t refund_ = 0;
};

}  // namespace tillwatch::connectors::generation
