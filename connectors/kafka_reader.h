// Partitions read from where one says, in no group: what every member of a group follows, and changelogs. Internal to the Kafka
// connector.
#pragma once

#include <memory>
#include <vector>

#include "connectors/group_link.h"
#include "connectors/kafka_client.h"

namespace tillwatch::connectors::kafka {

class KafkaReader final : public PartitionReader {
 public:
  static Expected<std::unique_ptr<KafkaReader>> open(const KafkaOptions& options);

  const std::vector<Partition>& inputs() const override { return inputs_; }
  Status follow(const Partition& partition, int64_t from) override;
  Status leave(const Partition& partition) override;
  Status poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) override;
  int64_t next_offset(uint32_t index) const override { return places_[index].next_offset; }
  bool at_end(uint32_t index) const override { return places_[index].end_seen; }
  int64_t lag(uint32_t index) const override;

 private:
  struct Place {
    bool followed = false;
    bool end_seen = false;
    int64_t next_offset = 0;
  };
  explicit KafkaReader(std::unique_ptr<Client> client) : client_(std::move(client)) {}
  Status move(const Partition& partition, const Place& place);
  Place* place_of(const rd_kafka_message_t& message, uint32_t& index);
  void note_end(const rd_kafka_message_t& message, Place& place) const;
  Status judge(const rd_kafka_message_t& message) const;
  int64_t high(const Partition& partition) const;

  std::unique_ptr<Client> client_;
  std::vector<Partition> inputs_;
  std::vector<Place> places_;
};

}  // namespace tillwatch::connectors::kafka
