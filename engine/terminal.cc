#include "engine/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "engine/base/mask.h"
#include "engine/base/words.h"

namespace tillwatch::engine {
namespace {

constexpr size_t kShortId = 8;
constexpr size_t kLongestMessage = 2000;  // bytes
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kBold = "\x1b[1m";

// A word in both languages; colour for severities.
struct Word {
  std::string_view name, en, zh, colour;
  std::string_view in(Language language) const { return language == Language::zh ? zh : en; }
};

constexpr Word kSeverities[] = {
    {"critical", "CRITICAL", "严重", "\x1b[1;97;41m"},
    {"high", "HIGH", "高", "\x1b[1;31m"},
    {"medium", "MEDIUM", "中", "\x1b[33m"},
    {"low", "LOW", "低", "\x1b[36m"},
    {"info", "INFO", "提示", kDim},
};
constexpr Word kReasons[] = {
    {"reversed", "reversed", "已冲正", {}},
    {"voided", "voided", "已撤销", {}},
    {"refunded", "refunded", "已退款", {}},
    {"late_sms", "late SMS", "短信已补发", {}},
    {"recovered", "recovered", "已恢复正常", {}},
    {"hold_over", "held long enough", "等待期满", {}},
    {"registry_update", "registry update", "登记信息已更新", {}},
    {"corrected", "corrected by later data", "后续数据已更正", {}},
    {"accepted", "accepted", "已接受", {}},
    {"folded", "counted on another alert", "已并入其他告警", {}},
    {"matched", "matched", "已匹配", {}},
    {"adjusted", "adjusted", "已冲账调整", {}},
    {"completed_after_all", "completed after all", "交易最终完成", {}},
    {"corrected_by_sms", "corrected by another SMS", "已发更正短信", {}},
    {"host_record_arrived", "the host's record came", "主机记录已到", {}},
    {"late_delivery", "delivered late", "迟到送达", {}},
    {"late_receipt", "reported late", "状态报告迟到", {}},
    {"late_settlement", "settled late", "迟到入账", {}},
    {"late_slip", "slip came late", "交易单已补打", {}},
    {"recorded_late", "recorded late", "记录已补录", {}},
    {"retried", "tried again", "已重试", {}},
    {"status_corrected", "status corrected", "状态已更正", {}},
    {"template_update", "template changed", "模板已更新", {}},
    {"transaction_arrived", "the transaction came", "交易记录已到", {}},
};
constexpr Word kResolved = {{}, "resolved", "已解除", kGreen};
constexpr Word kExpired = {{}, "expired", "已过期", kDim};

// Null when the word is not known.
const Word* find(std::span<const Word> words, std::string_view name) {
  const auto found = std::ranges::find(words, name, &Word::name);
  return found == words.end() ? nullptr : &*found;
}

std::string shown(std::string_view text) { return masked_excerpt(text, kLongestMessage); }

// Spaces that fill `text` up to `width` columns.
std::string padding(std::string_view text, size_t width) {
  const size_t taken = display_width(text);
  return std::string(taken < width ? width - taken : 0, ' ');
}

std::string cut_to_width(std::string_view text, size_t width) {
  while (display_width(text) > width) {
    text.remove_suffix(1);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0xc0)
      text.remove_suffix(1);  // a lead byte alone
  }
  return std::string(text);
}

// "2026-11-22T12:30:05.120+08:00" in parts.
struct ShownTime {
  std::string date, time, offset;
};
ShownTime shown_time(TimeMs at, DurationMs utc_offset) {
  const std::string text = format_rfc3339(at, utc_offset);
  const size_t day_end = text.find('T');
  return {text.substr(0, day_end), text.substr(day_end + 1, 8), text.substr(day_end + 13)};
}

// `then` as it is told at `now`: the date too when it was on another day.
std::string looking_back(TimeMs then, TimeMs now, DurationMs utc_offset) {
  const ShownTime time = shown_time(then, utc_offset);
  return time.date == shown_time(now, utc_offset).date ? time.time : time.date + " " + time.time;
}

// Of the character at the front of `text`, which is removed.
size_t take_width(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t length = std::min<size_t>(lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2, text.size());
  char32_t code = length == 1 ? lead : lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  text.remove_prefix(length);
  // East Asian Wide and Fullwidth, in blocks.
  const bool wide =
      (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

}  // namespace

std::optional<Language> find_language(std::string_view name) {
  if (name == "en") return Language::en;
  if (name == "zh") return Language::zh;
  return std::nullopt;
}

TerminalOptions terminal_options(int fd, Language language, DurationMs utc_offset) {
  TerminalOptions options{.language = language, .utc_offset = utc_offset};
  const char* const kind = std::getenv("TERM");
  options.redraw = isatty(fd) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
  const char* const no_colour = std::getenv("NO_COLOR");
  options.colour = options.redraw && (no_colour == nullptr || *no_colour == '\0');
  winsize size{};
  if (options.redraw && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.columns = size.ws_col;
  return options;
}

std::string duration_in(Language language, DurationMs duration) {
  const std::string text = format_duration(duration);
  if (language != Language::zh) return text;
  constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
      {"ms", "毫秒"}, {"s", "秒"}, {"m", "分"}, {"h", "小时"}, {"d", "天"}};
  std::string chinese;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t unit_at = std::min(rest.find_first_not_of("-0123456789"), rest.size());
    const std::string_view unit = rest.substr(unit_at, rest.find(' ') - unit_at);
    const auto* const known = std::ranges::find(kUnits, unit, &std::pair<std::string_view, std::string_view>::first);
    chinese += rest.substr(0, unit_at);
    chinese += known == std::end(kUnits) ? unit : known->second;
    rest.remove_prefix(std::min(unit_at + unit.size() + 1, rest.size()));
  }
  return chinese;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) width += take_width(text);
  return width;
}

std::string Terminal::painted(std::string_view text, std::string_view colour) const {
  return options_.colour && !colour.empty() ? fmt::format("{}{}{}", colour, text, kReset) : std::string(text);
}

void Terminal::clear_progress() {
  if (!progress_shown_) return;
  out_ << "\r\x1b[K" << std::flush;
  progress_shown_ = false;
}

void Terminal::say(std::string_view text) {
  clear_progress();
  out_ << text << '\n' << std::flush;
}

void Terminal::say_date(TimeMs at) {
  const ShownTime time = shown_time(at, options_.utc_offset);
  if (time.date == date_) return;
  date_ = time.date;
  say(painted(fmt::format("{} {}", time.date, time.offset == "Z" ? "UTC" : "UTC" + time.offset), kDim));
}

void Terminal::alert(const AlertLine& line) {
  constexpr size_t kStateColumns = 8;  // "CRITICAL", "resolved"
  const Language language = options_.language;
  const bool chinese = language == Language::zh;
  const std::string raised = looking_back(line.raised_at, line.at, options_.utc_offset);
  const bool ended = line.change == AlertLine::Change::resolved || line.change == AlertLine::Change::expired;
  const Word* const severity = find(kSeverities, line.severity);
  const Word plain{line.severity, line.severity, line.severity, {}};
  const Word& state = !ended                                      ? (severity == nullptr ? plain : *severity)
                      : line.change == AlertLine::Change::expired ? kExpired
                                                                  : kResolved;
  std::string what;
  if (ended) {
    const Word* const reason = find(kReasons, line.reason);
    const std::string why = line.change == AlertLine::Change::expired ? std::string(kExpired.in(language))
                            : reason != nullptr                       ? std::string(reason->in(language))
                                                                      : shown(line.reason);
    const std::string after = duration_in(language, (line.at - line.raised_at) / kSecond * kSecond);
    what = chinese ? fmt::format("{}，历时 {}", why, after) : fmt::format("{} after {}", why, after);
  } else {
    if (line.change == AlertLine::Change::updated) {
      what = chinese ? "（更新）" : "(updated) ";
    } else if (line.at > line.raised_at) {
      what = fmt::format(fmt::runtime(chinese ? "（始于 {}）" : "(since {}) "), raised);
    }
    what += shown(line.message);
  }
  say_date(line.at);
  std::string title = shown(line.title.empty() ? line.rule : line.title);
  if (ended) title = chinese ? fmt::format("{} 的{}", raised, title) : fmt::format("{} of {}", title, raised);
  const std::string word = shown(state.in(language));
  say(fmt::format("{}  {}  {}{}  {}{}{}", shown_time(line.at, options_.utc_offset).time,
                  painted(shown(std::string_view(line.id).substr(0, kShortId)), kDim), painted(word, state.colour),
                  padding(word, kStateColumns), painted(title, ended ? std::string_view{} : kBold), chinese ? "：" : ": ",
                  what));
}

void Terminal::progress(const ProgressLine& line) {
  const auto now = std::chrono::steady_clock::now();
  if (!options_.redraw && now - progress_said_ < std::chrono::minutes(1)) return;
  const bool chinese = options_.language == Language::zh;
  std::string text = line.done ? fmt::format("{:3.0f}%  ", 100 * std::clamp(*line.done, 0.0, 1.0)) : std::string();
  text += fmt::format("{} {}", grouped(static_cast<uint64_t>(std::llround(std::clamp(line.events_per_second, 0.0, 1e15)))),
                      chinese ? "条/秒" : "events/s");
  if (line.event_time) {
    const ShownTime time = shown_time(*line.event_time, options_.utc_offset);
    text += fmt::format("  {} {} {}", chinese ? "事件时间" : "event time", time.date, time.time);
  }
  text += fmt::format("  {} {}", chinese ? "未解除告警" : "alerts open", grouped(line.alerts_open));
  if (!options_.redraw) {
    progress_said_ = now;
    say(text);
    return;
  }
  // One column is left free, because a full line makes some terminals begin another.
  out_ << "\r\x1b[K" << painted(cut_to_width(text, static_cast<size_t>(std::max(options_.columns - 1, 0))), kDim) << std::flush;
  progress_shown_ = true;
}

void Terminal::scorecard(std::span<const ScoreRow> rows) {
  constexpr size_t kColumns = 6;
  using Line = std::array<std::string, kColumns>;
  const bool chinese = options_.language == Language::zh;
  std::vector<Line> lines = {chinese ? Line{"规则", "注入", "告警", "解除", "漏报", "误报"}
                                     : Line{"rule", "injected", "raised", "resolved", "missed", "false"}};
  ScoreRow total{.rule = chinese ? "合计" : "total"};
  const auto add_line = [&](const ScoreRow& row) {
    lines.push_back({shown(row.rule), grouped(row.injected), grouped(row.raised), grouped(row.resolved), grouped(row.missed),
                     grouped(row.false_alerts)});
  };
  for (const ScoreRow& row : rows) {
    add_line(row);
    total.injected += row.injected;
    total.raised += row.raised;
    total.resolved += row.resolved;
    total.missed += row.missed;
    total.false_alerts += row.false_alerts;
  }
  add_line(total);

  std::array<size_t, kColumns> widths{};
  for (const Line& line : lines) {
    for (size_t column = 0; column < kColumns; ++column) widths[column] = std::max(widths[column], display_width(line[column]));
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool is_frame = i == 0 || i + 1 == lines.size();
    std::string text = painted(lines[i][0], is_frame ? kBold : std::string_view{}) + padding(lines[i][0], widths[0]);
    for (size_t column = 1; column < kColumns; ++column) {
      const bool is_mistake = column >= 4 && i > 0;
      const std::string_view colour = is_mistake ? (lines[i][column] == "0" ? kGreen : kRed)
                                      : is_frame ? kBold
                                                 : std::string_view{};
      text += "  " + padding(lines[i][column], widths[column]) + painted(lines[i][column], colour);
    }
    say(text);
  }
}

}  // namespace tillwatch::engine
