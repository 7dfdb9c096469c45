#include <gtest/gtest.h>
#include <xxhash.h>

#include <string>
#include <vector>

#include "state/key_codec.h"
#include "state/store.h"

namespace tillwatch::state {
namespace {

using namespace std::string_literals;

std::string text_of(const WriteSet& set) {
  std::string text;
  for (const WriteSet::Change& change : set.changes()) text += change.key + (change.value ? "=" + *change.value : "-") + " ";
  return text;
}

WriteSet example() {
  WriteSet set;
  set.put("b", "old");
  set.erase("c");
  set.put("a", ""s);
  set.put("b", "new");
  set.put("d\0\xff"s, "\0"s);
  return set;
}

// A record with the checksum that belongs to `content`.
std::string sealed(std::string content) {
  append_u64(content, XXH64(content.data(), content.size(), 0));
  return content;
}

std::string content_of(uint32_t version, uint32_t count, std::string_view changes) {
  std::string content;
  append_u32(content, version);
  append_u32(content, count);
  return content.append(changes);
}

std::string change_of(uint32_t key_size, uint32_t value_size, std::string_view bytes) {
  std::string change;
  append_u32(change, key_size);
  append_u32(change, value_size);
  return change.append(bytes);
}

void expect_corrupt(std::string_view bytes, std::string_view words) {
  const Expected<WriteSet> decoded = WriteSet::decode(bytes);
  ASSERT_FALSE(decoded) << words;
  EXPECT_EQ(decoded.error().kind, ErrorKind::corrupt);
  EXPECT_NE(decoded.error().message.find(words), std::string::npos) << decoded.error().message;
}

TEST(WriteSet, NormalFormIsSortedAndTheLastChangeOfAKeyWins) {
  WriteSet set = example();
  EXPECT_FALSE(set.normalised());
  set.normalise();
  EXPECT_TRUE(set.normalised());
  EXPECT_EQ(text_of(set), "a= b=new c- d\0\xff=\0 "s);
  set.put("a", "again");
  set.erase("a");
  set.normalise();
  EXPECT_EQ(text_of(set), "a- b=new c- d\0\xff=\0 "s);
}

TEST(WriteSet, OrderIsThatOfUnsignedBytes) {
  WriteSet set;
  set.put("\xff", "1");
  set.put("\x7f", "2");
  set.put("\x7f\x01", "3");
  set.normalise();
  EXPECT_EQ(text_of(set), "\x7f=2 \x7f\x01=3 \xff=1 ");
}

TEST(WriteSet, CountsBytesOfKeysAndValues) {
  EXPECT_EQ(WriteSet().bytes(), 0u);
  WriteSet set;
  set.put("abc", "12345");
  set.erase("xy");
  EXPECT_EQ(set.bytes(), 10u);
}

TEST(WriteSet, IsReadBackInNormalForm) {
  const Expected<WriteSet> decoded = WriteSet::decode(example().encode());
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(text_of(*decoded), "a= b=new c- d\0\xff=\0 "s);
  const Expected<WriteSet> nothing = WriteSet::decode(WriteSet().encode());
  ASSERT_TRUE(nothing) << nothing.error().message;
  EXPECT_TRUE(nothing->empty());
}

// The redo record is kept on disk and in Kafka: these bytes are format version 1.
TEST(WriteSet, EncodingNeverChanges) {
  WriteSet set;
  set.put("k", "vv");
  set.erase("z");
  const std::string content = content_of(1, 2, change_of(1, 2, "kvv") + change_of(1, 0xffffffff, "z"));
  EXPECT_EQ(set.encode(), sealed(content));
}

TEST(WriteSet, EveryTruncationIsCorrupt) {
  const std::string whole = example().encode();
  for (size_t size = 0; size < whole.size(); ++size) {
    const Expected<WriteSet> decoded = WriteSet::decode(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(decoded) << size;
    EXPECT_EQ(decoded.error().kind, ErrorKind::corrupt);
  }
}

TEST(WriteSet, EveryFlippedBitIsCorrupt) {
  const std::string whole = example().encode();
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const Expected<WriteSet> decoded = WriteSet::decode(damaged);
    ASSERT_FALSE(decoded) << bit;
    EXPECT_EQ(decoded.error().kind, ErrorKind::corrupt);
  }
}

TEST(WriteSet, SaysWhatIsWrong) {
  expect_corrupt("", "too short to hold its version");
  expect_corrupt("\0\0\0\x01"s, "too short to hold a count");
  expect_corrupt(sealed(content_of(2, 0, "")), "its format version is 2, this program knows 1");
  expect_corrupt(content_of(1, 0, "") + "12345678", "checksum does not match");
  expect_corrupt(sealed(content_of(1, 2, change_of(1, 1, "kv"))), "ends in change 2 of 2");
  expect_corrupt(sealed(content_of(1, 1, change_of(1, 9, "kv"))), "ends in change 1 of 1");
  expect_corrupt(sealed(content_of(1, 1, change_of(0xffffffff, 0xfffffffe, "kv"))), "ends in change 1 of 1");
  expect_corrupt(sealed(content_of(1, 0xffffffff, "")), "ends in change 1 of 4294967295");
  expect_corrupt(sealed(content_of(1, 2, change_of(1, 0, "b") + change_of(1, 0, "a"))), "key of change 2 is out of order");
  expect_corrupt(sealed(content_of(1, 2, change_of(1, 0, "b") + change_of(1, 0, "b"))), "key of change 2 is out of order");
  expect_corrupt(sealed(content_of(1, 1, change_of(1, 0, "b") + "xyz")), "3 bytes are left over");
}

}  // namespace
}  // namespace tillwatch::state
