// The consumer of a group as a Source, and what the sink has to know of it: the group's metadata, what it has committed,
// and which partitions are ours. Internal to the Kafka connector.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "connectors/group_link.h"
#include "connectors/kafka_client.h"

namespace tillwatch::connectors::kafka {

class KafkaSource final : public GroupSource {
 public:
  // Connects and learns the partitions of every topic; joins nothing.
  static Expected<std::unique_ptr<KafkaSource>> open(const KafkaOptions& options);
  ~KafkaSource() override;

  const std::vector<Partition>& inputs() const override { return partitions_; }
  InputState state(uint32_t index) const override;
  // At a change of ownership returns at once with `reassigned`, and goes on saying so until a seek() has succeeded where
  // committed positions could not be read.
  Expected<PollResult> poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) override;
  // Joins the group the first time. Later moves every owned input back to what the group has committed.
  Status seek(const std::vector<Position>& positions) override;
  Status hold(const std::vector<std::string>& topics) override;
  const std::string& note(uint32_t index) const override;
  Status hold_partitions(const std::vector<Partition>& partitions) override;

  // For the sink; these may be called from its thread.
  struct MetadataDeleter {
    void operator()(rd_kafka_consumer_group_metadata_t* metadata) const { rd_kafka_consumer_group_metadata_destroy(metadata); }
  };
  using GroupMetadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t, MetadataDeleter>;
  GroupMetadata group_metadata() const { return GroupMetadata(rd_kafka_consumer_group_metadata(client_->handle())); }
  const Client& client() const { return *client_; }
  // Held by the sink while it commits; a revoke waits for it.
  std::mutex& commit_mutex() { return commit_mutex_; }
  bool owns(const Partition& partition) const;
  // Where owned inputs without a committed offset began: the next commit must carry these, so that a restart begins there too.
  std::vector<Position> uncommitted_starts() const;
  void starts_are_committed(const std::vector<Position>& starts);
  // Set once another process has taken our group.instance.id.
  std::optional<Error> takeover() const;

 private:
  // What one topic's handle of the library maps to: input by partition number.
  using InputsOfTopic = std::vector<uint32_t>;
  using PartitionKey = std::pair<std::string, int32_t>;

  struct Input {
    bool owned = false;
    bool placed = false;  // its position is the committed one; only then records are handed out
    bool stopped = false;  // the library found no record at its position, and reads it no more until it is assigned anew
    int64_t next_offset = 0;
    int64_t end_offset = -1;  // where the last fetch that found nothing more stood
    TimeMs end_seen_at = 0;
    int32_t leader = -1;
  };

  explicit KafkaSource(const KafkaOptions& options) : options_(options) {}
  Status learn_topics();
  uint32_t input_of(const std::string& topic, int32_t number);
  const InputsOfTopic& inputs_of(const rd_kafka_topic_t* topic);
  Status subscribe();
  void rebalance(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions);
  void assign(rd_kafka_topic_partition_list_t* partitions);
  void revoke(const rd_kafka_topic_partition_list_t* partitions);
  // Pauses or resumes those of `partitions` whose topic is held or not.
  Status pause(const rd_kafka_topic_partition_list_t& partitions);
  Status pause_owned();
  void note_refusal(const char* doing, const ErrorPtr& error);
  void take(const rd_kafka_message_t& message, RecordBatch& batch);
  void note_end(const rd_kafka_message_t& message);
  void note_error(const rd_kafka_message_t& message);
  Error out_of_range(const rd_kafka_message_t& message) const;
  // The committed offset of each partition, and where there is none the start the options name, which is remembered.
  Status find_positions(rd_kafka_topic_partition_list_t& partitions, const Deadline& deadline);
  Status assign_anew(const rd_kafka_topic_partition_list_t& stopped, const rd_kafka_topic_partition_list_t& all);
  PartitionList misplaced_inputs(const rd_kafka_topic_partition_list_t& committed) const;
  bool all_placed() const;
  void refresh_leaders();
  void find_deleted_topic();
  std::optional<Error> lost_contact() const;

  const KafkaOptions options_;
  std::vector<Partition> partitions_;
  std::vector<Input> inputs_;
  std::map<PartitionKey, uint32_t> index_;
  std::map<const rd_kafka_topic_t*, InputsOfTopic> by_topic_handle_;
  const rd_kafka_topic_t* last_topic_ = nullptr;
  const InputsOfTopic* last_inputs_ = nullptr;
  std::set<std::string> held_topics_;          // their partitions are paused
  std::set<PartitionKey> held_partitions_;     // and these
  std::map<PartitionKey, std::string> notes_;  // what was committed with the positions last read
  bool subscribed_ = false;
  bool closing_ = false;
  bool cooperative_ = false;  // a rebalance names only what changes; otherwise each begins with the loss of everything
  bool reassigned_ = false;
  bool topic_deleted_ = false;
  std::map<std::string, TimeMs> unknown_since_;  // topics the broker does not know
  std::optional<Error> failure_;                 // said by each poll until the next seek
  TimeMs leaders_asked_at_ = 0;
  TimeMs topics_asked_at_ = 0;

  std::mutex commit_mutex_;
  mutable std::mutex ownership_mutex_;  // guards what the sink's thread reads:
  std::set<PartitionKey> owned_;
  std::map<PartitionKey, int64_t> uncommitted_starts_;

  std::unique_ptr<Client> client_;
};

}  // namespace tillwatch::connectors::kafka
