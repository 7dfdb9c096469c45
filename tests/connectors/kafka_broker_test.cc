// The Kafka connector against a real broker: what is exactly-once about it can be seen nowhere else.
// Long file: every test needs the topics and the process defined at its top.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "connectors/kafka_connection.h"
#include "tests/broker/fixture.h"

namespace tillwatch::connectors {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::BrokerFixture;
using tests::ProducedRecord;
using tests::ReadRecord;

constexpr milliseconds kPatience{30'000};

BrokerFixture& broker() { return BrokerFixture::shared(); }

// Two topics (one read, one written), a group and an id of its own for each test.
class KafkaConnector : public ::testing::Test {
 protected:
  KafkaConnector() {
    const std::string name = broker().unique_name("test");
    options.bootstrap = broker().bootstrap();
    options.group = name + "-group";
    options.transactional_id = name + "-writer";
    options.group_instance_id = name + "-member";
    options.topics = {name + "-in"};
    options.output_topics = {name + "-out"};
    broker().create_topic(in(), 2);
    broker().create_topic(out());
  }
  const std::string& in() const { return options.topics.front(); }
  const std::string& out() const { return options.output_topics.front(); }

  void produce(int32_t partition, const std::vector<std::string>& values) const {
    std::vector<ProducedRecord> records;
    for (const std::string& value : values) records.push_back({.key = "k", .value = value, .partition = partition});
    broker().produce(in(), records);
  }

  KafkaOptions options;
};

std::unique_ptr<KafkaLink> open_or_fail(const KafkaOptions& options) {
  auto link = open_kafka(options);
  EXPECT_TRUE(link.has_value()) << link.error().message;
  return link.has_value() ? std::move(*link) : nullptr;
}

// A process as the runner makes one: it recovers, joins, and reads until it has `wanted` records or the time is up.
struct Process {
  explicit Process(const KafkaOptions& options) : link(open_or_fail(options)) {
    auto state = link->sink().recover();
    EXPECT_TRUE(state.has_value()) << state.error().message;
    if (state) recovered = *state;
    const Status joined = link->source().seek(recovered.positions);
    EXPECT_TRUE(joined.has_value()) << joined.error().message;
  }

  // Polls until `done`; a batch in hand is dropped and read again when partitions change hands.
  Status poll_until(const std::function<bool()>& done, milliseconds patience = kPatience) {
    const auto give_up_at = std::chrono::steady_clock::now() + patience;
    while (!done() && std::chrono::steady_clock::now() < give_up_at) {
      const auto result = link->source().poll(batch, 10'000, milliseconds(20));
      if (!result) return std::unexpected(result.error());
      if (!result->reassigned) continue;
      batch.clear();
      if (Status status = link->source().seek({}); !status) return status;
    }
    return {};
  }

  std::vector<std::string> read(size_t wanted) {
    const Status status = poll_until([&] { return batch.records().size() >= wanted; });
    EXPECT_TRUE(status.has_value()) << status.error().message;
    return values();
  }

  std::vector<std::string> values() const {
    std::vector<std::string> values;
    for (const Record& record : batch.records()) values.emplace_back(record.value);
    return values;
  }

  // A batch of these records with the positions behind what has been read.
  OutputBatch output(uint64_t number, const std::string& topic, const std::vector<std::string>& records) const {
    OutputBatch made{.commit_number = number, .records = {}, .positions = {}};
    for (const std::string& value : records) made.records.push_back({topic, "key", value});
    for (uint32_t i = 0; i < link->source().inputs().size(); ++i) {
      const InputState state = link->source().state(i);
      if (state.owned) made.positions.push_back({link->source().inputs()[i], state.next_offset});
    }
    return made;
  }

  // An aborted batch is tried again, as a runner does: librdkafka 2.0 aborts one more after a record was refused.
  void commit(uint64_t number, const std::string& topic, const std::vector<std::string>& records) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto outcome = link->sink().commit(output(number, topic, records));
      ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
      if (*outcome == CommitOutcome::aborted) continue;
      batch.clear();
      return;
    }
    FAIL() << "aborted three times";
  }

  std::unique_ptr<KafkaLink> link;
  CommittedState recovered;
  RecordBatch batch;
};

std::vector<std::string> values_in(const std::string& topic) {
  std::vector<std::string> values;
  for (const ReadRecord& record : broker().read_committed(topic)) values.push_back(record.value);
  return values;
}

TEST_F(KafkaConnector, ReadsAllPartitionsFromTheEarliestRecord) {
  produce(0, {"a", "b"});
  produce(1, {"c"});
  Process process(options);
  EXPECT_EQ(process.recovered.commit_number, 0u);
  EXPECT_THAT(process.recovered.positions, IsEmpty());
  EXPECT_THAT(process.read(3), ::testing::UnorderedElementsAre("a", "b", "c"));
  const Record& first = process.batch.records()[0];
  EXPECT_EQ(first.key, "k");
  EXPECT_GT(first.arrived_at, 1'600'000'000'000);
}

TEST_F(KafkaConnector, GoesOnWhereTheLastCommitStopped) {
  produce(0, {"a", "b"});
  {
    Process process(options);
    process.read(2);
    process.commit(1, out(), {"alert 1"});
    process.commit(2, out(), {"alert 2"});
  }
  produce(0, {"c"});
  Process process(options);
  EXPECT_EQ(process.recovered.commit_number, 2u);
  EXPECT_THAT(process.read(1), ElementsAre("c"));
  EXPECT_EQ(process.batch.records()[0].offset, 2);
  EXPECT_THAT(values_in(out()), ElementsAre("alert 1", "alert 2"));
}

TEST_F(KafkaConnector, WhatWasReadButNotCommittedIsReadAgain) {
  produce(0, {"a", "b"});
  {
    Process process(options);
    process.read(2);
  }
  Process process(options);
  EXPECT_THAT(process.read(2), ElementsAre("a", "b"));
}

TEST_F(KafkaConnector, SeekGoesBackToWhatWasCommitted) {
  produce(0, {"a", "b"});
  Process process(options);
  process.read(2);
  process.commit(1, out(), {});
  produce(0, {"c"});
  produce(1, {"d"});
  process.read(2);
  process.batch.clear();
  ASSERT_TRUE(process.link->source().seek({}).has_value());
  EXPECT_THAT(process.read(2), ::testing::UnorderedElementsAre("c", "d"));
}

TEST_F(KafkaConnector, TheNumberIsSentWithEveryCommitAlsoWithoutNewRecords) {
  produce(1, {"a"});
  Process process(options);
  process.read(1);
  for (uint64_t number = 1; number <= 3; ++number) process.commit(number, out(), {});
  const tests::GroupOffset anchor = broker().committed(options.group, in(), 0);
  EXPECT_EQ(anchor.offset, 0);
  EXPECT_STREQ(anchor.metadata.c_str(), "3");
  EXPECT_EQ(broker().committed(options.group, in(), 1).offset, 1);
  const auto state = process.link->sink().recover();
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->commit_number, 3u);
  EXPECT_THAT(state->positions, SizeIs(2));
}

TEST_F(KafkaConnector, TheNumberIsFoundWhenTheTopicThatCarriesItIsNoLongerRead) {
  const std::string earlier = "a-" + in();  // before the other by name: carries the number
  broker().create_topic(earlier);
  produce(0, {"a"});
  KafkaOptions with_both = options;
  with_both.topics.push_back(earlier);
  {
    Process process(with_both);
    process.read(1);
    process.commit(41, out(), {});
  }
  Process process(options);
  EXPECT_EQ(process.recovered.commit_number, 41u);
}

TEST_F(KafkaConnector, AnAbortedTransactionIsNeverSeen) {
  Process process(options);
  process.read(0);
  ASSERT_TRUE(process.poll_until([&] { return process.link->source().state(0).owned; }).has_value());
  OutputBatch batch = process.output(1, out(), {"never seen"});
  batch.records.push_back({out(), "key", std::string(3 << 20, 'x')});  // too large: the whole batch falls
  const auto outcome = process.link->sink().commit(batch);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::invalid);
  EXPECT_THAT(outcome.error().message, AllOf(HasSubstr(out()), HasSubstr("3145731 bytes"), HasSubstr("max.message.bytes")));
  process.commit(1, out(), {"seen"});
  EXPECT_THAT(values_in(out()), ElementsAre("seen"));
}

TEST_F(KafkaConnector, ARecordTheBrokerFindsTooLargeIsNamed) {
  options.overrides["message.max.bytes"] = "8000000";
  options.overrides["producer.compression.codec"] = "none";
  Process process(options);
  ASSERT_TRUE(process.poll_until([&] { return process.link->source().state(0).owned; }).has_value());
  OutputBatch batch = process.output(1, out(), {"never seen", std::string(3 << 20, 'x')});
  const auto outcome = process.link->sink().commit(batch);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::invalid);
  EXPECT_THAT(outcome.error().message, AllOf(HasSubstr(out()), HasSubstr("max.message.bytes")));
  process.commit(1, out(), {"seen"});
  EXPECT_THAT(values_in(out()), ElementsAre("seen"));
}

TEST_F(KafkaConnector, AnOutputTopicThatIsNotThereIsNamed) {
  Process process(options);
  ASSERT_TRUE(process.poll_until([&] { return process.link->source().state(0).owned; }).has_value());
  const auto outcome = process.link->sink().commit(process.output(1, "no-such-topic", {"x"}));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::invalid);
  EXPECT_THAT(outcome.error().message, HasSubstr("'no-such-topic'"));
  process.commit(1, out(), {"seen"});
  EXPECT_THAT(values_in(out()), ElementsAre("seen"));
}

TEST_F(KafkaConnector, ASecondProcessFencesTheFirst) {
  produce(0, {"a"});
  Process first(options);
  first.read(1);
  first.commit(1, out(), {"first"});
  Process second(options);
  EXPECT_EQ(second.recovered.commit_number, 1u);
  const auto outcome = first.link->sink().commit(first.output(2, out(), {"from the fenced"}));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::fenced);
  EXPECT_THAT(outcome.error().message, HasSubstr(options.transactional_id));
  ASSERT_TRUE(second.poll_until([&] { return second.link->source().state(0).owned; }).has_value());
  second.commit(2, out(), {"second"});
  EXPECT_THAT(values_in(out()), ElementsAre("first", "second"));
  // The reader learns it too, from the group.
  const Status polled = first.poll_until([] { return false; });
  ASSERT_FALSE(polled.has_value());
  EXPECT_EQ(polled.error().kind, ErrorKind::fenced);
}

TEST_F(KafkaConnector, AProcessThatWasCutOffDoesNotTakeItsPlaceBack) {
  options.group_instance_id.clear();  // the group's own fencing would say it first
  options.client_id = "z";            // partitions are given out in the order of the members' names
  Process first(options);
  ASSERT_TRUE(first.poll_until([&] { return first.link->source().state(0).owned; }).has_value());
  first.commit(1, out(), {"first"});
  // What a second process has done meanwhile, as the group shows it.
  options.client_id = "a";
  Process second(options);
  RecordBatch none;
  const auto give_up_at = std::chrono::steady_clock::now() + kPatience;
  while (!second.link->source().state(0).owned && std::chrono::steady_clock::now() < give_up_at) {
    ASSERT_TRUE(first.poll_until([] { return false; }, milliseconds(20)).has_value());
    ASSERT_TRUE(second.poll_until([] { return false; }, milliseconds(20)).has_value());
  }
  second.commit(2, out(), {"second"});
  const auto state = first.link->sink().recover();
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().kind, ErrorKind::fenced);
  EXPECT_THAT(state.error().message, AllOf(HasSubstr("shows commit 2"), HasSubstr("ours ended with 1")));
  second.commit(3, out(), {"third"});
}

TEST_F(KafkaConnector, WhoOnlyLooksDisturbsNobodyAndWaitsForNobody) {
  std::vector<uint64_t> seen_while_open;
  options.observe_step = [&](CommitStep step) {
    if (step != CommitStep::flushed) return;
    KafkaOptions looking = options;
    looking.observe_step = nullptr;
    const auto number = open_or_fail(looking)->sink().last_commit(false);
    ASSERT_TRUE(number.has_value()) << number.error().message;
    seen_while_open.push_back(*number);
  };
  Process process(options);
  ASSERT_TRUE(process.poll_until([&] { return process.link->source().state(0).owned; }).has_value());
  process.commit(1, out(), {"first"});
  process.commit(2, out(), {"second"});
  EXPECT_THAT(seen_while_open, ElementsAre(0u, 1u));
  const auto number = open_or_fail(options)->sink().last_commit(true);
  ASSERT_TRUE(number.has_value()) << number.error().message;
  EXPECT_EQ(*number, 2u);
  process.commit(3, out(), {"third"});
  EXPECT_THAT(values_in(out()), ElementsAre("first", "second", "third"));
}

TEST_F(KafkaConnector, LatestDoesNotHoldForTopicsThatAreReadWhole) {
  const std::string table = in() + "-table";
  broker().create_topic(table);
  produce(0, {"before"});
  broker().produce(table, {{.key = "k", .value = "row"}});
  options.start = KafkaOptions::Start::latest;
  options.topics.push_back(table);
  options.whole_topics = {table};
  Process process(options);
  EXPECT_THAT(process.read(1), ElementsAre("row"));
}

TEST_F(KafkaConnector, ATopicDeletedWhileItIsReadIsNamed) {
  produce(0, {"a"});
  Process process(options);
  process.read(1);
  broker().delete_topic(in());
  const Status status = process.poll_until([] { return false; }, milliseconds(60'000));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind, ErrorKind::invalid) << status.error().message;
  EXPECT_THAT(status.error().message, AllOf(HasSubstr(in()), HasSubstr("deleted")));
}

TEST_F(KafkaConnector, MissingTopicsAreNamedAllAtOnceWithHowToCreateThem) {
  options.topics = {in(), "missing-one"};
  options.output_topics = {"missing-two"};
  const auto link = open_kafka(options);
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().kind, ErrorKind::invalid);
  EXPECT_THAT(link.error().message,
              AllOf(HasSubstr("missing-one, missing-two"), HasSubstr("--create"), HasSubstr(options.bootstrap)));
}

TEST_F(KafkaConnector, ARefusedLoginIsSaidAtOnce) {
  options.bootstrap = broker().sasl_bootstrap();
  options.overrides = {{"security.protocol", "SASL_PLAINTEXT"},
                       {"sasl.mechanism", "PLAIN"},
                       {"sasl.username", "till"},
                       {"sasl.password", "wrong"}};
  const auto started = std::chrono::steady_clock::now();
  const auto link = open_kafka(options);
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().kind, ErrorKind::invalid);
  EXPECT_THAT(link.error().message, AllOf(HasSubstr("refuses our login"), HasSubstr("sasl")));
  EXPECT_LT(std::chrono::steady_clock::now() - started, milliseconds(options.connect_timeout_ms));

  options.overrides["sasl.password"] = "till-secret";
  EXPECT_TRUE(open_kafka(options).has_value());
}

TEST_F(KafkaConnector, ACommittedOffsetThatIsGoneStopsWithAClearWord) {
  produce(0, {"a", "b", "c"});
  broker().commit_offset(options.group, in(), 0, {1, "7"});
  broker().delete_records(in(), 0, 2);
  Process process(options);
  EXPECT_EQ(process.recovered.commit_number, 7u);
  const Status status = process.poll_until([] { return false; });
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind, ErrorKind::invalid);
  EXPECT_THAT(status.error().message,
              AllOf(HasSubstr(options.group), HasSubstr("offset 1 of " + in() + "-0"), HasSubstr("2 to 3")));
}

// The library cannot seek in a partition it has stopped reading, as it does after a fetch from a position that was trimmed since.
TEST_F(KafkaConnector, APartitionThatStoppedIsReadAgainFromAPositionThatIsThere) {
  produce(0, {"a", "b", "c"});
  broker().commit_offset(options.group, in(), 0, {1, "7"});
  broker().delete_records(in(), 0, 2);
  Process process(options);
  ASSERT_FALSE(process.poll_until([] { return false; }).has_value());
  const auto outcome = process.link->sink().commit({.commit_number = 8, .records = {}, .positions = {{{in(), 0}, 2}}});
  ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
  const Status sought = process.link->source().seek({});
  ASSERT_TRUE(sought.has_value()) << sought.error().message;
  EXPECT_THAT(process.read(1), ElementsAre("c"));
}

TEST_F(KafkaConnector, AGroupOfAnotherProgramIsRefused) {
  broker().commit_offset(options.group, in(), 0, {0, "somebody's words"});
  const auto link = open_or_fail(options);
  const auto state = link->sink().recover();
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().kind, ErrorKind::invalid);
  EXPECT_THAT(state.error().message, AllOf(HasSubstr(options.group), HasSubstr("somebody's words")));
}

TEST_F(KafkaConnector, LatestIsDecidedOnceAndKeptByTheFirstCommit) {
  options.start = KafkaOptions::Start::latest;
  produce(0, {"before"});
  {
    Process process(options);
    ASSERT_TRUE(process.poll_until([&] { return process.link->source().state(0).owned; }).has_value());
    const auto outcome = process.link->sink().commit({.commit_number = 1, .records = {}, .positions = {}});
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_EQ(*outcome, CommitOutcome::committed);
  }
  produce(0, {"between"});
  produce(1, {"between too"});
  Process process(options);
  EXPECT_THAT(process.read(2), ::testing::UnorderedElementsAre("between", "between too"));
}

TEST_F(KafkaConnector, RecordsOfAnOpenTransactionWaitAndTheirPartitionIsNotAtItsEnd) {
  KafkaOptions reading = options;
  reading.group += "-reader";
  reading.transactional_id += "-reader";
  reading.topics = {out()};
  reading.output_topics.clear();
  Process reader(reading);
  const Source& source = reader.link->source();
  ASSERT_TRUE(reader.poll_until([&] { return source.state(0).at_end; }).has_value());

  int open_transactions = 0;
  options.observe_step = [&](CommitStep step) {
    if (step != CommitStep::flushed) return;
    ++open_transactions;
    EXPECT_TRUE(reader.poll_until([&] { return source.state(0).lag > 0; }).has_value());
    EXPECT_FALSE(source.state(0).at_end);
    EXPECT_THAT(reader.values(), IsEmpty());
  };
  Process writer(options);
  ASSERT_TRUE(writer.poll_until([&] { return writer.link->source().state(0).owned; }).has_value());
  writer.commit(1, out(), {"alert"});
  EXPECT_EQ(open_transactions, 1);
  EXPECT_THAT(reader.read(1), ElementsAre("alert"));
  // Behind the record lies the transaction's marker, which is no record: the end is behind it.
  ASSERT_TRUE(reader.poll_until([&] { return source.state(0).at_end; }).has_value());
  EXPECT_TRUE(source.state(0).at_end);
  EXPECT_EQ(source.state(0).next_offset, 1);
  EXPECT_EQ(source.state(0).lag, 0);
}

// The promise behind everything: a commit that was cut short is seen whole or not at all, and Kafka says which.
TEST_F(KafkaConnector, KilledAtEachStepOfACommitKafkaSaysWhatBecameOfIt) {
  produce(0, {"a", "b", "c", "d", "e", "f"});
  std::vector<std::string> standing;
  uint64_t number = 1;
  for (int step = 0; step <= static_cast<int>(CommitStep::committed); ++step) {
    SCOPED_TRACE(step);
    const pid_t child = fork();
    if (child == 0) {
      KafkaOptions doomed = options;
      doomed.observe_step = [step](CommitStep now) {
        if (static_cast<int>(now) == step) raise(SIGKILL);
      };
      Process process(doomed);
      process.read(1);
      process.commit(number, out(), {std::to_string(number)});
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    Process process(options);
    const bool committed = step == static_cast<int>(CommitStep::committed);
    EXPECT_EQ(process.recovered.commit_number, committed ? number : number - 1);
    if (committed) standing.push_back(std::to_string(number));
    EXPECT_EQ(values_in(out()), standing);
  }
  EXPECT_THAT(standing, SizeIs(1));
}

// librdkafka 2.0 aborts or hangs when a member leaves at the wrong moment of its first join.
TEST_F(KafkaConnector, ClosesAtAnyMomentOfJoining) {
  for (const char* instance : {"", "member"}) {
    options.group_instance_id = instance;
    for (int after_ms = 0; after_ms < 30; after_ms += 3) {
      SCOPED_TRACE(after_ms);
      Process process(options);
      std::this_thread::sleep_for(milliseconds(after_ms));
      const auto start = std::chrono::steady_clock::now();
      process.link.reset();
      EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(3000));
    }
  }
}

TEST_F(KafkaConnector, ATransactionTheCoordinatorGaveUpIsRecoveredFromNotTakenForAFence) {
  options.transaction_timeout_ms = 1000;
  bool stalled = false;
  options.observe_step = [&stalled](CommitStep step) {
    if (step != CommitStep::flushed || std::exchange(stalled, true)) return;
    std::this_thread::sleep_for(milliseconds(4000));  // the coordinator looks for old transactions every second
  };
  Process process(options);
  ASSERT_TRUE(process.poll_until([&] { return process.link->source().state(0).owned; }).has_value());
  const OutputBatch batch = process.output(1, out(), {"alert"});
  const auto outcome = process.link->sink().commit(batch);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::unavailable) << outcome.error().message;
  const auto state = process.link->sink().recover();
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->commit_number, 0u);
  process.commit(1, out(), {"alert"});
  EXPECT_THAT(values_in(out()), ElementsAre("alert"));
}

TEST_F(KafkaConnector, ACommitOfUnknownOutcomeIsDecidedByRecover) {
  options.transaction_timeout_ms = 1000;
  bool killed = false;
  options.observe_step = [&killed](CommitStep step) {
    if (step == CommitStep::flushed && !std::exchange(killed, true)) broker().kill();
  };
  Process process(options);
  ASSERT_TRUE(process.poll_until([&] { return process.link->source().state(0).owned; }).has_value());
  const auto outcome = process.link->sink().commit(process.output(1, out(), {"alert"}));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::unavailable) << outcome.error().message;
  EXPECT_THAT(outcome.error().message, HasSubstr(broker().bootstrap()));
  // Until recover() has succeeded nothing more is committed.
  const auto next = process.link->sink().commit(process.output(2, out(), {"too early"}));
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().kind, ErrorKind::unavailable);
  broker().restart();
  auto state = process.link->sink().recover();
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->commit_number, 0u);
  process.commit(1, out(), {"alert"});
  EXPECT_THAT(values_in(out()), ElementsAre("alert"));
}

TEST_F(KafkaConnector, APartitionIsAtItsEndOnlyWhileFetchesShowIt) {
  options.session_timeout_ms = 60'000;  // a member with a name whose coordinator is away for longer is taken for replaced
  produce(0, {"a"});
  Process process(options);
  process.read(1);
  const Source& source = process.link->source();
  ASSERT_TRUE(process.poll_until([&] { return source.state(0).at_end && source.state(1).at_end; }).has_value());
  const TimeMs since = source.state(0).at_end_since;
  EXPECT_LE(since, wall_clock_ms());
  EXPECT_EQ(source.state(0).lag, 0);

  broker().kill();
  const Status away = process.poll_until([] { return false; }, milliseconds(20'000));
  ASSERT_FALSE(away.has_value());
  EXPECT_EQ(away.error().kind, ErrorKind::unavailable);
  EXPECT_THAT(away.error().message, HasSubstr(broker().bootstrap()));
  EXPECT_FALSE(source.state(0).at_end);

  broker().restart();
  const TimeMs back = wall_clock_ms();
  const auto give_up_at = std::chrono::steady_clock::now() + kPatience;
  while (!source.state(0).at_end && std::chrono::steady_clock::now() < give_up_at) {
    // Still away for a moment, or joining anew: both are what a runner backs off from.
    if (process.poll_until([&] { return source.state(0).at_end; }, milliseconds(1000))) continue;
    const Status ignored = process.link->source().seek({});
    static_cast<void>(ignored);
  }
  ASSERT_TRUE(source.state(0).at_end);
  EXPECT_GE(source.state(0).at_end_since, back - 4000);  // the broker answers before its script says so
  EXPECT_GT(source.state(0).at_end_since, since);
}

TEST_F(KafkaConnector, ABrokerThatDiesDuringCommitsLosesAndDoublesNothing) {
  options.transaction_timeout_ms = 10'000;
  produce(0, {"a"});
  Process process(options);
  process.read(1);
  std::thread trouble([] {
    std::this_thread::sleep_for(milliseconds(300));
    broker().kill();
    broker().restart();
  });
  uint64_t number = 1;
  int unavailable = 0;
  const auto end = std::chrono::steady_clock::now() + milliseconds(9000);
  while (std::chrono::steady_clock::now() < end) {
    const auto outcome = process.link->sink().commit(process.output(number, out(), {std::to_string(number)}));
    if (outcome.has_value()) {
      number += *outcome == CommitOutcome::committed;
      continue;
    }
    ASSERT_EQ(outcome.error().kind, ErrorKind::unavailable) << outcome.error().message;
    ++unavailable;
    auto state = process.link->sink().recover();
    while (!state) {
      ASSERT_EQ(state.error().kind, ErrorKind::unavailable) << state.error().message;
      state = process.link->sink().recover();
    }
    ASSERT_TRUE(state->commit_number == number || state->commit_number + 1 == number);
    number = state->commit_number + 1;
  }
  trouble.join();
  std::vector<std::string> expected;
  for (uint64_t i = 1; i < number; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(values_in(out()), expected);
  std::cout << number << " commits, " << unavailable << " of unknown outcome\n";
}

class KafkaAssignor : public KafkaConnector, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Both, KafkaAssignor, ::testing::Values("range", "cooperative-sticky"),
                         [](const auto& row) { return std::string(row.param).substr(0, 5); });

TEST_P(KafkaAssignor, PartitionsThatGoToAnotherMemberAreNotCommittedByUs) {
  options.overrides["partition.assignment.strategy"] = GetParam();
  options.group_instance_id.clear();
  options.number_commits = false;
  options.session_timeout_ms = 6000;
  Process first(options);
  const Source& source = first.link->source();
  ASSERT_TRUE(first.poll_until([&] { return source.state(0).owned && source.state(1).owned; }).has_value());
  const OutputBatch both = first.output(1, out(), {"of both"});

  KafkaOptions other = options;
  other.transactional_id += "-2";
  Process second(other);
  const Source& second_source = second.link->source();
  const auto give_up_at = std::chrono::steady_clock::now() + kPatience;
  auto shared = [&] { return second_source.state(0).owned != second_source.state(1).owned; };
  while (!shared() && std::chrono::steady_clock::now() < give_up_at) {
    ASSERT_TRUE(first.poll_until([] { return false; }, milliseconds(50)).has_value());
    ASSERT_TRUE(second.poll_until([] { return false; }, milliseconds(50)).has_value());
  }
  ASSERT_TRUE(shared());
  EXPECT_NE(source.state(0).owned, source.state(1).owned);
  const auto outcome = first.link->sink().commit(both);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
  EXPECT_EQ(*outcome, CommitOutcome::aborted);
  first.commit(1, out(), {"of one"});
  second.commit(1, out(), {"of the other"});
  EXPECT_THAT(values_in(out()), ElementsAre("of one", "of the other"));
}

}  // namespace
}  // namespace tillwatch::connectors
