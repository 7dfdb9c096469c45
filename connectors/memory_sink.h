// A sink for tests, of either kind: keeps what was committed, and fails as scripted.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/sink.h"

namespace tillwatch::connectors {

// Outlives the engines of a test, as a broker does. Thread: all of it may be called from any.
class MemorySink final : public Sink {
 public:
  enum class Kind { decides, follows };
  explicit MemorySink(Kind kind) : kind_(kind) {}

  // For the test:
  // What happens to the next commit() or append(), one fault each, in order; without one it succeeds.
  enum class Fault {
    none,
    aborted,           // commit() only
    unavailable,       // nothing is written
    unavailable_done,  // it is written, but the answer is lost: commit() only
    fenced,            // commit() only; this one and all that follow
  };
  void script(Fault fault);
  // The next recover() or rewind() fails, one error each.
  void fail_next_recovery(Error error);

  std::vector<OutputRecord> records() const;  // all that is visible, in order
  std::vector<std::string> values(std::string_view topic) const;
  uint64_t commits() const;  // that succeeded; of the kind that follows: appends kept
  CommittedState committed() const;

  // Sink:
  bool decides() const override { return kind_ == Kind::decides; }
  Expected<uint64_t> last_commit(bool settled) override;
  Expected<CommittedState> recover() override;
  // A commit whose number does not follow the last one is refused (invalid): the engine has lost count.
  Expected<CommitOutcome> commit(const OutputBatch& batch) override;
  Expected<std::string> append(const OutputBatch& batch) override;
  Status rewind(const std::string& mark) override;

 private:
  Fault next_fault();
  Status next_recovery();
  void take_positions(const std::vector<Position>& positions);

  const Kind kind_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Fault> faults_;
  std::deque<Error> recovery_errors_;
  bool fenced_ = false;
  std::vector<OutputRecord> records_;
  std::vector<size_t> sizes_;  // of records_ after each commit or append
  CommittedState committed_;
};

}  // namespace tillwatch::connectors
