#include "engine/text_layout.h"

#include <algorithm>

namespace tillwatch::engine {
namespace {

// Characters of UTF-8 text; wide ones count as one, which only makes lines of Chinese text longer.
size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char sign) { return (static_cast<unsigned char>(sign) & 0xc0U) != 0x80U; }));
}

}  // namespace

std::string wrapped(std::string_view text, size_t indent, std::string_view first) {
  const std::string margin(indent, ' ');
  std::string out, line = first.empty() ? margin : std::string(first);
  size_t words = 0;
  const auto end_line = [&] {
    out += line + "\n";
    line = margin;
    words = 0;
  };
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '\n') {
      end_line();
      ++at;
      continue;
    }
    const size_t end = std::min(text.find_first_of(" \n", at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (words > 0 && characters(line) + 1 + characters(word) > kTextWidth) end_line();
    if (words > 0) line += ' ';
    line += word;
    ++words;
    at = end < text.size() && text[end] == ' ' ? end + 1 : end;
  }
  if (words > 0 || out.empty()) end_line();
  return out;
}

std::string indented(std::string_view text, size_t blanks) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out += std::string(blanks, ' ');
    out += text.substr(at, end - at);
    out += '\n';
    at = end + 1;
  }
  return out;
}

}  // namespace tillwatch::engine
