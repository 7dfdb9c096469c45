#include "engine/ledger.h"

#include <gtest/gtest.h>

#include "rules/runtime/bytes.h"

namespace tillwatch::engine {
namespace {

TEST(Ledger, ReadsBackWhatItWrote) {
  Ledger ledger;
  PartitionLedger& partition = ledger.partitions["pos.transactions/3"];
  partition.read = 10;
  partition.unwanted = 2;
  partition.taken = 7;
  partition.late = 3;
  partition.unknown_values = 5;
  partition.dead[1] = 1;
  ledger.routes["debit by card"] = {.copies = 12, .used = 6, .repeated = 2, .late = 1, .failed = 3};
  EXPECT_TRUE(ledger.balanced());
  Ledger read;
  ASSERT_TRUE(read.decode(ledger.encode()).has_value());
  EXPECT_EQ(read.encode(), ledger.encode());
  EXPECT_EQ(read.partitions["pos.transactions/3"].unknown_values, 5u);
  EXPECT_EQ(read.partitions["pos.transactions/3"].dead[1], 1u);
  EXPECT_EQ(read.routes["debit by card"].repeated, 2u);
  EXPECT_EQ(read.routes["debit by card"].failed, 3u);
}

TEST(Ledger, ReadsTheFormatWithoutFailedCopies) {
  std::string bytes;
  rules::ByteWriter out(bytes);
  out.fixed(uint32_t{1} << 24);
  out.fixed(uint32_t{0});
  out.fixed(uint32_t{1});
  out.text("debit by card");
  for (const uint64_t number : {9, 6, 2, 1}) out.fixed(number);
  Ledger read;
  ASSERT_TRUE(read.decode(bytes).has_value());
  EXPECT_EQ(read.routes["debit by card"].late, 1u);
  EXPECT_EQ(read.routes["debit by card"].failed, 0u);
  EXPECT_TRUE(read.balanced());
}

TEST(Ledger, ReadsTheFormatWithoutUnknownValues) {
  std::string bytes;
  rules::ByteWriter out(bytes);
  out.fixed(uint32_t{2});  // reasons of dead letters
  out.fixed(uint32_t{1});
  out.text("t/0");
  for (const uint64_t number : {10, 2, 7, 3, 0, 1}) out.fixed(number);
  out.fixed(uint32_t{0});
  Ledger read;
  ASSERT_TRUE(read.decode(bytes).has_value());
  EXPECT_EQ(read.partitions["t/0"].late, 3u);
  EXPECT_EQ(read.partitions["t/0"].unknown_values, 0u);
  EXPECT_EQ(read.partitions["t/0"].dead[1], 1u);
  EXPECT_TRUE(read.balanced());
}

TEST(Ledger, RefusesWhatIsDamagedOrNewer) {
  const std::string good = Ledger{.partitions = {{"t/0", {}}}, .routes = {}}.encode();
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(Ledger().decode(good.substr(0, length)).has_value()) << length;
  EXPECT_FALSE(Ledger().decode(good + "x").has_value());
  std::string newer = good;
  newer[3] = 3;
  EXPECT_FALSE(Ledger().decode(newer).has_value());
}

}  // namespace
}  // namespace tillwatch::engine
