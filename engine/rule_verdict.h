// What rules make of the records of a transaction or an alert.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/case_run.h"
#include "engine/related_records.h"

namespace tillwatch::engine {

struct Subject {
  std::string id;                      // the transaction's or the alert's
  std::vector<RelatedRecord> records;  // as related_records() has them
  std::vector<bool> own;               // per record: of the subject itself, not only of its keys
  TimeMs until = 0;                    // what is known ends here
  size_t left_out = 0;                 // records of its keys that were not looked at
};

struct RuleVerdict {
  std::string rule;
  // Of alerts that stand on a record of the subject, are keyed by it or are it, in order.
  std::vector<Transition> said;
  std::vector<Transition> awaited;  // the same in the day after `until`, when nothing more comes
  std::vector<CaseStop> stops;      // of its own records, each `what` once
  // Alerts of the same key that it is not in.
  struct Others {
    std::string key;  // "issuer_id 0907"
    size_t alerts = 0;
  };
  std::vector<Others> others;

  bool silent() const { return said.empty() && awaited.empty() && stops.empty() && others.empty(); }
};

// Which records of the case are the subject's.
class OwnEvidence {
 public:
  explicit OwnEvidence(const Subject& subject);
  // How many of the records in an alert's evidence are, and how many are not.
  struct Share {
    size_t own = 0, others = 0;
  };
  Share of(const AlertRecord& alert) const;
  bool has(const std::string& topic, int64_t offset) const;  // as CaseStop has them

 private:
  std::vector<std::pair<std::string, int64_t>> places_;
};

using CaseRunner = std::function<CaseResult(const std::shared_ptr<const rules::CompiledBundle>& bundle, const RuleCase& test,
                                            const std::string& rule)>;

// One for each rule that alerts, in their order. The records run once, through all rules together: a rule may count its hits on
// another's alert. Error: the case could not be run.
Expected<std::vector<RuleVerdict>> verdicts_on(const Subject& subject,
                                               const std::shared_ptr<const rules::CompiledBundle>& bundle,
                                               const CaseRunner& run);

}  // namespace tillwatch::engine
