// What the demo says beside its alerts, in both languages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/commands.h"
#include "engine/terminal.h"

namespace tillwatch::engine {

class DemoWords {
 public:
  explicit DemoWords(Language language) : chinese_(language == Language::zh) {}

  std::string introduction(const DemoCommand& command) const;
  std::string metrics_at(const std::string& address) const;
  std::string interrupted() const;
  std::string summary(uint64_t seed, uint64_t records, DurationMs length, uint64_t commits) const;
  std::string restarted(TimeMs at) const;
  std::string rightly_silent(const std::vector<std::string>& rules) const;  // judged, without cause
  // `alerts` of a rule on which the truth is silent, and why it is.
  std::string not_judged(const std::string& rule, uint64_t alerts) const;
  std::string silent(uint64_t rules) const;  // that are not judged and said nothing
  std::string verdict(uint64_t missed, uint64_t false_alerts, uint64_t wrong) const;

  // The differences from the truth. `what` is the rule with its key.
  std::string late(const std::string& what, TimeMs at, const std::string& note) const;  // a record came beyond the lateness
  std::string missed(const std::string& what, TimeMs at, const std::string& note) const;
  std::string differs(const std::string& what, const std::string& said, const std::string& told, const std::string& note) const;
  std::string false_alert(const std::string& rule, TimeMs at, const std::string& message) const;
  // Their number, of which the first `shown` were said one by one.
  std::string false_alerts(const std::string& rule, const std::string& severity, uint64_t count, uint64_t shown) const;
  std::string standing() const;  // of an alert: not resolved

 private:
  std::string_view in(std::string_view english, std::string_view chinese) const { return chinese_ ? chinese : english; }
  const bool chinese_;
};

}  // namespace tillwatch::engine
