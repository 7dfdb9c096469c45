// The few records of many files that one alert or transaction hangs on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "connectors/file_source.h"
#include "engine/rule_case.h"
#include "rules/language/schema.h"

namespace tillwatch::engine {

struct RelatedRecord {
  std::string topic;
  int32_t partition = 0;
  int64_t offset = 0;  // of its first byte in the file, unpacked
  std::string json;
  TimeMs event_time = 0;
  int stream = -1, table = -1;  // whichever the topic is of
};

struct RelatedRecords {
  std::vector<RelatedRecord> records;  // rows of tables, then those of streams in order of event time
  size_t left_out = 0;                 // of streams: there were too many
  TimeMs until = 0;                    // of what ends the streams' files
};

// Whether `word` stands in a record as a whole text or number.
bool has_word(std::string_view json, const std::string& word);
bool has_words(std::string_view json, const std::vector<std::string>& words);  // all of them; false when there is none

// Records and bytes read so far.
using ReadProgress = std::function<void(uint64_t records, int64_t bytes)>;

// Records of streams that have all words of one of `groups`, and the rows of tables whose key values all stand in one of those.
// At most kMostRelated records of streams: small groups are taken first, and of one that does not fit the records nearest in
// time to those that were taken. Errors: invalid, unavailable, corrupt.
inline constexpr size_t kMostRelated = 400;
Expected<RelatedRecords> related_records(const std::vector<connectors::FileInput>& files, const rules::Schema& schema,
                                         const std::vector<std::vector<std::string>>& groups,
                                         const ReadProgress& progress = nullptr);

// As the steps of a case; rows come before everything.
std::vector<CaseStep> steps_of(const std::vector<RelatedRecord>& records);

}  // namespace tillwatch::engine
