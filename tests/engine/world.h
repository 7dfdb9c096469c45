// A whole engine in one struct: rules, pipeline and a store in memory, under a clock that only moves when told.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/generator.h"
#include "engine/pipeline.h"
#include "rules/language/load.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

// Loads and compiles rules from folders of the repository; aborts with the diagnostics when they are wrong.
std::shared_ptr<const rules::CompiledBundle> load_rules(const std::vector<std::string>& paths);
// The same from texts: (file name, text).
std::shared_ptr<const rules::CompiledBundle> load_rule_texts(const std::vector<std::pair<std::string, std::string>>& files);

// Everything an alert's record says but what depends on how often it was said.
std::string content_of_alert(const std::string& json);

// One record as a test hands it over.
struct Fed {
  std::string topic;
  int32_t partition = 0;
  TimeMs arrival = 0;
  std::string json;
};

class World {
 public:
  World(std::shared_ptr<const rules::CompiledBundle> bundle, PipelineOptions options = {});

  // Hands the records over in batches of `batch_size`, settling and committing after each.
  void feed(const std::vector<Fed>& records, size_t batch_size);
  // Time runs on to `end` on every input.
  void run_on_to(TimeMs end);
  // Input `topic` is read to its end, as seen at `wall`.
  void quiet(const std::string& topic, TimeMs wall, TimeMs since);
  void commit();
  // The process stops without a commit and starts from the store.
  void crash();

  // What stands: by alert id, everything said of it last but how often it was said.
  const std::map<std::string, std::string>& standing() const { return standing_; }
  const std::map<std::string, AlertRecord>& alerts() const { return alerts_; }
  std::vector<AlertRecord> of_rule(const std::string& rule) const;
  const std::vector<DeadLetter>& dead_letters() const { return dead_letters_; }
  // Every publication in order.
  const std::vector<AlertRecord>& said() const { return said_; }
  Pipeline& pipeline() { return *pipeline_; }

 private:
  void open();
  uint32_t input_of(const std::string& topic, int32_t partition);

  std::shared_ptr<const rules::CompiledBundle> bundle_;
  PipelineOptions options_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<connectors::Partition> inputs_;
  std::vector<int64_t> offsets_;
  std::map<std::string, std::string> standing_;
  std::map<std::string, AlertRecord> alerts_;
  std::vector<AlertRecord> said_;
  std::vector<DeadLetter> dead_letters_;
};

// Generated traffic as records, and its truth with what that implies.
struct Traffic {
  std::vector<Fed> records;  // in order of arrival
  std::vector<connectors::Injected> truth;
};
Traffic generate(const connectors::GeneratorOptions& options);

}  // namespace tillwatch::engine
