#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "engine/base/words.h"
#include "state/key_codec.h"
#include "state/store.h"

namespace tillwatch::state {
namespace {

// A redo record: u32 version, u32 count, then each change (u32 key size, u32 value size or kErased, key, value), then the
// xxhash64 of all before it. Numbers are big-endian.
constexpr uint32_t kFormatVersion = 1;
constexpr uint32_t kErased = std::numeric_limits<uint32_t>::max();
constexpr size_t kFrame = sizeof(uint32_t) + sizeof(uint32_t) + sizeof(uint64_t);
constexpr size_t kChangeFrame = 2 * sizeof(uint32_t);

std::unexpected<Error> damaged(std::string_view bytes, std::string_view what) {
  return fail(ErrorKind::corrupt, fmt::format("redo record of {}: {}", counted(bytes.size(), "byte"), what));
}

// The version comes first: a record of another version may have its checksum elsewhere.
Expected<std::string_view> checked_content(std::string_view bytes) {
  std::string_view rest = bytes;
  const std::optional<uint32_t> version = take_u32(rest);
  if (!version) return damaged(bytes, "too short to hold its version");
  if (*version != kFormatVersion) {
    return damaged(bytes,
                   fmt::format("its format version is {}, this program knows {}; if a newer tillwatch wrote it, run that one",
                               *version, kFormatVersion));
  }
  if (bytes.size() < kFrame) return damaged(bytes, "too short to hold a count and a checksum");
  std::string_view checksum = bytes.substr(bytes.size() - sizeof(uint64_t));
  const size_t hashed_size = bytes.size() - sizeof(uint64_t);
  if (take_u64(checksum) != XXH64(bytes.data(), hashed_size, 0)) return damaged(bytes, "its checksum does not match");
  return rest.substr(0, rest.size() - sizeof(uint64_t));
}

}  // namespace

void WriteSet::normalise() {
  if (normalised()) return;
  std::ranges::stable_sort(changes_, {}, &Change::key);
  // Of equal keys the last one stays: the first of the reversed run.
  const auto kept =
      std::unique(changes_.rbegin(), changes_.rend(), [](const Change& a, const Change& b) { return a.key == b.key; });
  changes_.erase(changes_.begin(), kept.base());
}

bool WriteSet::normalised() const {
  const auto unordered = [](const Change& a, const Change& b) { return a.key >= b.key; };
  return std::ranges::adjacent_find(changes_, unordered) == changes_.end();
}

void WriteSet::take(WriteSet& other) {
  if (changes_.empty()) {
    changes_.swap(other.changes_);
    return;
  }
  changes_.insert(changes_.end(), std::make_move_iterator(other.changes_.begin()),
                  std::make_move_iterator(other.changes_.end()));
  other.changes_.clear();
}

size_t WriteSet::bytes() const {
  size_t total = 0;
  for (const Change& change : changes_) total += change.key.size() + (change.value ? change.value->size() : 0);
  return total;
}

std::string WriteSet::encode() const {
  if (!normalised()) {
    WriteSet sorted = *this;
    sorted.normalise();
    return sorted.encode();
  }
  TILLWATCH_CHECK(changes_.size() <= std::numeric_limits<uint32_t>::max());
  std::string out;
  out.reserve(kFrame + changes_.size() * kChangeFrame + bytes());
  append_u32(out, kFormatVersion);
  append_u32(out, static_cast<uint32_t>(changes_.size()));
  for (const Change& change : changes_) {
    const size_t value_size = change.value ? change.value->size() : 0;
    TILLWATCH_CHECK(change.key.size() < kErased && value_size < kErased);
    append_u32(out, static_cast<uint32_t>(change.key.size()));
    append_u32(out, change.value ? static_cast<uint32_t>(value_size) : kErased);
    out += change.key;
    if (change.value) out += *change.value;
  }
  append_u64(out, XXH64(out.data(), out.size(), 0));
  return out;
}

Status WriteSet::visit_encoded(std::string_view bytes, const ChangeVisitor& visit) {
  const Expected<std::string_view> content = checked_content(bytes);
  if (!content) return std::unexpected(content.error());
  std::string_view rest = *content;
  const uint32_t count = take_u32(rest).value();
  std::optional<std::string_view> previous_key;
  for (uint32_t i = 0; i < count; ++i) {
    const std::optional<uint32_t> key_size = take_u32(rest);
    const std::optional<uint32_t> value_size = take_u32(rest);
    if (!key_size || !value_size) return damaged(bytes, fmt::format("it ends in change {} of {}", i + 1, count));
    const bool erased = *value_size == kErased;
    const uint64_t size = uint64_t{*key_size} + (erased ? 0 : *value_size);
    if (size > rest.size()) return damaged(bytes, fmt::format("it ends in change {} of {}", i + 1, count));
    const std::string_view key = rest.substr(0, *key_size);
    if (previous_key && key <= *previous_key) return damaged(bytes, fmt::format("the key of change {} is out of order", i + 1));
    previous_key = key;
    rest.remove_prefix(key.size());
    visit(key, erased ? std::nullopt : std::optional(rest.substr(0, *value_size)));
    rest.remove_prefix(erased ? 0 : *value_size);
  }
  if (!rest.empty())
    return damaged(bytes, fmt::format("{} {} left over after its {}", counted(rest.size(), "byte"),
                                      rest.size() == 1 ? "is" : "are", counted(count, "change")));
  return {};
}

Expected<WriteSet> WriteSet::decode(std::string_view bytes) {
  WriteSet set;
  const Status visited = visit_encoded(bytes, [&](std::string_view key, std::optional<std::string_view> value) {
    if (value) {
      set.put(std::string(key), std::string(*value));
    } else {
      set.erase(std::string(key));
    }
  });
  if (!visited) return std::unexpected(visited.error());
  return set;
}

}  // namespace tillwatch::state
