// Where every record went. Per partition: read = dead-lettered + unwanted + taken. Per route: copies = used + repeated +
// late + failed.
// Part of the committed state: after a restart the sums go on where the last commit left them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/decoder.h"
#include "rules/runtime/machine.h"

namespace tillwatch::engine {

struct PartitionLedger {
  uint64_t read = 0;
  uint64_t unwanted = 0;  // decoded, and no rule asked for it
  uint64_t taken = 0;     // at least one copy was sent, or a table row was kept
  uint64_t late = 0;      // of the taken and unwanted: behind their partition's watermark
  uint64_t unknown_values = 0;  // fields, not records: a word their enum does not list, read as `unknown`
  std::array<uint64_t, kDecodeFaults> dead{};  // per reason
  uint64_t dead_lettered() const;
  bool balanced() const { return read == dead_lettered() + unwanted + taken; }
};

struct RouteLedger {
  uint64_t copies = 0, used = 0, repeated = 0, late = 0;
  uint64_t failed = 0;  // dead letters: working on it threw
  bool balanced() const { return copies == used + repeated + late + failed; }
  void count(rules::Fed fed);
};

struct Ledger {
  std::map<std::string, PartitionLedger> partitions;  // "topic/number"
  std::map<std::string, RouteLedger> routes;          // Subscription::name

  bool balanced() const;
  std::string encode() const;
  Status decode(std::string_view bytes);
};

}  // namespace tillwatch::engine
