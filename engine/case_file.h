// Rule tests written from records: what `replay --save-case` makes of an alert.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/related_records.h"
#include "engine/replay.h"

namespace tillwatch::engine {

// The rules under `paths` with `rule` and those that only emit live, others off; null: it cannot be compiled, or is not there.
std::shared_ptr<const rules::CompiledBundle> bundle_for(const std::vector<std::string>& paths, const std::string& rule);

// Words that records of an alert have in them: its key's values together, and each event it names.
std::vector<std::vector<std::string>> words_of(const AlertRecord& alert);

// Adds the payment and the message a record names.
void add_names(const RelatedRecord& record, std::vector<std::vector<std::string>>& groups);

// A test file with one case: the records the alert hangs on, and what the rule says of them. It passes when it is run. `id` may
// be the beginning of the alert's. Error: invalid, no such alert, or the records found do not raise it.
Expected<std::string> save_case(const ReplayResult& result, const ReplayOptions& options, const std::vector<std::string>& paths,
                                const std::string& id);

}  // namespace tillwatch::engine
