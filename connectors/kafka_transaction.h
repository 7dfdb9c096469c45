// One transactional producer: records and the positions of one or more groups, decided whole or not at all. Internal to the
// Kafka connector. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka_client.h"
#include "connectors/kafka_source.h"
#include "connectors/sink.h"

namespace tillwatch::connectors::kafka {

class KafkaTransaction {
 public:
  explicit KafkaTransaction(const KafkaOptions& options) : options_(options) {}

  // A new producer: fences an older one of the same transactional id, and ends what it left open.
  Status start(const Deadline& deadline);

  // Positions of one group, checked against what `source` is in it.
  struct Positions {
    const KafkaSource* source = nullptr;
    const rd_kafka_topic_partition_list_t* list = nullptr;  // may be empty
  };
  // Errors: unavailable (the outcome is not known, or it was never begun: start() comes next), fenced, invalid.
  Expected<CommitOutcome> commit(const std::vector<OutputRecord>& records, const std::vector<Positions>& positions);
  // Whether the last commit was aborted because its positions are those of an assignment that is over.
  bool refused() const { return refused_; }
  // Of the last commit, by topic and partition: the offset after the last record written.
  const std::map<std::string, std::map<int32_t, int64_t>>& ends() const { return ends_; }

 private:
  // Why a step of a transaction did not succeed.
  struct Setback {
    bool abort = false;  // the transaction can be aborted and then is as if it had never been; otherwise: start()
    Error error;
  };
  using Step = std::expected<void, Setback>;
  struct FailedDelivery {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::string topic;
    size_t bytes = 0;
  };

  void drop_producer();
  Step run(const std::vector<OutputRecord>& records, const std::vector<Positions>& positions);
  // Learns the topics that are new to this producer. Error: invalid where one does not exist.
  Status learn_topics(const std::vector<OutputRecord>& records);
  Step produce(const OutputRecord& record, const Deadline& deadline);
  Step flush(const Deadline& deadline);
  Expected<CommitOutcome> abort(const Error& because);
  // Repeats `call` while the library says that it may be repeated.
  Step attempt(const char* doing, const Deadline& deadline, const std::function<rd_kafka_error_t*(int timeout_ms)>& call) const;
  Setback judge(const char* doing, const rd_kafka_error_t& error) const;
  Step send_positions(const Positions& of_group, const Deadline& deadline);
  Setback judge_fatal(const char* doing) const;
  Error undeliverable(const FailedDelivery& failed) const;
  void passed(CommitStep step) const {
    if (options_.observe_step) options_.observe_step(step);
  }
  void note_delivery(const rd_kafka_message_t& message);

  const KafkaOptions options_;
  std::unique_ptr<Client> producer_;          // none before start(), and none after a commit whose outcome is not known
  std::map<std::string, TopicPtr> topics_;    // of producer_; while a handle is held the library keeps the topic's leaders
  bool usable_ = false;                       // false until start() has succeeded (again)
  std::optional<Deadline> transaction_ends_;  // when the broker may give up the open transaction
  std::optional<FailedDelivery> failed_delivery_;
  bool refused_ = false;
  std::map<std::string, std::map<int32_t, int64_t>> ends_;
};

}  // namespace tillwatch::connectors::kafka
