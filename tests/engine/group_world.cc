#include "tests/engine/group_world.h"

#include <algorithm>

#include "engine/intake.h"

namespace tillwatch::engine {
namespace {

constexpr int kPatience = 20'000;  // steps

}  // namespace

GroupWorld::GroupWorld(std::shared_ptr<const rules::CompiledBundle> bundle, uint64_t seed, uint16_t shards)
    : bundle_(std::move(bundle)), broker_(seed) {
  topics_.sources = Intake::stream_topics(*bundle_);
  topics_.tables = Intake::table_topics(*bundle_);
  options_.shards = shards;
  options_.exchange_topic = topics_.exchange;
  options_.changelog_topic = topics_.changelog;
  options_.frame_bytes = 4096;
  options_.max_frames = 64;
  options_.max_backlog = 400;
  options_.trim_every = std::chrono::milliseconds(5'000);
  options_.restore.keys_at_once = 50;
  options_.restore.load_for = 0;
  broker_.create_topic("alerts", 1);
  broker_.create_topic("dead-letter", 1);
  broker_.create_topic(topics_.exchange, shards);
  broker_.create_topic(topics_.changelog, shards);
}

GroupWorld::~GroupWorld() = default;

void GroupWorld::load(const std::vector<Fed>& records) {
  std::map<std::string, int32_t> partitions;
  for (const std::string& topic : topics_.sources) partitions[topic] = 1;
  for (const std::string& topic : topics_.tables) partitions[topic] = 1;
  for (const Fed& each : records) {
    const auto found = partitions.find(each.topic);
    if (found != partitions.end()) found->second = std::max(found->second, each.partition + 1);
  }
  for (const auto& [topic, count] : partitions) broker_.create_topic(topic, count);
  for (const Fed& each : records) {
    if (partitions.contains(each.topic)) broker_.produce(each.topic, each.partition, each.arrival, each.json);
    now_ = std::max(now_, each.arrival);
  }
}

void GroupWorld::add_member(const std::string& name) {
  Member& member = members_[name];
  member.store = state::make_memory_store();
  start(member, name);
}

void GroupWorld::remove_member(const std::string& name) {
  members_.erase(name);
  broker_.expel(name);
}

void GroupWorld::start(Member& member, const std::string& name) {
  member.link = std::make_unique<ModelLink>(broker_, topics_, name, [this] { return now_; });
  if (plant) plant(*member.link);
  if (writes_store_first) {
    member.link->before_commit = [this, &store = *member.store](const connectors::GroupBatch& batch) {
      state::WriteSet changes;
      for (const connectors::OutputRecord& record : batch.records) {
        if (record.topic != topics_.changelog) continue;
        if (record.value.empty()) {
          changes.erase(record.key);
        } else {
          changes.put(record.key, record.value);
        }
      }
      changes.normalise();
      TILLWATCH_CHECK(store.commit(store.applied() + 1, changes));
    };
  }
  GroupClock clock{.wall = [this] { return now_; }, .steady = [this] { return now_; }, .sleep = [](auto) {}};
  member.member = std::make_unique<GroupMember>(bundle_, options_, *member.link, *member.store, clock);
}

void GroupWorld::crash(Member& member) {
  member.member.reset();
  member.link.reset();
  ++crashes_;
}

void GroupWorld::step(Member& member, const std::string& name) {
  now_ += static_cast<TimeMs>(1 + broker_.random()() % 200);
  if (broker_.random()() % 3 == 0) broker_.write_markers(false);
  if (!member.member) start(member, name);
  try {
    const Status status = member.member->step();
    if (!status && status.error().kind != ErrorKind::unavailable && failure_.empty()) failure_ = status.error().message;
  } catch (const Crash&) { crash(member); }
}

// It stops in the middle of a commit, is taken for dead, and goes on as if nothing had been.
void GroupWorld::sleep_through_replacement(const std::string& name) {
  Member& sleeper = members_[name];
  sleeper.link->at_step = nullptr;
  sleeper.asleep = true;
  broker_.expel(name);
  std::set<std::string> awake;
  for (const auto& [other, each] : members_) {
    if (!each.asleep) awake.insert(other);
  }
  const auto others_work = [&] {
    for (const std::string& other : awake) {
      for (int i = 0; i < 10; ++i) step(members_[other], other);
    }
  };
  others_work();
  if (broker_.random()() % 2 == 0) broker_.time_out(awake);
  others_work();
  sleeper.asleep = false;
}

void GroupWorld::hurt(Member& member, const std::string& name, const Faults& faults) {
  const auto happens = [&](int odds) { return odds > 0 && broker_.random()() % static_cast<uint64_t>(odds) == 0; };
  if (!member.member) return;
  const int at = static_cast<int>(broker_.random()() % (ModelLink::kSteps + 1));
  const bool between = at == ModelLink::kSteps;
  if (happens(faults.kill)) {
    const bool loses_store = happens(faults.lose_store);
    if (between || loses_store) {
      crash(member);
    } else {
      member.link->at_step = [at](int step) {
        if (step == at) throw Crash{};
      };
    }
    if (loses_store) member.store = state::make_memory_store();
  } else if (happens(faults.freeze)) {
    ++freezes_;
    if (between) {
      broker_.expel(name);
      member.frozen = 20 + static_cast<int>(broker_.random()() % 100);
    } else {
      member.link->at_step = [this, at, name](int step) {
        if (step == at) sleep_through_replacement(name);
      };
    }
  } else if (happens(faults.lose_answer)) {
    member.link->loses_answers = true;
  }
}

void GroupWorld::run(int steps, const Faults& faults) {
  for (int i = 0; i < steps && failure_.empty(); ++i) {
    auto which = members_.begin();
    std::advance(which, broker_.random()() % members_.size());
    auto& [name, member] = *which;
    if (member.frozen > 0) {
      --member.frozen;
      continue;
    }
    hurt(member, name, faults);
    step(member, name);
    if (broker_.random()() % 40 == 0) {
      std::set<std::string> alive;
      for (const auto& [other, each] : members_) {
        if (each.member) alive.insert(other);
      }
      broker_.time_out(alive);
    }
    if (faults.compacts && broker_.random()() % 200 == 0) broker_.compact(topics_.changelog);
  }
}

std::map<std::string, GroupMember*> GroupWorld::members() {
  std::map<std::string, GroupMember*> members;
  for (auto& [name, member] : members_) members[name] = member.member.get();
  return members;
}

bool GroupWorld::drain() {
  int still = 0;
  for (auto& [name, member] : members_) {
    member.frozen = 0;
    if (member.link) member.link->at_step = nullptr;
  }
  for (int i = 0; i < kPatience && failure_.empty(); ++i) {
    bool moved = false;
    broker_.write_markers(true);
    for (auto& [name, member] : members_) {
      const auto size = [&] {
        size_t sum = 0;
        for (const std::string& topic : {topics_.exchange, topics_.changelog}) {
          for (const auto& each : broker_.partitions_of({topic})) sum += broker_.log({topic, each.number}).size();
        }
        return sum;
      };
      const size_t before = size();
      step(member, name);
      now_ += 1;
      moved = moved || size() != before || !member.member || !member.member->restores().empty();
    }
    still = moved ? 0 : still + 1;
    if (still > 5) return true;
  }
  return false;
}

bool GroupWorld::run_on_to(TimeMs end) {
  for (int i = 0; i < 30; ++i) {
    for (auto& [name, member] : members_) {
      if (!member.member) continue;
      member.member->sources().run_on_to(end);
      now_ += 2'000;  // a heartbeat
      step(member, name);
    }
  }
  return drain();
}

std::map<std::string, std::string> GroupWorld::standing() const {
  std::map<std::string, std::string> standing;
  for (const auto& [id, json] : broker_.committed_records("alerts")) {
    if (json.find("\"resolution\":\"corrected\"") != std::string::npos) {
      standing.erase(id);
    } else {
      standing[id] = content_of_alert(json);
    }
  }
  return standing;
}

std::string GroupWorld::imbalance() const {
  std::map<BrokerModel::Place, uint64_t> read, sent, received;
  for (const auto& [name, member] : members_) {
    if (!member.member) continue;
    const GroupSources& sources = member.member->sources();
    for (uint32_t i = 0; i < sources.inputs().size(); ++i) {
      const BrokerModel::Place place{sources.inputs()[i].topic, sources.inputs()[i].number};
      if (sources.copies(i) > 0) sent[place] += sources.copies(i);
      read[place] += sources.ledger().partitions.at(place.first + "/" + std::to_string(place.second)).read;
    }
    for (const auto& [number, shard] : member.member->shards()) {
      for (size_t i = 0; i < shard->inputs().size(); ++i) {
        const connectors::Partition& from = shard->inputs()[i];
        if (shard->received()[i] > 0) received[{from.topic, from.number}] += shard->received()[i];
      }
    }
  }
  if (sent.empty()) return "nothing was sent";
  for (const auto& [place, count] : read) {
    if (count == broker_.log(place).size()) continue;
    return place.first + "-" + std::to_string(place.second) + ": " + std::to_string(count) + " records read of " +
           std::to_string(broker_.log(place).size());
  }
  for (const auto& [place, count] : sent) {
    if (received[place] == count) continue;
    return place.first + "-" + std::to_string(place.second) + ": " + std::to_string(count) + " copies sent, " +
           std::to_string(received[place]) + " received";
  }
  return sent.size() == received.size() ? "" : "copies were received that nobody sent";
}

}  // namespace tillwatch::engine
