#include "engine/alert_lines.h"

#include <algorithm>

namespace tillwatch::engine {

void AlertLines::keep(AlertLine line) {
  const TimeMs at = line.at;
  waiting_.emplace(std::pair(at, number_++), std::move(line));
}

void AlertLines::add(const AlertRecord& alert) {
  if (alert.shadow) return;  // kept, not said
  AlertLine line;
  line.id = alert.id;
  line.rule = alert.rule;
  line.title = language_ == Language::zh ? alert.title_zh : alert.title_en;
  line.severity = alert.severity;
  line.message = language_ == Language::zh ? alert.message_zh : alert.message_en;
  line.reason = alert.resolution;
  line.raised_at = alert.raised_at;
  const bool ended = alert.status == "resolved" || alert.status == "expired";
  if (alert.first || !ended) {
    line.change = alert.first ? AlertLine::Change::raised : AlertLine::Change::updated;
    // What is said is the last state of the commit: it belongs to the moment of that, not to the first.
    line.at = ended ? alert.raised_at : std::max(alert.raised_at, alert.changed_at);
    keep(line);
  }
  if (!ended) return;
  line.change = alert.status == "expired" ? AlertLine::Change::expired : AlertLine::Change::resolved;
  line.at = alert.ended_at;
  keep(std::move(line));
}

void AlertLines::write(TimeMs until, Terminal& terminal) {
  while (!waiting_.empty() && waiting_.begin()->first.first <= until) {
    terminal.alert(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
}

}  // namespace tillwatch::engine
