#include "engine/base/guarded.h"

namespace tillwatch {
namespace {

thread_local int depth = 0;

}  // namespace

Guarded::Guarded() { ++depth; }
Guarded::~Guarded() { --depth; }
bool Guarded::now() { return depth > 0; }

}  // namespace tillwatch
