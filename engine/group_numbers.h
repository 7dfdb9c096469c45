// The numbers of a group's member.
#pragma once

#include "engine/group_member.h"
#include "engine/metrics.h"

namespace tillwatch::engine {

void gather(const GroupMember& member, const rules::CompiledBundle& bundle, MetricsSnapshot& snapshot);

}  // namespace tillwatch::engine
