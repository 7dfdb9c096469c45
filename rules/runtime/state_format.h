// What the stored state of a rule is made of. Two versions of a rule with the same format read each other's state; texts,
// severities and conditions may differ.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "rules/runtime/compiled_rule.h"

namespace tillwatch::rules {

// What it is about ("its key"), and what it says there ("card_token, merchant_id"); in a fixed order.
using StateFormat = std::vector<std::pair<std::string, std::string>>;

StateFormat state_format(const CompiledRule& rule, const Schema& schema);

// Number of a rule in stored keys: a hash of its name and its state format.
uint32_t stored_number(const CompiledRule& rule, const Schema& schema);

// How far back its windows and steps look, lateness left out: how long a rule that begins without state knows less than one
// that has always run.
DurationMs longest_memory(const CompiledRule& rule);

}  // namespace tillwatch::rules
