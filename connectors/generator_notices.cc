#include "connectors/generator_notices.h"

#include <algorithm>

namespace tillwatch::connectors::generation {

Channel Notices::usual_channel(const Card& card) const {
  if ((card.channels & kBySms) != 0) return Channel::sms;
  return (card.channels & kByPush) != 0 ? Channel::app_push : Channel::wechat;
}

// A few seconds; one in twelve takes up to forty. Short of the shortest term even when the message is late as well.
DurationMs Notices::wait_before_telling() {
  return random_.chance(920'000) ? random_.between(900, 8000) : random_.between(8000, 40'000);
}

Submission Notices::draft(TimeMs at, const Transaction& about) {
  Submission submission;
  submission.transaction = submission.about = about.id;
  submission.at = at;
  submission.message = ++message_;
  submission.amount_minor = about.amount_minor;
  submission.card = about.card;
  submission.merchant = world_.terminals[about.terminal].merchant;
  submission.channel = usual_channel(world_.cards[about.card]);
  return submission;
}

// One in five hundred finds the phone switched off; when its gateway gives it up, the sender turns to the holder's app. Not
// when the debit is undone by then: nobody is told of it any more, so that phone is switched on in time.
void Notices::send(const Submission& submission) {
  const bool off = random_.chance(2000) && submission.channel == Channel::sms;
  if (!off || submission.transaction.number == 0 || submission.status != SubmitStatus::accepted) {
    send(submission, {.cause = off ? FailureCause::recipient_off : FailureCause::none});
    return;
  }
  delivery_.send(submission);
  agenda_.at(submission.at + random_.between(70'000, 180'000), [this, again = submission](TimeMs at) mutable {
    const bool undone = undone_.contains(again.transaction.number);
    report(again, {.after = at - again.at, .cause = undone ? FailureCause::none : FailureCause::recipient_off});
    if (undone) return;
    again.at = at;
    again.message = ++message_;
    again.channel = Channel::app_push;
    again.attempt += 1;
    send(again, {});
  });
}

void Notices::send(const Submission& submission, const Fate& fate) {
  delivery_.send(submission);
  report(submission, fate);
}

void Notices::report(const Submission& submission, const Fate& fate) {
  if (submission.status != SubmitStatus::accepted || !fate.reported) return;
  Receipt receipt;
  receipt.sent_at = submission.at;
  receipt.at = submission.at + (fate.after != 0           ? fate.after
                                : random_.chance(970'000) ? random_.between(900, 6000)
                                                          : random_.between(6000, 60'000));
  receipt.message = submission.message;
  receipt.card = submission.card;
  receipt.merchant = submission.merchant;
  receipt.phone_owner = submission.phone_owner;
  receipt.to_merchant = submission.to_merchant;
  receipt.cause = fate.cause;
  delivery_.send(receipt);
}

Notices::Told Notices::tell_of_debit(const Transaction& debit, bool by_tail, bool at_once) {
  const Card& card = world_.cards[debit.card];
  Told told;
  if (!card.owes_notice(debit.amount_minor)) return told;
  told.at = debit.known_at() + (at_once ? random_.between(900, 5000) : wait_before_telling());
  const TimeMs due_at = debit.known_at() + world_.issuers[card.issuer].submit_within;
  const TimeMs maintenance_end = world_.maintenance_end(card.issuer, due_at);
  if (maintenance_end != 0 && !at_once) {
    // What is owed within the window is due 300 s after its end.
    told.at = std::max(told.at, maintenance_end + random_.between(5000, 120'000));
    submit(told.at, debit, usual_channel(card), SubmitStatus::accepted, 1);
    return told;
  }
  if (!at_once && random_.chance(30'000)) {
    submit(told.at, debit, usual_channel(card), SubmitStatus::rejected, 1);
    const bool can_push = (card.channels & kByPush) != 0;
    told.at += random_.between(4000, 18'000);
    submit(told.at, debit, can_push ? Channel::app_push : usual_channel(card), SubmitStatus::accepted, 2);
    return told;
  }
  Submission submission = draft(told.at, debit);
  told.by_tail = by_tail && random_.chance(33'000);
  if (told.by_tail) submission.transaction = {};
  send(submission);
  return told;
}

void Notices::tell_merchant(const Transaction& debit) {
  const Merchant& merchant = world_.merchant_of(debit.terminal);
  if (!merchant.notified || debit.amount_minor < merchant.min_notify_minor) return;
  Submission submission = draft(debit.known_at() + random_.between(900, 8000), debit);
  submission.to_merchant = true;
  submission.channel = Channel::app_push;
  send(submission);
}

void Notices::tell_of_refund(const Transaction& refund) {
  if (!world_.cards[refund.card].enabled) return;
  Submission submission = draft(refund.known_at() + wait_before_telling(), refund);
  submission.category = NoticeCategory::refund_done;
  submission.refund = refund.refund;
  submission.refund_reason = refund.reason;
  send(submission);
}

void Notices::tell_of_inquiry(TimeMs at, const Transaction& inquiry) {
  Submission submission = draft(at, inquiry);
  submission.category = NoticeCategory::other;
  send(submission);
}

void Notices::submit(TimeMs at, const Transaction& about, Channel channel, SubmitStatus status, uint8_t attempt) {
  Submission submission = draft(at, about);
  submission.channel = channel;
  submission.status = status;
  submission.attempt = attempt;
  send(submission);
}

}  // namespace tillwatch::connectors::generation
