// Rules that change while the engine runs. Watches the rule files; a bundle that is whole, right and loses no state takes the
// place of the one that runs, between two batches; any other is refused as a whole.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/runner.h"

namespace tillwatch::engine {

struct ReloadOptions {
  std::vector<std::string> paths;
  std::chrono::milliseconds look_every{1000};  // at the files; 0: only when asked
  bool lose_state = false;                     // take a bundle whose plan loses state
};

class RuleReload {
 public:
  RuleReload(ReloadOptions options, Runner& runner, std::shared_ptr<const rules::CompiledBundle> running);

  using Log = std::function<void(const std::string&)>;
  void set_log(Log log) { log_ = std::move(log); }

  // On the runner's thread, between batches. `asked`: look now and reload even if the files seem the same (SIGHUP). Error: the
  // runner's, of the reload itself.
  Status look(bool asked);

  uint64_t accepted() const { return accepted_; }
  uint64_t rejected() const { return rejected_; }

 private:
  std::string fingerprint() const;
  Status reload();
  void reject(const std::string& reason);

  const ReloadOptions options_;
  Runner& runner_;
  std::shared_ptr<const rules::CompiledBundle> running_;
  Log log_;
  std::string seen_, settling_;  // fingerprints: of what was judged last, and of a change that may still be being written
  std::chrono::steady_clock::time_point looked_;
  uint64_t accepted_ = 0, rejected_ = 0;
};

}  // namespace tillwatch::engine
