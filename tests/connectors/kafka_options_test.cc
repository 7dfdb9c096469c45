// What is refused before a broker is asked, and what is said when none answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "connectors/kafka_connection.h"
#include "connectors/kafka_offsets.h"

namespace tillwatch::connectors {
namespace {

using ::testing::HasSubstr;

KafkaOptions sound_options() {
  KafkaOptions options;
  options.bootstrap = "127.0.0.1:1";  // nobody listens on port 1
  options.group = "group";
  options.transactional_id = "tillwatch";
  options.topics = {"transactions"};
  options.connect_timeout_ms = 700;
  return options;
}

struct BadOption {
  const char* name;
  std::function<void(KafkaOptions&)> spoil;
  const char* said;
};

TEST(KafkaOptions, WhatCannotWorkIsRefusedWithItsName) {
  const BadOption rows[] = {
      {"no bootstrap", [](KafkaOptions& o) { o.bootstrap.clear(); }, "address (bootstrap) is missing"},
      {"no group", [](KafkaOptions& o) { o.group.clear(); }, "consumer group (group) is missing"},
      {"no id", [](KafkaOptions& o) { o.transactional_id.clear(); }, "transactional id (transactional_id) is missing"},
      {"no topics", [](KafkaOptions& o) { o.topics.clear(); }, "no topic to read"},
      {"a pattern", [](KafkaOptions& o) { o.topics = {"^trans.*"}; }, "topic '^trans.*' must be a plain name"},
      {"long transactions", [](KafkaOptions& o) { o.transaction_timeout_ms = 60'000; }, "must be 1000 to 10000"},
      {"short session", [](KafkaOptions& o) { o.session_timeout_ms = 5; }, "session_timeout_ms is 5"},
      {"unknown setting", [](KafkaOptions& o) { o.overrides["compresion.codec"] = "lz4"; }, "kafka setting 'compresion.codec'"},
      {"bad value", [](KafkaOptions& o) { o.overrides["security.protocol"] = "tls"; }, "kafka setting 'security.protocol'"},
      {"reset", [](KafkaOptions& o) { o.overrides["auto.offset.reset"] = "latest"; }, "'auto.offset.reset' cannot be changed"},
      {"one side", [](KafkaOptions& o) { o.overrides["producer.acks"] = "1"; }, "'producer.acks' cannot be changed"},
      {"isolation", [](KafkaOptions& o) { o.overrides["isolation.level"] = "read_uncommitted"; }, "exactly-once rests upon it"},
  };
  for (const BadOption& row : rows) {
    SCOPED_TRACE(row.name);
    KafkaOptions options = sound_options();
    row.spoil(options);
    const auto link = open_kafka(options);
    ASSERT_FALSE(link.has_value());
    EXPECT_EQ(link.error().kind, ErrorKind::invalid);
    EXPECT_THAT(link.error().message, HasSubstr(row.said));
  }
}

TEST(KafkaOptions, AnUnreachableBrokerIsNamedWithWhatTheLibrarySaid) {
  const auto link = open_kafka(sound_options());
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().kind, ErrorKind::unavailable);
  EXPECT_THAT(link.error().message, HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(link.error().message, HasSubstr("Connection refused"));
}

TEST(KafkaOptions, ABrokerWithoutAnAddressIsNamed) {
  KafkaOptions options = sound_options();
  options.bootstrap = "no-such-host.invalid:9092";
  const auto link = open_kafka(options);
  ASSERT_FALSE(link.has_value());
  EXPECT_EQ(link.error().kind, ErrorKind::unavailable);
  EXPECT_THAT(link.error().message, HasSubstr("no-such-host.invalid:9092"));
  EXPECT_THAT(link.error().message, HasSubstr("resolve"));
}

TEST(KafkaCommitNumber, IsReadFromTheMetadataOfAnOffset) {
  using kafka::parse_commit_number;
  EXPECT_EQ(parse_commit_number("").value(), 0u);
  EXPECT_EQ(parse_commit_number("1").value(), 1u);
  EXPECT_EQ(parse_commit_number("18446744073709551615").value(), 18446744073709551615u);
  EXPECT_EQ(parse_commit_number(std::string_view("17\0", 3)).value(), 17u);
  for (const char* text : {"x", "1x", "-1", "18446744073709551616", " 1", "1 "}) {
    SCOPED_TRACE(text);
    ASSERT_FALSE(parse_commit_number(text).has_value());
    EXPECT_THAT(parse_commit_number(text).error().message, HasSubstr(text));
  }
}

}  // namespace
}  // namespace tillwatch::connectors
