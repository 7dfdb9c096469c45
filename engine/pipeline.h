// The way of a record: decode → conditions on the event alone → routes → exchange → rules of the key → alerts and derived
// events, which go round again. Pure: records with their positions, arrival times and the wall clock as an argument go in;
// alerts, dead letters and state changes come out. Rule tests, replay and production run this code.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "connectors/source.h"
#include "engine/alert.h"
#include "engine/caution.h"
#include "engine/exchange.h"
#include "engine/feed.h"
#include "engine/intake.h"
#include "engine/ledger.h"
#include "engine/rule_history.h"
#include "engine/watermarks.h"
#include "engine/worker_pool.h"
#include "rules/runtime/shard.h"
#include "rules/runtime/tables.h"
#include "state/store.h"

namespace tillwatch::engine {

struct PipelineOptions {
  uint16_t shards = 16;
  size_t workers = 1;
  size_t state_bytes = rules::Shard::kNoBudget;  // what all shards together may hold in memory; the rest is in the store
  DecodeOptions decode;
  WatermarkOptions watermarks;
  bool trace = false;  // collect what stopped triggers (rule tests)
};

// What one commit says to the outside.
struct Outcome {
  std::vector<AlertRecord> alerts;
  std::vector<DeadLetter> dead_letters;
  void clear() { *this = {}; }
};

class Pipeline {
 public:
  // `store` may be null (nothing is kept). The bundle outlives the pipeline.
  Pipeline(std::shared_ptr<const rules::CompiledBundle> bundle, PipelineOptions options, const state::Store* store);
  ~Pipeline();

  // Reads state, tables, watermarks and ledger of the last commit. Error: corrupt.
  Status load();

  // Makes the inputs known, by index; again whenever there are new ones.
  void set_inputs(const std::vector<connectors::Partition>& inputs) { intake_.set_inputs(inputs); }
  // Topics some rule needs, each list in alphabetical order: those of tables, those of streams.
  const std::vector<std::string>& table_topics() const { return table_topics_; }
  const std::vector<std::string>& stream_topics() const { return stream_topics_; }

  // Takes records in. `wall` is the wall clock at which they were read. Errors, here and in settle(): what the store says that
  // could not give a state back (unavailable, corrupt), and those of Caution::run(); abort() then. So in collect().
  Status process(const connectors::RecordBatch& batch, TimeMs wall);
  // What the source says of an input between records; settle() makes it count.
  void quiet(uint32_t input, TimeMs wall, TimeMs at_end_since) { watermarks_.quiet(input, wall, at_end_since); }
  void finished(uint32_t input) { watermarks_.finished(input); }
  void run_on_to(TimeMs end) { watermarks_.run_on_to(end); }
  // Moves the clocks and decides what has come due.
  Status settle();

  // Ends the batch: alerts and dead letters since the last commit, and the changes for the store.
  // Nothing was taken in or decided since the last commit: only time has passed.
  bool nothing_to_say() const;
  Status collect(Outcome& outcome, state::WriteSet& changes);
  void confirm();
  Status abort();
  // Changed rules were refused, or taken: the next commit says so.
  void rules_refused(TimeMs at, const std::string& reason) { history_.refused(at, reason, rule_alerts_); }
  void rules_taken(TimeMs at) { history_.taken(at, rule_alerts_); }
  const RuleHistory& history() const { return history_; }

  const Ledger& ledger() const { return ledger_; }
  const Watermarks& watermarks() const { return watermarks_; }
  Watermarks& watermarks() { return watermarks_; }
  const rules::CompiledBundle& bundle() const { return *bundle_; }
  const rules::Tables& tables() const { return *tables_; }
  const std::vector<std::unique_ptr<rules::Shard>>& shards() const { return shards_; }
  std::vector<rules::Stop> take_trace();

  const std::vector<Feed>& feeds() const { return feeds_; }
  size_t state_budget_bytes() const { return options_.state_bytes; }

 private:
  Status run_rounds();
  Status settle_all();
  void collect_all(Outcome& outcome, state::WriteSet& changes);
  void set_careful(bool careful);
  Status health() const;
  void note_confirmed();
  bool weigh_silence();
  Status tick();
  void store_self(state::WriteSet& changes);

  std::shared_ptr<const rules::CompiledBundle> bundle_;
  const PipelineOptions options_;
  const state::Store* store_;
  std::unique_ptr<rules::Tables> tables_;
  std::vector<std::unique_ptr<rules::Shard>> shards_;
  LocalExchange exchange_;
  WorkerPool workers_;
  Caution caution_;
  Watermarks watermarks_;
  Ledger ledger_;
  Intake intake_;
  RuleHistory history_;
  std::vector<Feed> feeds_;  // per stream
  std::vector<std::string> table_topics_, stream_topics_;
  std::vector<RouteLedger*> routes_;                       // per subscription
  std::vector<std::vector<RouteLedger>> shard_routes_;     // per shard, per subscription: summed after each round
  std::vector<std::vector<rules::DerivedEvent>> derived_;  // per shard
  std::vector<rules::DerivedEvent> in_flight_;             // own the bytes of events being delivered
  std::vector<AlertRecord> feed_alerts_;
  std::vector<AlertRecord> rule_alerts_;  // about the rules themselves: said with the next commit that is confirmed
  std::vector<rules::Stop> traces_;
  // What the last confirmed commit left, for abort().
  std::string committed_watermarks_, committed_ledger_;
  bool erase_gone_ = false;  // the next commit drops the state of rules that are gone
  std::vector<Feed> committed_feeds_;
  std::vector<TimeMs> committed_clocks_;
};

}  // namespace tillwatch::engine
