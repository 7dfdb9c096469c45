#include "connectors/file_source.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <map>

#include "connectors/file_lines.h"

namespace tillwatch::connectors {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};  // how often a followed file is looked at

struct Input {
  LineReader lines;
  TimeMs at_end_since = 0;  // 0: not at its end
  bool held = false;        // gives nothing for now
};

class FileSource final : public Source {
 public:
  FileSource(std::vector<Partition> partitions, std::vector<Input> inputs, const FileSourceOptions& options)
      : options_(options),
        partitions_(std::move(partitions)),
        inputs_(std::move(inputs)),
        opened_at_(options.arrived_at != 0 ? options.arrived_at : wall_clock_ms()) {}

  const std::vector<Partition>& inputs() const override { return partitions_; }

  InputState state(uint32_t index) const override {
    const Input& input = inputs_.at(index);
    InputState state;
    state.finished = input.lines.ended();
    state.at_end = options_.follow && !state.finished && input.at_end_since != 0;
    state.at_end_since = state.at_end ? input.at_end_since : 0;
    state.next_offset = input.lines.position();
    state.lag = state.finished || state.at_end ? 0 : -1;
    return state;
  }

  Expected<PollResult> poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) override {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    const size_t before = batch.records().size();
    while (true) {
      const Status taken = take_turns(batch, before + max_records);
      if (batch.records().size() > before) return PollResult();  // an error comes again with the next poll
      if (!taken) return std::unexpected(taken.error());
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0 || max_records == 0 || nothing_to_wait_for()) return PollResult();
      wait_for_more(left);
    }
  }

  Status seek(const std::vector<Position>& positions) override {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const auto named = std::ranges::find(positions, partitions_[i], &Position::partition);
      if (Status moved = inputs_[i].lines.seek(named == positions.end() ? 0 : named->next_offset); !moved) return moved;
      inputs_[i].at_end_since = 0;
    }
    turn_ = 0;
    lines_left_ = options_.lines_per_turn;
    return {};
  }

  Status hold(const std::vector<std::string>& topics) override {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      inputs_[i].held = std::ranges::find(topics, partitions_[i].topic) != topics.end();
    }
    return {};
  }

 private:
  // Until there are `wanted` records or every input in a row had nothing to give.
  Status take_turns(RecordBatch& batch, size_t wanted) {
    const TimeMs arrived_at = options_.follow && options_.arrived_at == 0 ? wall_clock_ms() : opened_at_;
    size_t idle_turns = 0;
    while (batch.records().size() < wanted && idle_turns < inputs_.size()) {
      Input& input = inputs_[turn_];
      if (input.held) {
        ++idle_turns;
        next_turn();
        continue;
      }
      Line line;
      const Expected<LineReader::Outcome> outcome = input.lines.next(line);
      if (!outcome) return std::unexpected(outcome.error());
      if (*outcome != LineReader::Outcome::line) {
        if (input.at_end_since == 0) input.at_end_since = wall_clock_ms();
        ++idle_turns;
        next_turn();
        continue;
      }
      idle_turns = 0;
      input.at_end_since = 0;
      batch.add(static_cast<uint32_t>(turn_), line.offset, arrived_at, {}, line.text);
      if (line.oversize) batch.mark_oversize();
      if (--lines_left_ == 0) next_turn();
    }
    return {};
  }

  void next_turn() {
    turn_ = (turn_ + 1) % inputs_.size();
    lines_left_ = options_.lines_per_turn;
  }

  static bool waits(const Input& input) { return !input.held && !input.lines.ended(); }
  bool nothing_to_wait_for() const { return std::ranges::none_of(inputs_, waits); }

  // Streams wake us; of files there is no telling but by looking.
  void wait_for_more(std::chrono::milliseconds at_most) const {
    std::vector<struct pollfd> streams;
    bool files = false;
    for (const Input& input : inputs_) {
      if (!waits(input)) continue;
      if (input.lines.seekable()) files = true;
      if (!input.lines.seekable()) streams.push_back({.fd = input.lines.descriptor(), .events = POLLIN, .revents = 0});
    }
    const std::chrono::milliseconds time_out = files ? std::min(at_most, kLookAgain) : at_most;
    // A failure or a signal only makes the wait shorter: whoever reads next learns what it was.
    static_cast<void>(::poll(streams.data(), streams.size(), static_cast<int>(std::min<int64_t>(time_out.count(), 1000))));
  }

  const FileSourceOptions options_;
  const std::vector<Partition> partitions_;
  std::vector<Input> inputs_;
  const TimeMs opened_at_;
  size_t turn_ = 0;  // whose turn it is
  size_t lines_left_ = options_.lines_per_turn;
};

}  // namespace

Expected<std::unique_ptr<Source>> open_file_source(const std::vector<FileInput>& inputs, const FileSourceOptions& options) {
  if (inputs.empty()) return fail(ErrorKind::invalid, "file source: it has no files; name at least one");
  if (options.lines_per_turn == 0 || options.max_line_bytes == 0) {
    return fail(ErrorKind::invalid, "file source: lines_per_turn and max_line_bytes must be at least 1");
  }
  if (std::ranges::count(inputs, "-", &FileInput::path) > 1) {
    return fail(ErrorKind::invalid, "file source: standard input ('-') is named twice; it can be read by one topic only");
  }
  std::map<std::string, int32_t> files_of_topic;
  std::vector<Partition> partitions;
  std::vector<Input> opened;
  for (const FileInput& input : inputs) {
    Expected<LineReader> lines =
        LineReader::open(input.path, {.max_line_bytes = options.max_line_bytes, .follow = options.follow});
    if (!lines) return fail(lines.error().kind, fmt::format("topic '{}': {}", input.topic, lines.error().message));
    partitions.push_back({.topic = input.topic, .number = files_of_topic[input.topic]++});
    opened.push_back({.lines = *std::move(lines)});
  }
  return std::make_unique<FileSource>(std::move(partitions), std::move(opened), options);
}

}  // namespace tillwatch::connectors
