#include "connectors/kafka_client.h"

#include <utility>

#include "connectors/kafka_settings.h"

namespace tillwatch::connectors::kafka {
namespace {

constexpr int kLeaveGroupMs = 5000;
constexpr int kLookUpMs = 500;       // how often a long wait looks whether it has become hopeless
constexpr int16_t kFetchApiKey = 1;  // "Fetch" in the Kafka protocol

bool is_login_trouble(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         code == RD_KAFKA_RESP_ERR__SSL;
}

struct MetadataDeleter {
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};
struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};

TopicLayout layout_of(const rd_kafka_metadata_topic& topic) {
  TopicLayout layout(static_cast<size_t>(topic.partition_cnt), -1);
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const rd_kafka_metadata_partition& partition = topic.partitions[i];
    if (partition.id >= 0 && static_cast<size_t>(partition.id) < layout.size()) {
      layout[static_cast<size_t>(partition.id)] = partition.leader;
    }
  }
  return layout;
}

}  // namespace

int Deadline::left_ms() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<int64_t>(0, left.count()));
}

Client::Client(Kind kind, const KafkaOptions& options, Callbacks callbacks)
    : kind_(kind), options_(options), callbacks_(std::move(callbacks)) {}

Expected<std::unique_ptr<Client>> Client::create(Kind kind, const KafkaOptions& options, Callbacks callbacks) {
  std::unique_ptr<Client> client(new Client(kind, options, std::move(callbacks)));
  ConfPtr conf(rd_kafka_conf_new());
  if (Status status = client->configure(conf.get()); !status) return std::unexpected(status.error());
  char reason[512];
  const rd_kafka_type_t type = kind == Kind::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  client->handle_ = rd_kafka_new(type, conf.get(), reason, sizeof(reason));
  if (client->handle_ == nullptr) return fail(ErrorKind::invalid, std::string("kafka settings: ") + reason);
  static_cast<void>(conf.release());  // the handle owns it now
  return client;
}

Status Client::configure(rd_kafka_conf_t* conf) {
  if (Status status = apply_settings(conf, kind_, options_); !status) return status;
  rd_kafka_conf_set_opaque(conf, this);
  rd_kafka_conf_set_error_cb(conf, on_error);
  rd_kafka_conf_set_log_cb(conf, on_log);
  if (callbacks_.rebalance) rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
  if (callbacks_.delivery) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_conf_interceptor_add_on_new(conf, "tillwatch", on_new, this);
  return {};
}

Client::~Client() {
  if (handle_ == nullptr) return;
  if (kind_ != Kind::producer) {
    rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return;
  }
  // Records still queued belong to a transaction that will never commit.
  rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_destroy(handle_);
}

// rd_kafka_consumer_close() may wait for an absent broker for a long time; this may not.
void Client::leave_group() {
  if (!options_.group_instance_id.empty()) return;
  const std::unique_ptr<rd_kafka_queue_t, QueueDeleter> last_events(rd_kafka_queue_new(handle_));
  if (ErrorPtr error(rd_kafka_consumer_close_queue(handle_, last_events.get())); error != nullptr) {
    complain(rd_kafka_error_code(error.get()), rd_kafka_error_string(error.get()));
    return;
  }
  const Deadline deadline(kLeaveGroupMs);
  while (rd_kafka_consumer_closed(handle_) == 0 && !deadline.passed()) {
    MessagePtr(rd_kafka_consume_queue(last_events.get(), deadline.slice_ms(20))).reset();  // serves the revoke call-back
  }
}

void Client::abandon(std::unique_ptr<Client> client) { client.release()->abandoned_ = true; }

Expected<TopicLayout> Client::topic_layout(const std::string& topic, const Deadline& deadline) {
  const TopicPtr asked(rd_kafka_topic_new(handle_, topic.c_str(), nullptr));
  if (asked == nullptr) {
    return fail(ErrorKind::invalid, "kafka: topic '" + topic + "': " + rd_kafka_err2str(rd_kafka_last_error()));
  }
  while (true) {
    const rd_kafka_metadata_t* answer = nullptr;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(handle_, 0, asked.get(), &answer, deadline.slice_ms(kLookUpMs));
    const std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter> metadata(answer);
    rd_kafka_resp_err_t topic_code = code;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
      topic_code = metadata->topics[0].err;
      if (topic_code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return TopicLayout{};
      if (topic_code == RD_KAFKA_RESP_ERR_NO_ERROR) return layout_of(metadata->topics[0]);
      if (topic_code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        return fail(ErrorKind::invalid, "kafka: our user may not use topic '" + topic + "' on " + options_.bootstrap +
                                            ": allow it (Describe and Read or Write)");
      }
    }
    rd_kafka_poll(handle_, 0);  // complaints; never records, which come from a queue of their own
    if (is_login_trouble(last_complaint().code)) return std::unexpected(no_answer("logging in"));
    if (options_.stop_waiting && options_.stop_waiting()) {
      return fail(ErrorKind::unavailable, "kafka: told to stop before the broker at " + options_.bootstrap + " answered");
    }
    if (deadline.passed()) {
      complain(topic_code, rd_kafka_err2str(topic_code));
      return std::unexpected(no_answer("asking for topic '" + topic + "'"));
    }
  }
}

std::set<std::string> Client::unknown_topics(int timeout_ms) const {
  const rd_kafka_metadata_t* answer = nullptr;
  std::set<std::string> unknown;
  if (rd_kafka_metadata(handle_, 0, nullptr, &answer, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) return unknown;
  const std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter> metadata(answer);
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) unknown.insert(metadata->topics[i].topic);
  }
  return unknown;
}

Client::Complaint Client::last_complaint() const {
  const std::scoped_lock lock(mutex_);
  return complaint_;
}

TimeMs Client::last_response() const {
  const std::scoped_lock lock(mutex_);
  return last_response_;
}

Client::FetchRun Client::fetch_run(int32_t broker) const {
  const std::scoped_lock lock(mutex_);
  const auto found = fetch_runs_.find(broker);
  return found == fetch_runs_.end() ? FetchRun{} : found->second;
}

Error Client::no_answer(const std::string& doing) const {
  const Complaint complaint = last_complaint();
  const std::string said = complaint.text.empty() ? "no answer" : complaint.text;
  if (is_login_trouble(complaint.code)) {
    return {ErrorKind::invalid, "kafka: the broker at " + options_.bootstrap + " refuses our login: " + said +
                                    "; look at the security.*, sasl.* and ssl.* settings"};
  }
  return {ErrorKind::unavailable, "kafka: the broker at " + options_.bootstrap + " did not answer in time while " + doing +
                                      ": " + said + "; is it running, and is the address right?"};
}

void Client::complain(rd_kafka_resp_err_t code, const std::string& text) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const std::scoped_lock lock(mutex_);
  // "All brokers are down" and time-outs say less than what came before them: keep the cause.
  const bool says_little = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                           code == RD_KAFKA_RESP_ERR__TRANSPORT;
  if (says_little && complaint_.at > last_response_) {
    complaint_.at = wall_clock_ms();
    return;
  }
  complaint_ = {code, text, wall_clock_ms()};
}

void Client::on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
  static_cast<Client*>(opaque)->complain(static_cast<rd_kafka_resp_err_t>(code), reason);
}

void Client::on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  auto* client = static_cast<Client*>(rd_kafka_opaque(handle));
  if (client == nullptr || client->abandoned_) return;
  if (client->options_.log) client->options_.log(level, std::string(facility) + ": " + text);
}

void Client::on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  static_cast<Client*>(opaque)->callbacks_.rebalance(code, partitions);
}

void Client::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  static_cast<Client*>(opaque)->callbacks_.delivery(*message);
}

rd_kafka_resp_err_t Client::on_new(rd_kafka_t* handle, const rd_kafka_conf_t*, void* opaque, char*, size_t) {
  return rd_kafka_interceptor_add_on_response_received(handle, "tillwatch", on_response, opaque);
}

rd_kafka_resp_err_t Client::on_response(rd_kafka_t*, int, const char*, int32_t broker_id, int16_t api_key, int16_t, int32_t,
                                        size_t, int64_t, rd_kafka_resp_err_t code, void* opaque) {
  auto* client = static_cast<Client*>(opaque);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const TimeMs now = wall_clock_ms();
  const std::scoped_lock lock(client->mutex_);
  client->last_response_ = now;
  if (api_key == kFetchApiKey) {
    FetchRun& run = client->fetch_runs_[broker_id];
    if (now - run.last > kFetchFreshness) run.since = now;
    run.last = now;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace tillwatch::connectors::kafka
