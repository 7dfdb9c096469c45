// A Kafka broker as far as a group's member can tell, in memory and without time of its own: partitions with transactions and
// last stable offsets, compaction, groups with generations, positions that are pending until a transaction's markers are
// written. What happens when is the test's choice; what it may plant are the mistakes that exactly-once must not survive.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "connectors/group_link.h"

namespace tillwatch::engine {

class BrokerModel {
 public:
  using Place = std::pair<std::string, int32_t>;  // topic, partition

  struct Transaction {
    enum class Decision { open, committed, aborted } decision = Decision::open;
    std::string producer;
    uint64_t epoch = 0;
    std::set<Place> unmarked;                                                   // partitions without its marker
    std::map<std::string, std::map<Place, connectors::GroupPosition>> offsets;  // per group, until marked there
    bool marked() const { return decision != Decision::open && unmarked.empty() && offsets.empty(); }
  };
  struct Entry {
    std::string key, value;
    bool control = false, compacted = false;
    TimeMs at = 0;
    std::shared_ptr<Transaction> transaction;  // null: not in one
  };
  struct Group {
    int generation = 0;
    std::vector<Place> partitions;
    std::set<std::string> members;
    std::map<std::string, std::set<Place>> assignment;
    std::map<Place, connectors::GroupPosition> committed;
  };

  explicit BrokerModel(uint64_t seed) : random_(seed) {}

  void create_topic(const std::string& topic, int32_t partitions);
  std::vector<connectors::Partition> partitions_of(const std::vector<std::string>& topics) const;
  void produce(const std::string& topic, int32_t partition, TimeMs at, std::string value);
  const std::vector<Entry>& log(const Place& place) const { return logs_.at(place); }
  int64_t stable_end(const Place& place) const;  // last stable offset
  std::vector<std::pair<std::string, std::string>> committed_records(const std::string& topic) const;

  Group& group(const std::string& name) { return groups_[name]; }
  void join(const std::string& group, const std::string& member);
  void expel(const std::string& member);  // from all groups
  // Whether a position of the group is in a transaction that is not settled.
  bool pending(const std::string& group, const Place& place) const;

  uint64_t begin_producer(const std::string& id);  // ends what it left open; returns its epoch
  uint64_t epoch(const std::string& id) const;
  std::shared_ptr<Transaction> open_transaction(const std::string& producer, uint64_t epoch);
  int64_t append(const std::shared_ptr<Transaction>& transaction, const connectors::OutputRecord& record);
  void decide(const std::shared_ptr<Transaction>& transaction, bool commit);
  // Writes some, or all, of the markers that are on their way.
  void write_markers(bool all, const std::string& producer = "");
  // Ends open transactions of producers that are not `alive`, as their time-out does.
  void time_out(const std::set<std::string>& alive);
  // Drops what a later record of the same key has replaced, up to the last stable offset.
  void compact(const std::string& topic);
  void trim(const Place& place, int64_t before);
  int64_t start(const Place& place) const;

  std::mt19937_64& random() { return random_; }

  // Mistakes.
  bool ignores_generations = false;     // a member that lost its partitions may still commit
  bool reads_uncommitted = false;       // records of open and aborted transactions are handed out
  bool reads_unstable_offsets = false;  // positions do not wait for the transactions they are in

 private:
  void rebalance(Group& group);

  std::map<Place, std::vector<Entry>> logs_;
  std::map<Place, int64_t> starts_;
  std::map<std::string, Group> groups_;
  std::map<std::string, uint64_t> epochs_;
  std::vector<std::shared_ptr<Transaction>> transactions_;
  std::mt19937_64 random_;
};

// A process that was killed at a step of its commit.
struct Crash {};

struct ModelTopics {
  std::vector<std::string> sources;  // topics
  std::vector<std::string> tables;
  std::string exchange = "exchange", changelog = "changelog";
  std::string group = "group";
};

// One member's connection to the model.
class ModelLink final : public connectors::GroupLink {
 public:
  ModelLink(BrokerModel& broker, const ModelTopics& topics, std::string member, std::function<TimeMs()> wall);
  ~ModelLink() override;
  connectors::GroupSource& sources() override;
  connectors::GroupSource& shards() override;
  connectors::PartitionReader& tables() override;
  connectors::PartitionReader& changelog() override;
  Status begin() override;
  Expected<connectors::GroupCommit> commit(const connectors::GroupBatch& batch) override;
  Status trim(const std::vector<connectors::Position>& positions) override;

  // Steps of a commit, each of which calls this; it may throw Crash.
  static constexpr int kSteps = 6;
  std::function<void(int step)> at_step;
  bool loses_answers = false;        // the next commit is decided, and the answer does not come
  int64_t shift_positions = 0;       // planted: positions committed so far off
  bool forgets_last_change = false;  // planted: the last changelog record but the shard's own is not written
  bool positions_first = false;      // planted: positions count before anything is written
  std::function<void(const connectors::GroupBatch&)> before_commit;  // planted: done before the transaction begins
  DurationMs early_by = 0;  // planted: partitions are said to be so much further than they were read
  bool quiet = false;       // whether a partition read to its end is shown to be so

 private:
  class Source;
  class Reader;
  BrokerModel& broker_;
  const ModelTopics topics_;
  const std::string member_;
  uint64_t epoch_ = 0;
  std::unique_ptr<Source> sources_, shards_;
  std::unique_ptr<Reader> tables_, changelog_;
};

}  // namespace tillwatch::engine
