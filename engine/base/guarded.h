// Work on a batch can be given up as a whole and done again, so that one record does not end the process every time it is read.
#pragma once

namespace tillwatch {

// While one lives on a thread, TILLWATCH_CHECK throws std::logic_error there, with file and line, instead of aborting. For work
// whose every effect its owner can undo.
class Guarded {
 public:
  Guarded();
  ~Guarded();
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  static bool now();
};

}  // namespace tillwatch
