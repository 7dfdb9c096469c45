// The lines of one file or stream with their byte offsets. Internal to the file connector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/status.h"

namespace tillwatch::connectors {

// Owns a file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  int number() const { return number_; }

 private:
  int number_;
};

struct Line {
  int64_t offset = 0;     // of its first byte
  std::string_view text;  // without its end ("\n" or "\r\n"); valid until the next call
  bool oversize = false;  // `text` is only its beginning
};

class LineReader {
 public:
  struct Limits {
    size_t max_line_bytes;
    bool follow;  // a line is whole only with its newline, and the end is not final
  };
  static constexpr size_t kOversizeHead = 64 << 10;  // what is handed out of a line that is too long

  // `path` "-" is standard input. Errors: invalid (absent, a directory, not readable), unavailable.
  static Expected<LineReader> open(const std::string& path, Limits limits);

  enum class Outcome {
    line,     // `line` is set
    nothing,  // a pipe has nothing now
    end,      // the end of the file as it is now, or of the stream
  };
  // Empty lines are passed over. Error: unavailable; the position stays, and the call may be repeated.
  Expected<Outcome> next(Line& line);

  // Errors: invalid (the file is shorter, `offset` is inside a line, a stream cannot go there), unavailable.
  Status seek(int64_t offset);

  // Byte offset of the next line.
  int64_t position() const { return position_; }
  bool seekable() const { return seekable_; }
  // No more lines will ever come. A file that is followed never ends; a stream does.
  bool ended() const { return ended_; }
  int descriptor() const { return file_.number(); }
  const std::string& name() const { return name_; }

 private:
  enum class Fill { some, nothing, end };
  LineReader(FileDescriptor file, std::string name, bool seekable, Limits limits);
  bool take_line(Line& line);
  bool take_last_line(Line& line);
  bool hand_out(Line& line, size_t size_with_end);
  void discard_oversize();
  Expected<Fill> fill();
  Status check_not_cut() const;

  FileDescriptor file_;
  std::string name_;  // for messages
  bool seekable_;
  Limits limits_;
  std::string buffer_;
  size_t begin_ = 0;           // of the next line in `buffer_`
  size_t scanned_ = 0;         // no newline before it, from `begin_` on
  size_t end_ = 0;             // of what was read
  int64_t position_ = 0;       // offset in the file of the next line
  std::string oversize_head_;  // beginning of the line being passed over
  int64_t discarded_ = 0;      // bytes of that line gone from the buffer; 0: none is being passed over
  bool ended_ = false;
};

}  // namespace tillwatch::connectors
