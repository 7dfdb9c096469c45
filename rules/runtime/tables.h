// Reference tables in memory: every version of every row, looked up as of event time.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/base/hash.h"
#include "engine/base/row.h"
#include "engine/base/status.h"
#include "rules/language/schema.h"

namespace tillwatch::rules {

struct RowVersion {
  TimeMs effective_from = kBeforeAllTime;  // inclusive
  TimeMs effective_to = kAfterAllTime;     // exclusive
  TimeMs recorded_at = kBeforeAllTime;     // when the registry learned of it
  std::string row;                         // all columns, table layout
};

// One thread writes (between shard phases); shards read.
class Tables {
 public:
  explicit Tables(const Schema& schema);

  const RowLayout& layout(int table) const { return tables_[static_cast<size_t>(table)].layout; }

  // Adds a version decoded into `values` (one per column). A version with the same key, effective_from and recorded_at
  // replaces. Returns the key's bytes. The change can be undone until confirm().
  std::string put(int table, std::span<const Value> values);

  // The version in force at `at` among those recorded by `known`; of several the one that takes effect last, then recorded
  // last.
  const RowVersion* find(int table, std::string_view key, TimeMs at, TimeMs known) const;
  // Every version of the row, in order of recorded_at; empty when there is none.
  const std::vector<RowVersion>& versions(int table, std::string_view key) const;

  std::string key_of(int table, std::span<const Value> key_values) const;

  void confirm() { undo_.clear(); }
  void abort();

  // Changes since confirm(), as (store key suffix, bytes) for the commit, and the way back.
  struct Stored {
    std::string key, value;
  };
  std::vector<Stored> changes() const;
  Status restore(std::string_view key, std::string_view value);

  size_t rows() const;
  size_t bytes() const { return bytes_; }

 private:
  struct Table {
    RowLayout layout;
    absl::flat_hash_map<std::string, std::vector<RowVersion>, TextHash, TextEqual> rows;
  };
  struct Undo {
    int table;
    std::string key;
    std::vector<RowVersion> before;
  };
  static size_t size_of(const std::vector<RowVersion>& versions);
  std::string stored_key(int table, std::string_view key) const;

  const Schema& schema_;
  std::vector<Table> tables_;
  std::vector<Undo> undo_;
  size_t bytes_ = 0;
};

}  // namespace tillwatch::rules
