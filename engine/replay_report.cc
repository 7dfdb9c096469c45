// What a backtest says: counts and money per rule, and the differences of two rule sets per rule and merchant.
#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>

#include "engine/base/words.h"
#include "engine/replay.h"

namespace tillwatch::engine {
namespace {

constexpr size_t kMostMerchants = 20;

using Kind = AlertDifference::Kind;

std::string money_text(int64_t minor) {
  const std::string sign = minor < 0 ? "-" : "";
  const auto size = static_cast<uint64_t>(std::llabs(minor));
  return fmt::format("{}{}.{:02}", sign, grouped(size / 100), size % 100);
}

struct Counts {
  uint64_t alerts = 0, open = 0, resolved = 0, expired = 0;
  int64_t money_minor = 0;
  void add(const ReplayedAlert& alert) {
    ++alerts;
    money_minor += alert.money_minor;
    resolved += alert.last.status == "resolved";
    expired += alert.last.status == "expired";
    open += alert.last.status == "firing" || alert.last.status == "updated";
  }
};

struct Changes {
  uint64_t fresh = 0, lost = 0, changed = 0;
  int64_t money_minor = 0;  // more (or less) at risk than before
  uint64_t all() const { return fresh + lost + changed; }
  void add(const AlertDifference& difference) {
    fresh += difference.kind == Kind::fresh;
    lost += difference.kind == Kind::lost;
    changed += difference.kind == Kind::changed;
    money_minor += (difference.after != nullptr ? difference.after->money_minor : 0) -
                   (difference.before != nullptr ? difference.before->money_minor : 0);
  }
};

std::string speed(const ReplayResult& result) {
  const double rate = result.seconds > 0 ? static_cast<double>(result.records) / result.seconds : 0;
  return fmt::format("{} in {:.1f} s: {} a second, {}", counted(result.records, "record"), result.seconds,
                     grouped(static_cast<uint64_t>(rate)), counted(result.dead_letters, "dead letter"));
}

std::string_view kind_name(Kind kind) { return kind == Kind::fresh ? "new" : kind == Kind::lost ? "lost" : "changed"; }

}  // namespace

std::vector<AlertDifference> compare(const ReplayResult& before, const ReplayResult& after) {
  std::vector<AlertDifference> differences;
  for (const auto& [id, alert] : after.alerts) {
    const auto old = before.alerts.find(id);
    if (old == before.alerts.end()) {
      differences.push_back({Kind::fresh, nullptr, &alert});
    } else if (old->second.last.status != alert.last.status || old->second.last.severity != alert.last.severity ||
               old->second.last.resolution != alert.last.resolution || old->second.last.raised_at != alert.last.raised_at ||
               old->second.money_minor != alert.money_minor) {
      differences.push_back({Kind::changed, &old->second, &alert});
    }
  }
  for (const auto& [id, alert] : before.alerts) {
    if (!after.alerts.contains(id)) differences.push_back({Kind::lost, &alert, nullptr});
  }
  std::stable_sort(differences.begin(), differences.end(), [](const AlertDifference& a, const AlertDifference& b) {
    return std::tie(a.either().last.raised_at, a.either().last.id) < std::tie(b.either().last.raised_at, b.either().last.id);
  });
  return differences;
}

std::string replay_report(const ReplayResult& result) {
  std::map<std::string, Counts> rules;
  for (const auto& [id, alert] : result.alerts) rules[alert.last.rule].add(alert);
  std::string text =
      fmt::format("{:<28} {:>8} {:>8} {:>9} {:>8} {:>18}\n", "rule", "alerts", "open", "resolved", "expired", "money");
  for (const auto& [rule, counts] : rules) {
    text += fmt::format("{:<28} {:>8} {:>8} {:>9} {:>8} {:>18}\n", rule, counts.alerts, counts.open, counts.resolved,
                        counts.expired, money_text(counts.money_minor));
  }
  return text + speed(result) + "\n";
}

std::string difference_report(const ReplayResult& before, const ReplayResult& after,
                              const std::vector<AlertDifference>& differences) {
  std::map<std::string, Counts> old_rules, new_rules;
  for (const auto& [id, alert] : before.alerts) old_rules[alert.last.rule].add(alert);
  for (const auto& [id, alert] : after.alerts) new_rules[alert.last.rule].add(alert);
  std::map<std::string, Changes> rules, merchants;
  for (const auto& [rule, counts] : old_rules) rules[rule];
  for (const auto& [rule, counts] : new_rules) rules[rule];
  for (const AlertDifference& each : differences) {
    rules[each.either().last.rule].add(each);
    if (!each.either().merchant.empty()) merchants[each.either().merchant].add(each);
  }
  std::string text = fmt::format("{:<28} {:>8} {:>8} {:>8} {:>8} {:>8} {:>18} {:>18}\n", "rule", "old", "new", "only new",
                                 "only old", "changed", "money, old", "money, new");
  for (const auto& [rule, changes] : rules) {
    text += fmt::format("{:<28} {:>8} {:>8} {:>8} {:>8} {:>8} {:>18} {:>18}\n", rule, old_rules[rule].alerts,
                        new_rules[rule].alerts, changes.fresh, changes.lost, changes.changed,
                        money_text(old_rules[rule].money_minor), money_text(new_rules[rule].money_minor));
  }
  std::vector<std::pair<std::string, Changes>> most(merchants.begin(), merchants.end());
  std::stable_sort(most.begin(), most.end(), [](const auto& a, const auto& b) { return a.second.all() > b.second.all(); });
  if (!most.empty())
    text += fmt::format("\n{:<28} {:>8} {:>8} {:>8} {:>18}\n", "merchant", "only new", "only old", "changed", "money, more");
  for (size_t i = 0; i < std::min(most.size(), kMostMerchants); ++i) {
    const Changes& changes = most[i].second;
    text += fmt::format("{:<28} {:>8} {:>8} {:>8} {:>18}\n", most[i].first, changes.fresh, changes.lost, changes.changed,
                        money_text(changes.money_minor));
  }
  if (most.size() > kMostMerchants) text += fmt::format("… and {}\n", counted(most.size() - kMostMerchants, "merchant"));
  return text + "\nold: " + speed(before) + "\nnew: " + speed(after) + "\n" +
         (differences.empty() ? "the same alerts\n" : counted(differences.size(), "difference") + "\n");
}

std::string difference_json(const AlertDifference& difference) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&](const char* name, std::string_view value) {
    json.Key(name);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  const auto side = [&](const char* name, const ReplayedAlert* alert) {
    if (alert == nullptr) return;
    json.Key(name);
    json.StartObject();
    text("status", alert->last.status);
    text("severity", alert->last.severity);
    text("resolution", alert->last.resolution);
    text("raised_at", format_rfc3339(alert->last.raised_at));
    json.Key("money_minor");
    json.Int64(alert->money_minor);
    text("message_en", alert->last.message_en);
    json.EndObject();
  };
  json.StartObject();
  text("change", kind_name(difference.kind));
  text("rule", difference.either().last.rule);
  text("alert_id", difference.either().last.id);
  text("merchant", difference.either().merchant);
  side("old", difference.before);
  side("new", difference.after);
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace tillwatch::engine
