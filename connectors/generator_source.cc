#include "connectors/generator_source.h"

#include <algorithm>
#include <thread>

namespace tillwatch::connectors {

GeneratorSource::GeneratorSource(const GeneratorSourceOptions& options) : options_(options) { restart(); }
GeneratorSource::~GeneratorSource() = default;

void GeneratorSource::restart() {
  generator_ = std::make_unique<Generator>(options_.traffic);
  offsets_.assign(offsets_.size(), 0);
  pending_ = finished_ = started_ = false;
  now_ = 0;
}

uint32_t GeneratorSource::input_of(const GeneratedRecord& record) {
  for (uint32_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].number == record.partition && inputs_[i].topic == record.topic) return i;
  }
  inputs_.push_back({record.topic, record.partition});
  offsets_.push_back(0);
  return static_cast<uint32_t>(inputs_.size() - 1);
}

InputState GeneratorSource::state(uint32_t index) const {
  InputState state;
  state.finished = finished_;
  state.next_offset = index < offsets_.size() ? offsets_[index] : 0;
  state.lag = finished_ ? 0 : -1;
  return state;
}

std::chrono::microseconds GeneratorSource::wall_time(DurationMs traffic) const {
  return std::chrono::microseconds(static_cast<int64_t>(static_cast<double>(traffic) * 1000 / options_.speed));
}

Expected<PollResult> GeneratorSource::poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) {
  const auto give_up = std::chrono::steady_clock::now() + wait;
  size_t handed = 0;
  while (handed < max_records) {
    if (!pending_) {
      if (!generator_->next(record_)) {
        finished_ = true;
        break;
      }
      pending_ = true;
    }
    // Reference records come before the traffic and are not waited for.
    const DurationMs since_start = record_.arrival - options_.traffic.start;
    const uint32_t input = input_of(record_);
    const bool known = input < skip_until_.size() && offsets_[input] < skip_until_[input];
    if (options_.speed > 0 && since_start > 0 && !known) {
      if (!started_) began_ = std::chrono::steady_clock::now() - wall_time(since_start);
      started_ = true;
      const auto due = began_ + wall_time(since_start);
      if (due > std::chrono::steady_clock::now()) {
        if (handed > 0 || due > give_up) {
          if (handed == 0) std::this_thread::sleep_until(give_up);
          break;
        }
        std::this_thread::sleep_until(due);
      }
    }
    const int64_t offset = offsets_[input]++;
    now_ = std::max(now_, record_.arrival);
    pending_ = false;
    if (known) continue;
    batch.add(input, offset, record_.arrival, record_.key, record_.value);
    ++handed;
  }
  return PollResult{};
}

Status GeneratorSource::seek(const std::vector<Position>& positions) {
  restart();
  skip_until_.assign(std::max(inputs_.size(), positions.size()), 0);
  for (const Position& position : positions) {
    GeneratedRecord named;
    named.topic = position.partition.topic.c_str();
    named.partition = position.partition.number;
    const uint32_t input = input_of(named);
    if (skip_until_.size() <= input) skip_until_.resize(input + 1);
    skip_until_[input] = position.next_offset;
  }
  return {};
}

// Reference records come first anyway.
Status GeneratorSource::hold(const std::vector<std::string>&) { return {}; }

}  // namespace tillwatch::connectors
