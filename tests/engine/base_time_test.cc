#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>

#include "engine/base/time.h"

namespace tillwatch {
namespace {

struct TextAndTime {
  std::string_view text;
  TimeMs time;
};

TEST(ParseRfc3339, ReadsTimesWithOffset) {
  constexpr std::array<TextAndTime, 18> kRows = {{
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01T00:00:00.000+00:00", 0},
      {"1970-01-01T08:00:00+08:00", 0},
      {"1969-12-31T23:59:59.999Z", -1},
      {"1969-12-31T00:00:00Z", -86400000},
      {"2026-11-22T12:30:05.120+08:00", 1795321805120},
      {"2026-11-22t04:30:05.12z", 1795321805120},
      {"2026-11-22T04:30:05.120999999999Z", 1795321805120},
      {"2026-11-21T20:30:05.120-08:00", 1795321805120},
      {"2026-11-22T10:00:05.120+05:30", 1795321805120},
      {"2026-11-22T04:30:05.120-00:00", 1795321805120},
      {"2024-02-29T00:00:00Z", 1709164800000},
      {"2000-02-29T00:00:00Z", 951782400000},
      {"2000-03-01T00:00:00Z", 951868800000},
      {"2038-01-19T03:14:08Z", 2147483648000},
      {"9999-12-31T23:59:59.999Z", 253402300799999},
      {"0001-01-01T00:00:00Z", -62135596800000},
      {"0000-01-01T00:00:00Z", -62167219200000},
  }};
  for (const TextAndTime& row : kRows) EXPECT_EQ(parse_rfc3339(row.text), row.time) << row.text;
}

TEST(ParseRfc3339, RefusesEverythingElse) {
  constexpr std::array<std::string_view, 36> kRows = {
      "",
      "2026",
      "2026-11-22",
      "2026-11-22T12:30:05",
      "2026-11-22T12:30:05.120",
      "2026-11-22T12:30Z",
      "2026-11-22 12:30:05Z",
      "2026/11/22T12:30:05Z",
      "2026-11-22T12.30.05Z",
      "2026-11-22T12:30:05,120Z",
      "2026-11-22T12:30:05.Z",
      "2026-11-22T12:30:05.",
      "2026-11-22T12:30:05.120 Z",
      "2026-11-22T12:30:05ZZ",
      "2026-11-22T12:30:05Z ",
      " 2026-11-22T12:30:05Z",
      "2026-11-22T12:30:05+8",
      "2026-11-22T12:30:05+08",
      "2026-11-22T12:30:05+0800",
      "2026-11-22T12:30:05+08:0",
      "2026-11-22T12:30:05+24:00",
      "2026-11-22T12:30:05+08:60",
      "2026-11-22T12:30:05+-8:00",
      "2026-00-22T12:30:05Z",
      "2026-13-22T12:30:05Z",
      "2026-11-00T12:30:05Z",
      "2026-11-31T12:30:05Z",
      "2026-02-29T12:30:05Z",
      "1900-02-29T12:30:05Z",
      "2026-11-22T24:00:00Z",
      "2026-11-22T12:60:05Z",
      "2026-11-22T12:30:60Z",
      "-026-11-22T12:30:05Z",
      "2026-1a-22T12:30:05Z",
      "2026-11-22T12:30:0\xd9Z",
      "1795321805120",
  };
  for (const std::string_view row : kRows) EXPECT_EQ(parse_rfc3339(row), std::nullopt) << row;
}

TEST(FormatRfc3339, ShowsTheOffsetAskedFor) {
  EXPECT_EQ(format_rfc3339(1795321805120), "2026-11-22T12:30:05.120+08:00");
  EXPECT_EQ(format_rfc3339(1795321805120, 0), "2026-11-22T04:30:05.120Z");
  EXPECT_EQ(format_rfc3339(1795321805120, -(5 * kHour + 30 * kMinute)), "2026-11-21T23:00:05.120-05:30");
  EXPECT_EQ(format_rfc3339(0, 0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_rfc3339(-1, 0), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format_rfc3339(-62167219200000, 0), "0000-01-01T00:00:00.000Z");
}

TEST(FormatRfc3339, ComesToNoHarmAtTheEndsOfTime) {
  EXPECT_EQ(format_rfc3339(kBeforeAllTime), format_rfc3339(std::numeric_limits<int64_t>::min()));
  EXPECT_EQ(format_rfc3339(kAfterAllTime), format_rfc3339(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(format_rfc3339(0, std::numeric_limits<int64_t>::max()), "1970-01-01T23:59:00.000+23:59");
  EXPECT_EQ(format_rfc3339(0, std::numeric_limits<int64_t>::min()), "1969-12-31T00:01:00.000-23:59");
}

TEST(FormatRfc3339, IsReadBack) {
  constexpr uint64_t kSeed = 20261122;
  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<TimeMs> times(-62167219200000 + kDay, 253402300799999 - kDay);
  std::uniform_int_distribution<DurationMs> offset_minutes(-23 * 60, 23 * 60);
  for (int i = 0; i < 100000; ++i) {
    const TimeMs time = times(random);
    const std::string text = format_rfc3339(time, offset_minutes(random) * kMinute);
    ASSERT_EQ(parse_rfc3339(text), time) << text << " (seed " << kSeed << ")";
  }
}

TEST(ParseDuration, ReadsANumberAndAUnit) {
  EXPECT_EQ(parse_duration("0s"), 0);
  EXPECT_EQ(parse_duration("250ms"), 250);
  EXPECT_EQ(parse_duration("90s"), 90 * kSecond);
  EXPECT_EQ(parse_duration("10m"), 10 * kMinute);
  EXPECT_EQ(parse_duration("24h"), kDay);
  EXPECT_EQ(parse_duration("30d"), 30 * kDay);
  EXPECT_EQ(parse_duration("0000000000000000000000007d"), 7 * kDay);
}

TEST(ParseDuration, RefusesEverythingElse) {
  constexpr std::array<std::string_view, 18> kRows = {
      "",
      "s",
      "10",
      "10 m",
      " 10m",
      "10m ",
      "-10m",
      "+10m",
      "1.5h",
      "1h30m",
      "10w",
      "10M",
      "10us",
      "10mss",
      "0x10m",
      "１０m",
      "99999999999999999999s",
      "9223372036854775807d",
  };
  for (const std::string_view row : kRows) EXPECT_EQ(parse_duration(row), std::nullopt) << row;
}

TEST(ParseDuration, RefusesWhatWouldOverflowWhenAddedToAnInstant) {
  EXPECT_EQ(parse_duration("2305843009213693951ms"), kAfterAllTime);
  EXPECT_EQ(parse_duration("2305843009213693952ms"), std::nullopt);
}

TEST(FormatDuration, ShowsTheTwoLargestUnits) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(1), "1ms");
  EXPECT_EQ(format_duration(250), "250ms");
  EXPECT_EQ(format_duration(1250), "1s 250ms");
  EXPECT_EQ(format_duration(90 * kSecond), "1m 30s");
  EXPECT_EQ(format_duration(125 * kSecond), "2m 5s");
  EXPECT_EQ(format_duration(125 * kSecond + 999), "2m 5s");
  EXPECT_EQ(format_duration(30 * kDay), "30d");
  EXPECT_EQ(format_duration(kDay + 5 * kMinute + 7), "1d 5m");
  EXPECT_EQ(format_duration(-45 * kSecond), "-45s");
  EXPECT_EQ(format_duration(-(kHour + kMinute)), "-1h 1m");
  EXPECT_EQ(format_duration(std::numeric_limits<int64_t>::min()), "-106751991167d 7h");
}

TEST(WallClock, IsNearNow) {
  const std::optional<TimeMs> written = parse_rfc3339("2024-01-01T00:00:00Z");
  ASSERT_TRUE(written);
  EXPECT_GT(wall_clock_ms(), *written);
}

}  // namespace
}  // namespace tillwatch
