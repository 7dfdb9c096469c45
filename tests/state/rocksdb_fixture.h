// A store on disk of a test's own, and RocksDB behind its back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <vector>

#include "state/store.h"
#include "tests/temporary_directory.h"

namespace tillwatch::state {

inline StoreOptions options_of(const std::string& path) {
  return {.path = path, .memory_budget = StoreOptions::kMinMemoryBudget, .created_by = "tillwatch test"};
}

inline std::unique_ptr<Store> open(const std::string& path) {
  Expected<std::unique_ptr<Store>> store = open_rocksdb_store(options_of(path));
  EXPECT_TRUE(store) << store.error().message;
  return store ? *std::move(store) : nullptr;
}

inline void expect_refused(const StoreOptions& options, ErrorKind kind, const testing::Matcher<std::string>& words) {
  const Expected<std::unique_ptr<Store>> store = open_rocksdb_store(options);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().kind, kind);
  EXPECT_THAT(store.error().message, words);
}

inline void expect_done(const Status& status) { EXPECT_TRUE(status) << status.error().message; }

// Every key of the commit has its number as value, so that a mixture of two commits shows.
inline WriteSet commit_of(uint64_t number) {
  WriteSet set;
  for (int i = 0; i < 50; ++i) set.put("key" + std::to_string(i), std::to_string(number));
  set.put("only " + std::to_string(number), "");
  if (number > 1) set.erase("only " + std::to_string(number - 1));
  return set;
}

inline void expect_holds_commit(const Store& store, uint64_t number) {
  int keys = 0;
  expect_done(store.scan("key", [&](std::string_view, std::string_view value) {
    EXPECT_EQ(value, std::to_string(number));
    ++keys;
    return true;
  }));
  EXPECT_EQ(keys, number == 0 ? 0 : 50);
  std::vector<std::string> only;
  expect_done(store.scan("only", [&](std::string_view key, std::string_view) {
    only.emplace_back(key);
    return true;
  }));
  EXPECT_EQ(only, number == 0 ? std::vector<std::string>() : std::vector<std::string>{"only " + std::to_string(number)});
}

// Writes to the database behind the store's back.
class RawDatabase {
 public:
  explicit RawDatabase(const std::string& path, const std::vector<std::string>& names = {"default", "state", "redo", "meta"}) {
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    rocksdb::DB* db = nullptr;
    EXPECT_TRUE(rocksdb::DB::Open(options, path, descriptors, &families_, &db).ok());
    db_.reset(db);
  }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;
  ~RawDatabase() {
    for (rocksdb::ColumnFamilyHandle* family : families_) EXPECT_TRUE(db_->DestroyColumnFamilyHandle(family).ok());
  }
  void put(const std::string& family, const std::string& key, const std::string& value) {
    EXPECT_TRUE(db_->Put({}, handle(family), key, value).ok());
  }
  std::string get(const std::string& family, const std::string& key) {
    std::string value;
    EXPECT_TRUE(db_->Get({}, handle(family), key, &value).ok());
    return value;
  }
  void erase(const std::string& family, const std::string& key) { EXPECT_TRUE(db_->Delete({}, handle(family), key).ok()); }
  void flush(const std::string& family) { EXPECT_TRUE(db_->Flush({}, handle(family)).ok()); }

 private:
  rocksdb::ColumnFamilyHandle* handle(const std::string& name) {
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      if (family->GetName() == name) return family;
    }
    ADD_FAILURE() << name;
    return nullptr;
  }
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

class RocksdbStore : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("store");
};

}  // namespace tillwatch::state
