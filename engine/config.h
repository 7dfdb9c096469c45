// The configuration of `tillwatch run`: one YAML file. Every mistake in it is reported at once, each with its place.
// docs/config.yaml shows every key with its default, its range and what it is for; a test holds that it does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/file_source.h"
#include "connectors/generator_source.h"
#include "connectors/kafka_connection.h"
#include "engine/base/log.h"
#include "engine/base/time.h"
#include "engine/terminal.h"
#include "rules/language/diagnostics.h"
#include "state/store.h"

namespace tillwatch::engine {

struct Config {
  enum class Mode : uint8_t { embedded, single, group };
  enum class SourceKind : uint8_t { kafka, files, generator };
  enum class SinkKind : uint8_t { terminal, files, kafka };

  Mode mode = Mode::embedded;
  std::vector<std::string> rules;

  SourceKind source = SourceKind::generator;
  connectors::KafkaOptions kafka;  // all but the topics to read, which the rules know, and the log
  std::vector<connectors::FileInput> files;
  bool follow_files = false;
  connectors::GeneratorSourceOptions generator;

  SinkKind sink = SinkKind::terminal;
  std::string output_path;  // SinkKind::files: the folder
  std::string alerts_topic = "alerts";
  std::string dead_letter_topic = "dead-letter";

  static constexpr uint64_t kMinMemoryBudget = 32 << 20;
  state::StoreOptions state{.path = "tillwatch-state"};  // memory_budget: the store's part
  uint64_t memory_budget = 1 << 30;
  uint16_t shards = 16;
  size_t workers = 1;
  size_t batch_max_records = 20'000;
  DurationMs batch_max_wait = 30;
  DurationMs idle_commit = kSecond;
  DurationMs commit_every = 50;  // not in mode group
  DurationMs give_up_after = 2 * kMinute;
  DurationMs max_future_skew = 5 * kMinute;
  struct Group {
    int replication = -1;                 // of the internal topics where they are created; -1: the broker's default
    int64_t max_backlog = 5'000;          // exchange records waiting; with more no source records are read
    DurationMs trim_every = kMinute;      // how often the exchange forgets what is committed
    DurationMs drain_for = 30 * kSecond;  // at SIGTERM
    DurationMs tombstones_kept = kDay;    // by the changelog; a store that stood still for five sixths of it is read back whole
    DurationMs restore_patience = kMinute;  // for a changelog that ends before the commit the group names
  } group;
  DurationMs reload_look_every = kSecond;  // at the rule files; 0: only at SIGHUP
  bool reload_lose_state = false;
  std::string metrics_listen = "127.0.0.1:9464";  // empty: off
  LogOptions log;
  DurationMs utc_offset = 8 * kHour;
  Language language = Language::en;
};

// The value of an environment variable, null when it is not set: std::getenv outside of tests.
using Environment = std::function<const char*(const char* name)>;

// Reads the file at `path`. What is wrong goes to `diagnostics`; the configuration is usable only when there are no errors.
Config read_config(const std::string& path, const Environment& environment, rules::Sources& sources,
                   rules::Diagnostics& diagnostics);

// The same from a text; `folder` is where relative paths start.
Config read_config_text(const std::string& name, const std::string& text, const std::string& folder,
                        const Environment& environment, rules::Sources& sources, rules::Diagnostics& diagnostics);

// Every key there is, with the sections it is in: "source.kafka.bootstrap".
std::vector<std::string> config_keys();

}  // namespace tillwatch::engine
