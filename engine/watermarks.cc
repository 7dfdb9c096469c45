#include "engine/watermarks.h"

#include <algorithm>

#include "rules/runtime/bytes.h"

namespace tillwatch::engine {
namespace {

size_t at(int index) { return static_cast<size_t>(index); }

constexpr uint8_t kVersion = 1;

}  // namespace

Watermarks::Watermarks(const rules::CompiledBundle& bundle, WatermarkOptions options) : bundle_(bundle), options_(options) {
  const rules::Schema& schema = bundle.source.schema;
  const size_t streams = schema.streams.size();
  gates_.assign(streams, kBeforeAllTime);
  plain_ = gated_ = alive_ = gates_;
  clocks_.assign(bundle.clocks.size(), kBeforeAllTime);
  upstream_.assign(streams, std::vector<bool>(streams));
  tier_.assign(std::max<size_t>(streams, 1), 0);
  for (size_t i = 0; i < streams; ++i) {
    if (schema.streams[i].origin == rules::Stream::Origin::topic) upstream_[i][i] = true;
  }
  for (int stream : bundle.derived_order) {
    for (int rule : bundle.emitters[at(stream)]) {
      for (const rules::Emits& each : bundle.rules[at(rule)]->emits) {
        if (each.stream != stream) continue;
        for (int input : each.streams) {
          tier_[at(stream)] = std::max(tier_[at(stream)], tier_[at(input)] + 1);
          for (size_t i = 0; i < streams; ++i) upstream_[at(stream)][i] = upstream_[at(stream)][i] || upstream_[at(input)][i];
        }
      }
    }
  }
}

void Watermarks::add_input(uint32_t index, const connectors::Partition& partition, int stream) {
  if (inputs_.size() <= index) inputs_.resize(index + 1);
  const auto stored =
      std::find_if(unclaimed_.begin(), unclaimed_.end(), [&](const InputClock& each) { return each.partition == partition; });
  if (stored != unclaimed_.end()) {
    inputs_[index] = *stored;
    unclaimed_.erase(stored);
  }
  inputs_[index].partition = partition;
  inputs_[index].stream = stream;
}

TimeMs Watermarks::observe(uint32_t index, TimeMs time, TimeMs arrived_at, TimeMs wall, bool holds_clock) {
  InputClock& input = inputs_[index];
  const DurationMs lateness = bundle_.source.schema.streams[at(input.stream)].lateness;
  const TimeMs believed = believed_of(index);
  const TimeMs known = input.spoken ? std::max(time, believed) : time;
  // Ahead of its arrival by a little is somebody's clock; it must not push everybody's.
  const TimeMs believed_time = arrived_at > 0 ? std::min(time, arrived_at) : time;
  if (!holds_clock) return known;
  input.spoken = true;
  input.is_finished = false;
  if (believed_time >= input.last_event) {
    input.last_event = believed_time;
    input.last_wall = wall;
  }
  input.spoken_to = std::max(input.spoken_to, believed_time - lateness);
  input.watermark = std::max(input.watermark, input.spoken_to);
  return known;
}

void Watermarks::quiet(uint32_t index, TimeMs wall, TimeMs at_end_since) {
  InputClock& input = inputs_[index];
  if (input.stream < 0 || input.is_finished) return;
  const DurationMs lateness = bundle_.source.schema.streams[at(input.stream)].lateness;
  TimeMs now;
  if (input.spoken) {
    const TimeMs since = std::max(input.last_wall, at_end_since);
    now = input.last_event + std::max<DurationMs>(0, wall - since);
  } else {
    now = wall;  // found empty: its time is the wall clock's, from when it was found so
    input.spoken = true;
    input.last_event = at_end_since;
    input.last_wall = at_end_since;
  }
  input.watermark = std::max(input.watermark, now - lateness);
}

void Watermarks::finished(uint32_t index) {
  inputs_[index].is_finished = true;
  inputs_[index].spoken = true;
}

TimeMs Watermarks::latest() const {
  TimeMs latest = kBeforeAllTime;
  for (const InputClock& input : inputs_) {
    if (input.stream >= 0) latest = std::max(latest, input.last_event);
  }
  return latest;
}

void Watermarks::run_on_to(TimeMs end) {
  for (InputClock& input : inputs_) {
    input.spoken = true;
    input.is_finished = false;
    input.last_event = std::max(input.last_event, end);
    input.watermark = std::max(input.watermark, end);
  }
}

TimeMs Watermarks::emitted_to(int stream, const std::vector<TimeMs>& streams) const {
  TimeMs lowest = kAfterAllTime;
  for (int rule : bundle_.emitters[at(stream)]) {
    for (const rules::Emits& each : bundle_.rules[at(rule)]->emits) {
      if (each.stream != stream) continue;
      for (int input : each.streams) lowest = std::min(lowest, streams[at(input)] - each.delay);
    }
  }
  return lowest;
}

void Watermarks::derive(std::vector<TimeMs>& streams, int tier) const {
  for (int stream : bundle_.derived_order) {
    if (tier_[at(stream)] <= tier) streams[at(stream)] = emitted_to(stream, streams);
  }
}

void Watermarks::derive(int tier) {
  if (emitters_.empty()) {
    derive(plain_, tier);
    derive(gated_, tier);
    return;
  }
  for (int stream : bundle_.derived_order) {
    EmitterClock slowest{kAfterAllTime, kAfterAllTime};
    for (const EmitterClock& each : emitters_[at(stream)]) {
      slowest = {std::min(slowest.plain, each.plain), std::min(slowest.gated, each.gated)};
    }
    plain_[at(stream)] = std::max(plain_[at(stream)], slowest.plain);
    gated_[at(stream)] = std::max(gated_[at(stream)], slowest.gated);
  }
}

void Watermarks::hear(uint32_t index, TimeMs last_event, TimeMs watermark) {
  InputClock& input = inputs_[index];
  input.spoken = true;
  input.last_event = std::max(input.last_event, last_event);
  input.watermark = std::max(input.watermark, watermark);
}

void Watermarks::hear_gate(int stream, TimeMs upto) { gates_[at(stream)] = std::max(gates_[at(stream)], upto); }

TimeMs Watermarks::believed_of(uint32_t index) const {
  const InputClock& input = inputs_[index];
  return input.stream < 0 ? kBeforeAllTime : std::max(input.spoken_to, std::min(input.watermark, gates_[at(input.stream)]));
}

void Watermarks::expect_emitters(uint16_t shards) {
  emitters_.assign(bundle_.source.schema.streams.size(), std::vector<EmitterClock>(shards));
}

void Watermarks::hear_emitter(uint16_t shard, int stream, const EmitterClock& clock) {
  EmitterClock& heard = emitters_[at(stream)][shard];
  heard = {std::max(heard.plain, clock.plain), std::max(heard.gated, clock.gated)};
}

std::vector<Watermarks::EmitterClock> Watermarks::own_emissions() const {
  std::vector<EmitterClock> own(plain_.size());
  for (int stream : bundle_.derived_order) own[at(stream)] = {emitted_to(stream, plain_), emitted_to(stream, gated_)};
  return own;
}

void Watermarks::compute(int tier) {
  const rules::Schema& schema = bundle_.source.schema;
  const TimeMs overall = latest();
  for (size_t i = 0; i < schema.streams.size(); ++i) {
    if (schema.streams[i].origin != rules::Stream::Origin::topic) continue;
    TimeMs clock = kAfterAllTime, alive = kAfterAllTime, latest = kBeforeAllTime;
    bool any = false;
    for (const InputClock& input : inputs_) {
      if (input.stream != static_cast<int>(i)) continue;
      any = true;
      latest = std::max(latest, input.last_event);
      if (input.is_finished) {  // whole: it holds nothing back, and knows as much as the others say the time is
        clock = std::min(clock, overall);
        continue;
      }
      clock = std::min(clock, input.spoken ? input.watermark : kBeforeAllTime);
      alive = std::min(alive, input.spoken ? input.last_event : kBeforeAllTime);
    }
    if (!any) clock = overall;  // nobody reads it: nothing will come
    plain_[i] = std::max(plain_[i], clock);
    // One partition that speaks shows the feed alive; another may have nothing to say.
    alive_[i] = std::max(alive_[i], alive == kAfterAllTime ? overall : latest);
    gated_[i] = std::max(gated_[i], std::min(plain_[i], std::max(alive_[i], gates_[i])));
  }
  derive(tier);
  believed_.resize(clocks_.size());
  for (size_t i = 0; i < clocks_.size(); ++i) {
    clocks_[i] = std::max(clocks_[i], value_of(bundle_.clocks[i], gated_));
    // Of the gated streams alone: what falls due while the other clocks are still behind hangs on the silence all the same.
    believed_[i] = kAfterAllTime;
    for (int stream : bundle_.clocks[i].gated) believed_[i] = std::min(believed_[i], plain_[at(stream)]);
  }
}

TimeMs Watermarks::value_of(const rules::ClockNeeds& needs, const std::vector<TimeMs>& gated) const {
  TimeMs value = kAfterAllTime;
  for (int stream : needs.plain) value = std::min(value, plain_[at(stream)]);
  for (int stream : needs.gated) value = std::min(value, gated[at(stream)]);
  if (value < kAfterAllTime) return value;
  // Waits for no stream that anybody reads (a rule on a table): moves with the slowest of the others.
  for (const InputClock& input : inputs_) {
    if (input.stream >= 0 && !input.is_finished) value = std::min(value, input.spoken ? input.watermark : kBeforeAllTime);
  }
  return value == kAfterAllTime ? latest() : value;
}

std::vector<int> Watermarks::silent() const {
  std::vector<int> streams;
  for (size_t i = 0; i < plain_.size(); ++i) {
    if (upstream_[i][i] && gated_[i] < plain_[i]) streams.push_back(static_cast<int>(i));
  }
  return streams;
}

bool Watermarks::feeds(int stream, int clock) const {
  const std::vector<int>& gated = bundle_.clocks[at(clock)].gated;
  return std::any_of(gated.begin(), gated.end(), [&](int each) { return upstream_[at(each)][at(stream)]; });
}

TimeMs Watermarks::believed(int clock) const { return believed_[at(clock)]; }

void Watermarks::believe(int stream) { gates_[at(stream)] = std::max(gates_[at(stream)], plain_[at(stream)]); }

std::string Watermarks::encode() const {
  std::string bytes;
  rules::ByteWriter out(bytes);
  out.fixed(kVersion);
  std::vector<const InputClock*> known;
  for (const InputClock& input : inputs_) known.push_back(&input);
  for (const InputClock& input : unclaimed_) known.push_back(&input);
  out.fixed(static_cast<uint32_t>(known.size()));
  for (const InputClock* input : known) {
    out.text(input->partition.topic);
    out.fixed(input->partition.number);
    out.fixed(static_cast<uint8_t>(input->spoken));
    out.fixed(input->last_event);
    out.fixed(input->last_wall);
    out.fixed(input->watermark);
    out.fixed(input->spoken_to);
  }
  const rules::Schema& schema = bundle_.source.schema;
  out.fixed(static_cast<uint32_t>(schema.streams.size()));
  for (size_t i = 0; i < schema.streams.size(); ++i) {
    out.text(schema.streams[i].name);
    out.fixed(gates_[i]);
    out.fixed(plain_[i]);
    out.fixed(gated_[i]);
    out.fixed(alive_[i]);
  }
  return bytes;
}

Status Watermarks::decode(std::string_view bytes) {
  for (InputClock& input : inputs_) {  // back to nothing, then to what was stored
    InputClock fresh;
    fresh.partition = input.partition;
    fresh.stream = input.stream;
    input = fresh;
  }
  for (std::vector<TimeMs>* values : {&gates_, &plain_, &gated_, &alive_, &clocks_})
    std::fill(values->begin(), values->end(), kBeforeAllTime);
  rules::ByteReader in(bytes);
  const auto version = in.fixed<uint8_t>();
  unclaimed_.resize(version == kVersion ? in.count(41) : 0);
  for (InputClock& input : unclaimed_) {
    input.partition.topic = in.text();
    input.partition.number = in.fixed<int32_t>();
    input.spoken = in.fixed<uint8_t>() != 0;
    input.last_event = in.fixed<TimeMs>();
    input.last_wall = in.fixed<TimeMs>();
    input.watermark = in.fixed<TimeMs>();
    input.spoken_to = in.fixed<TimeMs>();
  }
  const rules::Schema& schema = bundle_.source.schema;
  for (uint32_t i = 0, n = in.count(36); i < n; ++i) {
    const int stream = schema.find_stream(in.text());
    TimeMs values[4];
    for (TimeMs& value : values) value = in.fixed<TimeMs>();
    if (stream < 0) continue;
    gates_[at(stream)] = values[0];
    plain_[at(stream)] = values[1];
    gated_[at(stream)] = values[2];
    alive_[at(stream)] = values[3];
  }
  if (version != kVersion || !in.ok() || !in.done())
    return fail(ErrorKind::corrupt, "store: the watermarks are damaged or of another format");
  for (uint32_t index = 0; index < inputs_.size(); ++index) {
    const auto stored = std::find_if(unclaimed_.begin(), unclaimed_.end(),
                                     [&](const InputClock& each) { return each.partition == inputs_[index].partition; });
    if (stored == unclaimed_.end()) continue;
    const int stream = inputs_[index].stream;
    inputs_[index] = *stored;
    inputs_[index].stream = stream;
    unclaimed_.erase(stored);
  }
  return {};
}

}  // namespace tillwatch::engine
