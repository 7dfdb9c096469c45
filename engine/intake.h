// The first half of a record's way: decode → time → conditions on the event alone → one copy for each input of a rule that
// wants it, into the exchange. What rules emit comes back in here. Pure; one thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "connectors/source.h"
#include "engine/base/arena.h"
#include "engine/dead_letter.h"
#include "engine/exchange.h"
#include "engine/ledger.h"
#include "engine/watermarks.h"
#include "rules/runtime/compiled_rule.h"
#include "rules/runtime/key_state.h"
#include "rules/runtime/machine.h"

namespace tillwatch::engine {

class Intake {
 public:
  // A version of a row of a reference table was read, or made by a rule: its columns, when the registry learned of it, and the
  // record.
  using RowReader = std::function<void(const rules::TableRead& row, std::span<const Value> columns, TimeMs recorded_at,
                                       const rules::Origin& origin)>;

  // All of these outlive the intake.
  Intake(const rules::CompiledBundle& bundle, const DecodeOptions& options, Watermarks& watermarks, Ledger& ledger,
         Exchange& exchange);
  void set_row_reader(RowReader reader) { read_row_ = std::move(reader); }
  // Collects what stopped triggers (rule tests); null: not wanted.
  void set_trace(std::vector<rules::Stop>* trace) { trace_ = trace; }

  // Topics some rule needs, in alphabetical order.
  static std::vector<std::string> stream_topics(const rules::CompiledBundle& bundle);
  static std::vector<std::string> table_topics(const rules::CompiledBundle& bundle);

  // Step by step: a record, or an event that a rule emitted, that still throws is left out and becomes a dead letter.
  void set_careful(bool careful) { careful_ = careful; }

  // Makes the inputs known, by index; again whenever there are new ones.
  void set_inputs(const std::vector<connectors::Partition>& inputs);
  const std::vector<connectors::Partition>& inputs() const { return inputs_; }
  // The stream that input `index` feeds; -1: none.
  int stream_of(uint32_t index) const { return plans_[index].stream; }

  // Takes records in. `wall` is the wall clock at which they were read. What is sent lives until end_round().
  void take(const connectors::RecordBatch& batch, TimeMs wall);
  // Sends on what a rule emitted; `derived` lives until end_round(). Its origin is one of `inputs`.
  void take_derived(rules::DerivedEvent& derived, const std::vector<connectors::Partition>& inputs);
  void end_round() {
    to_send_.clear();
    arena_.reset();
  }

  std::vector<DeadLetter>& dead_letters() { return dead_letters_; }
  const std::vector<DeadLetter>& dead_letters() const { return dead_letters_; }

 private:
  struct InputPlan {
    int stream = -1;
    int table = -1;
    PartitionLedger* ledger = nullptr;
  };
  struct StreamPlan {
    std::unique_ptr<Decoder> decoder;
    std::vector<Value> slots;   // per field
    std::vector<Value> values;  // per position of the shape
  };

  InputPlan plan_for(const connectors::Partition& input);
  void take_one(const connectors::Record& record, InputPlan& plan, TimeMs wall);
  void take_alone(const connectors::Record& record, InputPlan& plan, TimeMs wall);
  void route_derived(rules::DerivedEvent& derived);
  void send_all();
  void take_table(const connectors::Record& record, InputPlan& plan);
  void take_event(const connectors::Record& record, InputPlan& plan, TimeMs wall);
  void bury(const connectors::Record& record, InputPlan& plan, const DecodeResult& result);
  uint64_t record_id(const rules::Origin& origin) const;
  uint64_t identity(const rules::Stream& stream, int root, const std::vector<Value>& values, const rules::Event& event,
                    uint64_t element);
  // Sends what the arrays of the record in hand hold; returns how many copies.
  size_t route_elements(const InputPlan& plan, const rules::Event& event);
  // Sends an event of root stream `root` to whoever wants it; returns how many copies. `element`: the place in its array, from
  // 1, of an event that is an element.
  size_t route(int root, const std::vector<Value>& values, rules::Event event, uint64_t element = 0);
  size_t route_to(const std::vector<int>& subscriptions, const std::vector<int>* position, const std::vector<Value>& values,
                  const rules::Event& event);

  const rules::CompiledBundle& bundle_;
  const DecodeOptions options_;
  Watermarks& watermarks_;
  Ledger& ledger_;
  Exchange& exchange_;
  RowReader read_row_;
  std::vector<rules::Stop>* trace_ = nullptr;
  std::vector<connectors::Partition> inputs_;
  std::vector<InputPlan> plans_;
  std::vector<StreamPlan> streams_, tables_;
  std::vector<RouteLedger*> routes_;  // per subscription
  std::vector<DeadLetter> dead_letters_;
  std::vector<Delivery> to_send_;  // of the record in hand: all of its copies are sent, or none
  bool careful_ = false;
  Arena arena_;    // rows and keys of the round
  Arena scratch_;  // one record's values
  std::string buffer_;
};

}  // namespace tillwatch::engine
