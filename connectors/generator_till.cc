#include "connectors/generator_till.h"

#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

uint64_t paid_key(uint32_t card, uint32_t merchant, int64_t amount_minor) {
  return mix((uint64_t{card} << 32) | merchant) ^ static_cast<uint64_t>(amount_minor);
}

uint64_t tail_key(const Card& card, int64_t amount_minor) {
  return (static_cast<uint64_t>(amount_minor) << 10) | (card.last4 % 1000U);
}

uint64_t debits_in_an_hour(const GeneratorOptions& options) {
  return static_cast<uint64_t>(options.events_per_second * 2400) + 1;
}

SettlementLine line_about(const Transaction& transaction, TimeMs posted_at, LineType type) {
  SettlementLine line;
  line.transaction = transaction.id;
  line.posted_at = posted_at;
  line.rrn = transaction.rrn;
  line.card = transaction.card;
  line.terminal = transaction.terminal;
  line.settled_mcc = transaction.mcc;
  line.method = transaction.method;
  line.type = type;
  return line;
}

}  // namespace

Till::Till(const GeneratorOptions& options, World& world, Agenda& agenda, Delivery& delivery)
    : world_(world),
      delivery_(delivery),
      notices_(options, world, agenda, delivery),
      random_(options.seed, 4),
      settlement_delay_(options.settlement_delay),
      paid_(debits_in_an_hour(options)),
      seen_by_tail_(debits_in_an_hour(options)),
      taken_by_tail_(debits_in_an_hour(options) / 16) {}

int64_t Till::free_amount(uint32_t card, uint32_t terminal, int64_t wanted_minor, bool same_amounts) {
  const uint32_t merchant = world_.terminals[terminal].merchant;
  int64_t amount = wanted_minor;
  for (int attempt = 0; attempt < 24; ++attempt) {
    const bool paid = !same_amounts && paid_.has(paid_key(card, merchant, amount));
    if (!paid && !taken_by_tail_.has(tail_key(world_.cards[card], amount))) return amount;
    amount = wanted_minor + random_.between(1, 9 + 40 * attempt);
  }
  return 0;
}

int64_t Till::unseen_amount(uint32_t card, int64_t wanted_minor) {
  uint64_t key = tail_key(world_.cards[card], wanted_minor);
  while (seen_by_tail_.has(key) || taken_by_tail_.has(key)) key = tail_key(world_.cards[card], ++wanted_minor);
  taken_by_tail_.add(key);
  return wanted_minor;
}

void Till::remember(const Transaction& debit) {
  for (Recent* recent : {&paid_, &seen_by_tail_, &taken_by_tail_}) recent->turn(debit.at());
  paid_.add(paid_key(debit.card, world_.terminals[debit.terminal].merchant, debit.amount_minor));
  seen_by_tail_.add(tail_key(world_.cards[debit.card], debit.amount_minor));
}

Transaction Till::start(TimeMs at, TransactionType type, uint32_t card, uint32_t terminal) {
  Terminal& at_terminal = world_.terminals[terminal];
  const int64_t clearing_day = (local_midnight(at + kHour) + kLocalOffset) / kDay;
  Transaction transaction;
  transaction.id = {.number = ++transaction_, .at = at};
  transaction.host_at = at;
  transaction.type = type;
  transaction.card = card;
  transaction.terminal = transaction.device = terminal;
  transaction.stan = at_terminal.stan = at_terminal.stan % 999'999 + 1;
  transaction.batch = static_cast<uint32_t>(clearing_day % 1'000'000);
  transaction.rrn = static_cast<uint64_t>(clearing_day % 1000) * 1'000'000'000 + transaction_ % 1'000'000'000;
  transaction.mcc = world_.merchant_of(terminal).mcc_at(at);
  return transaction;
}

Transaction Till::debit(TimeMs at, const Debit& debit) {
  Transaction transaction = start(at, debit.type, debit.card, debit.terminal);
  transaction.amount_minor = debit.amount_minor;
  transaction.method = debit.method;
  transaction.order = debit.order;
  transaction.answered = debit.answered;
  transaction.billed_minor = debit.billed_minor;
  transaction.device = debit.device.value_or(debit.terminal);
  transaction.moved_e4 = debit.moved_e4;
  if (debit.mcc != 0) transaction.mcc = debit.mcc;
  if (debit.host_at != 0) {
    transaction.host_at = debit.host_at;
    transaction.offline = true;
  }
  if (debit.completes != nullptr) {
    transaction.link = Link::by_id;
    transaction.original = debit.completes->id;
    transaction.original_amount_minor = debit.completes->amount_minor;
  }
  const bool alone = !seen_by_tail_.has(tail_key(world_.cards[debit.card], debit.amount_minor));
  remember(transaction);
  delivery_.send(transaction);
  if (debit.slip) print_slip(transaction);
  if (debit.notice) {
    const auto told = notices_.tell_of_debit(transaction, debit.by_tail && alone && !transaction.offline, debit.at_once);
    if (told.by_tail) taken_by_tail_.add(tail_key(world_.cards[debit.card], debit.amount_minor));
  }
  if (debit.tell_merchant) notices_.tell_merchant(transaction);
  if (debit.settle) settle(transaction);
  return transaction;
}

// The terminal prints when it has the answer, and reports an offline slip when it is back. One in two hundred runs out of paper
// and is printed again.
void Till::print_slip(const Transaction& transaction) {
  const bool paper = world_.terminals[transaction.terminal].slip == SlipKind::paper;
  const TimeMs at = transaction.known_at() + random_.between(600, 3000);
  if (!paper || !random_.chance(5000)) {
    return try_slip(at, transaction, paper ? SlipStatus::printed : SlipStatus::e_slip_signed);
  }
  try_slip(at, transaction, SlipStatus::failed);
  try_slip(at + random_.between(8000, 40'000), transaction, SlipStatus::reprinted);
}

Transaction Till::plain(TimeMs at, TransactionType type, const Debit& debit, TransactionStatus status, uint16_t response_code) {
  Transaction transaction = start(at, type, debit.card, debit.terminal);
  transaction.amount_minor = debit.amount_minor;
  transaction.method = debit.method;
  transaction.order = debit.order;
  transaction.status = status;
  transaction.response_code = response_code;
  if (debit.completes != nullptr) {
    transaction.link = Link::by_id;
    transaction.original = debit.completes->id;
    transaction.original_amount_minor = debit.completes->amount_minor;
  }
  delivery_.send(transaction);
  return transaction;
}

Transaction Till::undo(TimeMs at, const Transaction& original, const Undoing& undoing) {
  Transaction transaction = start(at, undoing.type, original.card, original.terminal);
  transaction.amount_minor = undoing.amount_minor;
  transaction.method = original.method;
  transaction.reason = undoing.reason;
  transaction.link = undoing.link;
  transaction.original = original.id;
  transaction.original_rrn = original.rrn;
  transaction.original_stan = original.stan;
  transaction.original_batch = original.batch;
  transaction.original_amount_minor = original.amount_minor;
  if (undoing.type == TransactionType::refund) transaction.refund = undoing.refund != 0 ? undoing.refund : ++refund_;
  delivery_.send(transaction, undoing.punctual);
  if (undoing.amount_minor >= original.amount_minor) notices_.forget(original);
  if (undoing.tell) notices_.tell_of_refund(transaction);
  if (undoing.type == TransactionType::refund) settle(transaction);
  return transaction;
}

void Till::retransmit(const Transaction& transaction) {
  Transaction again = transaction;
  again.host_at += random_.between(500, 1500);
  delivery_.send(again);
}

void Till::report(TimeMs at, const Transaction& transaction, TransactionStatus status) {
  Transaction report = transaction;
  report.id = {.number = ++transaction_, .at = at};
  report.host_at = 0;
  report.rrn = 0;
  report.status = status;
  report.response_code = status == TransactionStatus::timeout ? 68 : 0;
  report.answered = false;
  delivery_.send(report);
}

void Till::try_slip(TimeMs at, const Transaction& transaction, SlipStatus status) {
  Slip slip;
  slip.transaction = transaction.id;
  slip.at = at;
  slip.card = transaction.card;
  slip.terminal = transaction.terminal;
  slip.stan = transaction.stan;
  slip.batch = transaction.batch;
  slip.status = status;
  delivery_.send(slip);
}

// What is cleared today is posted the next morning from ten o'clock on, or after the delay asked for.
TimeMs Till::posting_time(const Transaction& transaction) {
  if (settlement_delay_) return transaction.known_at() + *settlement_delay_ + random_.between(0, *settlement_delay_ / 4);
  return local_midnight(transaction.known_at() + kHour) + kDay + 10 * kHour + random_.between(0, 40 * kMinute);
}

void Till::settle(const Transaction& transaction, int64_t amount_minor, const Posting& posting) {
  const Merchant& merchant = world_.merchant_of(transaction.terminal);
  const Contract& contract = merchant.contract_at(transaction.at());
  const Price& price = contract.price(world_.cards[transaction.card].type == CardType::credit, is_qr(transaction.method));
  SettlementLine line = line_about(transaction, posting.at != 0 ? posting.at : posting_time(transaction), LineType::sale);
  line.amount_minor = amount_minor;
  if (posting.mcc != 0) line.settled_mcc = posting.mcc;
  const int64_t full = fee_of(price, amount_minor);
  line.fee_minor = posting.fee_minor.value_or(full);
  line.rate_ppm = posting.fee_minor ? posting.rate_ppm : rate_of(price, amount_minor);
  line.flat_minor = posting.fee_minor ? 0 : price.flat_minor;
  if (transaction.type == TransactionType::refund) {
    line.type = LineType::refund;
    line.fee_minor = contract.refund_fee_returned ? -full : 0;
    line.flat_minor = contract.refund_fee_returned ? -price.flat_minor : 0;
  }
  line.other_account = posting.other_account;
  if (line.type == LineType::sale && world_.terminals[line.terminal].merchant >= world_.ordinary_merchants) {
    creep_.note_line(merchant.id, transaction.at(), line.posted_at, line.fee_minor, full);
  }
  delivery_.send(line);
}

void Till::adjust(TimeMs at, const Transaction& about, int64_t amount_minor) {
  SettlementLine line = line_about(about, at, LineType::adjustment);
  line.amount_minor = amount_minor;
  delivery_.send(line);
}

void Till::charge(TimeMs at, const Transaction& about, FeeType type, int64_t fee_minor) {
  SettlementLine line = line_about(about, at, LineType::fee_only);
  line.fee_type = type;
  line.fee_minor = fee_minor;
  delivery_.send(line);
}

}  // namespace tillwatch::connectors::generation
