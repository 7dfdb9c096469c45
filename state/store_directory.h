// The directory a store lives in, before RocksDB sees it: made, told apart from other people's files, and who has locked it.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/status.h"

namespace tillwatch::state {

enum class DirectoryContent {
  nothing,   // new, empty, or left by a start that died before RocksDB had finished creating its database
  database,  // a RocksDB database; whose, only its meta records can tell
};

// Makes the directory when it is absent. Errors: invalid (no directory, or one with other files), unavailable (the system's
// words).
Expected<DirectoryContent> open_store_directory(const std::string& path);

// Who keeps this process from opening the database in `path`: "process 4711 (tillwatch)". Only for a directory that this
// process does not hold itself: looking would release its own lock (POSIX locks end at the first close of the file).
std::string lock_holder(const std::string& path);

// The bytes of all files in the directory; 0 when it cannot be read.
uint64_t directory_bytes(const std::string& path);

}  // namespace tillwatch::state
