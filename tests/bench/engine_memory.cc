#include "tests/bench/engine_memory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "engine/pipeline.h"
#include "tests/bench/engine_workload.h"
#include "tests/engine/world.h"

namespace tillwatch::engine::bench {
namespace {

// notify-unsent without its tables: a debit waits for the notice it is owed.
const char* const kSchema = R"yaml(
streams:
  debit:
    topic: debits
    time: occurred_at
    id: [event_id]
    lateness: 10s
    fields:
      event_id: string
      txn_id: string
      occurred_at: time
      amount: money(amount_minor, currency)
      card_token: string
      merchant_id: string
      issuer_id: string
  notice:
    topic: notices
    time: occurred_at
    id: [event_id]
    lateness: 10s
    fields:
      event_id: string
      txn_id: string
      occurred_at: time
      role: string
      sent: bool
)yaml";
const char* const kRule = R"yaml(
rule: owed-a-notice
version: 1
title: {en: Notification not sent, zh: 应发未发}
doc: What a key costs while it waits.
on: debit as d
key: [txn_id]
then:
  - absent: notice
    where: sent and role == "cardholder"
    within: [-10m, 120s]
    grace: 10s
    severity: medium
  - absent: notice
    where: sent and role == "cardholder"
    within: [-10m, 300s]
    grace: 10s
    severity: critical
resolve:
  - after: 24h
message:
  en: "{d.merchant_id}: {d.amount:money} was debited from {d.card_token} and {d.issuer_id} told nobody."
  zh: "{d.merchant_id}: {d.card_token} 被扣款 {d.amount:money}，{d.issuer_id} 未通知。"
)yaml";

constexpr size_t kBatch = 20'000;
constexpr TimeMs kStart = 1'795'276'800'000;
constexpr DurationMs kSpan = 90 * kSecond;  // all debits within it, so none is due

size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void print_memory(size_t keys) {
  const auto bundle = load_rule_texts({{"schema.yaml", kSchema}, {"rule.yaml", kRule}});
  Pipeline pipeline(bundle, {}, nullptr);
  require(pipeline.load(), "loading the state");
  pipeline.set_inputs(std::vector<connectors::Partition>{{"debits", 0}, {"notices", 0}});
  connectors::RecordBatch batch;
  size_t before = 0;
  const auto began = std::chrono::steady_clock::now();
  for (size_t done = 0; done < keys;) {
    batch.clear();
    for (const size_t end = std::min(keys, done + kBatch); done < end; ++done) {
      const TimeMs time = kStart + static_cast<TimeMs>(done * kSpan / keys);
      batch.add(
          0, static_cast<int64_t>(done), time, "",
          fmt::format(
              R"({{"event_id":"E{0:012}","txn_id":"T20261122{0:012}","occurred_at":{1},"amount_minor":{2},"currency":"CNY",)"
              R"("card_token":"tok_{3:016x}","merchant_id":"99058105812{4:04}","issuer_id":"{5:04}"}})",
              done, time, 1000 + done % 90'000, done % 500'000, done % 10'000, 100 + done % 20));
    }
    if (before == 0) before = resident_bytes();
    require(pipeline.process(batch, batch.records().back().arrived_at), "taking records in");
    require(pipeline.settle(), "moving the clocks");
    Outcome outcome;
    state::WriteSet changes;
    pipeline.collect(outcome, changes);
    pipeline.confirm();
    if (!outcome.alerts.empty() || !outcome.dead_letters.empty()) {
      const std::string said = outcome.alerts.empty() ? outcome.dead_letters[0].json : outcome.alerts[0].json;
      require(fail(ErrorKind::invalid, said), "filling the memory");
    }
  }
  const double seconds = seconds_since(began);
  const size_t grown = resident_bytes() - before;
  size_t live = 0, counted = 0;
  int64_t waiting = 0;
  for (const auto& shard : pipeline.shards()) {
    live += shard->keys();
    counted += shard->bytes();
    for (const int64_t of_rule : shard->obligations()) waiting += of_rule;
  }
  const double per_key = static_cast<double>(grown) / static_cast<double>(live);
  fmt::print("| {} | {} | {:.0f} | {:.0f} | {:.0f} | {:.0f} |\n", live, waiting, static_cast<double>(grown) / 1e6, per_key,
             static_cast<double>(counted) / static_cast<double>(live), static_cast<double>(keys) / seconds);
}

}  // namespace tillwatch::engine::bench
