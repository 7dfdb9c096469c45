// What a running engine shows: numbers for Prometheus after each commit.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/alert.h"
#include "engine/metrics.h"
#include "engine/runner.h"

namespace tillwatch::engine {

class Observer {
 public:
  // Puts the engine's own numbers into a snapshot (engine_numbers.h), of the last commit.
  using Gather = std::function<void(MetricsSnapshot&)>;
  explicit Observer(Gather gather);
  ~Observer();

  // Lets Prometheus scrape at "HOST:PORT" (port 0: any free one); "off": nothing is opened. Error: invalid, unavailable.
  Status expose(const std::string& listen);
  const std::string& address() const { return address_; }  // empty: not exposed

  void count_reloads(uint64_t accepted, uint64_t refused) { reloads_ = {accepted, refused}; }

  // After each commit. `took` is the time the commit took.
  struct Committed {
    const std::vector<AlertRecord>* alerts = nullptr;
    size_t records = 0;
    std::chrono::nanoseconds took{};
  };
  void note(const Committed& commit);
  // Between commits, as often as one likes: shows what moves without them.
  void look();
  // Alerts of other shards are not counted as standing any more: this process does not hear of their end.
  void keep_shards(const std::set<uint16_t>& shards);

  uint64_t records() const { return records_; }
  double events_per_second() const { return rate_; }

 private:
  struct Numbers;
  void count_alerts(const std::vector<AlertRecord>& alerts);
  void publish();

  const Gather gather_;
  std::string address_;
  std::unique_ptr<Numbers> numbers_;
  std::pair<uint64_t, uint64_t> reloads_;  // accepted, refused
  uint64_t records_ = 0;
  uint64_t records_at_rate_ = 0;
  std::chrono::steady_clock::time_point rate_at_;
  double rate_ = 0;
};

// The numbers of one process with all shards.
void gather(const Runner& runner, MetricsSnapshot& snapshot);

}  // namespace tillwatch::engine
