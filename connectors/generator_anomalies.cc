#include "connectors/generator_anomalies.h"

#include <algorithm>
#include <cmath>

#include "connectors/generator_json.h"
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
  for (size_t row = 0; row < injectors().size(); ++row) {
    const Injector& injector = injectors()[row];
    for (const Actors& actors : world_.actors[row]) {
      TimeMs at = 0;
      if (!find_start(injector, at)) continue;  // the run is too short for it
      injector.play(*scenes_.emplace_back(std::make_unique<Scene>(*this, injector, actors, at)));
    }
  }
}

bool Anomalies::find_start(const Injector& injector, TimeMs& at) {
  if (injector.debits == 0) return true;
  const TimeMs latest = std::min(stop_at_ - injector.debits, end_at_ - injector.takes);
  if (latest <= start_at_ + kMinute) return false;
  at = pick_start(latest);
  return true;
}

// When an anomaly begins: as likely at an hour as anything else is.
TimeMs Anomalies::pick_start(TimeMs latest) {
  const TimeMs first = std::min(start_at_ + (stop_at_ - start_at_) / 20, latest - kMinute);
  TimeMs at = first;
  for (int attempt = 0; attempt < 16; ++attempt) {
    at = first + random_.between(0, (latest - first) / 1000) * 1000 + random_.between(0, 999);
    if (!daily_shape_ || random_.below(2300) < static_cast<uint32_t>(busyness_permille(at))) break;
  }
  return at;
}

const std::vector<Injector>& injectors() {
  static const std::vector<Injector> all = [] {
    std::vector<Injector> rows;
    for (const auto& group : {debit_injectors(), fee_injectors(), gateway_injectors(), message_injectors(), notice_injectors(),
                              refund_injectors(), terminal_injectors()}) {
      rows.insert(rows.end(), group.begin(), group.end());
    }
    return rows;
  }();
  return all;
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

size_t Anomalies::add_truth(const char* anomaly, const char* rule, TimeMs at, const char* severity, const char* note) {
  Injected injected;
  injected.anomaly = anomaly;
  injected.rule = rule;
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

// To be called after a step that began with delivery_.take_late().
void Anomalies::mark_late(size_t truth) { truth_[truth].late |= delivery_.take_late(); }

uint32_t anomaly_count(const GeneratorOptions& options, const Injector& injector) {
  const auto whole = options.anomalies.find(injector.name);
  const auto hourly = options.anomalies_per_hour.find(injector.name);
  double count = whole == options.anomalies.end() ? 0 : whole->second;
  if (hourly != options.anomalies_per_hour.end()) {
    count += hourly->second * static_cast<double>(options.length) / static_cast<double>(kHour);
  }
  return static_cast<uint32_t>(std::lround(count));
}

std::vector<Casting> castings(const GeneratorOptions& options) {
  std::vector<Casting> castings;
  for (const Injector& injector : injectors()) castings.push_back({injector.cast, anomaly_count(options, injector)});
  return castings;
}

AlertKey key_of(const Transaction& transaction) {
  AlertKey key;
  append_transaction_id(key["txn_id"], transaction.id);
  return key;
}

std::string message_id_of(const Submission& submission) {
  std::string id = "SM-";
  append_padded(id, submission.message, 10);
  return id;
}

std::string phone_token_of(uint64_t owner) {
  std::string token;
  append_token(token, 'p', phone_of(owner));
  return token;
}

// --- one anomaly

Scene::Scene(Anomalies& stage, const Injector& injector, const Actors& of, TimeMs begins_at)
    : at(begins_at),
      actors(of),
      world(stage.world_),
      till(stage.till_),
      delivery(stage.delivery_),
      random(stage.random_),
      stage_(stage),
      injector_(injector) {}

void Scene::then(TimeMs when, std::function<void(TimeMs)> deed) {
  stage_.agenda_.at(when, [this, deed = std::move(deed)](TimeMs now) {
    delivery.take_late();
    deed(now);
    late_ |= delivery.take_late();
    if (!late_) return;
    for (const size_t index : expected_) stage_.truth_[index].late = true;
  });
}

Debit Scene::sale(uint32_t card_index, uint32_t merchant_index) {
  Debit debit;
  debit.card = card(card_index);
  debit.terminal = terminal(merchant_index);
  const int64_t wanted = world.cards[debit.card].min_notify_minor + pick_amount(random, world.merchant_of(debit.terminal).mcc);
  const int64_t free = till.free_amount(debit.card, debit.terminal, wanted, false);
  debit.amount_minor = free != 0 ? free : wanted;
  return debit;
}

void Scene::keep_company(uint32_t at_terminal, TimeMs before, uint32_t sales) {
  stage_.keep_company(at_terminal, before, sales, false);
}

Submission Scene::message(TimeMs when, const Transaction& about) {
  Submission submission = till.notices().draft(when, about);
  submission.channel = Channel::sms;
  submission.sender = actors.number;
  return submission;
}

Scene::Told Scene::expect(const char* rule, AlertKey key, TimeMs raised_at, const char* severity, const char* note) {
  const size_t index = stage_.add_truth(injector_.name, rule, raised_at, severity, note);
  stage_.truth_[index].key = std::move(key);
  stage_.truth_[index].late = late_;
  expected_.push_back(index);
  return {stage_, index};
}

void Scene::Told::ends(const char* resolution, TimeMs when) const {
  stage_.resolve_by(index_, resolution);
  stage_.truth_[index_].resolves_at = when;
}

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
  size_t slip_truth = 0;  // of no_slip
  std::vector<Transaction> done;
};

void Anomalies::plan_duplicate(const Actors& actors) {
  using Manner = Repeated::Manner;
  const Merchant& merchant = world_.merchants[actors.merchant];
  const auto story = std::make_shared<Repeated>();
  const uint32_t manner = random_.below(20);
  story->manner = manner < 8    ? Manner::no_slip
                  : manner < 15 ? Manner::slips
                  : manner < 18 ? Manner::two_terminals
                                : Manner::two_orders;
  const uint32_t size = random_.below(10);
  story->debits = size < 6 ? 2 : size < 8 ? 3 : size < 9 ? 4 : 5;
  // Four notices within a minute would be too many for one phone.
  story->gap = random_.between(story->debits > 3 ? 55'000 : 20'000, 280'000 / (story->debits - 1));
  if (story->debits == 2 && random_.chance(60'000)) story->gap = 300 * kSecond;  // the window includes its end
  story->debit.card = actors.card;
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
  const TimeMs at = pick_start(stop_at_ - story_);
  keep_company(story->debit.terminal, at, 1 + random_.below(3), false);
  agenda_.at(at, [this, story](TimeMs now) { debit_again(story, now); });
}

void Anomalies::debit_again(const std::shared_ptr<Repeated>& story, TimeMs at) {
  using Manner = Repeated::Manner;
  constexpr const char* kNotes[] = {"paid again because no slip came", "paid again, both with a slip",
                                    "paid again at a second terminal", "two orders of the same amount"};
  constexpr const char* kSeverities[] = {"high", "medium", "medium", "info"};
  delivery_.take_late();
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
    story->truth = add_truth(kDuplicateDebit, kDuplicateDebit, at + story->gap, kSeverities[manner], kNotes[manner]);
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
  if (story->manner == Manner::no_slip && story->done.size() == 1) {
    story->slip_truth = add_truth(kDuplicateDebit, "debit-no-slip", at + 120 * kSecond, "critical", kNotes[0]);
    truth_[story->slip_truth].key = key_of(story->done.front());
  }
  if (delivery_.take_late()) {
    truth_[story->truth].late = true;
    if (story->manner == Manner::no_slip) truth_[story->slip_truth].late = true;
  }
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
    if (story->manner == Repeated::Manner::no_slip) resolve_by(story->slip_truth, truth_[story->truth].resolution.c_str());
  } else {
    truth_[story->truth].note += "; one refunded in part";
  }
  const size_t count = story->in_part ? 1 : story->done.size() - 1;
  for (size_t i = 0; i < count; ++i) {
    agenda_.at(undone_at + static_cast<DurationMs>(i) * 70 * kSecond, [this, story, i](TimeMs at) {
      delivery_.take_late();
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

void Anomalies::plan_jump(const Actors& actors) {
  const Merchant& merchant = world_.merchants[actors.merchant];
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
  story->debit.card = actors.card;
  world_.cards[story->debit.card].type = card_type;
  story->debit.terminal = merchant.first_terminal;
  story->debit.settle = false;
  const TimeMs at = pick_start(stop_at_ - story_);
  keep_company(story->debit.terminal, at, 3 + random_.below(6), false);
  agenda_.at(at, [this, story](TimeMs now) { jump(story, now); });
}

void Anomalies::jump(const std::shared_ptr<Jump>& story, TimeMs at) {
  delivery_.take_late();
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
    story->truth = add_truth(kCodeJump, kCodeJump, debit.mcc != 0 ? at : story->posted_at, story->severity, story->note);
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
