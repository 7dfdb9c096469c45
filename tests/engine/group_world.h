// A whole group in one struct: members, their stores and a model of a broker, moved step by step under a clock of its own. The
// same seed is the same run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/group_member.h"
#include "tests/engine/broker_model.h"
#include "tests/engine/world.h"

namespace tillwatch::engine {

class GroupWorld {
 public:
  // What may happen to the members, as odds of one in so many steps; 0: never.
  struct Faults {
    int kill = 0;         // at a random step of a commit, or between
    int freeze = 0;       // for so long that the others take over
    int lose_answer = 0;  // of a commit
    int lose_store = 0;   // of those killed
    bool compacts = false;
    bool trims = false;
  };

  GroupWorld(std::shared_ptr<const rules::CompiledBundle> bundle, uint64_t seed, uint16_t shards = 5);
  ~GroupWorld();

  BrokerModel& broker() { return broker_; }
  // Of members that are added from now on.
  RestoreOptions& restore_options() { return options_.restore; }
  // Creates the topics and puts the records in, partition by partition.
  void load(const std::vector<Fed>& records);
  void add_member(const std::string& name);
  void remove_member(const std::string& name);

  // So many steps of random members, with faults.
  void run(int steps, const Faults& faults);
  // Every member works until nothing is left to do. False: it does not come to an end.
  bool drain();
  // Every source partition speaks of `end`, and all is drained again.
  bool run_on_to(TimeMs end);

  std::map<std::string, std::string> standing() const;
  // When all is drained: where the ledger has not every record once, or the exchange lost or doubled copies. Empty: nowhere.
  std::string imbalance() const;
  int crashes() const { return crashes_; }
  int freezes() const { return freezes_; }
  const std::string& failure() const { return failure_; }
  // Applied to each link that is made from now on.
  std::function<void(ModelLink&)> plant;
  bool writes_store_first = false;  // planted: the store has a commit before it is decided
  std::map<std::string, GroupMember*> members();

 private:
  struct Member {
    std::unique_ptr<state::Store> store;
    std::unique_ptr<ModelLink> link;
    std::unique_ptr<GroupMember> member;  // null: killed
    int frozen = 0;                       // steps it stays so
    bool asleep = false;                  // in the middle of a commit
  };
  void start(Member& member, const std::string& name);
  void step(Member& member, const std::string& name);
  void hurt(Member& member, const std::string& name, const Faults& faults);
  void sleep_through_replacement(const std::string& name);
  void crash(Member& member);

  std::shared_ptr<const rules::CompiledBundle> bundle_;
  BrokerModel broker_;
  ModelTopics topics_;
  GroupOptions options_;
  TimeMs now_ = 0;
  std::map<std::string, Member> members_;
  int crashes_ = 0, freezes_ = 0;
  std::string failure_;
};

}  // namespace tillwatch::engine
