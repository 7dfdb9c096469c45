#include "connectors/file_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/words.h"

namespace tillwatch::connectors {
namespace {

constexpr size_t kChunk = 256 << 10;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::unexpected<Error> read_error(const std::string& name, int error) {
  return fail(ErrorKind::unavailable, fmt::format("{}: reading failed: {}", name, std::strerror(error)));
}

std::unexpected<Error> cut(const std::string& name, int64_t size, int64_t position) {
  return fail(ErrorKind::invalid,
              fmt::format("{}: it has {}, but has been read up to byte {}: it was cut or replaced; restore "
                          "it, or start afresh with a new store",
                          name, counted(static_cast<uint64_t>(size), "byte"), position));
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) ::close(number_);
}

LineReader::LineReader(FileDescriptor file, std::string name, bool seekable, Limits limits)
    : file_(std::move(file)), name_(std::move(name)), seekable_(seekable), limits_(limits) {}

Expected<LineReader> LineReader::open(const std::string& path, Limits limits) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : "input file " + path;
  FileDescriptor file(standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                     : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status = {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    const int error = errno;
    const bool mistake = error == ENOENT || error == ENOTDIR || error == EACCES || error == EBADF || error == ELOOP;
    return fail(mistake ? ErrorKind::invalid : ErrorKind::unavailable,
                fmt::format("{}: cannot be opened: {}; check the path and its permissions", name, std::strerror(error)));
  }
  if (S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::invalid, fmt::format("{}: this is a directory; name the files in it", name));
  }
  return LineReader(std::move(file), name, S_ISREG(status.st_mode), limits);
}

Expected<LineReader::Outcome> LineReader::next(Line& line) {
  while (true) {
    if (take_line(line)) return Outcome::line;
    if (ended_) return Outcome::end;
    const Expected<Fill> filled = fill();
    if (!filled) return std::unexpected(filled.error());
    if (*filled == Fill::nothing) return Outcome::nothing;
    if (*filled == Fill::end) {
      const bool final_end = !limits_.follow || !seekable_;
      if (!final_end) return Outcome::end;
      ended_ = true;
      return take_last_line(line) ? Outcome::line : Outcome::end;
    }
  }
}

// The next line that is in the buffer with its newline and not empty.
bool LineReader::take_line(Line& line) {
  while (scanned_ < end_) {
    const void* found = std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_);
    if (found == nullptr) {
      scanned_ = end_;
      break;
    }
    const size_t newline = static_cast<size_t>(static_cast<const char*>(found) - buffer_.data());
    if (hand_out(line, newline + 1 - begin_)) return true;
  }
  if (discarded_ > 0 || end_ - begin_ > limits_.max_line_bytes + 1) discard_oversize();
  return false;
}

// What stands after the last newline.
bool LineReader::take_last_line(Line& line) { return (end_ > begin_ || discarded_ > 0) && hand_out(line, end_ - begin_); }

// Moves past the line that takes `size_with_end` bytes of the buffer; false when it is empty.
bool LineReader::hand_out(Line& line, size_t size_with_end) {
  std::string_view text(buffer_.data() + begin_, size_with_end);
  line.offset = position_;
  position_ += discarded_ + static_cast<int64_t>(size_with_end);
  begin_ += size_with_end;
  scanned_ = begin_;
  if (discarded_ > 0) {
    discarded_ = 0;
    line.text = oversize_head_;
    line.oversize = true;
    return true;
  }
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (line.offset == 0 && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  line.oversize = text.size() > limits_.max_line_bytes;
  line.text = line.oversize ? text.substr(0, std::min(kOversizeHead, limits_.max_line_bytes)) : text;
  return !text.empty();
}

// Forgets what the buffer holds of a line that is too long, but for its beginning.
void LineReader::discard_oversize() {
  if (discarded_ == 0) oversize_head_.assign(buffer_, begin_, std::min(kOversizeHead, limits_.max_line_bytes));
  discarded_ += static_cast<int64_t>(end_ - begin_);
  begin_ = scanned_ = end_ = 0;
}

Expected<LineReader::Fill> LineReader::fill() {
  if (!seekable_) {
    struct pollfd waiting = {.fd = descriptor(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, 0);
    if (ready < 0 && errno != EINTR) return read_error(name_, errno);
    if (ready <= 0) return Fill::nothing;
  }
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kChunk) buffer_.resize(2 * (end_ + kChunk));  // at most 2 * (max_line_bytes + 2 chunks)
  const int64_t read_at = position_ + discarded_ + static_cast<int64_t>(end_);
  ssize_t size = 0;
  do {
    size = seekable_ ? ::pread(descriptor(), buffer_.data() + end_, buffer_.size() - end_, read_at)
                     : ::read(descriptor(), buffer_.data() + end_, buffer_.size() - end_);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) return Fill::nothing;
  if (size < 0) return read_error(name_, errno);
  end_ += static_cast<size_t>(size);
  if (size > 0) return Fill::some;
  if (const Status whole = check_not_cut(); !whole) return std::unexpected(whole.error());
  return Fill::end;
}

Status LineReader::check_not_cut() const {
  if (!seekable_) return {};
  struct stat status = {};
  if (::fstat(descriptor(), &status) != 0) return read_error(name_, errno);
  const int64_t read_up_to = position_ + discarded_ + static_cast<int64_t>(end_ - begin_);
  if (status.st_size < read_up_to) return cut(name_, status.st_size, read_up_to);
  return {};
}

Status LineReader::seek(int64_t offset) {
  if (!seekable_) {
    if (offset == position_) return {};
    return fail(ErrorKind::invalid,
                fmt::format("{}: a stream at byte {} cannot go on at byte {}; write it to a file and name that, or "
                            "start afresh with a new store",
                            name_, position_, offset));
  }
  struct stat status = {};
  if (::fstat(descriptor(), &status) != 0) return read_error(name_, errno);
  if (offset < 0 || offset > status.st_size) return cut(name_, status.st_size, offset);
  char around[2] = {'\n', '\n'};  // the bytes before and at `offset`: one of them ends a line, unless there is none
  if (offset > 0 && offset < status.st_size && ::pread(descriptor(), around, 2, offset - 1) != 2)
    return read_error(name_, errno);
  if (around[0] != '\n' && around[1] != '\n') {
    return fail(ErrorKind::invalid,
                fmt::format("{}: byte {}, where reading shall go on, is inside a line: the file was replaced; restore "
                            "it, or start afresh with a new store",
                            name_, offset));
  }
  begin_ = scanned_ = end_ = 0;
  discarded_ = 0;
  position_ = offset;
  ended_ = false;
  return {};
}

}  // namespace tillwatch::connectors
