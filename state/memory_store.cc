#include <absl/container/btree_map.h>

#include <mutex>
#include <shared_mutex>

#include "state/commit_sequence.h"
#include "state/store.h"

namespace tillwatch::state {
namespace {

class MemoryStore final : public Store {
 public:
  Expected<std::optional<std::string>> get(std::string_view key) const override {
    const std::shared_lock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    return found->second;
  }

  Status scan_from(std::string_view prefix, std::string_view from, const Visit& visit) const override {
    const std::shared_lock lock(mutex_);
    for (auto entry = entries_.lower_bound(from); entry != entries_.end() && entry->first.starts_with(prefix); ++entry) {
      if (!visit(entry->first, entry->second)) break;
    }
    return {};
  }

  uint64_t applied() const override { return sequence_.applied(); }
  std::optional<uint64_t> prepared() const override { return sequence_.prepared(); }

  Status commit(uint64_t number, const WriteSet& changes) override {
    if (Status allowed = sequence_.may_start(number); !allowed) return allowed;
    write(changes);
    sequence_.set_applied(number);
    return {};
  }

  Status prepare(uint64_t number, const WriteSet& changes) override {
    if (Status allowed = sequence_.may_start(number); !allowed) return allowed;
    redo_ = changes;
    sequence_.set_prepared(number);
    return {};
  }

  Status apply(uint64_t number) override {
    if (Status allowed = sequence_.may_end(number); !allowed) return allowed;
    write(redo_);
    redo_.clear();
    sequence_.set_applied(number);
    return {};
  }

  Status drop(uint64_t number) override {
    if (Status allowed = sequence_.may_end(number); !allowed) return allowed;
    redo_.clear();
    sequence_.set_dropped();
    return {};
  }

  Size size() const override {
    const std::shared_lock lock(mutex_);
    return {.disk = 0, .memory = content_bytes_ + entries_.size() * sizeof(Entries::value_type)};
  }

 private:
  using Entries = absl::btree_map<std::string, std::string, std::less<>>;

  void write(const WriteSet& changes) {
    const std::unique_lock lock(mutex_);
    for (const WriteSet::Change& change : changes.changes()) {
      const auto old = entries_.find(change.key);
      if (old != entries_.end()) content_bytes_ -= old->first.size() + old->second.size();
      if (change.value) {
        content_bytes_ += change.key.size() + change.value->size();
        entries_.insert_or_assign(change.key, *change.value);
      } else if (old != entries_.end()) {
        entries_.erase(old);
      }
    }
  }

  mutable std::shared_mutex mutex_;  // readers against write(); the rest belongs to the writing thread
  Entries entries_;
  uint64_t content_bytes_ = 0;
  WriteSet redo_;
  CommitSequence sequence_{"memory store", 0, std::nullopt};
};

}  // namespace

std::unique_ptr<Store> make_memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace tillwatch::state
