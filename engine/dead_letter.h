// Records that could not be read or worked on, for the dead-letter topic: JSON, schema dead_letter/1.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/source.h"
#include "engine/decoder.h"
#include "rules/runtime/shard.h"

namespace tillwatch::engine {

struct DeadLetter {
  uint32_t input = 0;
  int64_t offset = 0;
  std::string json;
};

// A record that became no event.
DeadLetter unreadable_record(const connectors::Record& record, const connectors::Partition& from, const DecodeResult& why);
// An event that a rule's key was spared, or a key that is left alone until its next event. `inputs` name the origins.
DeadLetter failed_step(const rules::StepFailure& failure, const rules::CompiledBundle& bundle,
                       const std::vector<connectors::Partition>& inputs);

// An event that a rule emitted and that could not be sent on.
DeadLetter failed_event(const rules::DerivedEvent& event, const rules::Schema& schema,
                        const std::vector<connectors::Partition>& inputs, const std::string& what);

}  // namespace tillwatch::engine
