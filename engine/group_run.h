// `tillwatch run` in mode `group`: one member, from its configuration to its end.
#pragma once

#include <atomic>
#include <memory>

#include "engine/base/log.h"
#include "engine/config.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

Status run_group(const Config& config, std::shared_ptr<const rules::CompiledBundle> bundle, state::Store& store, Log& log,
                 const std::atomic<bool>& stop);

}  // namespace tillwatch::engine
