#include "engine/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "rules/language/yaml.h"

namespace tillwatch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

struct ReadConfig {
  Config config;
  std::vector<std::string> errors;  // codes and messages
  std::string rendered;
};

ReadConfig read(const std::string& text, const std::map<std::string, std::string>& variables = {}) {
  const Environment environment = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  ReadConfig result;
  result.config = read_config_text("tillwatch.yaml", text, "conf", environment, sources, diagnostics);
  for (const rules::Diagnostic& each : diagnostics.all()) {
    result.errors.push_back(each.code + " " + each.message);
    result.rendered += rules::render(each, sources);
  }
  return result;
}

constexpr const char* kSmallest = "rules: [rules]\nsource: {generator: {}}\n";

TEST(Config, Defaults) {
  const auto [config, errors, rendered] = read(kSmallest);
  EXPECT_THAT(errors, ElementsAre());
  EXPECT_EQ(config.mode, Config::Mode::embedded);
  EXPECT_THAT(config.rules, ElementsAre("conf/rules"));
  EXPECT_EQ(config.source, Config::SourceKind::generator);
  EXPECT_EQ(config.sink, Config::SinkKind::terminal);
  EXPECT_EQ(config.alerts_topic, "alerts");
  EXPECT_EQ(config.dead_letter_topic, "dead-letter");
  EXPECT_EQ(config.state.path, "conf/tillwatch-state");
  EXPECT_EQ(config.memory_budget, 1u << 30);
  EXPECT_EQ(config.state.memory_budget, 256u << 20);
  EXPECT_TRUE(config.state.sync);
  EXPECT_EQ(config.shards, 16);
  EXPECT_GE(config.workers, 1u);
  EXPECT_EQ(config.batch_max_records, 20'000u);
  EXPECT_EQ(config.batch_max_wait, 30);
  EXPECT_EQ(config.commit_every, 50);
  EXPECT_EQ(config.max_future_skew, 5 * kMinute);
  EXPECT_EQ(config.metrics_listen, "127.0.0.1:9464");
  EXPECT_EQ(config.log.level, LogLevel::info);
  EXPECT_EQ(config.log.format, LogFormat::text);
  EXPECT_EQ(config.utc_offset, 8 * kHour);
  EXPECT_EQ(config.language, Language::en);
}

TEST(Config, SingleWithEverything) {
  const auto [config, errors, rendered] = read(R"(
mode: single
rules: [a, /b]
source:
  kafka:
    bootstrap: one:9092,two:9092
    group: till
    start: latest
    connect_timeout: 20s
    session_timeout: 2m
    transaction_timeout: 5s
    properties: {security.protocol: SASL_SSL, sasl.password: "${PASSWORD}", literal: "a$${b}", "queued.min.messages": 0100}
sink:
  topics: {alerts: pos.alerts, dead_letters: pos.dead}
state: {path: /var/lib/tillwatch, memory_budget: 2GiB, sync: false, shards: 64}
workers: 3
batch: {max_records: 5000, max_wait: 5ms, idle_commit: 250ms, commit_every: 0ms, give_up_after: 90s}
time: {max_future_skew: 90s}
metrics: {listen: "0.0.0.0:0"}
log: {level: debug, format: json}
display: {utc_offset: "-03:30", language: zh}
)",
                                               {{"PASSWORD", "s3cret: [x}"}});
  EXPECT_THAT(errors, ElementsAre());
  EXPECT_EQ(config.mode, Config::Mode::single);
  EXPECT_THAT(config.rules, ElementsAre("conf/a", "/b"));
  EXPECT_EQ(config.source, Config::SourceKind::kafka);
  EXPECT_EQ(config.sink, Config::SinkKind::kafka);
  EXPECT_EQ(config.kafka.bootstrap, "one:9092,two:9092");
  EXPECT_EQ(config.kafka.group, "till");
  EXPECT_EQ(config.kafka.transactional_id, "till");
  EXPECT_EQ(config.kafka.group_instance_id, "till");
  EXPECT_EQ(config.kafka.start, connectors::KafkaOptions::Start::latest);
  EXPECT_THAT(config.kafka.overrides, ElementsAre(Pair("literal", "a${b}"), Pair("queued.min.messages", "0100"),
                                                  Pair("sasl.password", "s3cret: [x}"), Pair("security.protocol", "SASL_SSL")));
  EXPECT_THAT(config.kafka.output_topics, ElementsAre("pos.alerts", "pos.dead"));
  EXPECT_EQ(config.state.path, "/var/lib/tillwatch");
  EXPECT_EQ(config.memory_budget, uint64_t{2} << 30);
  EXPECT_EQ(config.state.memory_budget, uint64_t{512} << 20);
  EXPECT_FALSE(config.state.sync);
  EXPECT_EQ(config.shards, 64);
  EXPECT_EQ(config.workers, 3u);
  EXPECT_EQ(config.batch_max_wait, 5);
  EXPECT_EQ(config.idle_commit, 250);
  EXPECT_EQ(config.commit_every, 0);
  EXPECT_EQ(config.give_up_after, 90 * kSecond);
  EXPECT_EQ(config.kafka.connect_timeout_ms, 20'000);
  EXPECT_EQ(config.kafka.session_timeout_ms, 120'000);
  EXPECT_EQ(config.kafka.transaction_timeout_ms, 5000);
  EXPECT_EQ(config.max_future_skew, 90 * kSecond);
  EXPECT_EQ(config.metrics_listen, "0.0.0.0:0");
  EXPECT_EQ(config.log.level, LogLevel::debug);
  EXPECT_EQ(config.log.format, LogFormat::json);
  EXPECT_EQ(config.utc_offset, -(3 * kHour + 30 * kMinute));
  EXPECT_EQ(config.language, Language::zh);
}

TEST(Config, FilesAndGenerator) {
  const auto files = read(R"(
rules: [r]
source:
  files:
    - {topic: pos.transactions, path: t.ndjson}
    - {topic: pos.slips, path: "-"}
  follow: true
sink: {to: files, path: ../out}
metrics: off
)");
  EXPECT_THAT(files.errors, ElementsAre());
  ASSERT_EQ(files.config.files.size(), 2u);
  EXPECT_EQ(files.config.files[0].topic, "pos.transactions");
  EXPECT_EQ(files.config.files[0].path, "conf/t.ndjson");
  EXPECT_EQ(files.config.files[1].path, "-");
  EXPECT_TRUE(files.config.follow_files);
  EXPECT_EQ(files.config.output_path, "out");
  EXPECT_EQ(files.config.metrics_listen, "");

  const auto generator = read(R"(
rules: [r]
source:
  generator: {seed: 7, start: "2026-11-22T10:00:00+08:00", length: 2h, events_per_second: 12.5, speed: 60, daily_shape: false,
              merchants: 10, cards: 100, issuers: 3, settlement_delay: 3m, anomalies_per_hour: {duplicate-debit: 12}}
)");
  EXPECT_THAT(generator.errors, ElementsAre());
  const connectors::GeneratorOptions& traffic = generator.config.generator.traffic;
  EXPECT_EQ(traffic.seed, 7u);
  EXPECT_EQ(traffic.length, 2 * kHour);
  EXPECT_DOUBLE_EQ(traffic.events_per_second, 12.5);
  EXPECT_FALSE(traffic.daily_shape);
  EXPECT_EQ(traffic.merchants, 10);
  EXPECT_EQ(traffic.settlement_delay, 3 * kMinute);
  EXPECT_THAT(traffic.anomalies_per_hour, ElementsAre(Pair("duplicate-debit", 12.0)));
  EXPECT_DOUBLE_EQ(generator.config.generator.speed, 60);
}

TEST(Config, EveryMistakeIsReportedAtOnce) {
  const auto [config, errors, rendered] = read(R"(mode: multi
rules: r
sorce: {}
source: {generator: {sed: 1, length: 5 hours}, follow: true}
sink: {to: printer, topics: {alerts: x, dead_letters: x}}
state: {memory_budget: 1MB, sync: yes, shards: 0}
workers: many
batch: {max_records: 0, max_wait: 1m}
metrics: {listen: 9464}
log: {level: loud}
display: {utc_offset: Beijing, language: de}
)");
  const std::vector<std::string> wanted = {
      "`sorce` is not a key of the configuration",
      "`mode` needs `embedded` or `single`",
      "`rules` needs a list",
      "`sed` is not a key of `generator`",
      "`generator.length` needs a duration",
      "`source.follow` is for `files`",
      "`sink.to` needs `terminal` or `files` or `kafka`",
      "topics of their own",
      "`state.memory_budget` needs a size of 32 MB or more",
      "`state.sync` needs `true` or `false`",
      "`state.shards` needs a whole number from 1 to 1024",
      "`workers` needs a whole number from 1 to 256",
      "`batch.max_records` needs",
      "`batch.max_wait` needs a duration from 1ms to 10s",
      "`metrics.listen` needs an IP address and a port",
      "`log.level` needs",
      "`display.utc_offset` needs",
      "`display.language` needs",
  };
  for (const std::string& each : wanted) EXPECT_THAT(errors, testing::Contains(HasSubstr(each))) << each;
  EXPECT_EQ(errors.size(), wanted.size()) << rendered;
}

TEST(Config, MistakesShowTheirPlace) {
  EXPECT_EQ(read("rules: [r]\nsource: {generator: {}}\nworkers: 0\n").rendered,
            "error[C001]: `workers` needs a whole number from 1 to 256\n"
            " --> tillwatch.yaml:3:10\n"
            "  |\n"
            "3 | workers: 0\n"
            "  |          ^ not that\n");
}

TEST(Config, ModesAndTheirConnectors) {
  struct Row {
    std::string text, wanted;
  };
  const Row rows[] = {
      {"mode: group\nrules: [r]\nsource: {generator: {}}", "C003 mode `group` reads from Kafka"},
      {"mode: single\nrules: [r]\nsource: {generator: {}}", "C003 mode `single` reads from Kafka"},
      {"rules: [r]\nsource: {kafka: {bootstrap: b}}", "C003 mode `embedded` has no broker"},
      {"mode: single\nrules: [r]\nsource: {kafka: {bootstrap: b}}\nsink: {to: terminal}",
       "C003 what is read from Kafka goes to the same Kafka"},
      {"mode: single\nrules: [r]\nsource: {kafka: {bootstrap: b, connect_timeout: 11m}}",
       "C001 `kafka.connect_timeout` needs a duration from 100ms to 10m"},
      {"mode: single\nrules: [r]\nsource: {kafka: {bootstrap: b, session_timeout: 5s}}",
       "C001 `kafka.session_timeout` needs a duration from 6s to 30m"},
      {"mode: single\nrules: [r]\nsource: {kafka: {bootstrap: b, transaction_timeout: 1m}}",
       "C001 `kafka.transaction_timeout` needs a duration from 1s to 10s"},
      {"rules: [r]\nsource: {generator: {}}\nbatch: {idle_commit: 1ms}",
       "C001 `batch.idle_commit` needs a duration from 10ms to 1h"},
      {"rules: [r]\nsource: {generator: {}}\nbatch: {give_up_after: 0s}",
       "C001 `batch.give_up_after` needs a duration from 1s to 1d"},
      {"mode: single\nrules: [r]\nsource: {kafka: {bootstrap: b}}\nbatch: {give_up_after: 3m}",
       "C003 `batch.give_up_after` (3m) must be shorter than `kafka.session_timeout` (3m)"},
      {"rules: [r]\nsource: {generator: {}}\nsink: {to: kafka}", "C003 there is no Kafka to write to"},
      {"rules: [r]\nsource: {generator: {}}\nsink: {to: files}", "C003 `sink` needs `path`"},
      {"rules: [r]\nsource: {generator: {}}\nsink: {path: x}", "C003 `sink.path` is for `to: files`"},
      {"rules: [r]\nsource: {}", "C003 `source` needs exactly one"},
      {"rules: [r]\nsource: {generator: {}, files: [{topic: t, path: p}]}", "C003 `source` needs exactly one"},
      {"rules: [r]\nsource: {files: []}", "C001 `source.files` names no file"},
      {"rules: [r]\nsource: {files: [{topic: t}]}", "needs `path`"},
      {"mode: single\nrules: [r]\nsource: {kafka: {group: g}}", "needs `bootstrap`"},
      {"rules: []\nsource: {generator: {}}", "C001 `rules` names no file"},
      {"source: {generator: {}}", "needs `rules`"},
      {"rules: [r]", "needs `source`"},
      {"", "C001 the configuration is empty"},
      {"[1]", "the configuration needs a mapping"},
      {"a: 1\n---\nb: 2", "C001 the configuration is one document"},
      {"rules: [r]\nrules: [s]\nsource: {generator: {}}", "rules"},
      {"rules: [r\n", ""},
      {"rules: [r]\nsource: {generator: {start: \"2026-11-22T00:00:00\"}}", "C001 `generator.start` needs a time with offset"},
      {"rules: [r]\nsource: {generator: {length: 1m}}", "C001 `generator`: "},
      {"rules: [r]\nsource: {generator: {anomalies_per_hour: {theft: 1}}}", "`theft` is not a key of `anomalies_per_hour`"},
  };
  for (const Row& row : rows) {
    const auto result = read(row.text);
    ASSERT_FALSE(result.errors.empty()) << row.text;
    EXPECT_THAT(result.errors.front(), HasSubstr(row.wanted)) << row.text;
  }
}

// docs/config.yaml; `everything`: with the lines of the other sources and sinks too.
std::string example(bool everything) {
  std::ifstream file(TILLWATCH_SOURCE_DIR "/docs/config.yaml");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("#|")) {
      text += line + "\n";
    } else if (everything) {
      text += line.substr(2) + "\n";
    }
  }
  return text;
}

void collect_keys(const rules::YamlNode& node, const std::string& prefix, std::set<std::string>& keys) {
  for (const rules::YamlNode* each : node.values) {
    if (node.shape == rules::YamlNode::Shape::sequence) collect_keys(*each, prefix, keys);
  }
  if (node.shape != rules::YamlNode::Shape::mapping) return;
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const std::string key = prefix + node.keys[i]->text;
    keys.insert(key);
    if (key != "source.kafka.properties") collect_keys(*node.values[i], key + ".", keys);
  }
}

TEST(Config, TheExampleHasEveryKeyAndNoOther) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const rules::YamlFile yaml = rules::read_yaml(sources.add("config.yaml", example(true)), sources, diagnostics);
  ASSERT_EQ(diagnostics.errors(), 0u);
  std::set<std::string> in_example;
  collect_keys(*yaml.documents.front(), "", in_example);
  const std::vector<std::string> known = config_keys();
  EXPECT_EQ(in_example, std::set<std::string>(known.begin(), known.end()));
  // All its values will do; only that the sources exclude each other is said.
  const auto everything = read(example(true), {{"KAFKA_PASSWORD", "x"}});
  for (const std::string& error : everything.errors) EXPECT_THAT(error, testing::StartsWith("C003")) << everything.rendered;
  EXPECT_THAT(everything.errors, testing::Not(testing::IsEmpty()));
}

TEST(Config, TheExampleIsValidAndShowsTheDefaults) {
  const auto [shown, errors, rendered] = read(example(false), {{"KAFKA_PASSWORD", "x"}});
  EXPECT_THAT(errors, ElementsAre()) << rendered;
  const auto plain = read("mode: single\nrules: [r]\nsource: {kafka: {bootstrap: broker:9092}}\n").config;
  EXPECT_EQ(shown.kafka.bootstrap, plain.kafka.bootstrap);
  EXPECT_EQ(shown.kafka.group, plain.kafka.group);
  EXPECT_EQ(shown.kafka.start, plain.kafka.start);
  EXPECT_EQ(shown.kafka.connect_timeout_ms, plain.kafka.connect_timeout_ms);
  EXPECT_EQ(shown.kafka.session_timeout_ms, plain.kafka.session_timeout_ms);
  EXPECT_EQ(shown.kafka.transaction_timeout_ms, plain.kafka.transaction_timeout_ms);
  EXPECT_EQ(shown.sink, plain.sink);
  EXPECT_EQ(shown.alerts_topic, plain.alerts_topic);
  EXPECT_EQ(shown.dead_letter_topic, plain.dead_letter_topic);
  EXPECT_EQ(shown.state.path, plain.state.path);
  EXPECT_EQ(shown.state.memory_budget, plain.state.memory_budget);
  EXPECT_EQ(shown.state.sync, plain.state.sync);
  EXPECT_EQ(shown.shards, plain.shards);
  EXPECT_EQ(shown.batch_max_records, plain.batch_max_records);
  EXPECT_EQ(shown.batch_max_wait, plain.batch_max_wait);
  EXPECT_EQ(shown.idle_commit, plain.idle_commit);
  EXPECT_EQ(shown.commit_every, plain.commit_every);
  EXPECT_EQ(shown.give_up_after, plain.give_up_after);
  EXPECT_EQ(shown.max_future_skew, plain.max_future_skew);
  EXPECT_EQ(shown.reload_look_every, plain.reload_look_every);
  EXPECT_EQ(shown.reload_lose_state, plain.reload_lose_state);
  EXPECT_EQ(shown.metrics_listen, plain.metrics_listen);
  EXPECT_EQ(shown.log.level, plain.log.level);
  EXPECT_EQ(shown.log.format, plain.log.format);
  EXPECT_EQ(shown.utc_offset, plain.utc_offset);
  EXPECT_EQ(shown.language, plain.language);
}

TEST(Config, TheEnvironment) {
  const auto unset = read("rules: [\"${NOWHERE}\"]\nsource: {generator: {}}\n");
  ASSERT_EQ(unset.errors.size(), 1u);
  EXPECT_EQ(unset.errors[0], "C002 the environment variable `NOWHERE` is not set");
  EXPECT_THAT(read("rules: [\"a${\"]\nsource: {generator: {}}\n").errors, ElementsAre(HasSubstr("without its `}`")));
  EXPECT_THAT(read("rules: [\"x${A}y${B}$${C}\"]\nsource: {generator: {}}\n", {{"A", "1"}, {"B", "${A}"}}).config.rules,
              ElementsAre("conf/x1y${A}${C}"));
  // What came from the environment is not shown.
  const auto secret = read("rules: [r]\nsource: {generator: {}}\nworkers: ${SECRET}\n", {{"SECRET", "hunter2"}});
  EXPECT_EQ(secret.errors.size(), 1u);
  EXPECT_EQ(secret.rendered.find("hunter2"), std::string::npos) << secret.rendered;
}

TEST(Config, AFileThatIsNotThere) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  read_config("/nonexistent/tillwatch.yaml", std::getenv, sources, diagnostics);
  read_config("/", std::getenv, sources, diagnostics);
  ASSERT_EQ(diagnostics.errors(), 2u);
  EXPECT_EQ(diagnostics.all()[0].message, "`/nonexistent/tillwatch.yaml` cannot be read");
  EXPECT_EQ(diagnostics.all()[1].message, "`/` cannot be read: it is a folder");
}

}  // namespace
}  // namespace tillwatch::engine
