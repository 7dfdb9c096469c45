#include <fmt/format.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>

#include "state/commit_sequence.h"
#include "state/key_codec.h"
#include "state/rocksdb_database.h"
#include "state/store.h"
#include "state/store_directory.h"

namespace tillwatch::state {
namespace {

class RocksdbStore final : public Store {
 public:
  RocksdbStore(StoreOptions options, OpenDatabase open)
      : options_(std::move(options)),
        cache_(std::move(open.cache)),
        database_(std::move(open.database)),
        sequence_("store " + options_.path, open.applied, open.prepared) {}

  Expected<std::optional<std::string>> get(std::string_view key) const override {
    rocksdb::PinnableSlice value;
    const rocksdb::Status found = db().Get({}, family(kState), slice(key), &value);
    if (found.IsNotFound()) return std::nullopt;
    if (!found.ok()) return store_error(options_.path, "reading a key", found);
    return value.ToString();
  }

  Status scan_from(std::string_view prefix, std::string_view from, const Visit& visit) const override {
    const std::string end = after_prefix(prefix);
    const rocksdb::Slice end_slice = slice(end);
    rocksdb::ReadOptions read;
    if (!end.empty()) read.iterate_upper_bound = &end_slice;
    const std::unique_ptr<rocksdb::Iterator> entry(db().NewIterator(read, family(kState)));
    for (entry->Seek(slice(from)); entry->Valid(); entry->Next()) {
      // Without an upper bound (a prefix of FF bytes) the keys that follow all start with it.
      if (!visit(view(entry->key()), view(entry->value()))) break;
    }
    if (!entry->status().ok()) return store_error(options_.path, "scanning", entry->status());
    return {};
  }

  uint64_t applied() const override { return sequence_.applied(); }
  std::optional<uint64_t> prepared() const override { return sequence_.prepared(); }

  Status commit(uint64_t number, const WriteSet& changes) override {
    if (Status allowed = sequence_.may_start(number); !allowed) return allowed;
    if (!changes.normalised()) {
      WriteSet sorted = changes;
      sorted.normalise();
      return commit(number, sorted);
    }
    rocksdb::WriteBatch batch(changes.bytes() + changes.changes().size() * 16 + 64);
    for (const WriteSet::Change& change : changes.changes()) {
      add(batch, change.key, change.value ? std::optional<std::string_view>(*change.value) : std::nullopt);
    }
    add_applied(batch, number);
    if (Status written = write(batch, options_.sync, fmt::format("writing commit {}", number)); !written) return written;
    sequence_.set_applied(number);
    return {};
  }

  Status prepare(uint64_t number, const WriteSet& changes) override {
    if (Status allowed = sequence_.may_start(number); !allowed) return allowed;
    const std::string redo = changes.encode();
    if (redo.size() > kMaxRedoBytes) {
      return fail(ErrorKind::exhausted, fmt::format("store {}: commit {} holds {} bytes, the most is {}; make batches smaller",
                                                    options_.path, number, redo.size(), kMaxRedoBytes));
    }
    rocksdb::WriteBatch batch(redo.size() + 64);
    check_added(batch.Put(family(kRedo), slice(redo_key(number)), slice(redo)));
    if (Status written = write(batch, options_.sync, fmt::format("preparing commit {}", number)); !written) return written;
    sequence_.set_prepared(number);
    return {};
  }

  // Not synced: after a power loss the redo record is there again, because log records are lost from the end only.
  Status apply(uint64_t number) override {
    if (Status allowed = sequence_.may_end(number); !allowed) return allowed;
    rocksdb::PinnableSlice redo;
    const rocksdb::Status found = db().Get({}, family(kRedo), slice(redo_key(number)), &redo);
    if (!found.ok()) return store_error(options_.path, fmt::format("reading the redo record of commit {}", number), found);
    rocksdb::WriteBatch batch(redo.size() * 5 / 4 + 64);
    const auto add_change = [&](std::string_view key, std::optional<std::string_view> value) { add(batch, key, value); };
    if (const Status decoded = WriteSet::visit_encoded(view(redo), add_change); !decoded) {
      return damaged_store(options_.path, fmt::format("commit {}: {}", number, decoded.error().message));
    }
    check_added(batch.Delete(family(kRedo), slice(redo_key(number))));
    add_applied(batch, number);
    if (Status written = write(batch, false, fmt::format("applying commit {}", number)); !written) return written;
    sequence_.set_applied(number);
    return {};
  }

  // Not synced, for the same reason: whoever decided will decide the same again.
  Status drop(uint64_t number) override {
    if (Status allowed = sequence_.may_end(number); !allowed) return allowed;
    rocksdb::WriteBatch batch;
    check_added(batch.Delete(family(kRedo), slice(redo_key(number))));
    if (Status written = write(batch, false, fmt::format("dropping commit {}", number)); !written) return written;
    sequence_.set_dropped();
    return {};
  }

  Size size() const override { return {.disk = directory_bytes(options_.path), .memory = cache_->GetUsage()}; }

 private:
  static constexpr uint64_t kMaxRedoBytes = 2ull << 30;  // RocksDB's limit is 4 GiB with its own frame

  rocksdb::DB& db() const { return *database_.db; }
  rocksdb::ColumnFamilyHandle* family(Family which) const { return database_.families[which]; }

  static std::string redo_key(uint64_t number) {
    std::string key;
    append_u64(key, number);
    return key;
  }

  // Adding to a batch in memory fails only for bytes beyond 4 GiB, which the limits above exclude.
  static void check_added(const rocksdb::Status& added) { TILLWATCH_CHECK(added.ok()); }

  void add(rocksdb::WriteBatch& batch, std::string_view key, std::optional<std::string_view> value) const {
    check_added(value ? batch.Put(family(kState), slice(key), slice(*value)) : batch.Delete(family(kState), slice(key)));
  }

  void add_applied(rocksdb::WriteBatch& batch, uint64_t number) const {
    std::string value;
    append_u64(value, number);
    check_added(batch.Put(family(kMeta), slice(kAppliedKey), slice(value)));
  }

  // RocksDB refuses writes after a failed one until it is told to go on; after a full disk it looks every few seconds itself
  // whether there is space again, and is busy then.
  Status resume(std::string_view doing) {
    if (halted_by_.ok()) return {};
    const rocksdb::Status resumed = db().Resume();
    if (!resumed.ok()) return store_error(options_.path, doing, resumed.IsBusy() ? halted_by_ : resumed);
    halted_by_ = rocksdb::Status::OK();
    return {};
  }

  // A log that a full disk cut short cannot be written on by RocksDB 7.8, and its Debian build ends the process when that is tried
  // (an assertion), so a write that does not fit is not begun. It needs its bytes twice: in the log, and later in a table.
  Status fits(const rocksdb::WriteBatch& batch, std::string_view doing) const {
    constexpr uint64_t kSpare = 2ull << 20;  // RocksDB's other files: manifest, options, own log
    struct statvfs disk {};
    if (::statvfs(options_.path.c_str(), &disk) != 0) return {};  // whoever cannot say does not forbid
    if (disk.f_bavail * disk.f_frsize >= 2 * batch.GetDataSize() + kSpare) return {};
    return store_error(options_.path, doing, rocksdb::Status::NoSpace());
  }

  Status write(rocksdb::WriteBatch& batch, bool sync, std::string_view doing) {
    if (Status ready = resume(doing); !ready) return ready;
    if (Status enough = fits(batch, doing); !enough) return enough;
    rocksdb::WriteOptions write_options;
    write_options.sync = sync;
    const rocksdb::Status written = db().Write(write_options, &batch);
    if (written.ok()) return {};
    halted_by_ = written;
    return store_error(options_.path, doing, written);
  }

  StoreOptions options_;
  std::shared_ptr<rocksdb::Cache> cache_;
  Database database_;
  CommitSequence sequence_;
  rocksdb::Status halted_by_;  // the failed write after which RocksDB has stopped
};

}  // namespace

Expected<std::unique_ptr<Store>> open_rocksdb_store(const StoreOptions& options) {
  Expected<OpenDatabase> open = open_database(options);
  if (!open) return std::unexpected(open.error());
  return std::make_unique<RocksdbStore>(options, *std::move(open));
}

}  // namespace tillwatch::state
