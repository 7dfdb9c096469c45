#include "connectors/kafka_group.h"

#include <algorithm>
#include <cstring>

#include "connectors/kafka_reader.h"
#include "connectors/kafka_settings.h"
#include "connectors/kafka_source.h"
#include "connectors/kafka_topics.h"
#include "connectors/kafka_transaction.h"

namespace tillwatch::connectors {
namespace {

using kafka::Deadline;
using kafka::InternalTopic;
using kafka::KafkaReader;
using kafka::KafkaSource;
using kafka::KafkaTransaction;
using kafka::PartitionList;

constexpr const char* kInternalRecordBytes =
    "8388608";  // a state is never larger than a few pages; a frame holds one record at least
constexpr int kTrimMs = 5000;

KafkaOptions of_sources(const KafkaGroupOptions& options) {
  KafkaOptions kafka = options.kafka;
  kafka.number_commits = false;
  kafka.group_instance_id = options.member;
  kafka.transactional_id = options.kafka.group + "-" + options.member;
  kafka.whole_topics = options.table_topics;
  kafka.overrides.try_emplace("producer.message.max.bytes", kInternalRecordBytes);
  return kafka;
}

KafkaOptions of_shards(const KafkaGroupOptions& options) {
  KafkaOptions kafka = of_sources(options);
  kafka.group += "-shards";
  kafka.topics = {options.exchange_topic};
  kafka.output_topics = {options.changelog_topic};
  kafka.start = KafkaOptions::Start::earliest;
  kafka.whole_topics.clear();
  return kafka;
}

InternalTopic exchange_topic(const KafkaGroupOptions& options) {
  return {.name = options.exchange_topic,
          .partitions = options.shards,
          .replication = options.replication,
          .required = {{"cleanup.policy", "delete"}, {"retention.ms", "-1"}, {"retention.bytes", "-1"}},
          .suggested = {{"max.message.bytes", kInternalRecordBytes}}};
}

InternalTopic changelog_topic(const KafkaGroupOptions& options) {
  return {.name = options.changelog_topic,
          .partitions = options.shards,
          .replication = options.replication,
          .required = {{"cleanup.policy", "compact"}},
          .suggested = {{"max.message.bytes", kInternalRecordBytes},
                        {"delete.retention.ms", std::to_string(options.tombstones_kept_ms)}}};
}

class KafkaGroupLink final : public GroupLink {
 public:
  KafkaGroupLink(const KafkaGroupOptions& options, std::unique_ptr<KafkaSource> sources, std::unique_ptr<KafkaSource> shards,
                 std::unique_ptr<KafkaReader> tables, std::unique_ptr<KafkaReader> changelog,
                 std::unique_ptr<kafka::Client> admin)
      : options_(options),
        sources_(std::move(sources)),
        shards_(std::move(shards)),
        tables_(std::move(tables)),
        changelog_(std::move(changelog)),
        admin_(std::move(admin)),
        transaction_(of_sources(options)) {}

  GroupSource& sources() override { return *sources_; }
  GroupSource& shards() override { return *shards_; }
  PartitionReader& tables() override { return *tables_; }
  PartitionReader& changelog() override { return *changelog_; }

  Status begin() override {
    for (const KafkaSource* source : {sources_.get(), shards_.get()}) {
      if (std::optional<Error> takeover = source->takeover()) return std::unexpected(*takeover);
    }
    return transaction_.start(Deadline(options_.kafka.connect_timeout_ms));
  }

  Expected<GroupCommit> commit(const GroupBatch& batch) override {
    const bool all_ours = owns_all(*sources_, batch.sources) && owns_all(*shards_, batch.shards);
    if (!all_ours) return GroupCommit{.refused = true};
    const PartitionList sources = list_of(batch.sources), shards = list_of(batch.shards);
    const auto outcome = transaction_.commit(batch.records, {{sources_.get(), sources.get()}, {shards_.get(), shards.get()}});
    if (!outcome) return std::unexpected(outcome.error());
    GroupCommit done{.outcome = *outcome, .refused = transaction_.refused(), .ends = {}};
    if (*outcome != CommitOutcome::committed) return done;
    sources_->starts_are_committed(plain(batch.sources));
    shards_->starts_are_committed(plain(batch.shards));
    for (const auto& [topic, partitions] : transaction_.ends()) {
      for (const auto& [number, end] : partitions) done.ends[{topic, number}] = end;
    }
    return done;
  }

  Status trim(const std::vector<Position>& positions) override {
    return kafka::delete_records(*admin_, positions, Deadline(kTrimMs));
  }

 private:
  static bool owns_all(const KafkaSource& source, const std::vector<GroupPosition>& positions) {
    return std::ranges::all_of(positions, [&](const GroupPosition& each) { return source.owns(each.partition); });
  }
  static PartitionList list_of(const std::vector<GroupPosition>& positions) {
    PartitionList list = kafka::make_partition_list(positions.size());
    for (const GroupPosition& each : positions) {
      auto* place = rd_kafka_topic_partition_list_add(list.get(), each.partition.topic.c_str(), each.partition.number);
      place->offset = each.next_offset;
      place->metadata = strdup(each.note.c_str());  // the list frees it
      place->metadata_size = each.note.size();
    }
    return list;
  }
  static std::vector<Position> plain(const std::vector<GroupPosition>& positions) {
    std::vector<Position> result;
    for (const GroupPosition& each : positions) result.push_back({each.partition, each.next_offset});
    return result;
  }

  const KafkaGroupOptions options_;
  std::unique_ptr<KafkaSource> sources_, shards_;
  std::unique_ptr<KafkaReader> tables_, changelog_;
  std::unique_ptr<kafka::Client> admin_;
  KafkaTransaction transaction_;
};

Status follow_tables(KafkaReader& reader, const KafkaSource& sources, const std::vector<std::string>& topics) {
  for (const Partition& each : sources.inputs()) {
    if (std::ranges::find(topics, each.topic) == topics.end()) continue;
    if (Status followed = reader.follow(each, RD_KAFKA_OFFSET_BEGINNING); !followed) return followed;
  }
  return {};
}

}  // namespace

Expected<std::unique_ptr<GroupLink>> open_kafka_group(const KafkaGroupOptions& options) {
  const KafkaOptions source_options = of_sources(options), shard_options = of_shards(options);
  if (Status status = kafka::check_options(source_options); !status) return std::unexpected(status.error());
  auto sources = KafkaSource::open(source_options);  // waits for a broker
  if (!sources) return std::unexpected(sources.error());
  auto admin = kafka::Client::create(kafka::Client::Kind::onlooker, source_options, {});
  if (!admin) return std::unexpected(admin.error());
  const Deadline deadline(options.kafka.connect_timeout_ms);
  for (const InternalTopic& topic : {exchange_topic(options), changelog_topic(options)}) {
    if (Status ensured = kafka::ensure_topic(**admin, topic, deadline); !ensured) return std::unexpected(ensured.error());
  }
  auto shards = KafkaSource::open(shard_options);
  if (!shards) return std::unexpected(shards.error());
  auto tables = KafkaReader::open(source_options);
  if (!tables) return std::unexpected(tables.error());
  auto changelog = KafkaReader::open(shard_options);
  if (!changelog) return std::unexpected(changelog.error());
  if (Status followed = follow_tables(**tables, **sources, options.table_topics); !followed)
    return std::unexpected(followed.error());
  return std::make_unique<KafkaGroupLink>(options, std::move(*sources), std::move(*shards), std::move(*tables),
                                          std::move(*changelog), std::move(*admin));
}

}  // namespace tillwatch::connectors
