#include "connectors/memory_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tillwatch::connectors {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> poll(MemorySource& source, size_t max_records = 100) {
  RecordBatch batch;
  const Expected<PollResult> polled = source.poll(batch, max_records, 0ms);
  EXPECT_TRUE(polled) << polled.error().message;
  std::vector<std::string> texts;
  for (const Record& record : batch.records()) {
    texts.push_back(std::to_string(record.input) + "@" + std::to_string(record.offset) + " " + std::string(record.value) +
                    (record.oversize ? " (oversize)" : ""));
  }
  return texts;
}

TEST(MemorySource, HandsOutRecordsInTheOrderOfPushing) {
  MemorySource source({{"a", 0}, {"b", 0}});
  EXPECT_EQ(source.push(1, 1000, "x"), 0);
  EXPECT_EQ(source.push(0, 1001, "y", "key"), 0);
  source.skip_offsets(1, 3);
  EXPECT_EQ(source.push(1, 1002, "z"), 4);
  source.push_oversize(1, 1003, "head");
  EXPECT_EQ(source.state(1).lag, 3);
  EXPECT_THAT(poll(source, 2), ElementsAre("1@0 x", "0@0 y"));
  EXPECT_EQ(source.state(1).next_offset, 1);
  EXPECT_THAT(poll(source), ElementsAre("1@4 z", "1@5 head (oversize)"));
  EXPECT_THAT(poll(source), IsEmpty());
  EXPECT_EQ(source.state(1).next_offset, 6);
  RecordBatch batch;
  ASSERT_TRUE(source.seek({}));
  ASSERT_TRUE(source.poll(batch, 2, 0ms));
  EXPECT_EQ(batch.records()[1].key, "key");
  EXPECT_EQ(batch.records()[1].arrived_at, 1001);
}

TEST(MemorySource, GoesBackAndForth) {
  MemorySource source({{"a", 0}, {"b", 0}});
  for (int i = 0; i < 3; ++i) {
    source.push(0, 0, "a" + std::to_string(i));
    source.push(1, 0, "b" + std::to_string(i));
  }
  EXPECT_EQ(poll(source).size(), 6u);
  ASSERT_TRUE(source.seek({{{"a", 0}, 2}, {{"b", 0}, 1}}));
  EXPECT_THAT(poll(source), ElementsAre("1@1 b1", "0@2 a2", "1@2 b2"));
  ASSERT_TRUE(source.seek({{{"a", 0}, 3}}));
  EXPECT_THAT(poll(source), ElementsAre("1@0 b0", "1@1 b1", "1@2 b2"));
}

TEST(MemorySource, IsAtItsEndOrFinishedOnceDrained) {
  MemorySource source({{"a", 0}});
  source.push(0, 0, "1");
  source.set_at_end(0, 5000);
  EXPECT_FALSE(source.state(0).at_end);
  poll(source);
  EXPECT_TRUE(source.state(0).at_end);
  EXPECT_EQ(source.state(0).at_end_since, 5000);
  source.push(0, 0, "2");
  EXPECT_FALSE(source.state(0).at_end);
  source.finish_all();
  EXPECT_FALSE(source.state(0).finished);
  poll(source);
  EXPECT_TRUE(source.state(0).finished);
  EXPECT_FALSE(source.state(0).at_end);
}

TEST(MemorySource, HeldAndRevokedInputsGiveNothing) {
  MemorySource source({{"a", 0}, {"b", 0}});
  source.push(0, 0, "1");
  source.push(1, 0, "2");
  ASSERT_TRUE(source.hold({"a"}));
  EXPECT_THAT(poll(source), ElementsAre("1@0 2"));
  ASSERT_TRUE(source.hold({}));
  source.set_owned(0, false);
  RecordBatch batch;
  EXPECT_TRUE(source.poll(batch, 10, 0ms)->reassigned);
  EXPECT_FALSE(source.poll(batch, 10, 0ms)->reassigned);
  EXPECT_THAT(batch.records(), IsEmpty());
  EXPECT_FALSE(source.state(0).owned);
  source.set_owned(0, true);
  EXPECT_TRUE(source.poll(batch, 10, 0ms)->reassigned);
  EXPECT_THAT(poll(source), ElementsAre("0@0 1"));
}

TEST(MemorySource, FailsAsAsked) {
  MemorySource source({{"a", 0}});
  source.push(0, 0, "1");
  source.fail_next_poll({.kind = ErrorKind::unavailable, .message = "away"});
  source.fail_next_seek({.kind = ErrorKind::fenced, .message = "fenced"});
  RecordBatch batch;
  EXPECT_EQ(source.poll(batch, 10, 0ms).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(source.seek({}).error().kind, ErrorKind::fenced);
  EXPECT_TRUE(source.seek({}));
  EXPECT_THAT(poll(source), ElementsAre("0@0 1"));
}

}  // namespace
}  // namespace tillwatch::connectors
