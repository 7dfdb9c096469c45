// A piece of text taken from a YAML scalar (an expression, a template) that knows where each of its bytes stands in the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rules/language/diagnostics.h"
#include "rules/language/yaml.h"

namespace tillwatch::rules {

class PlacedText {
 public:
  // The decoded text of a scalar. `sources` must outlive this. Places are exact in plain, quoted and block scalars.
  PlacedText(const YamlNode& scalar, const Sources& sources);

  std::string_view text() const { return text_; }
  PlacedText part(size_t begin, size_t end) const;
  Span span(size_t begin, size_t end) const;  // of the bytes [begin, end) of text()
  Span span() const { return span(0, text_.size()); }

 private:
  PlacedText() = default;
  std::string text_;
  std::vector<size_t> places_;  // one a byte, and one for the end
  int32_t file_ = -1;
  const Sources* sources_ = nullptr;
};

}  // namespace tillwatch::rules
