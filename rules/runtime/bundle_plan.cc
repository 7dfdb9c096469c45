#include "rules/runtime/bundle_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engine/base/words.h"
#include "rules/language/wording.h"
#include "rules/runtime/state_format.h"

namespace tillwatch::rules {
namespace {

using Fate = PlannedRule::Fate;

PlannedRule plan_rule(const CompiledRule& now, const Schema& schema_now, const CompiledRule& next, const Schema& schema_next) {
  PlannedRule plan{next.name, Fate::same, 0, ""};
  const StateFormat before = state_format(now, schema_now), after = state_format(next, schema_next);
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    plan.why += fmt::format("{}{}", plan.why.empty() ? "" : " and ", after[i].first);
  }
  if (!plan.why.empty()) {
    plan.fate = Fate::lost;
    plan.warm_up = longest_memory(next);
  } else if (now.source->source_text != next.source->source_text) {
    plan.fate = Fate::kept;
  }
  return plan;
}

// Rows of tables are stored by column.
void compare_tables(const Schema& now, const Schema& next, BundlePlan& plan) {
  for (const Table& table : next.tables) {
    const int before = now.find_table(table.name);
    if (before < 0) continue;
    const std::vector<Field>& columns = now.tables[static_cast<size_t>(before)].columns;
    const bool same = std::equal(columns.begin(), columns.end(), table.columns.begin(), table.columns.end(),
                                 [](const Field& a, const Field& b) { return a.name == b.name && a.type.kind == b.type.kind; });
    if (!same)
      plan.refusals.push_back(fmt::format(
          "table `{}` has other columns: its stored rows cannot be read; restart with an empty state.path", table.name));
  }
}

const char* shadow_text(DurationMs warm_up) { return warm_up > 0 ? ", in shadow for {} until its windows are full" : ""; }

std::string line(const PlannedRule& rule) {
  const std::string shadow = fmt::format(fmt::runtime(shadow_text(rule.warm_up)), duration_text(rule.warm_up));
  switch (rule.fate) {
    case Fate::same:
      return "";
    case Fate::kept:
      return fmt::format("kept   {}: changed, and keeps its state\n", rule.name);
    case Fate::fresh:
      return fmt::format("new    {}: begins without state{}\n", rule.name, shadow);
    case Fate::lost:
      return fmt::format("lost   {}: {} changed, so its state and open alerts would be lost; it begins again{}\n", rule.name,
                         rule.why, shadow);
    case Fate::gone:
      return fmt::format("lost   {}: it is no longer there, so its state and open alerts would be lost\n", rule.name);
  }
  return "";
}

}  // namespace

bool BundlePlan::loses() const {
  return std::any_of(rules.begin(), rules.end(),
                     [](const PlannedRule& each) { return each.fate == Fate::lost || each.fate == Fate::gone; });
}

bool BundlePlan::changes() const {
  return std::any_of(rules.begin(), rules.end(), [](const PlannedRule& each) { return each.fate != Fate::same; });
}

std::string BundlePlan::text() const {
  std::string text;
  for (const PlannedRule& each : rules) text += line(each);
  for (const std::string& each : refusals) text += fmt::format("refused  {}\n", each);
  const auto same = std::count_if(rules.begin(), rules.end(), [](const PlannedRule& each) { return each.fate == Fate::same; });
  return text + fmt::format("{} unchanged\n", counted(static_cast<uint64_t>(same), "rule"));
}

BundlePlan plan_bundle(const CompiledBundle& now, const CompiledBundle& next) {
  BundlePlan plan;
  std::map<std::string, const CompiledRule*> before, after;
  for (const auto& each : now.rules) before[each->name] = each.get();
  for (const auto& each : next.rules) after[each->name] = each.get();
  for (const auto& [name, rule] : before) {
    const auto found = after.find(name);
    if (found == after.end()) {
      plan.rules.push_back({name, rule->stateless ? Fate::kept : Fate::gone, 0, ""});
    } else {
      plan.rules.push_back(plan_rule(*rule, now.source.schema, *found->second, next.source.schema));
      if (rule->stateless && found->second->stateless && plan.rules.back().fate == Fate::lost)
        plan.rules.back().fate = Fate::kept;
    }
  }
  for (const auto& [name, rule] : after) {
    if (!before.contains(name)) plan.rules.push_back({name, Fate::fresh, longest_memory(*rule), ""});
  }
  std::sort(plan.rules.begin(), plan.rules.end(), [](const PlannedRule& a, const PlannedRule& b) { return a.name < b.name; });
  compare_tables(now.source.schema, next.source.schema, plan);
  return plan;
}

}  // namespace tillwatch::rules
