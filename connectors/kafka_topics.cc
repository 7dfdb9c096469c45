#include "connectors/kafka_topics.h"

#include <fmt/format.h>

#include <optional>
#include <thread>

namespace tillwatch::connectors::kafka {
namespace {

constexpr int kAskAgainMs = 50;

struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct NewTopicDeleter {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
};
struct ResourceDeleter {
  void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
};
struct DeleteRecordsDeleter {
  void operator()(rd_kafka_DeleteRecords_t* request) const { rd_kafka_DeleteRecords_destroy(request); }
};
using QueuePtr = std::unique_ptr<rd_kafka_queue_t, QueueDeleter>;
using EventPtr = std::unique_ptr<rd_kafka_event_t, EventDeleter>;

QueuePtr queue_of(const Client& client) { return QueuePtr(rd_kafka_queue_new(client.handle())); }

Error failed(const Client& client, const std::string& doing, rd_kafka_resp_err_t code, const char* said) {
  if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
      code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION || code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ||
      code == RD_KAFKA_RESP_ERR_INVALID_CONFIG) {
    return {ErrorKind::invalid, fmt::format("kafka: {}: {}", doing, said)};
  }
  return client.no_answer(fmt::format("{} ({})", doing, said));
}

Status create(const Client& client, const InternalTopic& topic, const Deadline& deadline) {
  char reason[256];
  const std::unique_ptr<rd_kafka_NewTopic_t, NewTopicDeleter> wanted(
      rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication, reason, sizeof(reason)));
  if (wanted == nullptr) return fail(ErrorKind::invalid, fmt::format("kafka: topic '{}': {}", topic.name, reason));
  for (const auto* settings : {&topic.required, &topic.suggested}) {
    for (const auto& [name, value] : *settings) rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
  }
  const QueuePtr queue = queue_of(client);
  rd_kafka_NewTopic_t* topics[] = {wanted.get()};
  rd_kafka_CreateTopics(client.handle(), topics, 1, nullptr, queue.get());
  const EventPtr event(rd_kafka_queue_poll(queue.get(), deadline.left_ms()));
  const std::string doing = fmt::format("creating topic '{}' ({} partitions); create it yourself, or allow our user to",
                                        topic.name, topic.partitions);
  if (event == nullptr) return std::unexpected(client.no_answer(doing));
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(failed(client, doing, rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get())));
  }
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  const rd_kafka_resp_err_t code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    return {};  // another member was first
  const char* said = count == 1 ? rd_kafka_topic_result_error_string(results[0]) : nullptr;
  return std::unexpected(failed(client, doing, code, said != nullptr ? said : rd_kafka_err2str(code)));
}

using TopicSettings = std::map<std::string, std::string>;

// Nothing: the broker that was asked does not know the topic.
Expected<std::optional<TopicSettings>> ask_for_settings(const Client& client, const std::string& topic,
                                                        const Deadline& deadline) {
  const std::unique_ptr<rd_kafka_ConfigResource_t, ResourceDeleter> asked(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  const QueuePtr queue = queue_of(client);
  rd_kafka_ConfigResource_t* resources[] = {asked.get()};
  rd_kafka_DescribeConfigs(client.handle(), resources, 1, nullptr, queue.get());
  const EventPtr event(rd_kafka_queue_poll(queue.get(), deadline.left_ms()));
  const std::string doing = fmt::format("reading the settings of topic '{}'", topic);
  if (event == nullptr) return std::unexpected(client.no_answer(doing));
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(failed(client, doing, rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get())));
  }
  size_t count = 0;
  const rd_kafka_ConfigResource_t** results =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  const rd_kafka_resp_err_t code = count == 1 ? rd_kafka_ConfigResource_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
  if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::nullopt;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(failed(client, doing, code, rd_kafka_err2str(code)));
  TopicSettings settings;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(results[0], &count);
  for (size_t i = 0; i < count; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);
    settings[rd_kafka_ConfigEntry_name(entries[i])] = value == nullptr ? "" : value;
  }
  return settings;
}

// Of a topic just made: any broker may be asked, and they learn of it one after another.
Expected<TopicSettings> settings_of(const Client& client, const std::string& topic, const Deadline& deadline) {
  while (true) {
    const Expected<std::optional<TopicSettings>> settings = ask_for_settings(client, topic, deadline);
    if (!settings) return std::unexpected(settings.error());
    if (settings->has_value()) return **settings;
    if (deadline.passed()) {
      return std::unexpected(client.no_answer(fmt::format("reading the settings of topic '{}', which is not known there", topic)));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kAskAgainMs));
  }
}

}  // namespace

Status ensure_topic(Client& client, const InternalTopic& topic, const Deadline& deadline) {
  Expected<TopicLayout> layout = client.topic_layout(topic.name, deadline);
  if (layout && layout->empty()) {
    if (Status created = create(client, topic, deadline); !created) return created;
  }
  while (layout && layout->empty() && !deadline.passed()) {  // brokers learn of it one after another
    std::this_thread::sleep_for(std::chrono::milliseconds(kAskAgainMs));
    layout = client.topic_layout(topic.name, deadline);
  }
  if (!layout) return std::unexpected(layout.error());
  if (static_cast<int32_t>(layout->size()) != topic.partitions) {
    return fail(
        ErrorKind::invalid,
        fmt::format("kafka: the internal topic '{}' has {} partitions, and state.shards is {}: one partition is one shard, and "
                    "their number is fixed. Set state.shards to {}, or begin anew with another group",
                    topic.name, layout->size(), topic.partitions, layout->size()));
  }
  const auto settings = settings_of(client, topic.name, deadline);
  if (!settings) return std::unexpected(settings.error());
  std::string wrong;
  for (const auto& [name, value] : topic.required) {
    const auto found = settings->find(name);
    if (found != settings->end() && found->second == value) continue;
    wrong += fmt::format("{}{} is {}, must be {}", wrong.empty() ? "" : "; ", name,
                         found == settings->end() ? "not set" : "'" + found->second + "'", value);
  }
  if (wrong.empty()) return {};
  return fail(ErrorKind::invalid,
              fmt::format("kafka: the internal topic '{}' would lose records: {}. Set it with kafka-configs.sh --alter "
                          "--entity-type topics --entity-name {} --add-config NAME=VALUE",
                          topic.name, wrong, topic.name));
}

Status delete_records(Client& client, const std::vector<Position>& positions, const Deadline& deadline) {
  if (positions.empty()) return {};
  const PartitionList list = make_partition_list(positions.size());
  for (const Position& each : positions) {
    rd_kafka_topic_partition_list_add(list.get(), each.partition.topic.c_str(), each.partition.number)->offset =
        each.next_offset;
  }
  const std::unique_ptr<rd_kafka_DeleteRecords_t, DeleteRecordsDeleter> request(rd_kafka_DeleteRecords_new(list.get()));
  const QueuePtr queue = queue_of(client);
  rd_kafka_DeleteRecords_t* requests[] = {request.get()};
  rd_kafka_DeleteRecords(client.handle(), requests, 1, nullptr, queue.get());
  const EventPtr event(rd_kafka_queue_poll(queue.get(), deadline.left_ms()));
  if (event == nullptr) return std::unexpected(client.no_answer("trimming the exchange"));
  if (rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return std::unexpected(
      failed(client, "trimming the exchange", rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get())));
}

}  // namespace tillwatch::connectors::kafka
