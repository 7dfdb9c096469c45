#include "engine/base/mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace tillwatch {
namespace {

constexpr size_t kFewestCardDigits = 13;
constexpr size_t kMostCardDigits = 19;
constexpr size_t kOldJcbDigits = 15;
constexpr size_t kMostEmbossedGroups = 5;
constexpr size_t kPhoneDigits = 11;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits in groups, with single spaces or dashes between the groups: "138 1234 5678". Longer ones are read in pieces that
// overlap by more groups than a number can have.
struct DigitChain {
  static constexpr size_t kMostGroups = 2 * kMostCardDigits + 2;
  struct Group {
    size_t begin;
    size_t end;
    size_t size() const { return end - begin; }
  };
  std::array<Group, kMostGroups> groups;
  size_t count = 0;

  // Groups from this one on belong to the next piece, which starts there.
  size_t own() const { return count < kMostGroups ? count : kMostGroups / 2; }
  size_t resume_at(size_t group) const { return group < count ? groups[group].begin : groups[count - 1].end; }
};

// `begin` must be at a digit.
DigitChain read_chain(std::string_view text, size_t begin) {
  DigitChain chain;
  while (chain.count < DigitChain::kMostGroups) {
    size_t end = begin;
    while (end < text.size() && is_digit(text[end])) ++end;
    chain.groups[chain.count++] = {begin, end};
    if (end + 1 >= text.size() || (text[end] != ' ' && text[end] != '-') || !is_digit(text[end + 1])) break;
    begin = end + 1;
  }
  return chain;
}

using Groups = std::span<const DigitChain::Group>;

size_t digit_count(Groups groups) {
  size_t count = 0;
  for (const auto& group : groups) count += group.size();
  return count;
}

bool passes_luhn(std::string_view text, Groups groups) {
  unsigned sum = 0;
  bool doubled = false;
  for (size_t at = groups.back().end; at-- > groups.front().begin;) {
    if (!is_digit(text[at])) continue;
    unsigned digit = static_cast<unsigned>(text[at] - '0');
    if (doubled) digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
    sum += digit;
    doubled = !doubled;
  }
  return sum % 10 == 0;
}

bool is_card(std::string_view text, Groups groups) {
  const size_t digits = digit_count(groups);
  if (digits < kFewestCardDigits || digits > kMostCardDigits) return false;
  // Milliseconds of this century start with 1; of cards only JCB's old ones do.
  const size_t begin = groups.front().begin;
  const bool issued = text[begin] >= '2' || (digits == kOldJcbDigits && text.substr(begin).starts_with("1800"));
  return issued && passes_luhn(text, groups);
}

// What some scheme issues, by the first four digits and the number of digits. Identifiers often are digits that begin with a date
// or a time: as no card does.
struct Issue {
  unsigned first, last;  // of the first four digits
  size_t fewest, most;   // digits in all
};
constexpr std::array kIssues = {
    Issue{1800, 1800, 15, 15}, Issue{2131, 2131, 15, 15}, Issue{3500, 3599, 16, 19},                             // JCB
    Issue{3000, 3059, 14, 14}, Issue{3000, 3059, 16, 19}, Issue{3600, 3699, 14, 19}, Issue{3800, 3999, 14, 19},  // Diners Club
    Issue{3400, 3499, 15, 15}, Issue{3700, 3799, 15, 15},                                                        // American Express
    Issue{4000, 4999, 13, 13}, Issue{4000, 4999, 16, 16}, Issue{4000, 4999, 18, 19},                             // Visa
    Issue{2221, 2720, 16, 16}, Issue{5100, 5599, 16, 16},                                                        // Mastercard
    Issue{5000, 5099, 16, 19}, Issue{5600, 5899, 16, 19},                                                        // Maestro
    Issue{6000, 6999, 16, 19},                                                                                   // UnionPay, Discover, Maestro
    Issue{9000, 9999, 16, 19},                                                                                   // older cards of Chinese banks
};

bool is_issued_card(std::string_view text, Groups groups) {
  if (!is_card(text, groups)) return false;
  unsigned prefix = 0;
  size_t seen = 0;
  for (size_t at = groups.front().begin; seen < 4; ++at) {
    if (!is_digit(text[at])) continue;
    prefix = prefix * 10 + static_cast<unsigned>(text[at] - '0');
    ++seen;
  }
  const size_t digits = digit_count(groups);
  return std::ranges::any_of(kIssues, [&](const Issue& issue) {
    return issue.first <= prefix && prefix <= issue.last && issue.fewest <= digits && digits <= issue.most;
  });
}

// The groups in which numbers are embossed.
bool grouped_as_on_cards(Groups groups) {
  if (groups.size() == 1) return true;
  if (groups.size() == 3 && groups[0].size() == 4 && groups[1].size() == 6)
    return groups[2].size() == 5 || groups[2].size() == 4;
  const Groups fours = groups.first(groups.size() - 1);
  return groups.back().size() <= 4 && std::ranges::all_of(fours, [](const auto& group) { return group.size() == 4; });
}

bool is_mobile(std::string_view digits) { return digits.size() == kPhoneDigits && digits[0] == '1' && digits[1] >= '3'; }

// Where in `text` the eleven digits of a mobile number start, when `groups` are one; npos when they are not.
size_t phone_begin(std::string_view text, Groups groups) {
  const size_t begin = groups[0].begin;
  if (groups.size() == 3 && groups[0].size() == 3 && groups[1].size() == 4 && groups[2].size() == 4) {
    return text[begin] == '1' && text[begin + 1] >= '3' ? begin : std::string_view::npos;
  }
  if (groups.size() != 1) return std::string_view::npos;
  const std::string_view digits = text.substr(begin, groups[0].size());
  for (const std::string_view prefix : {"", "86", "0086"}) {
    if (digits.starts_with(prefix) && is_mobile(digits.substr(prefix.size()))) return begin + prefix.size();
  }
  return std::string_view::npos;
}

// Stars for the digits in [begin, end) of `text` except the first `keep_first` and the last `keep_last`.
void star_out(std::string& text, size_t begin, size_t end, size_t keep_first, size_t keep_last) {
  const auto digits = static_cast<size_t>(std::count_if(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                                        text.begin() + static_cast<std::ptrdiff_t>(end), is_digit));
  size_t seen = 0;
  for (size_t at = begin; at < end; ++at) {
    if (!is_digit(text[at])) continue;
    if (seen >= keep_first && seen + keep_last < digits) text[at] = '*';
    ++seen;
  }
}

// Masks what starts at the first group; returns how many groups that took, 0 when nothing does.
size_t mask_front(std::string& text, Groups groups) {
  for (size_t count = std::min(groups.size(), kMostCardDigits); count >= 1; --count) {
    const Groups window = groups.first(count);
    if (is_card(text, window)) {
      star_out(text, window.front().begin, window.back().end, 6, 4);
      return count;
    }
    if (const size_t begin = phone_begin(text, window); begin != std::string_view::npos) {
      star_out(text, begin, window.back().end, 3, 4);
      return count;
    }
  }
  return 0;
}

// Length of the UTF-8 sequence at `at`; 0 when the bytes there are none (overlong forms and surrogates included).
size_t utf8_length(std::string_view bytes, size_t at) {
  const auto byte = [&](size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  const unsigned lead = byte(at);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  const bool outside = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) || (lead == 0xf0 && second < 0x90) ||
                       (lead == 0xf4 && second >= 0x90);
  return outside ? 0 : length;
}

// C0, DEL and, as two bytes, C1: what could move a terminal's cursor.
std::string escaped_control(std::string_view character) {
  const auto last = static_cast<unsigned char>(character.back());
  if (character.size() == 2 && character[0] == '\xc2' && last < 0xa0) return fmt::format("\\u00{:02x}", last);
  if (character.size() != 1 || (last >= 0x20 && last != 0x7f)) return {};
  switch (last) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return fmt::format("\\x{:02x}", last);
  }
}

}  // namespace

std::string mask(std::string_view text) {
  std::string masked(text);
  for (size_t at = 0; at < masked.size();) {
    if (!is_digit(masked[at])) {
      ++at;
      continue;
    }
    const DigitChain chain = read_chain(masked, at);
    const Groups groups = Groups(chain.groups).first(chain.count);
    size_t group = 0;
    while (group < chain.own()) group += std::max<size_t>(1, mask_front(masked, groups.subspan(group)));
    at = chain.resume_at(group);
  }
  return masked;
}

std::string masked_excerpt(std::string_view bytes, size_t max_length) {
  // A number that begins before the cut must be seen whole: 19 digits with separators are shorter than this.
  constexpr size_t kBeyondCut = 64;
  static constexpr std::string_view kEllipsis = "…";
  static constexpr std::string_view kReplacement = "\xef\xbf\xbd";

  const std::string window = mask(bytes.substr(0, max_length + kBeyondCut));
  std::string excerpt;
  size_t safe_end = 0;  // where the ellipsis could stand
  for (size_t at = 0; at < window.size();) {
    const size_t length = utf8_length(window, at);
    const std::string_view character = length == 0 ? kReplacement : std::string_view(window).substr(at, length);
    const std::string escape = escaped_control(character);
    excerpt += escape.empty() ? character : escape;
    if (excerpt.size() > max_length) {
      excerpt.resize(safe_end);
      if (max_length >= kEllipsis.size()) excerpt += kEllipsis;
      return excerpt;
    }
    if (excerpt.size() + kEllipsis.size() <= max_length) safe_end = excerpt.size();
    at += std::max<size_t>(1, length);
  }
  return excerpt;
}

bool contains_card_number(std::string_view text) { return !find_card_number(text).empty(); }

std::string_view find_card_number(std::string_view text, size_t from) {
  for (size_t at = from; at < text.size();) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    const DigitChain chain = read_chain(text, at);
    const Groups groups = Groups(chain.groups).first(chain.count);
    for (size_t first = 0; first < chain.own(); ++first) {
      for (size_t count = 1; count <= kMostEmbossedGroups && first + count <= groups.size(); ++count) {
        const Groups window = groups.subspan(first, count);
        if (!grouped_as_on_cards(window) || !is_issued_card(text, window)) continue;
        return text.substr(window.front().begin, window.back().end - window.front().begin);
      }
    }
    at = chain.resume_at(chain.own());
  }
  return {};
}

}  // namespace tillwatch
