// Results of rule tests as JUnit's XML, which build servers read.
#pragma once

#include <string>
#include <vector>

#include "engine/base/status.h"

namespace tillwatch::engine {

struct CaseOutcome {
  std::string rule, name, path;
  int32_t line = 0;
  double seconds = 0;
  std::vector<std::string> wrong;  // empty: passed
};

std::string junit_xml(const std::vector<CaseOutcome>& outcomes);

// Error: invalid, the file cannot be written.
Status write_junit(const std::string& path, const std::vector<CaseOutcome>& outcomes);

}  // namespace tillwatch::engine
