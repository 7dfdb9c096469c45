// What a run says about alerts, as lines for a person, in the order of event time. A commit says things in no order of its own,
// and what waits for silence is said minutes of event time after what does not.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "engine/alert.h"
#include "engine/terminal.h"

namespace tillwatch::engine {

class AlertLines {
 public:
  explicit AlertLines(Language language) : language_(language) {}

  // One that was raised and has ended within one commit gives two lines.
  void add(const AlertRecord& alert);
  // Writes the lines of events until `until`, inclusive; kAfterAllTime: all.
  void write(TimeMs until, Terminal& terminal);

 private:
  void keep(AlertLine line);

  const Language language_;
  uint64_t number_ = 0;  // lines of one moment stay as they were said
  std::map<std::pair<TimeMs, uint64_t>, AlertLine> waiting_;
};

}  // namespace tillwatch::engine
