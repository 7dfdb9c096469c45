#include "engine/observer.h"

#include <map>

#include "engine/commands.h"
#include "engine/engine_numbers.h"

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
    uint16_t shard = 0;
    std::string severity;
    uint16_t currency = 0;
    int64_t money_minor = 0;
  };
  std::map<std::string, std::map<std::string, Open>> open;  // by rule, alert id
  Histogram commit_seconds = commit_seconds_histogram();
  Histogram batch_records = batch_records_histogram();
  Histogram alert_latency = alert_latency_histogram();
  uint64_t committed = 0;
  std::chrono::steady_clock::time_point published;
};

Observer::Observer(Gather gather) : gather_(std::move(gather)), numbers_(std::make_unique<Numbers>()) {}
Observer::~Observer() = default;

Status Observer::expose(const std::string& listen) {
  if (listen.empty() || listen == "off") return {};
  auto server = MetricsServer::start(listen, numbers_->scoreboard, version());
  if (!server) return std::unexpected(server.error());
  numbers_->server = std::move(*server);
  address_ = numbers_->server->address();
  return {};
}

void Observer::note(const Committed& commit) {
  records_ += commit.records;
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
  numbers.commit_seconds.observe(seconds(commit.took));
  if (commit.records > 0) numbers.batch_records.observe(static_cast<double>(commit.records));
  const TimeMs wall = wall_clock_ms();
  for (const AlertRecord& alert : *commit.alerts) {
    if (alert.arrived_at > 0)
      numbers.alert_latency.observe(static_cast<double>(std::max<TimeMs>(0, wall - alert.arrived_at)) / 1000);
  }
  count_alerts(*commit.alerts);
  look();
}

void Observer::look() {
  const auto now = std::chrono::steady_clock::now();
  if (!numbers_->server || now - numbers_->published < kPublishEvery) return;
  numbers_->published = now;
  publish();
}

void Observer::keep_shards(const std::set<uint16_t>& shards) {
  Numbers& numbers = *numbers_;
  for (auto& [rule, open] : numbers.open) {
    for (auto each = open.begin(); each != open.end();) {
      const Numbers::Open& alert = each->second;
      if (shards.contains(alert.shard)) {
        ++each;
        continue;
      }
      --numbers.alerts[rule][alert.severity].open;
      numbers.open_money[rule][alert.currency] -= alert.money_minor;
      each = open.erase(each);
    }
  }
}

void Observer::count_alerts(const std::vector<AlertRecord>& alerts) {
  Numbers& numbers = *numbers_;
  for (const AlertRecord& alert : alerts) {
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
    open[alert.id] = {alert.shard, alert.severity, alert.currency, alert.money_minor};
    ++severities[alert.severity].open;
    money[alert.currency] += alert.money_minor;
  }
}

void Observer::publish() {
  Numbers& numbers = *numbers_;
  MetricsSnapshot snapshot;
  gather_(snapshot);
  for (MetricsSnapshot::Rule& rule : snapshot.rules) {
    for (const auto& [severity, alerts] : numbers.alerts[rule.name]) rule.alerts.push_back(alerts);
    for (const auto& [currency, minor] : numbers.open_money[rule.name]) rule.open_money.push_back({currency, minor});
  }
  snapshot.reloads_accepted = reloads_.first;
  snapshot.reloads_refused = reloads_.second;
  snapshot.commits_committed = numbers.committed;
  snapshot.commit_seconds = numbers.commit_seconds;
  snapshot.batch_records = numbers.batch_records;
  snapshot.alert_latency_seconds = numbers.alert_latency;
  numbers.scoreboard.publish(std::move(snapshot));
}

void gather(const Runner& runner, MetricsSnapshot& snapshot) {
  const Pipeline& pipeline = runner.pipeline();
  const rules::CompiledBundle& bundle = pipeline.bundle();
  EngineNumbers numbers(bundle, snapshot);
  for (const auto& [name, ledger] : pipeline.ledger().partitions) {
    const size_t slash = name.rfind('/');
    numbers.add_partition(name, ledger, runner.lag(name.substr(0, slash), std::stoi(name.substr(slash + 1))));
  }
  numbers.add_clocks(pipeline.watermarks());
  ShardCounts counts(bundle), of_shard(bundle);
  const ShardCounts nothing(bundle);
  for (const auto& shard : pipeline.shards()) {
    numbers.add_state(*shard);
    of_shard.read(bundle, {}, *shard);
    counts.add(of_shard, nothing);
  }
  for (size_t i = 0; i < counts.routes.size(); ++i) {
    counts.routes[i] = pipeline.ledger().routes.at(bundle.subscriptions[i].name);
  }
  numbers.set_counts(counts);
  for (const Feed& feed : pipeline.feeds()) {
    if (feed.dark) snapshot.obligations_held.emplace_back(feed.name, feed.waiting);
  }
  snapshot.rules_refused = pipeline.history().refusal_stands() ? 1 : 0;
  snapshot.commits_aborted = runner.aborted();
  numbers.set_bytes(pipeline.tables().bytes(), pipeline.state_budget_bytes(), runner.store_size());
  numbers.finish();
}

}  // namespace tillwatch::engine
