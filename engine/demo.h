// `tillwatch demo`: generated traffic with injected anomalies, alerts as they are raised, and at the end a scorecard against
// the truth the generator wrote down.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "connectors/generator.h"
#include "engine/alert.h"
#include "engine/terminal.h"

namespace tillwatch::engine {

// One rule's line of the scorecard.
struct Score {
  std::string rule;
  uint64_t injected = 0;      // anomalies the rule must say
  uint64_t raised = 0;        // of them, said
  uint64_t to_resolve = 0;    // of them, those that end within the traffic
  uint64_t resolved = 0;      // … and ended as the truth says
  uint64_t missed = 0;        // injected and not said
  uint64_t false_alerts = 0;  // standing alerts of the rule that nothing injected explains
  uint64_t wrong = 0;         // said, but with another severity or resolution than the truth's
  uint64_t late = 0;          // missed or wrong, where a record came beyond the lateness: no mistake
};

// Follows the alerts of a run and compares them with the truth.
class Scorecard {
 public:
  void note(const AlertRecord& alert);
  // How far event time has gone: what ends later must stand.
  void reach(TimeMs until) { until_ = until; }
  // One score per rule that the truth names or that has raised an alert.
  std::vector<Score> compare(const std::vector<connectors::Injected>& truth) const;
  // The differences of the judged rules, one line each, for people.
  std::vector<std::string> differences(const std::vector<connectors::Injected>& truth, Language language) const;
  uint64_t standing() const;

 private:
  struct Matched {
    const connectors::Injected* injected;
    const AlertRecord* alert;  // null: missed
  };
  std::vector<Matched> match(const std::vector<connectors::Injected>& truth,
                             std::vector<const AlertRecord*>& unexplained) const;
  bool as_told(const connectors::Injected& injected, const AlertRecord& alert) const;
  bool is_right(const Matched& each) const;

  TimeMs until_ = kAfterAllTime;
  std::map<std::string, AlertRecord> alerts_;  // by id, as last said; withdrawn ones left out
};

// Whether the truth says all that `rule` has to say of generated traffic: what it does not name is then a false alert. So it is
// for every rule some anomaly makes speak, and for those without cause to; a rule of one's own it does not know.
bool is_judged(const std::string& rule);

// Rules of the payments pack and the engine that no anomaly makes speak: whatever they say is false, and that they speak when
// they should is for their own cases to show.
const std::vector<std::string>& rules_without_cause();

// What a run is measured by.
struct Judgement {
  std::vector<ScoreRow> rows;  // the judged rules that spoke or had cause to; those with mistakes last, where people look
  std::vector<std::pair<std::string, uint64_t>> not_judged;    // the other rules that may speak, with their alerts
  std::vector<std::string> silent;                             // judged, without cause to speak, and silent
  uint64_t missed = 0, false_alerts = 0, wrong = 0, late = 0;  // over the rows
};

// `speaking`: the rules that may raise alerts.
Judgement judge(const Scorecard& card, const std::vector<connectors::Injected>& truth,
                const std::vector<std::string>& speaking);

}  // namespace tillwatch::engine
