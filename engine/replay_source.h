// Files to be read once from beginning to end, compressed ones unpacked on the way.
#pragma once

#include <memory>
#include <vector>

#include "connectors/compressed_file.h"
#include "connectors/file_source.h"

namespace tillwatch::engine {

class ReplaySource {
 public:
  // Errors name the file: invalid, unavailable.
  static Expected<ReplaySource> open(const std::vector<connectors::FileInput>& files);

  connectors::Source& source() { return *source_; }
  // When all is read. Error: corrupt, a compressed file is damaged or cut short.
  Status ended() const;

 private:
  std::vector<std::unique_ptr<connectors::CompressedFile>> unpacked_;
  std::unique_ptr<connectors::Source> source_;
};

}  // namespace tillwatch::engine
