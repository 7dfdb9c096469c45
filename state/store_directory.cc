#include "state/store_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace tillwatch::state {
namespace {

namespace fs = std::filesystem;

// What RocksDB writes before CURRENT, the file that makes a directory a database.
bool written_before_current(const std::string& name) {
  return name == "LOCK" || name == "IDENTITY" || name.starts_with("LOG") || name.starts_with("MANIFEST-") ||
         name.ends_with(".dbtmp");
}

std::unexpected<Error> system_error(const std::string& path, const std::error_code& error) {
  return fail(ErrorKind::unavailable,
              fmt::format("store {}: {}; check the path, its permissions and the disk", path, error.message()));
}

}  // namespace

Expected<DirectoryContent> open_store_directory(const std::string& path) {
  if (path.empty()) return fail(ErrorKind::invalid, "store: its path is empty; give the directory it shall live in");
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    fs::create_directories(path, error);
    if (error) return system_error(path, error);
    return DirectoryContent::nothing;
  }
  if (error) return system_error(path, error);
  if (status.type() != fs::file_type::directory) {
    return fail(ErrorKind::invalid,
                fmt::format("store {}: this is a file, not a directory; give a new path or an empty directory", path));
  }
  if (fs::exists(fs::path(path) / "CURRENT", error)) return DirectoryContent::database;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (written_before_current(name)) continue;
    return fail(ErrorKind::invalid,
                fmt::format("store {}: the directory holds other files (such as {}) and no store; give a new "
                            "path or an empty directory",
                            path, name));
  }
  if (error) return system_error(path, error);
  return DirectoryContent::nothing;
}

std::string lock_holder(const std::string& path) {
  const std::string somebody = "another process";
  const int file = ::open((path + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return somebody;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const int asked = ::fcntl(file, F_GETLK, &lock);
  ::close(file);
  // A holder in another PID namespace (container) has no number here.
  if (asked != 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0) return somebody;
  std::ifstream name_file(fmt::format("/proc/{}/comm", lock.l_pid));
  std::string name;
  if (!std::getline(name_file, name)) return fmt::format("process {}", lock.l_pid);
  return fmt::format("process {} ({})", lock.l_pid, name);
}

uint64_t directory_bytes(const std::string& path) {
  uint64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code vanished;  // a compaction deletes files while we look
    const uint64_t size = entry->file_size(vanished);
    if (!vanished) total += size;
  }
  return total;
}

}  // namespace tillwatch::state
