// What a commit costs and survives on a real broker. The figures in ARCHITECTURE.md come from here.
//
//   kafka_commit_bench [latency] [consume] [redo] [crash]      (no name: all)
//
// Starts a broker of its own. The broker's Java runs with its usual compiler here, unlike in tests.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "connectors/kafka_connection.h"
#include "state/store.h"
#include "tests/broker/fixture.h"

namespace tillwatch {
namespace {

using connectors::CommitOutcome;
using connectors::CommitStep;
using connectors::KafkaLink;
using connectors::KafkaOptions;
using connectors::OutputBatch;
using connectors::RecordBatch;
using tests::BrokerFixture;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "kafka_commit_bench: %s\n", what.c_str());
  std::_Exit(1);  // without the broker's end: this may be a child; the broker ends with the parent
}

template <class T>
T take(Expected<T> value) {
  if (!value) give_up(value.error().message);
  return std::move(*value);
}
void take(const Status& status) {
  if (!status) give_up(status.error().message);
}

struct Spread {
  std::vector<double> values;
  void add(double value) { values.push_back(value); }
  double at(double share) {
    std::ranges::sort(values);
    return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
  }
};

// A process with a topic in, a topic out and a group of its own, joined.
struct Joined {
  explicit Joined(const std::string& name, int partitions = 1, const KafkaOptions& base = {}) : options(base) {
    BrokerFixture& broker = BrokerFixture::shared();
    options.bootstrap = broker.bootstrap();
    options.group = name + "-group";
    options.transactional_id = name + "-writer";
    options.group_instance_id = name + "-member";
    options.topics = {name + "-in"};
    options.output_topics = {name + "-out"};
    broker.create_topic(options.topics[0], partitions);
    broker.create_topic(options.output_topics[0], partitions);
    join();
  }
  void join() {
    link = take(connectors::open_kafka(options));
    const Clock::time_point start = Clock::now();
    recovered = take(link->sink().recover());
    recover_ms = ms_since(start);
    take(link->source().seek({}));
    while (!link->source().state(0).owned) {
      take(link->source().poll(polled, 1, std::chrono::milliseconds(5)));
      polled.clear();
    }
    join_ms = ms_since(start);
  }
  OutputBatch batch(uint64_t number, size_t records, size_t bytes) const {
    OutputBatch made{.commit_number = number, .records = {}, .positions = {{link->source().inputs()[0], 0}}};
    for (size_t i = 0; i < records; ++i) {
      made.records.push_back({options.output_topics[0], "alert-" + std::to_string(number * 100'000 + i), std::string(bytes, 'a')});
    }
    return made;
  }
  double commit(const OutputBatch& batch) const {
    const Clock::time_point start = Clock::now();
    if (take(link->sink().commit(batch)) != CommitOutcome::committed) give_up("a commit was aborted");
    return ms_since(start);
  }

  KafkaOptions options;
  std::unique_ptr<KafkaLink> link;
  connectors::CommittedState recovered;
  RecordBatch polled;
  double recover_ms = 0;
  double join_ms = 0;
};

void measure_latency() {
  std::printf("\ntransaction latency, ms (records of 300 bytes to one of 4 partitions each, offset of one partition)\n");
  std::printf("%8s %10s %8s %8s %8s %8s\n", "records", "pace", "median", "p90", "p99", "worst");
  Joined process("latency", 4);
  uint64_t number = 0;
  for (int i = 0; i < 30; ++i) process.commit(process.batch(++number, 100, 300));  // warms the broker's Java up
  for (const size_t records : {size_t{0}, size_t{1}, size_t{100}, size_t{10'000}}) {
    for (const int pause_ms : {0, 30}) {
      Spread spread;
      for (int i = 0; i < 100; ++i) {
        const OutputBatch batch = process.batch(++number, records, 300);
        std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
        spread.add(process.commit(batch));
      }
      std::printf("%8zu %10s %8.1f %8.1f %8.1f %8.1f\n", records, pause_ms == 0 ? "at once" : "30 ms", spread.at(0.5),
                  spread.at(0.9), spread.at(0.99), spread.at(1));
    }
  }
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void measure_consume() {
  constexpr size_t kRecords = 1'000'000;
  constexpr int kPartitions = 8;
  std::printf("\nconsuming %zu records of 330 bytes, lz4, %d partitions, copied into batches of 10,000\n", kRecords, kPartitions);
  Joined process("consume", kPartitions);
  std::vector<tests::ProducedRecord> records(100'000);
  for (size_t i = 0; i < kRecords / records.size(); ++i) {
    for (size_t j = 0; j < records.size(); ++j) {
      const std::string n = std::to_string(i * records.size() + j);
      std::string value = R"({"event_id":")" + n + R"(","card":"token-)" + n + R"(","amount":)" + n + R"(,"merchant":"m-)" +
                          std::to_string(j % 5000) + R"(","text":")";
      value.resize(328, 'x');
      value += "\"}";
      records[j] = {.key = "k" + n, .value = value, .partition = static_cast<int32_t>(j % kPartitions)};
    }
    BrokerFixture::shared().produce(process.options.topics[0], records,
                                    {{"compression.codec", "lz4"}, {"linger.ms", "50"}, {"batch.size", "1000000"}});
  }
  process.link.reset();
  records.clear();
  records.shrink_to_fit();
  for (int run = 0; run < 5; ++run) {
    process.join();
    RecordBatch& batch = process.polled;
    const double cpu_before = cpu_seconds();
    const Clock::time_point start = Clock::now();
    size_t seen = 0;
    double first_ms = 0;
    while (seen < kRecords) {
      batch.clear();
      if (take(process.link->source().poll(batch, 10'000, std::chrono::milliseconds(20))).reassigned) take(process.link->source().seek({}));
      if (seen == 0 && !batch.records().empty()) first_ms = ms_since(start);
      seen += batch.records().size();
    }
    const double all_ms = ms_since(start);
    std::printf("  run %d: %.2f M records/s (%.0f ms, first after %.0f ms), cpu %.0f ns a record\n", run + 1,
                static_cast<double>(kRecords) / all_ms / 1000, all_ms, first_ms,
                (cpu_seconds() - cpu_before) * 1e9 / static_cast<double>(kRecords));
    process.link.reset();
  }
}

state::WriteSet dirty_entries(size_t count, uint64_t round) {
  state::WriteSet set;
  for (size_t i = 0; i < count; ++i) {
    std::string key = "shard-0/window/" + std::to_string((i * 7919 + round * 104'729) % 10'000'000);
    set.put(std::move(key), std::string(126, static_cast<char>('a' + i % 26)));
  }
  set.normalise();
  return set;
}

void measure_redo() {
  std::printf("\na commit (1 record, 1 offset) with a redo record before and the changes after, ms: median (p99) of 60\n");
  std::printf("%8s %8s %18s %18s %18s %18s\n", "dirty", "fsync", "prepare", "Kafka", "apply", "whole commit");
  Joined process("redo");
  uint64_t number = 0;
  for (int i = 0; i < 30; ++i) process.commit(process.batch(++number, 1, 300));
  for (const bool with_sync : {true, false}) {
    for (const size_t dirty : {size_t{0}, size_t{1000}, size_t{10'000}}) {
      const std::string path = BrokerFixture::shared().directory() + "/store-" + std::to_string(number);
      const auto store = take(state::open_rocksdb_store({.path = path, .memory_budget = 256u << 20, .sync = with_sync}));
      Spread prepare, kafka, apply, whole;
      for (uint64_t i = 1; i <= 60; ++i) {
        const state::WriteSet changes = dirty_entries(dirty, i);
        const OutputBatch batch = process.batch(++number, 1, 300);
        const Clock::time_point start = Clock::now();
        if (dirty > 0) take(store->prepare(i, changes));
        prepare.add(ms_since(start));
        kafka.add(process.commit(batch));
        const Clock::time_point committed = Clock::now();
        if (dirty > 0) take(store->apply(i));
        apply.add(ms_since(committed));
        whole.add(ms_since(start));
      }
      auto show = [](Spread& spread) { std::printf("%9.1f (%6.1f)", spread.at(0.5), spread.at(0.99)); };
      std::printf("%8zu %8s  ", dirty, dirty == 0 ? "-" : with_sync ? "yes" : "no");
      for (Spread* spread : {&prepare, &kafka, &apply, &whole}) show(*spread);
      std::printf("\n");
      if (dirty == 0 && !with_sync) continue;
    }
  }
}

enum class CrashPoint { before_prepare, after_prepare, begun, half_written, written, positions_sent, flushed, committed, after_apply };
constexpr const char* kCrashPointNames[] = {"before prepare",       "after prepare",     "after begin",
                                            "half produced",        "after produce",     "after positions",
                                            "after flush",          "after commit",      "after apply"};

// The small program that is killed: one commit, as the runner does it. Never returns.
[[noreturn]] void run_until_killed(const KafkaOptions& base, const std::string& path, uint64_t number, CrashPoint point) {
  auto die_at = [point](CrashPoint here) { if (here == point) raise(SIGKILL); };
  KafkaOptions options = base;
  options.observe_step = [&](CommitStep step) { die_at(static_cast<CrashPoint>(static_cast<int>(CrashPoint::begun) + static_cast<int>(step))); };
  const auto store = take(state::open_rocksdb_store({.path = path, .memory_budget = 64u << 20, .sync = true}));
  const auto link = take(connectors::open_kafka(options));
  take(link->sink().recover());
  take(link->source().seek({}));
  RecordBatch batch;
  while (!link->source().state(0).owned) take(link->source().poll(batch, 1, std::chrono::milliseconds(5)));
  OutputBatch output{.commit_number = number, .records = {}, .positions = {{link->source().inputs()[0], static_cast<int64_t>(number)}}};
  output.records.push_back({options.output_topics[0], "alert", std::to_string(number)});
  die_at(CrashPoint::before_prepare);
  take(store->prepare(number, dirty_entries(1000, number)));
  die_at(CrashPoint::after_prepare);
  take(link->sink().commit(output));
  take(store->apply(number));
  die_at(CrashPoint::after_apply);
  give_up("the program that was to be killed came to its end");
}

void measure_crashes() {
  std::printf("\nkill -9 within commit N of a store at N-1\n");
  std::printf("%16s %10s %10s %10s %12s %12s %12s %12s\n", "killed", "Kafka says", "applied", "prepared", "then", "recover ms",
              "open+rec ms", "joined ms");
  Joined process("crash");
  process.link.reset();
  const std::string path = BrokerFixture::shared().directory() + "/crash-store";
  uint64_t number = 1;
  std::vector<std::string> standing;
  for (int round = 0; round < 2; ++round) {
    for (int point = 0; point <= static_cast<int>(CrashPoint::after_apply); ++point) {
      std::fflush(stdout);
      const pid_t child = fork();
      if (child == 0) run_until_killed(process.options, path, number, static_cast<CrashPoint>(point));
      int status = 0;
      waitpid(child, &status, 0);
      if (!WIFSIGNALED(status)) give_up("the child was not killed");
      const Clock::time_point start = Clock::now();
      process.join();
      const double whole_ms = ms_since(start) - process.join_ms + process.recover_ms;
      const uint64_t says = process.recovered.commit_number;
      const auto store = take(state::open_rocksdb_store({.path = path, .memory_budget = 64u << 20, .sync = true}));
      const uint64_t applied = store->applied();
      const auto prepared = store->prepared();
      const char* then = "nothing to do";
      if (prepared) {
        then = says == *prepared ? "applied" : "dropped";
        take(says == *prepared ? store->apply(*prepared) : store->drop(*prepared));
      }
      if (store->applied() != says) give_up("store and Kafka differ");
      if (says == number) standing.push_back(std::to_string(number));
      std::printf("%16s %10s %10s %10s %12s %12.0f %12.0f %12.0f\n", kCrashPointNames[point], says == number ? "N" : "N-1",
                  applied == number ? "N" : "N-1", prepared ? "N" : "-", then, process.recover_ms, whole_ms, process.join_ms);
      process.link.reset();
      number = says + 1;
    }
  }
  std::vector<std::string> seen;
  for (const tests::ReadRecord& record : BrokerFixture::shared().read_committed(process.options.output_topics[0])) seen.push_back(record.value);
  std::printf("a read_committed reader of the output sees exactly the commits Kafka named: %s\n", seen == standing ? "yes" : "NO");
  if (seen != standing) give_up("exactly-once is broken");
}

}  // namespace
}  // namespace tillwatch

int main(int argc, char** argv) {
  setenv("BROKER_JAVA_OPTIONS", "-Xms512m -Xmx1g", 0);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::vector<std::string> asked(argv + 1, argv + argc);
  auto wanted = [&asked](const char* name) { return asked.empty() || std::ranges::find(asked, name) != asked.end(); };
  if (wanted("crash")) tillwatch::measure_crashes();
  if (wanted("latency")) tillwatch::measure_latency();
  if (wanted("redo")) tillwatch::measure_redo();
  if (wanted("consume")) tillwatch::measure_consume();
}
