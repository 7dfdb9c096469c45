#include "engine/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "rules/runtime/bytes.h"
#include "state/key_codec.h"

namespace tillwatch::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint16_t kOwnShard = 0xffff;
enum OwnSlot : uint32_t { kPositions = 100, kGroup = 101 };
constexpr std::chrono::milliseconds kLookUp{50};  // whether a wait is to end

std::string own_key(OwnSlot slot) {
  std::string key;
  state::append_state_key(key, kOwnShard, slot, "", 0, 0);
  return key;
}

std::string encode_positions(const std::vector<connectors::Position>& positions, const std::string& mark) {
  std::string bytes;
  rules::ByteWriter out(bytes);
  out.fixed(uint8_t{1});
  out.text(mark);
  out.fixed(static_cast<uint32_t>(positions.size()));
  for (const connectors::Position& position : positions) {
    out.text(position.partition.topic);
    out.fixed(position.partition.number);
    out.fixed(position.next_offset);
  }
  return bytes;
}

Status decode_positions(std::string_view bytes, std::vector<connectors::Position>& positions, std::string& mark) {
  rules::ByteReader in(bytes);
  const auto version = in.fixed<uint8_t>();
  mark = in.text();
  positions.resize(in.count(16));
  for (connectors::Position& position : positions) {
    position.partition.topic = in.text();
    position.partition.number = in.fixed<int32_t>();
    position.next_offset = in.fixed<int64_t>();
  }
  if (version != 1 || !in.ok() || !in.done())
    return fail(ErrorKind::corrupt, "store: the positions are damaged or of another format");
  return {};
}

Error do_not_belong_together(uint64_t store, uint64_t group) {
  return {ErrorKind::invalid,
          fmt::format("the store is at commit {} and the consumer group at commit {}: they do not belong together. Use the "
                      "state.path this group was run with; or, to begin anew, an empty state.path with a new group name",
                      store, group)};
}

}  // namespace

Runner::Runner(std::shared_ptr<const rules::CompiledBundle> bundle, RunnerOptions options, connectors::Source& source,
               connectors::Sink& sink, state::Store& store)
    : bundle_(std::move(bundle)), options_(std::move(options)), source_(source), sink_(sink), store_(store) {}

Status Runner::load() {
  pipeline_ = std::make_unique<Pipeline>(bundle_, options_.pipeline, &store_);
  pipeline_number_.reset();
  Status status = pipeline_->load();
  if (status) pipeline_number_ = number_;
  return status;
}

// A store remembers whose it is from its first commit on.
Status Runner::check_owner() const {
  const auto group = store_.get(own_key(kGroup));
  if (!group) return std::unexpected(group.error());
  if (store_.applied() == 0 || group->value_or("") == options_.group) return {};
  const auto named = [](const std::string& name) {
    return name.empty() ? std::string("a run without a broker") : "consumer group '" + name + "'";
  };
  return fail(ErrorKind::invalid,
              fmt::format("the store belongs to {}, and this is {}: set state.path to a folder of its own, or name the "
                          "group the store was made with",
                          named(group->value_or("")), named(options_.group)));
}

// Looks before it takes the group over: whoever runs with the right store goes on undisturbed by one with the wrong store.
Status Runner::check_commit_of_group() const {
  uint64_t number = 0;
  for (const bool settled : {false, true}) {
    const auto committed = sink_.last_commit(settled);
    if (!committed) return std::unexpected(committed.error());
    number = *committed;
    if (number == store_.applied() || number == store_.prepared()) return {};
  }
  return std::unexpected(do_not_belong_together(store_.applied(), number));
}

// The sink's word is read first where it decides; the store follows. Neither is ever wiped.
Status Runner::reconcile() {
  std::vector<connectors::Position> positions;
  if (sink_.decides()) {
    const auto decided = sink_.recover();
    if (!decided) return std::unexpected(decided.error());
    const auto prepared = store_.prepared();
    if (prepared && *prepared == decided->commit_number) {
      say(fmt::format("commit {} was decided before the last stop; bringing the store up to it", *prepared));
      const Status applied = store_.apply(*prepared);
      if (!applied) return applied;
    } else if (prepared && *prepared == decided->commit_number + 1) {
      say(fmt::format("commit {} was prepared and not decided before the last stop; dropping it", *prepared));
      const Status dropped = store_.drop(*prepared);
      if (!dropped) return dropped;
    }
    if (store_.applied() != decided->commit_number) {
      return std::unexpected(do_not_belong_together(store_.applied(), decided->commit_number));
    }
    positions = decided->positions;
  } else {
    std::string mark;
    const auto stored = store_.get(own_key(kPositions));
    if (!stored) return std::unexpected(stored.error());
    if (stored->has_value()) {
      const Status decoded = decode_positions(**stored, positions, mark);
      if (!decoded) return decoded;
      const Status rewound = sink_.rewind(mark);
      if (!rewound) return rewound;
    } else {
      // What the sink held before the first batch is marked, so that a crash of that batch is cut back to it.
      const auto before = sink_.append({});
      if (!before) return std::unexpected(before.error());
      state::WriteSet first;
      first.put(own_key(kPositions), encode_positions({}, *before));
      const Status written = store_.commit(store_.applied() + 1, first);
      if (!written) return written;
    }
  }
  number_ = store_.applied();
  return source_.seek(positions);
}

Status Runner::recover() {
  Status status = check_owner();
  if (status && sink_.decides()) status = check_commit_of_group();
  if (status) status = reconcile();
  if (status) status = load();
  if (status) pipeline_->rules_taken(wall_clock_ms());
  if (status) status = hold_streams();
  stands_at_last_commit_ = status.has_value();
  return status;
}

Status Runner::reload(std::shared_ptr<const rules::CompiledBundle> bundle) {
  auto next = std::make_unique<Pipeline>(bundle, options_.pipeline, &store_);
  const auto reads = [](const Pipeline& pipeline) {
    std::set<std::string> topics(pipeline.stream_topics().begin(), pipeline.stream_topics().end());
    topics.insert(pipeline.table_topics().begin(), pipeline.table_topics().end());
    return topics;
  };
  const std::set<std::string> now = reads(*pipeline_);
  for (const std::string& topic : reads(*next)) {
    if (now.contains(topic)) continue;
    return fail(ErrorKind::invalid,
                fmt::format("the changed rules read the topic {}, which is not read now: restart to take them", topic));
  }
  if (const Status loaded = next->load(); !loaded) return loaded;
  bundle_ = std::move(bundle);
  pipeline_ = std::move(next);
  pipeline_->set_inputs(source_.inputs());
  pipeline_->rules_taken(wall_clock_ms());
  return {};
}

// A cold start waits for the reference tables: nothing is judged without them.
Status Runner::hold_streams() {
  tables_ready_ = pipeline_->table_topics().empty();
  table_seen_whole_.clear();
  return source_.hold(tables_ready_ ? std::vector<std::string>{} : pipeline_->stream_topics());
}

Status Runner::run(const std::atomic<bool>& stop) {
  bool finished = false;
  Clock::time_point away_since{};
  while (!finished) {
    bool idle = false;
    wait_for_more(stop);
    const bool stopping = stop.load();
    const Status status = step(stopping, idle, finished);
    if (!status) {
      if (status.error().kind != ErrorKind::unavailable) return status;
      finished = false;  // the last batch too is done again
      // Somebody is away: drop the batch, wait, try the same again.
      const auto now = Clock::now();
      if (away_since == Clock::time_point{}) away_since = now;
      if (now - away_since > options_.give_up_after) return status;
      if (stopping) {
        say(status.error().message + "; told to stop: what was not committed is read again at the next start");
        return {};
      }
      say(status.error().message + "; trying again");
      const auto again_at =
          now + std::min<Clock::duration>(options_.retry_after + (now - away_since) / 4, std::chrono::seconds(10));
      while (!stop && Clock::now() < again_at) std::this_thread::sleep_for(kLookUp);
      const Status again = start_over();
      if (!again && again.error().kind != ErrorKind::unavailable) return again;
      continue;
    }
    away_since = {};
    if (stopping) break;
  }
  return {};
}

// A commit costs much the same for one record as for many.
void Runner::wait_for_more(const std::atomic<bool>& stop) const {
  while (!stop && Clock::now() < next_poll_) {
    std::this_thread::sleep_until(std::min<Clock::time_point>(next_poll_, Clock::now() + kLookUp));
  }
}

// After an abort or an outage: everything is read back from the last commit. Until that has worked nothing else is done.
Status Runner::start_over() {
  stands_at_last_commit_ = false;
  Status status = reconcile();
  if (!status) return status;
  // What memory holds beyond the last commit is read back; when the commit turns out to have been decided, all of it is.
  status = pipeline_number_ == number_ ? pipeline_->abort() : load();
  if (!status) pipeline_number_.reset();
  if (status) status = source_.hold(tables_ready_ ? std::vector<std::string>{} : pipeline_->stream_topics());
  stands_at_last_commit_ = status.has_value();
  return status;
}

Status Runner::note_inputs(TimeMs wall, bool& all_finished) {
  const auto& inputs = source_.inputs();
  pipeline_->set_inputs(inputs);
  all_finished = !inputs.empty();
  bool tables_whole = true;
  const auto& table_topics = pipeline_->table_topics();
  table_seen_whole_.resize(inputs.size());
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    const connectors::InputState state = source_.state(i);
    const bool is_table = std::binary_search(table_topics.begin(), table_topics.end(), inputs[i].topic);
    if (!state.owned) {  // a group gives its partitions out after a while
      all_finished = false;
      tables_whole = tables_whole && !is_table;
      continue;
    }
    if (state.at_end || state.finished) table_seen_whole_[i] = true;
    if (is_table && !table_seen_whole_[i]) tables_whole = false;
    if (state.finished) {
      pipeline_->finished(i);
    } else if (state.at_end && (tables_ready_ || is_table)) {
      pipeline_->quiet(i, wall, state.at_end_since);
    }
    all_finished = all_finished && state.finished;
  }
  if (!tables_ready_ && tables_whole && !inputs.empty()) {
    tables_ready_ = true;
    return source_.hold({});
  }
  return {};
}

Status Runner::step(bool stopping, bool& idle, bool& finished) {
  if (!stands_at_last_commit_) {
    const Status status = start_over();
    if (!status) return status;
  }
  if (between_batches_ && !stopping) {
    const Status status = between_batches_();
    if (!status) return status;
  }
  batch_.clear();
  if (!stopping) {
    const auto polled = source_.poll(batch_, options_.max_records, options_.max_wait);
    if (!polled) return std::unexpected(polled.error());
    if (polled->reassigned) {
      say("partitions were reassigned; going on from the last commit");
      return start_over();
    }
  }
  if (!owns_any_input()) return {};  // waiting for the group: nothing is known, and nothing could be committed
  const TimeMs wall = wall_clock_ms();
  const auto began = Clock::now();
  pipeline_->set_inputs(source_.inputs());
  Status status = pipeline_->process(batch_, wall);
  if (!status) return status;
  bool all_finished = false;
  const Status noted = note_inputs(wall, all_finished);
  if (!noted) return noted;
  status = pipeline_->settle();
  if (!status) return status;
  finished = all_finished && batch_.records().empty();
  if (finished && options_.run_on > 0) {
    pipeline_->run_on_to(pipeline_->watermarks().latest() + options_.run_on);
    status = pipeline_->settle();
    if (!status) return status;
  }
  idle = batch_.records().empty() && !finished && Clock::now() - last_commit_ < options_.idle_commit;
  if (idle && pipeline_->nothing_to_say()) return {};
  TimeMs oldest = 0;
  for (const connectors::Record& record : batch_.records())
    oldest = oldest == 0 ? record.arrived_at : std::min(oldest, record.arrived_at);
  const uint64_t before = number_;
  status = commit(batch_.records().size(), oldest, Clock::now() - began);
  finished = finished && number_ > before;  // one that was aborted is done again
  const bool more_is_there = batch_.records().size() >= options_.max_records;
  next_poll_ = more_is_there || all_finished ? Clock::time_point{} : Clock::now() + options_.commit_every;
  return status;
}

bool Runner::owns_any_input() const {
  for (uint32_t i = 0; i < source_.inputs().size(); ++i) {
    if (source_.state(i).owned) return true;
  }
  return source_.inputs().empty();  // the generator names its inputs as it goes
}

int64_t Runner::lag(const std::string& topic, int32_t partition) const {
  for (uint32_t i = 0; i < source_.inputs().size(); ++i) {
    if (source_.inputs()[i].number == partition && source_.inputs()[i].topic == topic) return source_.state(i).lag;
  }
  return -1;
}

std::vector<connectors::Position> Runner::positions() const {
  std::vector<connectors::Position> positions;
  for (uint32_t i = 0; i < source_.inputs().size(); ++i) {
    const connectors::InputState state = source_.state(i);
    if (state.owned && state.next_offset >= 0) positions.push_back({source_.inputs()[i], state.next_offset});
  }
  return positions;
}

Status Runner::commit(size_t records, TimeMs oldest_arrival, std::chrono::nanoseconds process) {
  const auto began = Clock::now();
  Outcome outcome;
  state::WriteSet changes;
  if (const Status collected = pipeline_->collect(outcome, changes); !collected) return collected;
  TILLWATCH_CHECK(pipeline_->ledger().balanced());
  connectors::OutputBatch batch;
  batch.commit_number = number_ + 1;
  for (const AlertRecord& alert : outcome.alerts) {
    if (!alert.shadow) batch.records.push_back({options_.alerts_topic, alert.id, alert.json});
  }
  for (const DeadLetter& letter : outcome.dead_letters) batch.records.push_back({options_.dead_letter_topic, "", letter.json});
  batch.positions = positions();
  bool committed = false;
  const Status status = decide(batch, std::move(changes), committed);
  if (!status) return status;
  if (!committed) {
    ++aborted_;
    say(fmt::format("commit {} was aborted by the broker; the batch is done again", batch.commit_number));
    return start_over();
  }
  pipeline_number_ = ++number_;
  pipeline_->confirm();
  last_commit_ = Clock::now();
  warn_of_memory();
  if (watcher_) watcher_({&outcome, number_, records, process, last_commit_ - began, oldest_arrival});
  return {};
}

void Runner::warn_of_memory() {
  rules::Shard::Memory memory;
  for (const auto& shard : pipeline_->shards()) memory += shard->memory();
  const bool full = memory.index_bytes > pipeline_->state_budget_bytes();
  if (full && !memory_full_) {
    say(
        fmt::format("the live keys alone take {} MB, more than the {} MB they and their states may take: every state is read "
                    "from the store. "
                    "Raise state.memory_budget, or keep fewer keys (shorter windows, `after`)",
                    memory.index_bytes >> 20, pipeline_->state_budget_bytes() >> 20));
  }
  memory_full_ = full;
}

Status Runner::decide(const connectors::OutputBatch& batch, state::WriteSet changes, bool& committed) {
  if (!sink_.decides()) {
    const auto mark = sink_.append(batch);
    if (!mark) return std::unexpected(mark.error());
    changes.put(own_key(kPositions), encode_positions(batch.positions, *mark));
    changes.normalise();
    at_step("before-prepare");
    const Status written = store_.commit(batch.commit_number, changes);
    committed = written.has_value();
    at_step("applied");
    return written;
  }
  if (batch.commit_number == 1) changes.put(own_key(kGroup), options_.group);
  changes.normalise();
  at_step("before-prepare");
  Status status = store_.prepare(batch.commit_number, changes);
  if (!status) return status;
  at_step("prepared");
  const auto outcome = sink_.commit(batch);
  if (!outcome) return std::unexpected(outcome.error());  // reconcile() asks what became of it
  at_step("decided");
  committed = *outcome == connectors::CommitOutcome::committed;
  status = committed ? store_.apply(batch.commit_number) : store_.drop(batch.commit_number);
  at_step("applied");
  return status;
}

}  // namespace tillwatch::engine
