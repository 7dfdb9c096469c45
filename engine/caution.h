// What becomes of a batch whose processing throws, the same in every mode: it is undone and done again step by step, and a step
// that still fails is left out and becomes a dead letter. So one record neither stops the process nor is read for ever.
#pragma once

#include <functional>
#include <string>

#include "engine/base/status.h"

namespace tillwatch::engine {

class Caution {
 public:
  // Does the work. What it throws becomes an error: unavailable, and the batch is to be undone and done again, as careful()
  // says then; exhausted, when that has not helped.
  Status run(const std::function<Status()>& work);
  // Whether each step is to be done by itself.
  bool careful() const { return failures_ > 0; }
  // The batch was committed.
  void over() { failures_ = 0; }

 private:
  int failures_ = 0;  // of this batch
};

}  // namespace tillwatch::engine
