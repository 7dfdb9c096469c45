#include "connectors/generator_traffic.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

// Measured over a day of traffic: how many records follow from one visit.
constexpr double kRecordsPerVisit = 4.6;
constexpr DurationMs kCardRests = 20 * kMinute;

}  // namespace

// By the hour, linear between the middles of the hours; the mean is 1000. Lunch and dinner stand out, the night is quiet.
int64_t busyness_permille(TimeMs time) {
  constexpr std::array<int64_t, 24> kByHour = {180,  110,  70,   50,   60,   120,  350,  800,  1100, 1150, 1250, 1750,
                                               2050, 1500, 1100, 1050, 1150, 1550, 2150, 2250, 1700, 1250, 800,  460};
  const int64_t into_day = (time - local_midnight(time) + kDay - kHour / 2) % kDay;
  const auto hour = static_cast<size_t>(into_day / kHour);
  const int64_t within = into_day % kHour;
  return (kByHour[hour] * (kHour - within) + kByHour[(hour + 1) % 24] * within) / kHour;
}

Traffic::Traffic(const GeneratorOptions& options, World& world, Till& till, Agenda& agenda)
    : world_(world),
      till_(till),
      agenda_(agenda),
      random_(options.seed, 5),
      daily_shape_(options.daily_shape),
      mean_gap_us_(std::llround(1e6 * kRecordsPerVisit / options.events_per_second)),
      next_us_(options.start * 1000),
      stop_at_(options.start + options.length - kTail),
      end_at_(options.start + options.length) {
  plan_next();
}

Debit Traffic::Visit::debit(int64_t amount_minor) const {
  Debit debit;
  debit.card = card;
  debit.terminal = terminal;
  debit.amount_minor = amount_minor;
  debit.method = method;
  debit.order = order;
  return debit;
}

void Traffic::plan_next() {
  const int64_t permille = daily_shape_ ? busyness_permille(next_us_ / 1000) : 1000;
  next_us_ += ((mean_gap_us_ * random_.exponential_q16()) >> 16) * 1000 / permille;
  over_ = next_us_ >= end_at_ * 1000;
}

void Traffic::visit_next() {
  const TimeMs at = next_time();
  plan_next();
  const Visit visit = begin_visit(at);
  if (!before_stop(at)) return inquiry(visit);
  const uint16_t mcc = world_.merchant_of(visit.terminal).mcc;
  if (mcc == kTransitMcc) return ride(visit);
  // Of a thousand visits.
  constexpr std::pair<uint32_t, Story> kStories[] = {
      {22, &Traffic::inquiry},         {20, &Traffic::declined},    {28, &Traffic::declined_then_paid},
      {6, &Traffic::answer_lost},      {9, &Traffic::voided},       {9, &Traffic::refunded},
      {8, &Traffic::refunded_in_part}, {4, &Traffic::charged_anew}, {30, &Traffic::preauthorised},
      {30, &Traffic::tipped},          {20, &Traffic::offline},     {3, &Traffic::retransmitted}};
  uint32_t pick = random_.below(1000);
  for (const auto& [weight, story] : kStories) {
    if (pick < weight) return (this->*story)(visit);
    pick -= weight;
  }
  sale(visit);
}

Traffic::Visit Traffic::begin_visit(TimeMs at) {
  Visit visit{};
  visit.at = at;
  visit.card = pick_card(at);
  const Merchant& merchant = world_.merchants[pick_merchant(visit.card)];
  visit.terminal = merchant.first_terminal + random_.below(merchant.terminals);
  visit.wanted_minor = pick_amount(random_, merchant.mcc);
  visit.method = pick_method(random_);
  visit.order = random_.chance(600'000) ? till_.next_order() : 0;
  return visit;
}

// A card rests between two purchases, as far as there are enough of them.
uint32_t Traffic::pick_card(TimeMs at) {
  uint32_t card = 0;
  for (int attempt = 0; attempt < 6; ++attempt) {
    card = random_.below(world_.ordinary_cards);
    if (world_.cards[card].last_used_at + kCardRests <= at) break;
  }
  world_.cards[card].last_used_at = at;
  return card;
}

// A holder goes to four favourites mostly, else anywhere; some merchants see far more people than others.
uint32_t Traffic::pick_merchant(uint32_t card) {
  uint64_t draw = random_.next();
  if (random_.chance(700'000)) draw = mix((uint64_t{card} << 2) | (draw & 3));
  const uint64_t skewed = ((draw >> 32) * (draw >> 32)) >> 32;
  return static_cast<uint32_t>((skewed * world_.ordinary_merchants) >> 32);
}

int64_t Traffic::free_amount(const Visit& visit) {
  return till_.free_amount(visit.card, visit.terminal, visit.wanted_minor, false);
}

void Traffic::sell_at(TimeMs at, uint32_t terminal, bool debit_cards_only) {
  Visit visit{};
  visit.at = at;
  visit.card = pick_card(at);
  for (int i = 0; debit_cards_only && world_.cards[visit.card].type != CardType::debit; ++i) {
    if (i == 1000) return;  // a world without debit cards
    visit.card = random_.below(world_.ordinary_cards);
  }
  visit.terminal = terminal;
  visit.wanted_minor = pick_amount(random_, world_.merchant_of(terminal).mcc);
  visit.method = pick_method(random_);
  sale(visit);
}

void Traffic::sale(const Visit& visit) {
  Debit debit = visit.debit(free_amount(visit));
  debit.by_tail = true;
  if (debit.amount_minor > 0) till_.debit(visit.at, debit);
}

// The first answer was lost on the way, the second was not: one debit, told of twice.
void Traffic::retransmitted(const Visit& visit) {
  const Debit debit = visit.debit(free_amount(visit));
  if (debit.amount_minor > 0) till_.retransmit(till_.debit(visit.at, debit));
}

// On a bus or a train: the same fare out and back, and now and then for a second person at once.
void Traffic::ride(const Visit& visit) {
  constexpr int64_t kFares[] = {200, 300, 400, 500, 600};
  const int64_t fare = till_.free_amount(visit.card, visit.terminal, kFares[random_.below(5)], true);
  if (fare == 0) return;
  till_.debit(visit.at, visit.debit(fare));
  const auto again = [this, visit, fare](TimeMs at) { till_.debit(at, visit.debit(fare)); };
  const TimeMs second = visit.at + random_.between(15'000, 60'000);
  const TimeMs back = visit.at + random_.between(15 * kMinute, 50 * kMinute);
  if (random_.chance(150'000) && before_stop(second)) agenda_.at(second, again);
  if (random_.chance(400'000) && before_stop(back)) agenda_.at(back, again);
}

void Traffic::inquiry(const Visit& visit) {
  Debit nothing = visit.debit(0);
  nothing.order = 0;
  const Transaction done = till_.plain(visit.at, TransactionType::balance_inquiry, nothing, TransactionStatus::approved, 0);
  till_.notices().tell_of_inquiry(visit.at + random_.between(500, 3000), done);
}

void Traffic::declined(const Visit& visit) {
  constexpr uint16_t kCodes[] = {51, 51, 55, 61, 54};
  till_.plain(visit.at, TransactionType::sale, visit.debit(visit.wanted_minor), TransactionStatus::declined,
              kCodes[random_.below(5)]);
}

void Traffic::declined_then_paid(const Visit& visit) {
  declined(visit);
  const TimeMs retry_at = visit.at + random_.between(15'000, 120'000);
  if (!before_stop(retry_at)) return;
  agenda_.at(retry_at, [this, visit](TimeMs at) {
    const Debit debit = visit.debit(free_amount(visit));
    if (debit.amount_minor > 0) till_.debit(at, debit);
  });
}

// The host debits, the answer is lost, and the terminal takes the debit back before it tries once more.
void Traffic::answer_lost(const Visit& visit) {
  const TimeMs reversed_at = visit.at + random_.between(20'000, 40'000);
  const TimeMs retry_at = reversed_at + random_.between(12'000, 40'000);
  Debit lost = visit.debit(free_amount(visit));
  if (lost.amount_minor == 0 || !before_stop(retry_at)) return;
  lost.answered = lost.slip = lost.settle = false;
  lost.at_once = true;
  const Transaction original = till_.debit(visit.at, lost);
  agenda_.at(visit.at + random_.between(12'000, 18'000),
             [this, original](TimeMs at) { till_.report(at, original, TransactionStatus::timeout); });
  agenda_.at(reversed_at, [this, original](TimeMs at) {
    till_.undo(at, original, {.amount_minor = original.amount_minor, .link = Link::by_stan, .punctual = true});
  });
  agenda_.at(retry_at, [this, visit, original](TimeMs at) {
    if (till_.free_amount(visit.card, visit.terminal, original.amount_minor, true) != original.amount_minor) return;
    till_.debit(at, visit.debit(original.amount_minor));
  });
}

void Traffic::voided(const Visit& visit) {
  const TimeMs voided_at = visit.at + random_.between(kMinute, 20 * kMinute);
  Debit debit = visit.debit(free_amount(visit));
  if (debit.amount_minor == 0 || voided_at >= end_at_) return;
  debit.settle = false;
  const Transaction original = till_.debit(visit.at, debit);
  agenda_.at(voided_at, [this, original](TimeMs at) {
    till_.undo(at, original,
               {.type = TransactionType::void_sale, .amount_minor = original.amount_minor, .reason = ReasonCode::none});
  });
}

void Traffic::refunded(const Visit& visit) {
  const TimeMs refunded_at = visit.at + random_.between(30 * kMinute, 5 * kHour);
  const Debit debit = visit.debit(free_amount(visit));
  if (debit.amount_minor == 0) return;
  const Transaction original = till_.debit(visit.at, debit);
  if (refunded_at >= end_at_) return;
  const Link link = random_.chance(50'000) ? Link::by_rrn : Link::by_id;
  agenda_.at(refunded_at, [this, original, link](TimeMs at) {
    till_.undo(at, original,
               {.type = TransactionType::refund,
                .amount_minor = original.amount_minor,
                .link = link,
                .reason = ReasonCode::goods_issue});
  });
}

void Traffic::refunded_in_part(const Visit& visit) {
  const TimeMs refunded_at = visit.at + random_.between(10 * kMinute, 3 * kHour);
  const Debit debit = visit.debit(free_amount(visit));
  if (debit.amount_minor == 0) return;
  const Transaction original = till_.debit(visit.at, debit);
  const int64_t part = original.amount_minor * random_.between(10, 60) / 100;
  if (refunded_at >= end_at_ || part == 0) return;
  agenda_.at(refunded_at, [this, original, part](TimeMs at) {
    till_.undo(at, original, {.type = TransactionType::refund, .amount_minor = part, .reason = ReasonCode::order_error});
  });
}

// A full refund, and the same amount anew a moment later: an order corrected.
void Traffic::charged_anew(const Visit& visit) {
  const TimeMs refunded_at = visit.at + random_.between(10 * kMinute, 50 * kMinute);
  const TimeMs charged_at = refunded_at + random_.between(20'000, 90'000);
  const Debit debit = visit.debit(free_amount(visit));
  if (debit.amount_minor == 0 || !before_stop(charged_at)) return;
  const Transaction original = till_.debit(visit.at, debit);
  agenda_.at(refunded_at, [this, original](TimeMs at) {
    till_.undo(at, original,
               {.type = TransactionType::refund,
                .amount_minor = original.amount_minor,
                .reason = ReasonCode::order_error,
                .punctual = true});
  });
  agenda_.at(charged_at, [this, visit, original](TimeMs at) {
    if (till_.free_amount(visit.card, visit.terminal, original.amount_minor, true) != original.amount_minor) return;
    till_.debit(at, visit.debit(original.amount_minor));
  });
}

// Hotels hold an amount first and take what it came to; one in ten guests does not come.
void Traffic::preauthorised(const Visit& visit) {
  if (world_.merchant_of(visit.terminal).mcc != 7011) return sale(visit);
  const Transaction held =
      till_.plain(visit.at, TransactionType::preauth, visit.debit(visit.wanted_minor), TransactionStatus::approved, 0);
  const TimeMs completed_at = visit.at + random_.between(20 * kMinute, 6 * kHour);
  const bool comes = random_.chance(900'000);
  if (!before_stop(completed_at)) return;
  agenda_.at(completed_at, [this, visit, held, comes](TimeMs at) {
    Debit debit = visit.debit(till_.free_amount(visit.card, visit.terminal, held.amount_minor * 95 / 100 + 1, false));
    debit.completes = &held;
    if (!comes) {
      till_.plain(at, TransactionType::preauth_void, debit, TransactionStatus::approved, 0);
    } else if (debit.amount_minor > 0) {
      debit.type = TransactionType::preauth_completion;
      till_.debit(at, debit);
    }
  });
}

// The tip is added to the sale afterwards; the line is posted with it.
void Traffic::tipped(const Visit& visit) {
  const uint16_t mcc = world_.merchant_of(visit.terminal).mcc;
  const TimeMs adjusted_at = visit.at + random_.between(kMinute, 5 * kMinute);
  if ((mcc != 5812 && mcc != 7011) || !before_stop(adjusted_at)) return sale(visit);
  Debit debit = visit.debit(free_amount(visit));
  if (debit.amount_minor == 0) return;
  debit.settle = false;
  const Transaction original = till_.debit(visit.at, debit);
  agenda_.at(adjusted_at, [this, visit, original](TimeMs at) {
    Debit total = visit.debit(original.amount_minor * 110 / 100);
    total.completes = &original;
    till_.plain(at, TransactionType::adjustment, total, TransactionStatus::approved, 0);
    const TimeMs posted_at = std::max(till_.posting_time(original), at + random_.between(1000, 20'000));
    till_.settle(original, total.amount_minor, {.at = posted_at, .mcc = 0, .fee_minor = {}});
  });
}

// Sold without a line, sent up when it is back.
void Traffic::offline(const Visit& visit) {
  const TimeMs sent_up_at = visit.at + random_.between(20 * kMinute, 4 * kHour);
  if (!world_.terminals[visit.terminal].offline_capable || !before_stop(sent_up_at)) return sale(visit);
  Debit debit = visit.debit(free_amount(visit));
  debit.host_at = sent_up_at;
  if (debit.amount_minor > 0) till_.debit(visit.at, debit);
}

}  // namespace tillwatch::connectors::generation
