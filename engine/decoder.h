// From a record's bytes to the values of an event: JSON in, slots out, and for every way a record can be wrong a stable word
// that its dead letter carries.
//
// What is not wanted is checked for being JSON and dropped; what is wanted is typed by the schema:
//   int         a whole number; a number in quotes, with a fraction or an exponent is `wrong_type`
//   decimal     a number, kept exactly up to nine decimals, rounded beyond
//   money       minor units as a whole number; currency as ISO 4217 code or number in quotes, yuan when it is missing
//   bool        true, false
//   string      a string
//   enum        a string; a value the schema does not name becomes `unknown` and is counted
//   time        RFC 3339 with an offset, or milliseconds since 1970 as a whole number
//   duration    milliseconds as a whole number, or "90s", "10m", "24h"
//   geo         {lat, lon, coord_system, accuracy_m}; WGS84 unless it says GCJ02, (0, 0) and unknown systems are missing
//   list        an array of strings
//   tariff      the `products` array of a rate contract (rules/tariff.h)
// An array that a view opens with `each` gives its elements, typed like records; a fault of one is a fault of the record.
// null is the same as a missing field, and for a nested object means that all fields in it are missing. Fields come in any
// order.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/arena.h"
#include "engine/base/time.h"
#include "engine/base/value.h"
#include "engine/decode_plan.h"
#include "rules/language/schema.h"

namespace tillwatch::engine {

enum class DecodeFault : uint8_t {
  none,
  invalid_json,
  invalid_utf8,
  not_an_object,
  missing_field,
  wrong_type,
  out_of_range,
  duplicate_key,  // of a wanted field; others may repeat
  too_deep,
  too_large,
  bad_time,
  time_in_future,
  pan_exposed,  // a full card number in a field for text (pan*, content, text), or as a number
  failed,       // working on it threw, also by itself (engine/caution.h)
};
inline constexpr int kDecodeFaults = 14;

// The word in dead letters and metrics: "missing_field". Never changes.
std::string_view name(DecodeFault fault);

struct DecodeOptions {
  size_t max_bytes = 1 << 20;                // Kafka's own default limit
  int max_depth = 32;                        // of objects and arrays, the record itself included
  size_t max_elements = 1'000;               // of an array that a view with `each` opens
  DurationMs max_future_skew = 5 * kMinute;  // event time may be so much after arrival
  std::string card_key;                      // for card numbers where none belong (engine/card_tokens.h)
};

struct DecodeResult {
  DecodeFault fault = DecodeFault::none;
  std::string_view field;  // the schema's name or the JSON path; empty when it is the record as a whole. The decoder's.
  std::string detail;      // for people, masked: `is "12.0", a whole number is wanted`
  TimeMs event_time = kBeforeAllTime;  // a table's: effective_from, or kBeforeAllTime when the row was always so
  uint32_t unknown_enums = 0;          // values that became `unknown`

  bool ok() const { return fault == DecodeFault::none; }
};

// One per thread and stream or table; keeps buffers between records. The schema need not outlive it.
class Decoder {
 public:
  // `used` has one entry for each field of the stream (of its root, for a view), or each column of the table. Fields that are
  // not used are not looked at; event time, and a table's effective_from, effective_to and recorded_at, always are.
  // `elements`: streams of the elements of arrays in its records.
  static Decoder for_stream(const rules::Schema& schema, int stream, const std::vector<bool>& used, DecodeOptions options = {},
                            const std::vector<UsedElements>& elements = {});
  static Decoder for_table(const rules::Schema& schema, int table, const std::vector<bool>& used, DecodeOptions options = {});
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  // `json` must have 64 readable bytes behind it (connectors::RecordBatch sees to it). `slots` has one entry a field and is
  // overwritten; those of unused and computed fields are missing, and after a fault all are worthless. Bytes of values are in
  // `json` or in `arena`: both must outlive the slots. `arrived_at` is the record's append time. A table row without
  // recorded_at was recorded at effective_from.
  DecodeResult decode(std::string_view json, TimeMs arrived_at, std::span<Value> slots, Arena& arena);

  // Of the last record that was whole: how many elements the `array`-th of `elements` had, and the values of one, for the
  // fields that are the element's own. An array that is missing or null has none.
  size_t elements(size_t array) const;
  std::span<const Value> element(size_t array, size_t index) const;

 private:
  class Reader;
  explicit Decoder(std::unique_ptr<Reader> reader);
  std::unique_ptr<Reader> reader_;
};

}  // namespace tillwatch::engine
