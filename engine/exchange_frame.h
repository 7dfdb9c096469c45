// What members of a group hand each other through the exchange topic: one frame is one record of it, and holds what one commit
// has for one shard. Copies first, then how far their senders had come after them, so that a reader who has taken a frame in
// may believe its marks (ARCHITECTURE.md, "Group mode").
//
// Encoding, version 1: everything by name, because members number their inputs, streams and rules each for themselves.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/source.h"
#include "engine/base/status.h"
#include "rules/runtime/event.h"

namespace tillwatch::engine {

// How far a source partition that has spoken has been read.
struct InputMark {
  connectors::Partition partition;
  TimeMs last_event = kBeforeAllTime;
  TimeMs watermark = kBeforeAllTime;  // quiet time included
  bool operator==(const InputMark&) const = default;
};

// How many partitions a source topic has: a clock is undefined until all of them have spoken.
struct TopicMark {
  std::string topic;
  int32_t partitions = 0;
  bool operator==(const TopicMark&) const = default;
};

// Everything a shard will emit into a derived stream from now on is later than this.
struct EmitterMark {
  uint16_t shard = 0;
  std::string stream;
  TimeMs plain = kBeforeAllTime, gated = kBeforeAllTime;
  bool operator==(const EmitterMark&) const = default;
};

// What waits in one shard for words of a silent feed, to the shard that judges the feed.
struct SilenceMark {
  uint16_t shard = 0;
  std::string stream;
  TimeMs upto = kBeforeAllTime;  // how far the feed would be if its silence were believed
  uint64_t waiting = 0;
  int64_t money_minor = 0;
  bool operator==(const SilenceMark&) const = default;
};

// The judge's word: silence of the feed counts as having nothing to say, up to here.
struct GateMark {
  std::string stream;
  TimeMs upto = kBeforeAllTime;
  bool operator==(const GateMark&) const = default;
};

struct FrameCopy {
  uint16_t route = 0;  // index into ExchangeFrame::routes
  rules::Event event;  // origin.input: index into ExchangeFrame::origins
  std::string_view key;
};

struct FrameRoute {
  std::string name;    // Subscription::name
  uint64_t shape = 0;  // fingerprint of the row's layout: a reader with another one cannot read the rows
  bool operator==(const FrameRoute&) const = default;
};

// Views of a decoded frame point into its bytes.
struct ExchangeFrame {
  std::vector<FrameRoute> routes;
  std::vector<connectors::Partition> origins;
  std::vector<FrameCopy> copies;
  std::vector<InputMark> inputs;
  std::vector<TopicMark> topics;
  std::vector<EmitterMark> emitters;
  std::vector<SilenceMark> silences;
  std::vector<GateMark> gates;

  bool empty() const {
    return copies.empty() && inputs.empty() && topics.empty() && emitters.empty() && silences.empty() && gates.empty();
  }
  std::string encode() const;
  // Error: corrupt (damaged), invalid (written by another version; says what to do).
  static Expected<ExchangeFrame> decode(std::string_view bytes);
};

}  // namespace tillwatch::engine
