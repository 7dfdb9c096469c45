#include "tests/bench/engine_workload.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "engine/pipeline.h"

namespace tillwatch::engine::bench {
namespace {

connectors::GeneratorOptions traffic_of(size_t records) {
  connectors::GeneratorOptions traffic;
  traffic.length = kHour;
  traffic.start = wall_clock_ms() / kMinute * kMinute - kHour;  // a broker drops what is older than its retention
  traffic.events_per_second = std::max(1.0, static_cast<double>(records) * kSecond / kHour);
  traffic.daily_shape = false;
  traffic.settlement_delay = 3 * kMinute;
  traffic.merchants = static_cast<int>(std::clamp<size_t>(records / 300, 200, 20'000));
  traffic.cards = static_cast<int>(std::clamp<size_t>(records / 10, 5'000, 500'000));
  for (const char* anomaly :
       {connectors::kDuplicateDebit, connectors::kCodeJump, connectors::kRateChange, connectors::kNotifyUnsent}) {
    traffic.anomalies_per_hour[anomaly] = 12;
  }
  return traffic;
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void require(const Status& status, const std::string& doing) {
  if (status) return;
  std::fprintf(stderr, "engine_bench: %s: %s\n", doing.c_str(), status.error().message.c_str());
  std::exit(1);
}

Workload::Workload(std::shared_ptr<const rules::CompiledBundle> bundle, size_t records) : bundle_(std::move(bundle)) {
  const Pipeline reader(bundle_, {}, nullptr);
  topics_ = reader.stream_topics();
  topics_.insert(topics_.end(), reader.table_topics().begin(), reader.table_topics().end());
  const connectors::GeneratorOptions traffic = traffic_of(records);
  require(connectors::check_generator_options(traffic), "generating traffic");
  connectors::Generator generator(traffic);
  connectors::GeneratedRecord record;
  while (generator.next(record)) {
    if (std::find(topics_.begin(), topics_.end(), record.topic) == topics_.end()) continue;
    const connectors::Partition partition{record.topic, record.partition};
    if (std::find(inputs_.begin(), inputs_.end(), partition) == inputs_.end()) inputs_.push_back(partition);
    bytes_ += record.value.size();
    records_.push_back(record);
  }
}

size_t Workload::input_of(const connectors::GeneratedRecord& record) const {
  const connectors::Partition partition{record.topic, record.partition};
  return static_cast<size_t>(std::find(inputs_.begin(), inputs_.end(), partition) - inputs_.begin());
}

std::deque<connectors::RecordBatch> Workload::batches(size_t max_records) const {
  std::deque<connectors::RecordBatch> batches;
  std::vector<int64_t> offsets(inputs_.size(), 0);
  for (size_t i = 0; i < records_.size(); ++i) {
    if (i % max_records == 0) batches.emplace_back();
    const size_t input = input_of(records_[i]);
    batches.back().add(static_cast<uint32_t>(input), offsets[input]++, records_[i].arrival, records_[i].key, records_[i].value);
  }
  return batches;
}

std::vector<std::string> Workload::write_files(const std::string& folder) const {
  std::vector<std::string> paths;
  std::vector<std::ofstream> files;
  for (const connectors::Partition& input : inputs_) {
    paths.push_back(folder + "/" + input.topic + "-" + std::to_string(input.number) + ".ndjson");
    files.emplace_back(paths.back(), std::ios::binary);
  }
  for (const connectors::GeneratedRecord& record : records_) files[input_of(record)] << record.value << '\n';
  for (size_t i = 0; i < files.size(); ++i) {
    files[i].close();
    if (!files[i]) require(fail(ErrorKind::unavailable, "the disk takes no more"), "writing " + paths[i]);
  }
  return paths;
}

}  // namespace tillwatch::engine::bench
