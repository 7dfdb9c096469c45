#include "connectors/kafka_source.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "connectors/kafka_offsets.h"

namespace tillwatch::connectors::kafka {
namespace {

constexpr DurationMs kSilence = 5 * kSecond;  // no broker has said anything for so long: contact is lost
constexpr DurationMs kAskLeadersEvery = 5 * kSecond;
constexpr DurationMs kAskTopicsEvery = 3 * kSecond;
constexpr DurationMs kDeletedAfter = 8 * kSecond;
constexpr int kAskLeadersMs = 1000;
constexpr int kNewTopicMs = 1500;  // a broker may learn so late of a topic just created
constexpr int kAskForTopicEveryMs = 50;
constexpr int kAssignLookUpMs = 5000;  // within the group's rebalance, which waits for it

std::string name_of(const rd_kafka_topic_partition_t& partition) {
  return std::string(partition.topic) + "-" + std::to_string(partition.partition);
}

}  // namespace

Expected<std::unique_ptr<KafkaSource>> KafkaSource::open(const KafkaOptions& options) {
  std::unique_ptr<KafkaSource> source(new KafkaSource(options));
  KafkaSource* self = source.get();
  auto on_rebalance = [self](rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list) { self->rebalance(code, list); };
  auto client = Client::create(Client::Kind::consumer, options, {.rebalance = on_rebalance, .delivery = {}});
  if (!client) return std::unexpected(client.error());
  source->client_ = std::move(*client);
  if (Status status = source->learn_topics(); !status) return std::unexpected(status.error());
  return source;
}

KafkaSource::~KafkaSource() {
  closing_ = true;
  if (client_ == nullptr) return;
  if (topic_deleted_) {
    Client::abandon(std::move(client_));
  } else {
    client_->leave_group();  // calls rebalance(), which needs us whole
  }
}

Status KafkaSource::learn_topics() {
  const Deadline deadline(options_.connect_timeout_ms);
  const Deadline new_topics_known(std::min(options_.connect_timeout_ms, kNewTopicMs));
  std::vector<std::string> topics = options_.topics;
  topics.insert(topics.end(), options_.output_topics.begin(), options_.output_topics.end());
  std::string missing;
  for (size_t i = 0; i < topics.size(); ++i) {
    const bool is_input = i < options_.topics.size();  // an output topic need only be there
    Expected<TopicLayout> layout = client_->topic_layout(topics[i], deadline);
    while (layout && layout->empty() && !new_topics_known.passed()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kAskForTopicEveryMs));
      layout = client_->topic_layout(topics[i], deadline);
    }
    if (!layout) return std::unexpected(layout.error());
    if (layout->empty()) missing += (missing.empty() ? "" : ", ") + topics[i];
    for (size_t number = 0; is_input && number < layout->size(); ++number) {
      inputs_[input_of(topics[i], static_cast<int32_t>(number))].leader = (*layout)[number];
    }
  }
  if (missing.empty()) return {};
  return fail(ErrorKind::invalid, "kafka: the broker at " + options_.bootstrap + " has no topic named: " + missing +
                                      ". Create them, for example: kafka-topics.sh --bootstrap-server " + options_.bootstrap +
                                      " --create --partitions 8 --topic NAME (with --config cleanup.policy=compact for the topic of alerts and for "
                                      "reference tables); or correct the names in the configuration");
}

uint32_t KafkaSource::input_of(const std::string& topic, int32_t number) {
  const auto [found, added] = index_.try_emplace({topic, number}, static_cast<uint32_t>(partitions_.size()));
  if (added) {
    partitions_.push_back({topic, number});
    inputs_.emplace_back();
  }
  return found->second;
}

// One comparison for most records: those of a fetch come partition by partition. The library keeps one handle a topic.
const KafkaSource::InputsOfTopic& KafkaSource::inputs_of(const rd_kafka_topic_t* topic) {
  if (topic == last_topic_) return *last_inputs_;
  InputsOfTopic& inputs = by_topic_handle_[topic];
  if (inputs.empty()) {
    const std::string name = rd_kafka_topic_name(topic);
    for (auto at = index_.lower_bound({name, 0}); at != index_.end() && at->first.first == name; ++at) {
      inputs.push_back(at->second);
    }
  }
  last_topic_ = topic;
  last_inputs_ = &inputs;
  return inputs;
}

Status KafkaSource::subscribe() {
  const PartitionList topics = make_partition_list(options_.topics.size());
  for (const std::string& topic : options_.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  if (const rd_kafka_resp_err_t code = rd_kafka_subscribe(client_->handle(), topics.get()); code != 0) {
    return fail(ErrorKind::invalid, std::string("kafka: cannot subscribe: ") + rd_kafka_err2str(code));
  }
  subscribed_ = true;
  return {};
}

void KafkaSource::rebalance(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions) {
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    // One that comes when we are leaving is moot, and acknowledging it may hang in librdkafka 2.0.
    if (closing_) return;
    assign(partitions);
  } else {
    revoke(partitions);
  }
  if (partitions->cnt > 0) reassigned_ = true;
  // New partitions and topics deleted and made again get new handles.
  by_topic_handle_.clear();
  last_topic_ = nullptr;
  rd_kafka_yield(client_->handle());  // poll() is to return now
}

void KafkaSource::assign(rd_kafka_topic_partition_list_t* partitions) {
  const PartitionList placed(rd_kafka_topic_partition_list_copy(partitions));
  const bool found = partitions->cnt == 0 || find_positions(*placed, Deadline(kAssignLookUpMs)).has_value();
  // Where committed offsets cannot be read now the library starts somewhere, but nothing is handed out before seek().
  const rd_kafka_topic_partition_list_t* starts = found ? placed.get() : partitions;
  for (int i = 0; i < starts->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = starts->elems[i];
    Input& input = inputs_[input_of(partition.topic, partition.partition)];
    input = Input{.owned = true, .placed = found, .next_offset = found ? partition.offset : 0, .leader = input.leader};
    const std::scoped_lock lock(ownership_mutex_);
    owned_.insert({partition.topic, partition.partition});
  }
  cooperative_ = std::string_view(rd_kafka_rebalance_protocol(client_->handle())) == "COOPERATIVE";
  if (cooperative_) {
    note_refusal("taking over partitions", ErrorPtr(rd_kafka_incremental_assign(client_->handle(), starts)));
  } else if (const rd_kafka_resp_err_t code = rd_kafka_assign(client_->handle(), starts); code != 0) {
    note_refusal("taking over partitions", ErrorPtr(rd_kafka_error_new(code, "%s", rd_kafka_err2str(code))));
  }
  if (failure_ || (held_topics_.empty() && held_partitions_.empty())) return;
  if (const Status paused = pause(*starts); !paused) failure_ = paused.error();
}

Status KafkaSource::pause(const rd_kafka_topic_partition_list_t& partitions) {
  const PartitionList held = make_partition_list(static_cast<size_t>(partitions.cnt));
  const PartitionList free = make_partition_list(static_cast<size_t>(partitions.cnt));
  for (int i = 0; i < partitions.cnt; ++i) {
    const rd_kafka_topic_partition_t& each = partitions.elems[i];
    const bool is_held = held_topics_.contains(each.topic) || held_partitions_.contains({each.topic, each.partition});
    rd_kafka_topic_partition_list_add(is_held ? held.get() : free.get(), each.topic, each.partition);
  }
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  if (held->cnt > 0) code = rd_kafka_pause_partitions(client_->handle(), held.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && free->cnt > 0) code = rd_kafka_resume_partitions(client_->handle(), free.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return fail(ErrorKind::unavailable, std::string("kafka: holding topics back: ") + rd_kafka_err2str(code));
}

Status KafkaSource::hold(const std::vector<std::string>& topics) {
  held_topics_ = {topics.begin(), topics.end()};
  return pause_owned();
}

Status KafkaSource::hold_partitions(const std::vector<Partition>& partitions) {
  held_partitions_.clear();
  for (const Partition& each : partitions) held_partitions_.emplace(each.topic, each.number);
  return pause_owned();
}

const std::string& KafkaSource::note(uint32_t index) const {
  static const std::string kNone;
  const auto found = notes_.find({partitions_[index].topic, partitions_[index].number});
  return found == notes_.end() ? kNone : found->second;
}

Status KafkaSource::pause_owned() {
  const PartitionList owned = make_partition_list(inputs_.size());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].owned) rd_kafka_topic_partition_list_add(owned.get(), partitions_[i].topic.c_str(), partitions_[i].number);
  }
  return owned->cnt > 0 ? pause(*owned) : Status{};
}

void KafkaSource::revoke(const rd_kafka_topic_partition_list_t* partitions) {
  const std::scoped_lock commit_lock(commit_mutex_);  // a commit under way may still count on them
  for (int i = 0; i < partitions->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = partitions->elems[i];
    Input& input = inputs_[input_of(partition.topic, partition.partition)];
    input = Input{.next_offset = input.next_offset, .leader = input.leader};
    const std::scoped_lock lock(ownership_mutex_);
    owned_.erase({partition.topic, partition.partition});
    uncommitted_starts_.erase({partition.topic, partition.partition});
  }
  if (cooperative_) {
    note_refusal("giving partitions back", ErrorPtr(rd_kafka_incremental_unassign(client_->handle(), partitions)));
  } else if (const rd_kafka_resp_err_t code = rd_kafka_assign(client_->handle(), nullptr); code != 0) {
    note_refusal("giving partitions back", ErrorPtr(rd_kafka_error_new(code, "%s", rd_kafka_err2str(code))));
  }
}

void KafkaSource::note_refusal(const char* doing, const ErrorPtr& error) {
  if (error == nullptr) return;
  failure_ = Error{ErrorKind::unavailable, std::string("kafka: ") + doing + ": " + rd_kafka_error_string(error.get())};
}

Status KafkaSource::find_positions(rd_kafka_topic_partition_list_t& partitions, const Deadline& deadline) {
  if (Status status = read_committed_offsets(*client_, partitions, deadline); !status) return status;
  for (int i = 0; i < partitions.cnt; ++i) {
    const rd_kafka_topic_partition_t& each = partitions.elems[i];
    std::string_view note(static_cast<const char*>(each.metadata), each.metadata_size);
    if (!note.empty() && note.back() == '\0') note.remove_suffix(1);  // librdkafka 2.0 counts a terminating zero in
    notes_[{each.topic, each.partition}] = note;
  }
  const PartitionList fresh = make_partition_list(static_cast<size_t>(partitions.cnt));
  {
    const std::scoped_lock lock(ownership_mutex_);
    for (int i = 0; i < partitions.cnt; ++i) {
      rd_kafka_topic_partition_t& partition = partitions.elems[i];
      if (partition.offset >= 0) continue;
      const auto known = uncommitted_starts_.find({partition.topic, partition.partition});
      if (known != uncommitted_starts_.end()) {
        partition.offset = known->second;
      } else {
        rd_kafka_topic_partition_list_add(fresh.get(), partition.topic, partition.partition);
      }
    }
  }
  if (fresh->cnt == 0) return {};
  if (Status status = read_starts(*client_, options_, *fresh, deadline); !status) return status;
  const std::scoped_lock lock(ownership_mutex_);
  for (int i = 0; i < fresh->cnt; ++i) {
    const rd_kafka_topic_partition_t& start = fresh->elems[i];
    rd_kafka_topic_partition_list_find(&partitions, start.topic, start.partition)->offset = start.offset;
    uncommitted_starts_[{start.topic, start.partition}] = start.offset;
  }
  return {};
}

std::vector<Position> KafkaSource::uncommitted_starts() const {
  std::vector<Position> starts;
  const std::scoped_lock lock(ownership_mutex_);
  for (const auto& [key, offset] : uncommitted_starts_) starts.push_back({{key.first, key.second}, offset});
  return starts;
}

void KafkaSource::starts_are_committed(const std::vector<Position>& starts) {
  const std::scoped_lock lock(ownership_mutex_);
  for (const Position& start : starts) uncommitted_starts_.erase({start.partition.topic, start.partition.number});
}

bool KafkaSource::owns(const Partition& partition) const {
  const std::scoped_lock lock(ownership_mutex_);
  return owned_.contains({partition.topic, partition.number});
}

std::optional<Error> KafkaSource::takeover() const {
  char reason[256];
  const rd_kafka_resp_err_t code = rd_kafka_fatal_error(client_->handle(), reason, sizeof(reason));
  if (code != RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) return std::nullopt;
  return Error{ErrorKind::fenced, "kafka: another process has joined group '" + options_.group + "' as '" +
                                      options_.group_instance_id + "': this one ends (" + reason + ")"};
}

Expected<PollResult> KafkaSource::poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) {
  if (!subscribed_) return fail(ErrorKind::invalid, "kafka: seek() comes before the first poll()");
  const size_t full_at = batch.records().size() + max_records;
  const size_t before = batch.records().size();
  const Deadline deadline(static_cast<int>(wait.count()));
  rd_kafka_poll(client_->handle(), 0);  // complaints
  while (batch.records().size() < full_at && !reassigned_ && !failure_) {
    const bool some = batch.records().size() > before;
    const MessagePtr message(rd_kafka_consumer_poll(client_->handle(), some ? 0 : deadline.left_ms()));
    if (message == nullptr) {
      if (some || deadline.passed()) break;
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      take(*message, batch);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      note_end(*message);
    } else {
      note_error(*message);
    }
  }
  if (failure_) return std::unexpected(*failure_);
  if (std::exchange(reassigned_, !all_placed())) return PollResult{.reassigned = true};
  find_deleted_topic();
  if (failure_) return std::unexpected(*failure_);
  if (batch.records().size() == before) {
    if (std::optional<Error> error = lost_contact()) return std::unexpected(*error);
    refresh_leaders();
  }
  return PollResult{};
}

void KafkaSource::take(const rd_kafka_message_t& message, RecordBatch& batch) {
  const InputsOfTopic& inputs = inputs_of(message.rkt);
  if (static_cast<size_t>(message.partition) >= inputs.size()) return;
  const uint32_t index = inputs[static_cast<size_t>(message.partition)];
  Input& input = inputs_[index];
  if (!input.placed || message.offset < input.next_offset) return;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  // Only producers older than 0.10 write records without a time.
  const TimeMs arrived_at = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? wall_clock_ms() : timestamp;
  batch.add(index, message.offset, arrived_at, {static_cast<const char*>(message.key), message.key_len},
            {static_cast<const char*>(message.payload), message.len});
  input.next_offset = message.offset + 1;
  input.end_offset = -1;
}

void KafkaSource::note_end(const rd_kafka_message_t& message) {
  const InputsOfTopic& inputs = inputs_of(message.rkt);
  if (static_cast<size_t>(message.partition) >= inputs.size()) return;
  Input& input = inputs_[inputs[static_cast<size_t>(message.partition)]];
  input.end_offset = message.offset;  // behind the control records, which are never handed out
  input.end_seen_at = wall_clock_ms();
  input.leader = rd_kafka_message_broker_id(&message);
}

InputState KafkaSource::state(uint32_t index) const {
  const Input& input = inputs_[index];
  InputState state{.owned = input.owned, .next_offset = input.next_offset};
  int64_t low = RD_KAFKA_OFFSET_INVALID;
  int64_t high = RD_KAFKA_OFFSET_INVALID;
  const Partition& partition = partitions_[index];
  rd_kafka_get_watermark_offsets(client_->handle(), partition.topic.c_str(), partition.number, &low, &high);
  if (!state.owned || !input.placed || high < 0) return state;
  state.lag = std::max<int64_t>(0, high - std::max(input.next_offset, input.end_offset));
  const Client::FetchRun run = client_->fetch_run(input.leader);
  // The high watermark lies beyond the last stable offset while somebody's transaction is open: that is no end.
  state.at_end = input.end_offset >= high && wall_clock_ms() - run.last <= Client::kFetchFreshness;
  if (state.at_end) state.at_end_since = std::max(input.end_seen_at, run.since);
  return state;
}

// A partition whose leader moved while it was at its end: its fetches come from a broker we do not look at.
void KafkaSource::refresh_leaders() {
  const TimeMs now = wall_clock_ms();
  if (now - leaders_asked_at_ < kAskLeadersEvery) return;
  for (uint32_t index = 0; index < inputs_.size(); ++index) {
    const Input& input = inputs_[index];
    const bool stale =
        input.placed && input.end_offset >= 0 && now - client_->fetch_run(input.leader).last > Client::kFetchFreshness;
    if (!stale) continue;
    leaders_asked_at_ = now;
    const std::string& topic = partitions_[index].topic;
    const Expected<TopicLayout> layout = client_->topic_layout(topic, Deadline(kAskLeadersMs));
    if (!layout) return;  // contact is lost, which poll() says
    for (size_t number = 0; number < layout->size(); ++number) {
      inputs_[input_of(topic, static_cast<int32_t>(number))].leader = (*layout)[number];
    }
  }
}

// Of a topic that was deleted the library says nothing for minutes. A broker that starts may not know its topics for a moment.
void KafkaSource::find_deleted_topic() {
  const TimeMs now = wall_clock_ms();
  if (now - topics_asked_at_ < kAskTopicsEvery) return;
  topics_asked_at_ = now;
  const std::set<std::string> unknown = client_->unknown_topics(kAskLeadersMs);
  std::erase_if(unknown_since_, [&](const auto& topic) { return !unknown.contains(topic.first); });
  for (const std::string& topic : options_.topics) {
    if (!unknown.contains(topic) || now - unknown_since_.try_emplace(topic, now).first->second < kDeletedAfter) continue;
    topic_deleted_ = true;
    failure_ = Error{ErrorKind::invalid,
                     "kafka: topic '" + topic +
                         "' was deleted while it was read. Nothing is skipped silently: make it anew and begin with "
                         "another group and an empty store, or leave out the rules that read it"};
    return;
  }
}

std::optional<Error> KafkaSource::lost_contact() const {
  const Client::Complaint complaint = client_->last_complaint();
  const TimeMs heard_at = client_->last_response();
  if (complaint.at <= heard_at || wall_clock_ms() - heard_at < kSilence) return std::nullopt;
  return client_->no_answer("reading");
}

void KafkaSource::note_error(const rd_kafka_message_t& message) {
  const std::string said = rd_kafka_message_errstr(&message);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__NO_OFFSET: {
      const InputsOfTopic& inputs = inputs_of(message.rkt);
      if (static_cast<size_t>(message.partition) >= inputs.size()) return;
      Input& input = inputs_[inputs[static_cast<size_t>(message.partition)]];
      if (!input.placed) return;  // seek() will decide
      failure_ = out_of_range(message);
      input.placed = false;
      input.stopped = true;
      return;
    }
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
      return;  // the partitions are revoked and come back; poll() says so then
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      failure_ = takeover().value_or(Error{ErrorKind::unavailable, "kafka: the consumer cannot go on: " + said});
      return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      failure_ = Error{ErrorKind::invalid,
                       "kafka: not allowed: " + said + "; let our user read the topics and the group '" + options_.group + "'"};
      return;
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      failure_ = Error{ErrorKind::invalid, "kafka: group '" + options_.group + "' is used by another program: " + said +
                                               "; stop it, or name another group"};
      return;
    default:
      failure_ = Error{ErrorKind::unavailable, "kafka: reading: " + said};
  }
}

Error KafkaSource::out_of_range(const rd_kafka_message_t& message) const {
  const std::string topic = rd_kafka_topic_name(message.rkt);
  int64_t low = -1;
  int64_t high = -1;
  rd_kafka_query_watermark_offsets(client_->handle(), topic.c_str(), message.partition, &low, &high, kAskLeadersMs);
  const uint32_t index = index_.at({topic, message.partition});
  const std::string where = topic + "-" + std::to_string(message.partition);
  // A fetch from before the last seek(), behind which the records were trimmed since. Or nobody answers.
  if (low < 0 || (low <= inputs_[index].next_offset && inputs_[index].next_offset <= high)) {
    return {ErrorKind::unavailable, "kafka: reading " + where + " stopped at a position that is no longer ours"};
  }
  return {ErrorKind::invalid,
          "kafka: group '" + options_.group + "' stands at offset " + std::to_string(inputs_[index].next_offset) + " of " +
              where + ", but the broker keeps only offsets " + std::to_string(low) + " to " + std::to_string(high) +
              ": records in between are gone (retention, or the topic was made anew). Nothing is skipped silently: begin with "
              "another group and an empty store, or set the group's offsets with kafka-consumer-groups.sh --reset-offsets"};
}

bool KafkaSource::all_placed() const {
  return std::ranges::all_of(inputs_, [](const Input& input) { return input.placed || !input.owned; });
}

Status KafkaSource::seek(const std::vector<Position>& /*positions*/) {
  failure_.reset();
  if (!subscribed_) return subscribe();
  const Deadline deadline(options_.connect_timeout_ms);
  const PartitionList committed = make_partition_list(inputs_.size());
  for (uint32_t index = 0; index < inputs_.size(); ++index) {
    if (!inputs_[index].owned) continue;
    rd_kafka_topic_partition_list_add(committed.get(), partitions_[index].topic.c_str(), partitions_[index].number);
  }
  if (committed->cnt == 0) return {};
  if (Status status = find_positions(*committed, deadline); !status) return status;
  const PartitionList misplaced = misplaced_inputs(*committed);
  const PartitionList stopped = make_partition_list(inputs_.size()), moved = make_partition_list(inputs_.size());
  for (int i = 0; i < misplaced->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = misplaced->elems[i];
    const PartitionList& list = inputs_[index_.at({partition.topic, partition.partition})].stopped ? stopped : moved;
    rd_kafka_topic_partition_list_add(list.get(), partition.topic, partition.partition)->offset = partition.offset;
  }
  if (Status assigned = stopped->cnt == 0 ? Status{} : assign_anew(*stopped, *committed); !assigned) return assigned;
  if (moved->cnt > 0) {
    if (const ErrorPtr error(rd_kafka_seek_partitions(client_->handle(), moved.get(), deadline.left_ms())); error != nullptr) {
      return std::unexpected(client_->no_answer(std::string("seeking (") + rd_kafka_error_string(error.get()) + ")"));
    }
  }
  for (const rd_kafka_topic_partition_list_t* placed : {stopped.get(), moved.get()}) {
    for (int i = 0; i < placed->cnt; ++i) {
      const rd_kafka_topic_partition_t& partition = placed->elems[i];
      if (partition.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(ErrorKind::unavailable, "kafka: seeking in " + name_of(partition) + ": " + rd_kafka_err2str(partition.err));
      }
      Input& input = inputs_[index_.at({partition.topic, partition.partition})];
      input = Input{.owned = true, .placed = true, .next_offset = partition.offset, .leader = input.leader};
    }
  }
  return {};
}

// A seek fails where the library has stopped reading. `all`: what we own, at the positions it goes on from.
Status KafkaSource::assign_anew(const rd_kafka_topic_partition_list_t& stopped, const rd_kafka_topic_partition_list_t& all) {
  rd_kafka_t* handle = client_->handle();
  if (cooperative_) {
    note_refusal("giving up what is no longer read", ErrorPtr(rd_kafka_incremental_unassign(handle, &stopped)));
    if (!failure_) note_refusal("assigning anew", ErrorPtr(rd_kafka_incremental_assign(handle, &stopped)));
  } else if (const rd_kafka_resp_err_t code = rd_kafka_assign(handle, &all); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    note_refusal("assigning anew", ErrorPtr(rd_kafka_error_new(code, "%s", rd_kafka_err2str(code))));
  }
  if (!failure_ && !(held_topics_.empty() && held_partitions_.empty())) {
    if (const Status paused = pause(stopped); !paused) failure_ = paused.error();
  }
  return failure_ ? Status(std::unexpected(*failure_)) : Status{};
}

PartitionList KafkaSource::misplaced_inputs(const rd_kafka_topic_partition_list_t& committed) const {
  PartitionList moved = make_partition_list(static_cast<size_t>(committed.cnt));
  for (int i = 0; i < committed.cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = committed.elems[i];
    const Input& input = inputs_[index_.at({partition.topic, partition.partition})];
    if (input.placed && input.next_offset == partition.offset) continue;
    rd_kafka_topic_partition_list_add(moved.get(), partition.topic, partition.partition)->offset = partition.offset;
  }
  return moved;
}

}  // namespace tillwatch::connectors::kafka
