// The same generated traffic for every part of the engine's benchmark: in memory, as batches, as files.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "connectors/generator.h"
#include "connectors/source.h"
#include "engine/base/status.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine::bench {

inline double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

double median(std::vector<double> values);

// `value` of a call that must not fail here; says what was being done and ends the program when it did.
void require(const Status& status, const std::string& doing);

// An hour of traffic of about `records` records that has just happened, with anomalies, in order of arrival. Topics no rule
// reads are left out.
class Workload {
 public:
  Workload(std::shared_ptr<const rules::CompiledBundle> bundle, size_t records);

  const std::vector<connectors::GeneratedRecord>& records() const { return records_; }
  const std::shared_ptr<const rules::CompiledBundle>& bundle() const { return bundle_; }
  size_t bytes() const { return bytes_; }
  // Every partition, in order of appearance.
  const std::vector<connectors::Partition>& inputs() const { return inputs_; }
  // Topics some rule reads, whether there is traffic in them or not.
  const std::vector<std::string>& topics() const { return topics_; }

  std::deque<connectors::RecordBatch> batches(size_t max_records) const;
  // One file a partition in `folder`; the path of each input.
  std::vector<std::string> write_files(const std::string& folder) const;

 private:
  size_t input_of(const connectors::GeneratedRecord& record) const;

  const std::shared_ptr<const rules::CompiledBundle> bundle_;
  std::vector<connectors::GeneratedRecord> records_;
  std::vector<connectors::Partition> inputs_;
  std::vector<std::string> topics_;
  size_t bytes_ = 0;
};

}  // namespace tillwatch::engine::bench
