// A backtest: files through a rule set, as fast as the machine allows, with nothing stored; and what two rule sets say of the
// same files, compared.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/file_source.h"
#include "engine/alert.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

struct ReplayOptions {
  std::vector<connectors::FileInput> files;  // also .gz and .zst
  size_t workers = 1;
  DurationMs run_on = 0;  // event time goes on so long after the last record
};

// An alert as it stands at the end.
struct ReplayedAlert {
  AlertRecord last;
  int64_t money_minor = 0;  // of its last hit
  std::string merchant;     // "" when its rule does not keep it
};

struct ReplayResult {
  std::map<std::string, ReplayedAlert> alerts;  // by id; withdrawn ones left out
  uint64_t records = 0, dead_letters = 0;
  int64_t bytes = 0;
  double seconds = 0;
};

// Records read and bytes read so far.
using ReplayProgress = std::function<void(uint64_t records, int64_t bytes)>;

// Reference topics are read to their end first; rows count as of event time. Errors: invalid, unavailable, corrupt: a file that
// cannot be read.
Expected<ReplayResult> replay(const std::shared_ptr<const rules::CompiledBundle>& bundle, const ReplayOptions& options,
                              const ReplayProgress& progress);

// "sale.ndjson" of a topic may be given as TOPIC=PATH; a folder stands for its TOPIC-NUMBER.ndjson[.gz|.zst] files, whose
// topics the schema must have. Error: invalid.
Expected<std::vector<connectors::FileInput>> replay_files(const std::vector<std::string>& arguments,
                                                          const rules::Schema& schema);

struct AlertDifference {
  enum class Kind : uint8_t { fresh, lost, changed };
  Kind kind = Kind::fresh;
  const ReplayedAlert* before = nullptr;  // lost, changed
  const ReplayedAlert* after = nullptr;   // fresh, changed
  const ReplayedAlert& either() const { return after != nullptr ? *after : *before; }
};
std::vector<AlertDifference> compare(const ReplayResult& before, const ReplayResult& after);

// For people: per rule counts and money, and with `before` the differences per rule and per merchant.
std::string replay_report(const ReplayResult& result);
std::string difference_report(const ReplayResult& before, const ReplayResult& after,
                              const std::vector<AlertDifference>& differences);
// One JSON object a line.
std::string difference_json(const AlertDifference& difference);

}  // namespace tillwatch::engine
