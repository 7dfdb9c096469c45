#include "tests/bench/engine_stages.h"

#include <fmt/format.h>

#include <time.h>

#include <algorithm>
#include <filesystem>

#include "engine/pipeline.h"
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

Pass run(std::shared_ptr<const rules::CompiledBundle> bundle, const Workload& workload, const Batches& batches, size_t workers,
         state::Store* store) {
  Pass pass;
  PipelineOptions options;
  options.workers = workers;
  Pipeline pipeline(std::move(bundle), options, store);
  require(pipeline.load(), "loading the state");
  pipeline.set_inputs(workload.inputs());
  const auto began = Clock::now();
  for (const connectors::RecordBatch& batch : batches) {
    const TimeMs wall = batch.records().back().arrived_at;
    timed(pass.seconds.process, [&] { require(pipeline.process(batch, wall), "taking records in"); });
    timed(pass.seconds.settle, [&] { require(pipeline.settle(), "moving the clocks"); });
    Outcome outcome;
    state::WriteSet changes;
    timed(pass.seconds.collect, [&] { pipeline.collect(outcome, changes); });
    if (store != nullptr) {
      timed(pass.seconds.store, [&] {
        changes.normalise();
        require(store->commit(store->applied() + 1, changes), "committing");
      });
      pass.written_bytes += changes.bytes();
      pass.written += changes.changes().size();
    }
    timed(pass.seconds.confirm, [&] { pipeline.confirm(); });
    pass.alerts += outcome.alerts.size();
  }
  pass.seconds.wall = seconds_since(began);
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
      "above.\n\n",
      kBatch, repetitions);
  fmt::print("| stage | ns/record | of it new | records/s |\n|---|---:|---:|---:|\n");
  double before = 0;
  const auto line = [&](const char* title, double seconds) {
    const double ns = seconds * 1e9 / records;
    fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} |\n", title, ns, ns - before, 1e9 / ns);
    before = ns;
  };
  line("decode", median(decode));
  line("+ time, conditions, rows (rules that take nothing)", middle(idle).seconds.sum());
  line("+ exchange, rules and state, in memory", middle(memory).seconds.sum());
  line("+ commit to RocksDB, synced", middle(stored).seconds.sum());
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
