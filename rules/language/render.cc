// How a diagnostic looks to a person and to a script.
#include <string>

#include "rules/language/diagnostics.h"

namespace tillwatch::rules {
namespace {

constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kYellow = "\x1b[1;33m";
constexpr std::string_view kBlue = "\x1b[1;34m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kPlain = "\x1b[0m";

struct CodePoint {
  uint32_t value = 0;
  size_t bytes = 1;
};

// Text is valid UTF-8 by the time it is printed (the reader refuses other files); a stray byte counts as one sign.
CodePoint code_point(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const size_t bytes = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
  if (bytes == 1 || at + bytes > text.size()) return {byte, 1};
  uint32_t value = byte & (0xffU >> (bytes + 1));
  for (size_t next = 1; next < bytes; ++next) value = (value << 6) | (static_cast<unsigned char>(text[at + next]) & 0x3fU);
  return {value, bytes};
}

// Columns a terminal gives to a character: two for Chinese and full-width forms.
size_t width(uint32_t value) {
  const bool wide = (value >= 0x1100 && value <= 0x115f) || (value >= 0x2e80 && value <= 0xa4cf) ||
                    (value >= 0xac00 && value <= 0xd7a3) || (value >= 0xf900 && value <= 0xfaff) ||
                    (value >= 0xfe30 && value <= 0xfe6f) || (value >= 0xff00 && value <= 0xff60) ||
                    (value >= 0x1f300 && value <= 0x1faff) || (value >= 0x20000 && value <= 0x3fffd);
  return wide ? 2 : 1;
}

size_t columns(std::string_view text) {
  size_t sum = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = code_point(text, at);
    sum += width(point.value);
    at += point.bytes;
  }
  return sum;
}

std::string printable(std::string_view line) {
  std::string text(line);
  for (char& sign : text) {
    if (static_cast<unsigned char>(sign) < 0x20 || sign == 0x7f) sign = ' ';
  }
  return text;
}

std::string painted(std::string_view text, std::string_view paint, bool colour) {
  if (!colour) return std::string(text);
  return std::string(paint) + std::string(text) + std::string(kPlain);
}

// Only the part of a very long line that is around the carets.
struct Excerpt {
  std::string text;
  size_t before = 0;  // columns in front of the carets
  size_t carets = 1;
};

Excerpt excerpt(std::string_view line, const Span& span) {
  constexpr size_t kLongestLine = 240;
  constexpr size_t kLead = 80;
  size_t begin = span.column > 0 ? static_cast<size_t>(span.column) - 1 : 0;
  begin = std::min(begin, line.size());
  const size_t length = std::min(static_cast<size_t>(std::max(span.length, 1)), line.size() - begin);
  size_t cut = 0;
  if (line.size() > kLongestLine && begin > kLead) {
    cut = begin - kLead;
    while (cut < begin && (static_cast<unsigned char>(line[cut]) & 0xc0U) == 0x80U) ++cut;
  }
  size_t stop = std::min(line.size(), cut + kLongestLine);
  while (stop < line.size() && (static_cast<unsigned char>(line[stop]) & 0xc0U) == 0x80U) ++stop;
  Excerpt result;
  result.text = (cut > 0 ? "…" : "") + printable(line.substr(cut, stop - cut)) + (stop < line.size() ? "…" : "");
  result.before = (cut > 0 ? 1 : 0) + columns(line.substr(cut, begin - cut));
  result.carets = std::max<size_t>(1, columns(line.substr(begin, std::min(length, stop > begin ? stop - begin : 0))));
  return result;
}

void append_json_text(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char sign : text) {
    const auto byte = static_cast<unsigned char>(sign);
    if (sign == '"' || sign == '\\') {
      out += '\\';
      out += sign;
    } else if (sign == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += sign;
    }
  }
  out += '"';
}

void append_json_texts(std::string_view key, const std::vector<std::string>& texts, std::string& out) {
  out += ",\"";
  out += key;
  out += "\":[";
  for (size_t index = 0; index < texts.size(); ++index) {
    if (index > 0) out += ',';
    append_json_text(texts[index], out);
  }
  out += ']';
}

}  // namespace

std::string render(const Diagnostic& diagnostic, const Sources& sources, bool colour) {
  const bool error = diagnostic.level == Diagnostic::Level::error;
  const std::string_view paint = error ? kRed : kYellow;
  std::string out = painted(std::string(error ? "error" : "warning") + "[" + diagnostic.code + "]", paint, colour);
  out += painted(": " + printable(diagnostic.message), kBold, colour) + "\n";
  const Span& span = diagnostic.span;
  std::string pad(1, ' ');
  if (span.file >= 0 && static_cast<size_t>(span.file) < sources.size()) {
    const std::string number = std::to_string(span.line);
    pad.assign(number.size(), ' ');
    const std::string bar = painted("|", kBlue, colour);
    out += pad + painted("-->", kBlue, colour) + " " + sources.name(span.file);
    if (span.line > 0) {
      const Excerpt shown = excerpt(sources.line(span.file, span.line), span);
      out += ":" + number + ":" + std::to_string(span.column) + "\n" + pad + " " + bar + "\n";
      out += painted(number, kBlue, colour) + " " + bar + " " + shown.text + "\n";
      out += pad + " " + bar + " " + std::string(shown.before, ' ');
      std::string carets(shown.carets, '^');
      if (!diagnostic.label.empty()) carets += " " + diagnostic.label;
      out += painted(carets, paint, colour);
    }
    out += "\n";
  }
  for (const std::string& help : diagnostic.helps) out += pad + " " + painted("=", kBlue, colour) + " help: " + help + "\n";
  for (const std::string& note : diagnostic.notes) out += pad + " " + painted("=", kBlue, colour) + " note: " + note + "\n";
  return out;
}

std::string render_json(const Diagnostic& diagnostic, const Sources& sources) {
  std::string out = "{\"level\":";
  append_json_text(diagnostic.level == Diagnostic::Level::error ? "error" : "warning", out);
  out += ",\"code\":";
  append_json_text(diagnostic.code, out);
  out += ",\"message\":";
  append_json_text(diagnostic.message, out);
  const Span& span = diagnostic.span;
  if (span.file >= 0 && static_cast<size_t>(span.file) < sources.size()) {
    out += ",\"file\":";
    append_json_text(sources.name(span.file), out);
    out += ",\"line\":" + std::to_string(span.line) + ",\"column\":" + std::to_string(span.column) +
           ",\"length\":" + std::to_string(span.length);
  }
  out += ",\"label\":";
  append_json_text(diagnostic.label, out);
  append_json_texts("helps", diagnostic.helps, out);
  append_json_texts("notes", diagnostic.notes, out);
  return out + "}";
}

}  // namespace tillwatch::rules
