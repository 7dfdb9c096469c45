// The transactional producer as a Sink that decides. Internal to the Kafka connector.
//
// A commit is one transaction: the records, the positions of the source's group, and the commit number in the metadata of
// one fixed partition's offset. What Kafka has of it afterwards is all of it or nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka_client.h"
#include "connectors/kafka_offsets.h"
#include "connectors/kafka_source.h"
#include "connectors/kafka_transaction.h"
#include "connectors/sink.h"

namespace tillwatch::connectors::kafka {

class KafkaSink final : public Sink {
 public:
  // `source` outlives the sink.
  KafkaSink(const KafkaOptions& options, KafkaSource& source);

  bool decides() const override { return true; }
  Expected<uint64_t> last_commit(bool settled) override;
  // Fences an older process, ends its open transaction, then reads. Once more at any time after an `unavailable`; then it
  // says `fenced` when the group shows a commit that is not ours.
  Expected<CommittedState> recover() override;
  Expected<CommitOutcome> commit(const OutputBatch& batch) override;
  Expected<std::string> append(const OutputBatch& batch) override;
  Status rewind(const std::string& mark) override;

 private:
  // What the group shows to somebody who does not wait for open transactions.
  Expected<GroupCommits> look_on(const Deadline& deadline) const;
  Status check_not_taken_over(const Deadline& deadline) const;
  PartitionList offsets_of(const OutputBatch& batch, const std::vector<Position>& starts) const;

  const KafkaOptions options_;
  KafkaSource& source_;
  const Partition anchor_;  // whose offset carries the commit number: the first of the topics by name, partition 0
  std::optional<int64_t> anchor_offset_;  // what was last committed of it
  KafkaTransaction transaction_;
  bool usable_ = false;                  // false until recover() has succeeded
  std::optional<uint64_t> last_number_;  // the last commit this process tried
};

}  // namespace tillwatch::connectors::kafka
