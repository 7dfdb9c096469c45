// What Prometheus sees. The engine counts in plain numbers, per thread and without locks, and at each commit publishes their
// sums as a snapshot; a scrape renders the last one. So what is shown is committed, and counting costs next to nothing.
//
// The names, labels and meanings are the rows of a table in metrics.cc, and are listed in dashboards/metrics.txt.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "engine/histogram.h"

namespace tillwatch::engine {

// Sums of everything at a commit. Names are those of the schema and the rules: never a card, phone, merchant or transaction.
struct MetricsSnapshot {
  using Counts = std::vector<std::pair<std::string, uint64_t>>;

  struct Partition {
    std::string topic;
    int32_t number = 0;
    uint64_t read = 0, unwanted = 0, taken = 0, unknown_values = 0;
    Counts dead_lettered;  // by reason: name(DecodeFault)
    int64_t lag = -1;      // -1: not known
  };
  struct Stream {
    std::string name;
    uint64_t late = 0;
    TimeMs watermark = kBeforeAllTime;
  };
  struct Route {
    std::string name;
    uint64_t copies = 0, used = 0, repeated = 0, late = 0, failed = 0;
  };
  struct Alerts {
    std::string severity;
    Counts changes;  // by status: firing, updated, resolved, expired
    uint64_t open = 0;
  };
  struct Money {
    uint16_t currency = 0;  // ISO 4217 number; 0 counts as yuan
    int64_t minor = 0;
  };
  struct Rule {
    std::string name;
    uint64_t triggers = 0;
    Counts errors;  // by reason
    std::vector<Alerts> alerts;
    std::vector<Money> open_money;
    TimeMs clock = kBeforeAllTime;
    uint64_t obligations = 0;
  };

  // Of a shard of a group's member.
  struct GroupShard {
    uint16_t number = 0;
    int64_t exchange_lag = -1;                                 // records; -1: not known
    int64_t paused_ms = 0;                                     // owned and not served, for so long
    int64_t records_left = -1, bytes_left = -1, ms_left = -1;  // of a restore; -1: not known
  };
  struct Group {
    bool is = false;     // whether this is a group's member
    Counts shards;       // by state: served, restoring, kept
    Counts assignments;  // by what was given out: sources, shards
    uint64_t source_partitions = 0;
    uint64_t frames_taken = 0, copies_sent = 0;
    uint64_t restored_records = 0, restored_bytes = 0;
    uint64_t commits_refused = 0, commits_unknown = 0;
    std::vector<GroupShard> of_shards;
    Histogram pauses = pause_histogram();
  };

  std::vector<Partition> partitions;
  std::vector<Stream> streams;
  std::vector<Route> routes;
  std::vector<Rule> rules;
  Counts obligations_held;  // by feed
  uint64_t in_flight_records = 0;
  uint64_t commits_committed = 0, commits_aborted = 0;
  uint64_t reloads_accepted = 0, reloads_refused = 0;
  uint64_t rules_refused = 0;  // 1: the rule files are not what runs
  Histogram commit_seconds = commit_seconds_histogram();
  Histogram batch_records = batch_records_histogram();
  Histogram alert_latency_seconds = alert_latency_histogram();
  uint64_t state_keys = 0;
  uint64_t state_hot_keys = 0, state_budget_bytes = 0, state_evictions = 0, state_loads = 0;
  Group group;
  Counts state_bytes;  // by kind: hot, index, tables, disk, store_memory
};

// Hands the last snapshot from the engine to whoever shows it. Thread-safe.
class Scoreboard {
 public:
  void publish(MetricsSnapshot snapshot);
  std::shared_ptr<const MetricsSnapshot> last() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const MetricsSnapshot> last_ = std::make_shared<MetricsSnapshot>();
};

// A family shows at most so many series. What is beyond is added up in one series whose labels all say "other", or left out
// where a sum means nothing (clocks, lag).
inline constexpr size_t kMostSeries = 2000;

// Serves http://ADDRESS/metrics from threads of its own until it is destroyed.
class MetricsServer {
 public:
  // `listen` is "host:port"; port 0 takes a free one. `scoreboard` must outlive the server. Error: invalid, when the address is
  // none or taken.
  static Expected<std::unique_ptr<MetricsServer>> start(const std::string& listen, const Scoreboard& scoreboard,
                                                        const std::string& version);
  ~MetricsServer();

  // "127.0.0.1:9464", with the port it really has.
  const std::string& address() const { return address_; }

 private:
  struct Server;
  MetricsServer(std::unique_ptr<Server> server, std::string address);
  std::unique_ptr<Server> server_;
  std::string address_;
};

// Whether `listen` is "host:port", with a word on what is wrong otherwise.
Status check_listen_address(std::string_view listen);

// The names, types and labels of all families as dashboards/metrics.txt writes them: "NAME TYPE LABELS HELP", a line each.
std::string describe_metrics();

}  // namespace tillwatch::engine
