// Kafka as a group's member needs it: two consumer groups (source partitions, shards), readers in no group, and one
// transactional producer that commits the positions of both groups together with the output.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/group_link.h"
#include "connectors/kafka_connection.h"
#include "engine/base/status.h"

namespace tillwatch::connectors {

struct KafkaGroupOptions {
  KafkaOptions kafka;  // `topics`: sources and reference tables; `group`: of the sources, the shards' is called GROUP-shards
  std::string member;  // names this process among the members, the same after a restart; no two may have the same
  std::vector<std::string> table_topics;  // of the topics: followed whole by every member, too
  std::string exchange_topic;
  std::string changelog_topic;
  int32_t shards = 16;                      // partitions of both
  int replication = -1;                     // of both where they are created; -1: the broker's default
  int64_t tombstones_kept_ms = 24 * kHour;  // delete.retention.ms of the changelog where it is created
};

// Creates the internal topics where they are missing, and checks their settings where they are not. Joins nothing yet.
// Errors: as open_kafka(); invalid also for an internal topic with settings that lose records, with what to do.
Expected<std::unique_ptr<GroupLink>> open_kafka_group(const KafkaGroupOptions& options);

}  // namespace tillwatch::connectors
