// Kafka as a source and as a sink that decides: one consumer of a group and one transactional producer that commits the
// consumer's positions together with its output. The only Kafka header other folders include.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/sink.h"
#include "connectors/source.h"
#include "engine/base/status.h"

namespace tillwatch::connectors {

// The steps of a commit, in order; each is named when it is done. `half_written` is left out where there is nothing to write.
enum class CommitStep { begun, half_written, written, positions_sent, flushed, committed };

struct KafkaOptions {
  // Where a partition begins for which the group has no committed offset. Never used again once there is one: an offset
  // the broker no longer has is an error, not a reason to jump.
  enum class Start { earliest, latest };

  std::string bootstrap;          // "host:port,host:port"
  std::string group;              // consumer group; holds the positions and the commit number
  std::string transactional_id;   // fixed: a second process with the same one fences the first
  std::string group_instance_id;  // fixed: static membership, a restart gets its partitions back at once; may be empty
  std::string client_id = "tillwatch";
  std::vector<std::string> topics;         // read
  std::vector<std::string> output_topics;  // written; named here so that an absent one is found at start
  Start start = Start::earliest;
  std::vector<std::string> whole_topics;  // of `topics`: these begin at the earliest record whatever `start` says

  // librdkafka properties as they are called there: security, tuning. "consumer.X" and "producer.X" reach one side only.
  // Those exactly-once rests upon are refused.
  std::map<std::string, std::string> overrides;

  int transaction_timeout_ms = 10'000;  // 1,000 to 10,000: an open transaction blocks every read_committed reader so long
  int session_timeout_ms = 10'000;      // how long a member may be silent before its partitions go to others
  int connect_timeout_ms = 15'000;      // for opening, recovering, seeking
  size_t prefetch_bytes = 256u << 20;   // memory of the consumer's queue

  // Whether each commit carries its number (OutputBatch::commit_number) in the metadata of one fixed partition. True
  // where one process reads everything; false in a group whose members share the partitions.
  bool number_commits = true;

  // What the client library has to say: syslog level (3 error, 4 warning, 5 notice) and text. Called from its threads.
  std::function<void(int level, const std::string& text)> log;

  // Asked twice a second while no broker answers at the start: true ends the wait, with an error of kind unavailable.
  std::function<bool()> stop_waiting;

  // For tests of crashes: called after each step of a commit, on the thread that commits.
  std::function<void(CommitStep)> observe_step;
};

// Threads: source() from one thread, sink() from one thread, which may be another. A commit in progress is waited for
// before partitions are given away. Destroying it leaves the group (a static member stays in it) and aborts nothing.
class KafkaLink {
 public:
  virtual ~KafkaLink() = default;
  virtual Source& source() = 0;
  virtual Sink& sink() = 0;
};

// Connects, checks that every topic is there, and joins nothing yet: call sink().recover(), then source().seek({}).
// Errors: invalid (an option, a missing topic, a refused login; says what to do), unavailable (no broker answered in time).
Expected<std::unique_ptr<KafkaLink>> open_kafka(const KafkaOptions& options);

}  // namespace tillwatch::connectors
