#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <set>

#include "connectors/discard_sink.h"
#include "connectors/file_sink.h"
#include "connectors/file_source.h"
#include "connectors/generator_source.h"
#include "connectors/kafka_connection.h"
#include "engine/alert_lines.h"
#include "engine/base/log.h"
#include "engine/base/words.h"
#include "engine/commands.h"
#include "engine/config.h"
#include "engine/crash_point.h"
#include "engine/group_run.h"
#include "engine/observer.h"
#include "engine/rule_bundle.h"
#include "engine/rule_reload.h"
#include "engine/runner.h"
#include "engine/scratch_folder.h"
#include "engine/terminal.h"
#include "rules/language/names.h"

namespace tillwatch::engine {
namespace {

std::atomic<bool> asked_to_stop{false};
void stop(int) { asked_to_stop = true; }
std::atomic<bool> asked_to_reload{false};
void reload(int) { asked_to_reload = true; }

// Where records come from and go to; Kafka is both.
struct Ends {
  std::unique_ptr<connectors::KafkaLink> kafka;
  std::unique_ptr<connectors::Source> own_source;
  std::unique_ptr<connectors::Sink> own_sink;
  connectors::Source& source() { return kafka ? kafka->source() : *own_source; }
  connectors::Sink& sink() { return kafka ? kafka->sink() : *own_sink; }
};

Expected<std::vector<connectors::FileInput>> parse_files(const std::vector<std::string>& arguments) {
  std::vector<connectors::FileInput> files;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(ErrorKind::invalid, "--file " + argument + ": write TOPIC=PATH, as in pos.transactions=transactions.ndjson");
    }
    files.push_back({argument.substr(0, equals), argument.substr(equals + 1)});
  }
  return files;
}

// What the schema has topics for, read by a rule or not.
std::vector<std::string> topics_of(const rules::Schema& schema) {
  std::set<std::string> topics;
  for (const rules::Stream& stream : schema.streams) topics.insert(stream.topic);
  for (const rules::Table& table : schema.tables) topics.insert(table.topic);
  topics.erase("");
  return {topics.begin(), topics.end()};
}

// A mistyped topic would be read to its end and nothing said of it.
Status check_topics(const std::vector<connectors::FileInput>& files, const rules::Schema& schema) {
  const std::vector<std::string> known = topics_of(schema);
  for (const connectors::FileInput& file : files) {
    if (std::ranges::find(known, file.topic) != known.end()) continue;
    const std::string near = rules::closest(file.topic, known);
    return fail(ErrorKind::invalid, fmt::format("{}: the rules' schema has no topic '{}'{}; it has {}", file.path, file.topic,
                                                near.empty() ? "" : "; did you mean " + near + "?", fmt::join(known, ", ")));
  }
  return {};
}

class EngineRun {
 public:
  EngineRun(const RunCommand& command, Config config, bool lasting)
      : command_(command), config_(std::move(config)), lasting_(lasting), log_(config_.log) {}

  // The exit code.
  int run() {
    RuleBundleReport report;
    report.colour = isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    bundle_ = load_rule_bundle(config_.rules, false, std::cerr, report);
    if (!bundle_) return 1;
    if (const Status known = check_topics(config_.files, bundle_->source.schema); !known) {
      std::cerr << "tillwatch: " << known.error().message << "\n";
      return command_.files.empty() ? 1 : 2;
    }
    const Status status = work();
    if (status) return 0;
    log_.error("{}", status.error().message);
    return 1;
  }

 private:
  Status work() {
    RunnerOptions options;
    options.pipeline.shards = config_.shards;
    options.pipeline.workers = config_.workers;
    options.pipeline.state_bytes = config_.memory_budget - config_.state.memory_budget;
    options.pipeline.decode.max_future_skew = config_.max_future_skew;
    if (const char* const key = std::getenv("TILLWATCH_TOKEN_KEY")) options.pipeline.decode.card_key = key;
    options.max_records = config_.batch_max_records;
    options.max_wait = std::chrono::milliseconds(config_.batch_max_wait);
    options.idle_commit = std::chrono::milliseconds(config_.idle_commit);
    options.commit_every = std::chrono::milliseconds(config_.commit_every);
    options.give_up_after = std::chrono::milliseconds(config_.give_up_after);
    options.alerts_topic = config_.alerts_topic;
    options.dead_letter_topic = config_.dead_letter_topic;
    if (config_.source == Config::SourceKind::kafka) options.group = config_.kafka.group;
    options.run_on = static_cast<DurationMs>(command_.run_on_minutes * kMinute);

    state::StoreOptions state = config_.state;
    if (!lasting_) {
      state.path = scratch_.path();
      state.sync = false;
    }
    if (state.path.empty())
      return fail(ErrorKind::unavailable, "cannot make a folder for the state in the temporary folder (TMPDIR)");
    auto store = state::open_rocksdb_store(state);
    if (!store) return std::unexpected(store.error());
    if (config_.mode == Config::Mode::group) return run_group(config_, bundle_, **store, log_, asked_to_stop);
    Ends ends;
    if (const Status opened = open(ends); !opened) {
      if (!asked_to_stop || opened.error().kind != ErrorKind::unavailable) return opened;
      log_.info("stopped: {}", opened.error().message);
      return {};
    }

    Runner runner(bundle_, options, ends.source(), ends.sink(), **store);
    if (crash_point_.armed()) runner.set_fault([this](std::string_view step) { crash_point_.reached(step); });
    runner.set_log([this](const std::string& text) { log_.info("{}", text); });
    Observer observer([&runner](MetricsSnapshot& snapshot) { gather(runner, snapshot); });
    if (const Status exposed = observer.expose(config_.metrics_listen); !exposed) return exposed;
    if (!observer.address().empty()) log_.info("metrics at http://{}/metrics", observer.address());
    Terminal terminal(std::cout, terminal_options(STDOUT_FILENO, config_.language, config_.utc_offset));
    AlertLines lines(config_.language);
    uint64_t dead_letters = 0, said = 0;
    runner.watch([&](const CommitReport& report) {
      observer.note({&report.outcome->alerts, report.records, report.commit});
      dead_letters += report.outcome->dead_letters.size();
      said += report.outcome->alerts.size();
      if (!for_people_) return;
      for (const AlertRecord& alert : report.outcome->alerts) lines.add(alert);
      lines.write(kAfterAllTime, terminal);
      terminal.progress({observer.events_per_second(), std::nullopt, 0, std::nullopt});
    });
    const bool is_new = (*store)->applied() == 0 && !(*store)->prepared();
    Status status = runner.recover();
    if (!status) return status;
    log_.info("{}, {}, {}, {}going on after commit {}", counted(bundle_->rules.size(), "rule"), counted(config_.shards, "shard"),
              counted(config_.workers, "worker"), is_new ? "a new store, " : "", runner.commits());
    RuleReload reloads({.paths = config_.rules,
                        .look_every = std::chrono::milliseconds(config_.reload_look_every),
                        .lose_state = config_.reload_lose_state},
                       runner, bundle_);
    reloads.set_log([this](const std::string& text) { log_.info("{}", text); });
    if (lasting_) {
      runner.between_batches([&] {
        const Status looked = reloads.look(asked_to_reload.exchange(false));
        observer.count_reloads(reloads.accepted(), reloads.rejected());
        return looked;
      });
    }
    status = runner.run(asked_to_stop);
    if (!status) return status;
    say_end({observer.records(), said, dead_letters, runner.commits()});
    return {};
  }

  struct End {
    uint64_t records = 0, said = 0, dead_letters = 0, commits = 0;
  };
  void say_end(const End& end) {
    const bool stopped = asked_to_stop;
    if (!lasting_ && config_.language == Language::zh) {
      std::cerr << fmt::format("{}：读取 {} 条记录，发布告警消息 {} 条，死信 {} 条，提交 {} 次\n",
                               stopped ? "已停止" : "已完成", end.records, end.said, end.dead_letters, end.commits);
      return;
    }
    const std::string summary =
        fmt::format("{}: {} read, {} about alerts, {}, {}", stopped ? "stopped" : "finished", counted(end.records, "record"),
                    counted(end.said, "message"), counted(end.dead_letters, "dead letter"), counted(end.commits, "commit"));
    if (lasting_) {
      log_.info("{}", summary);
    } else {
      std::cerr << summary << "\n";
    }
  }

  Status open(Ends& ends) {
    const Pipeline topics(bundle_, {}, nullptr);
    if (config_.source == Config::SourceKind::kafka) {
      connectors::KafkaOptions kafka = config_.kafka;
      kafka.topics = topics.stream_topics();
      kafka.topics.insert(kafka.topics.end(), topics.table_topics().begin(), topics.table_topics().end());
      kafka.whole_topics = topics.table_topics();
      if (crash_point_.armed()) {
        kafka.observe_step = [this](connectors::CommitStep step) { crash_point_.reached(CrashPoint::name(step)); };
      }
      kafka.output_topics = {config_.alerts_topic, config_.dead_letter_topic};
      kafka.log = [this](int level, const std::string& text) {
        if (level <= 3) {
          log_.warning("kafka: {}", text);
        } else {
          log_.info("kafka: {}", text);
        }
      };
      kafka.stop_waiting = [] { return asked_to_stop.load(); };
      log_.info("connecting to Kafka at {}", kafka.bootstrap);
      auto link = connectors::open_kafka(kafka);
      if (!link) return std::unexpected(link.error());
      ends.kafka = std::move(*link);
      return {};
    }
    if (config_.source == Config::SourceKind::files) {
      auto source = connectors::open_file_source(config_.files, {.follow = config_.follow_files});
      if (!source) return std::unexpected(source.error());
      ends.own_source = std::move(*source);
    } else {
      ends.own_source = std::make_unique<connectors::GeneratorSource>(config_.generator);
    }
    for_people_ = config_.sink == Config::SinkKind::terminal && isatty(STDOUT_FILENO) == 1;
    if (for_people_) {
      ends.own_sink = std::make_unique<connectors::DiscardSink>();
      return {};
    }
    connectors::FileSinkOptions sink;
    if (config_.sink == Config::SinkKind::files) {
      sink.layout = connectors::FileSinkOptions::Layout::file_per_topic;
      sink.path = config_.output_path;
      sink.topics = {config_.alerts_topic, config_.dead_letter_topic};
      sink.sync = config_.state.sync;
    } else {
      sink.path = "-";
    }
    auto opened = connectors::open_file_sink(sink);
    if (!opened) return std::unexpected(opened.error());
    ends.own_sink = std::move(*opened);
    return {};
  }

  const RunCommand& command_;
  const Config config_;
  const bool lasting_;  // the state outlives the run
  Log log_;
  ScratchFolder scratch_;
  CrashPoint crash_point_ = CrashPoint::from_environment();
  std::shared_ptr<const rules::CompiledBundle> bundle_;
  bool for_people_ = false;
};

}  // namespace

int run_engine(const RunCommand& command) {
  const auto files = parse_files(command.files);
  if (!files) {
    std::cerr << "tillwatch: " << files.error().message << "\n";
    return 2;
  }
  Config config;
  if (!command.config.empty() && !command.rules.empty()) {
    std::cerr << "tillwatch: the configuration names the rules (`rules:`); PATH " << command.rules.front()
              << " is for --file without --config\n";
    return 2;
  }
  if (!command.config.empty()) {
    rules::Sources sources;
    rules::Diagnostics diagnostics;
    config =
        read_config(command.config, [](const char* name) -> const char* { return std::getenv(name); }, sources, diagnostics);
    const bool colour = isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    for (const rules::Diagnostic& each : diagnostics.all()) std::cerr << rules::render(each, sources, colour) << "\n";
    if (diagnostics.errors() > 0) return 1;
  } else if (files->empty()) {
    std::cerr << "tillwatch: run needs --config FILE, or --file TOPIC=PATH for a first look; `tillwatch demo` needs nothing\n";
    return 2;
  } else {
    config.rules = command.rules;
    config.metrics_listen.clear();
    config.log.level = LogLevel::warning;
  }
  if (!files->empty()) {
    config.mode = Config::Mode::embedded;
    config.source = Config::SourceKind::files;
    config.files = *files;
    if (config.sink == Config::SinkKind::kafka) config.sink = Config::SinkKind::terminal;
  }
  if (!command.language.empty()) config.language = find_language(command.language).value_or(Language::en);
  if (!command.output.empty()) {
    config.sink = Config::SinkKind::files;
    config.output_path = command.output;
  }
  std::signal(SIGINT, stop);
  std::signal(SIGTERM, stop);
  std::signal(SIGPIPE, SIG_IGN);
  if (!command.config.empty()) std::signal(SIGHUP, reload);
  return EngineRun(command, std::move(config), !command.config.empty()).run();
}

}  // namespace tillwatch::engine
