// What a running engine shows: numbers for Prometheus after each commit.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "engine/runner.h"

namespace tillwatch::engine {

class Observer {
 public:
  Observer(const Runner& runner, std::shared_ptr<const rules::CompiledBundle> bundle);
  ~Observer();

  // Lets Prometheus scrape at "HOST:PORT" (port 0: any free one); "off": nothing is opened. Error: invalid, unavailable.
  Status expose(const std::string& listen);
  const std::string& address() const { return address_; }  // empty: not exposed

  // Another bundle runs; its counts begin at nothing.
  void rules_reloaded(std::shared_ptr<const rules::CompiledBundle> bundle) { bundle_ = std::move(bundle); }
  void count_reloads(uint64_t accepted, uint64_t refused) { reloads_ = {accepted, refused}; }

  // After each commit.
  void note(const CommitReport& report);

  uint64_t records() const { return records_; }
  double events_per_second() const { return rate_; }

 private:
  struct Numbers;
  void count_alerts(const Outcome& outcome);
  void publish();

  const Runner& runner_;
  std::shared_ptr<const rules::CompiledBundle> bundle_;
  std::string address_;
  std::unique_ptr<Numbers> numbers_;
  std::pair<uint64_t, uint64_t> reloads_;  // accepted, refused
  uint64_t records_ = 0;
  uint64_t records_at_rate_ = 0;
  std::chrono::steady_clock::time_point rate_at_;
  double rate_ = 0;
};

}  // namespace tillwatch::engine
