#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>

#include "connectors/discard_sink.h"
#include "connectors/generator_source.h"
#include "engine/alert_lines.h"
#include "engine/commands.h"
#include "engine/demo.h"
#include "engine/demo_words.h"
#include "engine/observer.h"
#include "engine/rule_bundle.h"
#include "engine/runner.h"
#include "engine/scratch_folder.h"
#include "engine/terminal.h"

namespace tillwatch::engine {
namespace {

std::atomic<bool> interrupted{false};
void interrupt(int) { interrupted = true; }

constexpr DurationMs kRunOn = 15 * kMinute;
constexpr size_t kStateBytes = size_t{3} << 30;  // of some eight hours at the usual density; of more the rest is in the store

connectors::GeneratorOptions traffic_of(const DemoCommand& command, uint64_t seed) {
  const TimeMs lunch = connectors::GeneratorOptions{}.start + 12 * kHour;
  connectors::GeneratorOptions traffic = connectors::demo_traffic(
      seed, lunch, static_cast<DurationMs>(command.minutes * kMinute), command.events_per_second, command.anomalies_per_hour);
  if (command.calendar) {
    traffic.daily_shape = true;
    traffic.settlement_delay.reset();
  }
  traffic.redelivery_share = command.faults.redelivered;
  traffic.disorder_share = command.faults.disordered;
  traffic.late_share = command.faults.late;
  return traffic;
}

// Rules that may raise an alert: the others only emit.
std::vector<std::string> speaking_rules(const rules::CompiledBundle& bundle) {
  std::vector<std::string> names;
  for (const auto& rule : bundle.rules) {
    if (!rule->source->message_en.empty() || !rule->source->message_zh.empty()) names.push_back(rule->name);
  }
  return names;
}

// Lines are held back so long, that time goes on from line to line: what counts messages that ten minutes brought no
// transaction is said that late. At a pace they are held back for three seconds at most, and a few lines come after later ones.
DurationMs held_back(double speed) {
  constexpr DurationMs kOfTraffic = 12 * kMinute, kOfWaiting = 3 * kSecond;
  return speed > 0 ? std::min(kOfTraffic, static_cast<DurationMs>(static_cast<double>(kOfWaiting) * speed)) : kOfTraffic;
}

class Stretch {
 public:
  Stretch(const DemoCommand& command, uint64_t seed, std::shared_ptr<const rules::CompiledBundle> bundle, Terminal& terminal)
      : command_(command),
        seed_(seed),
        language_(find_language(command.language).value_or(Language::en)),
        words_(language_),
        bundle_(std::move(bundle)),
        terminal_(terminal),
        source_({traffic_of(command, seed), command.speed}) {}

  // True when nothing was missed and nothing false.
  Expected<bool> run() {
    ScratchFolder folder;
    if (folder.path().empty())
      return fail(ErrorKind::unavailable, "cannot make a folder for the state in the temporary folder (TMPDIR)");
    AlertLines lines(language_);
    for (int run = 0; run <= command_.restarts && !interrupted; ++run) {
      const Status status = run_until(run, folder.path(), lines);
      if (!status) return std::unexpected(status.error());
    }
    card_.reach(interrupted ? source_.traffic_time() : source_.traffic_time() + kRunOn);
    lines.write(kAfterAllTime, terminal_);
    if (interrupted) terminal_.say(words_.interrupted());
    terminal_.say("");
    terminal_.say(words_.summary(seed_, records_, length(), commits_));
    return tell_score() || interrupted;
  }

 private:
  // To the next restart, or to the end after the last one.
  Status run_until(int run, const std::string& folder, AlertLines& lines) {
    auto store = state::open_rocksdb_store({.path = folder, .memory_budget = 64 << 20, .sync = false});
    if (!store) return std::unexpected(store.error());
    connectors::DiscardSink sink;
    RunnerOptions options;
    options.run_on = kRunOn;
    options.max_records = command_.restarts > 0 ? 200 : 2000;  // a restart comes between two batches
    options.commit_every = std::chrono::milliseconds(50);
    options.pipeline.state_bytes = kStateBytes;
    Runner runner(bundle_, options, source_, sink, **store);
    Observer observer([&runner](MetricsSnapshot& snapshot) { gather(runner, snapshot); });
    const Status exposed = observer.expose(command_.metrics);
    if (!exposed) return exposed;
    if (!observer.address().empty()) terminal_.say(words_.metrics_at(observer.address()));
    const bool last = run == command_.restarts;
    const TimeMs restart_at =
        last ? kAfterAllTime : traffic_of(command_, seed_).start + length() * (run + 1) / (command_.restarts + 1);
    std::atomic<bool> stop{false};
    runner.watch([&](const CommitReport& report) {
      for (const AlertRecord& alert : report.outcome->alerts) {
        card_.note(alert);
        if (!command_.quiet) lines.add(alert);
      }
      lines.write(source_.traffic_time() - held_back(command_.speed), terminal_);
      observer.note({&report.outcome->alerts, report.records, report.commit});
      show_progress(observer.events_per_second());
      if (source_.traffic_time() >= restart_at) stop = true;
    });
    Status status = runner.recover();
    if (status) status = runner.run(last ? interrupted : stop);
    records_ += observer.records();
    commits_ += runner.commits();
    if (status && !last) terminal_.say(words_.restarted(source_.traffic_time()));
    return status;
  }

  DurationMs length() const { return static_cast<DurationMs>(command_.minutes * kMinute); }

  void show_progress(double events_per_second) {
    const double done =
        static_cast<double>(source_.traffic_time() - traffic_of(command_, seed_).start) / static_cast<double>(length());
    terminal_.progress({events_per_second, source_.traffic_time(), card_.standing(), std::clamp(done, 0.0, 1.0)});
  }

  bool tell_score() {
    const std::vector<std::string> speaking = speaking_rules(*bundle_);
    std::vector<connectors::Injected> truth;  // of the rules that run
    const auto take = [&](const std::vector<connectors::Injected>& all) {
      for (const connectors::Injected& each : all) {
        if (std::ranges::find(speaking, each.rule) != speaking.end()) truth.push_back(each);
      }
    };
    take(source_.truth());
    take(source_.implied());
    const Judgement judgement = judge(card_, truth, speaking);
    terminal_.scorecard(judgement.rows);
    if (!judgement.silent.empty()) terminal_.say(words_.rightly_silent(judgement.silent));
    uint64_t silent = 0;
    for (const auto& [rule, alerts] : judgement.not_judged) {
      if (alerts == 0)
        ++silent;
      else
        terminal_.say(words_.not_judged(rule, alerts));
    }
    if (silent > 0) terminal_.say(words_.silent(silent));
    if (interrupted) return true;
    for (const std::string& line : card_.differences(truth, language_)) terminal_.say(line);
    terminal_.say(words_.verdict(judgement.missed, judgement.false_alerts, judgement.wrong));
    return judgement.missed + judgement.false_alerts + judgement.wrong == 0;
  }

  const DemoCommand& command_;
  const uint64_t seed_;
  const Language language_;
  const DemoWords words_;
  std::shared_ptr<const rules::CompiledBundle> bundle_;
  Terminal& terminal_;
  connectors::GeneratorSource source_;
  Scorecard card_;
  uint64_t records_ = 0, commits_ = 0;
};

}  // namespace

int run_demo(const DemoCommand& command) {
  RuleBundleReport report;
  const auto bundle = load_rule_bundle(command.rules, false, std::cerr, report);
  if (!bundle) return 1;
  std::signal(SIGINT, interrupt);
  std::signal(SIGTERM, interrupt);
  const Language language = find_language(command.language).value_or(Language::en);
  Terminal terminal(std::cout, terminal_options(STDOUT_FILENO, language, 8 * kHour));
  terminal.say(DemoWords(language).introduction(command));
  bool clean = true;
  for (uint64_t seed = command.seed;; ++seed) {
    const auto result = Stretch(command, seed, bundle, terminal).run();
    if (!result) {
      std::cerr << "tillwatch: " << result.error().message << "\n";
      return 1;
    }
    clean = clean && *result;
    if (!command.keep_going || interrupted) break;
  }
  return clean ? 0 : 1;
}

}  // namespace tillwatch::engine
