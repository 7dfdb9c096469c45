// What each part of a rule waits for, and when what it emits can no longer change.
#include "rules/runtime/rule_compiler.h"

#include <algorithm>

namespace tillwatch::rules::compiling {

int RuleCompiler::clock_for(ClockNeeds needs) {
  for (std::vector<int>* streams : {&needs.plain, &needs.gated}) {
    std::sort(streams->begin(), streams->end());
    streams->erase(std::unique(streams->begin(), streams->end()), streams->end());
  }
  const auto found = std::find(bundle_.clocks.begin(), bundle_.clocks.end(), needs);
  if (found != bundle_.clocks.end()) return static_cast<int>(found - bundle_.clocks.begin());
  bundle_.clocks.push_back(std::move(needs));
  return static_cast<int>(bundle_.clocks.size() - 1);
}

void RuleCompiler::choose_clocks() {
  ClockNeeds trigger, all;
  if (rule_.stream >= 0) trigger.plain.push_back(clock_of(rule_.stream));
  for (const Input& input : out_->inputs) {
    const bool asked = input.folds || &input - out_->inputs.data() == out_->over_input;
    if (input.stream >= 0) (asked ? all.gated : all.plain).push_back(clock_of(input.stream));
  }
  choose_fold_clocks();
  all.gated.insert(all.gated.end(), out_->table_streams.begin(), out_->table_streams.end());
  out_->clock = clock_for(all);
  out_->trigger_clock = clock_for(trigger);
  if (rule_.held_for > 0) {  // silence is an answer here, so it must be believed
    ClockNeeds hold;
    hold.gated = trigger.plain;
    for (int aggregate : out_->when_aggregates) {
      const Input& input = out_->inputs[static_cast<size_t>(out_->aggregates[static_cast<size_t>(aggregate)].input)];
      if (input.stream >= 0) hold.gated.push_back(clock_of(input.stream));
    }
    out_->hold_clock = clock_for(std::move(hold));
  }
  for (size_t i = 0; i < out_->steps.size(); ++i) {
    ClockNeeds needs = trigger;
    auto& streams = out_->steps[i].absent ? needs.gated : needs.plain;
    streams.push_back(clock_of(rule_.steps[i].stream));
    if (rule_.steps[i].until >= 0) streams.push_back(clock_of(rule_.steps[i].until));
    out_->steps[i].clock = clock_for(std::move(needs));
  }
  for (CompiledWay& way : out_->ways) {
    ClockNeeds needs = trigger;
    for (int aggregate : way.when_aggregates) {
      const Input& input = out_->inputs[static_cast<size_t>(out_->aggregates[static_cast<size_t>(aggregate)].input)];
      if (input.stream >= 0) needs.plain.push_back(clock_of(input.stream));
    }
    way.clock = clock_for(std::move(needs));
  }
}

std::vector<int> RuleCompiler::table_streams(const Expression* expression) const {
  std::vector<int> streams;
  walk(expression, [&](const Expression& node) {
    if (node.node != Node::lookup) return;
    const int stream = schema_.tables[static_cast<size_t>(node.index)].rows_stream;
    if (stream >= 0) streams.push_back(stream);
  });
  return streams;
}

void RuleCompiler::choose_fold_clocks() {
  ClockNeeds look, ask, answer, row;
  const auto add = [](std::vector<int>& to, const std::vector<int>& streams) {
    to.insert(to.end(), streams.begin(), streams.end());
  };
  for (const Fact& fact : rule_.facts) add(look.gated, table_streams(fact.value.get()));
  add(look.gated, table_streams(rule_.when.get()));
  out_->table_streams = look.gated;
  if (!look.gated.empty()) out_->look_clock = clock_for(look);
  add(out_->table_streams, table_streams(rule_.fold.get()));
  for (const Input& input : out_->inputs) {
    if (input.stream < 0 || input.folds) continue;
    row.gated.push_back(clock_of(input.stream));
    if (&input - out_->inputs.data() != out_->over_input) ask.gated.push_back(clock_of(input.stream));
  }
  add(row.gated, out_->table_streams);
  add(ask.gated, out_->table_streams);
  if (out_->emit_table >= 0) out_->row_clock = clock_for(row);
  if (out_->asks()) out_->ask_clock = clock_for(ask);
  if (out_->over_input >= 0) {
    answer.gated.push_back(clock_of(out_->inputs[static_cast<size_t>(out_->over_input)].stream));
    out_->answer_clock = clock_for(answer);
  }
}

void RuleCompiler::list_emissions() {
  DurationMs behind = 1;  // a clock at an instant does not say that nothing more of that instant comes
  DurationMs waits = 0;
  for (const Fact& fact : rule_.facts) waits = std::max(waits, fact.wait);
  for (const Step& step : rule_.steps) behind = std::max(behind, step.grace + 1);
  behind += waits;
  std::vector<int> plain, answered;
  for (const Input& input : out_->inputs) {
    if (input.stream < 0 || input.folds) continue;
    answered.push_back(clock_of(input.stream));
    if (&input - out_->inputs.data() != out_->over_input) plain.push_back(clock_of(input.stream));
  }
  for (std::vector<int>* streams : {&plain, &answered}) {
    streams->insert(streams->end(), out_->table_streams.begin(), out_->table_streams.end());
  }
  if (rule_.emit.stream >= 0) {
    out_->emits.push_back({rule_.emit.stream, rule_.emit.table >= 0 ? behind : out_->emission_delay, answered});
  }
  if (out_->asked_stream >= 0) out_->emits.push_back({out_->asked_stream, behind, plain});
  if (out_->fold_table >= 0) {
    out_->emits.push_back({schema_.tables[static_cast<size_t>(out_->fold_table)].folds_stream, behind, plain});
  }
}

// Filters, look-ups and an event step on a unique key emit at once; what may still change waits for the clock.
void RuleCompiler::choose_emission() {
  out_->stateless =
      out_->steps.empty() && rule_.aggregates.empty() && rule_.resolve.empty() && !out_->alerts && rule_.held_for == 0;
  for (const Fact& fact : rule_.facts) {
    out_->emission_delay = std::max(out_->emission_delay, fact.wait);
    if (fact.otherwise == Fact::Otherwise::wait) out_->stateless = false;
  }
  if (!out_->table_streams.empty()) out_->stateless = false;
  if (rule_.emit.stream < 0 || rule_.emit.table >= 0) {
    out_->stateless = false;
    return;
  }
  out_->emit_settled = !rule_.aggregates.empty() || rule_.held_for > 0;
  out_->emission_delay = std::max(out_->emission_delay, rule_.held_for);
  for (size_t i = 0; i < rule_.steps.size(); ++i) {
    const Step& step = rule_.steps[i];
    const auto forward = constant_duration(step.to.get());
    if (!forward) {
      out_->error = "`within` of a rule that emits must be a constant: the streams behind it wait that long";
      return;
    }
    out_->emission_delay = std::max(out_->emission_delay, std::max<DurationMs>(0, *forward) + step.grace);
    if (step.absent || step.take_one || !covers_unique(step)) out_->emit_settled = true;
  }
}

bool RuleCompiler::covers_unique(const Step& step) const {
  const Stream& stream = schema_.streams[static_cast<size_t>(step.stream)];
  const auto covered = [&](const std::vector<int32_t>& fields) {
    return !fields.empty() && std::all_of(fields.begin(), fields.end(), [&](int32_t field) {
      return std::find(step.by.begin(), step.by.end(), field) != step.by.end();
    });
  };
  if (!stream.numbered && covered(stream.id)) return true;
  for (const Stream* each : {&stream, &schema_.root(step.stream)}) {
    if (std::any_of(each->unique.begin(), each->unique.end(), covered)) return true;
  }
  return false;
}

}  // namespace tillwatch::rules::compiling
