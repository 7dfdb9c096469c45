// One file that grows by whole appends and can be cut back. Internal to the file connector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/file_lines.h"
#include "engine/base/status.h"

namespace tillwatch::connectors {

class OutputFile {
 public:
  // Makes the file when it is absent; `path` "-" is standard output. Errors: invalid, unavailable.
  static Expected<OutputFile> open(const std::string& path);

  // Adds `bytes` at the end. After an error (unavailable) the length is unchanged, and whatever was half-written is cut
  // at once or, if that fails too, before the next append; of a stream it stays.
  Status append(std::string_view bytes);
  // Takes back what was appended after `length`, at once or, if the disk refuses, before the next append.
  void forget_after(int64_t length);
  // Makes what was appended durable. Error: unavailable.
  Status sync();
  // Cuts the file to `length`. Errors: corrupt (it is shorter), unavailable.
  Status cut(int64_t length);

  // A regular file: it has a length. Others are streams.
  bool cuttable() const { return cuttable_; }
  int64_t length() const { return length_; }

 private:
  OutputFile(FileDescriptor file, std::string name, bool cuttable, int64_t length)
      : file_(std::move(file)), name_(std::move(name)), cuttable_(cuttable), length_(length) {}
  Status write(std::string_view bytes);
  Status truncate(int64_t length);

  FileDescriptor file_;
  std::string name_;  // for messages
  bool cuttable_;
  int64_t length_;
  bool overlong_ = false;  // bytes beyond length_ may be there
};

}  // namespace tillwatch::connectors
