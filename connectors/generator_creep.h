// What injected rates imply beyond their own rule: a merchant whose lines are overcharged also creeps over its settlement day.
// An account of its own, from the lines as they are sent: it knows nothing of how the rule is evaluated.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "connectors/generator.h"

namespace tillwatch::connectors::generation {

class Creep {
 public:
  // A sale's line of merchant `merchant_id`, in any order; `owed_minor` is what the contract says.
  void note_line(const std::string& merchant_id, TimeMs sold_at, TimeMs posted_at, int64_t fee_minor, int64_t owed_minor);
  // A contract that explains the merchant's lines after the fact is recorded.
  void note_contract(const std::string& merchant_id, TimeMs recorded_at);

  // The alerts of rate-creep that the lines posted until `until` lead to, in order of their keys.
  std::vector<Injected> truth(TimeMs until) const;

 private:
  struct Line {
    TimeMs posted_at = 0;
    int64_t fee_minor = 0, owed_minor = 0;
  };
  using Day = std::pair<std::string, std::string>;  // merchant, settlement date
  static TimeMs raised_at(std::vector<Line> lines);

  std::map<Day, std::vector<Line>> days_;
  std::map<std::string, TimeMs> explained_;  // when the contract was recorded
};

}  // namespace tillwatch::connectors::generation
