#include "engine/base/log.h"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>

#include "engine/base/mask.h"
#include "engine/base/time.h"

namespace tillwatch {
namespace {

constexpr size_t kLongestMessage = 4096;  // bytes
constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// The message is one line of UTF-8 already.
std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::optional<LogLevel> find_log_level(std::string_view name) {
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

std::optional<LogFormat> find_log_format(std::string_view name) {
  if (name == "text") return LogFormat::text;
  if (name == "json") return LogFormat::json;
  return std::nullopt;
}

// No name, so that spdlog keeps no register of it: the log lives where it was made.
struct Log::Writer {
  explicit Writer(spdlog::sink_ptr sink) : logger(std::string(), std::move(sink)) {
    logger.set_level(spdlog::level::trace);
    logger.set_pattern("%v");
    logger.flush_on(spdlog::level::warn);
  }
  spdlog::logger logger;
};

Log::Log(LogOptions options)
    : options_(options), writer_(std::make_unique<Writer>(std::make_shared<spdlog::sinks::stderr_sink_mt>())) {}
Log::Log(LogOptions options, std::ostream& out)
    : options_(options), writer_(std::make_unique<Writer>(std::make_shared<spdlog::sinks::ostream_sink_mt>(out))) {}
Log::~Log() = default;
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

void Log::write(LogLevel level, std::string_view message) {
  if (!wants(level)) return;
  const std::string time = format_rfc3339(wall_clock_ms());
  const std::string text = masked_excerpt(message, kLongestMessage);
  const std::string_view name = kLevels[static_cast<size_t>(level)];
  writer_->logger.log(level_of(level),
                      options_.format == LogFormat::json
                          ? fmt::format(R"({{"time":"{}","level":"{}","message":{}}})", time, name, json_string(text))
                          : fmt::format("{} {:<7}  {}", time, name, text));
}

}  // namespace tillwatch
