// The truth of a generated run as a file: one JSON object per injected anomaly and line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/generator.h"
#include "engine/base/status.h"

namespace tillwatch::connectors {

// One line without its end:
// {"anomaly":"code-jump","rule":"code-jump","key":{"terminal_key":"…"},"at":"2026-11-22T12:30:05.120+08:00",
//  "expected_severity":"high","resolves":false,"resolution":"","note":"…","late":false}; `resolves_at` where it is known
std::string truth_to_json(const Injected& injected);

// The reverse. Errors: invalid, with what is missing or of the wrong type.
Expected<Injected> truth_from_json(std::string_view line);

class TruthFile {
 public:
  explicit TruthFile(std::string path) : path_(std::move(path)) {}

  // Replaces what the file held. Errors: unavailable.
  Status write(const std::vector<Injected>& truth) const;
  // Errors: unavailable; invalid, with the number of the line. Empty lines are passed over.
  Expected<std::vector<Injected>> read() const;

 private:
  std::string path_;
};

}  // namespace tillwatch::connectors
