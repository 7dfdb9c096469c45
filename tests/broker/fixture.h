// A real Kafka broker for tests: one a test program, started when first asked for, gone with the program. Beside it the
// few things a test wants of Kafka that are not the code under test: topics, records in, records out, offsets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tillwatch::tests {

struct ProducedRecord {
  std::string key;
  std::string value;
  int32_t partition = 0;
  int64_t timestamp = 0;  // ms; 0: now
};

struct ReadRecord {
  int32_t partition = 0;
  int64_t offset = 0;
  std::string key;
  std::string value;
  bool operator==(const ReadRecord&) const = default;
};

struct GroupOffset {
  int64_t offset = -1;  // -1: none committed
  std::string metadata;
};

// What cannot be done ends the program with a clear word: no test can go on without its broker.
class BrokerFixture {
 public:
  static BrokerFixture& shared();
  ~BrokerFixture();
  BrokerFixture(const BrokerFixture&) = delete;
  BrokerFixture& operator=(const BrokerFixture&) = delete;

  const std::string& bootstrap() const { return bootstrap_; }
  // Takes SASL_PLAINTEXT, PLAIN, user "till" with password "till-secret".
  const std::string& sasl_bootstrap() const { return sasl_bootstrap_; }
  const std::string& directory() const { return directory_; }

  // A name no other test uses: "PREFIX-1", "PREFIX-2", ...
  std::string unique_name(const std::string& prefix);

  void create_topic(const std::string& topic, int partitions = 1, const std::map<std::string, std::string>& config = {});
  void delete_topic(const std::string& topic);
  // Forgets the records before `offset`, as retention does.
  void delete_records(const std::string& topic, int32_t partition, int64_t offset);
  // Returns when the broker has them all. `settings` are librdkafka's, such as compression.codec.
  void produce(const std::string& topic, const std::vector<ProducedRecord>& records,
               const std::map<std::string, std::string>& settings = {});
  // Everything in the topic up to its last stable offset, partition by partition, without what was aborted.
  std::vector<ReadRecord> read_committed(const std::string& topic);
  GroupOffset committed(const std::string& group, const std::string& topic, int32_t partition = 0);
  // Commits an offset as another program would: with any metadata.
  void commit_offset(const std::string& group, const std::string& topic, int32_t partition, const GroupOffset& offset);

  void stop();     // in order
  void kill();     // kill -9
  void restart();  // after stop() or kill(): the same ports and data

 private:
  BrokerFixture();
  void start();
  std::string run_script(const std::string& command) const;

  std::string directory_;
  std::string bootstrap_;
  std::string sasl_bootstrap_;
  int names_ = 0;
};

}  // namespace tillwatch::tests
