// The second half of the anomalies: fees that rise unsaid, and debits nobody is told of.
#include <algorithm>

#include "connectors/generator_anomalies.h"
#include "connectors/generator_reference.h"

namespace tillwatch::connectors::generation {

// --- fees above, or below, what the contract says

struct Anomalies::Rate {
  enum class Manner : uint8_t { creeping, with_small_sale, once, lowered };
  enum class End : uint8_t { stands, recovered, refunded, registered };
  Manner manner = Manner::creeping;
  End end = End::stands;
  Debit debit;
  uint32_t lines = 3;  // wrong ones to come
  uint32_t wrong = 0;  // wrong ones so far
  uint32_t right = 0;  // right ones after them
  int64_t excess_minor = 0;
  TimeMs first_at = 0;
  TimeMs posted_at = 0;  // the last line
  size_t truth = 0;
  Transaction last;
  bool late = false;
};

void Anomalies::plan_rate(const Actors& actors) {
  using Manner = Rate::Manner;
  using End = Rate::End;
  Merchant& merchant = world_.merchants[actors.merchant];
  const auto story = std::make_shared<Rate>();
  const uint32_t manner = random_.below(20);
  story->manner = manner < 9    ? Manner::creeping
                  : manner < 12 ? Manner::with_small_sale
                  : manner < 18 ? Manner::once
                                : Manner::lowered;
  constexpr End kEnds[] = {End::stands, End::stands, End::recovered, End::refunded, End::registered};
  const End end = kEnds[random_.below(5)];
  const bool explained = story->manner == Manner::creeping || story->manner == Manner::with_small_sale;
  story->end = story->manner == Manner::lowered ? End::stands : end == End::registered && !explained ? End::refunded : end;
  story->lines = story->manner == Manner::once ? 1 : 3 + random_.below(3);
  if (story->manner == Manner::once) merchant.contracts.back().credit.rate_ppm = 6300;
  story->debit.card = actors.card;
  world_.cards[story->debit.card].type = CardType::credit;
  story->debit.terminal = merchant.first_terminal;
  story->debit.method = PaymentMethod::card_chip;
  story->debit.settle = false;
  const TimeMs at = pick_start(stop_at_ - story_);
  // Company pays by debit card, which is another product: a right line in between would end the run.
  keep_company(story->debit.terminal, at, 2 + random_.below(4), true);
  agenda_.at(at, [this, story](TimeMs now) { charge(story, now); });
}

// One line with a wrong fee: 63 bp instead of 60, 55 instead of 60, or 299 bp and 3 yuan instead of 63 bp.
void Anomalies::charge(const std::shared_ptr<Rate>& story, TimeMs at) {
  using Manner = Rate::Manner;
  delivery_.take_late();
  Debit debit = story->debit;
  const bool once = story->manner == Manner::once;
  const bool small = story->manner == Manner::with_small_sale && story->wrong == 1 && story->right == 0;
  const int64_t wanted = small  ? 3000  // 18.9 against 18.0 fen: one fen apart, which proves nothing
                         : once ? (random_.chance(500'000) ? 3'058'000 : random_.between(1'000'000, 4'500'000))
                                : random_.between(10'000, 150'000);
  debit.amount_minor = till_.free_amount(debit.card, debit.terminal, wanted, small);
  if (debit.amount_minor == 0 || (small && debit.amount_minor != wanted)) debit.amount_minor = wanted;
  const Transaction transaction = till_.debit(at, debit);
  const int64_t owed = fee_of(world_.merchant_of(debit.terminal).contract_at(at).credit, debit.amount_minor);
  const int32_t rate_ppm = once ? 29'900 : story->manner == Manner::lowered ? 5500 : 6300;
  const int64_t fee = share_of(debit.amount_minor, rate_ppm) + (once ? 300 : 0);
  story->posted_at = std::max(till_.posting_time(transaction), story->posted_at + 20 * kSecond);
  till_.settle(transaction, debit.amount_minor,
               {.at = story->posted_at, .mcc = 0, .fee_minor = fee, .rate_ppm = once ? 0 : rate_ppm});
  story->last = transaction;
  if (story->first_at == 0) story->first_at = at;
  if (small) {
    story->right = 1;  // the small sale is over; charge_right() starts anew
  } else {
    story->wrong += 1;
    story->excess_minor += fee - owed;
  }
  const bool late = delivery_.take_late();
  if (!small && story->wrong == (once ? 1U : 3U)) {
    constexpr const char* kNotes[] = {"63 bp instead of 60", "63 bp instead of 60, a small sale in between",
                                      "299 bp and 3 yuan instead of 63 bp, once", "55 bp instead of 60"};
    story->truth = add_truth(kRateChange, kRateChange, story->posted_at, story->manner == Manner::lowered ? "info" : "high",
                             kNotes[static_cast<size_t>(story->manner)]);
    truth_[story->truth].key = {{"merchant_id", world_.merchant_of(debit.terminal).id},
                                {"card_type", "credit"},
                                {"payment_method", name_of(debit.method)}};
  }
  story->late |= late;
  if (story->wrong >= 3 || once) truth_[story->truth].late |= story->late;
  if (story->wrong < story->lines) {
    agenda_.at(at + random_.between(30'000, story_ / 8), [this, story](TimeMs now) { charge(story, now); });
  } else {
    story->right = 0;
    end_rate(story);
  }
}

void Anomalies::end_rate(const std::shared_ptr<Rate>& story) {
  using End = Rate::End;
  const TimeMs last = story->last.at();
  switch (story->end) {
    case End::stands:
      return;
    case End::recovered:
      resolve_by(story->truth, "recovered");
      for (int i = 1; i <= 3; ++i) {
        agenda_.at(last + i * story_ / 30, [this, story](TimeMs at) { charge_right(story, at); });
      }
      return;
    case End::refunded:
      resolve_by(story->truth, "refunded");
      till_.adjust(story->posted_at + random_.between(2 * kMinute, 20 * kMinute), story->last, story->excess_minor);
      return;
    case End::registered: {
      // The rise had been announced in time and held since before the first line; only the record of it comes late.
      resolve_by(story->truth, "registry_update");
      const uint32_t merchant = world_.terminals[story->debit.terminal].merchant;
      Contract contract = world_.merchants[merchant].contracts.back();
      contract.version += 1;
      contract.credit.rate_ppm = 6300;
      contract.recorded_at = story->posted_at + random_.between(2 * kMinute, 20 * kMinute);
      contract.effective_from = story->first_at - kHour;
      contract.notice_at = contract.effective_from - 35 * kDay;
      till_.creep().note_contract(world_.merchants[merchant].id, contract.recorded_at);
      delivery_.send(contract_version(world_, merchant, contract));
      return;
    }
  }
}

// A line as the contract says, large enough to prove it.
void Anomalies::charge_right(const std::shared_ptr<Rate>& story, TimeMs at) {
  delivery_.take_late();
  Debit debit = story->debit;
  const int64_t wanted = random_.between(20'000, 150'000);
  debit.amount_minor = till_.free_amount(debit.card, debit.terminal, wanted, false);
  if (debit.amount_minor == 0) debit.amount_minor = wanted;
  const Transaction transaction = till_.debit(at, debit);
  story->posted_at = std::max(till_.posting_time(transaction), story->posted_at + 20 * kSecond);
  till_.settle(transaction, debit.amount_minor, {.at = story->posted_at, .mcc = 0, .fee_minor = {}});
  mark_late(story->truth);
}

// --- debits nobody is told of

struct Anomalies::Unsent {
  enum class Manner : uint8_t { never, rejected, wrong_channel, late, undone_soon, undone_after };
  Manner manner = Manner::never;
  bool voided = false;
  Debit debit;
  Transaction done;
  size_t truth = 0;
};

void Anomalies::plan_unsent(const Actors& actors) {
  using Manner = Unsent::Manner;
  const Merchant& merchant = world_.merchants[actors.merchant];
  const auto story = std::make_shared<Unsent>();
  constexpr Manner kManners[] = {Manner::never,       Manner::never,         Manner::never, Manner::rejected,
                                 Manner::rejected,    Manner::wrong_channel, Manner::late,  Manner::late,
                                 Manner::undone_soon, Manner::undone_after};
  story->manner = kManners[random_.below(10)];
  story->voided = random_.chance(400'000);
  story->debit.card = actors.card;
  story->debit.terminal = merchant.first_terminal + random_.below(merchant.terminals);
  story->debit.method = pick_method(random_);
  story->debit.notice = false;
  story->debit.settle = story->manner < Manner::undone_soon;
  const TimeMs at = pick_start(stop_at_ - story_);
  keep_company(story->debit.terminal, at, 1 + random_.below(3), false);
  agenda_.at(at, [this, story](TimeMs now) { debit_unsent(story, now); });
}

void Anomalies::debit_unsent(const std::shared_ptr<Unsent>& story, TimeMs at) {
  using Manner = Unsent::Manner;
  constexpr const char* kNotes[] = {"no message at all",
                                    "every attempt rejected",
                                    "sent by email, which the holder did not choose",
                                    "sent too late",
                                    "debit taken back between the two terms",
                                    "debit taken back after the second term"};
  delivery_.take_late();
  Debit& debit = story->debit;
  const Card& card = world_.cards[debit.card];
  const Issuer& issuer = world_.issuers[card.issuer];
  const int64_t wanted = card.min_notify_minor + pick_amount(random_, world_.merchant_of(debit.terminal).mcc);
  debit.amount_minor = till_.free_amount(debit.card, debit.terminal, wanted, false);
  if (debit.amount_minor == 0) return;
  story->done = till_.debit(at, debit);
  const bool before_second = story->manner == Manner::late || story->manner == Manner::undone_soon;
  story->truth = add_truth(kNotifyUnsent, kNotifyUnsent, at + issuer.submit_within, before_second ? "medium" : "critical",
                           kNotes[static_cast<size_t>(story->manner)]);
  std::string& id = truth_[story->truth].key["txn_id"];
  append_transaction_id(id, story->done.id);

  const auto submit = [&](DurationMs after, Channel channel, SubmitStatus status, uint8_t attempt) {
    till_.notices().submit(at + after, story->done, channel, status, attempt);
  };
  switch (story->manner) {
    case Manner::never:
      break;
    case Manner::rejected:
      submit(3000, Channel::sms, SubmitStatus::rejected, 1);
      submit(64'000, Channel::sms, SubmitStatus::rejected, 2);
      submit(150'000, Channel::sms, SubmitStatus::rejected, 3);
      break;
    case Manner::wrong_channel:
      submit(3500, Channel::email, SubmitStatus::accepted, 1);
      break;
    case Manner::late: {
      const bool by_sms = (card.channels & kBySms) != 0;
      submit(issuer.submit_within + 80 * kSecond, by_sms ? Channel::sms : Channel::app_push, SubmitStatus::accepted, 1);
      resolve_by(story->truth, "late_sms");
      break;
    }
    case Manner::undone_soon:
    case Manner::undone_after: {
      const DurationMs after = before_second ? (issuer.submit_within + issuer.critical_after) / 2
                                             : issuer.critical_after + random_.between(60'000, 4 * kMinute);
      resolve_by(story->truth, story->voided ? "voided" : "reversed");
      agenda_.at(at + after, [this, story](TimeMs now) { undo_unsent(story, now); });
      break;
    }
  }
  mark_late(story->truth);
}

void Anomalies::undo_unsent(const std::shared_ptr<Unsent>& story, TimeMs at) {
  delivery_.take_late();
  Till::Undoing undoing = {.amount_minor = story->done.amount_minor, .link = Link::by_stan, .tell = false};
  if (story->voided) {
    undoing.type = TransactionType::void_sale;
    undoing.tell = true;  // of a void the holder is told in any case
    undoing.link = Link::by_id;
    undoing.reason = ReasonCode::none;
  }
  till_.undo(at, story->done, undoing);
  mark_late(story->truth);
}

}  // namespace tillwatch::connectors::generation
