// The librdkafka properties of both clients, and which of them an installation may change.
#include "connectors/kafka_settings.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace tillwatch::connectors::kafka {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

// Exactly-once rests upon these.
constexpr std::array<std::string_view, 12> kNotOurUsersChoice = {"auto.offset.reset",
                                                                 "enable.auto.commit",
                                                                 "enable.auto.offset.store",
                                                                 "enable.idempotence",
                                                                 "enable.partition.eof",
                                                                 "group.id",
                                                                 "group.instance.id",
                                                                 "group.protocol",
                                                                 "isolation.level",
                                                                 "transactional.id",
                                                                 "acks",
                                                                 "request.required.acks"};

// Before 2.10 librdkafka's sticky assignor has faults: 2.0 aborts the process when a member ends within its first join.
const char* assignor() { return rd_kafka_version() >= 0x020a00ff ? "cooperative-sticky" : "range"; }

Settings consumer_settings(const KafkaOptions& options, Client::Kind kind) {
  Settings settings = {
      {"group.id", options.group},
      {"session.timeout.ms", std::to_string(options.session_timeout_ms)},
      {"heartbeat.interval.ms", std::to_string(std::min(3000, options.session_timeout_ms / 3))},
      {"partition.assignment.strategy", assignor()},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"isolation.level", kind == Client::Kind::onlooker ? "read_uncommitted" : "read_committed"},  // of offsets, too
      {"enable.partition.eof", "true"},
      {"check.crcs", "true"},
      {"fetch.wait.max.ms", "100"},  // a seek waits for the fetch under way, and an idle one is what shows a partition quiet
      {"queued.min.messages", "1000000"},
      {"queued.max.messages.kbytes", std::to_string(std::max<size_t>(1024, options.prefetch_bytes >> 10))},
  };
  if (!options.group_instance_id.empty()) settings.emplace_back("group.instance.id", options.group_instance_id);
  // Before 2.2 a full queue stops fetching for a second: there the queue must hold more than a second's records.
  if (rd_kafka_version() >= 0x020200ff) settings.emplace_back("fetch.queue.backoff.ms", "5");
  return settings;
}

Settings producer_settings(const KafkaOptions& options) {
  return {
      {"transactional.id", options.transactional_id},
      {"transaction.timeout.ms", std::to_string(options.transaction_timeout_ms)},
      {"enable.idempotence", "true"},
      {"partitioner", "murmur2_random"},  // as Kafka's own clients place keys
      {"compression.codec", "lz4"},
      {"linger.ms", "1"},  // a commit flushes; this only keeps the first records of one from going alone
      {"queue.buffering.max.messages", "1000000"},
      {"queue.buffering.max.kbytes", "262144"},
      {"retry.backoff.ms", "10"},  // the coordinator says "later" while the transaction before is written out: a few ms
  };
}

Settings common_settings(const KafkaOptions& options) {
  return {
      {"bootstrap.servers", options.bootstrap}, {"client.id", options.client_id},
      {"socket.keepalive.enable", "true"},      {"socket.nagle.disable", "true"},  // a transaction is a chain of small requests
      {"reconnect.backoff.ms", "100"},          {"reconnect.backoff.max.ms", "2000"},
  };
}

Status set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value, const std::string& shown_name) {
  char reason[512];
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof(reason)) == RD_KAFKA_CONF_OK) return {};
  // librdkafka's reason names the property, and the value where that is what is wrong; it never shows a password's.
  return fail(ErrorKind::invalid, "kafka setting '" + shown_name + "': " + reason);
}

// The property an override is for on this side: "consumer.X" and "producer.X" are for one. Empty: not for this side.
std::string name_on_side(const std::string& name, Client::Kind kind) {
  for (const auto& [prefix, side] : {std::pair{"consumer.", Client::Kind::consumer}, {"producer.", Client::Kind::producer}}) {
    const bool is_of_side = (side == Client::Kind::producer) == (kind == Client::Kind::producer);
    if (name.starts_with(prefix)) return is_of_side ? name.substr(std::string_view(prefix).size()) : "";
  }
  return name;
}

Status check_override(const std::string& name) {
  for (const Client::Kind side : {Client::Kind::consumer, Client::Kind::producer}) {
    const std::string property = name_on_side(name, side);
    if (std::ranges::find(kNotOurUsersChoice, property) != kNotOurUsersChoice.end()) {
      return fail(ErrorKind::invalid, "kafka setting '" + name + "' cannot be changed: exactly-once rests upon it; remove it");
    }
  }
  return {};
}

Status check_present(const std::string& value, const char* what) {
  if (!value.empty()) return {};
  return fail(ErrorKind::invalid, std::string("kafka: ") + what + " is missing");
}

Status check_range(int value, int lowest, int highest, const char* what) {
  if (value >= lowest && value <= highest) return {};
  return fail(ErrorKind::invalid, std::string("kafka: ") + what + " is " + std::to_string(value) + ", must be " +
                                      std::to_string(lowest) + " to " + std::to_string(highest));
}

}  // namespace

Status check_options(const KafkaOptions& options) {
  for (const auto& [value, what] : {std::pair{&options.bootstrap, "the broker's address (bootstrap)"},
                                    {&options.group, "the consumer group (group)"},
                                    {&options.transactional_id, "the transactional id (transactional_id)"}}) {
    if (Status status = check_present(*value, what); !status) return status;
  }
  if (options.topics.empty()) return fail(ErrorKind::invalid, "kafka: no topic to read is named (topics)");
  for (const std::string& topic : options.topics) {
    if (topic.empty() || topic.front() == '^') {
      return fail(ErrorKind::invalid, "kafka: topic '" + topic + "' must be a plain name");
    }
  }
  for (const auto& [name, value] : options.overrides) {
    if (Status status = check_override(name); !status) return status;
  }
  if (Status status = check_range(options.transaction_timeout_ms, 1000, 10'000, "transaction_timeout_ms"); !status)
    return status;
  if (Status status = check_range(options.connect_timeout_ms, 100, 600'000, "connect_timeout_ms"); !status) return status;
  return check_range(options.session_timeout_ms, 1000, 1'800'000, "session_timeout_ms");
}

Status apply_settings(rd_kafka_conf_t* conf, Client::Kind kind, const KafkaOptions& options) {
  Settings settings = common_settings(options);
  Settings of_side = kind == Client::Kind::producer ? producer_settings(options) : consumer_settings(options, kind);
  settings.insert(settings.end(), of_side.begin(), of_side.end());
  for (const auto& [name, value] : settings) {
    if (Status status = set(conf, name, value, name); !status) return status;
  }
  for (const auto& [name, value] : options.overrides) {
    const std::string property = name_on_side(name, kind);
    if (property.empty()) continue;
    if (Status status = set(conf, property, value, name); !status) return status;
  }
  return {};
}

}  // namespace tillwatch::connectors::kafka
