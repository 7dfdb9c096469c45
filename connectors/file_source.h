// NDJSON files and streams as a source: every line is a record, its key is empty, its offset that of its first byte.
//
// Empty lines are no records. A last line without newline is one, unless the file is followed. A line that is too long is
// handed out as its first 64 KiB with `oversize`. A position is the offset of the next line, so going on is a seek;
// a stream (standard input, a pipe) cannot go back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/source.h"

namespace tillwatch::connectors {

// Several files may feed one topic: each is a partition of it, numbered in their order.
struct FileInput {
  std::string topic;
  std::string path;  // "-": standard input
};

struct FileSourceOptions {
  size_t max_line_bytes = 16 << 20;
  // The files take turns, so that their streams interleave; the order does not depend on the size of polls.
  size_t lines_per_turn = 256;
  // The inputs are live: a file that is read to its end is `at_end`, never `finished`, and may grow (one that shrinks is an
  // error; one that is renamed away is not noticed). A stream with nothing to read is `at_end`, and `finished` when it ends.
  bool follow = false;
  // Arrival time of all records; 0: the wall clock when the source was opened, or, when followed, at the poll.
  TimeMs arrived_at = 0;
};

// Opens every file. Errors name the file: invalid (absent, a directory, not readable, no input at all), unavailable.
Expected<std::unique_ptr<Source>> open_file_source(const std::vector<FileInput>& inputs, const FileSourceOptions& options);

}  // namespace tillwatch::connectors
