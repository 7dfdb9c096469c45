#include <gtest/gtest.h>

#include <string>

#include "connectors/source.h"

namespace tillwatch::connectors {
namespace {

TEST(RecordBatch, HoldsWhatWasAddedAfterManyBlocks) {
  RecordBatch batch;
  const std::string value(3000, 'v');
  for (int i = 0; i < 2000; ++i) batch.add(7, i, 1000 + i, "key" + std::to_string(i), value + std::to_string(i));
  ASSERT_EQ(batch.records().size(), 2000u);
  for (int i = 0; i < 2000; ++i) {
    const Record& record = batch.records()[static_cast<size_t>(i)];
    EXPECT_EQ(record.input, 7u);
    EXPECT_EQ(record.offset, i);
    EXPECT_EQ(record.arrived_at, 1000 + i);
    EXPECT_EQ(record.key, "key" + std::to_string(i));
    EXPECT_EQ(record.value, value + std::to_string(i));
  }
}

TEST(RecordBatch, EveryValueIsFollowedByReadablePadding) {
  RecordBatch batch;
  // The last record of a block, and one larger than a block.
  batch.add(0, 0, 0, "", std::string((1 << 20) - RecordBatch::kPadding, 'x'));
  batch.add(0, 1, 0, "key", std::string(3 << 20, 'y'));
  for (const Record& record : batch.records()) {
    int sum = 0;
    for (size_t i = 0; i < RecordBatch::kPadding; ++i) sum += record.value.data()[record.value.size() + i];  // for ASan
    EXPECT_GE(sum, 0);
  }
}

TEST(RecordBatch, ClearKeepsTheMemoryAndForgetsTheRecords) {
  RecordBatch batch;
  batch.add(0, 0, 0, "first", "value");
  const char* place = batch.records()[0].key.data();
  EXPECT_EQ(batch.bytes(), 10u);
  batch.clear();
  EXPECT_EQ(batch.bytes(), 0u);
  EXPECT_TRUE(batch.records().empty());
  batch.add(1, 5, 6, "again", "");
  EXPECT_EQ(batch.records()[0].key.data(), place);
  EXPECT_EQ(batch.records()[0].value, "");
}

TEST(RecordBatch, AbsentKeysAndValuesAreEmpty) {
  RecordBatch batch;
  batch.add(0, 0, 0, std::string_view(), std::string_view());
  EXPECT_EQ(batch.records()[0].key, "");
  EXPECT_EQ(batch.records()[0].value, "");
}

}  // namespace
}  // namespace tillwatch::connectors
