#include "engine/alert_lines.h"

#include <gtest/gtest.h>

#include <sstream>

namespace tillwatch::engine {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

AlertRecord alert(const std::string& id, TimeMs at) {
  AlertRecord record;
  record.id = id;
  record.rule = "r";
  record.title_en = "Title";
  record.title_zh = "标题";
  record.message_en = "what happened";
  record.message_zh = "发生了什么";
  record.status = "firing";
  record.severity = "high";
  record.first = true;
  record.raised_at = record.changed_at = at;
  return record;
}

std::string written(const std::vector<AlertRecord>& alerts, TimeMs until = kAfterAllTime, Language language = Language::en) {
  std::ostringstream out;
  Terminal terminal(out, {.language = language});
  AlertLines lines(language);
  for (const AlertRecord& each : alerts) lines.add(each);
  lines.write(until, terminal);
  return out.str();
}

TEST(AlertLines, AreInTheOrderOfEventTime) {
  EXPECT_EQ(written({alert("bbbbbbbb", kNoon + 5 * kSecond), alert("aaaaaaaa", kNoon), alert("cccccccc", kNoon)}),
            "2026-11-22 UTC+08:00\n"
            "12:00:00  aaaaaaaa  HIGH      Title: what happened\n"
            "12:00:00  cccccccc  HIGH      Title: what happened\n"
            "12:00:05  bbbbbbbb  HIGH      Title: what happened\n");
}

TEST(AlertLines, AreHeldBackUntilTheirTime) {
  EXPECT_EQ(written({alert("bbbbbbbb", kNoon + 1), alert("aaaaaaaa", kNoon)}, kNoon),
            "2026-11-22 UTC+08:00\n12:00:00  aaaaaaaa  HIGH      Title: what happened\n");
}

TEST(AlertLines, AnEndWithinOneCommitIsALineOfItsOwnAndNamesTheAlert) {
  AlertRecord ended = alert("aaaaaaaa", kNoon);
  ended.status = "resolved";
  ended.resolution = "reversed";
  ended.ended_at = kNoon + 3 * kMinute;
  EXPECT_EQ(written({ended, alert("bbbbbbbb", kNoon + kMinute)}),
            "2026-11-22 UTC+08:00\n"
            "12:00:00  aaaaaaaa  HIGH      Title: what happened\n"
            "12:01:00  bbbbbbbb  HIGH      Title: what happened\n"
            "12:03:00  aaaaaaaa  resolved  Title of 12:00:00: reversed after 3m\n");
  ended.first = false;
  ended.ended_at = kNoon + kDay;
  EXPECT_EQ(written({ended}),
            "2026-11-23 UTC+08:00\n12:00:00  aaaaaaaa  resolved  Title of 2026-11-22 12:00:00: reversed after 1d\n");
  EXPECT_EQ(written({ended}, kAfterAllTime, Language::zh),
            "2026-11-23 UTC+08:00\n12:00:00  aaaaaaaa  已解除    2026-11-22 12:00:00 的标题：已冲正，历时 1天\n");
}

TEST(AlertLines, WhatChangedWithinItsFirstCommitStandsAtTheChange) {
  AlertRecord changed = alert("aaaaaaaa", kNoon);
  changed.changed_at = kNoon + kMinute;
  EXPECT_EQ(written({changed}), "2026-11-22 UTC+08:00\n12:01:00  aaaaaaaa  HIGH      Title: (since 12:00:00) what happened\n");
}

TEST(AlertLines, ShadowsAreNotSaid) {
  AlertRecord shadow = alert("aaaaaaaa", kNoon);
  shadow.shadow = true;
  EXPECT_EQ(written({shadow}), "");
}

}  // namespace
}  // namespace tillwatch::engine
