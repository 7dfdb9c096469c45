// What `why` prints: the records that were seen, and what rules made of them.
#pragma once

#include <string>
#include <vector>

#include "engine/rule_verdict.h"

namespace tillwatch::engine {

// The subject's records with their places, the others in numbers.
std::string seen_text(const Subject& subject, const rules::Schema& schema);

// What alerted first, then what was stopped and why, then what is awaited; rules with nothing to say in one line.
std::string verdicts_text(const std::vector<RuleVerdict>& verdicts, const Subject& subject,
                          const rules::CompiledBundle& bundle);

}  // namespace tillwatch::engine
