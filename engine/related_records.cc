#include "engine/related_records.h"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <algorithm>

#include "engine/json_path.h"
#include "engine/replay_source.h"

namespace tillwatch::engine {
namespace {

bool has_word(std::string_view json, const std::string& word) {
  for (size_t at = 0; (at = json.find(word, at)) != std::string_view::npos; at += word.size()) {
    const bool begins = at > 0 && (json[at - 1] == '"' || json[at - 1] == ':' || json[at - 1] == ' ');
    const size_t end = at + word.size();
    const bool ends = end < json.size() && (json[end] == '"' || json[end] == ',' || json[end] == '}' || json[end] == ' ');
    if (begins && ends) return true;
  }
  return false;
}

bool has_all(std::string_view json, const std::vector<std::string>& words) {
  return !words.empty() &&
         std::all_of(words.begin(), words.end(), [&](const std::string& word) { return has_word(json, word); });
}

class Reader {
 public:
  Reader(const std::vector<connectors::FileInput>& files, const rules::Schema& schema) : files_(files), schema_(schema) {}

  template <class Wanted>
  Status read(bool tables, const Wanted& wanted, std::vector<RelatedRecord>& records) const {
    std::vector<connectors::FileInput> files;
    for (const connectors::FileInput& file : files_) {
      if ((table_of(file.topic) >= 0) == tables && (tables || stream_of(file.topic) >= 0)) files.push_back(file);
    }
    if (files.empty()) return {};
    auto from = ReplaySource::open(files);
    if (!from) return std::unexpected(from.error());
    connectors::Source& source = from->source();
    connectors::RecordBatch batch;
    for (bool done = false; !done;) {
      batch.clear();
      const auto polled = source.poll(batch, 10'000, std::chrono::milliseconds(10));
      if (!polled) return std::unexpected(polled.error());
      for (const connectors::Record& record : batch.records()) {
        if (record.oversize || !wanted(source.inputs()[record.input].topic, record.value)) continue;
        add(source.inputs()[record.input], record, records);
      }
      done = batch.records().empty();
      for (uint32_t i = 0; i < source.inputs().size(); ++i) done = done && source.state(i).finished;
    }
    return from->ended();
  }

  int table_of(const std::string& topic) const {
    const auto found = std::find_if(schema_.tables.begin(), schema_.tables.end(),
                                    [&](const rules::Table& table) { return table.topic == topic; });
    return found == schema_.tables.end() ? -1 : static_cast<int>(found - schema_.tables.begin());
  }
  int stream_of(const std::string& topic) const {
    const auto found = std::find_if(schema_.streams.begin(), schema_.streams.end(), [&](const rules::Stream& stream) {
      return stream.origin == rules::Stream::Origin::topic && stream.topic == topic;
    });
    return found == schema_.streams.end() ? -1 : static_cast<int>(found - schema_.streams.begin());
  }

 private:
  void add(const connectors::Partition& partition, const connectors::Record& record,
           std::vector<RelatedRecord>& records) const {
    RelatedRecord related{
        partition.topic,          partition.number, record.offset, std::string(record.value), 0, stream_of(partition.topic),
        table_of(partition.topic)};
    rapidjson::Document json;
    json.Parse(related.json.c_str());
    if (json.HasParseError()) return;
    if (related.stream >= 0) {
      const rules::Stream& stream = schema_.streams[static_cast<size_t>(related.stream)];
      related.event_time = time_at(json, stream.fields[static_cast<size_t>(stream.time_field)].path).value_or(0);
    }
    records.push_back(std::move(related));
  }

  const std::vector<connectors::FileInput>& files_;
  const rules::Schema& schema_;
};

}  // namespace

Expected<std::vector<RelatedRecord>> related_records(const std::vector<connectors::FileInput>& files,
                                                     const rules::Schema& schema,
                                                     const std::vector<std::vector<std::string>>& groups) {
  const Reader reader(files, schema);
  std::vector<RelatedRecord> events;
  const auto in_a_group = [&](const std::string&, std::string_view json) {
    return std::any_of(groups.begin(), groups.end(), [&](const auto& words) { return has_all(json, words); });
  };
  if (const Status read = reader.read(false, in_a_group, events); !read) return std::unexpected(read.error());
  std::stable_sort(events.begin(), events.end(),
                   [](const RelatedRecord& a, const RelatedRecord& b) { return a.event_time < b.event_time; });
  if (events.size() > kMostRelated) events.erase(events.begin(), events.end() - static_cast<ptrdiff_t>(kMostRelated));
  const auto row_of_one = [&](const std::string& topic, std::string_view text) {
    const rules::Table& table = schema.tables[static_cast<size_t>(reader.table_of(topic))];
    rapidjson::Document json;
    json.Parse(text.data(), text.size());
    std::vector<std::string> key;
    for (const int32_t column : table.key) {
      const std::string value = text_at(json, table.columns[static_cast<size_t>(column)].path);
      // What a rule writes itself ("cardholder", "issuer") is in no record.
      if (!value.empty() && std::any_of(value.begin(), value.end(), [](char sign) { return sign >= '0' && sign <= '9'; }))
        key.push_back(value);
    }
    return key.empty() ||
           std::any_of(events.begin(), events.end(), [&](const RelatedRecord& event) { return has_all(event.json, key); });
  };
  std::vector<RelatedRecord> all;
  if (const Status read = reader.read(true, row_of_one, all); !read) return std::unexpected(read.error());
  all.insert(all.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
  return all;
}

std::vector<CaseStep> steps_of(const std::vector<RelatedRecord>& records) {
  TimeMs first = 0;
  for (const RelatedRecord& each : records) {
    if (each.stream >= 0 && (first == 0 || each.event_time < first)) first = each.event_time;
  }
  std::vector<CaseStep> steps;
  for (const RelatedRecord& each : records) {
    const bool row = each.table >= 0;
    steps.push_back({row ? CaseStep::Kind::row : CaseStep::Kind::event, each.topic, each.json, row ? first : each.event_time});
  }
  return steps;
}

}  // namespace tillwatch::engine
