// From fact to record in order of arrival: latency, disorder, lateness and redelivery, and the facts that wait for theirs.
#pragma once

#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

#include "connectors/generator.h"
#include "connectors/generator_facts.h"
#include "connectors/generator_random.h"
#include "connectors/generator_writer.h"

namespace tillwatch::connectors::generation {

// Facts in numbered places that are used again.
template <class Fact>
class Waiting {
 public:
  uint32_t put(const Fact& fact) {
    if (free_.empty()) {
      facts_.push_back(fact);
      return static_cast<uint32_t>(facts_.size() - 1);
    }
    const uint32_t place = free_.back();
    free_.pop_back();
    facts_[place] = fact;
    return place;
  }
  const Fact& at(uint32_t place) const { return facts_[place]; }
  void release(uint32_t place) { free_.push_back(place); }

 private:
  std::vector<Fact> facts_;
  std::vector<uint32_t> free_;
};

class Delivery {
 public:
  Delivery(const GeneratorOptions& options, const World& world);

  // Sends a fact on its way. A punctual one is never beyond the lateness. What happened before the run has waited on the
  // broker.
  void send(Transaction fact, bool punctual = false);  // sent when the host or, failing it, the terminal knows
  void send(Slip fact);
  void send(SettlementLine fact);
  void send(Submission fact);
  void send(Receipt fact);
  void send(Reply fact);
  void send(const ReferenceRecord& fact);

  // Whether something sent since the last call arrives beyond the lateness.
  bool take_late() { return std::exchange(late_, false); }

  bool empty() const { return heap_.empty(); }
  TimeMs next_arrival() const { return heap_.top().arrival; }  // not when empty
  void pop(GeneratedRecord& record);                           // not when empty

  // The partition of a key.
  int32_t partition_of(const std::string& key, bool reference) const;

 private:
  enum class Kind : uint8_t { transaction, slip, settlement, submission, receipt, reply, reference };
  struct Arrival {
    TimeMs arrival;
    uint64_t order;  // of sending: breaks ties
    uint32_t place;
    Kind kind;
    bool first_of_two;  // a redelivery of the same place follows
    bool repeated;
    // The earliest on top of a std::priority_queue.
    bool operator<(const Arrival& other) const {
      return arrival != other.arrival ? arrival > other.arrival : order > other.order;
    }
  };

  void send_place(TimeMs sent_at, Kind kind, uint32_t place, bool punctual);
  void write(const Arrival& next, GeneratedRecord& record);

  Writer writer_;
  Random random_;
  uint32_t redelivery_ppm_, disorder_ppm_, late_ppm_;
  DurationMs max_disorder_ms_;
  uint32_t partitions_, reference_partitions_;
  TimeMs start_at_;
  bool late_ = false;
  uint64_t order_ = 0;
  uint64_t fact_ = 0;
  TimeMs given_until_ = kBeforeAllTime;  // the arrival of the last record popped
  std::priority_queue<Arrival> heap_;
  Waiting<Transaction> transactions_;
  Waiting<Slip> slips_;
  Waiting<SettlementLine> settlements_;
  Waiting<Submission> submissions_;
  Waiting<Receipt> receipts_;
  Waiting<Reply> replies_;
  Waiting<ReferenceRecord> references_;
};

}  // namespace tillwatch::connectors::generation
