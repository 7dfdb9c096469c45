#include "connectors/file_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <system_error>

#include "connectors/file_output.h"

namespace tillwatch::connectors {
namespace {

// Stands for the one file in marks; no topic has this name.
constexpr std::string_view kOneFile = "*";

using Lengths = std::map<std::string, int64_t, std::less<>>;
using Texts = std::map<std::string_view, std::string>;  // what a batch adds to each file

// Kafka's rule for topic names, which also keeps a file inside its directory.
bool is_topic(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." && std::ranges::all_of(name, allowed);
}

// {"alerts":1234,"dead-letters":0}
std::string format_mark(const Lengths& lengths) {
  std::string mark = "{";
  for (const auto& [topic, length] : lengths) mark += fmt::format("{}\"{}\":{}", mark.size() > 1 ? "," : "", topic, length);
  return mark + "}";
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

// Reads what format_mark() writes, and nothing else.
std::optional<Lengths> parse_mark(std::string_view text) {
  Lengths lengths;
  if (!take(text, "{")) return std::nullopt;
  while (!text.starts_with("}")) {
    if (!lengths.empty() && !take(text, ",")) return std::nullopt;
    if (!take(text, "\"")) return std::nullopt;
    const std::string name(text.substr(0, text.find('"')));
    text.remove_prefix(name.size());
    int64_t length = 0;
    if ((!is_topic(name) && name != kOneFile) || !take(text, "\":")) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || length < 0 || !lengths.emplace(name, length).second) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
  }
  return text == "}" ? std::optional(lengths) : std::nullopt;
}

class FileSink final : public Sink {
 public:
  explicit FileSink(FileSinkOptions options) : options_(std::move(options)) {}

  Status open() {
    const Status opened = options_.layout == FileSinkOptions::Layout::one_file ? open_file(std::string(kOneFile), options_.path)
                                                                               : open_directory();
    if (opened) at_open_ = lengths();
    return opened;
  }

  bool decides() const override { return false; }
  Expected<uint64_t> last_commit(bool) override { return not_decided_here(); }
  Expected<CommittedState> recover() override { return not_decided_here(); }
  Expected<CommitOutcome> commit(const OutputBatch&) override { return not_decided_here(); }

  Expected<std::string> append(const OutputBatch& batch) override {
    const Expected<Texts> texts = lines_of(batch);
    if (!texts) return std::unexpected(texts.error());
    const Lengths before = lengths();
    for (const auto& [name, text] : *texts) {
      OutputFile& file = files_.find(name)->second;
      Status written = file.append(text);
      if (written && options_.sync) written = file.sync();
      if (!written) {
        cut_back(before);
        return std::unexpected(written.error());
      }
    }
    return format_mark(lengths());
  }

  Status rewind(const std::string& mark) override {
    const std::optional<Lengths> marked = mark.empty() ? at_open_ : parse_mark(mark);
    if (!marked) {
      return fail(ErrorKind::corrupt, fmt::format("output {}: the store's mark of it, '{}', is not one", options_.path, mark));
    }
    const bool one_file = options_.layout == FileSinkOptions::Layout::one_file;
    for (const auto& [name, length] : *marked) {
      if (one_file != (name == kOneFile)) {
        return fail(
            ErrorKind::invalid,
            fmt::format("output {}: the store's mark is of {}, this is {}; go back to that, or start afresh with a new store",
                        options_.path, one_file ? "a file per topic" : "one file", one_file ? "one file" : "a file per topic"));
      }
      // A topic that no rule writes to any more still has what a crash has left behind its mark.
      if (!files_.contains(name)) {
        if (Status opened = open_topic(name); !opened) return opened;
      }
      OutputFile& file = files_.find(name)->second;
      if (!file.cuttable()) continue;
      if (Status cut = file.cut(length); !cut) return cut;
    }
    return {};
  }

 private:
  static std::unexpected<Error> not_decided_here() {
    return fail(ErrorKind::invalid, "file sink: it does not decide commits; the store does (append, rewind)");
  }

  Status open_directory() {
    std::error_code error;
    std::filesystem::create_directories(options_.path, error);
    if (error || !std::filesystem::is_directory(options_.path, error)) {
      return fail(ErrorKind::invalid, fmt::format("output directory {}: {}; give a directory that can be written",
                                                  options_.path, error ? error.message() : "this is not a directory"));
    }
    for (const std::string& topic : options_.topics) {
      if (Status opened = open_topic(topic); !opened) return opened;
    }
    return {};
  }

  Status open_topic(const std::string& topic) {
    if (!is_topic(topic)) {
      return fail(ErrorKind::invalid,
                  fmt::format("output directory {}: '{}' cannot be a file's name; topic names are of letters, digits, "
                              "'.', '_' and '-'",
                              options_.path, topic));
    }
    return open_file(topic, options_.path + "/" + topic + ".ndjson");
  }

  Status open_file(const std::string& name, const std::string& path) {
    Expected<OutputFile> file = OutputFile::open(path);
    if (!file) return std::unexpected(file.error());
    files_.emplace(name, *std::move(file));
    return {};
  }

  Expected<Texts> lines_of(const OutputBatch& batch) {
    const bool one_file = options_.layout == FileSinkOptions::Layout::one_file;
    Texts texts;
    for (const OutputRecord& record : batch.records) {
      const auto file = files_.find(one_file ? kOneFile : std::string_view(record.topic));
      if (file == files_.end()) {
        return fail(ErrorKind::invalid, fmt::format("output directory {}: topic '{}' is not among those it was opened with",
                                                    options_.path, record.topic));
      }
      std::string& text = texts[file->first];
      const size_t start = text.size();
      text += record.value;
      // A line break between the tokens of a JSON text means no more than a blank.
      std::replace(text.begin() + static_cast<std::ptrdiff_t>(start), text.end(), '\n', ' ');
      text += '\n';
    }
    return texts;
  }

  Lengths lengths() const {
    Lengths lengths;
    for (const auto& [name, file] : files_) {
      if (file.cuttable()) lengths.emplace(name, file.length());
    }
    return lengths;
  }

  // After a failed append: the files written before the one that failed. Their lengths are set even if cutting fails now,
  // so the next append cuts or overwrites them.
  void cut_back(const Lengths& before) {
    for (auto& [name, file] : files_) {
      if (const auto length = before.find(name); length != before.end()) file.forget_after(length->second);
    }
  }

  const FileSinkOptions options_;
  std::map<std::string, OutputFile, std::less<>> files_;
  Lengths at_open_;  // what the empty mark stands for
};

}  // namespace

Expected<std::unique_ptr<Sink>> open_file_sink(const FileSinkOptions& options) {
  if (options.path.empty()) return fail(ErrorKind::invalid, "file sink: its path is empty; give a file, a directory or '-'");
  auto sink = std::make_unique<FileSink>(options);
  if (const Status opened = sink->open(); !opened) return std::unexpected(opened.error());
  return sink;
}

}  // namespace tillwatch::connectors
