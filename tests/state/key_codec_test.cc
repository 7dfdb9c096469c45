#include "state/key_codec.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

namespace tillwatch::state {
namespace {

using namespace std::string_literals;

std::string encoded(const StateKey& key) {
  std::string out;
  append_state_key(out, key.shard, key.slot, key.key, key.kind, key.page);
  return out;
}

auto parts(const StateKey& key) { return std::tie(key.shard, key.slot, key.key, key.kind, key.page); }

// State is found again by the shard of its key: these values are part of the store's format.
TEST(ShardOf, NeverChanges) {
  struct Row {
    std::string_view key;
    uint16_t of_64;
    uint16_t of_1000;
  };
  constexpr std::array<Row, 4> kRows = {{
      {"", 25, 921},
      {"a", 27, 955},
      {"M000123", 39, 287},
      {"商户一号", 9, 201},
  }};
  for (const Row& row : kRows) {
    EXPECT_EQ(shard_of(row.key, 64), row.of_64) << row.key;
    EXPECT_EQ(shard_of(row.key, 1000), row.of_1000) << row.key;
    EXPECT_EQ(shard_of(row.key, 1), 0) << row.key;
  }
}

TEST(ShardOf, SpreadsEvenly) {
  std::array<int, 64> counts = {};
  for (int i = 0; i < 64000; ++i) ++counts[shard_of("M" + std::to_string(i), 64)];
  for (const int count : counts) {
    EXPECT_GT(count, 850);
    EXPECT_LT(count, 1150);
  }
}

TEST(Numbers, AreReadBackAndKeepTheirOrder) {
  std::string out;
  append_u16(out, 0x0102);
  append_u32(out, 0x03040506);
  append_u64(out, 0x0708090a0b0c0d0e);
  EXPECT_EQ(out, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"s);
  std::string_view rest = out;
  EXPECT_EQ(take_u16(rest), 0x0102);
  EXPECT_EQ(take_u32(rest), 0x03040506u);
  EXPECT_EQ(take_u64(rest), 0x0708090a0b0c0d0eu);
  EXPECT_TRUE(rest.empty());
}

TEST(Numbers, ThatAreCutOffAreNotTaken) {
  const std::string seven(7, 'x');
  std::string_view rest = seven;
  EXPECT_EQ(take_u64(rest), std::nullopt);
  EXPECT_EQ(rest, seven);
  rest = rest.substr(0, 3);
  EXPECT_EQ(take_u32(rest), std::nullopt);
  rest = rest.substr(0, 1);
  EXPECT_EQ(take_u16(rest), std::nullopt);
  EXPECT_EQ(rest.size(), 1u);
}

TEST(Escaped, EndsByItself) {
  for (const std::string& plain : {""s, "abc"s, "\0"s, "a\0b"s, "\0\0\0"s, "\0\xff"s, "\xff\xff"s}) {
    std::string out;
    append_escaped(out, plain);
    out += "rest";
    std::string_view rest = out;
    EXPECT_EQ(take_escaped(rest), plain);
    EXPECT_EQ(rest, "rest");
  }
}

TEST(Escaped, RefusesWhatItDidNotWrite) {
  for (const std::string& wrong : {""s, "abc"s, "abc\0"s, "abc\0x"s, "abc\0\xff"s}) {
    std::string_view rest = wrong;
    EXPECT_EQ(take_escaped(rest), std::nullopt);
    EXPECT_EQ(rest, wrong);
  }
}

TEST(StateKey, HasAFixedLayout) {
  EXPECT_EQ(encoded({.shard = 0x0102, .slot = 3, .key = "k\0"s, .kind = 7, .page = 0x0a0b0c0d}),
            "\x01\x02\x00\x00\x00\x03k\x00\xff\x00\x00\x07\x0a\x0b\x0c\x0d"s);
}

TEST(StateKey, KeepsTheOrderOfItsPartsAndIsReadBack) {
  constexpr uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  const auto pick = [&](uint64_t limit) { return random() % limit; };
  std::vector<StateKey> keys;
  for (int i = 0; i < 400; ++i) {
    StateKey key;
    key.shard = static_cast<uint16_t>(pick(2) ? pick(3) : 0xffff - pick(3));
    key.slot = static_cast<uint32_t>(pick(2) ? pick(3) : 0xffffffff - pick(3));
    for (uint64_t length = pick(5); length > 0; --length) key.key.push_back("\x00\x01\x61\xfe\xff"[pick(5)]);
    key.kind = static_cast<uint8_t>(pick(2) ? pick(3) : 255);
    key.page = static_cast<uint32_t>(pick(2) ? pick(3) : 0xffffffff);
    keys.push_back(key);
  }
  for (const StateKey& a : keys) {
    const Expected<StateKey> decoded = decode_state_key(encoded(a));
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_EQ(*decoded, a);
    for (const StateKey& b : keys) ASSERT_EQ(parts(a) < parts(b), encoded(a) < encoded(b)) << "seed " << kSeed;
  }
}

TEST(StateKey, RefusesAnyOtherBytes) {
  const std::string whole = encoded({.shard = 1, .slot = 2, .key = "key", .kind = 3, .page = 4});
  for (size_t size = 0; size < whole.size(); ++size) {
    const Expected<StateKey> decoded = decode_state_key(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, ErrorKind::corrupt);
  }
  EXPECT_FALSE(decode_state_key(whole + "x"));
}

TEST(Prefixes, HoldTheKeysUnderThemAndNoOthers) {
  const StateKey key = {.shard = 1, .slot = 2, .key = "ab", .kind = 3, .page = 4};
  for (const std::string& prefix : {shard_prefix(1), slot_prefix(1, 2), key_prefix(1, 2, "ab"), kind_prefix(1, 2, "ab", 3)}) {
    EXPECT_TRUE(encoded(key).starts_with(prefix));
  }
  EXPECT_FALSE(encoded({.shard = 1, .slot = 2, .key = "abc", .kind = 3, .page = 4}).starts_with(key_prefix(1, 2, "ab")));
  EXPECT_FALSE(encoded({.shard = 1, .slot = 2, .key = "ab\0"s, .kind = 3, .page = 4}).starts_with(key_prefix(1, 2, "ab")));
}

TEST(AfterPrefix, IsTheLowestStringAbove) {
  EXPECT_EQ(after_prefix("a"), "b");
  EXPECT_EQ(after_prefix("a\xff"), "b");
  EXPECT_EQ(after_prefix("\x7f"), "\x80");
  EXPECT_EQ(after_prefix("a\x00"s), "a\x01");
  EXPECT_EQ(after_prefix("\xff\xff"), "");
  EXPECT_EQ(after_prefix(""), "");
}

}  // namespace
}  // namespace tillwatch::state
