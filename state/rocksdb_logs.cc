#include "state/rocksdb_logs.h"

#include <fmt/format.h>
#include <rocksdb/file_checksum.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "state/key_codec.h"

namespace tillwatch::state {
namespace {

namespace fs = std::filesystem;

// A log is blocks of 32 KiB. A record lies in them in fragments: u32 masked CRC-32C of all that follows the length, u16 length,
// u8 type, bytes; less than a frame at the end of a block is padding. A record is a write batch and starts with its u64 sequence
// number and u32 count. Numbers are little-endian. RocksDB's wiki, "Write Ahead Log File Format".
constexpr size_t kBlock = 32 << 10;
constexpr size_t kFrame = 7;
constexpr size_t kBatchHead = 12;
constexpr uint8_t kZero = 0, kFull = 1, kFirst = 2, kLast = 4;

template <class Number>
Number little_endian(std::string_view bytes, size_t at) {
  Number number = 0;
  for (size_t i = sizeof(Number); i-- > 0;) number = static_cast<Number>(number << 8 | static_cast<uint8_t>(bytes[at + i]));
  return number;
}

struct Fragment {
  uint8_t type = kZero;
  std::string_view bytes;
};

uint32_t crc32c(std::string_view bytes) {
  static const std::shared_ptr<rocksdb::FileChecksumGenFactory> kFactory = rocksdb::GetFileChecksumGenCrc32cFactory();
  const std::unique_ptr<rocksdb::FileChecksumGenerator> sum = kFactory->CreateFileChecksumGenerator({});
  sum->Update(bytes.data(), bytes.size());
  sum->Finalize();
  const std::string digits = sum->GetChecksum();
  std::string_view rest = digits;
  const std::optional<uint32_t> number = take_u32(rest);
  TILLWATCH_CHECK(number.has_value());
  return *number;
}

std::optional<Fragment> fragment_at(std::string_view block, size_t at) {
  if (at + kFrame > block.size()) return std::nullopt;
  const Fragment fragment{static_cast<uint8_t>(block[at + 6]),
                          block.substr(at + kFrame, little_endian<uint16_t>(block, at + 4))};
  if (fragment.type == kZero || fragment.bytes.size() < little_endian<uint16_t>(block, at + 4)) return std::nullopt;
  const uint32_t sum = crc32c(block.substr(at + 6, 1 + fragment.bytes.size()));
  constexpr uint32_t kMask = 0xa282ead8;
  if (little_endian<uint32_t>(block, at) != (sum >> 15 | sum << 17) + kMask) return std::nullopt;
  return fragment;
}

bool begins_record(uint8_t type) { return type == kFull || type == kFirst; }

// Behind damage it is not known where the next fragment lies. Any offset but that of a block is tried for a record's first only:
// what else looks like a fragment's type is too often none, and its checksum is not worth working out.
bool may_be_fragment(std::string_view block, size_t at) {
  return at == 0 || (at + kFrame <= block.size() && begins_record(static_cast<uint8_t>(block[at + kFrame - 1])));
}

class LogCheck {
 public:
  explicit LogCheck(const std::string& path) : path_(path) {}

  Status read(const std::string& log) {
    std::ifstream file(path_ + "/" + log, std::ios::binary);
    log_ = log;
    head_.reset();
    is_broken_ = false;
    std::string block(kBlock, '\0');
    uint64_t begin = 0;
    while (file) {
      file.read(block.data(), kBlock);
      const auto size = static_cast<size_t>(file.gcount());
      if (const Status whole = read_block(std::string_view(block).substr(0, size), begin); !whole) return whole;
      begin += size;
    }
    if (!file.eof()) {
      return fail(ErrorKind::unavailable, fmt::format("store {}: {} cannot be read: {}; check that the disk is healthy", path_,
                                                      log, std::strerror(errno)));
    }
    if (head_ && !is_broken_) note_break(begin);
    return {};
  }

 private:
  Status read_block(std::string_view block, uint64_t begin) {
    for (size_t at = 0; at < block.size();) {
      if (block.size() == kBlock && kBlock - at < kFrame) break;
      if (is_broken_ && !may_be_fragment(block, at)) {
        ++at;
        continue;
      }
      const std::optional<Fragment> fragment = fragment_at(block, at);
      if (is_broken_) {
        if (fragment && begins_record(fragment->type)) return damage(*broken_log_, broken_at_);
        at += fragment ? kFrame + fragment->bytes.size() : 1;
        continue;
      }
      const bool is_note = fragment && fragment->type > kLast;  // RocksDB's own, between records
      if (!fragment || (!is_note && begins_record(fragment->type) == head_.has_value())) {
        note_break(begin + at);
        continue;
      }
      if (!is_note) {
        if (const Status follows = take(*fragment, begin + at); !follows) return follows;
      }
      at += kFrame + fragment->bytes.size();
    }
    return {};
  }

  Status take(const Fragment& fragment, uint64_t at) {
    if (begins_record(fragment.type)) head_.emplace();
    head_->append(fragment.bytes.substr(0, kBatchHead - head_->size()));
    if (fragment.type != kFull && fragment.type != kLast) return {};
    const std::string head = *std::exchange(head_, std::nullopt);
    if (head.size() < kBatchHead) return damage(log_, at);
    const auto sequence = little_endian<uint64_t>(head, 0);
    // A start that found a torn end wrote on in a new log with the number that the torn record would have had.
    if (broken_log_ && next_ && sequence != *next_) return damage(*broken_log_, broken_at_);
    broken_log_.reset();
    next_ = sequence + little_endian<uint32_t>(head, 8);
    return {};
  }

  void note_break(uint64_t at) {
    is_broken_ = true;
    broken_log_ = log_;
    broken_at_ = at;
  }

  std::unexpected<Error> damage(const std::string& log, uint64_t at) const {
    return fail(ErrorKind::corrupt,
                fmt::format("store {}: {} is damaged at byte {}, and commits are behind the damage; keep the files, and "
                            "restore the directory from a copy or start with an empty one",
                            path_, log, at));
  }

  const std::string path_;
  std::string log_;
  std::optional<std::string> head_;        // of the record that the fragments so far begin
  bool is_broken_ = false;                 // this log
  std::optional<std::string> broken_log_;  // the one whose end nothing has followed so far
  uint64_t broken_at_ = 0;
  std::optional<uint64_t> next_;  // sequence number after the last whole record
};

}  // namespace

Status check_logs(const std::string& path) {
  std::vector<std::pair<uint64_t, std::string>> logs;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path name = entry->path().filename();
    const std::string number = name.stem().string();
    const bool is_number = !number.empty() && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
    if (name.extension() == ".log" && is_number) logs.emplace_back(std::stoull(number), name.string());
  }
  if (error) {
    return fail(ErrorKind::unavailable, fmt::format("store {}: {}; check the path and its permissions", path, error.message()));
  }
  std::ranges::sort(logs);
  LogCheck check(path);
  for (const auto& [number, name] : logs) {
    if (const Status whole = check.read(name); !whole) return whole;
  }
  return {};
}

}  // namespace tillwatch::state
