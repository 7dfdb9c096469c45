// Edge case E86: one shop has four in ten of all sales. The others are decided when their records are read, and what a commit
// writes does not grow with the shop's history.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

constexpr const char* kRules = R"(
streams:
  sale:
    topic: sales
    time: happened_at
    id: id
    lateness: 1s
    fields: {id: string, happened_at: time @ "at", shop: string, amount: int}
---
rule: third
version: 1
on: sale as s
key: [shop]
let:
  n: count(this over 6h)
  sum: sum(amount of this over 6h)
when: n == 3 or n == 2000
severity: low
quiet: 1s
message: {en: "{n}, {sum}", zh: x}
)";

constexpr int kBatch = 50;
constexpr int kBatches = 110;

// Of every five sales two are the hot shop's; each other shop has three in all, one batch after another.
std::vector<Fed> batch_of(int number, std::set<std::string>& third_here) {
  std::vector<Fed> records;
  for (int i = 0; i < kBatch; ++i) {
    const TimeMs at = kNoon + (number * kBatch + i) * kSecond;
    std::string shop = "hot";
    if (i % 5 >= 2) {
      shop = fmt::format("S{}-{}", number / 3, i);
      if (number % 3 == 2) third_here.insert(shop);
    }
    records.push_back({"sales", 0, at, fmt::format(R"({{"id":"{}-{}","at":{},"shop":"{}","amount":1}})", number, i, at, shop)});
  }
  return records;
}

TEST(HotKey, OthersAreSaidWithTheirBatchAndACommitWritesOnlyWhatIsNew) {
  const auto bundle = load_rule_texts({{"rules.yaml", kRules}});
  PipelineOptions options;
  options.shards = 4;
  const auto store = state::make_memory_store();
  Pipeline pipeline(bundle, options, store.get());
  ASSERT_TRUE(pipeline.load().has_value());
  pipeline.set_inputs({{"sales", 0}});
  std::vector<size_t> written;
  int64_t offset = 0;
  bool hot_said = false;
  for (int number = 0; number < kBatches; ++number) {
    std::set<std::string> expected, said;
    connectors::RecordBatch batch;
    for (const Fed& record : batch_of(number, expected)) batch.add(0, offset++, record.arrival, "", record.json);
    ASSERT_TRUE(pipeline.process(batch, kNoon).has_value());
    ASSERT_TRUE(pipeline.settle().has_value());
    Outcome outcome;
    state::WriteSet changes;
    ASSERT_TRUE(pipeline.collect(outcome, changes).has_value());
    changes.normalise();
    written.push_back(changes.bytes());
    ASSERT_TRUE(store->commit(store->applied() + 1, changes).has_value());
    pipeline.confirm();
    for (const AlertRecord& alert : outcome.alerts) {
      const std::string shop = alert.key[0].second.substr(1, alert.key[0].second.size() - 2);
      if (shop != "hot" && alert.first) said.insert(shop);
      hot_said = hot_said || alert.message_en == "2000, 2000";
    }
    EXPECT_EQ(said, expected) << "batch " << number;
  }
  EXPECT_TRUE(hot_said) << "the window of the hot shop is whole";
  // Three batches make a round. The second round is before there is a history, the last has 2,160 events of it.
  const auto round = [&](int first) {
    return written[static_cast<size_t>(first)] + written[static_cast<size_t>(first) + 1] +
           written[static_cast<size_t>(first) + 2];
  };
  EXPECT_LT(round(105), round(6) * 3 / 2) << round(6) << " bytes early, " << round(105) << " late";
}

}  // namespace
}  // namespace tillwatch::engine
