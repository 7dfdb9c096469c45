// Where a commit's output goes: alerts, dead letters, derived records, and (for Kafka) the positions with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/source.h"
#include "engine/base/status.h"

namespace tillwatch::connectors {

struct OutputRecord {
  std::string topic;
  std::string key;
  std::string value;       // empty, with a key: a tombstone where a topic is compacted
  int32_t partition = -1;  // Kafka: -1, by key
};

struct OutputBatch {
  uint64_t commit_number = 0;           // counts up by one; 1 is the first commit of a store
  std::vector<OutputRecord> records;    // in the order they are to appear in each topic
  std::vector<Position> positions;      // what has been read, of every input of the batch (next offset: last + 1)
};

enum class CommitOutcome {
  committed,
  aborted,  // nothing of the batch will ever be seen; the same batch may be tried again after re-reading
};

// What a sink remembers of its last commit, read before anything else at start.
struct CommittedState {
  uint64_t commit_number = 0;         // 0: nothing was ever committed
  std::vector<Position> positions;    // empty where the store keeps them (see `decides`)
  std::string mark;                   // see append()
};

// Two kinds of sink, told apart by decides():
//  - a sink that decides (Kafka): commit() makes records and positions visible atomically, and its word is the truth after
//    a crash: the store prepares a redo record before, and applies or drops it after.
//  - a sink that does not (file, terminal, memory): the store decides. append() writes the records and returns a mark (such
//    as the lengths of the files); the store keeps the mark with its state, and rewind(mark) cuts what came after it.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual bool decides() const = 0;

  // decides() only. The number of the last commit, read without disturbing whoever may be committing now. What is just being
  // decided may be missing from it; `settled` waits for that. Error: as recover().
  virtual Expected<uint64_t> last_commit(bool settled) = 0;
  // decides() only. Makes this process the one that commits, and reads what was last committed; blocks until open transactions of
  // an earlier owner are ended.
  virtual Expected<CommittedState> recover() = 0;
  // decides() only. Errors: fenced, unavailable (outcome unknown: call recover() and compare the number), invalid.
  virtual Expected<CommitOutcome> commit(const OutputBatch& batch) = 0;

  // !decides() only.
  virtual Expected<std::string> append(const OutputBatch& batch) = 0;
  virtual Status rewind(const std::string& mark) = 0;
};

}  // namespace tillwatch::connectors
