// Files or the terminal as a sink: every record is its value and a newline (values are JSON objects; keys are not written).
// It does not decide: the store keeps the mark, the lengths of the files.
//
// The empty mark stands for what was there when the sink was opened, which is never cut. So keep the mark of an empty append()
// before the first batch: without it a crash of that first batch leaves its records behind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/sink.h"

namespace tillwatch::connectors {

struct FileSinkOptions {
  enum class Layout {
    one_file,        // `path` is a file, or "-" for standard output
    file_per_topic,  // `path` is a directory (made when absent) with a file TOPIC.ndjson per topic
  };
  Layout layout = Layout::one_file;
  std::string path;
  std::vector<std::string> topics;  // file_per_topic: every topic there will be
  bool sync = true;                 // fdatasync before a mark is returned, so that no mark outlives its bytes in a power loss
};

// Opens and makes the files. Standard output, pipes and devices cannot be rewound: there a crash may say a batch twice.
// Errors: invalid (a directory where a file should be, a topic that is no file name), unavailable.
Expected<std::unique_ptr<Sink>> open_file_sink(const FileSinkOptions& options);

}  // namespace tillwatch::connectors
