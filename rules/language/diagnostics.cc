#include "rules/language/diagnostics.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tillwatch::rules {

int32_t Sources::add(std::string name, std::string text) {
  File file{std::move(name), std::move(text), {0}};
  for (size_t at = 0; at < file.text.size(); ++at) {
    if (file.text[at] == '\n') file.line_starts.push_back(at + 1);
  }
  files_.push_back(std::move(file));
  return static_cast<int32_t>(files_.size()) - 1;
}

std::string_view Sources::line(int32_t file, int32_t line) const {
  if (file < 0 || static_cast<size_t>(file) >= files_.size()) return {};
  const File& source = files_[static_cast<size_t>(file)];
  if (line < 1 || static_cast<size_t>(line) > source.line_starts.size()) return {};
  const size_t begin = source.line_starts[static_cast<size_t>(line) - 1];
  size_t end = source.text.find('\n', begin);
  if (end == std::string::npos) end = source.text.size();
  if (end > begin && source.text[end - 1] == '\r') --end;
  return std::string_view(source.text).substr(begin, end - begin);
}

Span Sources::span(int32_t file, size_t begin, size_t end) const {
  Span span;
  span.file = file;
  if (file < 0 || static_cast<size_t>(file) >= files_.size()) return span;
  const File& source = files_[static_cast<size_t>(file)];
  begin = std::min(begin, source.text.size());
  const auto next = std::upper_bound(source.line_starts.begin(), source.line_starts.end(), begin);
  const auto number = next - source.line_starts.begin();
  const size_t line_begin = source.line_starts[static_cast<size_t>(number) - 1];
  span.line = static_cast<int32_t>(number);
  span.column = static_cast<int32_t>(begin - line_begin) + 1;
  const size_t line_end = line_begin + line(file, span.line).size();
  const size_t stop = std::min(std::max(end, begin), std::max(line_end, begin));
  span.length = std::max<int32_t>(1, static_cast<int32_t>(stop - begin));
  return span;
}

Diagnostic& Diagnostics::error(std::string code, std::string message, Span span, std::string label) {
  items_.push_back({Diagnostic::Level::error, std::move(code), std::move(message), span, std::move(label), {}, {}});
  return items_.back();
}

Diagnostic& Diagnostics::warning(std::string code, std::string message, Span span, std::string label) {
  items_.push_back({Diagnostic::Level::warning, std::move(code), std::move(message), span, std::move(label), {}, {}});
  return items_.back();
}

size_t Diagnostics::errors() const {
  return static_cast<size_t>(std::count_if(items_.begin(), items_.end(),
                                           [](const Diagnostic& item) { return item.level == Diagnostic::Level::error; }));
}

void Diagnostics::sort_and_unique() {
  const auto place = [](const Diagnostic& item) {
    return std::tie(item.span.file, item.span.line, item.span.column, item.code, item.message);
  };
  std::stable_sort(items_.begin(), items_.end(), [&](const Diagnostic& a, const Diagnostic& b) { return place(a) < place(b); });
  const auto last =
      std::unique(items_.begin(), items_.end(), [&](const Diagnostic& a, const Diagnostic& b) { return place(a) == place(b); });
  items_.erase(last, items_.end());
}

}  // namespace tillwatch::rules
