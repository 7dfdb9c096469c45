// The store's log after a crash, and after damage: the one is gone on from, the other refused.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/state/rocksdb_fixture.h"

namespace tillwatch::state {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> logs_of(const std::string& store) {
  std::vector<std::string> logs;
  for (const fs::directory_entry& entry : fs::directory_iterator(store)) {
    if (entry.path().extension() == ".log" && entry.file_size() > 0) logs.push_back(entry.path().string());
  }
  std::ranges::sort(logs);
  return logs;
}

// What lies in a log: a store of four commits whose log is changed in ways a crash does and ways it does not.
class RocksdbLog : public RocksdbStore, public testing::WithParamInterface<size_t> {
 protected:
  static std::string only_log(const std::string& store) {
    const std::vector<std::string> logs = logs_of(store);
    EXPECT_EQ(logs.size(), 1u);
    return logs.at(0);
  }
  static void change(const std::string& path, uint64_t at, const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
  }
  // GetParam() bytes more in every commit; where its log was after each.
  std::vector<uint64_t> write_commits() {
    std::vector<uint64_t> ends;
    const std::unique_ptr<Store> store = open(path_);
    for (uint64_t number = 1; number <= 4; ++number) {
      WriteSet set = commit_of(number);
      set.put("large", std::string(GetParam(), static_cast<char>('a' + number)));
      expect_done(store->commit(number, set));
      ends.push_back(fs::file_size(only_log(path_)));
    }
    return ends;
  }
  std::string copy_of_store() {
    const std::string copy = directory_.file("copy" + std::to_string(copies_++));
    fs::copy(path_, copy);
    return copy;
  }

 private:
  int copies_ = 0;
};

TEST_P(RocksdbLog, DamageWithCommitsBehindItIsRefused) {
  const std::vector<uint64_t> ends = write_commits();
  for (const uint64_t at : {ends[0] + 3, ends[0] + 9, (ends[0] + ends[1]) / 2, ends[2] - 1, (ends[1] + ends[2]) / 2}) {
    const std::string store = copy_of_store();
    const std::string log = only_log(store);
    change(log, at, std::string(std::min<uint64_t>(2000, ends[2] - at), '\x5a'));
    for (int start = 0; start < 2; ++start) {  // and the first has changed nothing
      expect_refused(options_of(store), ErrorKind::corrupt,
                     AllOf(HasSubstr(store), HasSubstr(fs::path(log).filename().string() + " is damaged at byte"),
                           HasSubstr("restore the directory from a copy or start with an empty one")));
    }
  }
}

TEST_P(RocksdbLog, ATornEndIsAccepted) {
  const std::vector<uint64_t> ends = write_commits();
  const uint64_t middle = (ends[2] + ends[3]) / 2;
  for (const uint64_t length : {ends[2], ends[2] + 1, ends[2] + 7, middle, ends[3] - 1}) {
    const std::string cut = copy_of_store();
    fs::resize_file(only_log(cut), length);
    const std::string zeroed = copy_of_store();  // preallocated, and not written
    fs::resize_file(only_log(zeroed), length);
    fs::resize_file(only_log(zeroed), ends[3] + 100'000);
    const std::string hole = copy_of_store();  // the end reached the disk, what is before it did not
    change(only_log(hole), length, std::string(std::min<uint64_t>(4096, ends[3] - length), '\0'));
    for (const std::string& store : {cut, zeroed, hole}) {
      const std::string torn = read_bytes(only_log(store)), name = only_log(store);
      expect_holds_commit(*open(store), 3);
      { expect_done(open(store)->commit(4, commit_of(4))); }
      std::ofstream(name, std::ios::binary) << torn;  // killed before it was removed
      expect_holds_commit(*open(store), 4);
      EXPECT_EQ(open(store)->applied(), 4u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bytes, RocksdbLog, testing::Values(0, 100'000));

TEST_F(RocksdbStore, DamageAtTheEndOfALogThatAnotherContinuesIsRefused) {
  { expect_done(open(path_)->commit(1, commit_of(1))); }
  {
    RawDatabase database(path_);
    database.put("state", "a", "1");
    database.put("redo", "b", "1");
    database.flush("redo");  // a new log begins; the old one is needed for the others
    database.put("state", "c", "1");
  }
  const std::vector<std::string> logs = logs_of(path_);
  ASSERT_EQ(logs.size(), 2u);
  const std::string& first = logs[0];
  const uint64_t size = fs::file_size(first);
  std::fstream file(first, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(size - 1));
  file << 'x' << std::flush;
  expect_refused(options_of(path_), ErrorKind::corrupt, HasSubstr(fs::path(first).filename().string() + " is damaged at byte"));
}

}  // namespace
}  // namespace tillwatch::state
