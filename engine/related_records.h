// The few records of many files that one alert or transaction hangs on.
#pragma once

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

// Records of streams that have all words of one of `groups` as texts somewhere in them, in order of event time, and the rows of
// tables whose key values all stand in one of those. At most kMostRelated records of streams. Errors: invalid, unavailable,
// corrupt.
inline constexpr size_t kMostRelated = 400;
Expected<std::vector<RelatedRecord>> related_records(const std::vector<connectors::FileInput>& files,
                                                     const rules::Schema& schema,
                                                     const std::vector<std::vector<std::string>>& groups);

// As the steps of a case; rows come before everything.
std::vector<CaseStep> steps_of(const std::vector<RelatedRecord>& records);

}  // namespace tillwatch::engine
