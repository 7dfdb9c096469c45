// A group of members on a model of a broker comes to the same standing alerts as one process without, whatever happens to its
// members; and where the model is given a mistake that exactly-once does not survive, the same test sees it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/base/hash.h"
#include "tests/engine/group_world.h"

namespace tillwatch::engine {
namespace {

constexpr TimeMs kStart = 1'795'276'800'000;  // 2026-11-22T00:00:00+08:00

connectors::GeneratorOptions traffic_options(uint64_t seed) {
  connectors::GeneratorOptions options;
  options.seed = seed;
  options.start = kStart + 12 * kHour;
  options.length = 30 * kMinute;
  options.events_per_second = 2;
  options.daily_shape = false;
  options.merchants = 40;
  options.cards = 300;
  options.partitions = 3;
  options.settlement_delay = 2 * kMinute;
  for (const char* kind :
       {connectors::kDuplicateDebit, connectors::kCodeJump, connectors::kRateChange, connectors::kNotifyUnsent}) {
    options.anomalies[kind] = 3;
  }
  return options;
}

// `./dev sim` sets them.
uint64_t setting(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class GroupSimulation : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    bundle_ = load_rules({"rules/packs/payments"});
    traffic_ = new Traffic(generate(traffic_options(7)));
    end_ = traffic_->records.back().arrival + 30 * kMinute;
    World alone(bundle_);
    alone.feed(traffic_->records, 500);
    alone.run_on_to(end_);
    standing_ = alone.standing();
  }
  static void TearDownTestSuite() {
    delete traffic_;
    bundle_.reset();
  }

  // Why the run did not come out as it should; empty when it did.
  static std::string verdict(GroupWorld& world) {
    if (!world.drain()) return "it does not come to an end: " + world.failure();
    if (!world.run_on_to(end_)) return "it does not come to an end: " + world.failure();
    if (!world.failure().empty()) return "a member stopped: " + world.failure();
    const auto came = world.standing();
    for (const auto& [id, alert] : standing_) {
      const auto found = came.find(id);
      if (found == came.end()) return "missing: " + alert;
      if (found->second != alert) return "wanted: " + alert + "\n came:  " + found->second;
    }
    for (const auto& [id, alert] : came) {
      if (!standing_.contains(id)) return "unwanted: " + alert;
    }
    return world.imbalance();
  }

  static inline std::shared_ptr<const rules::CompiledBundle> bundle_;
  static inline Traffic* traffic_ = nullptr;
  static inline TimeMs end_ = 0;
  static inline std::map<std::string, std::string> standing_;
};

TEST_F(GroupSimulation, OneMemberComesToWhatOneProcessComesTo) {
  ASSERT_GT(standing_.size(), 10U);
  GroupWorld world(bundle_, 1);
  world.load(traffic_->records);
  world.add_member("a");
  EXPECT_EQ(verdict(world), "");
}

TEST_F(GroupSimulation, SoDoThree) {
  GroupWorld world(bundle_, 2);
  world.load(traffic_->records);
  for (const char* name : {"a", "b", "c"}) world.add_member(name);
  EXPECT_EQ(verdict(world), "");
}

TEST_F(GroupSimulation, MembersComeAndGo) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    GroupWorld world(bundle_, seed);
    world.load(traffic_->records);
    world.add_member("a");
    world.run(30, {});
    world.add_member("b");
    world.run(60, {});
    world.add_member("c");
    world.run(60, {});
    world.remove_member("a");
    world.run(60, {});
    world.remove_member("c");
    EXPECT_EQ(verdict(world), "") << "seed " << seed;
  }
}

// Kills at every step of a commit, members that sleep through their own replacement, answers that are lost, stores that are
// lost.
TEST_F(GroupSimulation, WhateverHappensToMembersChangesNothing) {
  const uint64_t seeds = setting("TILLWATCH_SIMULATION_SEEDS", 20), first = setting("TILLWATCH_SIMULATION_SEED", 0);
  int crashes = 0, freezes = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    GroupWorld world(bundle_, seed);
    world.load(traffic_->records);
    for (const char* name : {"a", "b", "c"}) world.add_member(name);
    world.run(400, {.kill = 12, .freeze = 25, .lose_answer = 30, .lose_store = 4, .compacts = true});
    ASSERT_EQ(verdict(world), "") << "seed " << seed << "; again with ./dev sim --seed " << seed;
    crashes += world.crashes();
    freezes += world.freezes();
    if ((seed - first + 1) % 500 == 0) std::printf("seeds %llu to %llu are clean\n", first + 0ULL, seed + 0ULL);
  }
  std::printf("simulation: seeds %llu to %llu, %d kills, %d sleepers, %zu records, %zu standing alerts\n", first + 0ULL,
              first + seeds - 1ULL, crashes, freezes, traffic_->records.size(), standing_.size());
  EXPECT_GT(crashes, 0);
}

struct Mistake {
  const char* name;
  void (*plant)(GroupWorld& world);
  bool loses_timers = false;
};

// Of every 50th key all wake-ups get lost.
std::shared_ptr<const rules::CompiledBundle> forgetful_rules() {
  const auto bundle = std::const_pointer_cast<rules::CompiledBundle>(load_rules({"rules/packs/payments"}));
  bundle->faults.loses_wake = [](int rule, std::string_view key) {
    return hash_bytes(key, static_cast<uint64_t>(rule)) % 50 == 0;
  };
  return bundle;
}

class PlantedMistake : public GroupSimulation, public testing::WithParamInterface<Mistake> {};

TEST_P(PlantedMistake, IsSeen) {
  const auto rules = GetParam().loses_timers ? forgetful_rules() : bundle_;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    GroupWorld world(rules, seed);
    GetParam().plant(world);
    world.load(traffic_->records);
    for (const char* name : {"a", "b", "c"}) world.add_member(name);
    world.run(400, {.kill = 12, .freeze = 12, .lose_answer = 30, .lose_store = 2, .compacts = true});
    if (!verdict(world).empty()) return;
  }
  ADD_FAILURE() << "40 seeds, and nothing was seen of it";
}

INSTANTIATE_TEST_SUITE_P(
    GroupSimulation, PlantedMistake,
    testing::Values(Mistake{"WatermarksAreTooEarly",
                            [](GroupWorld& world) { world.plant = [](ModelLink& link) { link.early_by = kHour; }; }},
                    Mistake{"GenerationsAreIgnored", [](GroupWorld& world) { world.broker().ignores_generations = true; }},
                    Mistake{"UncommittedIsRead", [](GroupWorld& world) { world.broker().reads_uncommitted = true; }},
                    Mistake{"PositionsDoNotWaitForTransactions",
                            [](GroupWorld& world) { world.broker().reads_unstable_offsets = true; }},
                    Mistake{"PositionsAreOneTooFar",
                            [](GroupWorld& world) { world.plant = [](ModelLink& link) { link.shift_positions = 1; }; }},
                    Mistake{"PositionsAreOneShort",
                            [](GroupWorld& world) { world.plant = [](ModelLink& link) { link.shift_positions = -1; }; }},
                    Mistake{"PositionsAreCommittedFirst",
                            [](GroupWorld& world) { world.plant = [](ModelLink& link) { link.positions_first = true; }; }},
                    Mistake{"TheStoreIsWrittenFirst", [](GroupWorld& world) { world.writes_store_first = true; }},
                    Mistake{"TimersAreLost", [](GroupWorld&) {}, true},
                    Mistake{"AChangeIsMissingFromTheChangelog",
                            [](GroupWorld& world) { world.plant = [](ModelLink& link) { link.forgets_last_change = true; }; }}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace tillwatch::engine
