#include "engine/group_restores.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/words.h"

namespace tillwatch::engine {
namespace {

constexpr std::chrono::milliseconds kNoWait{0};
constexpr size_t kChangelogRecords = 2'000;  // of one poll
constexpr TimeMs kSayEvery = 5 * kSecond;

std::string mebibytes(uint64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

}  // namespace

GroupRestores::GroupRestores(std::string changelog_topic, RestoreOptions options, connectors::PartitionReader& changelog,
                             connectors::PartitionReader& tables_reader, GroupTables& tables, state::Store& store,
                             Surroundings surroundings)
    : topic_(std::move(changelog_topic)),
      options_(options),
      changelog_(changelog),
      tables_reader_(tables_reader),
      tables_(tables),
      store_(store),
      surroundings_(std::move(surroundings)) {}

Status GroupRestores::begin(uint16_t number, uint64_t wanted) {
  const auto found = under_way_.find(number);
  if (found != under_way_.end() && found->second.restore.wanted() == wanted) return {};
  ShardRestore restore(number, wanted, options_);
  if (Status begun = restore.begin(store_, surroundings_.wall()); !begun) return begun;
  if (Status followed = changelog_.follow({topic_, number}, restore.next_offset()); !followed) return followed;
  const TimeMs now = surroundings_.steady();
  const int64_t from = restore.next_offset();
  under_way_.insert_or_assign(
      number, UnderWay{.restore = std::move(restore), .loading = nullptr, .from = from, .began = now, .said = now});
  return {};
}

Status GroupRestores::drop(uint16_t number) {
  if (under_way_.erase(number) == 0) return {};
  return changelog_.leave({topic_, number});
}

Status GroupRestores::read_changelog() {
  connectors::RecordBatch batch;
  if (Status read = changelog_.poll(batch, kChangelogRecords, kNoWait); !read) return read;
  const TimeMs wall = surroundings_.wall();
  for (const connectors::Record& record : batch.records()) {
    const auto found = under_way_.find(static_cast<uint16_t>(changelog_.inputs()[record.input].number));
    if (found == under_way_.end()) continue;
    if (Status taken = found->second.restore.take(record); !taken) return taken;
    ++records_;
    bytes_ += record.key.size() + record.value.size();
  }
  for (uint32_t i = 0; i < changelog_.inputs().size(); ++i) {
    const auto found = under_way_.find(static_cast<uint16_t>(changelog_.inputs()[i].number));
    if (found == under_way_.end()) continue;
    ShardRestore& restore = found->second.restore;
    if (Status saved = restore.save(store_, wall); !saved) return saved;
    if (!changelog_.at_end(i)) continue;
    if (Status ended = restore.at_end(wall); !ended) return ended;
  }
  return {};
}

// The changelog is applied, and the tables are as far as the shard has seen them.
Expected<bool> GroupRestores::is_ready(uint16_t number, const UnderWay& shard) {
  if (shard.restore.needs_changelog()) return false;
  const auto self = store_.get(shard_self_key(number));
  if (!self) return std::unexpected(self.error());
  if (!self->has_value()) return true;
  const auto seen = tables_of_self(**self);
  if (!seen) return std::unexpected(seen.error());
  return tables_.reached(*seen, tables_reader_);
}

// A piece at least, also when the time is up.
Expected<bool> GroupRestores::load(uint16_t number, UnderWay& shard, TimeMs until) {
  if (!shard.loading) shard.loading = surroundings_.make(number);
  while (true) {
    auto loaded = shard.loading->load_some(options_.keys_at_once);
    if (!loaded) shard.loading.reset();
    if (!loaded || *loaded) return loaded;
    if (surroundings_.steady() >= until) return false;
  }
}

Status GroupRestores::go_on(const std::function<void(std::unique_ptr<GroupShard>)>& ready) {
  if (under_way_.empty()) return {};
  if (Status read = read_changelog(); !read) return read;
  if (tables_.whole(tables_reader_)) {
    const TimeMs until = surroundings_.steady() + options_.load_for;
    for (auto each = under_way_.begin(); each != under_way_.end();) {
      auto& [number, shard] = *each;
      const auto is_ready_now = is_ready(number, shard);
      if (!is_ready_now) return std::unexpected(is_ready_now.error());
      if (!*is_ready_now) {
        ++each;
        continue;
      }
      const auto loaded = load(number, shard, until);
      if (!loaded) return std::unexpected(loaded.error());
      if (!*loaded) break;  // one after another: the first is served sooner
      if (Status left = changelog_.leave({topic_, number}); !left) return left;
      tables_.catch_up(*shard.loading);
      surroundings_.say(fmt::format("shard {} is served from commit {} on; {} ({}) were read for it in {:.1f} s", number,
                                    shard.restore.wanted(), counted(shard.restore.records(), "changelog record"),
                                    mebibytes(shard.restore.bytes()),
                                    static_cast<double>(surroundings_.steady() - shard.began) / kSecond));
      std::unique_ptr<GroupShard> served = std::move(shard.loading);
      each = under_way_.erase(each);
      ready(std::move(served));
    }
  }
  tell_progress();
  return {};
}

// By offsets, which a compacted changelog has more of than records.
RestoreProgress GroupRestores::progress_of(uint16_t number, const UnderWay& shard) const {
  RestoreProgress progress{
      .shard = number, .began = shard.began, .records = shard.restore.records(), .bytes = shard.restore.bytes()};
  const auto found = std::ranges::find(changelog_.inputs(), connectors::Partition{topic_, number});
  if (found == changelog_.inputs().end()) return progress;
  const int64_t lag = changelog_.lag(static_cast<uint32_t>(found - changelog_.inputs().begin()));
  progress.records_left = shard.restore.needs_changelog() ? lag : 0;
  const int64_t done = shard.restore.next_offset() - shard.from;
  if (progress.records_left < 0) return progress;
  if (progress.records_left == 0) {
    progress.bytes_left = progress.time_left = 0;
  } else if (done > 0) {
    const double left_by_done = static_cast<double>(progress.records_left) / static_cast<double>(done);
    progress.bytes_left = static_cast<int64_t>(static_cast<double>(progress.bytes) * left_by_done);
    progress.time_left = static_cast<DurationMs>(static_cast<double>(surroundings_.steady() - shard.began) * left_by_done);
  }
  return progress;
}

std::vector<RestoreProgress> GroupRestores::progress() const {
  std::vector<RestoreProgress> progress;
  for (const auto& [number, shard] : under_way_) progress.push_back(progress_of(number, shard));
  return progress;
}

void GroupRestores::tell_progress() {
  const TimeMs now = surroundings_.steady();
  for (auto& [number, shard] : under_way_) {
    if (now - shard.said < kSayEvery) continue;
    shard.said = now;
    const RestoreProgress progress = progress_of(number, shard);
    const std::string read =
        fmt::format("shard {} is being restored to commit {}: {} ({}) read", number, shard.restore.wanted(),
                    counted(progress.records, "changelog record"), mebibytes(progress.bytes));
    if (shard.loading) {
      surroundings_.say(fmt::format("{}, {} loaded so far", read, counted(shard.loading->shard().keys(), "key")));
    } else if (!shard.restore.needs_changelog()) {
      surroundings_.say(read + "; it waits for its turn, or for the reference tables");
    } else if (progress.time_left < 0) {
      surroundings_.say(read + "; how many are left is not known yet");
    } else {
      surroundings_.say(fmt::format("{}, about {} records ({}) and {} s left", read, progress.records_left,
                                    mebibytes(static_cast<uint64_t>(progress.bytes_left)), progress.time_left / kSecond));
    }
  }
}

}  // namespace tillwatch::engine
