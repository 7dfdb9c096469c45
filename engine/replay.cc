#include "engine/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>

#include "engine/pipeline.h"
#include "engine/replay_source.h"
#include "rules/language/names.h"

namespace tillwatch::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint16_t kShards = 16;
constexpr size_t kBatchRecords = 20'000;

class Replay {
 public:
  Replay(const std::shared_ptr<const rules::CompiledBundle>& bundle, const ReplayOptions& options)
      : options_(options), pipeline_(bundle, {.shards = kShards, .workers = options.workers}, nullptr) {}

  Status open() {
    const std::set<std::string> wanted = [&] {
      std::set<std::string> topics(pipeline_.stream_topics().begin(), pipeline_.stream_topics().end());
      topics.insert(pipeline_.table_topics().begin(), pipeline_.table_topics().end());
      return topics;
    }();
    std::vector<connectors::FileInput> files;
    for (const connectors::FileInput& file : options_.files) {
      if (wanted.contains(file.topic)) files.push_back(file);
    }
    if (files.empty()) return fail(ErrorKind::invalid, "no file is of a topic that a rule reads");
    auto opened = ReplaySource::open(files);
    if (!opened) return std::unexpected(opened.error());
    from_ = std::move(*opened);
    source_ = &from_.source();
    held_ = !pipeline_.table_topics().empty();
    return held_ ? source_->hold(pipeline_.stream_topics()) : Status{};
  }

  Status run(const ReplayProgress& progress) {
    const auto began = std::chrono::steady_clock::now();
    const TimeMs wall = wall_clock_ms();
    connectors::RecordBatch batch;
    for (bool done = false; !done;) {
      batch.clear();
      const auto polled = source_->poll(batch, kBatchRecords, std::chrono::milliseconds(10));
      if (!polled) return std::unexpected(polled.error());
      pipeline_.set_inputs(source_->inputs());
      if (const Status processed = pipeline_.process(batch, wall); !processed) return processed;
      if (const Status noted = note_ends(done); !noted) return noted;
      done = done && batch.records().empty();
      if (done) pipeline_.run_on_to(pipeline_.watermarks().latest() + options_.run_on);
      if (const Status settled = pipeline_.settle(); !settled) return settled;
      if (const Status taken = take(); !taken) return taken;
      result_.records += batch.records().size();
      for (const connectors::Record& record : batch.records()) result_.bytes += static_cast<int64_t>(record.value.size()) + 1;
      if (progress) progress(result_.records, result_.bytes);
    }
    if (const Status whole = from_.ended(); !whole) return whole;
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return {};
  }

  ReplayResult result() && { return std::move(result_); }

 private:
  // Streams wait for the reference topics.
  Status note_ends(bool& all) {
    const auto& tables = pipeline_.table_topics();
    bool tables_read = true;
    all = true;
    for (uint32_t i = 0; i < source_->inputs().size(); ++i) {
      const bool finished = source_->state(i).finished;
      if (finished) pipeline_.finished(i);
      all = all && finished;
      if (!finished && std::binary_search(tables.begin(), tables.end(), source_->inputs()[i].topic)) tables_read = false;
    }
    if (!held_ || !tables_read) return {};
    held_ = false;
    return source_->hold({});
  }

  Status take() {
    Outcome outcome;
    state::WriteSet nothing;
    if (Status collected = pipeline_.collect(outcome, nothing); !collected) return collected;
    pipeline_.confirm();
    result_.dead_letters += outcome.dead_letters.size();
    for (AlertRecord& alert : outcome.alerts) {
      if (alert.resolution == "corrected") {
        result_.alerts.erase(alert.id);
        continue;
      }
      ReplayedAlert& kept = result_.alerts[alert.id];
      kept.money_minor = alert.involved_minor;
      kept.merchant = alert.merchant;
      kept.last = std::move(alert);
    }
    return {};
  }

  const ReplayOptions& options_;
  Pipeline pipeline_;
  ReplaySource from_;
  connectors::Source* source_ = nullptr;
  bool held_ = false;
  ReplayResult result_;
};

std::set<std::string> topics_of(const rules::Schema& schema) {
  std::set<std::string> topics;
  for (const rules::Stream& stream : schema.streams) topics.insert(stream.topic);
  for (const rules::Table& table : schema.tables) topics.insert(table.topic);
  topics.erase("");
  return topics;
}

// "pos.transactions-3.ndjson.gz" → "pos.transactions"; empty: not named so.
std::string topic_of(std::string name) {
  for (const std::string ending : {".gz", ".zst", ".ndjson"}) {
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  const size_t dash = name.rfind('-');
  if (dash == std::string::npos || dash + 1 == name.size()) return name;
  return name.find_first_not_of("0123456789", dash + 1) == std::string::npos ? name.substr(0, dash) : name;
}

}  // namespace

Expected<ReplayResult> replay(const std::shared_ptr<const rules::CompiledBundle>& bundle, const ReplayOptions& options,
                              const ReplayProgress& progress) {
  Replay run(bundle, options);
  if (const Status opened = run.open(); !opened) return std::unexpected(opened.error());
  if (const Status ended = run.run(progress); !ended) return std::unexpected(ended.error());
  return std::move(run).result();
}

Expected<std::vector<connectors::FileInput>> replay_files(const std::vector<std::string>& arguments,
                                                          const rules::Schema& schema) {
  const std::set<std::string> topics = topics_of(schema);
  std::vector<connectors::FileInput> files;
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (fs::is_directory(argument, error)) {
      std::vector<std::string> names;
      for (const auto& entry : fs::directory_iterator(argument)) names.push_back(entry.path().string());
      std::sort(names.begin(), names.end());
      for (const std::string& name : names) {
        const std::string topic = topic_of(fs::path(name).filename().string());
        if (topics.contains(topic)) files.push_back({topic, name});
      }
      continue;
    }
    const size_t equals = argument.find('=');
    connectors::FileInput file = equals == std::string::npos
                                     ? connectors::FileInput{topic_of(fs::path(argument).filename().string()), argument}
                                     : connectors::FileInput{argument.substr(0, equals), argument.substr(equals + 1)};
    if (!topics.contains(file.topic)) {
      return fail(ErrorKind::invalid, fmt::format("{}: the rules' schema has no topic '{}'; write TOPIC=PATH with one of {}",
                                                  argument, file.topic, rules::listed({topics.begin(), topics.end()})));
    }
    files.push_back(std::move(file));
  }
  if (files.empty())
    return fail(ErrorKind::invalid, "there is no file to replay: give TOPIC=PATH, or a folder of TOPIC-NUMBER.ndjson files");
  return files;
}

}  // namespace tillwatch::engine
