#include "rules/program/sms_text.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>

namespace tillwatch::rules {
namespace {

constexpr DurationMs kChinaOffset = 8 * kHour;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Where the clause that ends at `end` begins: behind the last comma, semicolon or full stop.
size_t clause_begin(std::string_view text, size_t end) {
  size_t begin = 0;
  for (size_t at = 0; at < end; ++at) {
    const char c = text[at];
    const bool group = c == ',' && at > 0 && is_digit(text[at - 1]) && at + 1 < text.size() && is_digit(text[at + 1]);
    if ((c == ',' && !group) || c == ';' || c == '\n') begin = at + 1;
    if (text.substr(at).starts_with("。") || text.substr(at).starts_with("、")) begin = at + std::string_view("。").size();
  }
  return begin;
}

using Words = std::span<const std::string_view>;

bool has_any(std::string_view text, Words words) {
  return std::any_of(words.begin(), words.end(),
                     [text](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

bool ends_with_any(std::string_view text, Words words) {
  return std::any_of(words.begin(), words.end(), [text](std::string_view word) { return text.ends_with(word); });
}

std::string_view trimmed_end(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == ':')) text.remove_suffix(1);
  return text;
}

struct Number {
  size_t begin = 0, end = 0;
  std::optional<int64_t> minor;  // empty: more digits than money has, or commas in odd places
  bool decimals = false;         // two of them
};

// A run of digits, with commas between groups of three and up to two decimals.
Number number_at(std::string_view text, size_t begin) {
  Number number;
  number.begin = begin;
  size_t at = begin, digits = 0, since_comma = 0;
  bool commas = false, odd = false;
  int64_t whole = 0;
  for (; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      ++digits;
      ++since_comma;
      if (digits <= 12) whole = whole * 10 + (text[at] - '0');
    } else if (text[at] == ',' && at + 1 < text.size() && is_digit(text[at + 1])) {
      odd |= commas ? since_comma != 3 : since_comma > 3;
      commas = true;
      since_comma = 0;
    } else {
      break;
    }
  }
  odd |= commas && since_comma != 3;
  int64_t fraction = 0;
  if (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
    size_t places = 0;
    for (++at; at < text.size() && is_digit(text[at]); ++at, ++places) fraction = fraction * 10 + (text[at] - '0');
    odd |= places > 2;
    if (places == 1) fraction *= 10;
    number.decimals = places == 2;
  }
  number.end = at;
  if (!odd && digits <= 12) number.minor = whole * 100 + fraction;
  return number;
}

constexpr auto kMoved = std::to_array<std::string_view>({"消费", "支出", "支付", "扣款", "交易", "转出", "转账",   "取款",
                                                         "付款", "金额", "扣费", "退款", "入账", "收入", "预授权", "转入",
                                                         "返还", "存入", "扣除", "还款", "退货", "完成", "撤销",   "冲正"});

// Whether a number is the transaction's amount, as far as what stands around it tells.
bool is_amount(std::string_view text, const Number& number) {
  const std::string_view behind = text.substr(number.end);
  std::string_view before = text.substr(0, number.begin);
  const std::string_view clause = before.substr(clause_begin(text, number.begin));
  if (has_any(clause, std::to_array<std::string_view>({"余额", "额度", "限额", "结余", "积分", "手续费", "应还", "最低"})))
    return false;
  std::string_view unit = behind;
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.starts_with("元") || unit.starts_with("圆") || unit.starts_with("人民币") || unit.starts_with("RMB") ||
      unit.starts_with("CNY"))
    return true;
  if (!before.empty() && (before.back() == '*' || before.back() == '-' || before.back() == '/')) return false;
  before = trimmed_end(before);
  for (const std::string_view currency : {"人民币", "RMB", "CNY", "¥", "￥"}) {
    if (before.ends_with(currency)) return true;
  }
  constexpr auto kEnds = std::to_array<std::string_view>({",", ";", ".", ")", "\n", "。", "、", "【", "余额"});
  const bool no_other_unit =
      unit.empty() || std::any_of(kEnds.begin(), kEnds.end(), [&](auto end) { return unit.starts_with(end); });
  return no_other_unit && ((number.decimals && ends_with_any(before, kMoved)) || before.ends_with("金额"));
}

const RE2& day_and_time() {
  static const RE2 pattern(
      R"((?:(?:(\d{4})年|(\d{4})[-/])?(\d{1,2})(?:月|[-/]))?(\d{1,2})(?:日|号)?[ ,]{0,2}(\d{1,2})(?::|时|点)(\d{1,2})(?:分?:?(\d{1,2})秒?)?)");
  return pattern;
}

// Days from 1970-01-01 to a date of the Gregorian calendar.
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = year / 400;
  const int64_t of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

struct Date {
  int64_t year, month, day;
};
Date date_of(int64_t days) {
  days += 719'468;
  const int64_t era = days / 146'097;
  const int64_t of_era = days - era * 146'097;
  const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted = (5 * of_year + 2) / 153;
  const int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {era * 400 + year_of_era + (month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1};
}

bool exists(const Date& date) {
  if (date.month < 1 || date.month > 12 || date.day < 1) return false;
  const Date back = date_of(days_of(date.year, date.month, date.day));
  return back.year == date.year && back.month == date.month && back.day == date.day;
}

}  // namespace

std::string half_width(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(at + i < text.size() ? text[at + i] : 0); };
    // U+FF01 … U+FF5E is EF BC 81 … EF BD 9E; U+3000 is E3 80 80.
    if (byte(0) == 0xEF && ((byte(1) == 0xBC && byte(2) >= 0x81) || (byte(1) == 0xBD && byte(2) >= 0x80 && byte(2) <= 0x9E))) {
      result += static_cast<char>((byte(1) == 0xBC ? 0x20 : 0x60) + (byte(2) - 0x80));
      at += 3;
    } else if (byte(0) == 0xE3 && byte(1) == 0x80 && byte(2) == 0x80) {
      result += ' ';
      at += 3;
    } else {
      result += text[at++];
    }
  }
  return result;
}

std::optional<int64_t> sms_amount_minor(std::string_view text) {
  std::optional<int64_t> amount;
  for (size_t at = 0; at < text.size();) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    const Number number = number_at(text, at);
    at = number.end;
    if (text.substr(number.end).starts_with("万")) {
      if (has_any(text.substr(clause_begin(text, number.begin), number.begin - clause_begin(text, number.begin)), kMoved))
        return {};
      continue;
    }
    if (!is_amount(text, number)) continue;
    if (!number.minor || (amount && *amount != *number.minor)) return {};
    amount = number.minor;
  }
  return amount;
}

std::string_view sms_tail(std::string_view text) {
  static const RE2 pattern(R"((?:尾号|末四位|尾数|账户|账号|卡号)(?:为|是|:)? ?[\d*]{0,12}?(\d{3,4})(?:[^\d.,*元]|$))");
  std::string_view found;
  re2::StringPiece rest(text.data(), text.size()), digits;
  while (RE2::FindAndConsume(&rest, pattern, &digits)) {
    const std::string_view tail(digits.data(), digits.size());
    if (found.empty()) {
      found = tail;
    } else if (!found.ends_with(tail) && !tail.ends_with(found)) {
      return {};
    }
  }
  return found;
}

SmsDirection sms_direction(std::string_view text) {
  if (has_any(text, std::to_array<std::string_view>({"撤销", "冲正", "退回"}))) return SmsDirection::credit;
  if (has_any(text, std::to_array<std::string_view>({"预授权"})))
    return has_any(text, std::to_array<std::string_view>({"预授权完成", "预授权确认"})) ? SmsDirection::debit
                                                                                        : SmsDirection::preauth;
  const bool in =
      has_any(text, std::to_array<std::string_view>({"退款", "退货", "入账", "收入", "转入", "存入", "返还", "收款"}));
  const bool out =
      has_any(text, std::to_array<std::string_view>({"消费", "支出", "支付", "扣款", "转出", "取款", "付款", "扣费", "扣除"}));
  if (in != out) return in ? SmsDirection::credit : SmsDirection::debit;
  if (in) return SmsDirection::unreadable;
  return has_any(text, std::to_array<std::string_view>({"交易"})) ? SmsDirection::debit : SmsDirection::unreadable;
}

std::string_view name_of(SmsDirection direction) {
  static constexpr std::array<std::string_view, 4> kNames = {"", "debit", "credit", "preauth"};
  return kNames[static_cast<size_t>(direction)];
}

std::optional<TimeMs> sms_time(std::string_view text, TimeMs near) {
  std::array<std::string, 7> part;  // year, year, month, day, hour, minute, second
  const re2::StringPiece whole(text.data(), text.size());
  if (!RE2::PartialMatch(whole, day_and_time(), &part[0], &part[1], &part[2], &part[3], &part[4], &part[5], &part[6]))
    return {};
  const auto value = [&](size_t i) { return part[i].empty() ? int64_t{0} : std::strtoll(part[i].c_str(), nullptr, 10); };
  const int64_t hour = value(4), minute = value(5), second = value(6);
  if (hour > 23 || minute > 59 || second > 59) return {};
  const int64_t stated_year = value(0) != 0 ? value(0) : value(1);
  const Date around = date_of((near + kChinaOffset) / kDay);
  std::optional<TimeMs> best;
  for (int64_t step = -1; step <= 1; ++step) {
    Date date = {around.year, value(2), value(3)};
    if (stated_year != 0) {
      date.year = stated_year;
    } else if (value(2) != 0) {
      date.year += step;
    } else {
      const int64_t month = around.month - 1 + step;
      date.month = (month + 12) % 12 + 1;
      date.year += month < 0 ? -1 : month > 11 ? 1 : 0;
    }
    if (!exists(date)) continue;
    const TimeMs at =
        days_of(date.year, date.month, date.day) * kDay + hour * kHour + minute * kMinute + second * kSecond - kChinaOffset;
    if (stated_year != 0 || (at <= near + kDay && (!best || at > *best))) best = at;
  }
  return best;
}

std::string_view sms_signature(std::string_view text) {
  constexpr std::string_view kOpen = "【", kClose = "】";
  const auto between = [&](size_t begin, size_t open, size_t close) {
    return close == std::string_view::npos || close <= begin + open ? std::string_view()
                                                                    : text.substr(begin + open, close - begin - open);
  };
  if (text.starts_with(kOpen)) return between(0, kOpen.size(), text.find(kClose));
  if (text.starts_with('[')) return between(0, 1, text.find(']'));
  if (text.ends_with(kClose) && text.rfind(kOpen) != std::string_view::npos)
    return between(text.rfind(kOpen), kOpen.size(), text.size() - kClose.size());
  if (text.ends_with(']') && text.rfind('[') != std::string_view::npos) return between(text.rfind('['), 1, text.size() - 1);
  return {};
}

int64_t sms_parts(std::string_view text) {
  constexpr size_t kAlone = 70, kOfSeveral = 67;
  const size_t length = characters(text);
  return static_cast<int64_t>(length <= kAlone ? 1 : (length + kOfSeveral - 1) / kOfSeveral);
}

bool contains_identity_number(std::string_view text) {
  constexpr std::array<int, 17> kWeights = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  constexpr std::string_view kChecks = "10X98765432";
  for (size_t begin = 0; begin + 18 <= text.size(); ++begin) {
    if (!is_digit(text[begin]) || (begin > 0 && is_digit(text[begin - 1]))) continue;
    int sum = 0;
    size_t at = 0;
    while (at < 17 && is_digit(text[begin + at])) {
      sum += (text[begin + at] - '0') * kWeights[at];
      ++at;
    }
    if (at < 17 || (begin + 18 < text.size() && is_digit(text[begin + 18]))) continue;
    const char last = text[begin + 17] == 'x' ? 'X' : text[begin + 17];
    const std::string_view year = text.substr(begin + 6, 2);
    if (last == kChecks[static_cast<size_t>(sum % 11)] && (year == "18" || year == "19" || year == "20")) return true;
  }
  return false;
}

bool asks_for_secret(std::string_view text) {
  static const RE2 given(R"((?i)(密码|CVV2?|CVN2?|安全码|有效期)(为|是|:) ?\d{3,8})");
  static const RE2 asked(
      R"((?i)(回复|提供|告知|输入|填写|发送|报出)[^,。;]{0,12}(密码|CVV2?|CVN2?|安全码|验证码|动态码|校验码))");
  static const RE2 warned(
      R"((不要|请勿|切勿|勿|不会|谨防|严禁|不得)[^,。;]{0,12}(回复|提供|告知|输入|填写|发送|报出|索要|索取|泄露))");
  const re2::StringPiece whole(text.data(), text.size());
  return RE2::PartialMatch(whole, given) || (RE2::PartialMatch(whole, asked) && !RE2::PartialMatch(whole, warned));
}

}  // namespace tillwatch::rules
