// Words of an expression.
#pragma once

#include <string_view>
#include <vector>

#include "rules/language/placed_text.h"

namespace tillwatch::rules {

struct Token {
  enum class Kind : uint8_t {
    end,
    word,      // names and keywords
    integer,   // value
    decimal,   // value: billionths; 3.5, 2%, 35bp
    duration,  // value: ms
    text,      // "…"; content() without the quotes
    sign,      // operators and brackets
  };
  Kind kind = Kind::end;
  size_t begin = 0, end = 0;  // bytes of the expression's text
  std::string_view text;      // as written
  int64_t value = 0;

  std::string_view content() const { return text.substr(1, text.size() - 2); }
  bool is(std::string_view wanted) const { return (kind == Kind::word || kind == Kind::sign) && text == wanted; }
};

struct LexerLimits {
  static constexpr size_t kBytes = 10'000;
  static constexpr size_t kTokens = 1'000;
};

// The tokens, an end token last. Empty after a mistake, which is reported. Tokens point into `source`.
std::vector<Token> tokenize(const PlacedText& source, Diagnostics& diagnostics);

// Words that cannot be names.
bool is_reserved(std::string_view word);
// A letter or underscore, then letters, digits and underscores.
bool is_name(std::string_view text);

}  // namespace tillwatch::rules
