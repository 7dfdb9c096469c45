#include "engine/terminal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace tillwatch::engine {
namespace {

constexpr TimeMs kNoon = 1'795'321'805'120;  // 2026-11-22T12:30:05.120+08:00

AlertLine raised() {
  return {.id = "3fa9c1d2e4b5a6978899",
          .rule = "duplicate-debit",
          .title = "Duplicate debit",
          .severity = "high",
          .message = "Card 622848******1234 was debited 2 times 128.50 CNY at 示例餐厅.",
          .at = kNoon,
          .raised_at = kNoon};
}

AlertLine resolved() {
  AlertLine line = raised();
  line.change = AlertLine::Change::resolved;
  line.reason = "reversed";
  line.at = kNoon + 15 * kMinute;
  return line;
}

std::string written(TerminalOptions options, auto&& write) {
  std::ostringstream out;
  {
    Terminal terminal(out, options);
    write(terminal);
  }
  return out.str();
}

TEST(Terminal, AnAlertAndItsEnd) {
  EXPECT_EQ(written({},
                    [](Terminal& terminal) {
                      terminal.alert(raised());
                      AlertLine line = raised();
                      line.change = AlertLine::Change::updated;
                      line.severity = "critical";
                      terminal.alert(line);
                      terminal.alert(resolved());
                      line = resolved();
                      line.change = AlertLine::Change::expired;
                      line.at = kNoon + 30 * kDay;
                      terminal.alert(line);
                    }),
            "2026-11-22 UTC+08:00\n"
            "12:30:05  3fa9c1d2  HIGH      Duplicate debit: Card 622848******1234 was debited 2 times 128.50 CNY at 示例餐厅.\n"
            "12:30:05  3fa9c1d2  CRITICAL  Duplicate debit: (updated) Card 622848******1234 was debited 2 times 128.50 CNY at "
            "示例餐厅.\n"
            "12:45:05  3fa9c1d2  resolved  Duplicate debit of 12:30:05: reversed after 15m\n"
            "2026-12-22 UTC+08:00\n"
            "12:30:05  3fa9c1d2  expired   Duplicate debit of 2026-11-22 12:30:05: expired after 30d\n");
}

TEST(Terminal, InChineseAndUtc) {
  EXPECT_EQ(written({.language = Language::zh, .utc_offset = 0},
                    [](Terminal& terminal) {
                      AlertLine line = raised();
                      line.title = "重复扣款";
                      line.message = "扣款 2 次";
                      terminal.alert(line);
                      line = resolved();
                      line.title = "";
                      terminal.alert(line);
                    }),
            "2026-11-22 UTC\n"
            "04:30:05  3fa9c1d2  高        重复扣款：扣款 2 次\n"
            "04:45:05  3fa9c1d2  已解除    04:30:05 的duplicate-debit：已冲正，历时 15分\n");
}

// The reasons that the shipped rules give, and those the engine gives by itself.
std::set<std::string> reasons() {
  std::set<std::string> found = {"reversed", "voided", "refunded", "corrected", "recovered", "hold_over", "accepted"};
  const std::regex reason("reason: ([a-z_]+)\\b");
  for (const auto& file : std::filesystem::directory_iterator(TILLWATCH_SOURCE_DIR "/rules/packs/payments")) {
    const std::string name = file.path().filename().string();
    if (!name.ends_with(".yaml") || name.ends_with(".test.yaml") || name == "schema.yaml") continue;
    std::ifstream in(file.path());
    for (std::string line; std::getline(in, line);) {
      std::smatch parts;
      if (std::regex_search(line, parts, reason)) found.insert(parts[1]);
    }
  }
  return found;
}

TEST(Terminal, EveryReasonHasWordsInBothLanguages) {
  EXPECT_GE(reasons().size(), 8u);
  for (const std::string& reason : reasons()) {
    AlertLine line = resolved();
    line.title = "T";
    line.reason = reason;
    const auto ending = [&](Language language) {
      const std::string text = written({.language = language}, [&](Terminal& terminal) { terminal.alert(line); });
      return text.substr(text.find(language == Language::zh ? "：" : ": "));
    };
    EXPECT_FALSE(std::regex_search(ending(Language::zh), std::regex("[A-Za-z_]"))) << reason << ending(Language::zh);
    EXPECT_EQ(ending(Language::en).find('_'), std::string::npos) << reason << ending(Language::en);
  }
}

TEST(Terminal, ColourOnlyWhenAsked) {
  const auto write = [](Terminal& terminal) {
    terminal.alert(raised());
    terminal.alert(resolved());
  };
  EXPECT_EQ(written({.colour = false}, write).find('\x1b'), std::string::npos);
  const std::string text = written({.colour = true}, write);
  EXPECT_NE(text.find("\x1b[1;31mHIGH\x1b[0m      "), std::string::npos);
  EXPECT_NE(text.find("\x1b[32mresolved\x1b[0m  "), std::string::npos);
}

TEST(Terminal, WhatAlertsSayCannotSteerTheTerminal) {
  AlertLine line = raised();
  line.message = "at \x1b[2J\r\nshop, card 4111111111111111, 13812341234";
  line.title = "\x1b]0;x\x07";
  line.severity = "\x1bodd";
  const std::string text = written({}, [&](Terminal& terminal) { terminal.alert(line); });
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("\\x1b[2J\\r\\nshop, card 411111******1111, 138****1234"), std::string::npos) << text;
}

TEST(Terminal, ProgressIsRedrawnOnTerminalsOnly) {
  const ProgressLine progress{.events_per_second = 123456.7, .event_time = kNoon, .alerts_open = 1042, .done = 0.5};
  const auto write = [&](Terminal& terminal) {
    terminal.progress(progress);
    terminal.say("a line");
  };
  EXPECT_EQ(written({.redraw = false}, write), "a line\n");
  EXPECT_EQ(written({.redraw = true}, write),
            "\r\x1b[K 50%  123,457 events/s  event time 2026-11-22 12:30:05  alerts open 1,042\r\x1b[Ka line\n");
  EXPECT_EQ(written({.redraw = true, .columns = 20}, [&](Terminal& terminal) { terminal.progress(progress); }),
            "\r\x1b[K 50%  123,457 event\r\x1b[K");
  EXPECT_EQ(written({.redraw = true, .language = Language::zh, .columns = 18},
                    [&](Terminal& terminal) { terminal.progress(progress); }),
            "\r\x1b[K 50%  123,457 条/\r\x1b[K");
}

TEST(Terminal, Scorecard) {
  const ScoreRow rows[] = {{.rule = "duplicate-debit", .injected = 1200, .raised = 1200, .resolved = 300},
                           {.rule = "code-jump", .injected = 3, .raised = 2, .missed = 1, .false_alerts = 1}};
  EXPECT_EQ(written({}, [&](Terminal& terminal) { terminal.scorecard(rows); }),
            "rule             injected  raised  resolved  missed  false\n"
            "duplicate-debit     1,200   1,200       300       0      0\n"
            "code-jump               3       2         0       1      1\n"
            "total               1,203   1,202       300       1      1\n");
  const std::string chinese =
      written({.colour = true, .language = Language::zh}, [&](Terminal& terminal) { terminal.scorecard(rows); });
  EXPECT_NE(chinese.find("漏报"), std::string::npos);
  EXPECT_NE(chinese.find("\x1b[31m1\x1b[0m"), std::string::npos);
}

TEST(Terminal, WidthOfText) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("示例a，"), 7u);
  EXPECT_EQ(display_width("é…"), 2u);
  EXPECT_EQ(display_width("\xe4\xb8"), 1u);  // cut short
}

TEST(Terminal, PipesGetNeitherColourNorProgress) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const TerminalOptions options = terminal_options(ends[1], Language::zh, 0);
  EXPECT_FALSE(options.colour);
  EXPECT_FALSE(options.redraw);
  EXPECT_EQ(options.language, Language::zh);
  close(ends[0]);
  close(ends[1]);
}

TEST(Terminal, Languages) {
  EXPECT_EQ(find_language("en"), Language::en);
  EXPECT_EQ(find_language("zh"), Language::zh);
  EXPECT_EQ(find_language("de"), std::nullopt);
}

}  // namespace
}  // namespace tillwatch::engine
