#include "engine/group_tables.h"

#include <algorithm>

namespace tillwatch::engine {

GroupTables::GroupTables(const rules::CompiledBundle& bundle, const DecodeOptions& decode)
    : tables_(bundle.source.schema), watermarks_(bundle, {}), intake_(bundle, decode, watermarks_, ledger_, nowhere_) {
  intake_.set_row_reader(
      [this](const rules::TableRead& row, std::span<const Value> columns, TimeMs recorded_at, const rules::Origin& origin) {
        tables_.put(row.table, columns);
        changes_.push_back({origin.input, origin.offset, row, recorded_at});
      });
}

void GroupTables::take(const connectors::RecordBatch& batch, const connectors::PartitionReader& reader,
                       const std::map<uint16_t, std::unique_ptr<GroupShard>>& shards) {
  if (batch.records().empty()) return;
  const size_t before = changes_.size();
  intake_.set_inputs(reader.inputs());
  intake_.take(batch, 0);
  intake_.end_round();
  intake_.dead_letters().clear();  // the partition's owner in the group sends them
  tables_.confirm();
  for (size_t i = before; i < changes_.size(); ++i) {
    for (const auto& [number, shard] : shards) shard->row_changed(changes_[i].row, changes_[i].recorded_at);
  }
}

bool GroupTables::whole(const connectors::PartitionReader& reader) {
  if (whole_) return true;
  for (uint32_t i = 0; i < reader.inputs().size(); ++i) {
    if (!reader.at_end(i)) return false;
  }
  return whole_ = true;
}

std::vector<connectors::Position> GroupTables::read(const connectors::PartitionReader& reader) const {
  std::vector<connectors::Position> positions;
  for (uint32_t i = 0; i < reader.inputs().size(); ++i) positions.push_back({reader.inputs()[i], reader.next_offset(i)});
  return positions;
}

bool GroupTables::reached(const std::vector<connectors::Position>& seen, const connectors::PartitionReader& reader) const {
  return std::ranges::all_of(seen, [&](const connectors::Position& each) {
    const auto found = std::ranges::find(reader.inputs(), each.partition);
    if (found == reader.inputs().end()) return true;  // a table the rules no longer name
    return reader.next_offset(static_cast<uint32_t>(found - reader.inputs().begin())) >= each.next_offset;
  });
}

void GroupTables::catch_up(GroupShard& shard) const {
  const std::vector<connectors::Partition>& inputs = intake_.inputs();
  for (const RowChange& change : changes_) {
    const auto seen = std::ranges::find(shard.tables_read(), inputs[change.input], &connectors::Position::partition);
    if (seen != shard.tables_read().end() && change.offset < seen->next_offset) continue;
    shard.row_changed(change.row, change.recorded_at);
  }
}

}  // namespace tillwatch::engine
