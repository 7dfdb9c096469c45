#include "connectors/kafka_offsets.h"

#include <algorithm>
#include <charconv>
#include <thread>

namespace tillwatch::connectors::kafka {
namespace {

constexpr int kAskAgainMs = 20;
constexpr int kSliceMs = 2000;  // librdkafka may lose a request while a broker restarts: ask anew after so long

struct MetadataDeleter {
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};

bool is_denied(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
         code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

Error denied(rd_kafka_resp_err_t code) {
  return {ErrorKind::invalid, std::string("kafka: reading offsets is not allowed to our user: ") + rd_kafka_err2str(code) +
                                  "; allow Read and Describe on the group and its topics"};
}

void pause_before_asking_again(const Deadline& deadline) {
  std::this_thread::sleep_for(std::chrono::milliseconds(deadline.slice_ms(kAskAgainMs)));
}

// All partitions the broker names, without Kafka's own topics. Asking for the offsets of all of a group would be one request,
// but an administrative one, which may abort the process when the coordinator is away (librdkafka issue 4605).
PartitionList all_partitions(const Client& client, const Deadline& deadline, rd_kafka_resp_err_t& code) {
  const rd_kafka_metadata_t* answer = nullptr;
  code = rd_kafka_metadata(client.handle(), 1, nullptr, &answer, std::max(1, deadline.slice_ms(kSliceMs)));
  const std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter> metadata(answer);
  PartitionList partitions = make_partition_list(64);
  for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic& topic = metadata->topics[i];
    if (std::string_view(topic.topic).starts_with("__")) continue;
    for (int number = 0; number < topic.partition_cnt; ++number) {
      rd_kafka_topic_partition_list_add(partitions.get(), topic.topic, topic.partitions[number].id);
    }
  }
  return partitions;
}

// Fills in what the group has committed of each. Topics may have been deleted since they were listed.
rd_kafka_resp_err_t ask_offsets(const Client& client, rd_kafka_topic_partition_list_t& partitions, const Deadline& deadline) {
  if (partitions.cnt == 0) return RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_resp_err_t code = rd_kafka_committed(client.handle(), &partitions, std::max(1, deadline.slice_ms(kSliceMs)));
  for (int i = 0; i < partitions.cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    if (partitions.elems[i].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) code = partitions.elems[i].err;
  }
  return code;
}

Expected<GroupCommits> commits_of(const rd_kafka_topic_partition_list_t& offsets, const std::string& group) {
  GroupCommits commits;
  for (int i = 0; i < offsets.cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = offsets.elems[i];
    if (partition.offset < 0) continue;
    commits.positions.push_back({{partition.topic, partition.partition}, partition.offset});
    const std::string_view metadata(static_cast<const char*>(partition.metadata), partition.metadata_size);
    const Expected<uint64_t> number = parse_commit_number(metadata);
    if (!number) {
      return fail(ErrorKind::invalid, "kafka: group '" + group + "' has offsets another program committed (" +
                                          number.error().message + "): name a group of our own");
    }
    commits.number = std::max(commits.number, *number);
  }
  return commits;
}

}  // namespace

Expected<uint64_t> parse_commit_number(std::string_view metadata) {
  // librdkafka 2.0 counts a terminating zero in.
  if (!metadata.empty() && metadata.back() == '\0') metadata.remove_suffix(1);
  uint64_t number = 0;
  if (metadata.empty()) return number;
  const auto [end, code] = std::from_chars(metadata.data(), metadata.data() + metadata.size(), number);
  if (code == std::errc{} && end == metadata.data() + metadata.size()) return number;
  return fail(ErrorKind::invalid, "metadata '" + std::string(metadata.substr(0, 80)) + "' is no commit number");
}

Expected<GroupCommits> read_group_commits(const Client& client, const std::string& group, const Deadline& deadline) {
  while (true) {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    const PartitionList partitions = all_partitions(client, deadline, code);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = ask_offsets(client, *partitions, deadline);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return commits_of(*partitions, group);
    if (is_denied(code)) return std::unexpected(denied(code));
    if (deadline.passed()) {
      return std::unexpected(client.no_answer("reading the offsets of group '" + group + "' (" + rd_kafka_err2str(code) + ")"));
    }
    pause_before_asking_again(deadline);
  }
}

Status read_committed_offsets(const Client& client, rd_kafka_topic_partition_list_t& partitions, const Deadline& deadline) {
  while (true) {
    rd_kafka_resp_err_t code = rd_kafka_committed(client.handle(), &partitions, std::max(1, deadline.slice_ms(kSliceMs)));
    for (int i = 0; i < partitions.cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) code = partitions.elems[i].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (is_denied(code)) return std::unexpected(denied(code));
    if (deadline.passed()) {
      return std::unexpected(client.no_answer(std::string("reading committed offsets (") + rd_kafka_err2str(code) + ")"));
    }
    pause_before_asking_again(deadline);
  }
}

Status read_starts(const Client& client, const KafkaOptions& options, rd_kafka_topic_partition_list_t& partitions,
                   const Deadline& deadline) {
  while (true) {
    for (int i = 0; i < partitions.cnt; ++i) {
      rd_kafka_topic_partition_t& partition = partitions.elems[i];
      const bool from_first = options.start == KafkaOptions::Start::earliest ||
                              std::ranges::find(options.whole_topics, partition.topic) != options.whole_topics.end();
      // The protocol takes these two "times" for the first and for the last offset.
      partition.offset = from_first ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    }
    rd_kafka_resp_err_t code =
        rd_kafka_offsets_for_times(client.handle(), &partitions, std::max(1, deadline.slice_ms(kSliceMs)));
    for (int i = 0; i < partitions.cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      code = partitions.elems[i].err;
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR && partitions.elems[i].offset < 0) code = RD_KAFKA_RESP_ERR__BAD_MSG;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (is_denied(code)) return std::unexpected(denied(code));
    if (deadline.passed()) {
      return std::unexpected(client.no_answer(std::string("reading where partitions begin (") + rd_kafka_err2str(code) + ")"));
    }
    pause_before_asking_again(deadline);
  }
}

}  // namespace tillwatch::connectors::kafka
