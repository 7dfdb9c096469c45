#include "state/rocksdb_database.h"

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <set>

#include "state/key_codec.h"
#include "state/rocksdb_logs.h"
#include "state/store_directory.h"

namespace tillwatch::state {
namespace {

constexpr std::string_view kFormat = "tillwatch-store/1";
constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kCreatedByKey = "created-by";

const std::array<std::string, kFamilies> kFamilyNames = {rocksdb::kDefaultColumnFamilyName, "state", "redo", "meta"};

std::unexpected<Error> foreign(const std::string& path) {
  return fail(ErrorKind::invalid,
              fmt::format("store {}: this is the database of another program; give a new path or an empty directory", path));
}

std::unexpected<Error> unknown_version(const std::string& path, const std::string& format, const std::string& created_by) {
  return fail(ErrorKind::invalid,
              fmt::format("store {}: its format is '{}' (made by {}), this program knows '{}'; run the tillwatch "
                          "that made it, or give a new path",
                          path, format, created_by.empty() ? "an unknown version" : created_by, kFormat));
}

bool has_data(const Database& database, rocksdb::ColumnFamilyHandle* family) {
  const std::unique_ptr<rocksdb::Iterator> entry(database.db->NewIterator({}, family));
  entry->SeekToFirst();
  return entry->Valid() || !entry->status().ok();
}

// What all column families share within the memory budget: the write buffers are booked in the block cache.
struct Memory {
  explicit Memory(uint64_t budget)
      : cache(rocksdb::NewLRUCache(budget)),
        write_buffers(std::make_shared<rocksdb::WriteBufferManager>(budget / 3, cache)),
        write_buffer_size(std::clamp<uint64_t>(budget / 6, 1 << 20, 64 << 20)) {}
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  uint64_t write_buffer_size;
};

rocksdb::DBOptions database_options(const Memory& memory) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.write_buffer_manager = memory.write_buffers;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  // Bounds the log that a start has to read again; every byte is written twice, as redo record and as change.
  options.max_total_wal_size = 4 * memory.write_buffer_size;
  // A log may end in a torn record after a power loss; everything before it is whole, in order, over all column families. That
  // it ends there and was not damaged in the middle, check_logs() has seen.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.track_and_verify_wals_in_manifest = true;
  options.max_manifest_file_size = 16 << 20;
  options.bytes_per_sync = 1 << 20;
  options.avoid_unnecessary_blocking_io = true;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(const Memory& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache;
  table.block_size = 8 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = memory.write_buffer_size;
  options.target_file_size_base = memory.write_buffer_size;
  options.level_compaction_dynamic_level_bytes = true;
  const std::vector<rocksdb::CompressionType> built_in = rocksdb::GetSupportedCompressions();
  const bool has_lz4 = std::ranges::find(built_in, rocksdb::kLZ4Compression) != built_in.end();
  options.compression = has_lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return options;
}

std::unexpected<Error> open_error(const std::string& path, const rocksdb::Status& status) {
  const std::string words = status.ToString();
  if (words.find("lock hold by current process") != std::string::npos) {
    return fail(ErrorKind::invalid, fmt::format("store {}: it is already open in this process; give each its own path", path));
  }
  if (words.find("/LOCK: Resource temporarily unavailable") != std::string::npos) {
    return fail(ErrorKind::invalid,
                fmt::format("store {}: it is in use by {}; stop that first, or give another path", path, lock_holder(path)));
  }
  return store_error(path, "opening", status);
}

Expected<Database> open_families(const std::string& path, const rocksdb::DBOptions& options,
                                 const std::vector<rocksdb::ColumnFamilyDescriptor>& families, bool read_only) {
  Database database;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = read_only ? rocksdb::DB::OpenForReadOnly(options, path, families, &database.families, &db)
                                           : rocksdb::DB::Open(options, path, families, &database.families, &db);
  if (!opened.ok()) return open_error(path, opened);
  database.db.reset(db);
  return database;
}

Expected<std::string> read_meta(const std::string& path, const Database& database, rocksdb::ColumnFamilyHandle* meta,
                                std::string_view key) {
  std::string value;
  const rocksdb::Status found = database.db->Get({}, meta, slice(key), &value);
  if (!found.ok() && !found.IsNotFound()) return store_error(path, "reading its meta records", found);
  return value;
}

class SilentLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// Looks, without changing anything, at a database whose column families are not exactly ours: it may be another program's,
// another version's, or ours from a start that died while it was being made, which is no error.
Status examine_unfamiliar(const std::string& path, const std::vector<std::string>& names) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  rocksdb::DBOptions options;
  options.info_log = std::make_shared<SilentLog>();
  const Expected<Database> database = open_families(path, options, families, true);
  if (!database) return std::unexpected(database.error());
  bool ours = true;
  for (size_t i = 0; i < names.size(); ++i) {
    rocksdb::ColumnFamilyHandle* family = database->families[i];
    if (names[i] == kFamilyNames[kMeta]) {
      const Expected<std::string> format = read_meta(path, *database, family, kFormatKey);
      const Expected<std::string> created_by = read_meta(path, *database, family, kCreatedByKey);
      if (!format || !created_by) return std::unexpected((format ? created_by : format).error());
      if (!format->empty() && *format != kFormat) return unknown_version(path, *format, *created_by);
    }
    if (std::ranges::find(kFamilyNames, names[i]) == kFamilyNames.end() || has_data(*database, family)) ours = false;
  }
  return ours ? Status() : foreign(path);
}

Status examine_existing(const std::string& path) {
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path, &names);
  if (!listed.ok()) return store_error(path, "opening", listed);
  const std::set<std::string> found(names.begin(), names.end());
  if (found == std::set<std::string>(kFamilyNames.begin(), kFamilyNames.end())) return {};
  return examine_unfamiliar(path, names);
}

// Of a database that is in use nothing is said here: opening it says by whom.
Status check_unused_logs(const std::string& path) {
  rocksdb::Env& system = *rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  if (!system.LockFile(path + "/LOCK", &lock).ok()) return {};
  const Status whole = check_logs(path);
  const rocksdb::Status unlocked = system.UnlockFile(lock);
  if (whole && !unlocked.ok()) return store_error(path, "unlocking", unlocked);
  return whole;
}

// A new store gets its meta records in one durable write; a store without them must be new.
Expected<uint64_t> read_or_write_applied(const StoreOptions& options, const Database& database) {
  rocksdb::ColumnFamilyHandle* meta = database.families[kMeta];
  const Expected<std::string> format = read_meta(options.path, database, meta, kFormatKey);
  const Expected<std::string> created_by = read_meta(options.path, database, meta, kCreatedByKey);
  const Expected<std::string> applied = read_meta(options.path, database, meta, kAppliedKey);
  if (!format || !created_by || !applied)
    return std::unexpected((!format ? format : !created_by ? created_by : applied).error());
  if (!format->empty()) {
    if (*format != kFormat) return unknown_version(options.path, *format, *created_by);
    std::string_view bytes = *applied;
    const std::optional<uint64_t> number = take_u64(bytes);
    if (!number || !bytes.empty()) return damaged_store(options.path, "the number of the last commit is missing or damaged");
    return *number;
  }
  for (rocksdb::ColumnFamilyHandle* family : database.families) {
    if (has_data(database, family))
      return damaged_store(options.path, "it holds data, but not the record of its format version");
  }
  std::string zero;
  append_u64(zero, 0);
  rocksdb::WriteBatch batch;
  rocksdb::Status added = batch.Put(meta, slice(kFormatKey), slice(kFormat));
  if (added.ok()) added = batch.Put(meta, slice(kCreatedByKey), slice(options.created_by));
  if (added.ok()) added = batch.Put(meta, slice(kAppliedKey), slice(zero));
  rocksdb::WriteOptions durable;
  durable.sync = true;
  const rocksdb::Status written = added.ok() ? database.db->Write(durable, &batch) : added;
  if (!written.ok()) return store_error(options.path, "creating it", written);
  return 0;
}

// The number of the redo record that a crash has left, if any.
Expected<std::optional<uint64_t>> find_redo(const std::string& path, const Database& database, uint64_t applied) {
  const std::unique_ptr<rocksdb::Iterator> entry(database.db->NewIterator({}, database.families[kRedo]));
  std::optional<uint64_t> prepared;
  for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
    std::string_view key = view(entry->key());
    const std::optional<uint64_t> number = take_u64(key);
    if (!number || !key.empty() || prepared || *number != applied + 1) {
      return damaged_store(path,
                           fmt::format("a redo record is there that cannot follow commit {}, the last one applied", applied));
    }
    prepared = number;
  }
  if (!entry->status().ok()) return store_error(path, "looking for a redo record", entry->status());
  return prepared;
}

}  // namespace

std::unexpected<Error> store_error(const std::string& path, std::string_view doing, const rocksdb::Status& status) {
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return fail(ErrorKind::corrupt, fmt::format("store {}: {}: {}; its files are damaged: keep them, and restore the directory "
                                                "from a copy or start with an empty one",
                                                path, doing, status.ToString()));
  }
  if (status.IsInvalidArgument() || status.IsNotSupported()) {
    return fail(ErrorKind::invalid, fmt::format("store {}: {}: {}", path, doing, status.ToString()));
  }
  const bool fatal = status.severity() >= rocksdb::Status::Severity::kFatalError;
  return fail(ErrorKind::unavailable, fmt::format("store {}: {}: {}; check that the disk has space and is healthy{}", path,
                                                  doing, status.ToString(), fatal ? ", then start again" : ""));
}

std::unexpected<Error> damaged_store(const std::string& path, std::string_view what) {
  return fail(ErrorKind::corrupt,
              fmt::format("store {}: {}; restore the directory from a copy or start with an empty one", path, what));
}

Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
}

Expected<OpenDatabase> open_database(const StoreOptions& options) {
  if (options.memory_budget < StoreOptions::kMinMemoryBudget) {
    return fail(ErrorKind::invalid, fmt::format("store {}: a memory budget of {} bytes is too small; give at least {}",
                                                options.path, options.memory_budget, StoreOptions::kMinMemoryBudget));
  }
  const Expected<DirectoryContent> content = open_store_directory(options.path);
  if (!content) return std::unexpected(content.error());
  if (*content == DirectoryContent::database) {
    if (const Status examined = examine_existing(options.path); !examined) return std::unexpected(examined.error());
    if (const Status whole = check_unused_logs(options.path); !whole) return std::unexpected(whole.error());
  }
  Memory memory(options.memory_budget);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : kFamilyNames) families.emplace_back(name, family_options(memory));
  Expected<Database> database = open_families(options.path, database_options(memory), families, false);
  if (!database) return std::unexpected(database.error());
  const Expected<uint64_t> applied = read_or_write_applied(options, *database);
  if (!applied) return std::unexpected(applied.error());
  const Expected<std::optional<uint64_t>> prepared = find_redo(options.path, *database, *applied);
  if (!prepared) return std::unexpected(prepared.error());
  return OpenDatabase{.cache = memory.cache, .database = *std::move(database), .applied = *applied, .prepared = *prepared};
}

}  // namespace tillwatch::state
