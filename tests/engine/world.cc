#include "tests/engine/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <regex>

namespace tillwatch::engine {
namespace {

std::shared_ptr<const rules::CompiledBundle> compiled(rules::Bundle bundle, const rules::Sources& sources, rules::Diagnostics& diagnostics) {
  std::shared_ptr<const rules::CompiledBundle> result;
  if (diagnostics.errors() == 0) result = rules::compile_bundle(std::move(bundle), {}, diagnostics);
  if (result) return result;
  for (const rules::Diagnostic& each : diagnostics.all()) std::fprintf(stderr, "%s\n", rules::render(each, sources).c_str());
  std::abort();
}

void require(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message.c_str());
  std::abort();
}

}  // namespace

std::string content_of_alert(const std::string& json) {
  static const std::regex counted("\"(seq|updated_at)\":[^,}]*,?");
  static const std::regex open("\"status\":\"(firing|updated)\"");
  return std::regex_replace(std::regex_replace(json, counted, ""), open, "\"status\":\"open\"");
}

std::shared_ptr<const rules::CompiledBundle> load_rules(const std::vector<std::string>& paths) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::Bundle bundle = rules::load_bundle(paths, sources, diagnostics);
  return compiled(std::move(bundle), sources, diagnostics);
}

std::shared_ptr<const rules::CompiledBundle> load_rule_texts(const std::vector<std::pair<std::string, std::string>>& files) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::Bundle bundle = rules::load_bundle_texts(files, sources, diagnostics);
  return compiled(std::move(bundle), sources, diagnostics);
}

World::World(std::shared_ptr<const rules::CompiledBundle> bundle, PipelineOptions options)
    : bundle_(std::move(bundle)), options_(options), store_(state::make_memory_store()) {
  open();
}

void World::open() {
  pipeline_ = std::make_unique<Pipeline>(bundle_, options_, store_.get());
  require(pipeline_->load());
  pipeline_->set_inputs(inputs_);
}

void World::crash() { open(); }

uint32_t World::input_of(const std::string& topic, int32_t partition) {
  const connectors::Partition wanted{topic, partition};
  const auto found = std::find(inputs_.begin(), inputs_.end(), wanted);
  if (found != inputs_.end()) return static_cast<uint32_t>(found - inputs_.begin());
  inputs_.push_back(wanted);
  offsets_.push_back(0);
  pipeline_->set_inputs(inputs_);
  return static_cast<uint32_t>(inputs_.size() - 1);
}

void World::feed(const std::vector<Fed>& records, size_t batch_size) {
  for (const Fed& record : records) input_of(record.topic, record.partition);
  connectors::RecordBatch batch;
  for (size_t at = 0; at < records.size();) {
    batch.clear();
    TimeMs wall = 0;
    for (const size_t end = std::min(records.size(), at + batch_size); at < end; ++at) {
      const Fed& record = records[at];
      const uint32_t input = input_of(record.topic, record.partition);
      batch.add(input, offsets_[input]++, record.arrival, "", record.json);
      wall = std::max(wall, record.arrival);
    }
    require(pipeline_->process(batch, wall));
    require(pipeline_->settle());
    commit();
  }
}

void World::run_on_to(TimeMs end) {
  pipeline_->run_on_to(end);
  require(pipeline_->settle());
  commit();
}

void World::quiet(const std::string& topic, TimeMs wall, TimeMs since) {
  input_of(topic, 0);
  for (uint32_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].topic == topic) pipeline_->quiet(i, wall, since);
  }
  require(pipeline_->settle());
  commit();
}

void World::commit() {
  Outcome outcome;
  state::WriteSet changes;
  require(pipeline_->collect(outcome, changes));
  changes.normalise();
  require(store_->commit(store_->applied() + 1, changes));
  pipeline_->confirm();
  for (const AlertRecord& alert : outcome.alerts) {
    said_.push_back(alert);
    if (alert.resolution == "corrected") {
      standing_.erase(alert.id);
      alerts_.erase(alert.id);
    } else {
      standing_[alert.id] = content_of_alert(alert.json);
      alerts_[alert.id] = alert;
    }
  }
  dead_letters_.insert(dead_letters_.end(), outcome.dead_letters.begin(), outcome.dead_letters.end());
}

std::vector<AlertRecord> World::of_rule(const std::string& rule) const {
  std::vector<AlertRecord> result;
  for (const auto& [id, alert] : alerts_) {
    if (alert.rule == rule) result.push_back(alert);
  }
  return result;
}

Traffic generate(const connectors::GeneratorOptions& options) {
  Traffic traffic;
  connectors::Generator generator(options);
  connectors::GeneratedRecord record;
  while (generator.next(record)) traffic.records.push_back({record.topic, record.partition, record.arrival, record.value});
  traffic.truth = generator.truth();
  const std::vector<connectors::Injected> implied = generator.implied(kAfterAllTime - 1);
  traffic.truth.insert(traffic.truth.end(), implied.begin(), implied.end());
  return traffic;
}

}  // namespace tillwatch::engine
