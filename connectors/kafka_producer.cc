#include "connectors/kafka_producer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "connectors/kafka_client.h"
#include "engine/base/words.h"

namespace tillwatch::connectors {
namespace {

using kafka::ConfPtr;
using kafka::Deadline;

constexpr int kLookUpMs = 1000;
constexpr int kRoomLookUpMs = 50;

struct HandleDeleter {
  void operator()(rd_kafka_t* handle) const {
    rd_kafka_purge(
        handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);  // nothing after flush(); never waits for an absent broker
    rd_kafka_destroy(handle);
  }
};
struct MetadataDeleter {
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};

class Producer final : public KafkaProducer {
 public:
  explicit Producer(const KafkaProducerOptions& options) : options_(options) {}

  Status open() {
    ConfPtr conf(rd_kafka_conf_new());
    std::map<std::string, std::string> settings = {{"client.id", "tillwatch-generate"},
                                                   {"enable.idempotence", "true"},
                                                   {"compression.codec", "lz4"},
                                                   {"linger.ms", "5"},
                                                   {"message.timeout.ms", std::to_string(options_.timeout_ms)}};
    for (const auto& [name, value] : options_.overrides) settings[name] = value;
    settings["bootstrap.servers"] = options_.bootstrap;
    char reason[512];
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason, sizeof(reason)) != RD_KAFKA_CONF_OK) {
        return fail(ErrorKind::invalid, "kafka setting '" + name + "': " + reason);
      }
    }
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
    rd_kafka_conf_set_error_cb(conf.get(), on_error);
    rd_kafka_conf_set_log_cb(conf.get(),
                             [](const rd_kafka_t*, int, const char*, const char*) {});  // on_error hears what matters
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason, sizeof(reason)));
    if (handle_ == nullptr) return fail(ErrorKind::invalid, std::string("kafka settings: ") + reason);
    static_cast<void>(conf.release());  // the handle owns it now
    return {};
  }

  // Asks for all topics: asking for one would make it, where the broker is set so.
  Status check(const std::vector<WantedTopic>& wanted) {
    const Deadline deadline(options_.timeout_ms);
    std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter> metadata;
    while (metadata == nullptr) {
      const rd_kafka_metadata_t* answer = nullptr;
      const rd_kafka_resp_err_t code =
          rd_kafka_metadata(handle_.get(), 1, nullptr, &answer, std::max(1, deadline.slice_ms(kLookUpMs)));
      rd_kafka_poll(handle_.get(), 0);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        metadata.reset(answer);
      } else if (deadline.passed()) {
        return fail(ErrorKind::unavailable, "kafka: the broker at " + options_.bootstrap + " did not answer in time: " +
                                                (complaint_.empty() ? rd_kafka_err2str(code) : complaint_) +
                                                "; is it running, and is the address right?");
      }
    }
    std::string missing, narrow;
    for (const WantedTopic& each : wanted) {
      const rd_kafka_metadata_topic* begin = metadata->topics;
      const rd_kafka_metadata_topic* end = begin + metadata->topic_cnt;
      const auto* found =
          std::find_if(begin, end, [&](const rd_kafka_metadata_topic& topic) { return topic.topic == each.topic; });
      if (found == end) {
        missing += (missing.empty() ? "" : ", ") + each.topic;
      } else if (found->partition_cnt < each.partitions) {
        narrow += (narrow.empty() ? "" : ", ") + each.topic + " has " + counted(static_cast<uint64_t>(found->partition_cnt), "partition") + " of " + std::to_string(each.partitions);
      }
    }
    if (!missing.empty()) {
      return fail(ErrorKind::invalid, "kafka: the broker at " + options_.bootstrap + " has no topic named: " + missing +
                                          ". Create them, for example: kafka-topics.sh --bootstrap-server " +
                                          options_.bootstrap + " --create --partitions " +
                                          std::to_string(wanted.front().partitions) + " --topic NAME");
    }
    if (!narrow.empty())
      return fail(ErrorKind::invalid, "kafka: " + narrow + ": add partitions to the topic, or give a lower --partitions");
    return {};
  }

  Status send(const std::string& topic, int32_t partition, std::string_view key, std::string_view value,
              TimeMs timestamp) override {
    while (failure_.empty()) {
      const rd_kafka_resp_err_t code =
          rd_kafka_producev(handle_.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(timestamp),
                            RD_KAFKA_V_KEY(key.empty() ? nullptr : key.data(), key.size()),
                            RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()), RD_KAFKA_V_END);
      const bool full = code == RD_KAFKA_RESP_ERR__QUEUE_FULL;
      rd_kafka_poll(handle_.get(), full ? kRoomLookUpMs : 0);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
      if (!full) return fail(ErrorKind::invalid, "kafka: writing to topic '" + topic + "': " + rd_kafka_err2str(code));
    }
    return fail(ErrorKind::unavailable, failure_);
  }

  // Records that are not taken in time fail with message.timeout.ms, so this ends.
  Status flush() override {
    while (rd_kafka_flush(handle_.get(), kLookUpMs) == RD_KAFKA_RESP_ERR__TIMED_OUT) {}
    if (failure_.empty()) return {};
    return fail(ErrorKind::unavailable, failure_);
  }

 private:
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* self = static_cast<Producer*>(opaque);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || !self->failure_.empty()) return;
    self->failure_ = "kafka: the broker at " + self->options_.bootstrap + " did not take a record for topic '" +
                     rd_kafka_topic_name(message->rkt) + "': " + rd_kafka_message_errstr(message) +
                     (self->complaint_.empty() ? "" : " (" + self->complaint_ + ")");
  }
  static void on_error(rd_kafka_t*, int, const char* reason, void* opaque) {
    auto* self = static_cast<Producer*>(opaque);
    if (self->complaint_.empty()) self->complaint_ = reason;  // the first says the cause, later ones "all brokers are down"
  }

  const KafkaProducerOptions options_;
  std::string failure_;                                // the first record that was not taken
  std::string complaint_;                              // what the library said first of the connection
  std::unique_ptr<rd_kafka_t, HandleDeleter> handle_;  // last: its end may call back
};

}  // namespace

Expected<std::unique_ptr<KafkaProducer>> open_kafka_producer(const KafkaProducerOptions& options,
                                                             const std::vector<WantedTopic>& topics) {
  auto producer = std::make_unique<Producer>(options);
  if (const Status opened = producer->open(); !opened) return std::unexpected(opened.error());
  if (const Status checked = producer->check(topics); !checked) return std::unexpected(checked.error());
  return producer;
}

}  // namespace tillwatch::connectors
