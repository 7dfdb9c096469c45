// The store: an ordered map of bytes that survives a crash, changed only by whole numbered commits.
// One per process; every shard's keys start with the shard's number (see key_codec.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"

namespace tillwatch::state {

// The changes of one commit. A later change of the same key wins.
class WriteSet {
 public:
  struct Change {
    std::string key;
    std::optional<std::string> value;  // empty: the key is erased
  };
  void put(std::string key, std::string value) { changes_.push_back({std::move(key), std::move(value)}); }
  void erase(std::string key) { changes_.push_back({std::move(key), std::nullopt}); }
  // Appends all of `other`, which is empty afterwards.
  void take(WriteSet& other);
  // Sorts by key and keeps the last change of each; stores and redo records want it so.
  void normalise();
  bool normalised() const;
  const std::vector<Change>& changes() const { return changes_; }
  bool empty() const { return changes_.empty(); }
  void clear() { changes_.clear(); }
  size_t bytes() const;

  // The redo record: format version, count, then length-prefixed keys and values in normal form, then a checksum.
  std::string encode() const;
  static Expected<WriteSet> decode(std::string_view bytes);  // error: corrupt
  // Decodes without copying. On an error `visit` may have seen some changes. The views point into `bytes`.
  using ChangeVisitor = std::function<void(std::string_view key, std::optional<std::string_view> value)>;
  static Status visit_encoded(std::string_view bytes, const ChangeVisitor& visit);  // error: corrupt

 private:
  std::vector<Change> changes_;
};

// Thread: one thread writes; get() and scan() may be called from any thread, also during a write.
class Store {
 public:
  virtual ~Store() = default;

  virtual Expected<std::optional<std::string>> get(std::string_view key) const = 0;
  // Calls `visit` for each key from `from` on that starts with `prefix`, in byte order, until it returns false, as of the start
  // of the scan. The views live for the call. `visit` must not call the store.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Status scan_from(std::string_view prefix, std::string_view from, const Visit& visit) const = 0;
  Status scan(std::string_view prefix, const Visit& visit) const { return scan_from(prefix, prefix, visit); }

  // Number of the last applied commit; 0 for a new store.
  virtual uint64_t applied() const = 0;

  // Errors of the four below: invalid (a number that does not follow), unavailable (the disk; the same call may be repeated,
  // and a write whose outcome is unknown counts as not done until a reopened store says otherwise), corrupt.

  // The store decides (embedded): one atomic durable write. `number` must be applied() + 1.
  virtual Status commit(uint64_t number, const WriteSet& changes) = 0;

  // Somebody else decides (a Kafka transaction). prepare() makes a durable redo record; apply() brings the store up to it and
  // forgets the record; drop() forgets it. At most one commit is prepared at a time. After a crash, prepared() tells the
  // number of a redo record that is still there, if any.
  virtual Status prepare(uint64_t number, const WriteSet& changes) = 0;
  virtual Status apply(uint64_t number) = 0;
  virtual Status drop(uint64_t number) = 0;
  virtual std::optional<uint64_t> prepared() const = 0;

  // Bytes on disk and in memory, for metrics.
  struct Size {
    uint64_t disk = 0;
    uint64_t memory = 0;
  };
  virtual Size size() const = 0;
};

struct StoreOptions {
  std::string path;                       // directory; created when absent
  uint64_t memory_budget = 256ull << 20;  // block cache and write buffers together, bytes; at least kMinMemoryBudget
  bool sync = true;                       // fsync each prepare()/commit(); false survives kill -9 but not power loss
  std::string created_by = "tillwatch";   // program and version; a new store remembers it, messages name it
  static constexpr uint64_t kMinMemoryBudget = 8ull << 20;
};

// Opens or creates a RocksDB store. Errors: corrupt or invalid with what to do, such as a store written by an unknown format
// version, or a directory locked by another process.
Expected<std::unique_ptr<Store>> open_rocksdb_store(const StoreOptions& options);

// An in-memory store with the same behaviour, for rule tests, replay and unit tests.
std::unique_ptr<Store> make_memory_store();

}  // namespace tillwatch::state
