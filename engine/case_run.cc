#include "engine/case_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "engine/pipeline.h"

namespace tillwatch::engine {
namespace {

constexpr int kMaxMoments = 200'000;  // wake-ups between two steps of a case
constexpr DurationMs kNudge = kSecond;

// One case in the pipeline under a clock of its own.
class CaseRun {
 public:
  CaseRun(std::shared_ptr<const rules::CompiledBundle> bundle, const RuleCase& test, std::string rule)
      : bundle_(std::move(bundle)), test_(test), rule_(std::move(rule)), store_(state::make_memory_store()) {
    std::vector<std::string> topics;
    for (const rules::Table& table : bundle_->source.schema.tables) topics.push_back(table.topic);
    for (const rules::Stream& stream : bundle_->source.schema.streams) topics.push_back(stream.topic);
    for (const std::string& topic : topics) {
      if (!topic.empty() &&
          std::none_of(inputs_.begin(), inputs_.end(), [&](const auto& each) { return each.topic == topic; })) {
        inputs_.push_back({topic, 0});
      }
    }
    offsets_.resize(inputs_.size());
  }

  Status run(const std::function<void(size_t steps)>& progress) {
    start_ = test_.steps.empty() ? test_.until.value_or(0) : test_.steps.front().arrives;
    wall_ = start_;
    Status status = open();
    for (size_t i = 0; status && i < test_.steps.size(); ++i) {
      const CaseStep& step = test_.steps[i];
      if (step.kind == CaseStep::Kind::restart || step.kind == CaseStep::Kind::crash) {
        if (step.kind == CaseStep::Kind::crash && i + 1 < test_.steps.size() &&
            test_.steps[i + 1].kind == CaseStep::Kind::event) {
          status = feed(test_.steps[i + 1]);  // processed, never committed
        }
        pipeline_.reset();
        if (status) status = open();
        continue;
      }
      status = move_to(step.arrives);
      if (!status) break;
      status = feed(step);
      if (status) status = commit();
      if (progress) progress(i + 1);
    }
    if (status && test_.until) {
      status = move_to(*test_.until);
      if (status) {
        pipeline_->run_on_to(*test_.until);
        status = commit();
      }
    }
    return status;
  }

  CaseResult result() && { return std::move(result_); }

 private:
  Status open() {
    PipelineOptions options;
    options.shards = 4;
    options.trace = true;
    pipeline_ = std::make_unique<Pipeline>(bundle_, options, store_.get());
    const Status loaded = pipeline_->load();
    pipeline_->set_inputs(inputs_);
    return loaded;
  }

  Status feed(const CaseStep& step) {
    const auto input = static_cast<uint32_t>(
        std::find_if(inputs_.begin(), inputs_.end(), [&](const auto& each) { return each.topic == step.topic; }) -
        inputs_.begin());
    batch_.clear();
    batch_.add(input, offsets_[input]++, step.arrives, "", step.json);
    return pipeline_->process(batch_, step.arrives);
  }

  // Time passes: every feed is quiet and alive, from one wake-up to the next, so that each transition is seen by itself.
  Status move_to(TimeMs wall) {
    for (int i = 0; wall_ < wall && i < kMaxMoments; ++i) {
      TimeMs next = kAfterAllTime;
      for (const auto& shard : pipeline_->shards()) next = std::min(next, shard->next_wake());
      wall_ = std::min(wall, std::max(next, wall_ + kNudge));
      quiet();
      if (const Status settled = pipeline_->settle(); !settled) return settled;
      if (pipeline_->nothing_to_say()) continue;
      if (const Status committed = commit(); !committed) return committed;
    }
    quiet();
    return {};
  }
  void quiet() {
    for (uint32_t i = 0; i < inputs_.size(); ++i) pipeline_->quiet(i, wall_, start_);
  }

  Status commit() {
    const Status settled = pipeline_->settle();
    if (!settled) return settled;
    Outcome outcome;
    state::WriteSet changes;
    if (const Status collected = pipeline_->collect(outcome, changes); !collected) return collected;
    changes.normalise();
    const Status written = store_->commit(store_->applied() + 1, changes);
    if (!written) return written;
    pipeline_->confirm();
    for (const DeadLetter& letter : outcome.dead_letters) result_.refused.push_back(letter.json);
    for (rules::Stop& each : pipeline_->take_trace()) note(std::move(each));
    for (const AlertRecord& alert : outcome.alerts) note(alert);
    return {};
  }

  void note(rules::Stop stop) {
    if (std::find(result_.stopped_by.begin(), result_.stopped_by.end(), stop.what) == result_.stopped_by.end())
      result_.stopped_by.push_back(stop.what);
    const std::string topic = stop.origin.offset < 0 ? "" : inputs_[stop.origin.input].topic;
    result_.stops.push_back(
        {bundle_->rules[static_cast<size_t>(stop.rule)]->name, std::move(stop.what), topic, stop.origin.offset, wall_});
  }

  void note(const AlertRecord& alert) {
    if (!rule_.empty() && alert.rule != rule_) return;
    const auto before = known_.find(alert.id);
    const bool ended = alert.status == "resolved" || alert.status == "expired";
    const bool was_over = before != known_.end() && before->second.over;
    if (before == known_.end() || was_over) {
      result_.transitions.push_back({"raise", alert.severity, "", alert.raised_at, alert});
    } else if (!ended && (before->second.severity != alert.severity || before->second.hits != alert.hits)) {
      result_.transitions.push_back({"update", alert.severity, "", alert.changed_at, alert});
    }
    if (ended)
      result_.transitions.push_back(
          {alert.status == "expired" ? "expire" : "resolve", alert.severity, alert.resolution, alert.ended_at, alert});
    known_[alert.id] = {alert.severity, alert.hits, ended};
  }

  struct Known {
    std::string severity;
    uint32_t hits = 0;
    bool over = false;
  };
  std::shared_ptr<const rules::CompiledBundle> bundle_;
  const RuleCase& test_;
  const std::string rule_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<connectors::Partition> inputs_;
  std::vector<int64_t> offsets_;
  connectors::RecordBatch batch_;
  TimeMs start_ = 0, wall_ = 0;
  std::map<std::string, Known> known_;
  CaseResult result_;
};

std::string clock_text(TimeMs time) { return format_rfc3339(time); }

std::optional<std::string> value_of(const std::vector<std::pair<std::string, std::string>>& pairs, const std::string& name) {
  for (const auto& [key, value] : pairs) {
    if (key == name || key == name + "_minor") return value;
  }
  return std::nullopt;
}

// What does not fit, one line each.
void compare(const Expectation& expected, const Transition& got, size_t number, std::vector<std::string>& wrong) {
  const auto differ = [&](const std::string& what, const std::string& wanted, const std::string& came) {
    wrong.push_back(fmt::format("entry {}: {} should be {}, is {}", number, what, wanted, came));
  };
  if (expected.what != got.what) differ("what happened", expected.what, got.what);
  if (expected.at && *expected.at != got.at) differ("at", clock_text(*expected.at), clock_text(got.at));
  if (!expected.severity.empty() && expected.severity != got.severity) differ("severity", expected.severity, got.severity);
  if (!expected.reason.empty() && expected.reason != got.reason) differ("reason", expected.reason, got.reason);
  for (const auto& [name, value] : expected.key) {
    std::string came = value_of(got.alert.key, name).value_or("(not in the key)");
    if (came.size() >= 2 && came.front() == '"') came = came.substr(1, came.size() - 2);
    std::string wanted = value;
    if (came != wanted) std::erase(wanted, '_');
    if (came != wanted) differ("key field " + name, value, came);
  }
  for (const auto& [name, value] : expected.labels) {
    const std::string came = value_of(got.alert.labels, name).value_or("(no such label)");
    if (came != value) differ("label " + name, value, came);
  }
  for (const auto& [language, part] : expected.message) {
    const std::string& text = language == "zh" ? got.alert.message_zh : got.alert.message_en;
    if (text.find(part) == std::string::npos) differ("message." + language, "a text with \"" + part + "\"", "\"" + text + "\"");
  }
}

}  // namespace

std::string show(const Transition& transition) {
  std::string key;
  for (const auto& [name, value] : transition.alert.key) key += fmt::format("{}{}: {}", key.empty() ? "" : ", ", name, value);
  std::string line = fmt::format("{} {} {{{}}} {}", clock_text(transition.at), transition.what, key, transition.severity);
  if (!transition.reason.empty()) line += " reason " + transition.reason;
  if (transition.what != "resolve" && transition.what != "expire") line += "\n            " + transition.alert.message_en;
  return line;
}

std::vector<std::string> judge(const RuleCase& test, const CaseResult& run) {
  if (!run.status) return {run.status.error().message};
  std::vector<std::string> wrong;
  const auto& got = run.transitions;
  for (size_t i = 0; i < std::min(got.size(), test.expect.size()); ++i) compare(test.expect[i], got[i], i + 1, wrong);
  if (got.size() != test.expect.size()) {
    wrong.push_back(fmt::format("{} entries expected, {} came", test.expect.size(), got.size()));
  }
  for (const std::string& reason : test.because) {
    const auto& came = run.stopped_by;
    if (std::find(came.begin(), came.end(), reason) == came.end()) {
      wrong.push_back(fmt::format("should be stopped by `{}`, was stopped by {}", reason,
                                  came.empty() ? "nothing" : fmt::format("`{}`", fmt::join(came, "`, `"))));
    }
  }
  for (const std::string& letter : run.refused) wrong.push_back("a record of this case could not be read: " + letter);
  return wrong;
}

CaseResult run_case(const std::shared_ptr<const rules::CompiledBundle>& bundle, const RuleCase& test, const std::string& rule,
                    const std::function<void(size_t steps)>& progress) {
  CaseRun run(bundle, test, rule);
  const Status status = run.run(progress);
  CaseResult result = std::move(run).result();
  result.status = status;
  return result;
}

}  // namespace tillwatch::engine
