// What a compiled rule costs: work per event and memory per key, known before anything has run.
#pragma once

#include <string>
#include <vector>

#include "rules/runtime/compiled_rule.h"

namespace tillwatch::rules {

// What a key keeps of one input.
struct KeptInput {
  std::string name;        // of its stream or table
  DurationMs keep = 0;     // how long an event stays, lateness included
  size_t event_bytes = 0;  // of one event in memory, texts not counted
  size_t texts = 0;        // texts, lists and tariffs among its fields
};

struct RuleCost {
  size_t filter_steps = 0;   // instructions on every event of the trigger's stream, before the exchange
  size_t trigger_steps = 0;  // most instructions on one trigger that goes all the way: facts, `when`, severity, what it emits
  size_t window_steps = 0;   // instructions on each event in a window, all windows together
  size_t windows = 0;        // looked through for each trigger
  size_t lookups = 0;
  std::vector<KeptInput> kept;  // nothing for a rule without state
  size_t alert_bytes = 0;       // of one open alert or obligation, texts not counted
};

RuleCost cost_of(const CompiledRule& rule, const CompiledBundle& bundle);

}  // namespace tillwatch::rules
