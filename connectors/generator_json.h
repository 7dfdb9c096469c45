// Appends one JSON object to a string, field by field, and the times of the records in local form (+08:00).
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/time.h"

namespace tillwatch::connectors::generation {

// A moment on the clocks of China: +08:00, no summer time.
struct LocalTime {
  int year, month, day, hour, minute, second, millisecond;
};
LocalTime local_time(TimeMs time);

inline constexpr DurationMs kLocalOffset = 8 * kHour;
// Local midnight at or before `time`.
inline constexpr TimeMs local_midnight(TimeMs time) {
  const TimeMs shifted = time + kLocalOffset;
  const TimeMs into_day = ((shifted % kDay) + kDay) % kDay;
  return time - into_day;
}

void append_number(std::string& out, int64_t value);
void append_padded(std::string& out, uint64_t value, int width);  // decimal with leading zeros; keeps the last `width` digits
void append_hex(std::string& out, uint64_t value);                // 16 digits
void append_date(std::string& out, TimeMs time, std::string_view separator);  // 2026-11-22, 20261122
void append_time(std::string& out, TimeMs time);                              // 2026-11-22T12:30:05.120+08:00

// Writes `{…}` at the end of `out`. Keys must need no escaping. Close every begin_ with its end_, and call finish() last.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }

  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, int64_t value);
  void decimal(std::string_view key, int64_t value, int decimals);  // (1234, 2) is 12.34; no zeros at the end
  void boolean(std::string_view key, bool value);
  void null(std::string_view key);
  void time(std::string_view key, TimeMs value);
  void date(std::string_view key, TimeMs value);
  void padded(std::string_view key, uint64_t value, int width);  // as text
  void begin_object(std::string_view key);
  void end_object();
  void begin_array(std::string_view key);
  void begin_element();  // an object within an array; ended by end_object()
  void element(std::string_view value);
  void end_array();
  // For text put together piece by piece: appends `"key":"`; the caller appends what needs no escaping, then close_text().
  std::string& open_text(std::string_view key);
  void close_text() { out_ += '"'; }
  void finish() { out_ += '}'; }

 private:
  void name(std::string_view key);
  void comma();
  std::string& out_;
};

}  // namespace tillwatch::connectors::generation
