#include "rules/language/lexer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "engine/base/time.h"

namespace tillwatch::rules {
namespace {

constexpr std::array kReserved = std::to_array<std::string_view>(
    {"and", "or", "not", "in", "of", "where", "over", "every", "at", "else", "true", "false", "matches", "ends_with"});
constexpr std::array kSigns =
    std::to_array<std::string_view>({"==", "!=", "<=", ">=", "??", "=>", "=<", "&&", "||", "<", ">", "+", "-",
                                     "*",  "/",  "(",  ")",  ".",  ",",  "[",  "]",  "=",  "!", "?", ":"});

bool is_digit(char sign) { return sign >= '0' && sign <= '9'; }
bool is_letter(char sign) { return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') || sign == '_'; }

struct Unit {
  std::string_view name;
  bool is_duration;
  int64_t factor;  // ms, or billionths of one whole
};
constexpr std::array kUnits = std::to_array<Unit>({{"ms", true, 1},
                                                   {"s", true, kSecond},
                                                   {"m", true, kMinute},
                                                   {"h", true, kHour},
                                                   {"d", true, kDay},
                                                   {"%", false, Value::kDecimalOne / 100},
                                                   {"bp", false, Value::kDecimalOne / 10'000}});

// Full-width signs an input method leaves behind.
struct LookAlike {
  std::string_view wide, plain;
};
constexpr std::array kLookAlikes = std::to_array<LookAlike>({{"，", ","},
                                                             {"（", "("},
                                                             {"）", ")"},
                                                             {"＝", "=="},
                                                             {"“", "\""},
                                                             {"”", "\""},
                                                             {"＜", "<"},
                                                             {"＞", ">"},
                                                             {"。", "."},
                                                             {"％", "%"},
                                                             {"【", "["},
                                                             {"】", "]"},
                                                             {"‘", "\""},
                                                             {"’", "\""},
                                                             {"　", " "}});

class Lexer {
 public:
  Lexer(const PlacedText& source, Diagnostics& diagnostics)
      : source_(source), text_(source.text()), diagnostics_(diagnostics) {}

  std::vector<Token> run() {
    if (text_.size() > LexerLimits::kBytes) return too_long();
    while (true) {
      while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_])) ++at_;
      Token token;
      token.begin = token.end = at_;
      if (at_ < text_.size() && !next(token)) return {};
      tokens_.push_back(token);
      if (token.kind == Token::Kind::end) return std::move(tokens_);
      if (tokens_.size() > LexerLimits::kTokens) return too_long();
    }
  }

 private:
  std::vector<Token> too_long() {
    diagnostics_.error("E019", "this expression is too long", source_.span(0, 1), "begins here")
        .helps.push_back("give parts of it names in `let`");
    return {};
  }

  bool next(Token& token) {
    const char first = text_[at_];
    bool good = true;
    if (is_digit(first)) {
      good = number(token);
    } else if (is_letter(first)) {
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
      token.kind = Token::Kind::word;
    } else if (first == '"') {
      good = quoted(token);
    } else {
      good = sign(token);
    }
    token.end = at_;
    token.text = text_.substr(token.begin, token.end - token.begin);
    return good;
  }

  bool quoted(Token& token) {
    const size_t close = text_.find('"', at_ + 1);
    if (close == std::string_view::npos) {
      diagnostics_.error("E010", "this text has no closing quote", source_.span(at_, text_.size()), "begins here");
      return false;
    }
    token.kind = Token::Kind::text;
    at_ = close + 1;
    return true;
  }

  bool sign(Token& token) {
    token.kind = Token::Kind::sign;
    const std::string_view rest = text_.substr(at_);
    for (const std::string_view one : kSigns) {
      if (!rest.starts_with(one)) continue;
      at_ += one.size();
      return true;
    }
    size_t bytes = 1;
    while (at_ + bytes < text_.size() && (static_cast<unsigned char>(text_[at_ + bytes]) & 0xc0U) == 0x80U) ++bytes;
    const std::string shown(rest.substr(0, bytes));
    Diagnostic& error = diagnostics_.error("E010", "unexpected character `" + shown + "`", source_.span(at_, at_ + bytes));
    for (const LookAlike& pair : kLookAlikes) {
      if (pair.wide == shown) error.helps.push_back("this is a full-width sign; write `" + std::string(pair.plain) + "`");
    }
    if (shown == "'") error.helps.push_back("text stands in double quotes: `\"…\"`");
    return false;
  }

  bool number(Token& token);
  bool bad_number(const Token& token, std::string message, std::string help) {
    diagnostics_.error("E012", std::move(message), source_.span(token.begin, at_)).helps.push_back(std::move(help));
    return false;
  }

  const PlacedText& source_;
  std::string_view text_;
  Diagnostics& diagnostics_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

bool Lexer::number(Token& token) {
  std::string whole, fraction;
  const auto digits = [&](std::string& into) {
    while (at_ < text_.size() &&
           (is_digit(text_[at_]) || (text_[at_] == '_' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])))) {
      if (text_[at_] != '_') into += text_[at_];
      ++at_;
    }
  };
  digits(whole);
  if (at_ + 1 < text_.size() && text_[at_] == '.' && is_digit(text_[at_ + 1])) {
    ++at_;
    digits(fraction);
  }
  const size_t unit_begin = at_;
  if (at_ < text_.size() && text_[at_] == '%') {
    ++at_;
  } else {
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
  }
  const std::string_view unit_name = text_.substr(unit_begin, at_ - unit_begin);
  const std::string written(text_.substr(token.begin, at_ - token.begin));
  if (whole.size() > 1 && whole[0] == '0') {
    return bad_number(token, "the number `" + written + "` begins with a zero", "text needs quotes: `\"" + written + "\"`");
  }
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& one) { return one.name == unit_name; });
  if (!unit_name.empty() && unit == kUnits.end()) {
    return bad_number(token, "`" + written + "` is not a number", "units are ms, s, m, h, d, % and bp; text needs quotes");
  }
  const bool is_duration = unit != kUnits.end() && unit->is_duration;
  if (is_duration && !fraction.empty()) {
    return bad_number(token, "a duration is a whole number of its unit", "for example `90s` instead of `1.5m`");
  }
  // `scale` is what one whole is worth in the token's value.
  const bool is_integer = unit_name.empty() && fraction.empty();
  const __int128 scale = is_integer ? 1 : unit == kUnits.end() ? Value::kDecimalOne : unit->factor;
  __int128 value = 0;
  constexpr __int128 kMost = std::numeric_limits<int64_t>::max();
  if (whole.size() > 19)
    return bad_number(token, "the number `" + written + "` is too large", "numbers have at most 18 digits");
  for (const char digit : whole) value = value * 10 + (digit - '0');
  value *= scale;
  __int128 place = scale;
  for (const char digit : fraction) {
    if (place % 10 != 0 && digit != '0') {
      return bad_number(token, "the number `" + written + "` has too many decimals", "decimals have nine places");
    }
    place /= 10;
    value += place * (digit - '0');
  }
  if (value > kMost) return bad_number(token, "the number `" + written + "` is too large", "decimals reach to 9.2 billion");
  token.kind = is_integer ? Token::Kind::integer : is_duration ? Token::Kind::duration : Token::Kind::decimal;
  token.value = static_cast<int64_t>(value);
  return true;
}

}  // namespace

std::vector<Token> tokenize(const PlacedText& source, Diagnostics& diagnostics) { return Lexer(source, diagnostics).run(); }

bool is_reserved(std::string_view word) { return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end(); }

bool is_name(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [](char sign) { return is_letter(sign) || is_digit(sign); });
}

}  // namespace tillwatch::rules
