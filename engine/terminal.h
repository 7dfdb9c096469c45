// Alerts, progress and the demo's scorecard for a person at a terminal. Scripts read the alerts topic or file instead.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/time.h"

namespace tillwatch::engine {

enum class Language : uint8_t { en, zh };
std::optional<Language> find_language(std::string_view name);  // "en", "zh"

struct TerminalOptions {
  bool colour = false;
  bool redraw = false;  // whether the progress line may be overwritten; without it there is one a minute
  Language language = Language::en;
  DurationMs utc_offset = 8 * kHour;  // of the times shown
  int columns = 100;                  // the progress line is cut there
};

// What suits file descriptor `fd`: colour and redrawing when it is a terminal that can; no colour when NO_COLOR is set.
TerminalOptions terminal_options(int fd, Language language, DurationMs utc_offset);

struct AlertLine {
  enum class Change : uint8_t { raised, updated, resolved, expired };
  Change change = Change::raised;
  std::string id;  // in full; the first eight characters are shown
  std::string rule;
  std::string title;     // in the terminal's language; the rule's name when empty
  std::string severity;  // critical, high, medium, low, info
  std::string message;   // what happened
  std::string reason;    // why it was resolved: reversed, late_sms, …
  TimeMs at = 0;         // when this change happened (event time)
  TimeMs raised_at = 0;  // when the alert was first raised
};

struct ProgressLine {
  double events_per_second = 0;
  std::optional<TimeMs> event_time;  // how far it is; empty before the first event
  uint64_t alerts_open = 0;
  std::optional<double> done;  // share of the whole, when that is known
};

// How well the rules found what the demo had hidden.
struct ScoreRow {
  std::string rule;
  uint64_t injected = 0;
  uint64_t raised = 0;        // of the injected
  uint64_t resolved = 0;      // of the raised
  uint64_t missed = 0;        // injected, and not raised
  uint64_t false_alerts = 0;  // raised, and not injected
};

// Writes to one stream, which must outlive it. Not thread-safe. Text of alerts is masked, and cannot steer the terminal.
class Terminal {
 public:
  Terminal(std::ostream& out, TerminalOptions options) : out_(out), options_(options) {}
  ~Terminal() { clear_progress(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // "12:30:05  3fa9c1d2  HIGH      Duplicate debit: Card 622848******1234 was debited 2 times 128.50 CNY at …"
  // "12:45:05  3fa9c1d2  resolved  Duplicate debit of 12:30:05: reversed after 15m"
  // with a line for the date before the first of each day.
  void alert(const AlertLine& line);
  void progress(const ProgressLine& line);
  void scorecard(std::span<const ScoreRow> rows);
  // A line of its own, above the progress line.
  void say(std::string_view text);

 private:
  void clear_progress();
  void say_date(TimeMs at);
  std::string painted(std::string_view text, std::string_view colour) const;

  std::ostream& out_;
  TerminalOptions options_;
  std::string date_;  // last one written
  bool progress_shown_ = false;
  std::chrono::steady_clock::time_point progress_said_ = std::chrono::steady_clock::now();  // when lines are not redrawn
};

// "15m 3s", "15分3秒".
std::string duration_in(Language language, DurationMs duration);

// Columns `text` takes on a terminal: two for each Chinese character.
size_t display_width(std::string_view text);

}  // namespace tillwatch::engine
