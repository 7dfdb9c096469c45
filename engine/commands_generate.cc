#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <thread>

#include "connectors/generator.h"
#include "connectors/generator_truth.h"
#include "connectors/kafka_producer.h"
#include "engine/base/words.h"
#include "engine/commands.h"

namespace tillwatch::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kLookUpEvery = 2000;  // records between two looks at the clock for the progress line
constexpr std::chrono::milliseconds kRedrawEvery{200};
constexpr std::chrono::milliseconds kLongestSleep{200};         // so that Ctrl-C is heard
const char* const kDefaultStart = "2025-06-02T12:00:00+08:00";  // of files: the same command gives the same bytes

std::atomic<bool> interrupted{false};
void interrupt(int) { interrupted = true; }

constexpr const char* kStreamTopics[] = {"pos.transactions", "pos.slips",    "pos.settlements",
                                         "sms.submissions",  "sms.receipts", "sms.replies"};
constexpr const char* kReferenceTopics[] = {"ref.merchant", "ref.rate_contract", "ref.mcc_tier",   "ref.acquirer",
                                            "ref.terminal", "ref.subscription",  "ref.issuer_sla", "ref.maintenance",
                                            "ref.region",   "ref.sms_key"};

// Where records go.
class Outlet {
 public:
  virtual ~Outlet() = default;
  virtual Status write(const connectors::GeneratedRecord& record) = 0;
  virtual Status close() = 0;
};

Status cannot_write(const std::string& path) {
  return fail(ErrorKind::unavailable, "cannot write " + path + ": " + std::strerror(errno));
}

std::string file_name(std::string_view topic, int partition, bool keys) {
  return fmt::format("{}-{}.{}", topic, partition, keys ? "tsv" : "ndjson");
}

class FilesOutlet final : public Outlet {
 public:
  FilesOutlet(std::string folder, bool keys) : folder_(std::move(folder)), keys_(keys) {}

  Status write(const connectors::GeneratedRecord& record) override {
    const std::string path = folder_ + "/" + file_name(record.topic, record.partition, keys_);
    auto [at, added] = files_.try_emplace(path);
    if (added) at->second.open(path, std::ios::binary | std::ios::trunc);
    if (keys_) at->second << record.key << '\t';
    at->second << record.value << '\n';
    return at->second ? Status{} : cannot_write(path);
  }
  Status close() override {
    for (auto& [path, file] : files_) {
      file.close();
      if (!file) return cannot_write(path);
    }
    return {};
  }

 private:
  const std::string folder_;
  const bool keys_;
  std::map<std::string, std::ofstream> files_;
};

class KafkaOutlet final : public Outlet {
 public:
  explicit KafkaOutlet(std::unique_ptr<connectors::KafkaProducer> producer) : producer_(std::move(producer)) {}
  Status write(const connectors::GeneratedRecord& record) override {
    return producer_->send(record.topic, record.partition, record.key, record.value, record.arrival);
  }
  Status close() override { return producer_->flush(); }

 private:
  std::unique_ptr<connectors::KafkaProducer> producer_;
};

class Generation {
 public:
  explicit Generation(const GenerateCommand& command) : command_(command) {}

  Status run() {
    if (const Status read = read_options(); !read) return read;
    auto outlet = open();
    if (!outlet) return std::unexpected(outlet.error());
    std::cerr << fmt::format("{} minutes of traffic from {}, seed {}\n", command_.minutes, format_rfc3339(traffic_.start),
                             command_.seed);
    connectors::Generator generator(traffic_);
    Status status = write_records(generator, **outlet);
    const Status closed = (*outlet)->close();
    if (status) status = closed;
    std::vector<connectors::Injected> truth = generator.truth();
    std::ranges::copy(generator.implied(kAfterAllTime - 1), std::back_inserter(truth));
    if (status) status = write_truth(truth);
    clear_progress();
    if (!status) return status;
    std::cerr << fmt::format("{}{}, {} among them, {:.1f} s\n", interrupted ? "interrupted: " : "", counted(records_, "record"),
                             counted(truth.size(), "alert that must be raised", "alerts that must be raised"),
                             std::chrono::duration<double>(Clock::now() - began_).count());
    return {};
  }

 private:
  Status read_options() {
    if (command_.folder.empty() == command_.bootstrap.empty()) {
      return fail(ErrorKind::invalid, "say where to: --to DIR for files, or --kafka HOST:PORT; one of them");
    }
    length_ = static_cast<DurationMs>(command_.minutes * kMinute);
    const auto start = find_start();
    if (!start) {
      return fail(ErrorKind::invalid,
                  "--start " + command_.start + ": give a time with its offset, as in " + kDefaultStart + ", or now");
    }
    traffic_ =
        connectors::demo_traffic(command_.seed, *start, length_, command_.events_per_second, command_.anomalies_per_hour);
    traffic_.partitions = command_.partitions;
    traffic_.redelivery_share = command_.faults.redelivered;
    traffic_.disorder_share = command_.faults.disordered;
    traffic_.late_share = command_.faults.late;
    return connectors::check_generator_options(traffic_);
  }

  // To a broker, traffic that has just happened: what lies ahead of its arrival is refused by who reads it.
  std::optional<TimeMs> find_start() const {
    const TimeMs now = wall_clock_ms() / kSecond * kSecond;
    if (command_.start == "now") return now;
    if (!command_.start.empty()) return parse_rfc3339(command_.start);
    if (!command_.folder.empty()) return parse_rfc3339(kDefaultStart);
    const DurationMs takes = command_.speed > 0 ? static_cast<DurationMs>(static_cast<double>(length_) / command_.speed) : 0;
    return now - std::max<DurationMs>(0, length_ - takes);
  }

  // Whoever reads the folder later takes all its records for one traffic: what an earlier run left must be gone. The files of
  // this run's own names are written anew, so they go, also where this run has no record for them.
  Status clear_folder() const {
    std::set<std::string> ours;
    const auto add = [&](const char* topic, int partitions) {
      for (int i = 0; i < partitions; ++i) ours.insert(file_name(topic, i, command_.keys));
    };
    for (const char* topic : kStreamTopics) add(topic, command_.partitions);
    for (const char* topic : kReferenceTopics) add(topic, traffic_.reference_partitions);
    std::set<std::string> others;
    std::vector<std::filesystem::path> old;
    std::error_code error;
    std::filesystem::create_directories(command_.folder, error);
    if (error) return fail(ErrorKind::invalid, "cannot make the folder " + command_.folder + ": " + error.message());
    for (std::filesystem::directory_iterator entry(command_.folder, error), end; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (ours.contains(name)) {
        old.push_back(entry->path());
      } else if (holds_records(name)) {
        others.insert(name);
      }
    }
    if (error) return fail(ErrorKind::invalid, "cannot read the folder " + command_.folder + ": " + error.message());
    if (!others.empty()) {
      return fail(ErrorKind::invalid, fmt::format("{} holds other records, in {}{}: they would be read with the new ones; remove "
                                                  "them, or give another folder",
                                                  command_.folder, *others.begin(),
                                                  others.size() == 1 ? "" : fmt::format(" and {} more", counted(others.size() - 1, "file"))));
    }
    for (const std::filesystem::path& path : old) {
      if (!std::filesystem::remove(path, error)) return fail(ErrorKind::invalid, "cannot write " + path.string() + " anew: " + error.message());
    }
    return {};
  }

  // Of a topic of the generator, in the form that is written now.
  bool holds_records(const std::string& name) const {
    const auto of_topic = [&](const char* topic) { return name.starts_with(std::string(topic) + "-"); };
    const auto ends = [&](const char* ending) { return name.ends_with(ending); };
    return (std::ranges::any_of(kStreamTopics, of_topic) || std::ranges::any_of(kReferenceTopics, of_topic)) &&
           (command_.keys ? ends(".tsv") : ends(".ndjson") || ends(".ndjson.gz") || ends(".ndjson.zst"));
  }

  Expected<std::unique_ptr<Outlet>> open() const {
    if (!command_.folder.empty()) {
      if (const Status clear = clear_folder(); !clear) return std::unexpected(clear.error());
      return std::make_unique<FilesOutlet>(command_.folder, command_.keys);
    }
    connectors::KafkaProducerOptions options{.bootstrap = command_.bootstrap};
    for (const std::string& property : command_.properties) {
      const size_t equals = property.find('=');
      if (equals == 0 || equals == std::string::npos) {
        return fail(ErrorKind::invalid,
                    "--kafka-property " + property + ": write NAME=VALUE, as in security.protocol=SASL_SSL");
      }
      options.overrides[property.substr(0, equals)] = property.substr(equals + 1);
    }
    std::vector<connectors::WantedTopic> topics;
    for (const char* topic : kStreamTopics) topics.push_back({topic, command_.partitions});
    for (const char* topic : kReferenceTopics) topics.push_back({topic, traffic_.reference_partitions});
    auto producer = connectors::open_kafka_producer(options, topics);
    if (!producer) return std::unexpected(producer.error());
    return std::make_unique<KafkaOutlet>(std::move(*producer));
  }

  Status write_records(connectors::Generator& generator, Outlet& outlet) {
    connectors::GeneratedRecord record;
    began_ = Clock::now();
    while (!interrupted && generator.next(record)) {
      wait_until_due(record.arrival);
      if (const Status written = outlet.write(record); !written) return written;
      if (++records_ % kLookUpEvery == 0 || command_.speed > 0) show_progress(record.arrival);
    }
    return {};
  }

  // Reference records come before the traffic and are not waited for.
  void wait_until_due(TimeMs arrival) const {
    if (command_.speed <= 0) return;
    const auto due = began_ + std::chrono::microseconds(
                                  static_cast<int64_t>(static_cast<double>(arrival - traffic_.start) * 1000 / command_.speed));
    while (!interrupted && Clock::now() < due) std::this_thread::sleep_until(std::min(due, Clock::now() + kLongestSleep));
  }

  void show_progress(TimeMs arrival) {
    if (!shows_progress_ || Clock::now() - drawn_at_ < kRedrawEvery) return;
    drawn_at_ = Clock::now();
    const double done = static_cast<double>(arrival - traffic_.start) / static_cast<double>(traffic_.length);
    std::cerr << fmt::format("\r{:3.0f} %  {}, traffic time {}", 100 * std::clamp(done, 0.0, 1.0), counted(records_, "record"),
                             format_rfc3339(arrival))
              << std::flush;
  }
  void clear_progress() const {
    if (shows_progress_) std::cerr << "\r\x1b[K" << std::flush;
  }

  Status write_truth(const std::vector<connectors::Injected>& truth) const {
    const std::string path = !command_.truth.empty()   ? command_.truth
                             : command_.folder.empty() ? ""
                                                       : command_.folder + "/truth.ndjson";
    if (path.empty()) return {};
    return connectors::TruthFile(path).write(truth);
  }

  const GenerateCommand& command_;
  connectors::GeneratorOptions traffic_;
  DurationMs length_ = 0;
  const bool shows_progress_ = isatty(STDERR_FILENO) == 1;
  uint64_t records_ = 0;
  Clock::time_point began_{}, drawn_at_{};
};

}  // namespace

int generate_traffic(const GenerateCommand& command) {
  std::signal(SIGINT, interrupt);
  std::signal(SIGTERM, interrupt);
  const Status status = Generation(command).run();
  if (status) return interrupted ? 1 : 0;
  std::cerr << "tillwatch: " << status.error().message << "\n";
  return status.error().kind == ErrorKind::invalid && command.folder.empty() == command.bootstrap.empty() ? 2 : 1;
}

}  // namespace tillwatch::engine
