// Reference tables of a group's member: all of each topic, read by every member for itself. A shard remembers how far the
// tables were read that it has seen; who takes it over waits until it has read as far, and tells the shard what came since.
#pragma once

#include <vector>

#include "connectors/group_link.h"
#include "engine/group_shard.h"
#include "engine/intake.h"
#include "rules/runtime/tables.h"

namespace tillwatch::engine {

class GroupTables {
 public:
  // The bundle outlives it.
  GroupTables(const rules::CompiledBundle& bundle, const DecodeOptions& decode);

  const rules::Tables& tables() const { return tables_; }
  void set_careful(bool careful) { intake_.set_careful(careful); }
  // Takes rows in, and tells the shards.
  void take(const connectors::RecordBatch& batch, const connectors::PartitionReader& reader,
            const std::map<uint16_t, std::unique_ptr<GroupShard>>& shards);
  // Whether every topic was read to its end once: nothing is judged before.
  bool whole(const connectors::PartitionReader& reader);
  std::vector<connectors::Position> read(const connectors::PartitionReader& reader) const;
  // Whether the tables are as far as `seen`.
  bool reached(const std::vector<connectors::Position>& seen, const connectors::PartitionReader& reader) const;
  // Tells the shard of all rows that came after those it has seen.
  void catch_up(GroupShard& shard) const;

 private:
  // Nothing leaves here: rules on tables are fed by who owns the topic's partition.
  class Nowhere final : public Exchange {
   public:
    void send(const Delivery&) override {}
  };
  struct RowChange {
    uint32_t input = 0;
    int64_t offset = 0;
    rules::TableRead row;
    TimeMs recorded_at = 0;
  };
  rules::Tables tables_;
  Watermarks watermarks_;
  Ledger ledger_;
  Nowhere nowhere_;
  Intake intake_;
  std::vector<RowChange> changes_;
  bool whole_ = false;
};

}  // namespace tillwatch::engine
