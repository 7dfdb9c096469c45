// The log: what the engine did and met, for whoever runs it. Lines go to standard error, masked. The only place that knows
// spdlog.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace tillwatch {

enum class LogLevel : uint8_t { debug, info, warning, error };
enum class LogFormat : uint8_t {
  text,  // 2026-11-22T12:30:05.120+08:00 warning  broker is away: …
  json,  // {"time":"2026-11-22T12:30:05.120+08:00","level":"warning","message":"broker is away: …"}
};
std::optional<LogLevel> find_log_level(std::string_view name);
std::optional<LogFormat> find_log_format(std::string_view name);

struct LogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
};

// One per process, made in main and handed on by reference. Thread-safe; a line is written whole. Card and phone numbers in
// messages are masked, control characters escaped, and what is longer than 4 KB is cut.
class Log {
 public:
  explicit Log(LogOptions options);
  Log(LogOptions options, std::ostream& out);  // for tests
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  template <class... Arguments>
  void debug(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (wants(LogLevel::debug)) write(LogLevel::debug, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (wants(LogLevel::info)) write(LogLevel::info, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void warning(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (wants(LogLevel::warning)) write(LogLevel::warning, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    write(LogLevel::error, fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  bool wants(LogLevel level) const { return level >= options_.level; }
  void write(LogLevel level, std::string_view message);

 private:
  struct Writer;
  LogOptions options_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace tillwatch
