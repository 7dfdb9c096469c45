#include "connectors/kafka_sink.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

namespace tillwatch::connectors::kafka {
namespace {

Partition first_partition(const std::vector<std::string>& topics) { return {*std::ranges::min_element(topics), 0}; }

}  // namespace

KafkaSink::KafkaSink(const KafkaOptions& options, KafkaSource& source)
    : options_(options), source_(source), anchor_(first_partition(options.topics)), transaction_(options) {}

Expected<std::string> KafkaSink::append(const OutputBatch& /*batch*/) { TILLWATCH_CHECK(!"a sink that decides commits"); }
Status KafkaSink::rewind(const std::string& /*mark*/) { TILLWATCH_CHECK(!"a sink that decides commits"); }

Expected<uint64_t> KafkaSink::last_commit(bool settled) {
  const Deadline deadline(options_.connect_timeout_ms);
  const Expected<GroupCommits> commits =
      settled ? read_group_commits(source_.client(), options_.group, deadline) : look_on(deadline);
  if (!commits) return std::unexpected(commits.error());
  return commits->number;
}

Expected<GroupCommits> KafkaSink::look_on(const Deadline& deadline) const {
  const auto onlooker = Client::create(Client::Kind::onlooker, options_, {});
  if (!onlooker) return std::unexpected(onlooker.error());
  return read_group_commits(**onlooker, options_.group, deadline);
}

Expected<CommittedState> KafkaSink::recover() {
  const std::scoped_lock lock(source_.commit_mutex());
  const Deadline deadline(options_.connect_timeout_ms);
  if (Status status = check_not_taken_over(deadline); !status) return std::unexpected(status.error());
  usable_ = false;
  if (Status status = transaction_.start(deadline); !status) return std::unexpected(status.error());
  Expected<GroupCommits> commits = read_group_commits(source_.client(), options_.group, deadline);
  if (!commits) return std::unexpected(commits.error());
  const auto committed = std::ranges::find(commits->positions, anchor_, &Position::partition);
  if (committed != commits->positions.end()) {
    anchor_offset_ = committed->next_offset;
  } else {
    const PartitionList start = make_partition_list(1);
    rd_kafka_topic_partition_list_add(start.get(), anchor_.topic.c_str(), anchor_.number);
    if (Status status = read_starts(source_.client(), options_, *start, deadline); !status) {
      return std::unexpected(status.error());
    }
    anchor_offset_ = start->elems[0].offset;
  }
  usable_ = true;
  return CommittedState{.commit_number = commits->number, .positions = std::move(commits->positions), .mark = {}};
}

// A new producer of our transactional.id would fence whoever has it. Where that is a process that was started in our place
// while we were cut off, we are the one to go.
Status KafkaSink::check_not_taken_over(const Deadline& deadline) const {
  if (std::optional<Error> takeover = source_.takeover()) return std::unexpected(*takeover);
  if (!last_number_ || !options_.number_commits) return {};
  const Expected<GroupCommits> commits = look_on(deadline);
  if (!commits) return std::unexpected(commits.error());
  if (commits->number <= *last_number_) return {};
  return fail(ErrorKind::fenced, "kafka: group '" + options_.group + "' shows commit " + std::to_string(commits->number) +
                                     ", ours ended with " + std::to_string(*last_number_) +
                                     ": another process has taken over, this one ends");
}

Expected<CommitOutcome> KafkaSink::commit(const OutputBatch& batch) {
  const std::scoped_lock lock(source_.commit_mutex());
  if (!usable_) return fail(ErrorKind::unavailable, "kafka: an earlier commit has no known outcome; recover() comes first");
  const bool all_ours = std::ranges::all_of(batch.positions, [this](const Position& at) { return source_.owns(at.partition); });
  if (!all_ours || (options_.number_commits && !source_.owns(anchor_))) return CommitOutcome::aborted;

  last_number_ = batch.commit_number;
  const std::vector<Position> starts = source_.uncommitted_starts();
  const PartitionList offsets = offsets_of(batch, starts);
  const auto outcome = transaction_.commit(batch.records, {{&source_, offsets.get()}});
  if (!outcome || *outcome != CommitOutcome::committed) return outcome;
  for (int i = 0; i < offsets->cnt; ++i) {
    if (anchor_ == Partition{offsets->elems[i].topic, offsets->elems[i].partition}) anchor_offset_ = offsets->elems[i].offset;
  }
  source_.starts_are_committed(starts);
  return outcome;
}

PartitionList KafkaSink::offsets_of(const OutputBatch& batch, const std::vector<Position>& starts) const {
  PartitionList offsets = make_partition_list(batch.positions.size() + starts.size() + 1);
  auto put = [&offsets](const Partition& partition, int64_t offset) {
    auto* place = rd_kafka_topic_partition_list_find(offsets.get(), partition.topic.c_str(), partition.number);
    if (place == nullptr) place = rd_kafka_topic_partition_list_add(offsets.get(), partition.topic.c_str(), partition.number);
    place->offset = offset;
  };
  if (options_.number_commits) put(anchor_, *anchor_offset_);
  for (const Position& start : starts) put(start.partition, start.next_offset);
  for (const Position& position : batch.positions) put(position.partition, position.next_offset);
  if (!options_.number_commits) return offsets;

  auto* anchor = rd_kafka_topic_partition_list_find(offsets.get(), anchor_.topic.c_str(), anchor_.number);
  const std::string number = std::to_string(batch.commit_number);
  anchor->metadata = strdup(number.c_str());  // the list frees it
  anchor->metadata_size = number.size();
  return offsets;
}

}  // namespace tillwatch::connectors::kafka
