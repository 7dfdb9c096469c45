// RocksDB as the store uses it: options within a memory budget, opening, and telling our databases from others. Internal to
// rocksdb_*.cc: no other file sees RocksDB's types.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/write_buffer_manager.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "state/store.h"

namespace tillwatch::state {

// Column families. RocksDB insists on a default one; it stays empty.
enum Family : size_t { kDefault, kState, kRedo, kMeta, kFamilies };

// The record of kMeta that holds the number of the last applied commit, as u64.
inline constexpr std::string_view kAppliedKey = "applied";

inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

// RocksDB's words with the path and what to do: corrupt, invalid or unavailable.
std::unexpected<Error> store_error(const std::string& path, std::string_view doing, const rocksdb::Status& status);
// Error: corrupt.
std::unexpected<Error> damaged_store(const std::string& path, std::string_view what);

// Owns the database and its column families, which must go first.
struct Database {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  Database() = default;
  Database(Database&& other) noexcept = default;
  Database& operator=(Database&& other) = delete;
  ~Database();
};

struct OpenDatabase {
  std::shared_ptr<rocksdb::Cache> cache;  // the write buffers are booked in it
  Database database;
  uint64_t applied = 0;
  std::optional<uint64_t> prepared;
};

// Opens the store's database, or makes it. The errors are those of open_rocksdb_store().
Expected<OpenDatabase> open_database(const StoreOptions& options);

}  // namespace tillwatch::state
