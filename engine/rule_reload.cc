#include "engine/rule_reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "engine/base/words.h"
#include "engine/rule_bundle.h"
#include "rules/runtime/bundle_plan.h"

namespace tillwatch::engine {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostReason = 2000;  // of a message on the alerts topic

}  // namespace

RuleReload::RuleReload(ReloadOptions options, Runner& runner, std::shared_ptr<const rules::CompiledBundle> running)
    : options_(std::move(options)),
      runner_(runner),
      running_(std::move(running)),
      seen_(fingerprint()),
      looked_(std::chrono::steady_clock::now()) {}

// Names, sizes and times of all files: what changes when a file is written, moved into place or exchanged by a link.
std::string RuleReload::fingerprint() const {
  std::vector<std::string> files;
  const auto add = [&](const fs::path& path) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error) return;
    const auto time = fs::last_write_time(path, error);
    files.push_back(fmt::format("{} {} {}", path.string(), size, time.time_since_epoch().count()));
  };
  for (const std::string& path : options_.paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      add(path);
      continue;
    }
    for (auto entry = fs::recursive_directory_iterator(path, error); !error && entry != fs::recursive_directory_iterator();
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (!name.ends_with(".test.yaml") && entry->is_regular_file(error)) add(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  return fmt::format("{}", fmt::join(files, "\n"));
}

Status RuleReload::look(bool asked) {
  const auto now = std::chrono::steady_clock::now();
  if (!asked) {
    if (options_.look_every.count() == 0 || now - looked_ < options_.look_every) return {};
    looked_ = now;
    std::string found = fingerprint();
    if (found == seen_) {
      settling_.clear();
      return {};
    }
    if (found != settling_) {  // perhaps half written: judged when it has stayed so for a look
      settling_ = std::move(found);
      return {};
    }
  }
  seen_ = fingerprint();
  settling_.clear();
  return reload();
}

Status RuleReload::reload() {
  std::ostringstream messages;
  RuleBundleReport report;
  const auto next = load_rule_bundle(options_.paths, false, messages, report);
  if (!next) {
    reject(fmt::format("{}:\n{}", counted(report.errors, "error"), messages.str()));
    return {};
  }
  const rules::BundlePlan plan = rules::plan_bundle(*running_, *next);
  if (!plan.refusals.empty() || (plan.loses() && !options_.lose_state)) {
    reject(plan.text() + (plan.refusals.empty() ? "set reload.lose_state: true to take it all the same" : ""));
    return {};
  }
  const Status taken = runner_.reload(next);
  if (!taken) {
    if (taken.error().kind != ErrorKind::invalid) return taken;
    reject(taken.error().message);
    return {};
  }
  running_ = next;
  ++accepted_;
  if (log_) log_(fmt::format("rules reloaded: {}\n{}", counted(next->rules.size(), "rule"), plan.text()));
  return {};
}

void RuleReload::reject(const std::string& reason) {
  ++rejected_;
  if (log_) log_("the changed rules are refused, the old ones go on. " + reason);
  runner_.rules_refused(reason.substr(0, kMostReason));
}

}  // namespace tillwatch::engine
