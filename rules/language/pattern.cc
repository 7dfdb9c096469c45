#include "rules/language/pattern.h"

#include <re2/re2.h>

namespace tillwatch::rules {

std::string pattern_problem(std::string_view pattern) {
  constexpr int64_t kMemoryBytes = 1 << 20;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryBytes);
  const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), options);
  return compiled.ok() ? "" : compiled.error();
}

}  // namespace tillwatch::rules
