// What only the store on disk can be asked: crashes, damage, other people's directories, a full disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "state/key_codec.h"
#include "tests/state/rocksdb_fixture.h"

namespace tillwatch::state {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string redo_key(uint64_t number) {
  std::string key;
  append_u64(key, number);
  return key;
}

TEST_F(RocksdbStore, MakesItsDirectory) {
  const std::string deep = directory_.file("a/b/c");
  expect_done(open(deep)->commit(1, commit_of(1)));
  expect_holds_commit(*open(deep), 1);
}

TEST_F(RocksdbStore, SyncedAndUnsyncedStoresAreTheSame) {
  StoreOptions options = options_of(path_);
  for (const bool sync : {true, false, true}) {
    options.sync = sync;
    const Expected<std::unique_ptr<Store>> store = open_rocksdb_store(options);
    ASSERT_TRUE(store) << store.error().message;
    const uint64_t number = (*store)->applied() + 1;
    expect_done((*store)->prepare(number, commit_of(number)));
    expect_done((*store)->apply(number));
    expect_holds_commit(**store, number);
  }
}

TEST_F(RocksdbStore, RefusesAPathThatIsNoDirectoryForIt) {
  expect_refused(options_of(""), ErrorKind::invalid, HasSubstr("its path is empty"));
  std::ofstream(directory_.file("file")) << "x";
  expect_refused(options_of(directory_.file("file")), ErrorKind::invalid, HasSubstr("this is a file, not a directory"));
  expect_refused(options_of(directory_.file("file") + "/below"), ErrorKind::unavailable, HasSubstr("Not a directory"));
  expect_refused(options_of(directory_.path()), ErrorKind::invalid, HasSubstr("holds other files (such as file) and no store"));
  EXPECT_FALSE(fs::exists(directory_.file("LOCK")));
}

TEST_F(RocksdbStore, RefusesABudgetThatIsTooSmall) {
  StoreOptions options = options_of(path_);
  options.memory_budget = 1 << 20;
  expect_refused(options, ErrorKind::invalid, HasSubstr("give at least 8388608"));
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(RocksdbStore, RefusesTheDatabaseOfAnotherProgram) {
  { RawDatabase(path_, {"default"}).put("default", "somebody", "else"); }
  expect_refused(options_of(path_), ErrorKind::invalid, HasSubstr("the database of another program"));
  EXPECT_EQ(RawDatabase(path_, {"default"}).get("default", "somebody"), "else");
  const std::string other = directory_.file("other");
  { RawDatabase(other, {"default", "users"}); }
  expect_refused(options_of(other), ErrorKind::invalid, HasSubstr("the database of another program"));
}

TEST_F(RocksdbStore, RefusesAnUnknownFormatVersion) {
  { open(path_); }
  { RawDatabase(path_).put("meta", "format", "tillwatch-store/9"); }
  const auto words = AllOf(HasSubstr("its format is 'tillwatch-store/9' (made by tillwatch test)"),
                           HasSubstr("this program knows 'tillwatch-store/1'"), HasSubstr("run the tillwatch that made it"));
  expect_refused(options_of(path_), ErrorKind::invalid, words);
  { RawDatabase(path_, {"default", "state", "redo", "meta", "something new"}); }
  expect_refused(options_of(path_), ErrorKind::invalid, words);
}

TEST_F(RocksdbStore, GoesOnWithAMakingThatWasInterrupted) {
  fs::create_directories(path_);
  for (const char* name : {"LOCK", "LOG", "IDENTITY", "MANIFEST-000001", "000001.dbtmp"})
    std::ofstream(path_ + "/" + name) << "x";
  expect_done(open(path_)->commit(1, commit_of(1)));
  for (const std::vector<std::string>& made : std::vector<std::vector<std::string>>{
           {"default"}, {"default", "state"}, {"default", "state", "redo"}, {"default", "state", "redo", "meta"}}) {
    const std::string path = directory_.file(std::to_string(made.size()));
    { RawDatabase(path, made); }
    expect_done(open(path)->commit(1, commit_of(1)));
    expect_holds_commit(*open(path), 1);
  }
}

TEST_F(RocksdbStore, RefusesDamagedMetaRecords) {
  { expect_done(open(path_)->commit(1, commit_of(1))); }
  { RawDatabase(path_).put("meta", "applied", "short"); }
  expect_refused(options_of(path_), ErrorKind::corrupt, HasSubstr("the number of the last commit is missing or damaged"));
  { RawDatabase(path_).erase("meta", "format"); }
  expect_refused(options_of(path_), ErrorKind::corrupt, HasSubstr("not the record of its format version"));
}

TEST_F(RocksdbStore, RefusesARedoRecordThatCannotFollow) {
  { expect_done(open(path_)->commit(1, commit_of(1))); }
  for (const std::string& key : {redo_key(1), redo_key(3), std::string("short")}) {
    { RawDatabase(path_).put("redo", key, commit_of(1).encode()); }
    expect_refused(options_of(path_), ErrorKind::corrupt, HasSubstr("a redo record is there that cannot follow commit 1"));
    { RawDatabase(path_).erase("redo", key); }
  }
  expect_holds_commit(*open(path_), 1);
}

TEST_F(RocksdbStore, RefusesToApplyADamagedRedoRecord) {
  const std::string whole = commit_of(2).encode();
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  std::string newer = whole;
  newer[3] = 2;
  const std::vector<std::pair<std::string, std::string>> rows = {
      {whole.substr(0, whole.size() - 1), "its checksum does not match"},
      {whole.substr(0, 9), "too short"},
      {"", "too short"},
      {flipped, "its checksum does not match"},
      {newer, "its format version is 2, this program knows 1"},
  };
  { expect_done(open(path_)->commit(1, commit_of(1))); }
  for (const auto& [bytes, words] : rows) {
    { RawDatabase(path_).put("redo", redo_key(2), bytes); }
    const std::unique_ptr<Store> store = open(path_);
    EXPECT_EQ(store->prepared(), 2u);
    const Status applied = store->apply(2);
    ASSERT_FALSE(applied) << words;
    EXPECT_EQ(applied.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(applied.error().message, AllOf(HasSubstr(path_), HasSubstr("commit 2"), HasSubstr(words)));
    EXPECT_EQ(store->applied(), 1u);
    expect_holds_commit(*store, 1);
  }
  const std::unique_ptr<Store> store = open(path_);
  expect_done(store->drop(2));
  expect_done(store->prepare(2, commit_of(2)));
  expect_done(store->apply(2));
  expect_holds_commit(*store, 2);
}

TEST_F(RocksdbStore, SaysThatAFileIsDamaged) {
  { expect_done(open(path_)->commit(1, commit_of(1))); }
  { RawDatabase(path_).flush("state"); }
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file << "damaged";
  }
  const Expected<std::unique_ptr<Store>> store = open_rocksdb_store(options_of(path_));
  if (!store) {
    EXPECT_EQ(store.error().kind, ErrorKind::corrupt) << store.error().message;
    return;
  }
  const Expected<std::optional<std::string>> read = (*store)->get("key1");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::corrupt);
  EXPECT_THAT(read.error().message, AllOf(HasSubstr(path_), HasSubstr("files are damaged")));
  EXPECT_FALSE((*store)->scan("", [](std::string_view, std::string_view) { return true; }));
}

TEST_F(RocksdbStore, SaysThatAFileIsMissing) {
  { expect_done(open(path_)->commit(1, commit_of(1))); }
  { RawDatabase(path_).flush("state"); }
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
    if (entry.path().extension() == ".sst") fs::remove(entry.path());
  }
  expect_refused(options_of(path_), ErrorKind::corrupt, HasSubstr("restore the directory"));
}

TEST_F(RocksdbStore, IsOpenedOnce) {
  const std::unique_ptr<Store> store = open(path_);
  expect_refused(options_of(path_), ErrorKind::invalid, HasSubstr("it is already open in this process"));
  expect_done(store->commit(1, commit_of(1)));
}

// Written in pieces over the whole life of a big store: memory stays within its budget, the log within its limit.
TEST_F(RocksdbStore, StaysWithinItsMemoryBudget) {
  StoreOptions options = options_of(path_);
  options.sync = false;
  const Expected<std::unique_ptr<Store>> store = open_rocksdb_store(options);
  ASSERT_TRUE(store) << store.error().message;
  uint64_t most = 0;
  for (uint64_t number = 1; number <= 60; ++number) {
    WriteSet set;
    for (uint64_t i = 0; i < 5000; ++i) {
      std::string key;
      append_u64(key, (number * 5000 + i) * 0x9e3779b97f4a7c15);
      set.put(key, std::string(150, static_cast<char>('a' + i % 26)));
    }
    set.normalise();
    expect_done((*store)->prepare(number, set));
    expect_done((*store)->apply(number));
    most = std::max(most, (*store)->size().memory);
  }
  EXPECT_LT(most, options.memory_budget * 3 / 2);
  int entries = 0;
  expect_done((*store)->scan("", [&](std::string_view, std::string_view) { return ++entries > 0; }));
  EXPECT_EQ(entries, 300'000);
  EXPECT_LT((*store)->size().disk, 200u << 20);
}

// Crashes: a child runs some steps and dies without closing anything; the store is opened again here.
// The child is this program started anew ("threadsafe"), so it shares no thread or lock with its parent. It finds the
// directory in the environment.
class RocksdbCrash : public testing::Test {
 protected:
  RocksdbCrash() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    if (::getenv(kVariable) == nullptr) {
      directory_.emplace();
      ::setenv(kVariable, directory_->path().c_str(), 1);
      is_parent_ = true;
    }
    path_ = std::string(::getenv(kVariable)) + "/store";
  }
  ~RocksdbCrash() override {
    if (is_parent_) ::unsetenv(kVariable);
  }
  [[noreturn]] static void die() {
    std::raise(SIGKILL);
    std::abort();
  }

  static constexpr const char* kVariable = "TILLWATCH_CRASH_TEST_DIRECTORY";
  std::optional<TemporaryDirectory> directory_;
  bool is_parent_ = false;
  std::string path_;
};

struct CrashRow {
  const char* name;
  void (*steps)(Store& store);  // after commit 1
  uint64_t applied;
  std::optional<uint64_t> prepared;
};

class RocksdbCrashSteps : public RocksdbCrash, public testing::WithParamInterface<CrashRow> {};

TEST_P(RocksdbCrashSteps, ReopensWithEveryFinishedStep) {
  EXPECT_EXIT(
      {
        const std::unique_ptr<Store> store = open(path_);
        expect_done(store->commit(1, commit_of(1)));
        GetParam().steps(*store);
        if (HasFailure()) std::exit(1);
        die();
      },
      testing::KilledBySignal(SIGKILL), "");
  const std::unique_ptr<Store> store = open(path_);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->applied(), GetParam().applied);
  EXPECT_EQ(store->prepared(), GetParam().prepared);
  expect_holds_commit(*store, GetParam().applied);
  uint64_t next = store->applied() + 1;
  if (store->prepared()) {
    expect_done(store->apply(next));
    expect_holds_commit(*store, next);
    ++next;
  }
  expect_done(store->commit(next, commit_of(next)));
  expect_holds_commit(*store, next);
}

INSTANTIATE_TEST_SUITE_P(Steps, RocksdbCrashSteps,
                         testing::Values(CrashRow{"Commit", [](Store&) {}, 1, std::nullopt},
                                         CrashRow{"Prepare", [](Store& store) { expect_done(store.prepare(2, commit_of(2))); },
                                                  1, 2},
                                         CrashRow{"Apply",
                                                  [](Store& store) {
                                                    expect_done(store.prepare(2, commit_of(2)));
                                                    expect_done(store.apply(2));
                                                  },
                                                  2, std::nullopt},
                                         CrashRow{"Drop",
                                                  [](Store& store) {
                                                    expect_done(store.prepare(2, commit_of(2)));
                                                    expect_done(store.drop(2));
                                                  },
                                                  1, std::nullopt},
                                         CrashRow{"PrepareAfterDrop",
                                                  [](Store& store) {
                                                    expect_done(store.prepare(2, commit_of(7)));
                                                    expect_done(store.drop(2));
                                                    expect_done(store.prepare(2, commit_of(2)));
                                                  },
                                                  1, 2},
                                         CrashRow{"PrepareAfterApply",
                                                  [](Store& store) {
                                                    expect_done(store.prepare(2, commit_of(2)));
                                                    expect_done(store.apply(2));
                                                    expect_done(store.prepare(3, commit_of(3)));
                                                  },
                                                  2, 3}),
                         [](const auto& row) { return row.param.name; });

// Commits in every way there is until an alarm ends the process; returns only when something went wrong.
void commit_until_killed(const std::string& path, int after_us) {
  StoreOptions options = options_of(path);
  options.sync = false;
  const Expected<std::unique_ptr<Store>> opened = open_rocksdb_store(options);
  ASSERT_TRUE(opened) << opened.error().message;
  Store& store = **opened;
  if (store.prepared()) expect_done(store.apply(*store.prepared()));
  const struct itimerval soon = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = after_us}};
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  for (uint64_t number = store.applied() + 1; !testing::Test::HasFailure(); ++number) {
    if (number % 3 == 0) {
      expect_done(store.commit(number, commit_of(number)));
      continue;
    }
    expect_done(store.prepare(number, commit_of(number)));
    if (number % 3 == 1) {
      expect_done(store.drop(number));
      expect_done(store.prepare(number, commit_of(number)));
    }
    expect_done(store.apply(number));
  }
}

// Dies at no step in particular, in the middle of whatever it does.
TEST_F(RocksdbCrash, AtAnyMomentLeavesWholeCommits) {
  for (int round = 1; round <= 8; ++round) {
    EXPECT_EXIT(commit_until_killed(path_, 10'000 + round * 7'000), testing::KilledBySignal(SIGALRM), "");
    const std::unique_ptr<Store> store = open(path_);
    ASSERT_TRUE(store);
    expect_holds_commit(*store, store->applied());
  }
}

// A small disk of our own at `path`, in a mount namespace of this process. False where the system does not allow that.
bool mount_small_disk(const std::string& path, const char* size) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  fs::create_directories(path);
  return ::mount("tmpfs", path.c_str(), "tmpfs", 0, (std::string("size=") + size).c_str()) == 0;
}

void fill_disk_and_free_it(const std::string& disk) {
  const std::string path = disk + "/store";
  std::unique_ptr<Store> store = open(path);
  ASSERT_TRUE(store);
  expect_done(store->commit(1, commit_of(1)));
  {
    std::ofstream filler(disk + "/filler", std::ios::binary);
    while (filler << std::string(1 << 16, 'x') << std::flush) {}
  }
  WriteSet large = commit_of(2);
  large.put("large", std::string(8 << 20, 'x'));
  for (int attempt = 0; attempt < 3; ++attempt) {
    const Status prepared = store->prepare(2, large);
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().kind, ErrorKind::unavailable);
    EXPECT_THAT(prepared.error().message, AllOf(HasSubstr(path), HasSubstr("No space left"), HasSubstr("check that the disk")));
    EXPECT_EQ(store->prepared(), std::nullopt);
    expect_holds_commit(*store, 1);
  }
  fs::remove(disk + "/filler");
  Status prepared = store->prepare(2, large);
  for (int attempt = 0; attempt < 300 && !prepared; ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // RocksDB may be looking at the disk itself just then
    prepared = store->prepare(2, large);
  }
  expect_done(prepared);
  expect_done(store->apply(2));
  expect_holds_commit(*store, 2);
  expect_done(store->commit(3, commit_of(3)));
  store.reset();
  store = open(path);
  EXPECT_EQ(store->applied(), 3u);
  expect_holds_commit(*store, 3);
}

TEST_F(RocksdbCrash, AFullDiskIsUnavailableAndLaterAllIsWell) {
  constexpr int kNotAllowed = 77;
  bool allowed = true;
  const auto went_well = [&](int status) {
    allowed = WEXITSTATUS(status) != kNotAllowed;
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || !allowed);
  };
  EXPECT_EXIT(
      {
        if (!mount_small_disk(path_, "64m")) std::exit(kNotAllowed);
        fill_disk_and_free_it(path_);
        std::exit(HasFailure() ? 1 : 0);
      },
      went_well, "");
  if (!allowed) GTEST_SKIP() << "this system does not let a process mount a disk of its own";
}

TEST_F(RocksdbCrash, AStoreInUseByAnotherProcessNamesIt) {
  // The parent holds the store, the child asks for it.
  const std::unique_ptr<Store> store = is_parent_ ? open(path_) : nullptr;
  EXPECT_EXIT(
      {
        const Expected<std::unique_ptr<Store>> second = open_rocksdb_store(options_of(path_));
        if (!second) std::fprintf(stderr, "%d %s", static_cast<int>(second.error().kind), second.error().message.c_str());
        std::exit(second ? 1 : 0);
      },
      testing::ExitedWithCode(0), "^0 store .*it is in use by process [0-9]+ \\(.+\\); stop that first");
  if (store) expect_done(store->commit(1, commit_of(1)));
}

}  // namespace
}  // namespace tillwatch::state
