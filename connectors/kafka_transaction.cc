#include "connectors/kafka_transaction.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace tillwatch::connectors::kafka {
namespace {

constexpr int kRepeatAfterMs = 5;
constexpr int kRoomLookUpMs = 20;

// What trying the same batch again will not mend.
bool is_hopeless(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
      return true;
    default:
      return false;
  }
}

bool is_fenced(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

// The group has moved on since the positions were taken.
bool is_out_of_date(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
         code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

}  // namespace

Status KafkaTransaction::start(const Deadline& deadline) {
  drop_producer();
  transaction_ends_.reset();
  auto on_delivery = [this](const rd_kafka_message_t& message) { note_delivery(message); };
  auto producer = Client::create(Client::Kind::producer, options_, {.rebalance = {}, .delivery = on_delivery});
  if (!producer) return std::unexpected(producer.error());
  producer_ = std::move(*producer);
  const Step step = attempt("starting transactions", deadline,
                            [this](int timeout_ms) { return rd_kafka_init_transactions(producer_->handle(), timeout_ms); });
  if (!step) return std::unexpected(step.error().error);
  usable_ = true;
  return {};
}

Expected<CommitOutcome> KafkaTransaction::commit(const std::vector<OutputRecord>& records,
                                                 const std::vector<Positions>& positions) {
  if (!usable_)
    return fail(ErrorKind::unavailable, "kafka: an earlier commit has no known outcome; what was committed is read first");
  if (Status status = learn_topics(records); !status) return std::unexpected(status.error());
  failed_delivery_.reset();
  refused_ = false;
  ends_.clear();
  const Step step = run(records, positions);
  transaction_ends_.reset();
  if (step) return CommitOutcome::committed;
  if (step.error().abort) return abort(step.error().error);
  drop_producer();
  return std::unexpected(step.error().error);
}

// At once: librdkafka 2.0 aborts the process when the answer to a commit comes after rd_kafka_commit_transaction() has given it up.
void KafkaTransaction::drop_producer() {
  usable_ = false;
  topics_.clear();
  producer_.reset();
}

KafkaTransaction::Step KafkaTransaction::run(const std::vector<OutputRecord>& records,
                                             const std::vector<Positions>& positions) {
  const Deadline deadline(options_.transaction_timeout_ms);
  transaction_ends_ = deadline;
  if (const ErrorPtr error(rd_kafka_begin_transaction(producer_->handle())); error != nullptr) {
    return std::unexpected(judge("beginning a transaction", *error));
  }
  passed(CommitStep::begun);
  for (size_t i = 0; i < records.size(); ++i) {
    if (i == records.size() / 2) passed(CommitStep::half_written);
    if (Step step = produce(records[i], deadline); !step) return step;
  }
  passed(CommitStep::written);
  // Also before the positions: librdkafka 2.0 does not come back from sending them when records time out meanwhile.
  if (Step step = flush(deadline); !step) return step;
  for (const Positions& of_group : positions) {
    if (of_group.list->cnt == 0) continue;
    if (Step step = send_positions(of_group, deadline); !step) return step;
  }
  passed(CommitStep::positions_sent);
  if (Step step = flush(deadline); !step) return step;
  passed(CommitStep::flushed);
  // From here on nobody but the coordinator knows the outcome until it answers: worth more patience.
  const Deadline last_deadline(options_.transaction_timeout_ms);
  Step step = attempt("committing", last_deadline,
                      [this](int timeout_ms) { return rd_kafka_commit_transaction(producer_->handle(), timeout_ms); });
  if (step) passed(CommitStep::committed);
  return step;
}

KafkaTransaction::Step KafkaTransaction::send_positions(const Positions& of_group, const Deadline& deadline) {
  const KafkaSource::GroupMetadata group = of_group.source->group_metadata();
  return attempt("sending positions", deadline, [&](int timeout_ms) {
    rd_kafka_error_t* const error =
        rd_kafka_send_offsets_to_transaction(producer_->handle(), of_group.list, group.get(), timeout_ms);
    refused_ = error != nullptr && is_out_of_date(rd_kafka_error_code(error));
    return error;
  });
}

// A record for a topic the library does not know yet would wait for its timer, about a second.
Status KafkaTransaction::learn_topics(const std::vector<OutputRecord>& records) {
  for (const OutputRecord& record : records) {
    if (topics_.contains(record.topic)) continue;
    TopicPtr topic(rd_kafka_topic_new(producer_->handle(), record.topic.c_str(), nullptr));
    const Expected<TopicLayout> layout = producer_->topic_layout(record.topic, Deadline(options_.connect_timeout_ms));
    if (!layout) return std::unexpected(layout.error());
    if (layout->empty())
      return std::unexpected(undeliverable({RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, record.topic, record.value.size()}));
    topics_.emplace(record.topic, std::move(topic));
  }
  return {};
}

KafkaTransaction::Step KafkaTransaction::produce(const OutputRecord& record, const Deadline& deadline) {
  const void* key = record.key.empty() ? nullptr : record.key.data();
  const void* value = record.value.empty() ? nullptr : record.value.data();
  while (true) {
    const rd_kafka_resp_err_t code =
        rd_kafka_producev(producer_->handle(), RD_KAFKA_V_RKT(topics_.at(record.topic).get()),
                          RD_KAFKA_V_PARTITION(record.partition < 0 ? RD_KAFKA_PARTITION_UA : record.partition),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, record.key.size()),
                          RD_KAFKA_V_VALUE(const_cast<void*>(value), record.value.size()), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (code == RD_KAFKA_RESP_ERR__FATAL) return std::unexpected(judge_fatal("writing"));
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      // Also "erroneous state": a record before this one has failed, and flushing is not needed to know it.
      if (failed_delivery_) return std::unexpected(Setback{true, undeliverable(*failed_delivery_)});
      return std::unexpected(Setback{true, undeliverable({code, record.topic, record.key.size() + record.value.size()})});
    }
    if (deadline.passed())
      return std::unexpected(Setback{false, producer_->no_answer("writing to topic '" + record.topic + "'")});
    rd_kafka_poll(producer_->handle(), deadline.slice_ms(kRoomLookUpMs));
  }
}

KafkaTransaction::Step KafkaTransaction::flush(const Deadline& deadline) {
  const rd_kafka_resp_err_t code = rd_kafka_flush(producer_->handle(), deadline.left_ms());
  if (failed_delivery_) return std::unexpected(Setback{true, undeliverable(*failed_delivery_)});
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return std::unexpected(Setback{false, producer_->no_answer("writing")});
}

Expected<CommitOutcome> KafkaTransaction::abort(const Error& because) {
  const Deadline deadline(options_.transaction_timeout_ms);
  const Step step = attempt("aborting", deadline,
                            [this](int timeout_ms) { return rd_kafka_abort_transaction(producer_->handle(), timeout_ms); });
  if (!step) {
    drop_producer();
    return std::unexpected(because.kind == ErrorKind::unavailable ? step.error().error : because);
  }
  // The last delivery reports came with the abort, and say more than what the library made of them.
  const Error reason = failed_delivery_ ? undeliverable(*failed_delivery_) : because;
  if (options_.log) options_.log(4, "transaction aborted: " + reason.message);
  if (reason.kind != ErrorKind::unavailable) return std::unexpected(reason);
  return CommitOutcome::aborted;
}

KafkaTransaction::Step KafkaTransaction::attempt(const char* doing, const Deadline& deadline,
                                                 const std::function<rd_kafka_error_t*(int timeout_ms)>& call) const {
  while (true) {
    const ErrorPtr error(call(std::max(1, deadline.left_ms())));
    if (error == nullptr) return {};
    if (rd_kafka_error_is_retriable(error.get()) == 0 || deadline.passed()) return std::unexpected(judge(doing, *error));
    std::this_thread::sleep_for(std::chrono::milliseconds(kRepeatAfterMs));
  }
}

KafkaTransaction::Setback KafkaTransaction::judge(const char* doing, const rd_kafka_error_t& error) const {
  if (rd_kafka_error_is_fatal(&error) != 0) return judge_fatal(doing);
  const rd_kafka_resp_err_t code = rd_kafka_error_code(&error);
  const std::string said = std::string("kafka: ") + doing + ": " + rd_kafka_error_string(&error);
  if (rd_kafka_error_txn_requires_abort(&error) != 0) {
    if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
      return {true,
              {ErrorKind::fenced,
               said + ": another process has joined the group as '" + options_.group_instance_id + "', this one ends"}};
    }
    if (failed_delivery_) return {true, undeliverable(*failed_delivery_)};
    return {true, {is_hopeless(code) ? ErrorKind::invalid : ErrorKind::unavailable, said}};
  }
  if (is_hopeless(code)) return {false, {ErrorKind::invalid, said}};
  rd_kafka_poll(producer_->handle(), 0);  // complaints, for no_answer()
  return {false, producer_->no_answer(std::string(doing) + " (" + rd_kafka_error_string(&error) + ")")};
}

KafkaTransaction::Setback KafkaTransaction::judge_fatal(const char* doing) const {
  char reason[512] = "";
  const rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer_->handle(), reason, sizeof(reason));
  const std::string said = std::string("kafka: ") + doing + ": " + reason;
  if (is_hopeless(code)) return {false, {ErrorKind::invalid, said}};
  // A coordinator that gives up a transaction for its age fences its producer, too. Who starts anew tells the two apart.
  const bool gave_up = transaction_ends_ && transaction_ends_->passed();
  if (!is_fenced(code) || gave_up) return {false, {ErrorKind::unavailable, said}};
  return {false,
          {ErrorKind::fenced,
           said + ": another process uses the transactional id '" + options_.transactional_id + "', this one ends"}};
}

Error KafkaTransaction::undeliverable(const FailedDelivery& failed) const {
  const std::string what = "kafka: a record of " + std::to_string(failed.bytes) + " bytes for topic '" + failed.topic + "': ";
  switch (failed.code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return {ErrorKind::invalid, what +
                                      "larger than the broker or our setting allows; raise max.message.bytes of the topic and "
                                      "message.max.bytes in our kafka settings"};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      return {ErrorKind::invalid, what + "there is no such topic; create it"};
    default:
      return {is_hopeless(failed.code) ? ErrorKind::invalid : ErrorKind::unavailable, what + rd_kafka_err2str(failed.code)};
  }
}

void KafkaTransaction::note_delivery(const rd_kafka_message_t& message) {
  const bool purged = message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    int64_t& end = ends_[rd_kafka_topic_name(message.rkt)][message.partition];
    end = std::max(end, message.offset + 1);
  }
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR || purged || failed_delivery_) return;
  failed_delivery_ = {message.err, rd_kafka_topic_name(message.rkt), message.key_len + message.len};
}

}  // namespace tillwatch::connectors::kafka
