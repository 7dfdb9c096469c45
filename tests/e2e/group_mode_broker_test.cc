// Several processes as one consumer group on a real broker: whatever members come, go or are killed, the standing alerts are
// those of one process without a broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "tests/broker/fixture.h"
#include "tests/e2e/process.h"
#include "tests/e2e/traffic.h"
#include "tests/temporary_directory.h"

namespace tillwatch::tests {
namespace {

using ::testing::HasSubstr;

constexpr milliseconds kStart{60'000};
constexpr milliseconds kDrain{180'000};
constexpr milliseconds kEnd{60'000};
constexpr int kKills = 8;

BrokerFixture& broker() { return BrokerFixture::shared(); }

uint64_t seed() {
  const char* given = std::getenv("TILLWATCH_E2E_SEED");
  return given == nullptr ? 20'261'122 : std::strtoull(given, nullptr, 10);
}

// A group with output topics of its own; members have a folder each, by name.
class Members {
 public:
  explicit Members(std::string folder) : name_(broker().unique_name("group")), folder_(std::move(folder) + "/" + name_) {
    std::filesystem::create_directories(folder_);
    broker().create_topic(alerts());
    broker().create_topic(name_ + "-dead");
  }
  const std::string& name() const { return name_; }
  std::string alerts() const { return name_ + "-alerts"; }
  Process& start(const std::string& member, int shards = 6) {
    const std::string config = folder_ + "/" + member + std::to_string(++starts_) + ".yaml";
    std::ofstream(config) << "mode: group\nrules: [" TILLWATCH_SOURCE_DIR "/rules/packs/payments]\n"
                          << "source: {kafka: {bootstrap: '" << broker().bootstrap() << "', group: " << name_
                          << ", session_timeout: 6s}}\n"
                          << "sink: {topics: {alerts: " << alerts() << ", dead_letters: " << name_ << "-dead}}\n"
                          << "state: {path: " << folder_ << "/" << member << ", sync: false, shards: " << shards << "}\n"
                          << "batch: {max_records: 100, idle_commit: 300ms}\ngroup: {drain_for: 3s}\nmetrics: {listen: off}\n";
    auto process =
        std::make_unique<Process>(std::vector<std::string>{TILLWATCH_PROGRAM, "run", "--config", config}, config + ".log");
    return *(running_[member] = std::move(process));
  }
  void kill(const std::string& member) { running_.erase(member); }
  std::map<std::string, std::unique_ptr<Process>>& running() { return running_; }
  std::string said() {
    std::string said;
    for (const auto& [member, process] : running_) said += member + ":\n" + process->said();
    return said;
  }
  bool all_live() {
    return std::ranges::all_of(running_, [](const auto& each) { return !each.second->exit_code(); });
  }

 private:
  const std::string name_;
  const std::string folder_;
  int starts_ = 0;
  std::map<std::string, std::unique_ptr<Process>> running_;
};

class GroupMode : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryDirectory();
    traffic_ = &Traffic::shared(broker());
    std::vector<std::string> words = {TILLWATCH_PROGRAM, "run", "--output", folder_->file("embedded")};
    for (const std::string& file : traffic_->files()) words.insert(words.end(), {"--file", file});
    run_to_end(words, folder_->file("embedded.log"), kDrain);
    std::ostringstream alerts;
    alerts << std::ifstream(folder_->file("embedded/alerts.ndjson")).rdbuf();
    standing_ = new Standing(standing_of(alerts.str()));
  }
  static void TearDownTestSuite() {
    delete standing_;
    delete folder_;
  }

  static void expect_the_same(Members& members) {
    EXPECT_FALSE(standing_->empty());
    Standing came;
    const bool same = wait_until(
        [&] {
          if (!members.all_live()) return true;
          came = traffic_->standing_in(members.alerts());
          return came == *standing_;
        },
        kDrain);
    EXPECT_TRUE(same && members.all_live()) << members.said();
    EXPECT_EQ(differences(*standing_, came), "") << members.said();
  }
  static void expect_end(Process& member) {
    member.send(SIGTERM);
    EXPECT_EQ(member.wait_for_exit(kEnd), 0) << member.said();
    EXPECT_THAT(member.said(), HasSubstr("stopped: "));
  }
  static bool has_begun(const Members& members) {
    return wait_until([&] { return broker().committed(members.name(), "pos.transactions", 0).offset > 0; }, kStart);
  }

  static inline TemporaryDirectory* folder_ = nullptr;
  static inline Traffic* traffic_ = nullptr;
  static inline Standing* standing_ = nullptr;
};

TEST_F(GroupMode, OneMemberComesToWhatOneProcessComesTo) {
  Members members(folder_->path());
  Process& only = members.start("a");
  expect_the_same(members);
  expect_end(only);
}

TEST_F(GroupMode, SoDoThree) {
  Members members(folder_->path());
  for (const char* name : {"a", "b", "c"}) members.start(name);
  expect_the_same(members);
  for (const auto& [name, process] : members.running()) expect_end(*process);
}

TEST_F(GroupMode, AMemberThatJoinsAndOneThatLeavesChangeNothing) {
  Members members(folder_->path());
  Process& first = members.start("a");
  ASSERT_TRUE(has_begun(members)) << members.said();
  members.start("b");
  ASSERT_TRUE(members.running()["b"]->wait_for("is served from commit", kStart)) << members.said();
  expect_end(first);
  members.kill("a");
  expect_the_same(members);
}

TEST_F(GroupMode, KillsUnderLoadChangeNothing) {
  std::mt19937_64 random(seed());
  Members members(folder_->path());
  const std::vector<std::string> names = {"a", "b", "c"};
  for (const std::string& name : names) members.start(name);
  ASSERT_TRUE(has_begun(members)) << members.said();
  int under_load = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    SCOPED_TRACE("seed " + std::to_string(seed()) + ", kill " + std::to_string(kill));
    std::this_thread::sleep_for(milliseconds(random() % 1500));
    const std::string& victim = names[random() % names.size()];
    ASSERT_TRUE(members.all_live()) << members.said();
    under_load += traffic_->lag_of(members.name()) > 0 ? 1 : 0;
    members.kill(victim);
    members.start(victim);
  }
  std::printf("seed %llu: %d kills, %d of them with records waiting\n", static_cast<unsigned long long>(seed()), kKills,
              under_load);
  expect_the_same(members);
}

TEST_F(GroupMode, AnotherNumberOfShardsIsRefused) {
  Members members(folder_->path());
  members.start("a");
  ASSERT_TRUE(has_begun(members)) << members.said();
  Process& other = members.start("b", 5);
  EXPECT_EQ(other.wait_for_exit(kStart), 1) << other.said();
  EXPECT_THAT(other.said(), HasSubstr("Set state.shards to 6"));
}

}  // namespace
}  // namespace tillwatch::tests
