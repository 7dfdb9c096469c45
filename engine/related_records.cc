#include "engine/related_records.h"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "engine/json_path.h"
#include "engine/replay_source.h"

namespace tillwatch::engine {
namespace {

constexpr size_t kAsked = 64;  // words that are looked for once in a record, whatever many groups have them

// Which groups a record is of. Groups share words (the card, the merchant): each is looked for once.
class Groups {
 public:
  explicit Groups(const std::vector<std::vector<std::string>>& groups) : groups_(groups) {
    for (const auto& group : groups_) {
      for (const std::string& word : group) {
        if (words_.size() < kAsked && std::find(words_.begin(), words_.end(), word) == words_.end()) words_.push_back(word);
      }
    }
    for (const auto& group : groups_) masks_.push_back(mask_of(group));
  }

  std::vector<size_t> of(std::string_view json) const {
    uint64_t there = 0;
    for (size_t i = 0; i < words_.size(); ++i) there |= uint64_t{has_word(json, words_[i])} << i;
    std::vector<size_t> found;
    if (there == 0 && words_.size() < kAsked) return found;
    for (size_t i = 0; i < groups_.size(); ++i) {
      if ((masks_[i].words & ~there) != 0) continue;
      if (masks_[i].whole ? !groups_[i].empty() : has_words(json, groups_[i])) found.push_back(i);
    }
    return found;
  }

 private:
  struct Mask {
    uint64_t words = 0;
    bool whole = true;  // it has no other words
  };
  Mask mask_of(const std::vector<std::string>& group) const {
    Mask mask;
    for (const std::string& word : group) {
      const auto at = std::find(words_.begin(), words_.end(), word) - words_.begin();
      if (static_cast<size_t>(at) < words_.size()) {
        mask.words |= uint64_t{1} << at;
      } else {
        mask.whole = false;
      }
    }
    return mask;
  }

  const std::vector<std::vector<std::string>>& groups_;
  std::vector<std::string> words_;
  std::vector<Mask> masks_;
};

struct Found {
  RelatedRecord record;
  std::vector<size_t> groups;
  bool taken = false;
};

// How far from the nearest of `times`, which are in order.
DurationMs distance(const std::vector<TimeMs>& times, TimeMs time) {
  const auto behind = std::lower_bound(times.begin(), times.end(), time);
  DurationMs least = behind == times.end() ? kAfterAllTime : *behind - time;
  if (behind != times.begin()) least = std::min(least, time - *(behind - 1));
  return least;
}

// Of a group that does not fit: the nearest to what is taken; the latest when nothing is.
void nearest_first(std::vector<Found*>& members, const std::vector<Found>& all) {
  std::vector<TimeMs> taken;
  for (const Found& each : all) {
    if (each.taken) taken.push_back(each.record.event_time);
  }
  std::sort(taken.begin(), taken.end());
  std::stable_sort(members.begin(), members.end(), [&](const Found* a, const Found* b) {
    if (taken.empty()) return a->record.event_time > b->record.event_time;
    return distance(taken, a->record.event_time) < distance(taken, b->record.event_time);
  });
}

std::vector<RelatedRecord> chosen(std::vector<Found> found, size_t groups) {
  std::vector<std::vector<Found*>> members(groups);
  for (Found& each : found) {
    for (const size_t group : each.groups) members[group].push_back(&each);
  }
  std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  size_t room = kMostRelated;
  for (std::vector<Found*>& group : members) {
    std::erase_if(group, [](const Found* each) { return each->taken; });
    if (group.size() > room) nearest_first(group, found);
    group.resize(std::min(group.size(), room));
    for (Found* each : group) each->taken = true;
    room -= group.size();
  }
  std::vector<RelatedRecord> records;
  for (Found& each : found) {
    if (each.taken) records.push_back(std::move(each.record));
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const RelatedRecord& a, const RelatedRecord& b) { return a.event_time < b.event_time; });
  return records;
}

// Every text and number in a record.
void add_words(const rapidjson::Value& value, std::set<std::string>& words) {
  if (value.IsObject()) {
    for (const auto& member : value.GetObject()) add_words(member.value, words);
  } else if (value.IsArray()) {
    for (const auto& each : value.GetArray()) add_words(each, words);
  } else if (value.IsString()) {
    words.insert({value.GetString(), value.GetStringLength()});
  } else if (value.IsInt64()) {
    words.insert(std::to_string(value.GetInt64()));
  }
}

// Rows of tables that records name by their keys.
class NamedRows {
 public:
  NamedRows(const rules::Schema& schema, const std::vector<RelatedRecord>& events) : schema_(schema) {
    for (const RelatedRecord& event : events) {
      rapidjson::Document json;
      json.Parse(event.json.c_str());
      add_words(json, words_.emplace_back());
    }
    for (const auto& each : words_) any_.insert(each.begin(), each.end());
  }

  bool has(int table, std::string_view text) const {
    rapidjson::Document json;
    json.Parse(text.data(), text.size());
    std::vector<std::string> key;
    const rules::Table& of = schema_.tables[static_cast<size_t>(table)];
    for (const int32_t column : of.key) {
      std::string value = text_at(json, of.columns[static_cast<size_t>(column)].path);
      // What a rule writes itself ("cardholder", "issuer") is in no record.
      const bool number = std::any_of(value.begin(), value.end(), [](char sign) { return sign >= '0' && sign <= '9'; });
      if (!number) continue;
      if (!any_.contains(value)) return false;
      key.push_back(std::move(value));
    }
    return std::any_of(words_.begin(), words_.end(), [&](const auto& words) {
      return std::all_of(key.begin(), key.end(), [&](const std::string& value) { return words.contains(value); });
    });
  }

 private:
  const rules::Schema& schema_;
  std::vector<std::set<std::string>> words_;  // of each record
  std::set<std::string> any_;
};

class Reader {
 public:
  Reader(const std::vector<connectors::FileInput>& files, const rules::Schema& schema, const ReadProgress& progress)
      : files_(files), schema_(schema), progress_(progress) {}

  // `take` gets each record of the tables' topics, or of the streams'.
  template <class Take>
  Status read(bool tables, const Take& take) {
    std::vector<connectors::FileInput> files;
    for (const connectors::FileInput& file : files_) {
      if ((table_of(file.topic) >= 0) == tables && (tables || stream_of(file.topic) >= 0)) files.push_back(file);
    }
    if (files.empty()) return {};
    auto from = ReplaySource::open(files);
    if (!from) return std::unexpected(from.error());
    connectors::Source& source = from->source();
    connectors::RecordBatch batch;
    std::vector<std::string> last;
    for (bool done = false; !done;) {
      batch.clear();
      const auto polled = source.poll(batch, 10'000, std::chrono::milliseconds(10));
      if (!polled) return std::unexpected(polled.error());
      for (const connectors::Record& record : batch.records()) {
        bytes_ += static_cast<int64_t>(record.value.size()) + 1;
        if (record.oversize) continue;
        last.resize(source.inputs().size());
        last[record.input] = record.value;
        take(source.inputs()[record.input], record);
      }
      records_ += batch.records().size();
      if (progress_) progress_(records_, bytes_);
      done = batch.records().empty();
      for (uint32_t i = 0; i < source.inputs().size(); ++i) done = done && source.state(i).finished;
    }
    for (size_t i = 0; i < last.size(); ++i) {
      if (!tables) until_ = std::max(until_, time_of(last[i], stream_of(source.inputs()[i].topic)));
    }
    return from->ended();
  }

  // Of the last record of each file.
  TimeMs until() const { return until_; }

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

  // None: it cannot be read.
  std::optional<RelatedRecord> related(const connectors::Partition& partition, const connectors::Record& record) const {
    RelatedRecord related{
        partition.topic,          partition.number, record.offset, std::string(record.value), 0, stream_of(partition.topic),
        table_of(partition.topic)};
    rapidjson::Document json;
    json.Parse(related.json.c_str());
    if (json.HasParseError()) return {};
    if (related.stream >= 0) related.event_time = time_of(json, related.stream);
    return related;
  }

 private:
  TimeMs time_of(const rapidjson::Value& json, int stream) const {
    const rules::Stream& of = schema_.streams[static_cast<size_t>(stream)];
    return time_at(json, of.fields[static_cast<size_t>(of.time_field)].path).value_or(0);
  }
  TimeMs time_of(const std::string& text, int stream) const {
    rapidjson::Document json;
    json.Parse(text.c_str());
    return json.HasParseError() ? 0 : time_of(json, stream);
  }

  const std::vector<connectors::FileInput>& files_;
  const rules::Schema& schema_;
  const ReadProgress& progress_;
  uint64_t records_ = 0;
  int64_t bytes_ = 0;
  TimeMs until_ = 0;
};

}  // namespace

bool has_word(std::string_view json, const std::string& word) {
  for (size_t at = 0; !word.empty() && (at = json.find(word, at)) != std::string_view::npos; at += word.size()) {
    const bool begins = at > 0 && (json[at - 1] == '"' || json[at - 1] == ':' || json[at - 1] == ' ');
    const size_t end = at + word.size();
    const bool ends = end < json.size() && (json[end] == '"' || json[end] == ',' || json[end] == '}' || json[end] == ' ');
    if (begins && ends) return true;
  }
  return false;
}

bool has_words(std::string_view json, const std::vector<std::string>& words) {
  return !words.empty() &&
         std::all_of(words.begin(), words.end(), [&](const std::string& word) { return has_word(json, word); });
}

Expected<RelatedRecords> related_records(const std::vector<connectors::FileInput>& files, const rules::Schema& schema,
                                         const std::vector<std::vector<std::string>>& groups, const ReadProgress& progress) {
  Reader reader(files, schema, progress);
  const Groups wanted(groups);
  std::vector<Found> found;
  const Status events_read = reader.read(false, [&](const connectors::Partition& partition, const connectors::Record& record) {
    std::vector<size_t> of = wanted.of(record.value);
    if (of.empty()) return;
    if (auto related = reader.related(partition, record)) found.push_back({std::move(*related), std::move(of)});
  });
  if (!events_read) return std::unexpected(events_read.error());
  RelatedRecords result;
  result.left_out = found.size();
  std::vector<RelatedRecord> events = chosen(std::move(found), groups.size());
  result.left_out -= events.size();
  result.until = events.empty() ? 0 : std::max(reader.until(), events.back().event_time);
  const NamedRows rows(schema, events);
  const Status rows_read = reader.read(true, [&](const connectors::Partition& partition, const connectors::Record& record) {
    if (!rows.has(reader.table_of(partition.topic), record.value)) return;
    if (auto related = reader.related(partition, record)) result.records.push_back(std::move(*related));
  });
  if (!rows_read) return std::unexpected(rows_read.error());
  std::move(events.begin(), events.end(), std::back_inserter(result.records));
  return result;
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
