#include "tests/bench/engine_programs.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "tests/bench/progress.h"
#include "tests/broker/fixture.h"
#include "tests/e2e/process.h"

namespace tillwatch::engine::bench {
namespace {

using Clock = std::chrono::steady_clock;
using tests::milliseconds;
using tests::Process;

constexpr milliseconds kPatience{600'000};
constexpr milliseconds kEnd{60'000};
constexpr milliseconds kAskAgain{20};
constexpr size_t kPartitions = 4;  // of the generator's streams

// Processor seconds of the children that have ended.
double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::unique_ptr<Process> start(const std::string& folder, const std::string& config) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/config.yaml") << "rules: [" TILLWATCH_SOURCE_DIR "/rules/packs/payments]\n"
                                         << "state: {path: state}\nmetrics: {listen: off}\n"
                                         << config;
  return std::make_unique<Process>(std::vector<std::string>{TILLWATCH_PROGRAM, "run", "--config", folder + "/config.yaml"},
                                   folder + "/log");
}

void require_end(Process& process) {
  const std::optional<int> code = process.wait_for_exit(kEnd);
  if (code != 0) require(fail(ErrorKind::invalid, process.said()), "tillwatch run");
}

struct Run {
  double seconds = 0, processor = 0;
};

Run run_files(const Workload& workload, const std::vector<std::string>& paths, const std::string& folder, size_t workers) {
  std::string config = fmt::format("workers: {}\nsink: {{to: files, path: out}}\nsource:\n  files:\n", workers);
  for (size_t i = 0; i < paths.size(); ++i) {
    config += fmt::format("    - {{topic: {}, path: {}}}\n", workload.inputs()[i].topic, paths[i]);
  }
  const double before = processor_seconds();
  const auto began = Clock::now();
  const auto process = start(folder, config);
  if (!process->wait_for_exit(kPatience)) require(fail(ErrorKind::unavailable, "it takes too long"), "tillwatch run");
  require_end(*process);
  const Run run{seconds_since(began), processor_seconds() - before};
  std::filesystem::remove_all(folder);
  return run;
}

class KafkaRun {
 public:
  KafkaRun(const Workload& workload, std::string folder)
      : workload_(workload), folder_(std::move(folder)), broker_(tests::BrokerFixture::shared()) {}

  // Seconds it took.
  double produce() {
    std::map<std::string, std::vector<tests::ProducedRecord>> by_topic;
    for (const auto& record : workload_.records()) {
      by_topic[record.topic].push_back({record.key, record.value, record.partition, record.arrival});
      ++ends_[{record.topic, record.partition}];
    }
    for (const std::string& topic : workload_.topics()) {
      broker_.create_topic(topic, topic.starts_with("ref.") ? 1 : static_cast<int>(kPartitions));
    }
    broker_.create_topic("alerts");
    broker_.create_topic("dead-letter");
    const auto began = Clock::now();
    for (const auto& [topic, records] : by_topic) broker_.produce(topic, records, {{"linger.ms", "20"}});
    return seconds_since(began);
  }

  struct Result {
    double seconds = 0, first_commit = 0, processor = 0, rate_after_first = 0;
  };
  Result drain(size_t workers) {
    const std::string group = broker_.unique_name("bench");
    const double before = processor_seconds();
    const auto began = Clock::now();
    const auto process = start(folder_ + "/" + group,
                               fmt::format("mode: single\nworkers: {}\nsource: {{kafka: {{bootstrap: '{}', group: {}}}}}\n",
                                           workers, broker_.bootstrap(), group));
    Result result;
    int64_t first = wait_for(*process, group, 1);
    result.first_commit = seconds_since(began);
    first = std::max(first, committed(group));
    const auto since_first = Clock::now();
    const auto total = static_cast<int64_t>(workload_.records().size());
    wait_for(*process, group, total);
    result.seconds = seconds_since(began);
    result.rate_after_first = static_cast<double>(total - first) / std::max(1e-3, seconds_since(since_first));
    process->send(SIGTERM);
    require_end(*process);
    result.processor = processor_seconds() - before;
    return result;
  }

 private:
  // Records of the streams before which the group will not read again; only whole topics count at the end.
  int64_t committed(const std::string& group) {
    int64_t records = 0;
    for (const auto& [partition, end] : ends_) {
      records += std::clamp<int64_t>(broker_.committed(group, partition.first, partition.second).offset, 0, end);
    }
    return records;
  }
  // Asks the partition with most records, which is the last to be read, before it asks all.
  int64_t wait_for(Process& process, const std::string& group, int64_t wanted) {
    const auto busiest =
        std::max_element(ends_.begin(), ends_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    const auto total = static_cast<int64_t>(workload_.records().size());
    const auto give_up_at = Clock::now() + kPatience;
    while (Clock::now() < give_up_at && !process.exit_code()) {
      const int64_t offset = broker_.committed(group, busiest->first.first, busiest->first.second).offset;
      if (offset >= (wanted < total ? 1 : busiest->second)) {
        const int64_t records = committed(group);
        if (records >= wanted) return records;
      }
      std::this_thread::sleep_for(kAskAgain);
    }
    require(fail(ErrorKind::unavailable, process.said()), "tillwatch run has not read everything");
    return 0;
  }

  const Workload& workload_;
  const std::string folder_;
  tests::BrokerFixture& broker_;
  std::map<std::pair<std::string, int32_t>, int64_t> ends_;
};

}  // namespace

void print_from_files(const Workload& workload, const std::string& scratch, int repetitions) {
  const std::string folder = scratch + "/files";
  std::filesystem::create_directories(folder);
  const std::vector<std::string> paths = workload.write_files(folder);
  const double records = static_cast<double>(workload.records().size());
  std::vector<double> seconds[2], processor[2];
  Progress progress;
  for (int i = 0; i < repetitions; ++i) {
    for (size_t workers = 1; workers <= 2; ++workers) {
      progress.at(fmt::format("from files, run {} of {}", 2 * i + static_cast<int>(workers), 2 * repetitions));
      const Run run = run_files(workload, paths, scratch + "/run", workers);
      seconds[workers - 1].push_back(run.seconds);
      processor[workers - 1].push_back(run.processor);
    }
  }
  fmt::print(
      "\n## From files\n\n`tillwatch run`, NDJSON files to files, RocksDB synced, start and end of the process included; "
      "median of {} runs.\n\n",
      repetitions);
  fmt::print("| workers | records/s | MB/s | s | processor s |\n|---|---:|---:|---:|---:|\n");
  for (size_t i = 0; i < 2; ++i) {
    const double taken = median(seconds[i]);
    fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} | {:.2f} |\n", i + 1, records / taken,
               static_cast<double>(workload.bytes()) / taken / 1e6, taken, median(processor[i]));
  }
  std::filesystem::remove_all(folder);
}

void print_from_kafka(const Workload& workload, const std::string& scratch, int repetitions) {
  KafkaRun run(workload, scratch + "/kafka");
  const double produced = run.produce();
  const double records = static_cast<double>(workload.records().size());
  std::vector<KafkaRun::Result> results[2];
  Progress progress;
  for (int i = 0; i < repetitions; ++i) {
    for (size_t workers = 1; workers <= 2; ++workers) {
      progress.at(fmt::format("from Kafka, run {} of {}", 2 * i + static_cast<int>(workers), 2 * repetitions));
      results[workers - 1].push_back(run.drain(workers));
    }
  }
  fmt::print(
      "\n## From Kafka\n\nMode single, one broker on this machine ({} records were produced in {:.1f} s); median of {} runs. The last "
      "column leaves out what came before the first commit that advanced a stream: joining the group, reading the tables.\n\n",
      workload.records().size(), produced, repetitions);
  fmt::print(
      "| workers | records/s in all | s | processor s | first commit after s | records/s after it "
      "|\n|---|---:|---:|---:|---:|---:|\n");
  for (size_t i = 0; i < 2; ++i) {
    const auto middle = [&](double KafkaRun::Result::*part) {
      std::vector<double> values;
      for (const KafkaRun::Result& result : results[i]) values.push_back(result.*part);
      return median(std::move(values));
    };
    const double seconds = middle(&KafkaRun::Result::seconds);
    fmt::print("| {} | {:.0f} | {:.1f} | {:.1f} | {:.1f} | {:.0f} |\n", i + 1, records / seconds, seconds,
               middle(&KafkaRun::Result::processor), middle(&KafkaRun::Result::first_commit),
               middle(&KafkaRun::Result::rate_after_first));
  }
}

}  // namespace tillwatch::engine::bench
