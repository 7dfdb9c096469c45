#include "engine/exchange_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/runtime/bytes.h"

namespace tillwatch::engine {
namespace {

using rules::ByteReader;
using rules::ByteWriter;

constexpr uint8_t kVersion = 1;
constexpr size_t kLeastText = 4;

void write(ByteWriter& out, const FrameRoute& route) {
  out.text(route.name);
  out.fixed(route.shape);
}
void read(ByteReader& in, FrameRoute& route) {
  route.name = in.text();
  route.shape = in.fixed<uint64_t>();
}

void write(ByteWriter& out, const connectors::Partition& partition) {
  out.text(partition.topic);
  out.fixed(partition.number);
}
void read(ByteReader& in, connectors::Partition& partition) {
  partition.topic = in.text();
  partition.number = in.fixed<int32_t>();
}

void write(ByteWriter& out, const FrameCopy& copy) {
  out.fixed(copy.route);
  out.fixed(copy.event.time);
  out.fixed(copy.event.known_at);
  out.fixed(static_cast<uint8_t>(copy.event.accepted));
  out.fixed(copy.event.id);
  out.fixed(copy.event.origin.input);
  out.fixed(copy.event.origin.offset);
  out.fixed(copy.event.arrived_at);
  out.text(copy.key);
  out.text(copy.event.row);
}
void read(ByteReader& in, FrameCopy& copy) {
  copy.route = in.fixed<uint16_t>();
  copy.event.time = in.fixed<TimeMs>();
  copy.event.known_at = in.fixed<TimeMs>();
  copy.event.accepted = in.fixed<uint8_t>() != 0;
  copy.event.id = in.fixed<uint64_t>();
  copy.event.origin.input = in.fixed<uint32_t>();
  copy.event.origin.offset = in.fixed<int64_t>();
  copy.event.arrived_at = in.fixed<TimeMs>();
  copy.key = in.text();
  copy.event.row = in.text();
}

void write(ByteWriter& out, const InputMark& mark) {
  write(out, mark.partition);
  out.fixed(mark.last_event);
  out.fixed(mark.watermark);
}
void read(ByteReader& in, InputMark& mark) {
  read(in, mark.partition);
  mark.last_event = in.fixed<TimeMs>();
  mark.watermark = in.fixed<TimeMs>();
}

void write(ByteWriter& out, const TopicMark& mark) {
  out.text(mark.topic);
  out.fixed(mark.partitions);
}
void read(ByteReader& in, TopicMark& mark) {
  mark.topic = in.text();
  mark.partitions = in.fixed<int32_t>();
}

void write(ByteWriter& out, const EmitterMark& mark) {
  out.fixed(mark.shard);
  out.text(mark.stream);
  out.fixed(mark.plain);
  out.fixed(mark.gated);
}
void read(ByteReader& in, EmitterMark& mark) {
  mark.shard = in.fixed<uint16_t>();
  mark.stream = in.text();
  mark.plain = in.fixed<TimeMs>();
  mark.gated = in.fixed<TimeMs>();
}

void write(ByteWriter& out, const SilenceMark& mark) {
  out.fixed(mark.shard);
  out.text(mark.stream);
  out.fixed(mark.upto);
  out.fixed(mark.waiting);
  out.fixed(mark.money_minor);
}
void read(ByteReader& in, SilenceMark& mark) {
  mark.shard = in.fixed<uint16_t>();
  mark.stream = in.text();
  mark.upto = in.fixed<TimeMs>();
  mark.waiting = in.fixed<uint64_t>();
  mark.money_minor = in.fixed<int64_t>();
}

void write(ByteWriter& out, const GateMark& mark) {
  out.text(mark.stream);
  out.fixed(mark.upto);
}
void read(ByteReader& in, GateMark& mark) {
  mark.stream = in.text();
  mark.upto = in.fixed<TimeMs>();
}

template <class T>
void write_list(ByteWriter& out, const std::vector<T>& list) {
  out.fixed(static_cast<uint32_t>(list.size()));
  for (const T& each : list) write(out, each);
}
template <class T>
void read_list(ByteReader& in, std::vector<T>& list, size_t least) {
  list.resize(in.count(least));
  for (T& each : list) {
    if (!in.ok()) return;
    read(in, each);
  }
}

bool points_inside(const ExchangeFrame& frame) {
  return std::all_of(frame.copies.begin(), frame.copies.end(), [&](const FrameCopy& copy) {
    return copy.route < frame.routes.size() && copy.event.origin.input < frame.origins.size();
  });
}

}  // namespace

std::string ExchangeFrame::encode() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.fixed(kVersion);
  write_list(out, routes);
  write_list(out, origins);
  write_list(out, copies);
  write_list(out, inputs);
  write_list(out, topics);
  write_list(out, emitters);
  write_list(out, silences);
  write_list(out, gates);
  return bytes;
}

Expected<ExchangeFrame> ExchangeFrame::decode(std::string_view bytes) {
  ExchangeFrame frame;
  ByteReader in(bytes);
  const auto version = in.fixed<uint8_t>();
  if (in.ok() && version != kVersion) {
    return fail(
        ErrorKind::invalid,
        fmt::format("exchange: a frame of format {}, this program reads format {}: run the version that wrote it until the "
                    "exchange is read to its end, then this one",
                    version, kVersion));
  }
  read_list(in, frame.routes, kLeastText + 8);
  read_list(in, frame.origins, kLeastText + 4);
  read_list(in, frame.copies, 2 + 5 * 8 + 1 + 4 + 2 * kLeastText);
  read_list(in, frame.inputs, kLeastText + 4 + 2 * 8);
  read_list(in, frame.topics, kLeastText + 4);
  read_list(in, frame.emitters, 2 + kLeastText + 2 * 8);
  read_list(in, frame.silences, 2 + kLeastText + 3 * 8);
  read_list(in, frame.gates, kLeastText + 8);
  if (!in.ok() || !in.done() || !points_inside(frame)) return fail(ErrorKind::corrupt, "exchange: a frame is damaged");
  return frame;
}

}  // namespace tillwatch::engine
