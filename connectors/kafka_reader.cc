#include "connectors/kafka_reader.h"

#include <algorithm>

namespace tillwatch::connectors::kafka {

Expected<std::unique_ptr<KafkaReader>> KafkaReader::open(const KafkaOptions& options) {
  KafkaOptions unnamed = options;
  unnamed.group_instance_id.clear();  // it joins nothing
  auto client = Client::create(Client::Kind::consumer, unnamed, {});
  if (!client) return std::unexpected(client.error());
  return std::unique_ptr<KafkaReader>(new KafkaReader(std::move(*client)));
}

Status KafkaReader::move(const Partition& partition, const Place& place) {
  const auto found = std::ranges::find(inputs_, partition);
  const auto index = static_cast<size_t>(found - inputs_.begin());
  if (found == inputs_.end()) {
    inputs_.push_back(partition);
    places_.emplace_back();
  }
  const PartitionList list = make_partition_list(1);
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.number)->offset = place.next_offset;
  ErrorPtr error;
  if (places_[index].followed) error.reset(rd_kafka_incremental_unassign(client_->handle(), list.get()));
  if (error == nullptr && place.followed) error.reset(rd_kafka_incremental_assign(client_->handle(), list.get()));
  places_[index] = place;
  if (error == nullptr) return {};
  return fail(ErrorKind::unavailable, "kafka: following " + partition.topic + "-" + std::to_string(partition.number) + ": " +
                                          rd_kafka_error_string(error.get()));
}

Status KafkaReader::follow(const Partition& partition, int64_t from) {
  return move(partition, {.followed = true, .next_offset = from});
}

Status KafkaReader::leave(const Partition& partition) { return move(partition, {}); }

KafkaReader::Place* KafkaReader::place_of(const rd_kafka_message_t& message, uint32_t& index) {
  const char* topic = rd_kafka_topic_name(message.rkt);
  for (index = 0; index < inputs_.size(); ++index) {
    if (inputs_[index].number != message.partition || inputs_[index].topic != topic) continue;
    return places_[index].followed ? &places_[index] : nullptr;
  }
  return nullptr;
}

Status KafkaReader::poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) {
  const Deadline deadline(static_cast<int>(wait.count()));
  rd_kafka_poll(client_->handle(), 0);  // complaints
  for (size_t count = 0; count < max_records;) {
    const MessagePtr message(rd_kafka_consumer_poll(client_->handle(), count > 0 ? 0 : deadline.left_ms()));
    if (message == nullptr) break;
    uint32_t index = 0;
    Place* const place = message->rkt == nullptr ? nullptr : place_of(*message, index);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (place != nullptr) note_end(*message, *place);
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return judge(*message);
    if (place == nullptr || message->offset < place->next_offset) continue;
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const int64_t timestamp = rd_kafka_message_timestamp(message.get(), &type);
    batch.add(index, message->offset, type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? wall_clock_ms() : timestamp,
              {static_cast<const char*>(message->key), message->key_len},
              {static_cast<const char*>(message->payload), message->len});
    place->next_offset = message->offset + 1;
    ++count;
  }
  return {};
}

int64_t KafkaReader::high(const Partition& partition) const {
  int64_t low = RD_KAFKA_OFFSET_INVALID, high = RD_KAFKA_OFFSET_INVALID;
  rd_kafka_get_watermark_offsets(client_->handle(), partition.topic.c_str(), partition.number, &low, &high);
  return high;
}

// While a transaction is open the records handed out end before the partition does: that is no end.
void KafkaReader::note_end(const rd_kafka_message_t& message, Place& place) const {
  const int64_t end = high({rd_kafka_topic_name(message.rkt), message.partition});
  place.next_offset = std::max(place.next_offset, message.offset);  // behind the control records
  if (end >= 0 && message.offset >= end) place.end_seen = true;
}

int64_t KafkaReader::lag(uint32_t index) const {
  const int64_t end = high(inputs_[index]);
  return end < 0 ? -1 : std::max<int64_t>(0, end - places_[index].next_offset);
}

Status KafkaReader::judge(const rd_kafka_message_t& message) const {
  const std::string said = rd_kafka_message_errstr(&message);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__NO_OFFSET:
      return fail(ErrorKind::invalid,
                  "kafka: " + std::string(message.rkt == nullptr ? "a topic" : rd_kafka_topic_name(message.rkt)) + "-" +
                      std::to_string(message.partition) + " no longer has the offset reading goes on at (" + said +
                      "): it was made anew or lost records. An empty state.path is filled from the changelog");
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return fail(ErrorKind::invalid, "kafka: not allowed: " + said + "; let our user read the topic");
    default:
      return fail(ErrorKind::unavailable, "kafka: reading: " + said);
  }
}

}  // namespace tillwatch::connectors::kafka
