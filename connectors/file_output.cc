#include "connectors/file_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/words.h"

namespace tillwatch::connectors {
namespace {

constexpr int kStreamTimeOutMs = 10'000;  // how long a reader of our pipe may keep us waiting

std::unexpected<Error> system_error(const std::string& name, std::string_view doing, int error) {
  return fail(ErrorKind::unavailable, fmt::format("{}: {} failed: {}", name, doing, std::strerror(error)));
}

}  // namespace

Expected<OutputFile> OutputFile::open(const std::string& path) {
  const bool standard_output = path == "-";
  const std::string name = standard_output ? "standard output" : "output file " + path;
  FileDescriptor file(standard_output ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                                      : ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644));
  struct stat status = {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    const int error = errno;
    const bool mistake = error == ENOENT || error == ENOTDIR || error == EISDIR || error == EACCES || error == EBADF;
    return fail(mistake ? ErrorKind::invalid : ErrorKind::unavailable,
                fmt::format("{}: cannot be opened: {}; check the path and its permissions", name, std::strerror(error)));
  }
  // Standard output stays a stream where it is redirected to a file: whoever did so may append, and owns what is there.
  const bool cuttable = !standard_output && S_ISREG(status.st_mode);
  return OutputFile(std::move(file), name, cuttable, cuttable ? status.st_size : 0);
}

Status OutputFile::append(std::string_view bytes) {
  if (overlong_) {
    if (Status cut_off = truncate(length_); !cut_off) return cut_off;
  }
  const Status written = write(bytes);
  if (written) {
    length_ += static_cast<int64_t>(bytes.size());
    return {};
  }
  overlong_ = cuttable_;
  forget_after(length_);
  return written;
}

void OutputFile::forget_after(int64_t length) {
  overlong_ = overlong_ || (cuttable_ && length < length_);
  length_ = length;
  // A failure to cut is not lost: the next append tries again before it writes.
  if (overlong_) static_cast<void>(truncate(length_));
}

Status OutputFile::write(std::string_view bytes) {
  int64_t at = length_;
  while (!bytes.empty()) {
    const ssize_t size = cuttable_ ? ::pwrite(file_.number(), bytes.data(), bytes.size(), at)
                                   : ::write(file_.number(), bytes.data(), bytes.size());
    if (size < 0 && errno == EAGAIN) {
      struct pollfd waiting = {.fd = file_.number(), .events = POLLOUT, .revents = 0};
      if (::poll(&waiting, 1, kStreamTimeOutMs) == 0) return system_error(name_, "writing", ETIMEDOUT);
      continue;
    }
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error(name_, "writing", errno);
    bytes.remove_prefix(static_cast<size_t>(size));
    at += size;
  }
  return {};
}

Status OutputFile::truncate(int64_t length) {
  if (::ftruncate(file_.number(), length) != 0) return system_error(name_, "cutting off a failed write", errno);
  overlong_ = false;
  return {};
}

Status OutputFile::sync() {
  if (cuttable_ && ::fdatasync(file_.number()) != 0) return system_error(name_, "flushing to disk", errno);
  return {};
}

Status OutputFile::cut(int64_t length) {
  struct stat status = {};
  if (::fstat(file_.number(), &status) != 0) return system_error(name_, "reading its length", errno);
  if (status.st_size < length) {
    return fail(ErrorKind::corrupt,
                fmt::format("{}: it has {}, but {} were committed: it was cut or replaced; restore it, or start "
                            "afresh with a new store and a new output",
                            name_, counted(static_cast<uint64_t>(status.st_size), "byte"), length));
  }
  if (status.st_size > length) {
    if (Status cut_off = truncate(length); !cut_off) return cut_off;
  }
  length_ = length;
  overlong_ = false;
  return {};
}

}  // namespace tillwatch::connectors
