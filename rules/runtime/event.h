// An event on its way: decoded, encoded as a row of its root stream's layout, with its time and where it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/time.h"

namespace tillwatch::rules {

// The record an event came from; for a derived event, the record of the trigger it was derived from.
struct Origin {
  uint32_t input = 0;  // index of the source partition
  int64_t offset = -1;
  bool operator==(const Origin&) const = default;
};

struct Event {
  TimeMs time = 0;  // event time
  // When the engine could know it, in event time: `time` itself, or for a late event the watermark of its partition when it was
  // read. The order of a key's events is the order of known_at, so lateness has the same effect whatever the batches were.
  TimeMs known_at = 0;
  bool accepted = false;  // may trigger although it is late (`accept:` in the schema)
  uint64_t id = 0;        // hash of the identity in its stream
  Origin origin;
  TimeMs arrived_at = 0;  // append time, for latency only
  std::string_view row;   // encoding by the root stream's layout; owned by the batch

  bool late() const { return known_at > time; }
};

// An event emitted by a rule, on its way back to the exchange.
struct DerivedEvent {
  int32_t stream = -1;
  Event event;
  std::string bytes;  // owns event.row
};

}  // namespace tillwatch::rules
