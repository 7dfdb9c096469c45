#include "engine/metrics.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <limits>
#include <span>
#include <thread>

#include "engine/base/mask.h"
#include "rules/program/currency.h"

namespace tillwatch::engine {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Snapshot = MetricsSnapshot;

constexpr size_t kLongestLabel = 200;  // bytes
constexpr size_t kMostLabels = 3;
constexpr uint16_t kYuan = 156;

// The series of one family, limited in number.
class Series {
 public:
  Series(MetricFamily& family, std::span<const std::string_view> labels, bool summable)
      : family_(family), labels_(labels), summable_(summable) {}

  void add(std::initializer_list<std::string> values, double value) {
    if (family_.metric.size() < kMostSeries) {
      set(append(values), value);
    } else if (summable_) {
      other_ += value;
      overflown_ = true;
    }
  }
  void add(const Histogram& histogram) {
    ClientMetric::Histogram& shown = append({}).histogram;
    shown.sample_count = histogram.count();
    shown.sample_sum = histogram.sum();
    uint64_t cumulative = 0;
    for (size_t i = 0; i < histogram.counts().size(); ++i) {
      const bool is_bounded = i < histogram.bounds().size();
      cumulative += histogram.counts()[i];
      shown.bucket.push_back({cumulative, is_bounded ? histogram.bounds()[i] : std::numeric_limits<double>::infinity()});
    }
  }
  void finish() {
    if (!overflown_) return;
    ClientMetric& metric = family_.metric.emplace_back();
    for (const std::string_view label : labels_) metric.label.push_back({std::string(label), "other"});
    set(metric, other_);
  }

 private:
  ClientMetric& append(std::initializer_list<std::string> values) {
    TILLWATCH_CHECK(values.size() == labels_.size());
    ClientMetric& metric = family_.metric.emplace_back();
    size_t i = 0;
    for (const std::string& value : values) {
      metric.label.push_back({std::string(labels_[i++]), masked_excerpt(value, kLongestLabel)});
    }
    return metric;
  }
  void set(ClientMetric& metric, double value) const {
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  }

  MetricFamily& family_;
  std::span<const std::string_view> labels_;
  bool summable_;
  bool overflown_ = false;
  double other_ = 0;
};

// --- how each family gets its series

using Fill = void (*)(const Snapshot&, Series&);

template <uint64_t Snapshot::Partition::* member>
void by_partition(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.partitions)
    series.add({each.topic, std::to_string(each.number)}, static_cast<double>(each.*member));
}

template <uint64_t Snapshot::Route::* member>
void by_route(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.routes) series.add({each.name}, static_cast<double>(each.*member));
}

template <uint64_t Snapshot::Rule::* member>
void by_rule(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.rules) series.add({each.name}, static_cast<double>(each.*member));
}

template <uint64_t Snapshot::* member>
void as_one(const Snapshot& snapshot, Series& series) {
  series.add({}, static_cast<double>(snapshot.*member));
}

template <Snapshot::Counts Snapshot::* member>
void by_name(const Snapshot& snapshot, Series& series) {
  for (const auto& [name, count] : snapshot.*member) series.add({name}, static_cast<double>(count));
}

template <Histogram Snapshot::* member>
void as_histogram(const Snapshot& snapshot, Series& series) {
  series.add(snapshot.*member);
}

void dead_lettered(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.partitions) {
    for (const auto& [reason, count] : each.dead_lettered) {
      series.add({each.topic, std::to_string(each.number), reason}, static_cast<double>(count));
    }
  }
}

void lag(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.partitions) {
    if (each.lag >= 0) series.add({each.topic, std::to_string(each.number)}, static_cast<double>(each.lag));
  }
}

void late_by_stream(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.streams) series.add({each.name}, static_cast<double>(each.late));
}

// A clock that is not yet defined shows 0.
double seconds(TimeMs time) { return time == kBeforeAllTime ? 0 : static_cast<double>(time) / kSecond; }

void watermarks(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.streams) series.add({each.name}, seconds(each.watermark));
}

void clocks(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.rules) series.add({each.name}, seconds(each.clock));
}

void alert_changes(const Snapshot& snapshot, Series& series) {
  for (const auto& rule : snapshot.rules) {
    for (const auto& alerts : rule.alerts) {
      for (const auto& [status, count] : alerts.changes)
        series.add({rule.name, alerts.severity, status}, static_cast<double>(count));
    }
  }
}

void alerts_open(const Snapshot& snapshot, Series& series) {
  for (const auto& rule : snapshot.rules) {
    for (const auto& alerts : rule.alerts) series.add({rule.name, alerts.severity}, static_cast<double>(alerts.open));
  }
}

void open_money(const Snapshot& snapshot, Series& series) {
  for (const auto& rule : snapshot.rules) {
    for (const auto& [number, minor] : rule.open_money) {
      const rules::Currency* const currency = rules::find_currency(number == 0 ? kYuan : number);
      series.add({rule.name, currency == nullptr ? std::to_string(number) : std::string(currency->code)},
                 static_cast<double>(minor));
    }
  }
}

void rule_errors(const Snapshot& snapshot, Series& series) {
  for (const auto& rule : snapshot.rules) {
    for (const auto& [reason, count] : rule.errors) series.add({rule.name, reason}, static_cast<double>(count));
  }
}

void commits(const Snapshot& snapshot, Series& series) {
  series.add({"committed"}, static_cast<double>(snapshot.commits_committed));
  series.add({"aborted"}, static_cast<double>(snapshot.commits_aborted));
  if (!snapshot.group.is) return;
  series.add({"refused"}, static_cast<double>(snapshot.group.commits_refused));
  series.add({"unknown"}, static_cast<double>(snapshot.group.commits_unknown));
}

// Of a group's member; others have no such series.
template <uint64_t Snapshot::Group::* member>
void of_group(const Snapshot& snapshot, Series& series) {
  if (snapshot.group.is) series.add({}, static_cast<double>(snapshot.group.*member));
}

template <Snapshot::Counts Snapshot::Group::* member>
void of_group_by_name(const Snapshot& snapshot, Series& series) {
  for (const auto& [name, count] : snapshot.group.*member) series.add({name}, static_cast<double>(count));
}

void pauses(const Snapshot& snapshot, Series& series) {
  if (snapshot.group.is) series.add(snapshot.group.pauses);
}

// What is not known is not shown. `unit` of the number makes 1 of what is shown.
template <int64_t Snapshot::GroupShard::* member, int unit>
void by_shard(const Snapshot& snapshot, Series& series) {
  for (const auto& each : snapshot.group.of_shards) {
    if (each.*member >= 0) series.add({std::to_string(each.number)}, static_cast<double>(each.*member) / unit);
  }
}

void rule_reloads(const Snapshot& snapshot, Series& series) {
  series.add({"accepted"}, static_cast<double>(snapshot.reloads_accepted));
  series.add({"refused"}, static_cast<double>(snapshot.reloads_refused));
}

// From /proc/self/statm: pages in all, pages resident.
void resident_bytes(const Snapshot&, Series& series) {
  std::ifstream file("/proc/self/statm");
  double all = 0;
  double resident = 0;
  if (file >> all >> resident) series.add({}, resident * static_cast<double>(sysconf(_SC_PAGESIZE)));
}

// --- the table

struct Family {
  std::string_view name;
  MetricType type;
  std::array<std::string_view, kMostLabels> labels;  // the rest are empty
  std::string_view help;
  Fill fill;  // null: the version, which is no part of a snapshot
  bool summable = true;

  std::span<const std::string_view> label_names() const {
    return {labels.begin(), std::ranges::find(labels, std::string_view{})};
  }
};

constexpr MetricType kCounter = MetricType::Counter;
constexpr MetricType kGauge = MetricType::Gauge;
constexpr MetricType kHistogram = MetricType::Histogram;
using P = Snapshot::Partition;
using R = Snapshot::Route;
using G = Snapshot::Group;
using S = Snapshot::GroupShard;

constexpr Family kFamilies[] = {
    {"tillwatch_records_read_total",
     kCounter,
     {"topic", "partition"},
     "Records read from a source partition and committed.",
     by_partition<&P::read>},
    {"tillwatch_records_dead_lettered_total",
     kCounter,
     {"topic", "partition", "reason"},
     "Records that could not be read and went to the dead-letter topic.",
     dead_lettered},
    {"tillwatch_records_unwanted_total",
     kCounter,
     {"topic", "partition"},
     "Records that no rule asks for.",
     by_partition<&P::unwanted>},
    {"tillwatch_records_taken_total",
     kCounter,
     {"topic", "partition"},
     "Records that became an event of a stream or a row of a table.",
     by_partition<&P::taken>},
    {"tillwatch_unknown_values_total",
     kCounter,
     {"topic", "partition"},
     "Values that their enum does not list, read as unknown.",
     by_partition<&P::unknown_values>},
    {"tillwatch_records_late_total",
     kCounter,
     {"stream"},
     "Events that came later than their stream's lateness.",
     late_by_stream},
    {"tillwatch_route_copies_total", kCounter, {"route"}, "Copies of events sent along a route.", by_route<&R::copies>},
    {"tillwatch_route_used_total", kCounter, {"route"}, "Copies that a rule has seen.", by_route<&R::used>},
    {"tillwatch_route_repeated_total",
     kCounter,
     {"route"},
     "Copies dropped because the event had been seen before.",
     by_route<&R::repeated>},
    {"tillwatch_route_late_total", kCounter, {"route"}, "Copies that came too late for their rules.", by_route<&R::late>},
    {"tillwatch_route_failed_total",
     kCounter,
     {"route"},
     "Copies that became dead letters because working on them failed.",
     by_route<&R::failed>},
    {"tillwatch_in_flight_records", kGauge, {}, "Records polled and not committed yet.", as_one<&Snapshot::in_flight_records>},
    {"tillwatch_alerts_total",
     kCounter,
     {"rule", "severity", "status"},
     "Changes of alerts; status is firing, updated, resolved or expired.",
     alert_changes},
    {"tillwatch_alerts_open", kGauge, {"rule", "severity"}, "Standing alerts.", alerts_open},
    {"tillwatch_alerts_open_money_minor",
     kGauge,
     {"rule", "currency"},
     "Money of the standing alerts, in the currency's smallest unit.",
     open_money},
    {"tillwatch_rule_errors_total", kCounter, {"rule", "reason"}, "Evaluations of a rule that ended in an error.", rule_errors},
    {"tillwatch_rule_triggers_total", kCounter, {"rule"}, "Events that started a rule.", by_rule<&Snapshot::Rule::triggers>},
    {"tillwatch_stream_watermark_seconds",
     kGauge,
     {"stream"},
     "Event time up to which a stream is complete, in seconds since 1970.",
     watermarks,
     false},
    {"tillwatch_rule_clock_seconds",
     kGauge,
     {"rule"},
     "Event time a rule has decided up to, in seconds since 1970.",
     clocks,
     false},
    {"tillwatch_obligations",
     kGauge,
     {"rule"},
     "Awaited events whose deadline has not passed.",
     by_rule<&Snapshot::Rule::obligations>},
    {"tillwatch_obligations_held",
     kGauge,
     {"feed"},
     "Obligations past their deadline, held because their feed is dark.",
     by_name<&Snapshot::obligations_held>},
    {"tillwatch_commit_seconds",
     kHistogram,
     {},
     "Time from the end of a batch to its commit.",
     as_histogram<&Snapshot::commit_seconds>},
    {"tillwatch_batch_records", kHistogram, {}, "Records of a committed batch.", as_histogram<&Snapshot::batch_records>},
    {"tillwatch_alert_latency_seconds",
     kHistogram,
     {},
     "Time from the arrival of the deciding record to the commit of its alert.",
     as_histogram<&Snapshot::alert_latency_seconds>},
    {"tillwatch_commits_total",
     kCounter,
     {"outcome"},
     "Commits; outcome is committed, aborted, and in a group refused (others own the partitions) or unknown (no answer).",
     commits},
    {"tillwatch_rule_reloads_total", kCounter, {"outcome"}, "Changed rules; outcome is accepted or refused.", rule_reloads},
    {"tillwatch_rules_refused",
     kGauge,
     {},
     "1 while the rule files were refused and older rules run, else 0.",
     as_one<&Snapshot::rules_refused>},
    {"tillwatch_state_keys", kGauge, {}, "Live keys, by rule and key.", as_one<&Snapshot::state_keys>},
    {"tillwatch_state_hot_keys", kGauge, {}, "Live keys whose state is in memory.", as_one<&Snapshot::state_hot_keys>},
    {"tillwatch_state_budget_bytes",
     kGauge,
     {},
     "What hot and index may take together: three quarters of state.memory_budget.",
     as_one<&Snapshot::state_budget_bytes>},
    {"tillwatch_state_evictions_total",
     kCounter,
     {},
     "States left to the store because memory was full.",
     as_one<&Snapshot::state_evictions>},
    {"tillwatch_state_loads_total", kCounter, {}, "States read back from the store.", as_one<&Snapshot::state_loads>},
    {"tillwatch_state_bytes",
     kGauge,
     {"kind"},
     "Bytes of state; kind is hot (states in memory), index (keys and wake-ups), tables, disk, or store_memory (caches and "
     "write "
     "buffers).",
     by_name<&Snapshot::state_bytes>},
    {"tillwatch_process_resident_bytes", kGauge, {}, "Resident memory of the process.", resident_bytes},
    {"tillwatch_consumer_lag_records",
     kGauge,
     {"topic", "partition"},
     "Records between the committed position and the end of a partition.",
     lag,
     false},
    {"tillwatch_group_shards",
     kGauge,
     {"state"},
     "Shards of a group's member; state is served, restoring, or kept (given to others, still in memory).",
     of_group_by_name<&G::shards>},
    {"tillwatch_group_source_partitions",
     kGauge,
     {},
     "Source partitions that a group's member reads.",
     of_group<&G::source_partitions>},
    {"tillwatch_group_assignments_total",
     kCounter,
     {"of"},
     "Times that a group's member was given partitions anew; of is sources or shards.",
     of_group_by_name<&G::assignments>},
    {"tillwatch_exchange_lag_records",
     kGauge,
     {"shard"},
     "Records of the exchange that wait for a shard.",
     by_shard<&S::exchange_lag, 1>,
     false},
    {"tillwatch_exchange_frames_total",
     kCounter,
     {},
     "Records of the exchange that a group's member has taken in.",
     of_group<&G::frames_taken>},
    {"tillwatch_exchange_copies_total",
     kCounter,
     {},
     "Copies of events that a group's member has sent through the exchange.",
     of_group<&G::copies_sent>},
    {"tillwatch_restore_records_total",
     kCounter,
     {},
     "Changelog records read to bring shards up.",
     of_group<&G::restored_records>},
    {"tillwatch_restore_bytes_total",
     kCounter,
     {},
     "Bytes of changelog read to bring shards up.",
     of_group<&G::restored_bytes>},
    {"tillwatch_restore_records_left",
     kGauge,
     {"shard"},
     "Changelog offsets a shard that is brought up has still to read; compaction leaves fewer records.",
     by_shard<&S::records_left, 1>},
    {"tillwatch_restore_bytes_left",
     kGauge,
     {"shard"},
     "The same in bytes, by what was read so far.",
     by_shard<&S::bytes_left, 1>},
    {"tillwatch_restore_seconds_left",
     kGauge,
     {"shard"},
     "How long that takes at the pace so far.",
     by_shard<&S::ms_left, kSecond>,
     false},
    {"tillwatch_shard_paused_seconds",
     kGauge,
     {"shard"},
     "How long a shard of this member has not been served so far; 0 when it is.",
     by_shard<&S::paused_ms, kSecond>,
     false},
    {"tillwatch_shard_pause_seconds",
     kHistogram,
     {},
     "Time from when a shard was given to a member to when it was served.",
     pauses},
    {"tillwatch_build_info", kGauge, {"version"}, "Always 1; the version is in its label.", nullptr},
};

class Collector final : public prometheus::Collectable {
 public:
  Collector(const Scoreboard& scoreboard, std::string version) : scoreboard_(scoreboard), version_(std::move(version)) {}

  std::vector<MetricFamily> Collect() const override {
    const std::shared_ptr<const Snapshot> snapshot = scoreboard_.last();
    std::vector<MetricFamily> collected;
    for (const Family& family : kFamilies) {
      MetricFamily& shown = collected.emplace_back();
      shown.name = family.name;
      shown.help = family.help;
      shown.type = family.type;
      Series series(shown, family.label_names(), family.summable);
      if (family.fill == nullptr) {
        series.add({version_}, 1);
      } else {
        family.fill(*snapshot, series);
      }
      series.finish();
    }
    return collected;
  }

 private:
  const Scoreboard& scoreboard_;
  const std::string version_;
};

// Connects to a port of this machine and hangs up.
void knock(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection < 0) return;
  // Refused: it has stopped already.
  [[maybe_unused]] const int refused = connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  close(connection);
}

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    default:
      return "histogram";
  }
}

}  // namespace

void Scoreboard::publish(MetricsSnapshot snapshot) {
  auto published = std::make_shared<const MetricsSnapshot>(std::move(snapshot));
  const std::lock_guard lock(mutex_);
  last_.swap(published);  // the old one is freed after the lock
}

std::shared_ptr<const MetricsSnapshot> Scoreboard::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

Status check_listen_address(std::string_view listen) {
  constexpr int kMostPorts = 65535;
  const size_t colon = listen.rfind(':');
  const std::string_view host = listen.substr(0, std::min(colon, listen.size()));
  const std::string_view port = colon == std::string_view::npos ? std::string_view{} : listen.substr(colon + 1);
  int number = -1;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_port =
      !port.empty() && error == std::errc() && end == port.data() + port.size() && number >= 0 && number <= kMostPorts;
  const bool is_host = !host.empty() && host.find_first_not_of("0123456789.abcdefABCDEF:[]") == std::string_view::npos;
  if (is_port && is_host) return {};
  return fail(
      ErrorKind::invalid,
      fmt::format("\"{}\" is no address to listen on; write an IP address and a port, such as 127.0.0.1:9464 (or 0.0.0.0:9464 "
                  "for all interfaces)",
                  masked_excerpt(listen, kLongestLabel)));
}

std::string describe_metrics() {
  std::string text;
  for (const Family& family : kFamilies) {
    const auto names = family.label_names();
    const std::string labels = names.empty() ? "-" : fmt::format("{}", fmt::join(names, ","));
    text += fmt::format("{} {} {} {}\n", family.name, type_name(family.type), labels, family.help);
  }
  return text;
}

struct MetricsServer::Server {
  Server(const std::string& listen, const Scoreboard& scoreboard, const std::string& version)
      : collector(std::make_shared<Collector>(scoreboard, version)), exposer(std::make_unique<prometheus::Exposer>(listen, 1)) {
    exposer->RegisterCollectable(collector);
  }
  // civetweb notices that it is to stop when somebody connects or two seconds have passed. Somebody connects.
  ~Server() {
    const std::vector<int> ports = exposer->GetListeningPorts();
    const std::jthread visitor([&ports](const std::stop_token& stopped) {
      while (!ports.empty() && !stopped.stop_requested()) {
        knock(ports.front());
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    exposer.reset();
  }

  std::shared_ptr<Collector> collector;
  std::unique_ptr<prometheus::Exposer> exposer;
};

MetricsServer::MetricsServer(std::unique_ptr<Server> server, std::string address)
    : server_(std::move(server)), address_(std::move(address)) {}
MetricsServer::~MetricsServer() = default;

Expected<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::string& listen, const Scoreboard& scoreboard,
                                                              const std::string& version) {
  if (Status checked = check_listen_address(listen); !checked) return std::unexpected(checked.error());
  try {
    auto server = std::make_unique<Server>(listen, scoreboard, version);
    const std::vector<int> ports = server->exposer->GetListeningPorts();
    const std::string host = listen.substr(0, listen.rfind(':'));
    std::string address = ports.empty() ? listen : fmt::format("{}:{}", host, ports.front());
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(server), std::move(address)));
  } catch (const std::exception&) {  // civetweb's, whose text says only "null context"
    return fail(ErrorKind::invalid,
                fmt::format("cannot serve metrics at {}: the address is taken, or not this machine's. Is another "
                            "tillwatch running? Choose another with metrics.listen, port 0 for a free one, or `off`",
                            listen));
  }
}

}  // namespace tillwatch::engine
