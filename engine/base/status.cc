#include "engine/base/status.h"

#include <cstdio>
#include <cstdlib>

namespace tillwatch {

void abort_because(const char* file, int line, const char* what) {
  std::fprintf(stderr, "tillwatch: internal error at %s:%d: %s\n", file, line, what);
  std::abort();
}

}  // namespace tillwatch
