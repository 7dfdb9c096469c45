#include "tests/engine/broker_model.h"

#include <algorithm>

#include "engine/exchange_frame.h"

namespace tillwatch::engine {

using connectors::CommitOutcome;
using connectors::GroupPosition;
using connectors::OutputRecord;
using connectors::Partition;

void BrokerModel::create_topic(const std::string& topic, int32_t partitions) {
  for (int32_t number = 0; number < partitions; ++number) logs_[{topic, number}];
}

std::vector<Partition> BrokerModel::partitions_of(const std::vector<std::string>& topics) const {
  std::vector<Partition> partitions;
  for (const std::string& topic : topics) {
    for (auto at = logs_.lower_bound({topic, 0}); at != logs_.end() && at->first.first == topic; ++at) {
      partitions.push_back({topic, at->first.second});
    }
  }
  return partitions;
}

void BrokerModel::produce(const std::string& topic, int32_t partition, TimeMs at, std::string value) {
  logs_.at({topic, partition}).push_back({.key = "", .value = std::move(value), .at = at});
}

int64_t BrokerModel::stable_end(const Place& place) const {
  const std::vector<Entry>& log = logs_.at(place);
  for (size_t i = 0; i < log.size(); ++i) {
    if (log[i].transaction && log[i].transaction->unmarked.contains(place)) return static_cast<int64_t>(i);
  }
  return static_cast<int64_t>(log.size());
}

std::vector<std::pair<std::string, std::string>> BrokerModel::committed_records(const std::string& topic) const {
  std::vector<std::pair<std::string, std::string>> records;
  for (const Partition& partition : partitions_of({topic})) {
    const auto& log = logs_.at({topic, partition.number});
    const int64_t end = stable_end({topic, partition.number});
    for (int64_t i = 0; i < end; ++i) {
      const Entry& entry = log[static_cast<size_t>(i)];
      const bool aborted = entry.transaction && entry.transaction->decision == Transaction::Decision::aborted;
      if (!entry.control && !aborted) records.emplace_back(entry.key, entry.value);
    }
  }
  return records;
}

void BrokerModel::join(const std::string& name, const std::string& member) {
  Group& group = groups_[name];
  if (group.members.insert(member).second) rebalance(group);
}

void BrokerModel::expel(const std::string& member) {
  for (auto& [name, group] : groups_) {
    if (group.members.erase(member) > 0) rebalance(group);
  }
}

void BrokerModel::rebalance(Group& group) {
  ++group.generation;
  group.assignment.clear();
  if (group.members.empty()) return;
  const std::vector<std::string> members(group.members.begin(), group.members.end());
  size_t next = random_() % members.size();
  for (const Place& place : group.partitions) group.assignment[members[next++ % members.size()]].insert(place);
}

bool BrokerModel::pending(const std::string& group, const Place& place) const {
  return std::ranges::any_of(transactions_, [&](const auto& each) {
    const auto of_group = each->offsets.find(group);
    return of_group != each->offsets.end() && of_group->second.contains(place);
  });
}

uint64_t BrokerModel::begin_producer(const std::string& id) {
  for (const auto& each : transactions_) {
    if (each->producer == id && each->decision == Transaction::Decision::open) decide(each, false);
  }
  write_markers(true, id);
  return ++epochs_[id];
}

uint64_t BrokerModel::epoch(const std::string& id) const {
  const auto found = epochs_.find(id);
  return found == epochs_.end() ? 0 : found->second;
}

std::shared_ptr<BrokerModel::Transaction> BrokerModel::open_transaction(const std::string& producer, uint64_t epoch) {
  write_markers(true, producer);  // the coordinator takes no new one before
  auto transaction = std::make_shared<Transaction>();
  transaction->producer = producer;
  transaction->epoch = epoch;
  transactions_.push_back(transaction);
  return transaction;
}

int64_t BrokerModel::append(const std::shared_ptr<Transaction>& transaction, const OutputRecord& record) {
  const int32_t partition = record.partition >= 0 ? record.partition : 0;
  const Place place{record.topic, partition};
  std::vector<Entry>& log = logs_.at(place);
  log.push_back({.key = record.key, .value = record.value, .transaction = transaction});
  transaction->unmarked.insert(place);
  return static_cast<int64_t>(log.size());
}

void BrokerModel::decide(const std::shared_ptr<Transaction>& transaction, bool commit) {
  transaction->decision = commit ? Transaction::Decision::committed : Transaction::Decision::aborted;
}

void BrokerModel::write_markers(bool all, const std::string& producer) {
  for (const auto& each : transactions_) {
    if (each->decision == Transaction::Decision::open || (!producer.empty() && each->producer != producer)) continue;
    for (auto place = each->unmarked.begin(); place != each->unmarked.end();) {
      if (!all && random_() % 2 == 0) {
        ++place;
        continue;
      }
      logs_.at(*place).push_back({.control = true});
      place = each->unmarked.erase(place);
    }
    for (auto of_group = each->offsets.begin(); of_group != each->offsets.end();) {
      if (!all && random_() % 2 == 0) {
        ++of_group;
        continue;
      }
      if (each->decision == Transaction::Decision::committed) {
        for (const auto& [place, position] : of_group->second) groups_[of_group->first].committed[place] = position;
      }
      of_group = each->offsets.erase(of_group);
    }
  }
  std::erase_if(transactions_, [](const auto& each) { return each->marked(); });
}

void BrokerModel::time_out(const std::set<std::string>& alive) {
  for (const auto& each : transactions_) {
    if (each->decision != Transaction::Decision::open || alive.contains(each->producer)) continue;
    ++epochs_[each->producer];
    decide(each, false);
  }
}

void BrokerModel::compact(const std::string& topic) {
  for (const Partition& partition : partitions_of({topic})) {
    const Place place{topic, partition.number};
    std::vector<Entry>& log = logs_.at(place);
    std::set<std::string> seen;
    for (int64_t i = stable_end(place) - 1; i >= 0; --i) {
      Entry& entry = log[static_cast<size_t>(i)];
      const bool aborted = entry.transaction && entry.transaction->decision == Transaction::Decision::aborted;
      if (entry.control || aborted) continue;
      if (!seen.insert(entry.key).second) entry.compacted = true;
    }
  }
}

void BrokerModel::trim(const Place& place, int64_t before) { starts_[place] = std::max(starts_[place], before); }

int64_t BrokerModel::start(const Place& place) const {
  const auto found = starts_.find(place);
  return found == starts_.end() ? 0 : found->second;
}

namespace {

// Copies what a reader may see from `next` on into the batch, and moves `next` past it.
size_t read(const BrokerModel& broker, const BrokerModel::Place& place, uint32_t input, size_t most, int64_t& next,
            connectors::RecordBatch& batch) {
  const auto& log = broker.log(place);
  const int64_t end = broker.reads_uncommitted ? static_cast<int64_t>(log.size()) : broker.stable_end(place);
  size_t count = 0;
  while (next < end && count < most) {
    const BrokerModel::Entry& entry = log[static_cast<size_t>(next++)];
    const bool aborted = entry.transaction && entry.transaction->decision == BrokerModel::Transaction::Decision::aborted;
    if (entry.control || entry.compacted || (aborted && !broker.reads_uncommitted)) continue;
    batch.add(input, next - 1, entry.at, entry.key, entry.value);
    ++count;
  }
  return count;
}

}  // namespace

namespace {

std::string hurried(const std::string& bytes, DurationMs by) {
  auto frame = ExchangeFrame::decode(bytes);
  TILLWATCH_CHECK(frame);
  for (InputMark& mark : frame->inputs) mark.watermark += by, mark.last_event += by;
  return frame->encode();
}

}  // namespace

class ModelLink::Source final : public connectors::GroupSource {
 public:
  Source(BrokerModel& broker, std::string group, std::string member, const std::vector<std::string>& topics,
         std::function<TimeMs()> wall, const bool& quiet)
      : broker_(broker), group_(std::move(group)), member_(std::move(member)), wall_(std::move(wall)), quiet_(quiet) {
    inputs_ = broker.partitions_of(topics);
    places_.resize(inputs_.size());
    auto& partitions = broker.group(group_).partitions;
    partitions.clear();
    for (const Partition& each : inputs_) partitions.push_back(place(each));
  }

  const std::vector<Partition>& inputs() const override { return inputs_; }
  connectors::InputState state(uint32_t index) const override {
    const Held& held = places_[index];
    connectors::InputState state{.owned = held.owned, .next_offset = held.next};
    const auto size = static_cast<int64_t>(broker_.log(place(inputs_[index])).size());
    state.lag = size - held.next;
    state.at_end = quiet_ && held.owned && held.placed && held.next == size && held.end_since != 0;
    if (state.at_end) state.at_end_since = held.end_since;
    return state;
  }
  Expected<connectors::PollResult> poll(connectors::RecordBatch& batch, size_t max_records,
                                        std::chrono::milliseconds) override {
    BrokerModel::Group& group = broker_.group(group_);
    if (!group.members.contains(member_)) broker_.join(group_, member_);
    if (generation_ != group.generation) {
      generation_ = group.generation;
      for (uint32_t i = 0; i < inputs_.size(); ++i)
        places_[i] = {.owned = group.assignment[member_].contains(place(inputs_[i]))};
      return connectors::PollResult{.reassigned = true};
    }
    if (std::ranges::any_of(places_, [](const Held& each) { return each.owned && !each.placed; })) {
      return connectors::PollResult{.reassigned = true};
    }
    std::vector<uint32_t> order(inputs_.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), broker_.random());
    for (uint32_t i : order) {
      if (!places_[i].owned || held_topics_.contains(inputs_[i].topic) || held_places_.contains(place(inputs_[i]))) continue;
      const size_t most =
          std::min<size_t>(max_records - std::min(max_records, batch.records().size()), 1 + broker_.random()() % 400);
      if (places_[i].next < broker_.start(place(inputs_[i])))
        return fail(ErrorKind::invalid, "model: what was committed is trimmed");
      read(broker_, place(inputs_[i]), i, most, places_[i].next, batch);
      const bool at_end = places_[i].next == static_cast<int64_t>(broker_.log(place(inputs_[i])).size());
      places_[i].end_since = !at_end ? 0 : places_[i].end_since != 0 ? places_[i].end_since : wall_();
    }
    return connectors::PollResult{};
  }
  Status seek(const std::vector<connectors::Position>&) override {
    const BrokerModel::Group& group = broker_.group(group_);
    for (uint32_t i = 0; i < inputs_.size(); ++i) {
      if (!places_[i].owned) continue;
      places_[i].placed = false;
      if (!broker_.reads_unstable_offsets && broker_.pending(group_, place(inputs_[i]))) {
        return fail(ErrorKind::unavailable, "model: a transaction holds the position");
      }
      const auto found = group.committed.find(place(inputs_[i]));
      const bool any = found != group.committed.end();
      places_[i] = {
          .owned = true, .placed = true, .next = any ? found->second.next_offset : 0, .note = any ? found->second.note : ""};
    }
    return {};
  }
  Status hold(const std::vector<std::string>& topics) override {
    held_topics_ = {topics.begin(), topics.end()};
    return {};
  }
  const std::string& note(uint32_t index) const override { return places_[index].note; }
  Status hold_partitions(const std::vector<Partition>& partitions) override {
    held_places_.clear();
    for (const Partition& each : partitions) held_places_.insert(place(each));
    return {};
  }
  // Whether the group takes positions from us.
  bool is_current() const {
    BrokerModel::Group& group = broker_.group(group_);
    return broker_.ignores_generations || (group.members.contains(member_) && group.generation == generation_);
  }
  const std::string& group() const { return group_; }

 private:
  struct Held {
    bool owned = false, placed = false;
    int64_t next = 0;
    std::string note;
    TimeMs end_since = 0;
  };
  static BrokerModel::Place place(const Partition& each) { return {each.topic, each.number}; }
  BrokerModel& broker_;
  const std::string group_, member_;
  const std::function<TimeMs()> wall_;
  const bool& quiet_;
  int generation_ = -1;
  std::vector<Partition> inputs_;
  std::vector<Held> places_;
  std::set<std::string> held_topics_;
  std::set<BrokerModel::Place> held_places_;
};

class ModelLink::Reader final : public connectors::PartitionReader {
 public:
  explicit Reader(BrokerModel& broker) : broker_(broker) {}
  const std::vector<Partition>& inputs() const override { return inputs_; }
  Status follow(const Partition& partition, int64_t from) override {
    const auto found = std::ranges::find(inputs_, partition);
    const auto index = static_cast<size_t>(found - inputs_.begin());
    if (found == inputs_.end()) {
      inputs_.push_back(partition);
      places_.emplace_back();
    }
    places_[index] = {.followed = true, .next = from};
    return {};
  }
  Status leave(const Partition& partition) override {
    const auto found = std::ranges::find(inputs_, partition);
    if (found != inputs_.end()) places_[static_cast<size_t>(found - inputs_.begin())] = {};
    return {};
  }
  Status poll(connectors::RecordBatch& batch, size_t max_records, std::chrono::milliseconds) override {
    for (uint32_t i = 0; i < inputs_.size(); ++i) {
      if (!places_[i].followed) continue;
      const BrokerModel::Place place{inputs_[i].topic, inputs_[i].number};
      const size_t most =
          std::min<size_t>(max_records - std::min(max_records, batch.records().size()), 1 + broker_.random()() % 2000);
      read(broker_, place, i, most, places_[i].next, batch);
      if (places_[i].next == static_cast<int64_t>(broker_.log(place).size())) places_[i].at_end = true;
    }
    return {};
  }
  int64_t next_offset(uint32_t index) const override { return places_[index].next; }
  bool at_end(uint32_t index) const override { return places_[index].at_end; }
  int64_t lag(uint32_t index) const override {
    return static_cast<int64_t>(broker_.log({inputs_[index].topic, inputs_[index].number}).size()) - places_[index].next;
  }

 private:
  struct Held {
    bool followed = false, at_end = false;
    int64_t next = 0;
  };
  BrokerModel& broker_;
  std::vector<Partition> inputs_;
  std::vector<Held> places_;
};

ModelLink::ModelLink(BrokerModel& broker, const ModelTopics& topics, std::string member, std::function<TimeMs()> wall)
    : broker_(broker), topics_(topics), member_(std::move(member)) {
  std::vector<std::string> read = topics_.sources;
  read.insert(read.end(), topics_.tables.begin(), topics_.tables.end());
  sources_ = std::make_unique<Source>(broker, topics_.group, member_, read, wall, quiet);
  shards_ = std::make_unique<Source>(broker, topics_.group + "-shards", member_, std::vector{topics_.exchange}, wall, quiet);
  tables_ = std::make_unique<Reader>(broker);
  changelog_ = std::make_unique<Reader>(broker);
  for (const Partition& each : broker.partitions_of(topics_.tables)) TILLWATCH_CHECK(tables_->follow(each, 0));
}

ModelLink::~ModelLink() = default;

connectors::GroupSource& ModelLink::sources() { return *sources_; }
connectors::GroupSource& ModelLink::shards() { return *shards_; }
connectors::PartitionReader& ModelLink::tables() { return *tables_; }
connectors::PartitionReader& ModelLink::changelog() { return *changelog_; }

Status ModelLink::begin() {
  epoch_ = broker_.begin_producer(member_);
  return {};
}

Expected<connectors::GroupCommit> ModelLink::commit(const connectors::GroupBatch& batch) {
  const auto step = [&](int number) {
    if (const auto happens = at_step) happens(number);  // a copy: it may put another in its place
  };
  connectors::GroupCommit done;
  if (broker_.epoch(member_) != epoch_) return fail(ErrorKind::unavailable, "model: the coordinator gave the transaction up");
  if (before_commit) before_commit(batch);
  step(0);
  for (const auto& [source, positions] : {std::pair{sources_.get(), &batch.sources}, std::pair{shards_.get(), &batch.shards}}) {
    if (!positions_first || !source->is_current()) continue;
    for (const GroupPosition& each : *positions) {
      broker_.group(source->group()).committed[{each.partition.topic, each.partition.number}] = each;
    }
  }
  const auto transaction = broker_.open_transaction(member_, epoch_);
  const auto refuse = [&] {
    broker_.decide(transaction, false);
    done.refused = true;
    return done;
  };
  const size_t half = batch.records.size() / 2;
  for (size_t i = 0; i < batch.records.size(); ++i) {
    if (i == half) step(1);
    if (transaction->decision != BrokerModel::Transaction::Decision::open) {
      return fail(ErrorKind::unavailable, "model: the producer is fenced");
    }
    OutputRecord record = batch.records[i];
    if (early_by > 0 && record.topic == topics_.exchange) record.value = hurried(record.value, early_by);
    const bool is_last_change = i + 2 == batch.records.size() && record.topic == topics_.changelog &&
                                record.partition == batch.records[i + 1].partition;
    if (forgets_last_change && is_last_change) continue;
    done.ends[{record.topic, std::max(0, record.partition)}] = broker_.append(transaction, record);
  }
  step(2);
  for (const auto& [source, positions] : {std::pair{sources_.get(), &batch.sources}, std::pair{shards_.get(), &batch.shards}}) {
    if (positions->empty()) continue;
    if (!source->is_current()) return refuse();
    for (GroupPosition position : *positions) {
      if (source == sources_.get()) position.next_offset = std::max<int64_t>(0, position.next_offset + shift_positions);
      transaction->offsets[source->group()][{position.partition.topic, position.partition.number}] = position;
    }
    step(3);
  }
  step(4);
  if (transaction->decision != BrokerModel::Transaction::Decision::open) {
    return fail(ErrorKind::unavailable, "model: the coordinator gave the transaction up");
  }
  broker_.decide(transaction, true);
  step(5);
  if (std::exchange(loses_answers, false)) return fail(ErrorKind::unavailable, "model: the answer was lost");
  done.outcome = CommitOutcome::committed;
  return done;
}

Status ModelLink::trim(const std::vector<connectors::Position>& positions) {
  for (const connectors::Position& each : positions)
    broker_.trim({each.partition.topic, each.partition.number}, each.next_offset);
  return {};
}

}  // namespace tillwatch::engine
