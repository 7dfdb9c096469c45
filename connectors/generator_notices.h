// The messages that tell holders and merchants of their transactions, and the receipts for them.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "connectors/generator_agenda.h"
#include "connectors/generator_delivery.h"
#include "connectors/generator_facts.h"
#include "connectors/generator_random.h"
#include "connectors/generator_world.h"

namespace tillwatch::connectors::generation {

class Notices {
 public:
  Notices(const GeneratorOptions& options, const World& world, Agenda& agenda, Delivery& delivery)
      : world_(world), agenda_(agenda), delivery_(delivery), random_(options.seed, 3) {}

  // Tells the cardholder of a debit, in time, if the subscription asks for it. `by_tail`: one message in thirty may come
  // without txn_id (the caller has made sure that tail and amount find this debit alone). Says whether it did.
  struct Told {
    bool by_tail = false;
    TimeMs at = 0;  // when it was accepted; 0: nobody was told
  };
  Told tell_of_debit(const Transaction& debit, bool by_tail, bool at_once);
  // A debit was taken back: nobody is told of it any more.
  void forget(const Transaction& debit) { undone_.insert(debit.id.number); }
  // Tells the merchant, if it has subscribed.
  void tell_merchant(const Transaction& debit);
  // Tells the cardholder that the money of `undone` is back.
  void tell_of_refund(const Transaction& refund);
  // Tells the holder of an inquiry.
  void tell_of_inquiry(TimeMs at, const Transaction& inquiry);

  // One message on its way at `at`, with its receipt if it was accepted.
  void submit(TimeMs at, const Transaction& about, Channel channel, SubmitStatus status, uint8_t attempt);

  // A message about `about`, to be changed and sent.
  Submission draft(TimeMs at, const Transaction& about);
  // What becomes of an accepted one.
  struct Fate {
    bool reported = true;
    DurationMs after = 0;  // 0: some seconds
    FailureCause cause = FailureCause::none;
  };
  void send(const Submission& submission, const Fate& fate);

 private:
  void send(const Submission& submission);
  void report(const Submission& submission, const Fate& fate);
  DurationMs wait_before_telling();
  Channel usual_channel(const Card& card) const;

  const World& world_;
  Agenda& agenda_;
  Delivery& delivery_;
  absl::flat_hash_set<uint64_t> undone_;
  Random random_;
  uint64_t message_ = 0;
};

}  // namespace tillwatch::connectors::generation
