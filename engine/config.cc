#include "engine/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "engine/config_section.h"
#include "engine/metrics.h"
#include "rules/language/mapping_reader.h"
#include "rules/language/yaml.h"

namespace tillwatch::engine {
namespace {

using rules::Diagnostic;
using rules::Diagnostics;
using rules::YamlNode;

using Keys = std::initializer_list<std::string_view>;
const Keys kTopKeys = {"mode",  "rules", "source", "sink",    "state", "workers",
                       "batch", "group", "time",   "reload", "metrics", "log",   "display"};
const Keys kSourceKeys = {"kafka", "files", "follow", "generator"};
const Keys kKafkaKeys = {"bootstrap",           "group",     "start", "connect_timeout", "session_timeout",
                         "transaction_timeout", "properties"};
const Keys kFileKeys = {"topic", "path"};
const Keys kGeneratorKeys = {"seed",  "start",   "length",           "events_per_second", "speed", "daily_shape", "merchants",
                             "cards", "issuers", "settlement_delay", "anomalies_per_hour"};
const Keys kAnomalyKeys = {connectors::kDuplicateDebit, connectors::kCodeJump, connectors::kRateChange,
                           connectors::kNotifyUnsent};
const Keys kSinkKeys = {"to", "path", "topics"};
const Keys kTopicKeys = {"alerts", "dead_letters"};
const Keys kStateKeys = {"path", "memory_budget", "sync", "shards"};
const Keys kReloadKeys = {"look_every", "lose_state"};
const Keys kBatchKeys = {"max_records", "max_wait", "idle_commit", "commit_every", "give_up_after"};
const Keys kGroupKeys = {"replication", "max_backlog", "trim_every", "drain_for", "tombstones_kept", "restore_patience"};
const Keys kTimeKeys = {"max_future_skew"};
const Keys kMetricsKeys = {"listen"};
const Keys kLogKeys = {"level", "format"};
const Keys kDisplayKeys = {"utc_offset", "language"};

const struct {
  std::string_view section;
  Keys keys;
} kSections[] = {{"", kTopKeys},
                 {"source.", kSourceKeys},
                 {"source.kafka.", kKafkaKeys},
                 {"source.files.", kFileKeys},
                 {"source.generator.", kGeneratorKeys},
                 {"source.generator.anomalies_per_hour.", kAnomalyKeys},
                 {"sink.", kSinkKeys},
                 {"sink.topics.", kTopicKeys},
                 {"state.", kStateKeys},
                 {"batch.", kBatchKeys},
                 {"group.", kGroupKeys},
                 {"reload.", kReloadKeys},
                 {"time.", kTimeKeys},
                 {"metrics.", kMetricsKeys},
                 {"log.", kLogKeys},
                 {"display.", kDisplayKeys}};

class ConfigReader {
 public:
  ConfigReader(const YamlNode& node, std::string folder, Diagnostics& diagnostics)
      : diagnostics_(diagnostics), folder_(std::move(folder)), top_(node, "", kTopKeys, diagnostics) {}

  Config read() {
    config_.workers = std::max(1U, std::thread::hardware_concurrency());
    read_mode();
    read_rules();
    read_source();
    read_sink();
    read_state();
    top_.whole<size_t>("workers", 1, 256, config_.workers);
    config_.workers = std::min<size_t>(config_.workers, config_.shards);
    read_pace();
    read_reload();
    read_views();
    check_mode();
    check_patience();
    return std::move(config_);
  }

 private:
  std::string placed(const std::string& path) const {
    return path == "-" || folder_.empty() ? path : (std::filesystem::path(folder_) / path).lexically_normal().string();
  }
  Diagnostic& contradiction(std::string message, rules::Span span) {
    return diagnostics_.error(kContradiction, std::move(message), span);
  }

  void read_mode() {
    using enum Config::Mode;
    top_.choice<Config::Mode>("mode", {{"embedded", embedded}, {"single", single}, {"group", group}}, config_.mode);
  }

  void read_rules() {
    const YamlNode* const node = top_.reader().need("rules", "write the files or folders: `rules: [rules/packs/payments]`");
    if (node == nullptr || !rules::expect_sequence(*node, "`rules`", diagnostics_)) return;
    if (node->values.empty()) diagnostics_.error(kBadValue, "`rules` names no file or folder", node->span);
    for (const YamlNode* path : node->values) {
      if (rules::expect_scalar(*path, "a path in `rules`", diagnostics_)) config_.rules.push_back(placed(path->text));
    }
  }

  void read_source() {
    const YamlNode* const node = top_.reader().need("source", "write one of `kafka`, `files` and `generator` under it");
    if (node == nullptr) return;
    const Section section(*node, "source", kSourceKeys, diagnostics_);
    source_ = &section.reader().node();
    int kinds = 0;
    if (const YamlNode* kafka = section.get("kafka")) ++kinds, read_kafka(*kafka);
    if (const YamlNode* files = section.get("files")) ++kinds, read_files(*files);
    if (const YamlNode* generator = section.get("generator")) ++kinds, read_generator(*generator);
    if (kinds != 1 && section.reader().is_mapping()) {
      contradiction("`source` needs exactly one of `kafka`, `files` and `generator`", section.reader().place());
    }
    section.boolean("follow", config_.follow_files);
    if (section.get("follow") != nullptr && config_.source != Config::SourceKind::files) {
      contradiction("`source.follow` is for `files`", section.get("follow")->span);
    }
  }

  void read_kafka(const YamlNode& node) {
    config_.source = Config::SourceKind::kafka;
    connectors::KafkaOptions& kafka = config_.kafka;
    using Start = connectors::KafkaOptions::Start;
    const Section section(node, "kafka", kKafkaKeys, diagnostics_);
    if (const YamlNode* bootstrap = section.reader().need_scalar("bootstrap", "such as `bootstrap: broker:9092`")) {
      kafka.bootstrap = bootstrap->text;
    }
    kafka.group = "tillwatch";
    section.text("group", kafka.group);
    kafka.transactional_id = kafka.group;
    kafka.group_instance_id = kafka.group;
    // Single: longer than the runner waits for a broker: a static member that rejoins after its session has run out may be
    // fenced by its own former self. Nobody waits for this: a successor has the same instance id and is given the partitions
    // at once. In a group the others wait for it.
    DurationMs session = config_.mode == Config::Mode::group ? 10 * kSecond : 3 * kMinute;
    DurationMs connect = kafka.connect_timeout_ms, transaction = kafka.transaction_timeout_ms;
    section.duration("connect_timeout", 100, 10 * kMinute, connect);
    section.duration("session_timeout", 6 * kSecond, 30 * kMinute, session);
    section.duration("transaction_timeout", kSecond, 10 * kSecond, transaction);
    kafka.connect_timeout_ms = static_cast<int>(connect);
    kafka.session_timeout_ms = static_cast<int>(session);
    kafka.transaction_timeout_ms = static_cast<int>(transaction);
    section.choice<Start>("start", {{"earliest", Start::earliest}, {"latest", Start::latest}}, kafka.start);
    const YamlNode* const properties = section.get("properties");
    if (properties == nullptr || !rules::expect_mapping(*properties, "`kafka.properties`", diagnostics_)) return;
    for (size_t i = 0; i < properties->keys.size(); ++i) {
      const YamlNode& value = *properties->values[i];
      if (rules::expect_scalar(value, "`kafka.properties`", diagnostics_))
        kafka.overrides[properties->keys[i]->text] = value.text;
    }
  }

  void read_files(const YamlNode& node) {
    config_.source = Config::SourceKind::files;
    if (!rules::expect_sequence(node, "`source.files`", diagnostics_)) return;
    if (node.values.empty()) diagnostics_.error(kBadValue, "`source.files` names no file", node.span);
    for (const YamlNode* each : node.values) {
      const Section section(*each, "files", kFileKeys, diagnostics_);
      const YamlNode* const topic = section.reader().need_scalar("topic", "the topic of the schema that the records are of");
      const YamlNode* const path = section.reader().need_scalar("path", "an NDJSON file, or `-` for standard input");
      if (topic != nullptr && path != nullptr) config_.files.push_back({topic->text, placed(path->text)});
    }
  }

  void read_generator(const YamlNode& node) {
    constexpr DurationMs kLongest = 400 * kDay;
    config_.source = Config::SourceKind::generator;
    connectors::GeneratorOptions& traffic = config_.generator.traffic;
    const Section section(node, "generator", kGeneratorKeys, diagnostics_);
    section.whole<uint64_t>("seed", 0, UINT64_MAX, traffic.seed);
    section.read("start", "a time with offset, such as \"2026-11-22T00:00:00+08:00\"", traffic.start,
                 [](const std::string& text) { return parse_rfc3339(text); });
    section.duration("length", kMinute, kLongest, traffic.length);
    section.number("events_per_second", 1e6, traffic.events_per_second);
    section.number("speed", 1e6, config_.generator.speed);
    section.boolean("daily_shape", traffic.daily_shape);
    section.whole("merchants", 1, 1'000'000, traffic.merchants);
    section.whole("cards", 1, 100'000'000, traffic.cards);
    section.whole("issuers", 1, 1000, traffic.issuers);
    if (section.get("settlement_delay") != nullptr) {
      section.duration("settlement_delay", 0, kLongest, traffic.settlement_delay.emplace());
    }
    if (const YamlNode* anomalies = section.get("anomalies_per_hour")) read_anomalies(*anomalies, traffic);
    if (diagnostics_.errors() > 0) return;  // what it would say may follow from a mistake reported already
    if (const Status checked = connectors::check_generator_options(traffic); !checked) {
      diagnostics_.error(kBadValue, "`generator`: " + checked.error().message, section.reader().place());
    }
  }

  void read_anomalies(const YamlNode& node, connectors::GeneratorOptions& traffic) {
    const Section section(node, "anomalies_per_hour", kAnomalyKeys, diagnostics_);
    for (const YamlNode* key : node.keys) section.number(key->text, 1e6, traffic.anomalies_per_hour[key->text]);
  }

  void read_sink() {
    config_.sink = config_.mode == Config::Mode::embedded ? Config::SinkKind::terminal : Config::SinkKind::kafka;
    if (const YamlNode* node = top_.get("sink")) {
      using enum Config::SinkKind;
      const Section section(*node, "sink", kSinkKeys, diagnostics_);
      section.choice<Config::SinkKind>("to", {{"terminal", terminal}, {"files", files}, {"kafka", kafka}}, config_.sink);
      sink_ = section.get("to");
      section.text("path", config_.output_path);
      config_.output_path = config_.output_path.empty() ? "" : placed(config_.output_path);
      const bool has_path = section.get("path") != nullptr;
      if (has_path != (config_.sink == files)) {
        contradiction(has_path ? "`sink.path` is for `to: files`" : "`sink` needs `path`, the folder for `to: files`",
                      has_path ? section.get("path")->span : section.reader().place());
      }
      if (const YamlNode* topics = section.get("topics")) read_topics(*topics);
    }
    config_.kafka.output_topics = {config_.alerts_topic, config_.dead_letter_topic};
  }

  void read_topics(const YamlNode& node) {
    const Section section(node, "topics", kTopicKeys, diagnostics_);
    section.text("alerts", config_.alerts_topic);
    section.text("dead_letters", config_.dead_letter_topic);
    if (config_.alerts_topic == config_.dead_letter_topic) {
      contradiction("alerts and dead letters need topics of their own", section.reader().place());
    }
  }

  void read_state() {
    if (const YamlNode* node = top_.get("state")) {
      const Section section(*node, "state", kStateKeys, diagnostics_);
      section.text("path", config_.state.path);
      section.read("memory_budget",
                   fmt::format("a size of {} MB or more, such as 512MB or 4GB", Config::kMinMemoryBudget >> 20),
                   config_.memory_budget, [](const std::string& text) {
                     const std::optional<uint64_t> size = parse_size(text);
                     return size && *size >= Config::kMinMemoryBudget ? size : std::nullopt;
                   });
      section.boolean("sync", config_.state.sync);
      section.whole<uint16_t>("shards", 1, 1024, config_.shards);
    }
    config_.state.memory_budget = config_.memory_budget / 4;
    config_.state.path = placed(config_.state.path);
  }

  void read_pace() {
    if (const YamlNode* node = top_.get("batch")) {
      const Section section(*node, "batch", kBatchKeys, diagnostics_);
      section.whole<size_t>("max_records", 1, 1'000'000, config_.batch_max_records);
      section.duration("max_wait", 1, 10 * kSecond, config_.batch_max_wait);
      section.duration("idle_commit", 10, kHour, config_.idle_commit);
      section.duration("commit_every", 0, 10 * kSecond, config_.commit_every);
      section.duration("give_up_after", kSecond, kDay, config_.give_up_after);
      give_up_ = section.get("give_up_after");
    }
    if (const YamlNode* node = top_.get("group")) {
      const Section section(*node, "group", kGroupKeys, diagnostics_);
      section.whole("replication", -1, 99, config_.group.replication);
      section.whole<int64_t>("max_backlog", 1, 1'000'000'000, config_.group.max_backlog);
      section.duration("trim_every", kSecond, kDay, config_.group.trim_every);
      section.duration("drain_for", 0, kHour, config_.group.drain_for);
      section.duration("tombstones_kept", kHour, 365 * kDay, config_.group.tombstones_kept);
      section.duration("restore_patience", kSecond, kHour, config_.group.restore_patience);
    }
    if (const YamlNode* node = top_.get("time")) {
      const Section section(*node, "time", kTimeKeys, diagnostics_);
      section.duration("max_future_skew", 0, kDay, config_.max_future_skew);
    }
  }

  void read_reload() {
    const YamlNode* node = top_.get("reload");
    if (node == nullptr) return;
    const Section section(*node, "reload", kReloadKeys, diagnostics_);
    section.duration("look_every", 0, kDay, config_.reload_look_every);
    section.boolean("lose_state", config_.reload_lose_state);
  }

  void read_views() {
    if (const YamlNode* node = top_.get("metrics")) read_metrics(*node);
    if (const YamlNode* node = top_.get("log")) {
      const Section section(*node, "log", kLogKeys, diagnostics_);
      section.read("level", "`debug`, `info`, `warning` or `error`", config_.log.level, find_log_level);
      section.read("format", "`text` or `json`", config_.log.format, find_log_format);
    }
    if (const YamlNode* node = top_.get("display")) {
      const Section section(*node, "display", kDisplayKeys, diagnostics_);
      section.read("utc_offset", "an offset such as \"+08:00\" or Z", config_.utc_offset, parse_utc_offset);
      section.read("language", "`en` or `zh`", config_.language, find_language);
    }
  }

  void read_metrics(const YamlNode& node) {
    if (node.shape == YamlNode::Shape::scalar && node.text == "off") {
      config_.metrics_listen.clear();
      return;
    }
    const Section section(node, "metrics", kMetricsKeys, diagnostics_);
    section.text("listen", config_.metrics_listen);
    if (config_.metrics_listen == "off") config_.metrics_listen.clear();
    if (config_.metrics_listen.empty() || check_listen_address(config_.metrics_listen)) return;
    section.wrong(*section.get("listen"), "listen", "an IP address and a port, such as 127.0.0.1:9464, or `off`");
  }

  // With a broker positions, alerts and state are one Kafka transaction; without Kafka there is none to take part in.
  void check_mode() {
    if (source_ == nullptr) return;
    const bool is_kafka = config_.source == Config::SourceKind::kafka;
    if (config_.mode != Config::Mode::embedded && !is_kafka) {
      const char* const mode = config_.mode == Config::Mode::single ? "single" : "group";
      contradiction(fmt::format("mode `{}` reads from Kafka", mode), source_->span)
          .helps.push_back("for files and the generator write `mode: embedded`");
    }
    if (config_.mode == Config::Mode::embedded && is_kafka) {
      contradiction("mode `embedded` has no broker", source_->span)
          .helps.push_back("to read from Kafka write `mode: single` or `mode: group`");
    }
    if (sink_ == nullptr || (config_.sink == Config::SinkKind::kafka) == is_kafka) return;
    contradiction(
        is_kafka ? "what is read from Kafka goes to the same Kafka, in the same transaction" : "there is no Kafka to write to",
        sink_->span)
        .helps.push_back(is_kafka ? "write `to: kafka`, or leave it out" : "write `to: terminal` or `to: files`");
  }

  // A static member that comes back after its session has run out may be fenced by its own former self.
  void check_patience() {
    if (source_ == nullptr || config_.source != Config::SourceKind::kafka || config_.mode == Config::Mode::group) return;
    if (config_.give_up_after < config_.kafka.session_timeout_ms) return;
    contradiction(fmt::format("`batch.give_up_after` ({}) must be shorter than `kafka.session_timeout` ({})",
                              format_duration(config_.give_up_after), format_duration(config_.kafka.session_timeout_ms)),
                  give_up_ != nullptr ? give_up_->span : source_->span)
        .helps.push_back("write a longer `session_timeout` under `source.kafka`, at most 30m, or a shorter `give_up_after`");
  }

  Diagnostics& diagnostics_;
  std::string folder_;
  Section top_;
  Config config_;
  const YamlNode* source_ = nullptr;
  const YamlNode* sink_ = nullptr;
  const YamlNode* give_up_ = nullptr;
};

}  // namespace

std::vector<std::string> config_keys() {
  std::vector<std::string> names;
  for (const auto& [section, keys] : kSections) {
    for (const std::string_view key : keys) names.push_back(fmt::format("{}{}", section, key));
  }
  return names;
}

Config read_config_text(const std::string& name, const std::string& text, const std::string& folder,
                        const Environment& environment, rules::Sources& sources, rules::Diagnostics& diagnostics) {
  const int32_t file = sources.add(name, text);
  rules::YamlFile yaml = rules::read_yaml(file, sources, diagnostics);
  if (diagnostics.errors() > 0) return {};
  if (yaml.documents.size() != 1) {
    diagnostics.error(kBadValue, yaml.documents.empty() ? "the configuration is empty" : "the configuration is one document",
                      yaml.documents.empty() ? rules::Span{file, 1, 1, 1} : yaml.documents[1]->span);
    return {};
  }
  substitute_environment(yaml, environment, diagnostics);
  return ConfigReader(*yaml.documents.front(), folder, diagnostics).read();
}

Config read_config(const std::string& path, const Environment& environment, rules::Sources& sources,
                   rules::Diagnostics& diagnostics) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (is_folder || !file || (file.peek() != EOF && !(text << file.rdbuf()))) {
    diagnostics.error(kNoFile, fmt::format("`{}` cannot be read{}", path, is_folder ? ": it is a folder" : ""), {})
        .helps.push_back("give the path of a configuration file: tillwatch run --config tillwatch.yaml");
    return {};
  }
  Config config =
      read_config_text(path, text.str(), std::filesystem::path(path).parent_path().string(), environment, sources, diagnostics);
  for (const std::string& rules : config.rules) {
    if (std::filesystem::exists(rules, error)) continue;
    diagnostics.error(kBadValue, fmt::format("`rules` in {} names `{}`, which is not there", path, rules), {})
        .helps.push_back("paths are relative to the folder of the configuration; correct it, or write the whole path");
  }
  return config;
}

}  // namespace tillwatch::engine
