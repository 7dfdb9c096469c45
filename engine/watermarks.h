// How far event time has come, per partition, per stream and per clock (ARCHITECTURE.md, "Time").
//
// A partition's watermark is its highest event time less the stream's lateness. It is undefined until the partition has spoken,
// never goes back, and moves by records, or, when the partition is quiet (read to its end), at the pace of the wall clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/source.h"
#include "engine/base/status.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

struct WatermarkOptions {
  DurationMs max_future_skew = 5 * kMinute;  // an event further ahead of its arrival is refused by the decoder
};

class Watermarks {
 public:
  Watermarks(const rules::CompiledBundle& bundle, WatermarkOptions options);

  // Makes input `index` known. `stream` is the root stream its topic feeds; -1: a table's topic, which has no clock.
  void add_input(uint32_t index, const connectors::Partition& partition, int stream);

  // An event of `time` was read. Returns when it could be known: `time`, or the partition's watermark when it is late. Silence
  // that was not believed makes nothing late: a dark feed that is back is judged by when things happened.
  TimeMs observe(uint32_t index, TimeMs time, TimeMs arrived_at, TimeMs wall, bool holds_clock);
  TimeMs watermark(uint32_t index) const { return inputs_[index].watermark; }

  // The partition is read to its end, as seen at `wall`: time runs on from its last event, or, when it was found empty, from
  // then.
  void quiet(uint32_t index, TimeMs wall, TimeMs at_end_since);
  // A finite input has been read whole: it holds nothing back any more.
  void finished(uint32_t index);
  // Nothing more will come anywhere: event time runs on to `end` on every input, as if every feed had spoken then.
  void run_on_to(TimeMs end);
  TimeMs latest() const;  // the highest event time of all inputs

  // Per stream: how far its clock is, quiet time included, and how far it was shown to be alive or silence is believed.
  // Derived streams of more than `tier` steps from a topic stay where they are.
  void compute(int tier = kAllTiers);
  static constexpr int kAllTiers = 1'000'000;
  int tiers() const { return *std::max_element(tier_.begin(), tier_.end()); }  // of the farthest derived stream; 0: none
  const std::vector<TimeMs>& plain() const { return plain_; }
  // Values of CompiledBundle::clocks, from the last compute().
  const std::vector<TimeMs>& clocks() const { return clocks_; }

  // Dark feeds. `silent` are topic streams whose clock is ahead of what they were seen to say.
  std::vector<int> silent() const;
  bool feeds(int stream, int clock) const;  // whether `clock` waits for words of topic stream `stream`
  TimeMs believed(int clock) const;         // how far `clock`'s feeds would be if all silence were believed
  void believe(int stream);                 // silence of `stream` counts as having nothing to say, up to now
  TimeMs alive(int stream) const { return alive_[static_cast<size_t>(stream)]; }

  std::string encode() const;
  Status decode(std::string_view bytes);

  // In a group (ARCHITECTURE.md, "Group mode") the one who reads a partition keeps its clock, and tells the shards.
  struct PartitionClock {
    bool spoken = false;
    TimeMs last_event = kBeforeAllTime;  // highest event time
    TimeMs last_wall = 0;                // wall clock when it was read
    TimeMs watermark = kBeforeAllTime;   // quiet time included
    TimeMs spoken_to = kBeforeAllTime;   // by records alone
  };
  PartitionClock partition_clock(uint32_t index) const { return inputs_[index]; }
  void restore(uint32_t index, const PartitionClock& clock) { static_cast<PartitionClock&>(inputs_[index]) = clock; }
  void hear(uint32_t index, TimeMs last_event, TimeMs watermark);
  void hear_gate(int stream, TimeMs upto);
  // How far the partition was believed to have come: what it says of before is late.
  TimeMs believed_of(uint32_t index) const;

  // Derived streams are as far as the slowest of `shards` emitting shards has said, beginning with none.
  void expect_emitters(uint16_t shards);
  struct EmitterClock {
    TimeMs plain = kBeforeAllTime, gated = kBeforeAllTime;
    bool operator==(const EmitterClock&) const = default;
  };
  void hear_emitter(uint16_t shard, int stream, const EmitterClock& clock);
  const std::vector<EmitterClock>& emitters(int stream) const { return emitters_[static_cast<size_t>(stream)]; }
  // Per stream: how far what this shard emits into it has come. Of derived streams only.
  std::vector<EmitterClock> own_emissions() const;

 private:
  struct InputClock : PartitionClock {
    connectors::Partition partition;
    int stream = -1;
    bool is_finished = false;
  };
  void derive(int tier);
  TimeMs value_of(const rules::ClockNeeds& needs, const std::vector<TimeMs>& gated) const;
  void derive(std::vector<TimeMs>& streams, int tier) const;
  TimeMs emitted_to(int stream, const std::vector<TimeMs>& streams) const;

  const rules::CompiledBundle& bundle_;
  const WatermarkOptions options_;
  std::vector<InputClock> inputs_;
  std::vector<TimeMs> gates_;  // per stream: silence is believed up to here
  std::vector<TimeMs> plain_, gated_, alive_, clocks_, believed_;
  std::vector<std::vector<bool>> upstream_;  // per stream: topic streams that feed it
  std::vector<int> tier_;                    // per stream: how many rules lie between it and the topics; 0: a topic
  std::vector<InputClock> unclaimed_;        // restored, not yet added
  std::vector<std::vector<EmitterClock>> emitters_;  // per stream and shard; empty: derived streams are this process's own
};

}  // namespace tillwatch::engine
