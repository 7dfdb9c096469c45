// Bad records, rules, configurations and stores: a clear word, an exit code, and nothing lost.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include "tests/cli/program.h"
#include "tests/e2e/process.h"

namespace tillwatch {
namespace {

constexpr std::chrono::seconds kPatience{60};

std::string sale(const std::string& id, const std::string& stan, const std::string& at, const std::string& more = "") {
  return R"({"event_id":")" + id + R"(","txn_id":")" + id + R"(","txn_type":"sale","status":"approved","occurred_at":")" + at +
         R"(","amount_minor":12850,"currency":"CNY","card_token":"c1","pan_masked":"622848******1234","card_last4":"1234","merchant_id":"990581058120001","mcc":"5812","terminal_id":"1","stan":")" +
         stan + R"(","batch_no":"1","rrn":"R)" + stan +
         R"(","card_type":"credit","payment_method":"card_chip","issuer_id":"0103","acquirer_id":"99010001")" + more + "}";
}

constexpr const char* kNoon = "2026-11-22T12:00:00+08:00";

TEST(BadInput, BadRecordsBecomeDeadLettersAndTheRunGoesOn) {
  struct Row {
    const char* what;
    std::string record;
    const char* reason;
  };
  std::string deep = R"({"event_id":"deep","x":)" + std::string(10'000, '[') + std::string(10'000, ']') + "}";
  const std::string replaced = sale("x", "9", kNoon);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = replaced;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<Row> rows = {
      {"truncated", replaced.substr(0, replaced.size() / 2), "invalid_json"},
      {"wrong type", with("\"amount_minor\":12850", "\"amount_minor\":\"12850\""), "wrong_type"},
      {"missing required field", with("\"card_token\":\"c1\",", ""), "missing_field"},
      {"invalid UTF-8", with("\"card_token\":\"c1\"", "\"card_token\":\"\xff\xfe\""), "invalid_utf8"},
      {"10 MB", sale("big", "8", kNoon, R"(,"order_no":")" + std::string(10 << 20, 'x') + "\""), "too_large"},
      {"deep nesting", deep, "too_deep"},
      {"beyond int64", with("12850", "92233720368547758080"), "out_of_range"},
      {"duplicate key", with("\"card_token\":\"c1\"", "\"card_token\":\"c1\",\"card_token\":\"c2\""), "duplicate_key"},
      {"NaN", with("12850", "NaN"), "invalid_json"},
      {"not an object", "[1,2,3]", "not_an_object"},
      {"no time zone", with(kNoon, "2026-11-22T12:00:00"), "bad_time"},
  };
  const TestFolder folder;
  std::string text = sale("A", "1", kNoon) + "\n";
  for (const Row& row : rows) text += row.record + "\n";
  std::string unknown = sale("U", "3", "2026-11-22T12:03:00+08:00");
  unknown.replace(unknown.find("\"credit\""), 8, "\"never seen\"");
  text += unknown + "\n" + sale("B", "2", "2026-11-22T12:01:30+08:00") + "\n";
  const std::string records = folder.write("t.ndjson", text);
  const ProgramResult run = run_program("run --file pos.transactions=" + records + " --output " + (folder / "out"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const std::string letters = read_file(folder / "out/dead-letter.ndjson");
  EXPECT_EQ(std::count(letters.begin(), letters.end(), '\n'), static_cast<ptrdiff_t>(rows.size())) << letters;
  size_t at = 0;
  for (const Row& row : rows) {
    const size_t end = letters.find('\n', at);
    const std::string letter = letters.substr(at, end - at);
    at = end + 1;
    EXPECT_NE(letter.find("\"reason\":\"" + std::string(row.reason) + "\""), std::string::npos) << row.what << ": " << letter;
    for (const char* field : {"\"topic\":\"pos.transactions\"", "\"partition\":0", "\"offset\":", "\"excerpt\":"}) {
      EXPECT_NE(letter.find(field), std::string::npos) << row.what << ": " << letter;
    }
    EXPECT_LT(letter.size(), 2000u) << row.what;
  }
  EXPECT_NE(read_file(folder / "out/alerts.ndjson").find("duplicate-debit"), std::string::npos)
      << "the good ones among them still raise theirs";
}

TEST(BadInput, TenMistakesInRulesAreTenLocatedErrors) {
  const TestFolder folder;
  const std::string schema = read_file(TILLWATCH_SOURCE_DIR "/rules/packs/payments/schema.yaml");
  folder.write("schema.yaml", schema.substr(0, schema.find("\nlists:")));
  folder.write("bad.yaml", R"(rule: bad
version: one
on: debit as d
where: amout > 100
key: [card_token, merchant]
let:
  n: count(this)
  k: d.amount + d.mcc
  z: merchants[d.merchant_id].name
when: n > 2 and k > 1 or z == "x"
severity: huge
quiet: soon
resolve:
  - on: undoo
    reason: x
colour: red
message: {en: "{d.nothing}", zh: "x"}
)");
  const char* const errors[] = {
      "2:10 E009 a version is a whole number from 1",
      "4:8 E020 stream `debit` has no field `amout`",
      "5:19 E020 stream `debit` has no field `merchant`",
      "7:6 E017 `count(…)` has no time window",
      "8:15 E035 cannot compute money + string",
      "10:23 E014 `and` and `or` are mixed without parentheses",
      "11:11 E053 there is no severity `huge`",
      "12:8 E016 a duration is needed here",
      "14:9 E038 there is no stream `undoo`",
      "16:1 E003 `colour` is not a key of a rule",
      "17:19 E020 stream `debit` has no field `nothing`",
  };
  const ProgramResult run = run_program("rules check " + folder.path());
  EXPECT_EQ(run.exit_code, 1);
  const ProgramResult json = run_program("rules check --format json " + folder.path());
  EXPECT_EQ(json.exit_code, 1);
  size_t from = 0;
  for (const std::string error : errors) {  // in this order, each with its place
    const std::string place = error.substr(0, error.find(' '));
    const std::string code = error.substr(place.size() + 1, 4), message = error.substr(place.size() + 6);
    const size_t at = run.err.find("error[" + code + "]: " + message, from);
    ASSERT_NE(at, std::string::npos) << error << "\n" << run.err;
    from = run.err.find(" --> ", at);
    EXPECT_EQ(run.err.substr(from + 5, run.err.find('\n', from) - from - 5), (folder / "bad.yaml:") + place) << error;
    const size_t snippet_end = run.err.find("\nerror[", from);
    EXPECT_NE(run.err.substr(from, snippet_end - from).find('^'), std::string::npos) << error;
    EXPECT_NE(json.out.find("\"code\":\"" + code + "\""), std::string::npos) << json.out;
    EXPECT_NE(json.out.find("\"line\":" + place.substr(0, place.find(':')) + ","), std::string::npos) << error << "\n"
                                                                                                      << json.out;
  }
  EXPECT_NE(run.err.find("did you mean `amount`?"), std::string::npos);
  EXPECT_NE(run.out.find("11 errors"), std::string::npos) << run.out;
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 11);
}

TEST(BadInput, AConfigurationThatIsWrongIsRefusedAtOnce) {
  struct Row {
    const char* text;
    std::vector<std::string> said;  // the key, the value where it stands, what to do
  };
  const Row rows[] = {
      {"rules: [.]\nsource: {generator: {}}\nmood: good\n",
       {"`mood` is not a key of the configuration", "config.yaml:3:1", "keys: mode, rules, source"}},
      {"rules: [.]\nsource: {generator: {}}\nworkers: many\n",
       {"`workers` needs a whole number from 1 to 256", "config.yaml:3:10", "3 | workers: many"}},
      {"rules: [no/such/folder]\nsource: {generator: {}}\n",
       {"`rules` in ", "/no/such/folder`, which is not there", "paths are relative to the folder of the configuration"}},
      {"mode: group\nrules: [.]\nsource: {generator: {}}\n",
       {"mode `group` reads from Kafka", "config.yaml:3:9", "write `mode: embedded`"}},
      {"rules: [.]\nsource: {generator: {}}\nbatch: {max_wait: 1m}\n",
       {"`batch.max_wait` needs a duration from 1ms to 10s", "config.yaml:3:19", "3 | batch: {max_wait: 1m}"}},
  };
  for (const Row& row : rows) {
    const TestFolder folder;
    const ProgramResult run = run_program("run --config " + folder.write("config.yaml", row.text), 20);
    EXPECT_EQ(run.exit_code, 1) << row.text << run.err;
    for (const std::string& said : row.said)
      EXPECT_NE(run.err.find(said), std::string::npos) << row.text << said << "\n" << run.err;
    EXPECT_EQ(run.err.find("error["), run.err.rfind("error[")) << "one mistake, one error: " << run.err;
  }
  const ProgramResult none = run_program("run --config /no/such/config.yaml");
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_NE(none.err.find("/no/such/config.yaml"), std::string::npos) << none.err;
  EXPECT_EQ(run_program("run").exit_code, 2);
  EXPECT_EQ(run_program("walk").exit_code, 2);
}

TEST(BadInput, ABrokerThatIsNotThereIsWaitedForAndThenNamed) {
  const TestFolder folder;
  const std::string config = folder.write(
      "config.yaml",
      "mode: single\nrules: [" TILLWATCH_SOURCE_DIR
      "/rules/packs/payments]\nsource:\n  kafka: {bootstrap: \"127.0.0.1:1\", group: g}\nstate: {path: state}\nmetrics: off\n");
  const ProgramResult run = run_program("run --config " + config, 60);
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_NE(run.err.find("127.0.0.1:1"), std::string::npos) << run.err;
}

TEST(BadInput, TwoProcessesCannotShareAStore) {
  const TestFolder folder;
  const std::string config =
      folder.write("config.yaml", "rules: [" TILLWATCH_SOURCE_DIR
                                  "/rules/packs/payments]\nsource: {generator: {speed: 1, events_per_second: 5}}\n"
                                  "sink: {to: files, path: out}\nstate: {path: state}\nmetrics: off\n");
  tests::Process first({TILLWATCH_PROGRAM, "run", "--config", config}, folder / "first.log");
  ASSERT_TRUE(first.wait_for("going on after commit", kPatience)) << first.said();
  const ProgramResult second = run_program("run --config " + config, 60);
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find("state"), std::string::npos) << second.err;
  EXPECT_FALSE(first.exit_code().has_value()) << "the first goes on: " << first.said();
  first.send(SIGTERM);
  EXPECT_EQ(first.wait_for_exit(kPatience), 0) << first.said();
}

// A port of this machine that nobody listens on, and nobody can take while this lives.
class SilentPort {
 public:
  SilentPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    const bool bound = bind(socket_, reinterpret_cast<const sockaddr*>(&where), size) == 0 &&
                       getsockname(socket_, reinterpret_cast<sockaddr*>(&where), &size) == 0;
    if (bound) number_ = ntohs(where.sin_port);
  }
  ~SilentPort() { close(socket_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  int number() const { return number_; }  // 0: there is none

 private:
  const int socket_;
  int number_ = 0;
};

TEST(BadInput, ARunThatWaitsForABrokerStopsWhenToldTo) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const SilentPort port;
    ASSERT_NE(port.number(), 0);
    const TestFolder folder;
    const std::string broker = "127.0.0.1:" + std::to_string(port.number());
    // The wait for the broker is longer than the test is patient: only the signal can end it.
    const std::string config = folder.write(
        "config.yaml", "mode: single\nrules: [" TILLWATCH_SOURCE_DIR "/rules/packs/payments]\nsource: {kafka: {bootstrap: \"" +
                           broker + "\", group: g, connect_timeout: 10m}}\nstate: {path: state}\nmetrics: off\n");
    tests::Process run({TILLWATCH_PROGRAM, "run", "--config", config}, folder / "log");
    ASSERT_TRUE(run.wait_for("connecting to Kafka at " + broker, kPatience)) << run.said();
    run.send(signal);
    EXPECT_EQ(run.wait_for_exit(kPatience), 0) << run.said();
    EXPECT_NE(run.said().find("stopped: kafka: told to stop before the broker at " + broker + " answered"), std::string::npos)
        << run.said();
  }
}

}  // namespace
}  // namespace tillwatch
