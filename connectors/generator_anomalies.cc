#include "connectors/generator_anomalies.h"

#include <algorithm>

#include "connectors/generator_reference.h"

namespace tillwatch::connectors::generation {

Anomalies::Anomalies(const GeneratorOptions& options, World& world, Till& till, Traffic& traffic, Delivery& delivery,
                     Agenda& agenda)
    : start_at_(options.start),
      stop_at_(options.start + options.length - kTail),
      end_at_(options.start + options.length),
      story_(std::min<DurationMs>(30 * kMinute, (options.length - kTail) / 2)),
      daily_shape_(options.daily_shape),
      world_(world),
      till_(till),
      traffic_(traffic),
      delivery_(delivery),
      agenda_(agenda),
      random_(options.seed, 6) {
  for (uint32_t i = 0; i < anomaly_count(options, AnomalyKind::duplicate_debit); ++i) plan_duplicate(i);
  for (uint32_t i = 0; i < anomaly_count(options, AnomalyKind::code_jump); ++i) plan_jump(i);
  for (uint32_t i = 0; i < anomaly_count(options, AnomalyKind::rate_change); ++i) plan_rate(i);
  for (uint32_t i = 0; i < anomaly_count(options, AnomalyKind::notify_unsent); ++i) plan_unsent(i);
}

// When an anomaly begins: as likely at an hour as anything else is.
TimeMs Anomalies::pick_start() {
  const TimeMs first = start_at_ + (stop_at_ - start_at_) / 20;
  TimeMs at = first;
  for (int attempt = 0; attempt < 16; ++attempt) {
    at = first + random_.between(0, (stop_at_ - story_ - first) / 1000) * 1000 + random_.between(0, 999);
    if (!daily_shape_ || random_.below(2300) < static_cast<uint32_t>(busyness_permille(at))) break;
  }
  return at;
}

// Ordinary sales at the same terminal, so that it does not stand out; in the hour before `around`.
void Anomalies::keep_company(uint32_t terminal, TimeMs around, uint32_t sales, bool debit_cards_only) {
  const TimeMs first = std::max(start_at_, around - kHour);
  for (uint32_t i = 0; i < sales; ++i) {
    agenda_.at(first + random_.between(0, around - first - 1),
               [this, terminal, debit_cards_only](TimeMs at) { traffic_.sell_at(at, terminal, debit_cards_only); });
  }
}

TimeMs Anomalies::before_end(TimeMs at) const { return std::min(at, end_at_ - kMinute); }

size_t Anomalies::add_truth(AnomalyKind kind, TimeMs at, const char* severity, const char* note) {
  Injected injected;
  injected.anomaly = injected.rule = anomaly_name(kind);
  injected.at = at;
  injected.expected_severity = severity;
  injected.note = note;
  truth_.push_back(std::move(injected));
  return truth_.size() - 1;
}

void Anomalies::resolve_by(size_t truth, const char* resolution) {
  truth_[truth].resolves = true;
  truth_[truth].resolution = resolution;
}

// To be called after a step that began with till_.take_late().
void Anomalies::mark_late(size_t truth) { truth_[truth].late |= till_.take_late(); }

// --- the same debit twice to five times within 300 s

struct Anomalies::Repeated {
  enum class Manner : uint8_t { no_slip, slips, two_terminals, two_orders };
  Manner manner = Manner::no_slip;
  uint32_t debits = 2;
  DurationMs gap = 0;
  Debit debit;
  bool undone = false, in_part = false;
  Till::Undoing undoing;
  size_t truth = 0;
  std::vector<Transaction> done;
};

void Anomalies::plan_duplicate(uint32_t index) {
  using Manner = Repeated::Manner;
  const World::Pool& pool = world_.pool(AnomalyKind::duplicate_debit);
  const Merchant& merchant = world_.merchants[pool.first_merchant + index / kDuplicatesPerMerchant];
  const auto story = std::make_shared<Repeated>();
  const uint32_t manner = random_.below(20);
  story->manner = manner < 8    ? Manner::no_slip
                  : manner < 15 ? Manner::slips
                  : manner < 18 ? Manner::two_terminals
                                : Manner::two_orders;
  const uint32_t size = random_.below(10);
  story->debits = size < 6 ? 2 : size < 8 ? 3 : size < 9 ? 4 : 5;
  story->gap = random_.between(20'000, 280'000 / (story->debits - 1));
  if (story->debits == 2 && random_.chance(60'000)) story->gap = 300 * kSecond;  // the window includes its end
  story->debit.card = pool.first_card + index;
  story->debit.terminal = merchant.first_terminal;
  story->debit.method = pick_method(random_);
  story->undone = random_.chance(550'000);
  switch (random_.below(4)) {
    case 0:
      story->undoing = {.type = TransactionType::reversal, .link = Link::by_stan};
      break;
    case 1:
      story->undoing = {.type = TransactionType::void_sale, .reason = ReasonCode::none};
      break;
    case 2:
      story->undoing = {.type = TransactionType::refund, .reason = ReasonCode::account_issue};
      break;
    default:
      story->undoing = {.type = TransactionType::refund, .reason = ReasonCode::order_error};
      story->in_part = random_.chance(300'000);
      break;
  }
  const TimeMs at = pick_start();
  keep_company(story->debit.terminal, at, 1 + random_.below(3), false);
  agenda_.at(at, [this, story](TimeMs now) { debit_again(story, now); });
}

void Anomalies::debit_again(const std::shared_ptr<Repeated>& story, TimeMs at) {
  using Manner = Repeated::Manner;
  constexpr const char* kNotes[] = {"paid again because no slip came", "paid again, both with a slip",
                                    "paid again at a second terminal", "two orders of the same amount"};
  constexpr const char* kSeverities[] = {"high", "medium", "medium", "info"};
  till_.take_late();
  Debit debit = story->debit;
  const bool first = story->done.empty();
  if (first) {
    const int64_t wanted = pick_amount(random_, world_.merchant_of(debit.terminal).mcc);
    debit.amount_minor = till_.free_amount(debit.card, debit.terminal, wanted, false);
    if (debit.amount_minor == 0) return;
    story->debit.amount_minor = debit.amount_minor;
    story->debit.order = story->manner != Manner::two_orders && random_.chance(500'000) ? till_.next_order() : 0;
    debit.order = story->debit.order;
    const auto manner = static_cast<size_t>(story->manner);
    story->truth = add_truth(AnomalyKind::duplicate_debit, at + story->gap, kSeverities[manner], kNotes[manner]);
    truth_[story->truth].key = {{"card_token", card_token(world_.cards[debit.card])},
                                {"merchant_id", world_.merchant_of(debit.terminal).id},
                                {"amount_minor", std::to_string(debit.amount_minor)},
                                {"currency", "CNY"}};
  }
  if (story->manner == Manner::two_orders) debit.order = till_.next_order();
  if (story->manner == Manner::no_slip) debit.slip = !first;
  const bool other = story->manner == Manner::two_terminals && !first;
  if (other && world_.merchant_of(debit.terminal).terminals > 1) debit.terminal += 1;
  story->done.push_back(till_.debit(at, debit));
  mark_late(story->truth);
  if (story->done.size() < story->debits) {
    agenda_.at(at + story->gap, [this, story](TimeMs now) { debit_again(story, now); });
  } else if (story->undone) {
    undo_repeated(story);
  }
}

// All but one are taken back, after the window has passed; or one of them in part, which settles nothing.
void Anomalies::undo_repeated(const std::shared_ptr<Repeated>& story) {
  const TimeMs last = story->done.back().at();
  const TimeMs undone_at = before_end(last + random_.between(6 * kMinute, 25 * kMinute));
  if (!story->in_part) {
    const TransactionType type = story->undoing.type;
    resolve_by(story->truth, type == TransactionType::reversal ? "reversed"
                             : type == TransactionType::refund ? "refunded"
                                                               : "voided");
  } else {
    truth_[story->truth].note += "; one refunded in part";
  }
  const size_t count = story->in_part ? 1 : story->done.size() - 1;
  for (size_t i = 0; i < count; ++i) {
    agenda_.at(undone_at + static_cast<DurationMs>(i) * 9000, [this, story, i](TimeMs at) {
      till_.take_late();
      const Transaction& original = story->done[i];
      Till::Undoing undoing = story->undoing;
      undoing.amount_minor = story->in_part ? original.amount_minor / 3 : original.amount_minor;
      till_.undo(at, original, undoing);
      mark_late(story->truth);
    });
  }
}

// --- a terminal that reports another MCC than its merchant has

struct Anomalies::Jump {
  Debit debit;
  uint16_t settled_mcc = 0;  // 0: as the transaction says
  uint32_t jumps = 1;
  bool registered_later = false;
  TimeMs first_at = 0;
  TimeMs posted_at = 0;  // the last line
  uint32_t done = 0;
  size_t truth = 0;
  const char* severity = "high";
  const char* note = "";
};

void Anomalies::plan_jump(uint32_t index) {
  const World::Pool& pool = world_.pool(AnomalyKind::code_jump);
  const Merchant& merchant = world_.merchants[pool.first_merchant + index];
  const auto story = std::make_shared<Jump>();
  const uint16_t other_standard = merchant.mcc == 5311 ? 5812 : 5311;
  const uint16_t cheaper = random_.chance(600'000) ? 5411 : 8398;
  story->jumps = random_.chance(600'000) ? 1 + random_.below(2) : 3 + random_.below(2);
  const bool often = story->jumps >= 3;
  CardType card_type = CardType::credit;
  switch (random_.below(6)) {
    case 0:
    case 1:
      story->debit.mcc = cheaper;
      story->severity = often ? "critical" : "high";
      story->note = "credit sales sent with an MCC of a cheaper tier";
      break;
    case 2:
      story->debit.mcc = other_standard;
      story->severity = often ? "high" : "medium";
      story->note = "sent with another MCC of the same tier";
      break;
    case 3:
      story->settled_mcc = cheaper;
      story->severity = often ? "critical" : "high";
      story->note = "right at the terminal, reported upstream with an MCC of a cheaper tier";
      break;
    case 4:
      story->debit.mcc = other_standard;
      story->settled_mcc = 8398;
      story->severity = "critical";
      story->note = "wrong at the terminal, and reported upstream as a third, exempt MCC";
      break;
    default:
      story->debit.mcc = cheaper;
      card_type = CardType::debit;
      story->severity = often ? "high" : "medium";
      story->note = "debit cards, whose fee does not depend on the tier";
      break;
  }
  story->registered_later = story->settled_mcc == 0 && random_.chance(350'000);
  story->debit.card = pool.first_card + index;
  world_.cards[story->debit.card].type = card_type;
  story->debit.terminal = merchant.first_terminal;
  story->debit.settle = false;
  const TimeMs at = pick_start();
  keep_company(story->debit.terminal, at, 3 + random_.below(6), false);
  agenda_.at(at, [this, story](TimeMs now) { jump(story, now); });
}

void Anomalies::jump(const std::shared_ptr<Jump>& story, TimeMs at) {
  till_.take_late();
  Debit debit = story->debit;
  debit.method = pick_method(random_);
  const int64_t wanted = pick_amount(random_, world_.merchant_of(debit.terminal).mcc);
  debit.amount_minor = till_.free_amount(debit.card, debit.terminal, wanted, false);
  if (debit.amount_minor == 0) debit.amount_minor = wanted;  // at worst a message by tail goes astray, which is no jump
  const Transaction transaction = till_.debit(at, debit);
  story->posted_at = std::max(till_.posting_time(transaction), story->posted_at + 20 * kSecond);
  till_.settle(transaction, transaction.amount_minor, {.at = story->posted_at, .mcc = story->settled_mcc, .fee_minor = {}});
  if (story->done == 0) {
    story->first_at = at;
    story->truth = add_truth(AnomalyKind::code_jump, debit.mcc != 0 ? at : story->posted_at, story->severity, story->note);
    truth_[story->truth].key = {{"terminal_key", terminal_serial(debit.terminal)}};
  }
  mark_late(story->truth);
  story->done += 1;
  if (story->done < story->jumps) {
    agenda_.at(at + random_.between(30'000, story_ / 8), [this, story](TimeMs now) { jump(story, now); });
  } else if (story->registered_later) {
    resolve_by(story->truth, "registry_update");
    agenda_.at(before_end(at + random_.between(3 * kMinute, 12 * kMinute)),
               [this, story](TimeMs now) { register_jump(story, now); });
  } else if (std::max(at, story->posted_at) + 7 * kDay < stop_at_) {
    resolve_by(story->truth, "recovered");  // a week without a jump
  }
}

// The MCC is registered after the fact, as if it had held since before the first jump. Nothing is sold there any more.
void Anomalies::register_jump(const std::shared_ptr<Jump>& story, TimeMs at) {
  const uint32_t merchant = world_.terminals[story->debit.terminal].merchant;
  delivery_.send(merchant_version(world_, merchant, story->debit.mcc, story->first_at - kHour, at));
}

}  // namespace tillwatch::connectors::generation
