#include <fmt/format.h>

#include <csignal>
#include <fstream>
#include <iostream>

#include "engine/case_file.h"
#include "engine/commands.h"
#include "engine/progress_line.h"
#include "engine/replay.h"
#include "engine/rule_bundle.h"

namespace tillwatch::engine {
namespace {

int complain(const std::string& text, int exit_code = 1) {
  std::cerr << "tillwatch: " << text << "\n";
  return exit_code;
}

std::shared_ptr<const rules::CompiledBundle> load(const std::vector<std::string>& paths) {
  RuleBundleReport report;
  return load_rule_bundle(paths, false, std::cerr, report);
}

Expected<ReplayResult> run(const std::shared_ptr<const rules::CompiledBundle>& bundle, const ReplayOptions& options,
                           const char* what) {
  ProgressLine line(what);
  return replay(bundle, options, [&line](uint64_t records, int64_t bytes) { line.read(records, bytes); });
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
