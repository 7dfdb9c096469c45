// Located errors and warnings, printed like a compiler's: all of all files in one run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/language/syntax.h"

namespace tillwatch::rules {

// The files being read, for spans and snippets.
class Sources {
 public:
  int32_t add(std::string name, std::string text);  // returns the file's index
  const std::string& name(int32_t file) const { return files_[static_cast<size_t>(file)].name; }
  const std::string& text(int32_t file) const { return files_[static_cast<size_t>(file)].text; }
  std::string_view line(int32_t file, int32_t line) const;  // without its line break; empty beyond the last
  size_t size() const { return files_.size(); }
  // The bytes [begin, end) of a file as a span; one that runs over several lines is cut at the end of its first.
  Span span(int32_t file, size_t begin, size_t end) const;

 private:
  struct File {
    std::string name, text;
    std::vector<size_t> line_starts;
  };
  std::vector<File> files_;
};

struct Diagnostic {
  enum class Level : uint8_t { error, warning };
  Level level = Level::error;
  std::string code;                // "E020", stable
  std::string message;             // "stream `txn` has no field `amout`"
  Span span;
  std::string label;               // behind the carets: "unknown field"
  std::vector<std::string> helps;  // "did you mean `amount`? (money, schema.yaml:18)"
  std::vector<std::string> notes;
};

class Diagnostics {
 public:
  Diagnostic& error(std::string code, std::string message, Span span, std::string label = "");
  Diagnostic& warning(std::string code, std::string message, Span span, std::string label = "");
  const std::vector<Diagnostic>& all() const { return items_; }
  size_t errors() const;
  // Orders by place and drops repeats (a mistake in an aliased YAML node is met once for each use).
  void sort_and_unique();

 private:
  std::vector<Diagnostic> items_;
};

// The terminal form (rules.md, "Messages of the compiler"); colour with ANSI escapes when asked.
std::string render(const Diagnostic& diagnostic, const Sources& sources, bool colour = false);
// One JSON object a line with the same facts.
std::string render_json(const Diagnostic& diagnostic, const Sources& sources);

}  // namespace tillwatch::rules
