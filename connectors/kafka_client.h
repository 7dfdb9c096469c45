// One librdkafka client: its settings, its life, what it last complained of, and when brokers last answered.
// Internal to the Kafka connector (as every header here that shows librdkafka types).
#pragma once

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "connectors/kafka_connection.h"
#include "engine/base/status.h"
#include "engine/base/time.h"

namespace tillwatch::connectors::kafka {

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
struct ErrorDeleter {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
struct TopicDeleter {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
struct PartitionListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;
using ErrorPtr = std::unique_ptr<rd_kafka_error_t, ErrorDeleter>;
using MessagePtr = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;
using TopicPtr = std::unique_ptr<rd_kafka_topic_t, TopicDeleter>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, PartitionListDeleter>;

inline PartitionList make_partition_list(size_t capacity) {
  return PartitionList(rd_kafka_topic_partition_list_new(static_cast<int>(capacity)));
}

// A point in time until which a blocking call may try.
class Deadline {
 public:
  explicit Deadline(int after_ms) : at_(std::chrono::steady_clock::now() + std::chrono::milliseconds(after_ms)) {}
  int left_ms() const;
  bool passed() const { return left_ms() == 0; }
  int slice_ms(int most) const { return std::min(left_ms(), most); }  // for calls that are to look up now and then

 private:
  std::chrono::steady_clock::time_point at_;
};

// Partitions of a topic by number, with the broker that leads each (-1: none at the moment). Empty: no such topic.
using TopicLayout = std::vector<int32_t>;

class Client {
 public:
  // An onlooker is a consumer that joins nothing and only asks: it sees what is committed without waiting for open
  // transactions.
  enum class Kind { consumer, producer, onlooker };

  // Called from within the client's poll and flush calls, on the thread that makes them. Complaints come by rd_kafka_poll(),
  // also a consumer's: its records come by rd_kafka_consumer_poll() alone.
  struct Callbacks {
    std::function<void(rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*)> rebalance;  // consumer only
    std::function<void(const rd_kafka_message_t&)> delivery;                               // producer only
  };

  struct Complaint {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::string text;
    TimeMs at = 0;
  };

  // An unbroken run of answered fetches from one broker.
  struct FetchRun {
    TimeMs since = 0;
    TimeMs last = 0;
  };

  // Answered fetches further apart than this do not count as one run, and a run older than this is over.
  static constexpr DurationMs kFetchFreshness = 3 * kSecond;

  static Expected<std::unique_ptr<Client>> create(Kind kind, const KafkaOptions& options, Callbacks callbacks);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* handle() const { return handle_; }

  // Waits for a broker until the deadline. Errors: unavailable, or invalid for a refused login or topic.
  Expected<TopicLayout> topic_layout(const std::string& topic, const Deadline& deadline);

  // Those of the topics in use that the broker does not know; none when it does not answer in time.
  std::set<std::string> unknown_topics(int timeout_ms) const;

  // A consumer's last act: gives its partitions back, within a few seconds. A static member stays in its group, silently.
  void leave_group();

  // Lets go of a client whose destructor would not return: librdkafka 2.0 waits for ever where a topic being read was deleted.
  // It lives on, silent, until the process ends, which is what a deleted topic leads to.
  static void abandon(std::unique_ptr<Client> client);

  Complaint last_complaint() const;
  TimeMs last_response() const;
  FetchRun fetch_run(int32_t broker) const;

  // "unavailable" with the broker's address and the last complaint; "invalid" when the last complaint is of a login.
  Error no_answer(const std::string& doing) const;

 private:
  Client(Kind kind, const KafkaOptions& options, Callbacks callbacks);
  Status configure(rd_kafka_conf_t* conf);
  void complain(rd_kafka_resp_err_t code, const std::string& text);

  static void on_error(rd_kafka_t*, int code, const char* reason, void* opaque);
  static void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text);
  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions, void* opaque);
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);
  static rd_kafka_resp_err_t on_new(rd_kafka_t* handle, const rd_kafka_conf_t*, void* opaque, char*, size_t);
  static rd_kafka_resp_err_t on_response(rd_kafka_t*, int socket, const char* broker, int32_t broker_id, int16_t api_key,
                                         int16_t api_version, int32_t correlation_id, size_t size, int64_t round_trip_us,
                                         rd_kafka_resp_err_t code, void* opaque);

  const Kind kind_;
  const KafkaOptions options_;
  const Callbacks callbacks_;
  rd_kafka_t* handle_ = nullptr;
  std::atomic<bool> abandoned_ = false;

  mutable std::mutex mutex_;  // guards what the library's threads write:
  Complaint complaint_;
  TimeMs last_response_ = 0;
  std::map<int32_t, FetchRun> fetch_runs_;
};

}  // namespace tillwatch::connectors::kafka
