// Files compressed with gzip (.gz) or Zstandard (.zst), handed on as a stream: a thread unpacks into a pipe. The only place
// that knows zlib and libzstd.
#pragma once

#include <memory>
#include <string>

#include "engine/base/status.h"

namespace tillwatch::connectors {

bool is_compressed(const std::string& path);  // by its ending

class CompressedFile {
 public:
  // Error: invalid (absent, not readable, not compressed so).
  static Expected<std::unique_ptr<CompressedFile>> open(const std::string& path);
  virtual ~CompressedFile() = default;

  // A path the unpacked bytes can be read from, once; while this object lives.
  virtual const std::string& stream_path() const = 0;
  // After the stream has ended. Error: corrupt, it ended early.
  virtual Status ended() = 0;
};

}  // namespace tillwatch::connectors
