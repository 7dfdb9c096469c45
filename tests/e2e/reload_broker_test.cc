// Rules that change fifty times while `tillwatch run` reads a real broker: no alert is lost, repeated or raised by half a
// bundle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/broker/fixture.h"
#include "tests/e2e/process.h"
#include "tests/e2e/traffic.h"
#include "tests/temporary_directory.h"

namespace tillwatch::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr milliseconds kStart{30'000};
constexpr milliseconds kDrain{180'000};
constexpr milliseconds kTurn{20'000};
constexpr int kTurns = 50;

std::string read_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

size_t count_of(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size()) ++count;
  return count;
}

// What is said of the rules themselves is not of the traffic.
Standing of_traffic(Standing standing) {
  std::erase_if(standing, [](const auto& each) { return each.second.find("rules-refused") != std::string::npos; });
  return standing;
}

class ReloadOnABroker : public ::testing::Test {
 protected:
  void SetUp() override {
    traffic_ = &Traffic::shared(broker_);
    fs::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", rules(), fs::copy_options::recursive);
  }
  std::string rules() const { return folder_.file("rules"); }

  // An engine in a group of its own; its alerts go to `alerts`.
  std::unique_ptr<Process> start(const std::string& group, const std::string& alerts, const std::string& rule_folder) {
    broker_.create_topic(alerts);
    broker_.create_topic(group + "-dead");
    const std::string config = folder_.file(group + ".yaml");
    write_text(config, "mode: single\nrules: [" + rule_folder + "]\nsource: {kafka: {bootstrap: '" + broker_.bootstrap() +
                           "', group: " + group + "}}\nsink: {topics: {alerts: " + alerts + ", dead_letters: " + group +
                           "-dead}}\nstate: {path: " + folder_.file(group + "-state") +
                           ", sync: false}\nbatch: {max_records: 50}\nreload: {look_every: 0s}\nmetrics: {listen: off}\n");
    return std::make_unique<Process>(std::vector<std::string>{TILLWATCH_PROGRAM, "run", "--config", config}, config + ".log");
  }
  void drain(Process& engine, const std::string& group) {
    EXPECT_TRUE(wait_until([&] { return engine.exit_code() || traffic_->drained_by(group); }, kDrain)) << engine.said();
    EXPECT_FALSE(engine.exit_code()) << engine.said();
  }
  void finish(Process& engine) {
    engine.send(SIGTERM);
    EXPECT_EQ(engine.wait_for_exit(kStart), 0) << engine.said();
  }

  BrokerFixture& broker_ = BrokerFixture::shared();
  TemporaryDirectory folder_;
  Traffic* traffic_ = nullptr;
};

TEST_F(ReloadOnABroker, FiftyChangesGoodAndBadLoseAndRepeatNothing) {
  const std::string calm = broker_.unique_name("calm"), busy = broker_.unique_name("busy");
  {
    const auto engine = start(calm, calm + "-alerts", TILLWATCH_SOURCE_DIR "/rules/packs/payments");
    drain(*engine, calm);
    finish(*engine);
  }
  const std::string file = rules() + "/duplicate-debit.yaml", other = rules() + "/code-jump.yaml";
  const std::string good = read_text(file);
  const auto engine = start(busy, busy + "-alerts", rules());
  ASSERT_TRUE(engine->wait_for("going on after commit", kStart)) << engine->said();
  int accepted = 0, refused = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    const bool bad = turn % 2 == 1;
    switch (turn % 6) {
      case 1:
        write_text(file, good.substr(0, good.size() / 2));
        break;  // half written
      case 3:
        write_text(file, good + "\nkey: [card_token]\n");
        break;  // a key twice
      case 5:
        fs::rename(other, other + ".away");
        break;  // a rule is gone: its state would be lost
      default:
        write_text(file, good + "# change " + std::to_string(turn) + "\nowner: team-" + std::to_string(turn) + "\n");
    }
    (bad ? refused : accepted) += 1;
    engine->send(SIGHUP);
    const auto seen = [&] {
      const std::string said = engine->said();
      return count_of(said, "rules reloaded: ") == static_cast<size_t>(accepted) &&
             count_of(said, "are refused, the old ones go on") == static_cast<size_t>(refused);
    };
    ASSERT_TRUE(wait_until([&] { return engine->exit_code() || seen(); }, kTurn)) << "turn " << turn << "\n" << engine->said();
    if (fs::exists(other + ".away")) fs::rename(other + ".away", other);
  }
  drain(*engine, busy);
  finish(*engine);
  EXPECT_EQ(accepted, kTurns / 2);
  const Standing wanted = traffic_->standing_in(calm + "-alerts");
  EXPECT_FALSE(wanted.empty());
  EXPECT_EQ(differences(wanted, of_traffic(traffic_->standing_in(busy + "-alerts"))), "");
}

}  // namespace
}  // namespace tillwatch::tests
