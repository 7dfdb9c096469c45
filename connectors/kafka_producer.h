// Writes records to a Kafka broker where and when the caller says: what `tillwatch generate` puts traffic in with. No
// transactions: what the engine writes goes through KafkaSink.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"

namespace tillwatch::connectors {

struct KafkaProducerOptions {
  std::string bootstrap;                         // "host:port,host:port"
  std::map<std::string, std::string> overrides;  // librdkafka properties as they are called there: security, tuning
  int timeout_ms = 15'000;                       // for connecting, and for a record to be taken
};

// A topic that is to be there, with at least so many partitions.
struct WantedTopic {
  std::string topic;
  int32_t partitions = 1;
};

// One thread.
class KafkaProducer {
 public:
  virtual ~KafkaProducer() = default;
  // Waits while the queue is full. `timestamp`: ms, what a topic of CreateTime keeps. Errors: of this record or one before it.
  virtual Status send(const std::string& topic, int32_t partition, std::string_view key, std::string_view value,
                      TimeMs timestamp) = 0;
  // Returns when the broker has everything. Error: unavailable or invalid, and what was not taken.
  virtual Status flush() = 0;
};

// Creates nothing. Errors: invalid (topics that are missing or too narrow, all of them named; a setting), unavailable.
Expected<std::unique_ptr<KafkaProducer>> open_kafka_producer(const KafkaProducerOptions& options,
                                                             const std::vector<WantedTopic>& topics);

}  // namespace tillwatch::connectors
