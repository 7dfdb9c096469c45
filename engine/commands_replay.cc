#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>

#include "engine/base/words.h"
#include "engine/case_file.h"
#include "engine/commands.h"
#include "engine/replay.h"
#include "engine/rule_bundle.h"

namespace tillwatch::engine {
namespace {

int complain(const std::string& text, int exit_code = 1) {
  std::cerr << "tillwatch: " << text << "\n";
  return exit_code;
}

// A line that is written over, for people who wait.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what)
      : what_(std::move(what)), shown_(isatty(STDERR_FILENO) == 1), began_(std::chrono::steady_clock::now()) {}
  ~ProgressLine() {
    if (shown_) std::cerr << "\r\x1b[K";
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void operator()(uint64_t records, int64_t bytes) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - began_).count();
    std::cerr << fmt::format("\r\x1b[K{}: {} records, {} MB, {} a second", what_, grouped(records), bytes >> 20,
                             grouped(static_cast<uint64_t>(static_cast<double>(records) / std::max(seconds, 0.001))));
  }

 private:
  const std::string what_;
  const bool shown_;
  const std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point last_;
};

std::shared_ptr<const rules::CompiledBundle> load(const std::vector<std::string>& paths) {
  RuleBundleReport report;
  return load_rule_bundle(paths, false, std::cerr, report);
}

Expected<ReplayResult> run(const std::shared_ptr<const rules::CompiledBundle>& bundle, const ReplayOptions& options,
                           const char* what) {
  ProgressLine line(what);
  return replay(bundle, options, [&line](uint64_t records, int64_t bytes) { line(records, bytes); });
}

int compared(const ReplayCommand& command, const ReplayOptions& options, const ReplayResult& before) {
  const auto bundle = load({command.against});
  if (!bundle) return 1;
  const auto after = run(bundle, options, "new rules");
  if (!after) return complain(after.error().message);
  const std::vector<AlertDifference> differences = compare(before, *after);
  fmt::print("{}", difference_report(before, *after, differences));
  if (command.differences.empty()) return 0;
  std::ofstream out(command.differences, std::ios::binary);
  for (const AlertDifference& each : differences) out << difference_json(each) << "\n";
  out.flush();
  return out ? 0 : complain("cannot write " + command.differences);
}

}  // namespace

int run_replay(const ReplayCommand& command) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto bundle = load(command.rules);
  if (!bundle) return 1;
  const auto files = replay_files(command.files, bundle->source.schema);
  if (!files) return complain(files.error().message, 2);
  ReplayOptions options;
  options.files = *files;
  options.workers = command.workers;
  options.run_on = static_cast<DurationMs>(command.run_on_minutes * kMinute);
  const auto result = run(bundle, options, command.against.empty() ? "replay" : "old rules");
  if (!result) return complain(result.error().message);
  if (!command.save_case.empty()) {
    const auto saved = save_case(*result, options, command.rules, command.save_case);
    if (!saved) return complain(saved.error().message);
    fmt::print("{}", *saved);
    return 0;
  }
  if (!command.against.empty()) return compared(command, options, *result);
  fmt::print("{}", replay_report(*result));
  return 0;
}

}  // namespace tillwatch::engine
