// The traffic generator as a source: what the embedded default and the demo read.
#pragma once

#include <memory>
#include <vector>

#include "connectors/generator.h"
#include "connectors/source.h"

namespace tillwatch::connectors {

struct GeneratorSourceOptions {
  GeneratorOptions traffic;
  double speed = 0;  // seconds of traffic per second of wall clock; 0: as fast as it is read
};

// A source that is finished when the traffic is. Offsets count the records of a partition; going on at a position makes the
// same traffic again from the start and leaves out what was read.
class GeneratorSource final : public Source {
 public:
  explicit GeneratorSource(const GeneratorSourceOptions& options);
  ~GeneratorSource() override;

  const std::vector<Partition>& inputs() const override { return inputs_; }
  InputState state(uint32_t index) const override;
  Expected<PollResult> poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) override;
  Status seek(const std::vector<Position>& positions) override;
  Status hold(const std::vector<std::string>& topics) override;

  // What has been injected so far.
  const std::vector<Injected>& truth() const { return generator_->truth(); }
  // What follows from it for other rules, as far as the traffic has come.
  std::vector<Injected> implied() const { return generator_->implied(finished_ ? kAfterAllTime - 1 : now_); }
  bool finished() const { return finished_; }
  TimeMs traffic_time() const { return now_; }  // arrival of the latest record handed out

 private:
  std::chrono::microseconds wall_time(DurationMs traffic) const;  // not at speed 0
  uint32_t input_of(const GeneratedRecord& record);
  void restart();

  const GeneratorSourceOptions options_;
  std::unique_ptr<Generator> generator_;
  std::vector<Partition> inputs_;
  std::vector<int64_t> offsets_;  // next of each input
  std::vector<int64_t> skip_until_;
  GeneratedRecord record_;
  bool pending_ = false;  // record_ is made and not handed out
  bool finished_ = false;
  TimeMs now_ = 0;
  std::chrono::steady_clock::time_point began_;
  bool started_ = false;
};

}  // namespace tillwatch::connectors
