#include "rules/runtime/tables.h"

#include <algorithm>

#include "rules/runtime/bytes.h"

namespace tillwatch::rules {
namespace {

const std::vector<RowVersion> kNoVersions;

TimeMs time_or(std::span<const Value> values, int column, TimeMs otherwise) {
  if (column < 0 || values[static_cast<size_t>(column)].missing()) return otherwise;
  return values[static_cast<size_t>(column)].i;
}

bool recorded_before(const RowVersion& a, const RowVersion& b) {
  return std::pair(a.recorded_at, a.effective_from) < std::pair(b.recorded_at, b.effective_from);
}

}  // namespace

Tables::Tables(const Schema& schema) : schema_(schema) {
  for (const rules::Table& table : schema.tables) {
    std::vector<ValueKind> kinds;
    for (const Field& column : table.columns) kinds.push_back(value_kind(column.type.kind));
    tables_.push_back({RowLayout(std::move(kinds)), {}});
  }
}

std::string Tables::key_of(int, std::span<const Value> key_values) const {
  std::string key;
  append_key(key_values, key);
  return key;
}

size_t Tables::size_of(const std::vector<RowVersion>& versions) {
  size_t bytes = 64;
  for (const RowVersion& version : versions) bytes += sizeof(RowVersion) + version.row.size();
  return bytes;
}

std::string Tables::put(int table, std::span<const Value> values) {
  const rules::Table& declared = schema_.tables[static_cast<size_t>(table)];
  Table& stored = tables_[static_cast<size_t>(table)];
  std::vector<Value> key_values;
  for (int32_t column : declared.key) key_values.push_back(values[static_cast<size_t>(column)]);
  std::string key = key_of(table, key_values);

  RowVersion version;
  version.effective_from = time_or(values, declared.valid_from, kBeforeAllTime);
  version.effective_to = time_or(values, declared.valid_to, kAfterAllTime);
  version.recorded_at = time_or(values, declared.recorded_at, version.effective_from);
  stored.layout.encode(values, version.row);

  std::vector<RowVersion>& versions = stored.rows[key];
  undo_.push_back({table, key, versions});
  if (!versions.empty()) bytes_ -= size_of(versions);
  const auto same = std::find_if(versions.begin(), versions.end(), [&](const RowVersion& other) {
    return other.effective_from == version.effective_from && other.recorded_at == version.recorded_at;
  });
  if (same != versions.end()) {
    *same = std::move(version);
  } else {
    versions.insert(std::upper_bound(versions.begin(), versions.end(), version, recorded_before), std::move(version));
  }
  bytes_ += size_of(versions);
  return key;
}

const RowVersion* Tables::find(int table, std::string_view key, TimeMs at, TimeMs known) const {
  const auto& rows = tables_[static_cast<size_t>(table)].rows;
  const auto found = rows.find(key);
  if (found == rows.end()) return nullptr;
  const RowVersion* best = nullptr;
  for (const RowVersion& version : found->second) {
    if (version.recorded_at > known) break;
    if (version.effective_from > at || at >= version.effective_to) continue;
    if (best == nullptr || version.effective_from >= best->effective_from) best = &version;
  }
  return best;
}

const std::vector<RowVersion>& Tables::versions(int table, std::string_view key) const {
  const auto& rows = tables_[static_cast<size_t>(table)].rows;
  const auto found = rows.find(key);
  return found == rows.end() ? kNoVersions : found->second;
}

void Tables::abort() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
    auto& rows = tables_[static_cast<size_t>(undo->table)].rows;
    const auto found = rows.find(undo->key);
    if (found != rows.end()) bytes_ -= size_of(found->second);
    if (undo->before.empty()) {
      rows.erase(undo->key);
    } else {
      bytes_ += size_of(undo->before);
      rows[undo->key] = std::move(undo->before);
    }
  }
  undo_.clear();
}

// Tables are found again by name: their order in the schema may change between runs.
std::string Tables::stored_key(int table, std::string_view key) const {
  std::string stored;
  ByteWriter writer(stored);
  writer.text(schema_.tables[static_cast<size_t>(table)].name);
  stored.append(key);
  return stored;
}

std::vector<Tables::Stored> Tables::changes() const {
  std::vector<Stored> result;
  for (const Undo& undo : undo_) {
    Stored stored;
    stored.key = stored_key(undo.table, undo.key);
    ByteWriter writer(stored.value);
    const std::vector<RowVersion>& all = versions(undo.table, undo.key);
    writer.fixed(static_cast<uint32_t>(all.size()));
    for (const RowVersion& version : all) {
      writer.fixed(version.effective_from);
      writer.fixed(version.effective_to);
      writer.fixed(version.recorded_at);
      writer.text(version.row);
    }
    result.push_back(std::move(stored));
  }
  return result;
}

Status Tables::restore(std::string_view key, std::string_view value) {
  ByteReader name_reader(key);
  const std::string_view name = name_reader.text();
  if (!name_reader.ok()) return fail(ErrorKind::corrupt, "store: a table row has a damaged key");
  const int table = schema_.find_table(name);
  if (table < 0) return {};  // a table the rules no longer name
  Table& stored = tables_[static_cast<size_t>(table)];
  ByteReader reader(value);
  std::vector<RowVersion> versions(reader.count(24));
  for (RowVersion& version : versions) {
    version.effective_from = reader.fixed<TimeMs>();
    version.effective_to = reader.fixed<TimeMs>();
    version.recorded_at = reader.fixed<TimeMs>();
    version.row = reader.text();
    if (!reader.ok() || !stored.layout.valid(version.row)) {
      return fail(ErrorKind::corrupt,
                  "store: a row of table `" + std::string(name) + "` is damaged or was written under another schema");
    }
  }
  bytes_ += size_of(versions);
  stored.rows[std::string(key.substr(4 + name.size()))] = std::move(versions);
  return {};
}

size_t Tables::rows() const {
  size_t count = 0;
  for (const Table& table : tables_) count += table.rows.size();
  return count;
}

}  // namespace tillwatch::rules
