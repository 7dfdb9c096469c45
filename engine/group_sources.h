// The source side of a group's member: the partitions it owns, how far each has come, and where their records went. What it
// knows of a partition goes with it to the next owner, in the note that is committed with the position. Pure; one thread.
#pragma once

#include <string>
#include <vector>

#include "engine/group_exchange.h"
#include "engine/intake.h"
#include "engine/ledger.h"
#include "engine/watermarks.h"

namespace tillwatch::engine {

class GroupSources {
 public:
  // The bundle and the exchange outlive it.
  GroupSources(const rules::CompiledBundle& bundle, const DecodeOptions& decode, const WatermarkOptions& watermarks,
               GroupExchange& exchange);

  void set_inputs(const std::vector<connectors::Partition>& inputs);
  const std::vector<connectors::Partition>& inputs() const { return intake_.inputs(); }

  // Takes the input over as its note says; an empty note: nobody has read it yet. Error: invalid, when the note is not ours.
  Status own(uint32_t input, const std::string& note);
  void disown(uint32_t input);
  std::string note(uint32_t input) const;

  void take(const connectors::RecordBatch& batch, TimeMs wall);
  // Only just before tell(): what a note says of a clock is what shards were told.
  void quiet(uint32_t input, TimeMs wall, TimeMs at_end_since) { watermarks_.quiet(input, wall, at_end_since); }
  void run_on_to(TimeMs end) { watermarks_.run_on_to(end); }
  // Whether shards have not been told how far some owned input has come.
  bool has_news() const;
  // Tells them, with this commit. What is committed is told for good; after an abort own() is called again.
  void tell(ExchangeFrame& marks);

  Intake& intake() { return intake_; }
  const Intake& intake() const { return intake_; }
  const Ledger& ledger() const { return ledger_; }
  bool owns(uint32_t input) const { return owned_[input].is; }
  // Copies that left an input since the group began.
  uint64_t copies(uint32_t input) const { return owned_[input].copies; }

 private:
  struct Owned {
    bool is = false;
    uint64_t copies = 0;
    Watermarks::PartitionClock told;
  };
  // Counts copies by the partition they are of, and passes them on.
  class Counter final : public Exchange {
   public:
    Counter(GroupExchange& next, std::vector<Owned>& owned) : next_(next), owned_(owned) {}
    void send(const Delivery& delivery) override;

   private:
    GroupExchange& next_;
    std::vector<Owned>& owned_;
  };
  bool is_news(uint32_t input) const;
  PartitionLedger& ledger_of(uint32_t input);

  const rules::CompiledBundle& bundle_;
  GroupExchange& exchange_;
  std::vector<Owned> owned_;  // per input
  Counter counter_;
  Watermarks watermarks_;
  Ledger ledger_;
  Intake intake_;
};

}  // namespace tillwatch::engine
