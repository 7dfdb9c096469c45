#include "engine/group_sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <map>

namespace tillwatch::engine {
namespace {

constexpr std::string_view kFormat = "source/1 ";

Error not_ours(const connectors::Partition& input) {
  return {ErrorKind::invalid,
          fmt::format(
              "the committed offset of {}-{} carries a note this program did not write, or wrote as another version: name a "
              "consumer group of tillwatch's own",
              input.topic, input.number)};
}

bool parse(std::string_view text, std::vector<int64_t>& numbers) {
  while (!text.empty()) {
    int64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{}) return false;
    numbers.push_back(number);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (!text.empty() && text.front() != ' ') return false;
    if (!text.empty()) text.remove_prefix(1);
  }
  return true;
}

}  // namespace

void GroupSources::Counter::send(const Delivery& delivery) {
  ++owned_[delivery.event.origin.input].copies;
  next_.send(delivery);
}

GroupSources::GroupSources(const rules::CompiledBundle& bundle, const DecodeOptions& decode, const WatermarkOptions& watermarks,
                           GroupExchange& exchange)
    : bundle_(bundle),
      exchange_(exchange),
      counter_(exchange, owned_),
      watermarks_(bundle, watermarks),
      intake_(bundle, decode, watermarks_, ledger_, counter_) {}

void GroupSources::set_inputs(const std::vector<connectors::Partition>& inputs) {
  intake_.set_inputs(inputs);
  owned_.resize(inputs.size());
}

PartitionLedger& GroupSources::ledger_of(uint32_t input) {
  return ledger_.partitions[inputs()[input].topic + "/" + std::to_string(inputs()[input].number)];
}

void GroupSources::disown(uint32_t input) {
  owned_[input] = {};
  ledger_of(input) = {};
}

Status GroupSources::own(uint32_t input, const std::string& note) {
  Watermarks::PartitionClock clock;
  PartitionLedger& ledger = ledger_of(input);
  ledger = {};
  owned_[input] = {.is = true};
  if (!note.empty()) {
    std::vector<int64_t> numbers;
    constexpr size_t kFixed = 11;
    const bool is_ours = note.starts_with(kFormat) && parse(std::string_view(note).substr(kFormat.size()), numbers) &&
                         numbers.size() >= kFixed && numbers.size() <= kFixed + ledger.dead.size();
    if (!is_ours) return std::unexpected(not_ours(inputs()[input]));
    clock = {.spoken = numbers[0] != 0,
             .last_event = numbers[1],
             .last_wall = numbers[2],
             .watermark = numbers[3],
             .spoken_to = numbers[4]};
    ledger.read = static_cast<uint64_t>(numbers[5]);
    ledger.unwanted = static_cast<uint64_t>(numbers[6]);
    ledger.taken = static_cast<uint64_t>(numbers[7]);
    ledger.late = static_cast<uint64_t>(numbers[8]);
    owned_[input].copies = static_cast<uint64_t>(numbers[9]);
    ledger.unknown_values = static_cast<uint64_t>(numbers[10]);
    for (size_t i = kFixed; i < numbers.size(); ++i) ledger.dead[i - kFixed] = static_cast<uint64_t>(numbers[i]);
    owned_[input].told = clock;
  }
  watermarks_.restore(input, clock);
  return {};
}

std::string GroupSources::note(uint32_t input) const {
  const connectors::Partition& partition = inputs()[input];
  const Watermarks::PartitionClock clock = watermarks_.partition_clock(input);
  const PartitionLedger& ledger = ledger_.partitions.at(partition.topic + "/" + std::to_string(partition.number));
  return fmt::format("{}{} {} {} {} {} {} {} {} {} {} {} {}", kFormat, clock.spoken ? 1 : 0, clock.last_event, clock.last_wall,
                     clock.watermark, clock.spoken_to, ledger.read, ledger.unwanted, ledger.taken, ledger.late,
                     owned_[input].copies, ledger.unknown_values, fmt::join(ledger.dead, " "));
}

void GroupSources::take(const connectors::RecordBatch& batch, TimeMs wall) {
  exchange_.set_origins(inputs());
  intake_.take(batch, wall);
}

bool GroupSources::is_news(uint32_t input) const {
  const Watermarks::PartitionClock now = watermarks_.partition_clock(input);
  const Watermarks::PartitionClock& told = owned_[input].told;
  return owned_[input].is && intake_.stream_of(input) >= 0 && now.spoken &&
         (!told.spoken || now.watermark != told.watermark || now.last_event != told.last_event);
}

bool GroupSources::has_news() const {
  for (uint32_t input = 0; input < owned_.size(); ++input) {
    if (is_news(input)) return true;
  }
  return false;
}

void GroupSources::tell(ExchangeFrame& marks) {
  std::map<std::string, int32_t> sizes;
  for (uint32_t input = 0; input < owned_.size(); ++input) {
    if (intake_.stream_of(input) < 0) continue;
    ++sizes[inputs()[input].topic];
    if (!is_news(input)) continue;
    const Watermarks::PartitionClock now = watermarks_.partition_clock(input);
    marks.inputs.push_back({inputs()[input], now.last_event, now.watermark});
    owned_[input].told = now;
  }
  for (const auto& [topic, partitions] : sizes) marks.topics.push_back({topic, partitions});
}

}  // namespace tillwatch::engine
