// Ordinary traffic: people who pay, are refused and try again, take things back, leave tips. None of it is wrong.
#pragma once

#include <cstdint>

#include "connectors/generator_agenda.h"
#include "connectors/generator_random.h"
#include "connectors/generator_till.h"
#include "connectors/generator_world.h"

namespace tillwatch::connectors::generation {

inline constexpr DurationMs kTail = 10 * kMinute;  // without debits, at the end of a run

// How busy the moment is, in thousandths of the mean of a day.
int64_t busyness_permille(TimeMs time);

class Traffic {
 public:
  Traffic(const GeneratorOptions& options, World& world, Till& till, Agenda& agenda);

  TimeMs next_time() const { return over_ ? kAfterAllTime : next_us_ / 1000; }  // of the next visit
  void visit_next();

  // An ordinary sale at this terminal by some card, or by some debit card.
  void sell_at(TimeMs at, uint32_t terminal, bool debit_cards_only);

 private:
  // Somebody at a terminal, about to pay.
  struct Visit {
    TimeMs at;
    uint32_t card;
    uint32_t terminal;
    int64_t wanted_minor;
    PaymentMethod method;
    uint32_t order;
    Debit debit(int64_t amount_minor) const;
  };
  using Story = void (Traffic::*)(const Visit&);

  void plan_next();
  Visit begin_visit(TimeMs at);
  uint32_t pick_card(TimeMs at);
  uint32_t pick_merchant(uint32_t card);
  int64_t free_amount(const Visit& visit);
  bool before_stop(TimeMs at) const { return at < stop_at_; }

  void sale(const Visit& visit);
  void retransmitted(const Visit& visit);
  void ride(const Visit& visit);
  void inquiry(const Visit& visit);
  void declined(const Visit& visit);
  void declined_then_paid(const Visit& visit);
  void answer_lost(const Visit& visit);
  void voided(const Visit& visit);
  void refunded(const Visit& visit);
  void refunded_in_part(const Visit& visit);
  void charged_anew(const Visit& visit);
  void preauthorised(const Visit& visit);
  void tipped(const Visit& visit);
  void offline(const Visit& visit);

  World& world_;
  Till& till_;
  Agenda& agenda_;
  Random random_;
  bool daily_shape_;
  int64_t mean_gap_us_;
  int64_t next_us_;
  bool over_ = false;
  TimeMs stop_at_;  // the last debit
  TimeMs end_at_;
};

}  // namespace tillwatch::connectors::generation
