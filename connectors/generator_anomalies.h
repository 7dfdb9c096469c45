// What goes wrong on purpose, with the alerts each piece must lead to. Each kind is a row of injectors(): a name, the rules it
// makes speak, who takes part, how long it takes, and a function that plays one. The severities follow the texts of the rules.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/generator_agenda.h"
#include "connectors/generator_random.h"
#include "connectors/generator_till.h"
#include "connectors/generator_traffic.h"
#include "connectors/generator_world.h"

namespace tillwatch::connectors::generation {

class Scene;

struct Injector {
  const char* name;
  std::vector<const char*> rules;  // all that an anomaly of this kind may make speak
  Cast cast;
  DurationMs debits;  // from its begin to its last debit; 0: it chooses its own time
  DurationMs takes;   // from its begin until all is said that does not wait for an hour or more
  bool crowd;         // dozens of payments or messages each
  void (*play)(Scene& scene);
};
// Each group lies in a file of its own name; a new row there is a new anomaly.
std::vector<Injector> debit_injectors();
std::vector<Injector> fee_injectors();
std::vector<Injector> gateway_injectors();
std::vector<Injector> message_injectors();
std::vector<Injector> notice_injectors();
std::vector<Injector> refund_injectors();
std::vector<Injector> terminal_injectors();
const std::vector<Injector>& injectors();  // all of them
// How many of a kind the options ask for in the whole run.
uint32_t anomaly_count(const GeneratorOptions& options, const Injector& injector);
std::vector<Casting> castings(const GeneratorOptions& options);

using AlertKey = std::map<std::string, std::string>;
AlertKey key_of(const Transaction& transaction);  // txn_id
std::string message_id_of(const Submission& submission);
std::string phone_token_of(uint64_t owner);

class Anomalies {
 public:
  // Puts all of them on the agenda, and may give those set apart other contracts: before the prologue is told.
  Anomalies(const GeneratorOptions& options, World& world, Till& till, Traffic& traffic, Delivery& delivery, Agenda& agenda);

  const std::vector<Injected>& truth() const { return truth_; }

  void plan_duplicate(const Actors& actors);
  void plan_jump(const Actors& actors);
  void plan_rate(const Actors& actors);
  void plan_unsent(const Actors& actors);

 private:
  friend class Scene;
  struct Repeated;
  struct Jump;
  struct Rate;
  struct Unsent;

  void debit_again(const std::shared_ptr<Repeated>& story, TimeMs at);
  void undo_repeated(const std::shared_ptr<Repeated>& story);

  void jump(const std::shared_ptr<Jump>& story, TimeMs at);
  void register_jump(const std::shared_ptr<Jump>& story, TimeMs at);

  void charge(const std::shared_ptr<Rate>& story, TimeMs at);
  void charge_right(const std::shared_ptr<Rate>& story, TimeMs at);
  void end_rate(const std::shared_ptr<Rate>& story);

  void debit_unsent(const std::shared_ptr<Unsent>& story, TimeMs at);
  void undo_unsent(const std::shared_ptr<Unsent>& story, TimeMs at);

  bool find_start(const Injector& injector, TimeMs& at);
  TimeMs pick_start(TimeMs latest);
  void keep_company(uint32_t terminal, TimeMs around, uint32_t sales, bool debit_cards_only);
  TimeMs before_end(TimeMs at) const;  // `at`, or the last minute of the run
  size_t add_truth(const char* anomaly, const char* rule, TimeMs at, const char* severity, const char* note);
  void resolve_by(size_t truth, const char* resolution);
  void mark_late(size_t truth);

  const TimeMs start_at_, stop_at_, end_at_;
  const DurationMs story_;  // the debits of an anomaly that chooses its own time lie within so much
  const bool daily_shape_;
  World& world_;
  Till& till_;
  Traffic& traffic_;
  Delivery& delivery_;
  Agenda& agenda_;
  Random random_;
  std::vector<Injected> truth_;
  std::vector<std::unique_ptr<Scene>> scenes_;
};

// One anomaly being played, and what it is played with. It stays where it is, so deeds may refer to it.
class Scene {
 public:
  Scene(Anomalies& stage, const Injector& injector, const Actors& actors, TimeMs at);

  const TimeMs at;  // when it begins
  const Actors actors;
  World& world;
  Till& till;
  Delivery& delivery;
  Random& random;

  uint32_t card(uint32_t index = 0) const { return actors.card + index; }
  uint32_t merchant(uint32_t index = 0) const { return actors.merchant + index; }
  uint32_t terminal(uint32_t merchant_index = 0, uint32_t index = 0) const {
    return world.merchants[merchant(merchant_index)].first_terminal + index;
  }
  const std::string& merchant_id(uint32_t index = 0) const { return world.merchants[merchant(index)].id; }

  // Does it at that time. What it sends beyond the lateness marks what the scene expects.
  void then(TimeMs when, std::function<void(TimeMs)> deed);
  // An ordinary sale to come: an amount the card has not paid here lately.
  Debit sale(uint32_t card_index = 0, uint32_t merchant_index = 0);
  Transaction pay(TimeMs when, const Debit& debit) { return till.debit(when, debit); }
  // Ordinary sales at this terminal in the hour before.
  void keep_company(uint32_t terminal, TimeMs before, uint32_t sales);
  // A message about `about`, from a sender of the scene's own, by SMS.
  Submission message(TimeMs when, const Transaction& about);
  void send(const Submission& submission, const Notices::Fate& fate = {}) { till.notices().send(submission, fate); }

  // An alert that must be raised; `ends` says how and when it is over.
  class Told {
   public:
    void ends(const char* resolution, TimeMs when) const;

   private:
    friend class Scene;
    Told(Anomalies& stage, size_t index) : stage_(stage), index_(index) {}
    Anomalies& stage_;
    size_t index_;
  };
  Told expect(const char* rule, AlertKey key, TimeMs raised_at, const char* severity, const char* note);

  void plan_duplicate() { stage_.plan_duplicate(actors); }
  void plan_jump() { stage_.plan_jump(actors); }
  void plan_rate() { stage_.plan_rate(actors); }
  void plan_unsent() { stage_.plan_unsent(actors); }

 private:
  Anomalies& stage_;
  const Injector& injector_;
  std::vector<size_t> expected_;
  bool late_ = false;
};

}  // namespace tillwatch::connectors::generation
