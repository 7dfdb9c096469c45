#include "tests/broker/fixture.h"

#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>

namespace tillwatch::tests {
namespace {

constexpr int kPatienceMs = 30'000;
using Settings = std::map<std::string, std::string>;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "broker fixture: %s\n", what.c_str());
  std::abort();
}

void require(rd_kafka_resp_err_t code, const std::string& doing) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) give_up(doing + ": " + rd_kafka_err2str(code));
}

struct HandleDeleter { void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); } };
using Handle = std::unique_ptr<rd_kafka_t, HandleDeleter>;
struct QueueDeleter { void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); } };
struct EventDeleter { void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); } };
struct MessageDeleter { void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); } };
struct ListDeleter { void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); } };
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter>;

void ignore_log(const rd_kafka_t*, int, const char*, const char*) {}

Handle make_client(rd_kafka_type_t type, const std::string& bootstrap, const Settings& settings,
                   const std::function<void(rd_kafka_conf_t*)>& more = {}) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char reason[512];
  Settings all = settings;
  all["bootstrap.servers"] = bootstrap;
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof(reason)) != RD_KAFKA_CONF_OK) give_up(reason);
  }
  rd_kafka_conf_set_log_cb(conf, ignore_log);
  if (more) more(conf);
  Handle handle(rd_kafka_new(type, conf, reason, sizeof(reason)));
  if (handle == nullptr) give_up(reason);
  return handle;
}

// Waits for the answer of an administrative request sent to `queue`; `codes` reads the result of each of its parts.
void await_admin(const std::string& doing, rd_kafka_queue_t* queue, const std::function<void(rd_kafka_event_t*)>& check) {
  const std::unique_ptr<rd_kafka_event_t, EventDeleter> event(rd_kafka_queue_poll(queue, kPatienceMs));
  if (event == nullptr) give_up(doing + ": no answer");
  require(rd_kafka_event_error(event.get()), doing);
  check(event.get());
}

void require_topics(const std::string& doing, const rd_kafka_topic_result_t* const* results, size_t count) {
  for (size_t i = 0; i < count; ++i) require(rd_kafka_topic_result_error(results[i]), doing);
}

// 0 while the broker does not know the topic, or not yet who leads its partitions.
int partition_count(rd_kafka_t* handle, const std::string& topic) {
  rd_kafka_topic_t* asked = rd_kafka_topic_new(handle, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  require(rd_kafka_metadata(handle, 0, asked, &metadata, kPatienceMs), "asking for topic " + topic);
  int count = metadata->topics[0].partition_cnt;
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
    if (metadata->topics[0].partitions[i].leader < 0) count = 0;
  }
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(asked);
  return count;
}

void note_failed_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) *static_cast<rd_kafka_resp_err_t*>(opaque) = message->err;
}

List one_partition(const std::string& topic, int32_t partition) {
  List list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  return list;
}

std::string line_after(const std::string& text, const std::string& name) {
  const size_t at = text.find(name);
  if (at == std::string::npos) give_up("the broker's script did not say " + name + " but: " + text);
  const size_t from = at + name.size();
  return text.substr(from, text.find('\n', from) - from);
}

}  // namespace

BrokerFixture& BrokerFixture::shared() {
  static BrokerFixture fixture;
  return fixture;
}

BrokerFixture::BrokerFixture() {
  std::string path = (std::filesystem::temp_directory_path() / "tillwatch-broker-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) give_up("cannot make " + path);
  directory_ = path;
  start();
}

BrokerFixture::~BrokerFixture() {
  kill();
  std::error_code ignored;  // what is left of a temporary directory harms nobody
  std::filesystem::remove_all(directory_, ignored);
}

void BrokerFixture::start() {
  const std::string said = run_script("start '" + directory_ + "' --owner " + std::to_string(getpid()));
  bootstrap_ = line_after(said, "bootstrap=");
  sasl_bootstrap_ = line_after(said, "sasl=");
}

void BrokerFixture::stop() { run_script("stop '" + directory_ + "'"); }
void BrokerFixture::kill() { run_script("kill '" + directory_ + "'"); }
void BrokerFixture::restart() { start(); }

std::string BrokerFixture::run_script(const std::string& command) const {
  const std::string line = "'" TILLWATCH_SOURCE_DIR "/tests/broker/broker' " + command;
  FILE* output = popen(line.c_str(), "r");
  if (output == nullptr) give_up("cannot run " + line);
  std::string said;
  char chunk[256];
  while (const size_t size = std::fread(chunk, 1, sizeof(chunk), output)) said.append(chunk, size);
  if (pclose(output) != 0) give_up(line + " failed: " + said);
  return said;
}

std::string BrokerFixture::unique_name(const std::string& prefix) { return prefix + "-" + std::to_string(++names_); }

void BrokerFixture::create_topic(const std::string& topic, int partitions, const Settings& config) {
  const Handle handle = make_client(RD_KAFKA_PRODUCER, bootstrap_, {});
  const std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue(rd_kafka_queue_new(handle.get()));
  char reason[256];
  rd_kafka_NewTopic_t* asked = rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, reason, sizeof(reason));
  if (asked == nullptr) give_up(reason);
  for (const auto& [name, value] : config) require(rd_kafka_NewTopic_set_config(asked, name.c_str(), value.c_str()), name);
  rd_kafka_CreateTopics(handle.get(), &asked, 1, nullptr, queue.get());
  rd_kafka_NewTopic_destroy(asked);
  const std::string doing = "creating topic " + topic;
  await_admin(doing, queue.get(), [&](rd_kafka_event_t* event) {
    size_t count = 0;
    const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    require_topics(doing, results, count);
  });
  // The controller has answered; the broker may learn of it a little later.
  for (int waited_ms = 0; partition_count(handle.get(), topic) != partitions; waited_ms += 5) {
    if (waited_ms > kPatienceMs) give_up(doing + ": the broker does not learn of it");
    usleep(5000);
  }
}

void BrokerFixture::delete_topic(const std::string& topic) {
  const Handle handle = make_client(RD_KAFKA_PRODUCER, bootstrap_, {});
  const std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue(rd_kafka_queue_new(handle.get()));
  rd_kafka_DeleteTopic_t* asked = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_DeleteTopics(handle.get(), &asked, 1, nullptr, queue.get());
  rd_kafka_DeleteTopic_destroy(asked);
  const std::string doing = "deleting topic " + topic;
  await_admin(doing, queue.get(), [&](rd_kafka_event_t* event) {
    size_t count = 0;
    const auto* results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    require_topics(doing, results, count);
  });
}

void BrokerFixture::delete_records(const std::string& topic, int32_t partition, int64_t offset) {
  const Handle handle = make_client(RD_KAFKA_PRODUCER, bootstrap_, {});
  const std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue(rd_kafka_queue_new(handle.get()));
  const List before = one_partition(topic, partition);
  before->elems[0].offset = offset;
  rd_kafka_DeleteRecords_t* asked = rd_kafka_DeleteRecords_new(before.get());
  rd_kafka_DeleteRecords(handle.get(), &asked, 1, nullptr, queue.get());
  rd_kafka_DeleteRecords_destroy(asked);
  const std::string doing = "deleting records of " + topic;
  await_admin(doing, queue.get(), [&](rd_kafka_event_t* event) {
    const auto* results = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    for (int i = 0; i < results->cnt; ++i) require(results->elems[i].err, doing);
  });
}

void BrokerFixture::produce(const std::string& topic, const std::vector<ProducedRecord>& records, const Settings& settings) {
  rd_kafka_resp_err_t failed = RD_KAFKA_RESP_ERR_NO_ERROR;
  const Handle handle = make_client(RD_KAFKA_PRODUCER, bootstrap_, settings, [&failed](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_opaque(conf, &failed);
    rd_kafka_conf_set_dr_msg_cb(conf, note_failed_delivery);
  });
  for (const ProducedRecord& record : records) {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    do {
      code = rd_kafka_producev(handle.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
                               RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(record.timestamp),
                               RD_KAFKA_V_KEY(record.key.empty() ? nullptr : record.key.data(), record.key.size()),
                               RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()), RD_KAFKA_V_END);
      if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) rd_kafka_poll(handle.get(), 100);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    require(code, "producing to " + topic);
  }
  require(rd_kafka_flush(handle.get(), kPatienceMs), "flushing to " + topic);
  require(failed, "delivering to " + topic);
}

std::vector<ReadRecord> BrokerFixture::read_committed(const std::string& topic) {
  const Handle handle = make_client(RD_KAFKA_CONSUMER, bootstrap_,
                                    {{"group.id", "fixture"}, {"isolation.level", "read_committed"},
                                     {"enable.partition.eof", "true"}, {"enable.auto.commit", "false"},
                                     {"fetch.wait.max.ms", "10"}});
  std::vector<ReadRecord> records;
  const int partitions = partition_count(handle.get(), topic);
  for (int number = 0; number < partitions; ++number) {
    const List list = one_partition(topic, number);
    list->elems[0].offset = RD_KAFKA_OFFSET_BEGINNING;
    require(rd_kafka_assign(handle.get(), list.get()), "reading " + topic);
    while (true) {
      const std::unique_ptr<rd_kafka_message_t, MessageDeleter> message(rd_kafka_consumer_poll(handle.get(), kPatienceMs));
      if (message == nullptr) give_up("reading " + topic + ": nothing came");
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) break;
      require(message->err, "reading " + topic);
      records.push_back({message->partition, message->offset, {static_cast<const char*>(message->key), message->key_len},
                         {static_cast<const char*>(message->payload), message->len}});
    }
  }
  return records;
}

GroupOffset BrokerFixture::committed(const std::string& group, const std::string& topic, int32_t partition) {
  const Handle handle = make_client(RD_KAFKA_CONSUMER, bootstrap_, {{"group.id", group}, {"isolation.level", "read_committed"}});
  const List list = one_partition(topic, partition);
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  int waited_ms = 0;
  do {  // a broker just restarted loads its groups first
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) usleep(50'000);
    code = rd_kafka_committed(handle.get(), list.get(), kPatienceMs);
  } while ((code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
            code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE) &&
           (waited_ms += 50) < kPatienceMs);
  require(code, "reading offsets of " + group);
  const rd_kafka_topic_partition_t& found = list->elems[0];
  require(found.err, "reading offsets of " + group);
  if (found.offset < 0) return {};
  return {found.offset, std::string(static_cast<const char*>(found.metadata), found.metadata_size)};
}

void BrokerFixture::commit_offset(const std::string& group, const std::string& topic, int32_t partition,
                                  const GroupOffset& offset) {
  const Handle handle = make_client(RD_KAFKA_CONSUMER, bootstrap_, {{"group.id", group}});
  const List list = one_partition(topic, partition);
  list->elems[0].offset = offset.offset;
  list->elems[0].metadata = strdup(offset.metadata.c_str());
  list->elems[0].metadata_size = offset.metadata.size();
  require(rd_kafka_commit(handle.get(), list.get(), 0), "committing offsets of " + group);
}

}  // namespace tillwatch::tests
