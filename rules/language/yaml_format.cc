#include "rules/language/yaml_format.h"

#include <algorithm>
#include <vector>

#include "rules/language/yaml.h"

namespace tillwatch::rules {
namespace {

constexpr size_t kStep = 2;

struct Line {
  std::string text;        // without indent and trailing blanks
  size_t indent = 0;       // as written
  size_t placed = 0;       // as it will be
  bool continues = false;  // inside a value that began on an earlier line: moves with it
  bool comment = false;
  bool empty() const { return text.empty(); }
};

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = std::string_view(text).substr(at, end - at);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t')) line.remove_suffix(1);
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    Line& added = lines.emplace_back();
    added.indent = indent;
    added.text = line.substr(indent);
    added.comment = added.text.starts_with('#');
    at = end + 1;
  }
  return lines;
}

// Marks the lines a value goes on over: quoted, block and plain scalars, and lists and mappings in brackets.
void mark_continued(const std::string& text, const YamlFile& yaml, std::vector<Line>& lines) {
  std::vector<size_t> starts = {0};
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') starts.push_back(at + 1);
  }
  const auto line_of = [&](size_t at) {
    return static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), at) - starts.begin()) - 1;
  };
  for (const YamlNode& node : yaml.nodes) {
    if (node.end <= node.begin || node.begin >= text.size()) continue;
    const bool bracketed = text[node.begin] == '{' || text[node.begin] == '[';
    if (node.shape != YamlNode::Shape::scalar && !bracketed) continue;
    const size_t last = line_of(node.end - 1);
    for (size_t line = line_of(node.begin) + 1; line <= last && line < lines.size(); ++line) {
      lines[line].continues = true;
      lines[line].comment = false;
    }
  }
}

// Where each level of the text begins, before and after.
class Levels {
 public:
  void place(Line& line) {
    const bool item = line.text.starts_with("- ") || line.text == "-";
    while (!stack_.empty() && stack_.back().from > line.indent) stack_.pop_back();
    // `- a` may stand right under its key: the list is a level of its own all the same.
    while (!stack_.empty() && stack_.back().from == line.indent && stack_.back().items && !item) stack_.pop_back();
    if (stack_.empty() || stack_.back().from < line.indent || (item && !stack_.back().items)) {
      stack_.push_back({line.indent, stack_.empty() ? 0 : stack_.back().to + kStep, item});
    }
    line.placed = stack_.back().to;
    size_t column = line.indent;
    while (line.text.starts_with("- ")) {  // what stands behind the dash is a level further in
      const size_t content = std::min(line.text.find_first_not_of(' ', 1), line.text.size());
      line.text = "- " + line.text.substr(content);
      stack_.push_back({column + content, stack_.back().to + kStep, false});
      column += content;
      if (!line.text.substr(2).starts_with("- ")) break;
      return;  // a list in a list: left as it is
    }
  }
  void clear() { stack_.clear(); }

 private:
  struct Level {
    size_t from, to;
    bool items;
  };
  std::vector<Level> stack_;
};

// `key:   value` with one blank.
void close_gap(Line& line) {
  size_t at = line.text.starts_with("- ") ? 2 : 0;
  while (at < line.text.size() && (std::isalnum(static_cast<unsigned char>(line.text[at])) != 0 || line.text[at] == '_' ||
                                   line.text[at] == '-' || line.text[at] == '.'))
    ++at;
  if (at == 0 || at >= line.text.size() || line.text[at] != ':') return;
  const size_t value = line.text.find_first_not_of(' ', at + 1);
  if (value == std::string::npos || value <= at + 2 || line.text[value] == '#') return;
  line.text.erase(at + 2, value - at - 2);
}

void place_all(std::vector<Line>& lines) {
  Levels levels;
  const Line* owner = nullptr;
  for (Line& line : lines) {
    if (line.empty() || line.comment) continue;
    if (line.continues) {
      const size_t placed = owner->placed + line.indent;
      line.placed = placed >= owner->indent ? placed - owner->indent : 0;
      continue;
    }
    if (line.text == "---" || line.text.starts_with("--- ")) levels.clear();
    levels.place(line);
    close_gap(line);
    owner = &line;
  }
  // A comment goes with the line below it, or with the one above it when it is as far in as that.
  size_t next = lines.size();
  for (size_t i = lines.size(); i-- > 0;) {
    Line& line = lines[i];
    if (line.empty()) continue;
    if (!line.comment) {
      if (!line.continues) next = i;
      continue;
    }
    size_t before = i;
    while (before > 0 && (lines[before].comment || lines[before].empty() || lines[before].continues)) --before;
    const bool above = !lines[before].comment && lines[before].indent == line.indent &&
                       (next == lines.size() || lines[next].indent != line.indent);
    line.placed = above ? lines[before].placed : next < lines.size() ? lines[next].placed : 0;
  }
}

std::string written(const std::vector<Line>& lines) {
  std::string text;
  bool gap = false;
  for (const Line& line : lines) {
    if (line.empty() && !line.continues) {
      gap = !text.empty();
      continue;
    }
    if (gap) text += '\n';
    gap = false;
    if (!line.empty()) text += std::string(line.placed, ' ') + line.text;
    text += '\n';
  }
  return text;
}

std::string meaning(const YamlFile& yaml) {
  std::string text;
  for (const YamlNode* document : yaml.documents) text += canonical_text(*document) + "\n---\n";
  return text;
}

}  // namespace

std::string format_yaml(int32_t file, const Sources& sources, Diagnostics& diagnostics) {
  const std::string& text = sources.text(file);
  const size_t errors = diagnostics.errors();
  const YamlFile yaml = read_yaml(file, sources, diagnostics);
  if (diagnostics.errors() > errors) return text;
  std::vector<Line> lines = lines_of(text);
  mark_continued(text, yaml, lines);
  place_all(lines);
  std::string formatted = written(lines);
  Sources again;
  Diagnostics unexpected;
  const YamlFile read_back = read_yaml(again.add(sources.name(file), formatted), again, unexpected);
  return unexpected.errors() == 0 && meaning(read_back) == meaning(yaml) ? formatted : text;
}

}  // namespace tillwatch::rules
