// What a member of a group has to do with the outside: source partitions and shards that are given to it and taken away,
// readers for what every member follows, and one transaction that moves all of it. Bytes and positions; nothing of events,
// rules or alerts. Kafka stands behind it in production (kafka_group.h), a model of a broker in simulations.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "connectors/sink.h"
#include "connectors/source.h"
#include "engine/base/status.h"

namespace tillwatch::connectors {

// A source whose partitions belong to a consumer group. A position is committed with a note, and the note comes back with it to
// whoever owns the partition next.
class GroupSource : public Source {
 public:
  // What was committed with the position this input was placed at; empty: nothing was ever committed. Of owned inputs.
  virtual const std::string& note(uint32_t index) const = 0;
  // Only the records of these partitions are held back, until the next call says otherwise. Same thread as poll().
  virtual Status hold_partitions(const std::vector<Partition>& partitions) = 0;
};

// Reads the partitions it is told to, from where it is told, up to the last decided transaction; in no group. One thread.
class PartitionReader {
 public:
  virtual ~PartitionReader() = default;
  // Every partition ever followed; indices are stable.
  virtual const std::vector<Partition>& inputs() const = 0;
  virtual Status follow(const Partition& partition, int64_t from) = 0;
  virtual Status leave(const Partition& partition) = 0;
  // Appends up to `max_records`, waiting at most `wait` for the first. Errors: unavailable, invalid (what it stands at is
  // gone).
  virtual Status poll(RecordBatch& batch, size_t max_records, std::chrono::milliseconds wait) = 0;
  virtual int64_t next_offset(uint32_t index) const = 0;
  // Whether it was shown to be read to its end since it was followed.
  virtual bool at_end(uint32_t index) const = 0;
  // Records to the end as last seen; -1: not known.
  virtual int64_t lag(uint32_t index) const = 0;
};

struct GroupPosition {
  Partition partition;
  int64_t next_offset = 0;
  std::string note;  // printable, at most kMaxNoteBytes
};
inline constexpr size_t kMaxNoteBytes = 4096;  // what a broker keeps unless told otherwise

struct GroupBatch {
  std::vector<OutputRecord> records;  // in the order they are to appear in each partition
  // All owned source partitions and shards: a commit that names none of a group is not checked against it.
  std::vector<GroupPosition> sources, shards;
};

struct GroupCommit {
  CommitOutcome outcome = CommitOutcome::aborted;
  bool refused = false;  // aborted, because the group has given what is named to others meanwhile
  // Per topic and partition written: where the next record goes.
  std::map<std::pair<std::string, int32_t>, int64_t> ends;
};

class GroupLink {
 public:
  virtual ~GroupLink() = default;
  virtual GroupSource& sources() = 0;
  virtual GroupSource& shards() = 0;      // the exchange topic: a partition is a shard
  virtual PartitionReader& tables() = 0;  // every partition of the reference topics is followed from the beginning
  virtual PartitionReader& changelog() = 0;

  // Makes this process able to commit: once before the first commit, and after a commit of unknown outcome. Ends what an
  // earlier process of this member left open. Errors: unavailable, fenced, invalid.
  virtual Status begin() = 0;
  // One transaction. `aborted`: nothing of it will ever be seen; positions are to be read again. Errors: unavailable (outcome
  // unknown: begin() comes next, and positions are read again), fenced, invalid.
  virtual Expected<GroupCommit> commit(const GroupBatch& batch) = 0;
  // Forgets records of the exchange before these positions, which must be committed. Failure loses nothing but disk space.
  virtual Status trim(const std::vector<Position>& positions) = 0;
};

}  // namespace tillwatch::connectors
