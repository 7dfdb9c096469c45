// What goes wrong on purpose, with the alert each piece must lead to. The severities follow the texts of the four rules.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connectors/generator_agenda.h"
#include "connectors/generator_random.h"
#include "connectors/generator_till.h"
#include "connectors/generator_traffic.h"
#include "connectors/generator_world.h"

namespace tillwatch::connectors::generation {

class Anomalies {
 public:
  // Puts all of them on the agenda, and may give merchants of the pools another contract: before the prologue is told.
  Anomalies(const GeneratorOptions& options, World& world, Till& till, Traffic& traffic, Delivery& delivery, Agenda& agenda);

  const std::vector<Injected>& truth() const { return truth_; }

 private:
  struct Repeated;
  struct Jump;
  struct Rate;
  struct Unsent;

  void plan_duplicate(uint32_t index);
  void debit_again(const std::shared_ptr<Repeated>& story, TimeMs at);
  void undo_repeated(const std::shared_ptr<Repeated>& story);

  void plan_jump(uint32_t index);
  void jump(const std::shared_ptr<Jump>& story, TimeMs at);
  void register_jump(const std::shared_ptr<Jump>& story, TimeMs at);

  void plan_rate(uint32_t index);
  void charge(const std::shared_ptr<Rate>& story, TimeMs at);
  void charge_right(const std::shared_ptr<Rate>& story, TimeMs at);
  void end_rate(const std::shared_ptr<Rate>& story);

  void plan_unsent(uint32_t index);
  void debit_unsent(const std::shared_ptr<Unsent>& story, TimeMs at);
  void undo_unsent(const std::shared_ptr<Unsent>& story, TimeMs at);

  TimeMs pick_start();
  void keep_company(uint32_t terminal, TimeMs around, uint32_t sales, bool debit_cards_only);
  TimeMs before_end(TimeMs at) const;  // `at`, or the last minute of the run
  size_t add_truth(AnomalyKind kind, TimeMs at, const char* severity, const char* note);
  void resolve_by(size_t truth, const char* resolution);
  void mark_late(size_t truth);

  const TimeMs start_at_, stop_at_, end_at_;
  const DurationMs story_;  // the debits of one anomaly lie within so much
  const bool daily_shape_;
  World& world_;
  Till& till_;
  Traffic& traffic_;
  Delivery& delivery_;
  Agenda& agenda_;
  Random random_;
  std::vector<Injected> truth_;
};

}  // namespace tillwatch::connectors::generation
