#include "rules/runtime/rule_cost.h"

#include <algorithm>

#include "rules/runtime/key_state.h"

namespace tillwatch::rules {
namespace {

size_t steps(const Program& program) {
  if (program.empty()) return 0;
  const std::string listing = program.disassemble();
  return static_cast<size_t>(std::count(listing.begin(), listing.end(), '\n'));
}

size_t row_bytes(const RowLayout& layout) {
  std::string row;
  const std::vector<Value> nothing(layout.size());
  layout.encode(nothing, row);
  return row.size();
}

size_t texts(const RowLayout& layout) {
  size_t count = 0;
  for (size_t i = 0; i < layout.size(); ++i) count += holds_bytes(layout.kind(i)) ? 1 : 0;
  return count;
}

size_t lookups_in(const Expression* expression) {
  if (expression == nullptr) return 0;
  size_t count = expression->node == Node::lookup ? 1 : 0;
  for (const ExpressionPtr& each : expression->args) count += lookups_in(each.get());
  return count;
}

KeptInput kept(const Input& input, const Schema& schema) {
  KeptInput result;
  result.name = input.stream >= 0 ? schema.streams[static_cast<size_t>(input.stream)].name
                                  : schema.tables[static_cast<size_t>(input.table)].name;
  result.keep = input.keep;
  result.event_bytes = sizeof(Entry) + row_bytes(input.shape->layout);
  result.texts = texts(input.shape->layout);
  return result;
}

}  // namespace

RuleCost cost_of(const CompiledRule& rule, const CompiledBundle& bundle) {
  RuleCost cost;
  const Input& trigger = rule.inputs.front();
  for (const auto& all_of : trigger.filters) {
    for (const Program& each : all_of) cost.filter_steps += steps(each);
  }
  for (const Program& each : trigger.rejects) cost.filter_steps += steps(each);
  for (const CompiledFact& fact : rule.facts) cost.trigger_steps += steps(fact.value);
  cost.trigger_steps += steps(rule.when);
  for (const auto& [when, severity] : rule.severity) cost.trigger_steps += steps(when);
  for (const Program& each : rule.emit_fields) cost.trigger_steps += steps(each);
  for (const CompiledAggregate& each : rule.aggregates) cost.window_steps += steps(each.where) + steps(each.value);
  cost.windows = rule.aggregates.size();
  for (const Fact& fact : rule.source->facts) cost.lookups += lookups_in(fact.value.get());
  cost.lookups += lookups_in(rule.source->when.get());
  if (rule.stateless) return cost;
  for (const Input& input : rule.inputs) cost.kept.push_back(kept(input, bundle.source.schema));
  cost.alert_bytes = sizeof(Instance) + sizeof(Published) + row_bytes(rule.trigger_shape.layout);
  return cost;
}

}  // namespace tillwatch::rules
