#include "tests/bench/engine_memory.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/pipeline.h"
#include "tests/bench/engine_workload.h"
#include "tests/bench/progress.h"
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

struct Resident {
  size_t now = 0, peak = 0;  // bytes
};

Resident resident() {
  std::ifstream status("/proc/self/status");
  Resident resident;
  for (std::string line; std::getline(status, line);) {
    const auto kilobytes = [&] { return std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10); };
    if (line.starts_with("VmRSS:")) resident.now = kilobytes() * 1024;
    if (line.starts_with("VmHWM:")) resident.peak = kilobytes() * 1024;
  }
  return resident;
}

connectors::RecordBatch debits(size_t first, size_t end, size_t keys) {
  connectors::RecordBatch batch;
  for (size_t i = first; i < end; ++i) {
    const TimeMs time = kStart + static_cast<TimeMs>(i * kSpan / keys);
    batch.add(
        0, static_cast<int64_t>(i), time, "",
        fmt::format(
            R"({{"event_id":"E{0:012}","txn_id":"T20261122{0:012}","occurred_at":{1},"amount_minor":{2},"currency":"CNY",)"
            R"("card_token":"tok_{3:016x}","merchant_id":"99058105812{4:04}","issuer_id":"{5:04}"}})",
            i, time, 1000 + i % 90'000, i % 500'000, i % 10'000, 100 + i % 20));
  }
  return batch;
}

// Fills a store as engine/runner.cc does, and prints what it took.
void fill(const MemoryRun& wanted, const std::string& path) {
  auto store = state::open_rocksdb_store({.path = path, .memory_budget = wanted.budget_bytes / 4});  // as engine/config.cc
  if (!store) require(std::unexpected(store.error()), "opening the store");
  PipelineOptions options;
  options.state_bytes = wanted.budget_bytes - wanted.budget_bytes / 4;
  Pipeline pipeline(load_rule_texts({{"schema.yaml", kSchema}, {"rule.yaml", kRule}}), options, store->get());
  require(pipeline.load(), "loading the state");
  pipeline.set_inputs(std::vector<connectors::Partition>{{"debits", 0}, {"notices", 0}});
  const size_t before = resident().now;
  const auto began = std::chrono::steady_clock::now();
  Progress progress;
  for (size_t done = 0; done < wanted.keys;) {
    const size_t end = std::min(wanted.keys, done + kBatch);
    const connectors::RecordBatch batch = debits(done, end, wanted.keys);
    done = end;
    require(pipeline.process(batch, batch.records().back().arrived_at), "taking records in");
    require(pipeline.settle(), "moving the clocks");
    Outcome outcome;
    state::WriteSet changes;
    require(pipeline.collect(outcome, changes), "collecting");
    if (!outcome.alerts.empty() || !outcome.dead_letters.empty()) {
      const std::string said = outcome.alerts.empty() ? outcome.dead_letters[0].json : outcome.alerts[0].json;
      require(fail(ErrorKind::invalid, said), "filling the memory");
    }
    changes.normalise();
    require((*store)->commit((*store)->applied() + 1, changes), "committing");
    pipeline.confirm();
    progress.at(fmt::format("{} of {} keys, {} MB resident", done, wanted.keys, resident().now / 1'000'000));
  }
  const double seconds = seconds_since(began);
  const Resident after = resident();
  rules::Shard::Memory memory;
  size_t live = 0;
  int64_t waiting = 0;
  for (const auto& shard : pipeline.shards()) {
    live += shard->keys();
    memory += shard->memory();
    for (const int64_t of_rule : shard->obligations()) waiting += of_rule;
  }
  if (live != wanted.keys || waiting != static_cast<int64_t>(wanted.keys))
    require(fail(ErrorKind::invalid, fmt::format("{} keys and {} obligations are there", live, waiting)), "filling the memory");
  const auto per_key = [&](size_t bytes) { return static_cast<double>(bytes) / static_cast<double>(live); };
  fmt::print("| {} | {} | {} | {} | {:.0f} | {} | {:.0f} | {:.0f} | {:.0f} |\n", live, wanted.budget_bytes >> 20,
             memory.hot_keys, after.now >> 20, per_key(after.now - before), after.peak >> 20, per_key(memory.state_bytes),
             per_key(memory.index_bytes), static_cast<double>(wanted.keys) / seconds);
}

}  // namespace

void print_memory(std::span<const MemoryRun> runs, const std::string& scratch) {
  fmt::print(
      "\n## Memory of live keys\n\nOne rule, an obligation a key, all waiting; RocksDB, synced, batches of {}.\n\n"
      "| keys | budget MiB | states in memory | resident MiB | bytes/key | peak MiB | of states, bytes/key | of keys and wake-ups, "
      "bytes/key | records/s |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
      kBatch);
  for (const MemoryRun& wanted : runs) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      fill(wanted, scratch + "/memory");
      std::fflush(stdout);
      _exit(0);
    }
    int status = 0;
    const bool waited = child > 0 && waitpid(child, &status, 0) == child;
    std::filesystem::remove_all(scratch + "/memory");
    if (!waited || status != 0) require(fail(ErrorKind::unavailable, "the process that filled it ended early"), "filling the memory");
  }
}

}  // namespace tillwatch::engine::bench
