#include "engine/observer.h"

#include <map>

#include "engine/commands.h"
#include "engine/metrics.h"

namespace tillwatch::engine {
namespace {

constexpr std::chrono::milliseconds kPublishEvery{200};  // a scrape comes every few seconds at most

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

struct Observer::Numbers {
  using Severities = std::map<std::string, MetricsSnapshot::Alerts>;
  Scoreboard scoreboard;
  std::unique_ptr<MetricsServer> server;
  std::map<std::string, Severities> alerts;                       // by rule, severity
  std::map<std::string, std::map<uint16_t, int64_t>> open_money;  // by rule, currency
  struct Open {
    std::string severity;
    uint16_t currency = 0;
    int64_t money_minor = 0;
  };
  std::map<std::string, std::map<std::string, Open>> open;  // by rule, alert id
  Histogram commit_seconds = commit_seconds_histogram();
  Histogram batch_records = batch_records_histogram();
  Histogram alert_latency = alert_latency_histogram();
  uint64_t committed = 0, aborted = 0;
  std::chrono::steady_clock::time_point published;
};

Observer::Observer(const Runner& runner, std::shared_ptr<const rules::CompiledBundle> bundle)
    : runner_(runner), bundle_(std::move(bundle)), numbers_(std::make_unique<Numbers>()) {}
Observer::~Observer() = default;

Status Observer::expose(const std::string& listen) {
  if (listen.empty() || listen == "off") return {};
  auto server = MetricsServer::start(listen, numbers_->scoreboard, version());
  if (!server) return std::unexpected(server.error());
  numbers_->server = std::move(*server);
  address_ = numbers_->server->address();
  return {};
}

void Observer::note(const CommitReport& report) {
  records_ += report.records;
  const auto now = std::chrono::steady_clock::now();
  const bool first = rate_at_ == std::chrono::steady_clock::time_point{};
  const double passed = first ? 0 : seconds(now - rate_at_);
  if (first || passed >= 1) {
    rate_ = first ? 0 : static_cast<double>(records_ - records_at_rate_) / passed;
    rate_at_ = now;
    records_at_rate_ = records_;
  }
  Numbers& numbers = *numbers_;
  ++numbers.committed;
  numbers.aborted = report.aborted;
  numbers.commit_seconds.observe(seconds(report.commit));
  if (report.records > 0) numbers.batch_records.observe(static_cast<double>(report.records));
  const TimeMs wall = wall_clock_ms();
  for (const AlertRecord& alert : report.outcome->alerts) {
    if (alert.arrived_at > 0)
      numbers.alert_latency.observe(static_cast<double>(std::max<TimeMs>(0, wall - alert.arrived_at)) / 1000);
  }
  count_alerts(*report.outcome);
  if (!numbers.server || now - numbers.published < kPublishEvery) return;
  numbers.published = now;
  publish();
}

void Observer::count_alerts(const Outcome& outcome) {
  Numbers& numbers = *numbers_;
  for (const AlertRecord& alert : outcome.alerts) {
    auto& open = numbers.open[alert.rule];
    auto& severities = numbers.alerts[alert.rule];
    const auto change = [&](const std::string& severity, const std::string& status) {
      MetricsSnapshot::Alerts& counts = severities[severity];
      counts.severity = severity;
      for (auto& [name, count] : counts.changes) {
        if (name != status) continue;
        ++count;
        return;
      }
      counts.changes.emplace_back(status, 1);
    };
    if (alert.first && alert.status != "firing") change(alert.severity, "firing");
    change(alert.severity, alert.status);
    auto& money = numbers.open_money[alert.rule];
    if (const auto before = open.find(alert.id); before != open.end()) {
      --severities[before->second.severity].open;
      money[before->second.currency] -= before->second.money_minor;
      open.erase(before);
    }
    if (alert.status != "firing" && alert.status != "updated") continue;
    open[alert.id] = {alert.severity, alert.currency, alert.money_minor};
    ++severities[alert.severity].open;
    money[alert.currency] += alert.money_minor;
  }
}

void Observer::publish() {
  Numbers& numbers = *numbers_;
  const Pipeline& pipeline = runner_.pipeline();
  const rules::Schema& schema = bundle_->source.schema;
  MetricsSnapshot snapshot;
  std::map<std::string, uint64_t> late;
  for (const auto& [name, ledger] : pipeline.ledger().partitions) {
    const size_t slash = name.rfind('/');
    MetricsSnapshot::Partition partition;
    partition.topic = name.substr(0, slash);
    partition.number = std::stoi(name.substr(slash + 1));
    partition.read = ledger.read;
    partition.unwanted = ledger.unwanted;
    partition.taken = ledger.taken;
    partition.unknown_values = ledger.unknown_values;
    partition.lag = runner_.lag(partition.topic, partition.number);
    for (int fault = 1; fault < kDecodeFaults; ++fault) {
      const uint64_t dead = ledger.dead[static_cast<size_t>(fault)];
      if (dead > 0) partition.dead_lettered.emplace_back(tillwatch::engine::name(static_cast<DecodeFault>(fault)), dead);
    }
    late[partition.topic] += ledger.late;
    snapshot.partitions.push_back(std::move(partition));
  }
  const std::vector<TimeMs>& clocks = pipeline.watermarks().plain();
  for (size_t i = 0; i < schema.streams.size(); ++i) {
    if (schema.streams[i].origin == rules::Stream::Origin::view) continue;
    const TimeMs clock = clocks[i] >= kAfterAllTime ? kBeforeAllTime : clocks[i];
    snapshot.streams.push_back({schema.streams[i].name, late[schema.streams[i].topic], clock});
  }
  for (const auto& [name, route] : pipeline.ledger().routes) {
    snapshot.routes.push_back({name, route.copies, route.used, route.repeated, route.late});
  }
  for (size_t i = 0; i < bundle_->rules.size(); ++i) {
    const rules::CompiledRule& compiled = *bundle_->rules[i];
    MetricsSnapshot::Rule rule;
    rule.name = compiled.name;
    rules::RuleCounts counts;
    for (const auto& shard : pipeline.shards()) {
      const rules::RuleCounts& one = shard->machine().counts(static_cast<int>(i));
      counts.triggers += one.triggers;
      counts.divide_by_zero += one.divide_by_zero;
      counts.overflow += one.overflow;
      counts.currency_mismatch += one.currency_mismatch;
      rule.obligations += static_cast<uint64_t>(shard->obligations()[i]);
    }
    rule.triggers = counts.triggers;
    rule.errors = {{"divide_by_zero", counts.divide_by_zero},
                   {"overflow", counts.overflow},
                   {"currency_mismatch", counts.currency_mismatch}};
    const TimeMs clock = pipeline.watermarks().clocks()[static_cast<size_t>(compiled.clock)];
    rule.clock = clock >= kAfterAllTime ? kBeforeAllTime : clock;
    for (const auto& [severity, alerts] : numbers.alerts[compiled.name]) rule.alerts.push_back(alerts);
    for (const auto& [currency, minor] : numbers.open_money[compiled.name]) rule.open_money.push_back({currency, minor});
    snapshot.rules.push_back(std::move(rule));
  }
  for (const Feed& feed : pipeline.feeds()) {
    if (feed.dark) snapshot.obligations_held.emplace_back(feed.name, feed.waiting);
  }
  snapshot.reloads_accepted = reloads_.first;
  snapshot.reloads_refused = reloads_.second;
  snapshot.rules_refused = pipeline.history().refusal_stands() ? 1 : 0;
  snapshot.commits_committed = numbers.committed;
  snapshot.commits_aborted = numbers.aborted;
  snapshot.commit_seconds = numbers.commit_seconds;
  snapshot.batch_records = numbers.batch_records;
  snapshot.alert_latency_seconds = numbers.alert_latency;
  rules::Shard::Memory memory;
  for (const auto& shard : pipeline.shards()) {
    snapshot.state_keys += shard->keys();
    memory += shard->memory();
  }
  snapshot.state_hot_keys = memory.hot_keys;
  snapshot.state_evictions = memory.evictions;
  snapshot.state_loads = memory.loads;
  snapshot.state_budget_bytes = pipeline.state_budget_bytes();
  const state::Store::Size size = runner_.store_size();
  snapshot.state_bytes = {{"hot", memory.state_bytes},
                          {"index", memory.index_bytes},
                          {"tables", pipeline.tables().bytes()},
                          {"disk", size.disk},
                          {"store_memory", size.memory}};
  numbers.scoreboard.publish(std::move(snapshot));
}

}  // namespace tillwatch::engine
