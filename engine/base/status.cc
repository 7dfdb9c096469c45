#include "engine/base/status.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "engine/base/guarded.h"

namespace tillwatch {

void abort_because(const char* file, int line, const char* what) {
  const std::string said = std::string("internal error at ") + file + ":" + std::to_string(line) + ": " + what;
  if (Guarded::now()) throw std::logic_error(said);
  std::fprintf(stderr, "tillwatch: %s\n", said.c_str());
  std::abort();
}

}  // namespace tillwatch
