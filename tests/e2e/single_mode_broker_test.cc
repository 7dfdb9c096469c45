// The program as its users run it: `tillwatch run` on a real broker, with kcat and Kafka's own tools around it, killed, cut off
// and fenced. Every run reads the same input in a group of its own and must come to the same standing alerts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <regex>
#include <sstream>
#include <thread>

#include "tests/broker/fixture.h"
#include "tests/e2e/process.h"
#include "tests/e2e/traffic.h"
#include "tests/temporary_directory.h"

namespace tillwatch::tests {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr milliseconds kStart{30'000};
constexpr milliseconds kDrain{180'000};
constexpr milliseconds kEnd{30'000};
constexpr milliseconds kAway{8'000};

// Where a commit is cut, and what the next start must say of it.
struct Cut {
  std::string step;  // empty: killed from outside, at any moment
  std::string next_start_says;
};
constexpr const char* kDropped = "was prepared and not decided before the last stop; dropping it";
constexpr const char* kApplied = "was decided before the last stop; bringing the store up to it";
constexpr const char* kNothing = "";
const std::vector<Cut> kCuts = {{"before-prepare", kNothing}, {"prepared", kDropped},  {"begun", kDropped},
                                {"half-written", kDropped},   {"written", kDropped},   {"positions-sent", kDropped},
                                {"flushed", kDropped},        {"committed", kApplied}, {"committed", kApplied},
                                {"decided", kApplied},        {"applied", kNothing}};
constexpr size_t kKills = 20;

BrokerFixture& broker() { return BrokerFixture::shared(); }

uint64_t seed() {
  const char* given = std::getenv("TILLWATCH_E2E_SEED");
  return given == nullptr ? 20'261'122 : std::strtoull(given, nullptr, 10);
}

// A group with a store and output topics of its own, and the processes that run in its name.
class Group {
 public:
  explicit Group(std::string folder, std::string bootstrap = broker().bootstrap())
      : name_(broker().unique_name("group")), folder_(std::move(folder) + "/" + name_), bootstrap_(std::move(bootstrap)) {
    std::filesystem::create_directories(folder_);
    broker().create_topic(alerts());
    broker().create_topic(dead_letters());
  }

  const std::string& name() const { return name_; }
  std::string alerts() const { return name_ + "-alerts"; }
  std::string dead_letters() const { return name_ + "-dead"; }
  std::string state() const { return folder_ + "/state"; }

  // `die_at` names a step of a commit at which the process ends as by kill -9.
  std::unique_ptr<Process> start(const std::string& state, const std::string& alerts, const std::string& die_at = "",
                                 const std::string& rules = TILLWATCH_SOURCE_DIR "/rules/packs/payments") {
    const std::string config = folder_ + "/" + std::to_string(++starts_) + ".yaml";
    std::ofstream(config) << "mode: single\nrules: [" << rules << "]\n"
                          << "source: {kafka: {bootstrap: '" << bootstrap_ << "', group: " << name_ << "}}\n"
                          << "sink: {topics: {alerts: " << alerts << ", dead_letters: " << dead_letters() << "}}\n"
                          << "state: {path: " << state << ", sync: false}\nbatch: {max_records: 100}\nmetrics: {listen: off}\n";
    return std::make_unique<Process>(
        std::vector<std::string>{"env", "TILLWATCH_DIE_AT=" + die_at, TILLWATCH_PROGRAM, "run", "--config", config},
        config + ".log");
  }
  std::unique_ptr<Process> start() { return start(state(), alerts()); }
  std::unique_ptr<Process> start_to_die_at(const std::string& step) { return start(state(), alerts(), step); }

 private:
  const std::string name_;
  const std::string folder_;
  const std::string bootstrap_;
  int starts_ = 0;
};

class SingleMode : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryDirectory();
    traffic_ = &Traffic::shared(broker());
    uninterrupted_ = new Group(folder_->path());
    const auto engine = uninterrupted_->start();
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(drain(*engine, *uninterrupted_));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    std::printf("%lld records drained in %.1f s, start included\n", static_cast<long long>(traffic_->records()), seconds);
    finish(*engine);
    standing_ = new Standing(traffic_->standing_in(uninterrupted_->alerts()));
  }
  static void TearDownTestSuite() {
    delete standing_;
    delete uninterrupted_;
    delete folder_;
  }

  static bool drain(Process& engine, const Group& group) {
    const bool drained = wait_until([&] { return engine.exit_code() || traffic_->drained_by(group.name()); }, kDrain);
    EXPECT_FALSE(engine.exit_code()) << engine.said();
    return drained && !engine.exit_code();
  }
  // Ends in order.
  static void finish(Process& engine) {
    engine.send(SIGTERM);
    EXPECT_EQ(engine.wait_for_exit(kEnd), 0) << engine.said();
    EXPECT_THAT(engine.said(), HasSubstr("stopped: "));
  }
  static void expect_uninterrupted_standing(const Group& group) {
    EXPECT_FALSE(standing_->empty());
    EXPECT_EQ(differences(*standing_, traffic_->standing_in(group.alerts())), "");
  }
  static void expect_refusal(Process& engine, const std::string& word, milliseconds patience = kStart) {
    EXPECT_EQ(engine.wait_for_exit(patience), 1) << engine.said();
    EXPECT_THAT(engine.said(), HasSubstr(word));
  }

  static inline TemporaryDirectory* folder_ = nullptr;
  static inline Traffic* traffic_ = nullptr;
  static inline Group* uninterrupted_ = nullptr;
  static inline Standing* standing_ = nullptr;
};

bool says(const std::string& alert, const WantedAlert& wanted) {
  rapidjson::Document json;
  json.Parse(alert.c_str());
  if (json["rule_id"].GetString() != wanted.rule) return false;
  for (const auto& [field, text] : wanted.key) {
    const auto found = json["key"].FindMember(field.c_str());
    if (found == json["key"].MemberEnd()) return false;
    if ((found->value.IsString() ? found->value.GetString() : std::to_string(found->value.GetInt64())) != text) return false;
  }
  return true;
}

TEST_F(SingleMode, KcatReadsTheAlertsOfWhatKcatWrote) {
  EXPECT_GT(traffic_->truth().size(), 20U);
  for (const WantedAlert& wanted : traffic_->truth()) {
    const bool said = std::ranges::any_of(*standing_, [&](const auto& alert) { return says(alert.second, wanted); });
    EXPECT_TRUE(said) << wanted.rule << ": " << wanted.note;
  }
}

TEST_F(SingleMode, KafkasToolsSeeTheGroupAndItsOffsets) {
  const std::string seen = run_to_end({TILLWATCH_SOURCE_DIR "/tests/broker/broker", "groups", broker().directory(),
                                       "--describe", "--group", uninterrupted_->name()},
                                      folder_->file("groups.log"), kStart);
  EXPECT_THAT(seen, HasSubstr("pos.transactions"));
  EXPECT_THAT(seen, HasSubstr("ref.merchant"));
  // CURRENT-OFFSET LOG-END-OFFSET LAG
  EXPECT_THAT(seen, ContainsRegex("pos.transactions +0 +[0-9]+ +[0-9]+ +0 "));
  EXPECT_THAT(seen, ::testing::Not(ContainsRegex("(pos|sms|ref)[.][a-z_]+ +[0-9]+ +[0-9]+ +[0-9]+ +[1-9][0-9]* ")));
}

TEST_F(SingleMode, FilesWithoutABrokerComeToTheSame) {
  std::vector<std::string> words = {TILLWATCH_PROGRAM, "run", "--output", folder_->file("embedded")};
  for (const std::string& file : traffic_->files()) { words.insert(words.end(), {"--file", file}); }
  run_to_end(words, folder_->file("embedded.log"), kDrain);
  std::ostringstream alerts;
  alerts << std::ifstream(folder_->file("embedded/alerts.ndjson")).rdbuf();
  EXPECT_EQ(differences(*standing_, standing_of(alerts.str())), "");
}

// The number in "going on after commit N".
std::optional<uint64_t> commit_it_began_after(const std::string& said) {
  const std::string words = "going on after commit ";
  const size_t at = said.find(words);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(said.c_str() + at + words.size(), nullptr, 10);
}

// One life of the engine, to its violent end; what it said. Adds a failure when it ends otherwise.
std::string live_and_die(Group& group, const Cut& cut, std::mt19937_64& random) {
  if (!cut.step.empty()) {
    const auto engine = group.start_to_die_at(cut.step + ":" + std::to_string(1 + random() % 5));
    EXPECT_EQ(engine->wait_for_exit(kStart), -SIGKILL) << "it never came to '" << cut.step << "'\n" << engine->said();
    return engine->said();
  }
  const auto engine = group.start();
  const bool while_starting = random() % 4 == 0;
  if (!while_starting) { EXPECT_TRUE(engine->wait_for("going on after commit", kStart)) << engine->said(); }
  std::this_thread::sleep_for(milliseconds(random() % 500));
  EXPECT_FALSE(engine->exit_code()) << engine->said();
  engine->kill();
  return engine->said();
}

TEST_F(SingleMode, TwentyKillsChangeNothing) {
  std::mt19937_64 random(seed());
  std::vector<Cut> cuts = kCuts;
  cuts.resize(kKills, {"", kNothing});
  std::ranges::shuffle(cuts, random);
  Group group(folder_->path());
  uint64_t last_number = 0;
  int under_load = 0, applied = 0, dropped = 0;
  std::string wanted, said_since;  // by whoever started after the last cut
  for (const Cut& cut : cuts) {
    SCOPED_TRACE("seed " + std::to_string(seed()) + ", killed at '" + cut.step + "'");
    const std::string said = live_and_die(group, cut, random);
    said_since += said;
    under_load += traffic_->lag_of(group.name()) > 0 ? 1 : 0;
    applied += said.contains(kApplied) ? 1 : 0;
    dropped += said.contains(kDropped) ? 1 : 0;
    const auto number = commit_it_began_after(said);
    if (!number) continue;  // killed before it came so far: the cut before it is still open
    EXPECT_THAT(said_since, HasSubstr(wanted));
    EXPECT_GE(*number, last_number);
    last_number = *number;
    wanted = cut.next_start_says;
    said_since.clear();
  }
  const auto engine = group.start();
  ASSERT_TRUE(drain(*engine, group)) << engine->said();
  finish(*engine);
  EXPECT_THAT(said_since + engine->said(), HasSubstr(wanted));
  std::printf(
      "seed %llu: %zu kills, %zu of them at named steps of a commit, %d with records waiting; redo records applied %d, "
      "dropped %d; commit %llu before the last life\n",
      static_cast<unsigned long long>(seed()), cuts.size(), kCuts.size(), under_load, applied, dropped,
      static_cast<unsigned long long>(last_number));
  EXPECT_GT(under_load, static_cast<int>(kKills) / 2) << "too little traffic for this machine";
  EXPECT_GE(applied, 1);
  EXPECT_GE(dropped, 1);
  expect_uninterrupted_standing(group);
}

TEST_F(SingleMode, ABrokerThatGoesAwayIsWaitedFor) {
  Group group(folder_->path());
  const auto engine = group.start();
  ASSERT_TRUE(wait_until([&] { return broker().committed(group.name(), "pos.transactions", 0).offset > 0; }, kStart))
      << engine->said();
  broker().stop();
  // A commit under way may use up its time-outs first.
  EXPECT_TRUE(engine->wait_for("trying again", kDrain)) << engine->said();
  std::this_thread::sleep_for(kAway);  // many attempts to reach it, few lines about them
  const std::string while_away = engine->said();
  EXPECT_LT(std::ranges::count(while_away, '\n'), 40) << while_away;
  broker().restart();
  ASSERT_TRUE(drain(*engine, group)) << engine->said();
  finish(*engine);
  expect_uninterrupted_standing(group);
}

TEST_F(SingleMode, ADeletedAlertsTopicIsNamed) {
  Group group(folder_->path());
  const auto engine = group.start();
  ASSERT_TRUE(wait_until([&] { return broker().committed(group.name(), "pos.transactions", 0).offset > 0; }, kStart))
      << engine->said();
  broker().delete_topic(group.alerts());
  expect_refusal(*engine, "'" + group.alerts() + "'", kDrain);
}

// Somebody starts the engine once more, with the wrong folder: the one at work must not notice.
TEST_F(SingleMode, AWrongStoreIsRefusedWhileTheRightOneGoesOn) {
  Group group(folder_->path());
  const auto engine = group.start();
  ASSERT_TRUE(wait_until([&] { return broker().committed(group.name(), "pos.transactions", 0).offset > 0; }, kStart))
      << engine->said();
  const auto second = group.start(group.state() + "-of-somebody", group.alerts());
  expect_refusal(*second, "do not belong together");
  EXPECT_GT(traffic_->lag_of(group.name()), 0) << "it was over before it could be disturbed";
  ASSERT_TRUE(drain(*engine, group)) << engine->said();
  finish(*engine);
  EXPECT_THAT(engine->said(), ::testing::Not(HasSubstr("aborted")));
  expect_uninterrupted_standing(group);
}

TEST_F(SingleMode, AStoreKnowsItsGroup) {
  Group group(folder_->path());
  std::filesystem::copy(uninterrupted_->state(), group.state(), std::filesystem::copy_options::recursive);
  const auto engine = group.start();
  expect_refusal(*engine, "belongs to consumer group '" + uninterrupted_->name() + "'");
}

// A stream and a table that no rule looks at: nobody need have such topics.
constexpr const char* kStreamNobodyReads =
    "  unread:\n    topic: unread.events\n    time: sent_at\n    id: [event_id]\n    fields: {event_id: string, sent_at: "
    "time}\n";
constexpr const char* kTableNobodyReads =
    "  unread_rows:\n    topic: unread.rows\n    key: [id]\n    valid: [effective_from, effective_to]\n    columns: {id: "
    "string}\n";

TEST_F(SingleMode, OnlyTopicsThatRulesUseMustBeThere) {
  Group group(folder_->path());
  const std::string rules = folder_->file("with-unread-topics");
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", rules, std::filesystem::copy_options::recursive);
  std::ostringstream schema;
  schema << std::ifstream(rules + "/schema.yaml").rdbuf();
  std::string text = schema.str();
  for (const auto& [section, more] :
       {std::pair<std::string, std::string>{"\nstreams:\n", kStreamNobodyReads}, {"\ntables:\n", kTableNobodyReads}}) {
    ASSERT_TRUE(text.contains(section));
    text.insert(text.find(section) + section.size(), more);
  }
  std::ofstream(rules + "/schema.yaml") << text;
  const auto engine = group.start(group.state(), group.alerts(), "", rules);
  ASSERT_TRUE(engine->wait_for("going on after commit", kStart)) << engine->said();
  finish(*engine);
}

TEST_F(SingleMode, AStoreOfAnotherGroupIsRefused) {
  Group group(folder_->path());
  // The group was read to its end with another store; this one is empty.
  const auto engine = uninterrupted_->start(group.state(), group.alerts());
  expect_refusal(*engine, "do not belong together");
}

TEST_F(SingleMode, AMissingTopicIsNamed) {
  Group group(folder_->path());
  const auto engine = group.start(group.state(), "no-such-topic");
  expect_refusal(*engine, "no topic named: no-such-topic");
}

TEST_F(SingleMode, AnUnreachableBrokerIsSaidInTime) {
  Group group(folder_->path(), "127.0.0.1:1");
  const auto engine = group.start();
  expect_refusal(*engine, "127.0.0.1:1 did not answer");
}

// Stopped for longer than its session lasts, a process is no longer the one: whoever was started in its place goes on, and the
// first ends when it wakes.
TEST_F(SingleMode, AProcessThatSleptIsFenced) {
  Group group(folder_->path());
  const auto sleeper = group.start();
  ASSERT_TRUE(wait_until([&] { return broker().committed(group.name(), "pos.transactions", 0).offset > 0; }, kStart))
      << sleeper->said();
  sleeper->send(SIGSTOP);
  const std::string copy = group.state() + "-copy";  // a disk that moved to another machine
  std::filesystem::copy(group.state(), copy, std::filesystem::copy_options::recursive);
  const auto successor = group.start(copy, group.alerts());
  ASSERT_TRUE(drain(*successor, group)) << successor->said();
  sleeper->send(SIGCONT);
  expect_refusal(*sleeper, "another process");
  finish(*successor);
  expect_uninterrupted_standing(group);
}

}  // namespace
}  // namespace tillwatch::tests
