#include "connectors/generator_creep.h"

#include <algorithm>

#include "connectors/generator_facts.h"

namespace tillwatch::connectors::generation {
namespace {

// The rule's: more than a yuan and more than one per cent.
constexpr int64_t kMostExtraMinor = 100;
constexpr int64_t kMostPercent = 1;

}  // namespace

void Creep::note_line(const std::string& merchant_id, TimeMs sold_at, TimeMs posted_at, int64_t fee_minor, int64_t owed_minor) {
  const std::string day = format_rfc3339(settlement_day(sold_at)).substr(0, 10);
  days_[{merchant_id, day}].push_back({posted_at, fee_minor, owed_minor});
}

void Creep::note_contract(const std::string& merchant_id, TimeMs recorded_at) { explained_[merchant_id] = recorded_at; }

// When the line is posted that makes it too much; kAfterAllTime: none does.
TimeMs Creep::raised_at(std::vector<Line> lines) {
  std::ranges::sort(lines, {}, &Line::posted_at);
  int64_t extra = 0, owed = 0;
  for (const Line& line : lines) {
    extra += line.fee_minor - line.owed_minor;
    owed += line.owed_minor;
    if (extra > kMostExtraMinor && extra * 100 > owed * kMostPercent) return line.posted_at;
  }
  return kAfterAllTime;
}

std::vector<Injected> Creep::truth(TimeMs until) const {
  std::vector<Injected> truth;
  for (const auto& [day, lines] : days_) {
    const auto explained = explained_.find(day.first);
    const TimeMs known_at = explained == explained_.end() ? kAfterAllTime : explained->second;
    const TimeMs at = raised_at(lines);
    if (at > until || at >= known_at) continue;
    Injected implied;
    implied.anomaly = kRateChange;
    implied.rule = kRateCreep;
    implied.key = {{"merchant_id", day.first}, {"settlement_date", day.second}};
    implied.at = at;
    implied.expected_severity = "high";
    implied.resolves = known_at <= until;
    implied.resolution = implied.resolves ? "registry_update" : "";
    implied.note = "follows from the rate change";
    truth.push_back(std::move(implied));
  }
  return truth;
}

}  // namespace tillwatch::connectors::generation
