// Tells the two ways apart in which RocksDB's write-ahead log ends early: torn by a crash, or damaged with records behind.
// RocksDB's own recovery to a point in time takes both for the end, and would roll back what had been committed.
#pragma once

#include <string>

#include "engine/base/status.h"

namespace tillwatch::state {

// Reads the logs of the database in `path`, which nobody may write meanwhile. A last record that is not whole is no error.
// Errors: corrupt (a record that is not whole has others behind it), unavailable (a log cannot be read).
Status check_logs(const std::string& path);

}  // namespace tillwatch::state
