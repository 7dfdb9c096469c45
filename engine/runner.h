// One process at work: reads, runs the pipeline, commits, and starts again where the last commit ended. The only place that
// knows the wall clock, the store, the source and the sink together.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/sink.h"
#include "connectors/source.h"
#include "engine/pipeline.h"
#include "state/store.h"

namespace tillwatch::engine {

struct RunnerOptions {
  PipelineOptions pipeline;
  size_t max_records = 20'000;                  // of one batch
  std::chrono::milliseconds max_wait{30};       // for the first record of a batch
  std::chrono::milliseconds idle_commit{1000};  // with nothing read, how often quiet time is committed
  std::chrono::milliseconds commit_every{0};    // at least so long from a commit to the next poll, unless a batch was full
  std::string alerts_topic = "alerts";
  std::string dead_letter_topic = "dead-letter";
  std::chrono::milliseconds retry_after{200};  // first, when somebody is away; then a quarter of the time gone, at most 10 s
  std::chrono::milliseconds give_up_after{120'000};  // a broker or disk away for longer ends the process
  std::string group;                                 // whose positions the store goes with; empty: the store keeps them itself
  DurationMs run_on = 0;                             // when every input is finished: let event time run on this long
};

// What the runner tells whoever watches, after each commit.
struct CommitReport {
  const Outcome* outcome = nullptr;
  uint64_t number = 0;
  size_t records = 0;
  std::chrono::nanoseconds process{}, commit{};
  TimeMs oldest_arrival = 0;  // of the records of the batch
};

class Runner {
 public:
  Runner(std::shared_ptr<const rules::CompiledBundle> bundle, RunnerOptions options, connectors::Source& source,
         connectors::Sink& sink, state::Store& store);

  using Watcher = std::function<void(const CommitReport&)>;
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }
  using Log = std::function<void(const std::string&)>;
  void set_log(Log log) { log_ = std::move(log); }

  // Brings store, sink and source to the last commit. Errors: corrupt or invalid (store and sink name different commits, with
  // what to do), fenced, unavailable.
  Status recover();
  // Until every input is finished, `stop` is set (drains: the batch in hand is committed), or an error that waiting does not
  // mend.
  Status run(const std::atomic<bool>& stop);

  // Called between two batches, when everything read is committed; on the thread of run(). An error ends the run.
  using BetweenBatches = std::function<Status()>;
  void between_batches(BetweenBatches hook) { between_batches_ = std::move(hook); }
  // For that call: another bundle takes over, with the state of the last commit. Error: invalid, with what to do, when it needs a
  // restart; the one that ran goes on.
  Status reload(std::shared_ptr<const rules::CompiledBundle> bundle);
  // The next commit says that changed rules were refused.
  void rules_refused(const std::string& reason) { pipeline_->rules_refused(wall_clock_ms(), reason); }

  const Pipeline& pipeline() const { return *pipeline_; }
  uint64_t commits() const { return number_; }
  uint64_t aborted() const { return aborted_; }  // commits, so far
  // Records behind the end of a partition; -1: not known. Same thread as run().
  int64_t lag(const std::string& topic, int32_t partition) const;
  state::Store::Size store_size() const { return store_.size(); }
  // A crash for tests: called at named steps of a commit ("before-prepare", "prepared", "decided", "applied").
  void set_fault(std::function<void(std::string_view step)> fault) { fault_ = std::move(fault); }

 private:
  Status load();
  Status check_owner() const;
  Status check_commit_of_group() const;
  Status reconcile();
  Status step(bool stopping, bool& idle, bool& finished);
  Status note_inputs(TimeMs wall, bool& all_finished);
  Status commit(size_t records, TimeMs oldest_arrival, std::chrono::nanoseconds process);
  Status decide(const connectors::OutputBatch& batch, state::WriteSet changes, bool& committed);
  Status start_over();
  void warn_of_memory();
  void wait_for_more(const std::atomic<bool>& stop) const;
  std::vector<connectors::Position> positions() const;
  bool owns_any_input() const;
  Status hold_streams();
  void say(const std::string& text) const {
    if (log_) log_(text);
  }
  void at_step(std::string_view step) const {
    if (fault_) fault_(step);
  }

  std::shared_ptr<const rules::CompiledBundle> bundle_;
  const RunnerOptions options_;
  connectors::Source& source_;
  connectors::Sink& sink_;
  state::Store& store_;
  std::unique_ptr<Pipeline> pipeline_;
  connectors::RecordBatch batch_;
  Watcher watcher_;
  BetweenBatches between_batches_;
  Log log_;
  std::function<void(std::string_view)> fault_;
  uint64_t number_ = 0;                      // of the last commit
  std::optional<uint64_t> pipeline_number_;  // of the last commit the pipeline knows of; empty: it is not whole
  uint64_t aborted_ = 0;
  bool stands_at_last_commit_ = false;  // memory, source and sink
  bool tables_ready_ = false;
  bool memory_full_ = false;
  std::vector<bool> table_seen_whole_;
  std::chrono::steady_clock::time_point last_commit_{}, next_poll_{};
};

}  // namespace tillwatch::engine
