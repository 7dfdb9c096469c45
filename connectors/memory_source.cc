#include "connectors/memory_source.h"

#include <algorithm>

namespace tillwatch::connectors {

MemorySource::MemorySource(std::vector<Partition> inputs) : inputs_(std::move(inputs)), feeds_(inputs_.size()) {}

int64_t MemorySource::push(uint32_t input, TimeMs arrived_at, std::string value, std::string key) {
  return store(input, arrived_at, std::move(key), std::move(value), false);
}

void MemorySource::push_oversize(uint32_t input, TimeMs arrived_at, std::string head) {
  store(input, arrived_at, {}, std::move(head), true);
}

int64_t MemorySource::store(uint32_t input, TimeMs arrived_at, std::string key, std::string value, bool oversize) {
  Feed& feed = feeds_.at(input);
  TILLWATCH_CHECK(!feed.finished);
  const int64_t offset = feed.end_offset++;
  ++feed.waiting;
  records_.push_back({.input = input,
                      .offset = offset,
                      .arrived_at = arrived_at,
                      .key = std::move(key),
                      .value = std::move(value),
                      .oversize = oversize,
                      .handed_out = false});
  return offset;
}

void MemorySource::finish_all() {
  for (Feed& feed : feeds_) feed.finished = true;
}

void MemorySource::set_owned(uint32_t input, bool owned) {
  feeds_.at(input).owned = owned;
  reassigned_ = true;
}

InputState MemorySource::state(uint32_t index) const {
  const Feed& feed = feeds_.at(index);
  InputState state;
  state.owned = feed.owned;
  state.finished = feed.finished && feed.waiting == 0;
  state.at_end = !state.finished && feed.waiting == 0 && feed.at_end_since.has_value();
  state.at_end_since = state.at_end ? *feed.at_end_since : 0;
  state.next_offset = feed.waiting == 0 ? feed.end_offset : feed.next_offset;
  state.lag = feed.waiting;
  return state;
}

Expected<PollResult> MemorySource::poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds) {
  if (!poll_errors_.empty()) {
    Error error = std::move(poll_errors_.front());
    poll_errors_.pop_front();
    return std::unexpected(std::move(error));
  }
  if (reassigned_) {
    reassigned_ = false;
    return PollResult{.reassigned = true};
  }
  size_t left = max_records;
  for (size_t i = first_waiting_; i < records_.size() && left > 0; ++i) {
    Stored& record = records_[i];
    Feed& feed = feeds_[record.input];
    if (!record.handed_out && feed.owned && !feed.held) {
      batch.add(record.input, record.offset, record.arrived_at, record.key, record.value);
      if (record.oversize) batch.mark_oversize();
      record.handed_out = true;
      feed.next_offset = record.offset + 1;
      --feed.waiting;
      --left;
    }
    if (i == first_waiting_ && record.handed_out) ++first_waiting_;
  }
  return PollResult();
}

Status MemorySource::seek(const std::vector<Position>& positions) {
  if (!seek_errors_.empty()) {
    Error error = std::move(seek_errors_.front());
    seek_errors_.pop_front();
    return std::unexpected(std::move(error));
  }
  for (size_t i = 0; i < feeds_.size(); ++i) {
    const auto named = std::ranges::find(positions, inputs_[i], &Position::partition);
    feeds_[i].next_offset = named == positions.end() ? 0 : named->next_offset;
    feeds_[i].waiting = 0;
  }
  for (Stored& record : records_) {
    Feed& feed = feeds_[record.input];
    record.handed_out = record.offset < feed.next_offset;
    if (!record.handed_out) ++feed.waiting;
  }
  first_waiting_ = 0;
  return {};
}

Status MemorySource::hold(const std::vector<std::string>& topics) {
  for (size_t i = 0; i < feeds_.size(); ++i) feeds_[i].held = std::ranges::find(topics, inputs_[i].topic) != topics.end();
  return {};
}

}  // namespace tillwatch::connectors
