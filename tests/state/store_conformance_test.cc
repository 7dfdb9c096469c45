// What every store must do. A new store adds one line to the list at the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "state/store.h"
#include "tests/temporary_directory.h"

namespace tillwatch::state {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using Entries = std::vector<std::pair<std::string, std::string>>;

// One kind of store: how to make it, and to close and open it again if it outlives its process.
class StoreKind {
 public:
  virtual ~StoreKind() = default;
  virtual Store& store() = 0;
  virtual void reopen() {}
};

class MemoryKind final : public StoreKind {
 public:
  Store& store() override { return *store_; }

 private:
  std::unique_ptr<Store> store_ = make_memory_store();
};

class RocksdbKind final : public StoreKind {
 public:
  RocksdbKind() { reopen(); }
  Store& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    Expected<std::unique_ptr<Store>> opened =
        open_rocksdb_store({.path = directory_.path(), .memory_budget = StoreOptions::kMinMemoryBudget, .sync = false});
    TILLWATCH_CHECK(opened.has_value());
    store_ = *std::move(opened);
  }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

struct KindName {
  const char* name;
  std::unique_ptr<StoreKind> (*make)();
};

class StoreConformance : public testing::TestWithParam<KindName> {
 protected:
  Store& store() { return kind_->store(); }
  void reopen() { kind_->reopen(); }

  Entries scan(std::string_view prefix) {
    Entries entries;
    const Status scanned = store().scan(prefix, [&](std::string_view key, std::string_view value) {
      entries.emplace_back(key, value);
      return true;
    });
    EXPECT_TRUE(scanned) << scanned.error().message;
    return entries;
  }

  std::optional<std::string> get(std::string_view key) {
    const Expected<std::optional<std::string>> found = store().get(key);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : std::nullopt;
  }

 private:
  std::unique_ptr<StoreKind> kind_ = GetParam().make();
};

void expect_done(const Status& status) { EXPECT_TRUE(status) << status.error().message; }

void expect_invalid(const Status& status, const std::string& words) {
  ASSERT_FALSE(status) << words;
  EXPECT_EQ(status.error().kind, ErrorKind::invalid);
  EXPECT_THAT(status.error().message, HasSubstr(words));
}

WriteSet one(std::string key, std::string value) {
  WriteSet set;
  set.put(std::move(key), std::move(value));
  return set;
}

TEST_P(StoreConformance, StartsEmpty) {
  EXPECT_EQ(store().applied(), 0u);
  EXPECT_EQ(store().prepared(), std::nullopt);
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_TRUE(scan("").empty());
}

TEST_P(StoreConformance, KeepsWhatWasCommitted) {
  WriteSet first;
  first.put("b", "2");
  first.put("a", "1");
  first.put("", "nothing");
  first.put("nul\0key"s, "\0"s);
  first.put("empty", "");
  expect_done(store().commit(1, first));
  reopen();
  EXPECT_EQ(store().applied(), 1u);
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get(""), "nothing");
  EXPECT_EQ(get("nul\0key"s), "\0"s);
  EXPECT_EQ(get("empty"), "");
  EXPECT_EQ(get("nul"), std::nullopt);
}

TEST_P(StoreConformance, OverwritesAndErases) {
  expect_done(store().commit(1, one("a", "1")));
  WriteSet second = one("a", "2");
  second.put("b", "3");
  expect_done(store().commit(2, second));
  EXPECT_EQ(get("a"), "2");
  WriteSet third;
  third.erase("a");
  third.erase("never there");
  expect_done(store().commit(3, third));
  EXPECT_EQ(get("a"), std::nullopt);
  reopen();
  EXPECT_EQ(scan(""), (Entries{{"b", "3"}}));
}

TEST_P(StoreConformance, TheLastChangeOfAKeyWins) {
  WriteSet set = one("a", "1");
  set.erase("a");
  set.put("b", "1");
  set.put("a", "2");
  set.erase("b");
  expect_done(store().commit(1, set));
  EXPECT_EQ(scan(""), (Entries{{"a", "2"}}));
  expect_done(store().prepare(2, set));
  expect_done(store().apply(2));
  EXPECT_EQ(scan(""), (Entries{{"a", "2"}}));
}

TEST_P(StoreConformance, ScansAPrefixInByteOrder) {
  WriteSet set;
  for (const std::string& key : {"b"s, "a\xff"s, "a"s, "a\x01"s, "a\0"s, "\xff"s, "\xff\xff"s, "\xfe"s, "ab"s})
    set.put(key, "v");
  expect_done(store().commit(1, set));
  EXPECT_EQ(scan("a"), (Entries{{"a", "v"}, {"a\0"s, "v"}, {"a\x01", "v"}, {"ab", "v"}, {"a\xff", "v"}}));
  EXPECT_EQ(scan("a\xff"), (Entries{{"a\xff", "v"}}));
  EXPECT_EQ(scan("\xff"), (Entries{{"\xff", "v"}, {"\xff\xff", "v"}}));
  EXPECT_EQ(scan("c"), Entries());
  EXPECT_EQ(scan("").size(), 9u);
}

TEST_P(StoreConformance, AScanEndsWhenItsVisitorSaysSo) {
  WriteSet set;
  for (const char* key : {"a1", "a2", "a3"}) set.put(key, "v");
  expect_done(store().commit(1, set));
  int seen = 0;
  expect_done(store().scan("a", [&](std::string_view, std::string_view) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
}

TEST_P(StoreConformance, AScanBeginsWhereItIsToldTo) {
  WriteSet set;
  for (const char* key : {"a1", "a2", "a3", "b1"}) set.put(key, "v");
  expect_done(store().commit(1, set));
  const auto from = [&](const char* key) {
    std::string seen;
    expect_done(store().scan_from("a", key, [&](std::string_view each, std::string_view) {
      seen += each;
      return true;
    }));
    return seen;
  };
  EXPECT_EQ(from("a2"), "a2a3");
  EXPECT_EQ(from("a22"), "a3");
  EXPECT_EQ(from("a4"), "");
}

TEST_P(StoreConformance, AnEmptyWriteSetIsACommit) {
  expect_done(store().commit(1, WriteSet()));
  expect_done(store().prepare(2, WriteSet()));
  reopen();
  EXPECT_EQ(store().prepared(), 2u);
  expect_done(store().apply(2));
  reopen();
  EXPECT_EQ(store().applied(), 2u);
  EXPECT_EQ(store().prepared(), std::nullopt);
}

TEST_P(StoreConformance, APreparedCommitIsNotSeenUntilApplied) {
  expect_done(store().prepare(1, one("a", "1")));
  EXPECT_EQ(store().prepared(), 1u);
  EXPECT_EQ(store().applied(), 0u);
  EXPECT_EQ(get("a"), std::nullopt);
  expect_done(store().apply(1));
  EXPECT_EQ(store().prepared(), std::nullopt);
  EXPECT_EQ(store().applied(), 1u);
  EXPECT_EQ(get("a"), "1");
}

TEST_P(StoreConformance, APreparedCommitIsAppliedAfterReopening) {
  expect_done(store().commit(1, one("a", "1")));
  WriteSet second = one("b", "2");
  second.erase("a");
  expect_done(store().prepare(2, second));
  reopen();
  EXPECT_EQ(store().prepared(), 2u);
  EXPECT_EQ(store().applied(), 1u);
  EXPECT_EQ(scan(""), (Entries{{"a", "1"}}));
  expect_done(store().apply(2));
  reopen();
  EXPECT_EQ(store().prepared(), std::nullopt);
  EXPECT_EQ(store().applied(), 2u);
  EXPECT_EQ(scan(""), (Entries{{"b", "2"}}));
}

TEST_P(StoreConformance, ADroppedCommitLeavesNothingAndItsNumberIsUsedAgain) {
  expect_done(store().prepare(1, one("a", "dropped")));
  reopen();
  expect_done(store().drop(1));
  reopen();
  EXPECT_EQ(store().prepared(), std::nullopt);
  EXPECT_EQ(store().applied(), 0u);
  EXPECT_EQ(get("a"), std::nullopt);
  expect_done(store().prepare(1, one("b", "kept")));
  expect_done(store().apply(1));
  EXPECT_EQ(scan(""), (Entries{{"b", "kept"}}));
}

TEST_P(StoreConformance, RefusesNumbersThatDoNotFollow) {
  expect_done(store().commit(1, one("a", "1")));
  for (const uint64_t wrong : {0u, 1u, 3u, 100u}) {
    expect_invalid(store().commit(wrong, one("a", "wrong")), "cannot follow commit 1, the last one applied; the next one is 2");
    expect_invalid(store().prepare(wrong, one("a", "wrong")), "cannot follow commit 1");
  }
  for (const uint64_t wrong : {0u, 1u, 2u}) {
    expect_invalid(store().apply(wrong), "no commit is prepared and 1 is the last one applied");
    expect_invalid(store().drop(wrong), "no commit is prepared");
  }
  EXPECT_EQ(store().applied(), 1u);
  EXPECT_EQ(get("a"), "1");
}

TEST_P(StoreConformance, OneCommitAtATimeIsPrepared) {
  expect_done(store().prepare(1, one("a", "1")));
  expect_invalid(store().prepare(1, one("a", "2")), "commit 1 is prepared and must be applied or dropped first");
  expect_invalid(store().prepare(2, one("a", "2")), "commit 1 is prepared");
  expect_invalid(store().commit(1, one("a", "2")), "commit 1 is prepared");
  expect_invalid(store().apply(2), "commit 1 is prepared and 0 is the last one applied");
  expect_invalid(store().drop(0), "commit 1 is prepared");
  expect_done(store().apply(1));
  EXPECT_EQ(get("a"), "1");
}

TEST_P(StoreConformance, SizeGrowsWithContent) {
  expect_done(store().commit(1, WriteSet()));
  const Store::Size before = store().size();
  WriteSet set;
  for (int i = 0; i < 20000; ++i) set.put("key" + std::to_string(i), std::string(100, 'v'));
  expect_done(store().commit(2, set));
  const Store::Size after = store().size();
  EXPECT_GT(after.disk + after.memory, before.disk + before.memory + 1'000'000);
}

TEST_P(StoreConformance, ReadersSeeWholeCommitsWhileTheWriterWrites) {
  constexpr int kCommits = 300;
  const auto same_everywhere = [](int number) {
    WriteSet set;
    for (int i = 0; i < 10; ++i) set.put("key" + std::to_string(i), std::to_string(number));
    return set;
  };
  expect_done(store().commit(1, same_everywhere(1)));
  std::atomic<bool> done = false;
  std::thread reader([&] {
    uint64_t last = 0;
    do {
      const uint64_t applied = store().applied();
      EXPECT_GE(applied, last);
      last = applied;
      const Entries entries = scan("key");
      ASSERT_EQ(entries.size(), 10u);
      for (const auto& entry : entries) ASSERT_EQ(entry.second, entries.front().second);
      ASSERT_GE(std::stoull(entries.front().second), applied);
      ASSERT_TRUE(get("key5"));
    } while (!done);
  });
  for (int number = 2; number <= kCommits; ++number) {
    if (number % 2 == 0) {
      expect_done(store().commit(number, same_everywhere(number)));
    } else {
      expect_done(store().prepare(number, same_everywhere(number)));
      expect_done(store().apply(number));
    }
  }
  done = true;
  reader.join();
}

// Against a std::map, with any of the ways a commit can go and reopenings in between.
TEST_P(StoreConformance, BehavesLikeAMap) {
  constexpr uint64_t kSeed = 42;
  std::mt19937_64 random(kSeed);
  std::map<std::string, std::string> model;
  uint64_t number = 0;
  for (int round = 0; round < 300; ++round) {
    WriteSet set;
    std::map<std::string, std::string> next = model;
    for (uint64_t changes = random() % 20; changes > 0; --changes) {
      const std::string key(random() % 3, static_cast<char>(random() % 256));
      if (random() % 3 == 0) {
        set.erase(key);
        next.erase(key);
      } else {
        set.put(key, std::to_string(round));
        next[key] = std::to_string(round);
      }
    }
    const uint64_t way = random() % 3;
    if (way == 0) {
      expect_done(store().commit(number + 1, set));
    } else {
      expect_done(store().prepare(number + 1, set));
      if (random() % 8 == 0) reopen();
      expect_done(way == 1 ? store().apply(number + 1) : store().drop(number + 1));
    }
    if (way != 2) {
      model = next;
      ++number;
    }
    if (random() % 16 == 0) reopen();
    ASSERT_EQ(store().applied(), number) << "seed " << kSeed;
    ASSERT_EQ(scan(""), Entries(model.begin(), model.end())) << "seed " << kSeed << ", round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformance,
                         testing::Values(KindName{"Memory", [] { return std::unique_ptr<StoreKind>(new MemoryKind); }},
                                         KindName{"Rocksdb", [] { return std::unique_ptr<StoreKind>(new RocksdbKind); }}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace tillwatch::state
