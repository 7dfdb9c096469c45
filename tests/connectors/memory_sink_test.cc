#include "connectors/memory_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tillwatch::connectors {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Fault = MemorySink::Fault;
using Kind = MemorySink::Kind;

OutputBatch batch_of(uint64_t number, std::string value, std::vector<Position> positions = {}) {
  return {.commit_number = number, .records = {{"alerts", "k", std::move(value)}}, .positions = std::move(positions)};
}

TEST(MemorySink, ThatDecidesKeepsRecordsNumberAndPositions) {
  MemorySink sink(Kind::decides);
  EXPECT_TRUE(sink.decides());
  EXPECT_EQ(sink.recover()->commit_number, 0u);
  EXPECT_EQ(*sink.commit(batch_of(1, "a", {{{"t", 0}, 5}, {{"t", 1}, 7}})), CommitOutcome::committed);
  EXPECT_EQ(*sink.commit(batch_of(2, "b", {{{"t", 1}, 8}})), CommitOutcome::committed);
  EXPECT_THAT(sink.values("alerts"), ElementsAre("a", "b"));
  EXPECT_THAT(sink.values("other"), IsEmpty());
  const Expected<CommittedState> state = sink.recover();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->commit_number, 2u);
  ASSERT_EQ(state->positions.size(), 2u);
  EXPECT_EQ(state->positions[0].next_offset, 5);
  EXPECT_EQ(state->positions[1].next_offset, 8);
  EXPECT_EQ(sink.commits(), 2u);
}

TEST(MemorySink, ThatDecidesFailsAsScripted) {
  MemorySink sink(Kind::decides);
  for (const Fault fault : {Fault::aborted, Fault::unavailable, Fault::unavailable_done, Fault::fenced}) sink.script(fault);
  EXPECT_EQ(*sink.commit(batch_of(1, "aborted")), CommitOutcome::aborted);
  EXPECT_EQ(sink.commit(batch_of(1, "unavailable")).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(sink.recover()->commit_number, 0u);
  EXPECT_EQ(sink.commit(batch_of(1, "done")).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(sink.recover()->commit_number, 1u);
  EXPECT_EQ(sink.commit(batch_of(2, "fenced")).error().kind, ErrorKind::fenced);
  EXPECT_EQ(sink.commit(batch_of(2, "fenced")).error().kind, ErrorKind::fenced);
  EXPECT_THAT(sink.values("alerts"), ElementsAre("done"));
}

TEST(MemorySink, ThatDecidesRefusesANumberThatDoesNotFollow) {
  MemorySink sink(Kind::decides);
  ASSERT_TRUE(sink.commit(batch_of(1, "a")));
  EXPECT_EQ(sink.commit(batch_of(1, "b")).error().kind, ErrorKind::invalid);
  EXPECT_EQ(sink.commit(batch_of(3, "b")).error().kind, ErrorKind::invalid);
}

TEST(MemorySink, ThatFollowsIsCutBackToAMark) {
  MemorySink sink(Kind::follows);
  EXPECT_FALSE(sink.decides());
  const Expected<std::string> mark = sink.append(batch_of(1, "a"));
  ASSERT_TRUE(mark);
  ASSERT_TRUE(sink.append(batch_of(2, "lost")));
  ASSERT_TRUE(sink.rewind(*mark));
  EXPECT_THAT(sink.values("alerts"), ElementsAre("a"));
  EXPECT_EQ(sink.commits(), 1u);
  sink.script(Fault::unavailable);
  EXPECT_EQ(sink.append(batch_of(2, "b")).error().kind, ErrorKind::unavailable);
  EXPECT_THAT(sink.values("alerts"), ElementsAre("a"));
  EXPECT_EQ(sink.rewind("7").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(sink.rewind("x").error().kind, ErrorKind::corrupt);
  ASSERT_TRUE(sink.rewind(""));
  EXPECT_THAT(sink.records(), IsEmpty());
}

TEST(MemorySink, IsOfOneKindOnly) {
  MemorySink follows(Kind::follows);
  EXPECT_EQ(follows.recover().error().kind, ErrorKind::invalid);
  EXPECT_EQ(follows.commit({}).error().kind, ErrorKind::invalid);
  MemorySink decides(Kind::decides);
  EXPECT_EQ(decides.append({}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(decides.rewind("").error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace tillwatch::connectors
