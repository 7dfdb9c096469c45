// Event time: milliseconds since 1970-01-01T00:00:00Z, and its text forms.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace tillwatch {

using TimeMs = int64_t;      // an instant
using DurationMs = int64_t;  // a span; may be negative

inline constexpr TimeMs kBeforeAllTime = std::numeric_limits<int64_t>::min() / 4;  // a clock that is not yet defined
inline constexpr TimeMs kAfterAllTime = std::numeric_limits<int64_t>::max() / 4;
inline constexpr DurationMs kSecond = 1000;
inline constexpr DurationMs kMinute = 60 * kSecond;
inline constexpr DurationMs kHour = 60 * kMinute;
inline constexpr DurationMs kDay = 24 * kHour;

// RFC 3339 with offset ("2026-11-22T12:30:05.120+08:00", "…Z"). Empty when the text is anything else,
// a date that does not exist or a text without offset included. Digits beyond milliseconds are cut.
std::optional<TimeMs> parse_rfc3339(std::string_view text);

// "2026-11-22T12:30:05.120+08:00"; `offset` is added for display and printed.
std::string format_rfc3339(TimeMs time, DurationMs offset = 8 * kHour);

// "90s", "10m", "24h", "30d", "250ms". Empty when the text is anything else or does not fit.
std::optional<DurationMs> parse_duration(std::string_view text);

// The two largest units: "2m 5s", "30d", "0s", "-45s".
std::string format_duration(DurationMs duration);

// The wall clock. Only the runner, connectors and logs may ask; the pipeline never does (design: it is pure).
TimeMs wall_clock_ms();

}  // namespace tillwatch
