// One process whose broker, disk and source fail in any order: it ends with the same standing alerts as if nothing had.
#include "engine/runner.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>

#include "connectors/memory_sink.h"
#include "connectors/memory_source.h"
#include "engine/base/words.h"
#include "state/store.h"
#include "tests/e2e/traffic.h"
#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

using connectors::MemorySink;
using connectors::MemorySource;

Error away(const char* who) { return {ErrorKind::unavailable, std::string(who) + " is away, as planned"}; }

Traffic half_an_hour() {
  connectors::GeneratorOptions options;
  options.seed = 5;
  options.start = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00
  options.length = 30 * kMinute;
  options.events_per_second = 2;
  options.daily_shape = false;
  options.merchants = 30;
  options.cards = 300;
  options.partitions = 2;
  options.settlement_delay = 3 * kMinute;
  for (const char* kind :
       {connectors::kDuplicateDebit, connectors::kCodeJump, connectors::kRateChange, connectors::kNotifyUnsent}) {
    options.anomalies[kind] = 4;
  }
  return generate(options);
}

// Everything outside a process, which outlives it.
class Surroundings {
 public:
  Surroundings(const Traffic& traffic, MemorySink::Kind kind)
      : sink(kind), source(inputs_of(traffic)), store_(state::make_memory_store()) {
    for (const Fed& record : traffic.records) source.push(index_of(record), record.arrival, record.json);
    source.finish_all();
  }

  // One process from start to end, with `trouble` called at each step of each commit.
  Status live(const std::shared_ptr<const rules::CompiledBundle>& bundle,
              const std::function<void(std::string_view)>& trouble) {
    RunnerOptions options;
    options.max_records = 150;
    options.retry_after = std::chrono::milliseconds(0);
    options.run_on = kHour;
    if (sink.decides()) options.group = "tillwatch";
    Runner runner(bundle, options, source, sink, *store_);
    runner.set_fault(trouble);
    if (Status status = runner.recover(); !status) return status;
    return runner.run(never_);
  }

  tests::Standing standing() const {
    std::string lines;
    for (const std::string& value : sink.values("alerts")) lines += value + "\n";
    return tests::standing_of(lines);
  }

  MemorySink sink;
  MemorySource source;

 private:
  static std::vector<connectors::Partition> inputs_of(const Traffic& traffic) {
    std::vector<connectors::Partition> inputs;
    for (const Fed& record : traffic.records) {
      const connectors::Partition input{record.topic, record.partition};
      if (std::ranges::find(inputs, input) == inputs.end()) inputs.push_back(input);
    }
    return inputs;
  }
  uint32_t index_of(const Fed& record) const {
    const auto found = std::ranges::find(source.inputs(), connectors::Partition{record.topic, record.partition});
    return static_cast<uint32_t>(found - source.inputs().begin());
  }

  std::unique_ptr<state::Store> store_;
  std::atomic<bool> never_ = false;
};

// Plans a fault before every few commits: whoever is away once may be away again while the process tries to start over.
class Trouble {
 public:
  Trouble(Surroundings& around, uint64_t seed) : around_(around), random_(seed) {}

  void operator()(std::string_view step) {
    if (step != "before-prepare" || random_() % 3 != 0) return;
    ++planned;
    plan_one();
    for (size_t more = random_() % 3; more > 0; --more) {
      if (random_() % 2 == 0)
        around_.sink.fail_next_recovery(away("the broker"));
      else
        around_.source.fail_next_seek(away("the source"));
    }
  }

  int planned = 0;

 private:
  void plan_one() {
    using Fault = MemorySink::Fault;
    if (!around_.sink.decides()) return around_.sink.script(Fault::unavailable);
    switch (random_() % 4) {
      case 0:
        return around_.sink.script(Fault::aborted);
      case 1:
        return around_.sink.script(Fault::unavailable);
      case 2:
        return around_.sink.script(Fault::unavailable_done);
      default:
        return around_.source.fail_next_poll(away("the source"));
    }
  }

  Surroundings& around_;
  std::mt19937_64 random_;
};

class RunnerFaults : public testing::TestWithParam<MemorySink::Kind> {};

TEST_P(RunnerFaults, WhoeverIsAwayForAWhileChangesNothing) {
  const auto bundle = load_rules({"rules/packs/payments"});
  const Traffic traffic = half_an_hour();
  Surroundings undisturbed(traffic, GetParam());
  ASSERT_TRUE(undisturbed.live(bundle, {}));
  const tests::Standing wanted = undisturbed.standing();
  ASSERT_GT(wanted.size(), 10u);
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Surroundings around(traffic, GetParam());
    Trouble trouble(around, seed);
    const Status status = around.live(bundle, [&trouble](std::string_view step) { trouble(step); });
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_GT(trouble.planned, 5);
    EXPECT_EQ(tests::differences(wanted, around.standing()), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, RunnerFaults, testing::Values(MemorySink::Kind::decides, MemorySink::Kind::follows),
                         [](const auto& kind) {
                           return kind.param == MemorySink::Kind::decides ? "SinkDecides" : "StoreDecides";
                         });

// One input and a rule that keeps nothing; the moments of its commits.
class CommitPace : public testing::Test {
 protected:
  CommitPace() : source_({{"events", 0}}), sink_(MemorySink::Kind::follows), store_(state::make_memory_store()) {}

  void push() {
    const TimeMs time = 1'795'320'000'000 + pushed_++ * kSecond;
    source_.push(0, time, fmt::format(R"({{"event_id":"{}","occurred_at":{}}})", pushed_, time));
  }

  // Until every input is finished; `committed` is called after each commit, with how many there were.
  void run(RunnerOptions options, const std::function<void(size_t)>& committed, const std::atomic<bool>& stop) {
    options.max_wait = std::chrono::milliseconds(0);
    const auto bundle = load_rule_texts({{"schema.yaml", R"yaml(
streams:
  event:
    topic: events
    time: occurred_at
    id: [event_id]
    fields: {event_id: string, occurred_at: time}
)yaml"},
                                         {"rule.yaml", R"yaml(
rule: every
version: 1
title: {en: Every event, zh: 每个事件}
doc: Something to read for.
on: event as e
key: [event_id]
severity: low
message: {en: "{e.event_id}", zh: "{e.event_id}"}
)yaml"}});
    Runner runner(bundle, options, source_, sink_, *store_);
    runner.watch([&](const CommitReport& report) {
      if (report.records == 0) return;
      commits_.push_back(std::chrono::steady_clock::now());
      committed(commits_.size());
    });
    ASSERT_TRUE(runner.recover());
    const Status status = runner.run(stop);
    ASSERT_TRUE(status) << status.error().message;
  }

  MemorySource source_;
  std::vector<std::chrono::steady_clock::time_point> commits_;

 private:
  MemorySink sink_;
  std::unique_ptr<state::Store> store_;
  int64_t pushed_ = 0;
};

TEST_F(CommitPace, WhatArrivesSoonAfterACommitWaitsForTheNext) {
  constexpr std::chrono::milliseconds kEvery{15};
  push();
  run({.commit_every = kEvery},
      [&](size_t commits) {
        if (commits < 4) {
          push();
          push();
        } else {
          source_.finish_all();
        }
      },
      false);
  ASSERT_EQ(commits_.size(), 4u);
  for (size_t i = 1; i < commits_.size(); ++i) EXPECT_GE(commits_[i] - commits_[i - 1], kEvery);
}

TEST_F(CommitPace, NeitherAFullBatchNorTheEndIsFollowedByAWait) {
  std::atomic<bool> stop = false;
  std::mutex mutex;
  std::condition_variable_any ended;
  std::jthread guard([&](const std::stop_token& token) {
    std::unique_lock lock(mutex);
    if (!ended.wait_for(lock, token, std::chrono::seconds(30), [&] { return token.stop_requested(); })) stop = true;
  });
  for (int i = 0; i < 5; ++i) push();
  source_.finish_all();
  run({.max_records = 2, .commit_every = std::chrono::hours(1)}, [](size_t) {}, stop);
  EXPECT_EQ(commits_.size(), 3u);
  EXPECT_FALSE(stop);
}

TEST_F(CommitPace, StoppingDoesNotWait) {
  std::atomic<bool> stop = false;
  push();
  run({.commit_every = std::chrono::hours(1)}, [&](size_t) { stop = true; }, stop);
  EXPECT_EQ(commits_.size(), 1u);
}

}  // namespace
}  // namespace tillwatch::engine
