#include "engine/shard_restore.h"

#include <fmt/format.h>

#include "engine/group_shard.h"
#include "rules/runtime/bytes.h"
#include "state/key_codec.h"

namespace tillwatch::engine {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint16_t kOwnShard = 0xffff;
constexpr uint32_t kPlaceSlot = 200;
constexpr size_t kEraseAtOnce = 10'000;
constexpr TimeMs kLongAgo = 1;

std::string place_key(uint16_t shard) {
  std::string number, key;
  state::append_u16(number, shard);
  state::append_state_key(key, kOwnShard, kPlaceSlot, number, 0, 0);
  return key;
}

Status erase_shard(state::Store& store, uint16_t shard) {
  while (true) {
    state::WriteSet changes;
    size_t found = 0;
    const Status scanned = store.scan(state::shard_prefix(shard), [&](std::string_view key, std::string_view) {
      changes.erase(std::string(key));
      return ++found < kEraseAtOnce;
    });
    if (!scanned) return scanned;
    const bool all = found < kEraseAtOnce;
    put_changelog_place(changes, shard, {0, all ? 0 : kLongAgo});  // begun and not ended: begun again
    changes.normalise();
    if (Status erased = store.commit(store.applied() + 1, changes); !erased) return erased;
    if (all) return {};
  }
}

}  // namespace

void put_changelog_place(state::WriteSet& changes, uint16_t shard, const ChangelogPlace& place) {
  std::string bytes;
  rules::ByteWriter out(bytes);
  out.fixed(kVersion);
  out.fixed(place.next_offset);
  out.fixed(place.saved_at);
  changes.put(place_key(shard), std::move(bytes));
}

Expected<ChangelogPlace> changelog_place(const state::Store& store, uint16_t shard) {
  const auto stored = store.get(place_key(shard));
  if (!stored) return std::unexpected(stored.error());
  ChangelogPlace place;
  if (!stored->has_value()) return place;
  rules::ByteReader in(**stored);
  const auto version = in.fixed<uint8_t>();
  place.next_offset = in.fixed<int64_t>();
  place.saved_at = in.fixed<TimeMs>();
  if (version == kVersion && in.ok() && in.done()) return place;
  return fail(ErrorKind::corrupt,
              fmt::format("store: the changelog position of shard {} is damaged or of another format", shard));
}

Status ShardRestore::begin(state::Store& store, TimeMs wall) {
  const auto place = changelog_place(store, shard_);
  if (!place) return std::unexpected(place.error());
  const auto self = store.get(shard_self_key(shard_));
  if (!self) return std::unexpected(self.error());
  next_offset_ = place->next_offset;
  if (self->has_value()) {
    const auto have = commits_of_self(**self);
    if (!have) return std::unexpected(have.error());
    have_ = *have;
  }
  if (have_ > wanted_) {
    return fail(
        ErrorKind::invalid,
        fmt::format("shard {}: the store is at commit {} and the group at commit {}: they do not belong together. Use an empty "
                    "state.path (it is filled from the changelog), or the group this store was run with",
                    shard_, have_, wanted_));
  }
  if (have_ == wanted_ || wall - place->saved_at <= options_.oldest_store || place->saved_at == 0) return {};
  if (Status erased = erase_shard(store, shard_); !erased) return erased;
  have_ = 0;
  next_offset_ = 0;
  return {};
}

Status ShardRestore::take(const connectors::Record& record) {
  ++records_;
  bytes_ += record.key.size() + record.value.size();
  next_offset_ = record.offset + 1;
  if (wanted_ == 0 || have_ >= wanted_) {
    return fail(
        ErrorKind::invalid,
        fmt::format(
            "shard {}: the changelog goes on after commit {}, the last one the group's offsets name. The group's offsets "
            "were deleted or reset, or another group writes this changelog: restore the offsets, or delete the group's "
            "exchange and changelog topics to begin anew",
            shard_, wanted_));
  }
  if (record.key == shard_self_key(shard_)) {
    const auto have = commits_of_self(record.value);
    if (!have) return std::unexpected(have.error());
    have_ = *have;
  }
  if (record.value.empty()) {
    changes_.erase(std::string(record.key));
  } else {
    changes_.put(std::string(record.key), std::string(record.value));
  }
  return {};
}

Status ShardRestore::save(state::Store& store, TimeMs wall) {
  if (changes_.empty()) return {};
  put_changelog_place(changes_, shard_, {next_offset_, wall});
  changes_.normalise();
  const Status saved = store.commit(store.applied() + 1, changes_);
  if (saved) changes_.clear();
  return saved;
}

Status ShardRestore::at_end(TimeMs wall) {
  if (!end_seen_) end_seen_at_ = wall;
  end_seen_ = true;
  if (have_ == wanted_ || wall - end_seen_at_ <= options_.patience) return {};
  return fail(
      ErrorKind::corrupt,
      fmt::format(
          "shard {}: the changelog ends at commit {}, and the group's offsets name commit {}: records of it were lost. Start "
          "the member whose store has them, if there is one; otherwise begin anew with another group",
          shard_, have_, wanted_));
}

}  // namespace tillwatch::engine
