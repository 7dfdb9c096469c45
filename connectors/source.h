// Where records come from. A source knows bytes and positions, and nothing of events, rules or alerts.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"

namespace tillwatch::connectors {

// One ordered sequence of records: a partition of a topic, or a file.
struct Partition {
  std::string topic;
  int32_t number = 0;
  bool operator==(const Partition&) const = default;
};

struct Record {
  uint32_t input = 0;          // index into Source::inputs()
  int64_t offset = 0;          // position of this record in its partition
  TimeMs arrived_at = 0;       // append time, ms; what the engine takes for "arrival"
  std::string_view key;        // bytes owned by the RecordBatch
  std::string_view value;      // bytes owned by the RecordBatch; at least kPadding readable bytes follow it
  bool oversize = false;       // the source's limit was passed: `value` is only the beginning of the record
};

// Records of one poll with their bytes. Reused between polls; clear() keeps the memory.
class RecordBatch {
 public:
  static constexpr size_t kPadding = 64;  // what simdjson wants readable after a text

  // Copies key and value in.
  void add(uint32_t input, int64_t offset, TimeMs arrived_at, std::string_view key, std::string_view value);
  // The record added last is only the beginning of one that is too large; it is to be dead-lettered as such.
  void mark_oversize() { records_.back().oversize = true; }
  void clear();
  const std::vector<Record>& records() const { return records_; }
  size_t bytes() const { return bytes_; }

 private:
  char* allocate(size_t size);
  static constexpr size_t kBlock = 1 << 20;
  std::vector<Record> records_;
  std::deque<std::unique_ptr<char[]>> blocks_;
  std::vector<size_t> block_sizes_;
  size_t block_ = 0;   // block in use
  size_t used_ = 0;    // bytes used of it
  size_t bytes_ = 0;   // bytes of keys and values held
};

// The next record to read of an input. Positions are what a commit stores.
struct Position {
  Partition partition;
  int64_t next_offset = 0;
};

// What a source can say of an input between polls.
struct InputState {
  bool owned = true;        // false: revoked; its records of an open batch must not be committed
  bool at_end = false;      // a fetch within the last seconds has shown the position at the high watermark
  bool finished = false;    // a finite input (file) that has been read whole and will never grow
  TimeMs at_end_since = 0;  // wall clock when `at_end` last became true
  int64_t next_offset = 0;  // position: the offset after the last record handed out
  int64_t lag = -1;         // records behind the high watermark; -1 unknown
};

struct PollResult {
  bool reassigned = false;  // inputs were gained or lost since the last poll: the batch in hand must be dropped,
                            // positions re-read from what was committed
};

class Source {
 public:
  virtual ~Source() = default;

  // Every input this source has ever had; indices are stable for the life of the source.
  virtual const std::vector<Partition>& inputs() const = 0;

  // State of input `index`. Same thread as poll().
  virtual InputState state(uint32_t index) const = 0;

  // Appends up to `max_records` records to `batch`, waiting at most `wait` for the first one. Records of one input come
  // in offset order. An empty batch is no error. Errors: unavailable (a bounded retry is the caller's), fenced, invalid.
  virtual Expected<PollResult> poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) = 0;

  // Starts each input at its committed position. Inputs not named start at their beginning. Called before the first poll
  // and again after a dropped batch. A Kafka source takes its positions from the group and ignores `positions`.
  virtual Status seek(const std::vector<Position>& positions) = 0;

  // Records of these topics are not handed out until the next call says otherwise; partitions gained later included. Used at
  // start, while reference tables are read. Same thread as poll().
  virtual Status hold(const std::vector<std::string>& topics) = 0;
};

}  // namespace tillwatch::connectors
