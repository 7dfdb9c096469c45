#include "engine/group_member.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "engine/base/guarded.h"

namespace tillwatch::engine {
namespace {

using connectors::OutputRecord;
using std::chrono::milliseconds;

constexpr milliseconds kNoWait{0};
constexpr milliseconds kShortWait{3};
constexpr size_t kTableRows = 5'000;  // of one poll
constexpr TimeMs kForgetSuspended = kMinute;

}  // namespace

GroupClock system_group_clock() {
  return {.wall = wall_clock_ms,
          .steady =
              [] {
                const auto now = std::chrono::steady_clock::now().time_since_epoch();
                return std::chrono::duration_cast<milliseconds>(now).count();
              },
          .sleep = [](milliseconds time) { std::this_thread::sleep_for(time); }};
}

// What one cycle has in hand.
struct GroupMember::Cycle {
  bool sources_spoke = false;  // records were taken, or shards told how far they have come
  size_t records = 0, frames = 0, copies = 0;
  std::vector<GroupShard*> changed;
  std::vector<GroupExchange::Frame> sealed;
  std::vector<std::vector<AlertRecord>> alerts;  // per changed shard
  std::vector<std::vector<DeadLetter>> letters;  // per changed shard
  std::vector<state::WriteSet> changes;          // per changed shard
};

GroupMember::GroupMember(std::shared_ptr<const rules::CompiledBundle> bundle, GroupOptions options, connectors::GroupLink& link,
                         state::Store& store, GroupClock clock)
    : bundle_(std::move(bundle)),
      options_(std::move(options)),
      link_(link),
      store_(store),
      clock_(std::move(clock)),
      routes_(frame_routes(*bundle_)),
      exchange_(*bundle_, options_.shards, options_.frame_bytes),
      sources_(*bundle_, options_.decode, options_.watermarks, exchange_),
      tables_(*bundle_, options_.decode),
      no_watermarks_(*bundle_, options_.watermarks),
      derived_intake_(*bundle_, options_.decode, no_watermarks_, no_ledger_, exchange_),
      workers_(options_.workers),
      counts_{.shards = ShardCounts(*bundle_)},
      restores_(options_.changelog_topic, options_.restore, link_.changelog(), link_.tables(), tables_, store_,
                {.wall = clock_.wall,
                 .steady = clock_.steady,
                 .say = [this](const std::string& text) { say(text); },
                 .make = [this](uint16_t number) { return make_shard(number); }}) {}

GroupMember::~GroupMember() = default;

Status GroupMember::run(const std::atomic<bool>& stop) {
  TimeMs away_since = -1, draining_since = -1;
  while (true) {
    if (stop && draining_since < 0) {
      draining_since = clock_.steady();
      if (Status held = stop_reading(); !held) return held;
    }
    const bool drained = draining_since >= 0 &&
                         ((in_step_ && !busy_ && idle()) || clock_.steady() - draining_since > options_.drain_for.count());
    if (drained) return {};
    const Status status = step();
    if (after_cycle_) after_cycle_();
    if (status) {
      away_since = -1;
      continue;
    }
    if (status.error().kind != ErrorKind::unavailable) return status;
    const TimeMs now = clock_.steady();
    if (away_since < 0) away_since = now;
    if (draining_since >= 0 || now - away_since > options_.give_up_after.count()) return status;
    say(status.error().message + "; trying again");
    clock_.sleep(std::min(milliseconds(200 + (now - away_since) / 4), milliseconds(10'000)));
  }
}

Status GroupMember::stop_reading() {
  stopping_ = true;
  return hold_sources(true);
}

Status GroupMember::hold_sources(bool hold) {
  sources_held_ = hold;
  std::vector<std::string> topics = Intake::stream_topics(*bundle_);
  const std::vector<std::string> table_topics = Intake::table_topics(*bundle_);
  topics.insert(topics.end(), table_topics.begin(), table_topics.end());
  return link_.sources().hold(hold ? topics : std::vector<std::string>{});
}

bool GroupMember::idle() const {
  if (!restores_.empty()) return false;
  const auto& inputs = link_.shards().inputs();
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    const connectors::InputState state = link_.shards().state(i);
    if (state.owned && !state.at_end) return false;
  }
  return true;
}

Status GroupMember::step() {
  Cycle cycle;
  Status status = in_step_ ? Status{} : resync();
  if (status) {
    status = caution_.run([&] {
      Status worked = poll(cycle);
      if (!worked) return worked;
      process_sources(cycle);
      worked = process_shards(cycle);
      if (worked) collect(cycle);
      return worked;
    });
  }
  if (status) status = commit(cycle);
  if (!status) in_step_ = false;
  return status;
}

// Everything goes back to what is committed.
Status GroupMember::resync() {
  if (!begun_) {
    if (Status begun = link_.begin(); !begun) return begun;
    begun_ = true;
  }
  exchange_.seal();
  sources_.intake().end_round();
  sources_.intake().dead_letters().clear();
  derived_intake_.end_round();
  derived_intake_.dead_letters().clear();
  set_careful(caution_.careful());
  for (auto& [number, shard] : open_) {
    if (Status undone = shard->abort(); !undone) return undone;
    tables_.catch_up(*shard);
  }
  Status status = take_over_sources();
  if (status) status = take_over_shards();
  in_step_ = status.has_value();
  return status;
}

void GroupMember::set_careful(bool careful) {
  sources_.intake().set_careful(careful);
  derived_intake_.set_careful(careful);
  tables_.set_careful(careful);
  for (auto* shards : {&open_, &suspended_}) {
    for (auto& [number, shard] : *shards) shard->set_careful(careful);
  }
}

Status GroupMember::take_over_sources() {
  connectors::GroupSource& link = link_.sources();
  if (Status placed = link.seek({}); !placed) return placed;
  sources_.set_inputs(link.inputs());
  for (uint32_t i = 0; i < link.inputs().size(); ++i) {
    if (!link.state(i).owned) {
      sources_.disown(i);
    } else if (Status owned = sources_.own(i, link.note(i)); !owned) {
      return owned;
    }
  }
  return {};
}

// Shards that are ours are served as they stand when nobody has committed anything of them since; else they are brought up.
// What is no longer ours is kept for a while: a rebalance often gives it back.
Status GroupMember::take_over_shards() {
  connectors::GroupSource& link = link_.shards();
  if (Status placed = link.seek({}); !placed) return placed;
  bool any = false;
  for (uint32_t i = 0; i < link.inputs().size(); ++i) {
    const auto number = static_cast<uint16_t>(link.inputs()[i].number);
    if (auto ours = open_.extract(number); !ours.empty()) suspended_.insert(std::move(ours));
    if (!link.state(i).owned) {
      paused_since_.erase(number);
      if (Status dropped = restores_.drop(number); !dropped) return dropped;
      continue;
    }
    any = true;
    const auto wanted = commits_of_note(link.note(i));
    if (!wanted) return std::unexpected(wanted.error());
    if (*wanted == 0 && link.state(i).next_offset > 0) {
      return fail(
          ErrorKind::invalid,
          fmt::format(
              "group positions in {} are gone (shard {}: it begins at offset {}, and no position is committed): what was "
              "before cannot be read any more. Restore the offsets of the group, or begin anew with another group",
              options_.exchange_topic, number, link.state(i).next_offset));
    }
    const auto kept = suspended_.find(number);
    if (kept != suspended_.end() && kept->second->commits() == *wanted && *wanted > 0) {
      tables_.catch_up(*kept->second);
      serve(std::move(suspended_.extract(kept).mapped()));
      continue;
    }
    if (kept != suspended_.end()) suspended_.erase(kept);
    paused_since_.try_emplace(number, clock_.steady());
    if (Status begun = restores_.begin(number, *wanted); !begun) return begun;
  }
  suspended_at_ = clock_.steady();
  if (any) suspended_.clear();
  return hold_closed_shards();
}

Status GroupMember::hold_closed_shards() {
  std::vector<connectors::Partition> closed;
  for (const connectors::Partition& each : link_.shards().inputs()) {
    if (!open_.contains(static_cast<uint16_t>(each.number))) closed.push_back(each);
  }
  return link_.shards().hold_partitions(closed);
}

std::unique_ptr<GroupShard> GroupMember::make_shard(uint16_t number) {
  return std::make_unique<GroupShard>(*bundle_, tables_.tables(), routes_, GroupShard::Place{number, options_.shards}, store_,
                                      options_.state_bytes / options_.shards, counts_.shards);
}

void GroupMember::serve(std::unique_ptr<GroupShard> shard) {
  const uint16_t number = shard->number();
  if (const auto since = paused_since_.extract(number); !since.empty()) {
    counts_.pauses.observe(static_cast<double>(clock_.steady() - since.mapped()) / kSecond);
  }
  shard->set_careful(caution_.careful());
  open_.insert_or_assign(number, std::move(shard));
}

// Shards that are served already do not wait for those that are brought up.
Status GroupMember::go_on_restoring() {
  const size_t before = open_.size();
  if (Status status = restores_.go_on([this](std::unique_ptr<GroupShard> shard) { serve(std::move(shard)); }); !status) {
    return status;
  }
  return open_.size() == before ? Status{} : hold_closed_shards();
}

// A rebalance that is under way has taken shards away, and not said yet who serves them.
void GroupMember::note_pauses() {
  connectors::GroupSource& link = link_.shards();
  for (uint32_t i = 0; i < link.inputs().size(); ++i) {
    const auto number = static_cast<uint16_t>(link.inputs()[i].number);
    if (open_.contains(number) && !link.state(i).owned) paused_since_.try_emplace(number, clock_.steady());
  }
}

int64_t GroupMember::source_lag(uint32_t input) const { return link_.sources().state(input).lag; }

std::map<uint16_t, int64_t> GroupMember::exchange_lags() const {
  std::map<uint16_t, int64_t> lags;
  for (uint32_t i = 0; i < link_.shards().inputs().size(); ++i) {
    const connectors::InputState state = link_.shards().state(i);
    if (state.owned) lags[static_cast<uint16_t>(link_.shards().inputs()[i].number)] = state.lag;
  }
  return lags;
}

std::map<uint16_t, DurationMs> GroupMember::pauses() const {
  std::map<uint16_t, DurationMs> pauses;
  for (const auto& [number, since] : paused_since_) pauses[number] = clock_.steady() - since;
  return pauses;
}

Status GroupMember::poll(Cycle& cycle) {
  records_.clear();
  frames_.clear();
  int64_t backlog = 0;
  for (uint32_t i = 0; i < link_.shards().inputs().size(); ++i) {
    const connectors::InputState state = link_.shards().state(i);
    if (state.owned) backlog += std::max<int64_t>(0, state.lag);
  }
  const bool too_much = backlog > (sources_held_ ? options_.max_backlog / 2 : options_.max_backlog);
  if (const bool hold = stopping_ || too_much; hold != sources_held_) {
    if (Status held = hold_sources(hold); !held) return held;
  }
  const milliseconds wait = busy_ ? kShortWait : options_.max_wait / 2;
  const auto sources = link_.sources().poll(records_, options_.max_records, wait);
  if (!sources) return std::unexpected(sources.error());
  if (sources->reassigned) {
    records_.clear();
    ++counts_.source_assignments;
    if (Status taken = take_over_sources(); !taken) return taken;
  }
  const auto shards = link_.shards().poll(frames_, options_.max_frames, records_.records().empty() ? wait : kNoWait);
  if (!shards) return std::unexpected(shards.error());
  note_pauses();
  if (shards->reassigned) {
    frames_.clear();
    ++counts_.shard_assignments;
    if (Status taken = take_over_shards(); !taken) return taken;
  } else if (!suspended_.empty() && clock_.steady() - suspended_at_ > kForgetSuspended) {
    suspended_.clear();
  }
  connectors::RecordBatch rows;
  if (Status read = link_.tables().poll(rows, kTableRows, kNoWait); !read) return read;
  tables_.take(rows, link_.tables(), open_);
  cycle.records = records_.records().size();
  cycle.frames = frames_.records().size();
  return go_on_restoring();
}

void GroupMember::process_sources(Cycle& cycle) {
  const TimeMs wall = clock_.wall();
  connectors::GroupSource& link = link_.sources();
  sources_.set_inputs(link.inputs());
  sources_.take(records_, wall);
  const bool heartbeat = clock_.steady() - last_heartbeat_ >= options_.heartbeat.count();
  if (heartbeat) {
    last_heartbeat_ = clock_.steady();
    for (uint32_t i = 0; i < link.inputs().size(); ++i) {
      const connectors::InputState state = link.state(i);
      if (state.owned && state.at_end) sources_.quiet(i, wall, state.at_end_since);
    }
  }
  cycle.sources_spoke = cycle.records > 0 || (heartbeat && sources_.has_news());
  if (cycle.sources_spoke) sources_.tell(exchange_.marks());
}

Status GroupMember::process_shards(Cycle& cycle) {
  for (const connectors::Record& record : frames_.records()) {
    const auto number = static_cast<uint16_t>(link_.shards().inputs()[record.input].number);
    const auto shard = open_.find(number);
    if (shard == open_.end()) return fail(ErrorKind::unavailable, fmt::format("shard {} is not open yet", number));
    if (Status taken = shard->second->take(record.value); !taken) {
      return fail(taken.error().kind, fmt::format("{} (offset {} of {}-{})", taken.error().message, record.offset,
                                                  options_.exchange_topic, number));
    }
  }
  for (auto& [number, shard] : open_) {
    if (shard->changed()) cycle.changed.push_back(shard.get());
  }
  workers_.run(cycle.changed.size(), [&](size_t i) {
    const Guarded guarded;
    cycle.changed[i]->settle();
  });
  for (const GroupShard* shard : cycle.changed) {
    if (!shard->shard().health()) return shard->shard().health();
  }
  for (GroupShard* shard : cycle.changed) {
    exchange_.set_origins(shard->inputs());
    for (rules::DerivedEvent& event : shard->derived()) derived_intake_.take_derived(event, shard->inputs());
    shard->speak(exchange_);
  }
  cycle.copies = exchange_.copies();
  cycle.sealed = exchange_.seal();
  for (GroupShard* shard : cycle.changed) shard->derived().clear();
  sources_.intake().end_round();
  derived_intake_.end_round();
  return {};
}

// The shard's own record stands behind all it speaks for: who reads it has read the commit.
void GroupMember::log_changes(const GroupShard& shard, const state::WriteSet& changes, connectors::GroupBatch& batch) const {
  const std::string self = shard_self_key(shard.number());
  const auto log = [&](const state::WriteSet::Change& change) {
    batch.records.push_back({options_.changelog_topic, change.key, change.value.value_or(""), shard.number()});
  };
  for (const state::WriteSet::Change& change : changes.changes()) {
    if (change.key != self) log(change);
  }
  for (const state::WriteSet::Change& change : changes.changes()) {
    if (change.key == self) log(change);
  }
}

connectors::GroupBatch GroupMember::batch_of(Cycle& cycle, std::vector<AlertRecord>& alerts) {
  connectors::GroupBatch batch;
  for (GroupExchange::Frame& frame : cycle.sealed) {
    batch.records.push_back({options_.exchange_topic, "", std::move(frame.bytes), frame.shard});
  }
  for (size_t i = 0; i < cycle.alerts.size(); ++i) {
    for (AlertRecord& alert : cycle.alerts[i]) {
      alert.shard = cycle.changed[i]->number();
      alerts.push_back(std::move(alert));
    }
  }
  std::stable_sort(alerts.begin(), alerts.end(), [](const AlertRecord& a, const AlertRecord& b) {
    return std::tie(a.changed_at, a.id) < std::tie(b.changed_at, b.id);
  });
  for (const AlertRecord& alert : alerts) {
    if (!alert.shadow) batch.records.push_back({options_.alerts_topic, alert.id, alert.json});
  }
  cycle.letters.push_back(std::exchange(sources_.intake().dead_letters(), {}));
  cycle.letters.push_back(std::exchange(derived_intake_.dead_letters(), {}));
  for (std::vector<DeadLetter>& letters : cycle.letters) {
    for (DeadLetter& letter : letters) batch.records.push_back({options_.dead_letter_topic, "", std::move(letter.json)});
  }
  for (size_t i = 0; i < cycle.changed.size(); ++i) log_changes(*cycle.changed[i], cycle.changes[i], batch);
  for (uint32_t i = 0; cycle.sources_spoke && i < link_.sources().inputs().size(); ++i) {
    const connectors::InputState state = link_.sources().state(i);
    if (state.owned) batch.sources.push_back({link_.sources().inputs()[i], state.next_offset, sources_.note(i)});
  }
  for (uint32_t i = 0; i < link_.shards().inputs().size(); ++i) {
    const connectors::Partition& partition = link_.shards().inputs()[i];
    const auto shard = std::ranges::find(cycle.changed, static_cast<uint16_t>(partition.number), &GroupShard::number);
    if (shard == cycle.changed.end()) continue;
    batch.shards.push_back({partition, link_.shards().state(i).next_offset, shard_note((*shard)->commits() + 1)});
  }
  return batch;
}

void GroupMember::collect(Cycle& cycle) {
  const size_t shards = cycle.changed.size();
  cycle.alerts.resize(shards);
  cycle.letters.resize(shards);
  cycle.changes.resize(shards);
  const std::vector<connectors::Position> tables_read = tables_.read(link_.tables());
  workers_.run(shards, [&](size_t i) {
    const Guarded guarded;
    cycle.changed[i]->collect(cycle.alerts[i], cycle.letters[i], cycle.changes[i], tables_read);
  });
}

Status GroupMember::commit(Cycle& cycle) {
  busy_ = cycle.sources_spoke || !cycle.changed.empty();
  if (!busy_) return {};
  std::vector<AlertRecord> alerts;
  const connectors::GroupBatch batch = batch_of(cycle, alerts);
  const TimeMs began = clock_.steady();
  const auto done = link_.commit(batch);
  if (!done) {
    ++counts_.unknown;
    begun_ = false;
    open_.clear();  // whether the commit counts is not known: read back
    return std::unexpected(done.error());
  }
  if (done->outcome == connectors::CommitOutcome::aborted) {
    ++(done->refused ? counts_.refused : counts_.aborted);
    say(done->refused ? "the commit was refused: its partitions were given to others meanwhile"
                      : "the commit was aborted by the broker; the batch is done again");
    in_step_ = false;
    return {};
  }
  ++counts_.committed;
  counts_.frames += cycle.frames;
  counts_.copies += cycle.copies;
  if (Status written = write_store(cycle, *done); !written) return written;
  for (GroupShard* shard : cycle.changed) shard->confirm();  // may leave to the store what it has now
  if (caution_.careful()) {
    caution_.over();
    set_careful(false);
  }
  for (const connectors::GroupPosition& each : batch.shards) committed_[each.partition.number] = each.next_offset;
  if (watcher_) {
    size_t dead_letters = 0;
    for (const std::vector<DeadLetter>& letters : cycle.letters) dead_letters += letters.size();
    watcher_({&alerts, dead_letters, cycle.records, milliseconds(clock_.steady() - began)});
  }
  if (clock_.steady() - last_trim_ >= options_.trim_every.count()) trim();
  return {};
}

// Kafka has decided; the store follows. Where it cannot, the shards are brought up again from the changelog.
Status GroupMember::write_store(Cycle& cycle, const connectors::GroupCommit& done) {
  state::WriteSet all;
  const TimeMs wall = clock_.wall();
  for (size_t i = 0; i < cycle.changed.size(); ++i) {
    const uint16_t number = cycle.changed[i]->number();
    const auto end = done.ends.find({options_.changelog_topic, number});
    TILLWATCH_CHECK(end != done.ends.end());
    all.take(cycle.changes[i]);
    put_changelog_place(all, number, {end->second, wall});
  }
  if (all.empty()) return {};
  all.normalise();
  Status written = store_.commit(store_.applied() + 1, all);
  if (!written) open_.clear();
  return written;
}

void GroupMember::trim() {
  last_trim_ = clock_.steady();
  std::vector<connectors::Position> committed;
  for (const auto& [number, next_offset] : committed_) committed.push_back({{options_.exchange_topic, number}, next_offset});
  committed_.clear();
  if (const Status trimmed = link_.trim(committed); !trimmed) say("trimming the exchange: " + trimmed.error().message);
}

}  // namespace tillwatch::engine
