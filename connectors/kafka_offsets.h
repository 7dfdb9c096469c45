// Questions about offsets to the broker: what a group has committed, where partitions begin and end.
// Internal to the Kafka connector. All block, at most until the deadline; errors as Client::no_answer(), and invalid where
// our user is not allowed or the group's metadata is not ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka_client.h"
#include "connectors/kafka_connection.h"
#include "connectors/source.h"
#include "engine/base/status.h"

namespace tillwatch::connectors::kafka {

// What a group has committed, of all the partitions the broker has, also of topics no longer read: the partition that carries
// the number changes with the list of topics, and the highest number is the last.
struct GroupCommits {
  uint64_t number = 0;  // 0: none carries one
  std::vector<Position> positions;
};

// Of the client's own group. A consumer waits until every transaction that holds offsets of the group is decided; an
// onlooker does not.
Expected<GroupCommits> read_group_commits(const Client& client, const std::string& group, const Deadline& deadline);

// Sets the offset of each partition to the one the client's own group has committed, RD_KAFKA_OFFSET_INVALID where there
// is none. Waits for transactions that hold one of them.
Status read_committed_offsets(const Client& client, rd_kafka_topic_partition_list_t& partitions, const Deadline& deadline);

// Sets the offset of each partition to where the options have it begin: at its first record, or for `latest` where its
// committed records end.
Status read_starts(const Client& client, const KafkaOptions& options, rd_kafka_topic_partition_list_t& partitions,
                   const Deadline& deadline);

// The commit number as it is written into the metadata of an offset. 0: the text is empty. Error: invalid.
Expected<uint64_t> parse_commit_number(std::string_view metadata);

}  // namespace tillwatch::connectors::kafka
