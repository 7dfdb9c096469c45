// Generated traffic in the topics of a real broker, put there by kcat, and what an engine made of it, read by kcat. For
// end-to-end tests: nothing here uses the engine's own Kafka code.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/broker/fixture.h"

namespace tillwatch::tests {

// What stands of each alert: the last record of its id without what depends on how often it was said (seq, updated_at, whether
// `firing` or `updated`); withdrawn ones are left out.
using Standing = std::map<std::string, std::string>;

// The differences, one line each, for people; empty when they are the same.
std::string differences(const Standing& wanted, const Standing& found);

// Of records of an alerts topic, one a line.
Standing standing_of(const std::string& lines);

struct WantedAlert {
  std::string rule;
  std::map<std::string, std::string> key;
  std::string note;
};

// Twenty minutes of traffic with anomalies, and a little of the day after, which brings every clock past all that the first had
// open: so what stands at the end does not depend on the wall clock.
class Traffic {
 public:
  // One for all tests of the program: the topics' names are fixed. Made when first asked for, gone with the program.
  static Traffic& shared(BrokerFixture& broker);

  // Generates into `folder` and has kcat bring it to the broker, where the topics are made that
  // the rules read.
  Traffic(BrokerFixture& broker, std::string folder);

  int64_t records() const { return records_; }
  const std::vector<WantedAlert>& truth() const { return truth_; }
  // Whether `group` has committed the end of every topic the rules read.
  bool drained_by(const std::string& group);
  // How far `group` is behind in the busiest partition.
  int64_t lag_of(const std::string& group);
  // Reads an alerts topic with kcat, read_committed.
  Standing standing_in(const std::string& topic) const;
  // The same records as files, TOPIC=PATH, partition by partition.
  std::vector<std::string> files() const;

 private:
  void generate(const std::string& folder, const std::vector<std::string>& options) const;
  void load(const std::string& folder);
  int64_t append_file(const std::string& from, const std::string& name) const;
  void read_truth(const std::string& path);

  BrokerFixture& broker_;
  const std::string folder_;
  std::map<std::pair<std::string, int>, int64_t> ends_;  // of topic and partition
  std::set<std::string> read_;                           // the topics the rules of the pack read
  int64_t records_ = 0;
  std::vector<WantedAlert> truth_;
};

}  // namespace tillwatch::tests
