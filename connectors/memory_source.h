// A source for tests: records are pushed by hand, what a partition says of itself is set by hand, faults are asked for.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "connectors/source.h"

namespace tillwatch::connectors {

class MemorySource final : public Source {
 public:
  explicit MemorySource(std::vector<Partition> inputs);

  // For the test:
  // Adds a record behind those of its input and returns its offset. Records are handed out in the order of pushing, over
  // all inputs.
  int64_t push(uint32_t input, TimeMs arrived_at, std::string value, std::string key = {});
  // Leaves out offsets, as transactions and compaction do.
  void skip_offsets(uint32_t input, int64_t count) { feeds_.at(input).end_offset += count; }
  void push_oversize(uint32_t input, TimeMs arrived_at, std::string head);
  // Once all its records are handed out, the input is at its end since `wall_ms`; until told otherwise (empty).
  void set_at_end(uint32_t input, std::optional<TimeMs> wall_ms) { feeds_.at(input).at_end_since = wall_ms; }
  // Nothing will be pushed to the input any more.
  void finish(uint32_t input) { feeds_.at(input).finished = true; }
  void finish_all();
  // Takes an input away or gives it back; the next poll says `reassigned`.
  void set_owned(uint32_t input, bool owned);
  // The next polls fail, one error each.
  void fail_next_poll(Error error) { poll_errors_.push_back(std::move(error)); }
  void fail_next_seek(Error error) { seek_errors_.push_back(std::move(error)); }

  // Source:
  const std::vector<Partition>& inputs() const override { return inputs_; }
  InputState state(uint32_t index) const override;
  // Never waits.
  Expected<PollResult> poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) override;
  Status seek(const std::vector<Position>& positions) override;
  Status hold(const std::vector<std::string>& topics) override;

 private:
  struct Stored {
    uint32_t input;
    int64_t offset;
    TimeMs arrived_at;
    std::string key;
    std::string value;
    bool oversize;
    bool handed_out;
  };
  struct Feed {
    int64_t end_offset = 0;   // of the next record pushed
    int64_t next_offset = 0;  // of the next record handed out
    int64_t waiting = 0;      // records not handed out
    bool owned = true;
    bool held = false;
    bool finished = false;
    std::optional<TimeMs> at_end_since;
  };
  int64_t store(uint32_t input, TimeMs arrived_at, std::string key, std::string value, bool oversize);

  const std::vector<Partition> inputs_;
  std::vector<Feed> feeds_;
  std::vector<Stored> records_;  // in the order of pushing
  size_t first_waiting_ = 0;     // all before it are handed out
  bool reassigned_ = false;
  std::deque<Error> poll_errors_;
  std::deque<Error> seek_errors_;
};

}  // namespace tillwatch::connectors
