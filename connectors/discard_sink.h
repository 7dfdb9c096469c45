// A sink that keeps nothing: for runs whose alerts only a person watches.
#pragma once

#include "connectors/sink.h"

namespace tillwatch::connectors {

class DiscardSink final : public Sink {
 public:
  bool decides() const override { return false; }
  Expected<uint64_t> last_commit(bool) override { return fail(ErrorKind::invalid, "a sink that keeps nothing decides nothing"); }
  Expected<CommittedState> recover() override { return fail(ErrorKind::invalid, "a sink that keeps nothing decides nothing"); }
  Expected<CommitOutcome> commit(const OutputBatch&) override { return fail(ErrorKind::invalid, "a sink that keeps nothing decides nothing"); }
  Expected<std::string> append(const OutputBatch&) override { return std::string(); }
  Status rewind(const std::string&) override { return {}; }
};

}  // namespace tillwatch::connectors
