// Which rules a store knows: what tells a rule that is new to it from one that has always run, and rules that are gone. A rule
// that is new to a store others have run on is in shadow until its windows are full. And whether changed rules were refused.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/alert.h"
#include "engine/base/status.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

class RuleHistory {
 public:
  explicit RuleHistory(const rules::CompiledBundle& bundle);

  // What a commit left; not called for a store that is new.
  Status decode(std::string_view bytes);
  std::string encode() const;
  // After decode(): the rules of the bundle that the store does not know begin at `now`, an event time.
  void begin(TimeMs now);
  // Numbers of rules the store knows and the bundle has no more (rules/runtime/state_format.h).
  const std::vector<uint32_t>& gone() const { return gone_; }

  // Whether an alert of `rule` raised then is in shadow still.
  bool in_shadow(const std::string& rule, TimeMs raised_at) const;

  // Changed rules were refused, or taken: the alert that says so, none when it has been said.
  void refused(TimeMs at, const std::string& reason, std::vector<AlertRecord>& alerts);
  void taken(TimeMs at, std::vector<AlertRecord>& alerts);
  bool refusal_stands() const { return refused_since_ != 0; }

 private:
  struct Known {
    std::string rule;
    TimeMs live_from = kBeforeAllTime;  // alerts raised before are in shadow
  };
  const rules::CompiledBundle& bundle_;
  std::map<uint32_t, Known> known_;  // by stored number
  std::map<std::string, TimeMs> live_from_;
  std::vector<uint32_t> gone_;
  TimeMs refused_since_ = 0;  // 0: not refused
  uint32_t refused_seq_ = 0;
  bool new_store_ = true;
};

}  // namespace tillwatch::engine
