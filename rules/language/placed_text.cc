#include "rules/language/placed_text.h"

namespace tillwatch::rules {
namespace {

bool is_blank(char sign) { return sign == ' ' || sign == '\t' || sign == '\n' || sign == '\r'; }

// How many source bytes the escape at `at` takes in a double-quoted scalar.
size_t escape_length(std::string_view source, size_t at) {
  if (at + 1 >= source.size()) return 1;
  switch (source[at + 1]) {
    case 'x':
      return 4;
    case 'u':
      return 6;
    case 'U':
      return 10;
    default:
      return 2;
  }
}

size_t utf8_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
}

// Walks the decoded text and its source side by side. Words stand in the source as they are, but for escapes; between them
// YAML may have folded line breaks and indentation into blanks.
class Alignment {
 public:
  Alignment(const YamlNode& scalar, std::string_view source)
      : text_(scalar.text), source_(source), style_(scalar.style), base_(scalar.begin) {
    if (style_ == YamlNode::Style::block) {
      const size_t header_end = source_.find('\n');
      at_ = header_end == std::string_view::npos ? source_.size() : header_end + 1;
    } else if (style_ != YamlNode::Style::plain) {
      at_ = 1;
    }
  }

  std::vector<size_t> places() {
    while (places_.size() < text_.size()) {
      if (!step()) break;
    }
    places_.resize(text_.size(), base_ + std::min(at_, source_.size()));
    places_.push_back(base_ + std::min(at_, source_.size()));
    return std::move(places_);
  }

 private:
  bool step() {
    const char sign = text_[places_.size()];
    if (style_ == YamlNode::Style::double_quoted && at_ < source_.size() && source_[at_] == '\\') return step_escape(sign);
    if (is_blank(sign)) {
      places_.push_back(base_ + at_);
      if (at_ < source_.size() && source_[at_] == sign) ++at_;
      return true;
    }
    while (at_ < source_.size() && is_blank(source_[at_])) ++at_;
    if (at_ >= source_.size()) return false;
    if (style_ == YamlNode::Style::double_quoted && source_[at_] == '\\') return true;
    if (source_[at_] != sign) return false;
    places_.push_back(base_ + at_);
    at_ += (style_ == YamlNode::Style::single_quoted && sign == '\'') ? 2 : 1;
    return true;
  }

  bool step_escape(char sign) {
    if (at_ + 1 < source_.size() && (source_[at_ + 1] == '\n' || source_[at_ + 1] == '\r')) {
      ++at_;  // an escaped line break is nothing
      while (at_ < source_.size() && is_blank(source_[at_])) ++at_;
      return true;
    }
    for (size_t count = utf8_length(sign); count > 0 && places_.size() < text_.size(); --count) places_.push_back(base_ + at_);
    at_ += escape_length(source_, at_);
    return true;
  }

  std::string_view text_, source_;
  YamlNode::Style style_;
  size_t base_;
  size_t at_ = 0;
  std::vector<size_t> places_;
};

}  // namespace

PlacedText::PlacedText(const YamlNode& scalar, const Sources& sources)
    : text_(scalar.text), file_(scalar.span.file), sources_(&sources) {
  const std::string_view file_text = sources.text(file_);
  places_ = Alignment(scalar, file_text.substr(scalar.begin, scalar.end - scalar.begin)).places();
}

PlacedText PlacedText::part(size_t begin, size_t end) const {
  PlacedText result;
  result.text_ = text_.substr(begin, end - begin);
  result.places_.assign(places_.begin() + static_cast<std::ptrdiff_t>(begin),
                        places_.begin() + static_cast<std::ptrdiff_t>(end) + 1);
  result.file_ = file_;
  result.sources_ = sources_;
  return result;
}

Span PlacedText::span(size_t begin, size_t end) const {
  const size_t last = places_.size() - 1;
  begin = std::min(begin, last);
  end = std::min(std::max(end, begin), last);
  // The end is one behind the last byte, not the next word's place: a folded line break may lie between.
  const size_t stop = end > begin ? places_[end - 1] + 1 : places_[begin] + 1;
  return sources_->span(file_, places_[begin], stop);
}

}  // namespace tillwatch::rules
