#include "tests/bench/engine_stages.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <filesystem>

#include "absl/container/flat_hash_set.h"
#include "engine/pipeline.h"
#include "state/key_codec.h"
#include "tests/bench/progress.h"
#include "tests/engine/world.h"
#include "tests/rules/expression_trees.h"

namespace tillwatch::engine::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Batches = std::deque<connectors::RecordBatch>;

constexpr size_t kBatch = 20'000;  // as `tillwatch run`
const char* const kPack = TILLWATCH_SOURCE_DIR "/rules/packs/payments";

// Processor seconds by part of the loop of engine/runner.cc, all threads together, and how long it took.
struct Seconds {
  double process = 0, settle = 0, collect = 0, store = 0, confirm = 0;
  double wall = 0;
  double sum() const { return process + settle + collect + store + confirm; }
};

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Pass {
  Seconds seconds;
  double unpack = 0, pack = 0;  // processor seconds, of states that changed: see state_alone()
  uint64_t copies = 0, alerts = 0, keys = 0, written_bytes = 0, written = 0;
};

double decode_alone(const Workload& workload, const Batches& batches) {
  const rules::CompiledBundle& bundle = *workload.bundle();
  const rules::Schema& schema = bundle.source.schema;
  struct Reader {
    Decoder decoder;
    std::vector<Value> slots;
  };
  std::vector<Reader> readers;  // per input
  for (const connectors::Partition& input : workload.inputs()) {
    for (size_t i = 0; i < schema.streams.size(); ++i) {
      if (schema.streams[i].origin != rules::Stream::Origin::topic || schema.streams[i].topic != input.topic) continue;
      readers.push_back({Decoder::for_stream(schema, static_cast<int>(i), bundle.shapes[i].used),
                         std::vector<Value>(schema.streams[i].fields.size())});
    }
    for (size_t i = 0; i < schema.tables.size(); ++i) {
      if (schema.tables[i].topic != input.topic) continue;
      const size_t columns = schema.tables[i].columns.size();
      readers.push_back(
          {Decoder::for_table(schema, static_cast<int>(i), std::vector<bool>(columns, true)), std::vector<Value>(columns)});
    }
  }
  Arena arena;
  size_t faults = 0;
  const double began = processor_seconds();
  for (const connectors::RecordBatch& batch : batches) {
    for (const connectors::Record& record : batch.records()) {
      Reader& reader = readers[record.input];
      faults += !reader.decoder.decode(record.value, record.arrived_at, reader.slots, arena).ok();
      arena.reset();
    }
  }
  const double seconds = processor_seconds() - began;
  if (faults > 0) require(fail(ErrorKind::invalid, fmt::format("{} records have faults", faults)), "decoding");
  return seconds;
}

// The rules of the pack with every input rejecting whatever its conditions let through: nothing is sent to a shard.
std::shared_ptr<const rules::CompiledBundle> rules_that_take_nothing() {
  auto bundle = load_rules({kPack});
  for (const auto& rule : bundle->rules) {
    for (rules::Input& input : rule->inputs) {
      input.rejects.push_back(rules::Program::compile(*rules::trees::boolean(true), bundle->source.schema, {}));
    }
  }
  return bundle;
}

template <class Work>
void timed(double& seconds, const Work& work) {
  const double began = processor_seconds();
  work();
  seconds += processor_seconds() - began;
}

// What changed states cost by themselves, in and out of their records, measured again on what a batch wrote. `known` are the keys
// that had a record before.
void state_alone(const state::WriteSet& changes, absl::flat_hash_set<std::string>& known, Pass& pass) {
  struct Changed {
    rules::KeyState state;
    std::string_view record;
    bool known;
  };
  std::deque<Changed> changed;
  for (const state::WriteSet::Change& change : changes.changes()) {
    const auto key = state::decode_state_key(change.key);
    if (!key) require(std::unexpected(key.error()), "reading what was written");
    if (key->shard >= PipelineOptions{}.shards || key->kind != 0) continue;  // the engine's own, or a page of events
    if (!change.value) {
      known.erase(change.key);
      continue;
    }
    changed.push_back({{}, *change.value, !known.insert(change.key).second});
  }
  Status read;
  const auto unpack = [&](bool of_known) {
    for (Changed& each : changed) {
      if (each.known == of_known && read) read = each.state.unpack(each.record);
    }
  };
  timed(pass.unpack, [&] { unpack(true); });
  unpack(false);
  require(read, "reading what was written");
  std::string bytes;
  timed(pass.pack, [&] {
    for (const Changed& each : changed) {
      bytes.clear();
      each.state.pack(bytes);
      benchmark::DoNotOptimize(bytes.data());
    }
  });
}

Pass run(std::shared_ptr<const rules::CompiledBundle> bundle, const Workload& workload, const Batches& batches, size_t workers,
         state::Store* store) {
  Pass pass;
  PipelineOptions options;
  options.workers = workers;
  Pipeline pipeline(std::move(bundle), options, store);
  require(pipeline.load(), "loading the state");
  pipeline.set_inputs(workload.inputs());
  absl::flat_hash_set<std::string> known;
  Progress progress;
  size_t done = 0;
  for (const connectors::RecordBatch& batch : batches) {
    const TimeMs wall = batch.records().back().arrived_at;
    const auto began = Clock::now();
    timed(pass.seconds.process, [&] { require(pipeline.process(batch, wall), "taking records in"); });
    timed(pass.seconds.settle, [&] { require(pipeline.settle(), "moving the clocks"); });
    Outcome outcome;
    state::WriteSet changes;
    timed(pass.seconds.collect, [&] { require(pipeline.collect(outcome, changes), "collecting"); });
    if (store != nullptr) {
      timed(pass.seconds.store, [&] {
        changes.normalise();
        require(store->commit(store->applied() + 1, changes), "committing");
      });
      pass.written_bytes += changes.bytes();
      pass.written += changes.changes().size();
    }
    timed(pass.seconds.confirm, [&] { pipeline.confirm(); });
    pass.seconds.wall += seconds_since(began);
    pass.alerts += outcome.alerts.size();
    if (store != nullptr && workers == 1) state_alone(changes, known, pass);
    progress.at(fmt::format("stages, batch {} of {}, {}", ++done, batches.size(), store == nullptr ? "in memory" : "RocksDB"));
  }
  for (const auto& [name, route] : pipeline.ledger().routes) pass.copies += route.copies;
  for (const auto& shard : pipeline.shards()) pass.keys += shard->keys();
  return pass;
}

Pass run_with_store(const Workload& workload, const Batches& batches, size_t workers, const std::string& path) {
  auto store = state::open_rocksdb_store({.path = path});
  if (!store) require(std::unexpected(store.error()), "opening the store");
  Pass pass = run(workload.bundle(), workload, batches, workers, store->get());
  store->reset();
  std::filesystem::remove_all(path);
  return pass;
}

// The pass in the middle by total time.
const Pass& middle(std::vector<Pass>& passes) {
  std::sort(passes.begin(), passes.end(), [](const Pass& a, const Pass& b) { return a.seconds.sum() < b.seconds.sum(); });
  return passes[passes.size() / 2];
}

void print_parts(const std::string& title, const Pass& pass, double records) {
  const Seconds& s = pass.seconds;
  const double ns = 1e9 / records;
  fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} |\n", title, s.process * ns, s.settle * ns,
             s.collect * ns, s.store * ns, s.confirm * ns, s.sum() * ns, s.wall * ns);
}

}  // namespace

void print_stages(const Workload& workload, const std::string& scratch, int repetitions) {
  const Batches batches = workload.batches(kBatch);
  const auto idle_rules = rules_that_take_nothing();
  const double records = static_cast<double>(workload.records().size());
  std::vector<double> decode;
  std::vector<Pass> idle, memory, memory2, stored, stored2;
  for (int i = 0; i < repetitions; ++i) {
    decode.push_back(decode_alone(workload, batches));
    idle.push_back(run(idle_rules, workload, batches, 1, nullptr));
    memory.push_back(run(workload.bundle(), workload, batches, 1, nullptr));
    stored.push_back(run_with_store(workload, batches, 1, scratch + "/stages"));
    memory2.push_back(run(workload.bundle(), workload, batches, 2, nullptr));
    stored2.push_back(run_with_store(workload, batches, 2, scratch + "/stages"));
  }
  fmt::print(
      "\n## Stages\n\nOne thread, batches of {} records, processor time, median of {} interleaved runs. Each line has all of the one "
      "above. States are unpacked and packed once a batch.\n\n",
      kBatch, repetitions);
  fmt::print("| stage | ns/record | of it new | records/s |\n|---|---:|---:|---:|\n");
  double before = 0;
  const auto line = [&](const char* title, double seconds) {
    const double ns = seconds * 1e9 / records;
    fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} |\n", title, ns, ns - before, 1e9 / ns);
    before = ns;
  };
  const double routed = middle(idle).seconds.sum(), kept = middle(memory).seconds.sum();
  const double packed = middle(stored).unpack + middle(stored).pack;
  line("decode", median(decode));
  line("route: time, conditions on the event alone, rows", routed);
  line("state: unpack and pack what changed", routed + packed);
  line("rules: exchange, windows, steps, alerts", std::max(kept, routed + packed));
  line("commit: write set, RocksDB, synced", middle(stored).seconds.sum());
  fmt::print("\n## Parts of a batch\n\nns/record of processor time of all threads, in the same runs; the last column is how long it took.\n\n");
  fmt::print("| | process | settle | collect | store | confirm | sum | took |\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
  print_parts("in memory, 1 worker", middle(memory), records);
  print_parts("in memory, 2 workers", middle(memory2), records);
  print_parts("RocksDB, 1 worker", middle(stored), records);
  print_parts("RocksDB, 2 workers", middle(stored2), records);
  const Pass& pass = middle(stored);
  fmt::print(
      "\n{:.2f} copies a record, {} keys live at the end, {} things said about alerts; {:.2f} writes and {:.0f} bytes a record "
      "to the store.\n",
      static_cast<double>(pass.copies) / records, pass.keys, pass.alerts, static_cast<double>(pass.written) / records,
      static_cast<double>(pass.written_bytes) / records);
}

}  // namespace tillwatch::engine::bench
