// Functions over the text of messages.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "engine/base/hash.h"
#include "engine/base/mask.h"
#include "engine/base/row.h"
#include "rules/program/function_checks.h"
#include "rules/program/sms_text.h"

namespace tillwatch::rules {
namespace {

constexpr uint16_t kYuan = 156;

template <Kind kResult, bool kOptional>
std::string check_text_to(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 1, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string}, bad);
  result = {.kind = kResult, .optional = kOptional};
  return wrong;
}

Value text_or_missing(std::string_view text, Arena& arena) { return text.empty() ? Value{} : Value::of_text(arena.copy(text)); }

Value run_amount(std::span<const Value> arguments, Arena&, EvalError&) {
  const auto minor = sms_amount_minor(half_width(arguments[0].text()));
  return minor ? Value::of_money(*minor, kYuan) : Value{};
}

Value run_tail(std::span<const Value> arguments, Arena& arena, EvalError&) {
  return text_or_missing(sms_tail(half_width(arguments[0].text())), arena);
}

Value run_direction(std::span<const Value> arguments, Arena& arena, EvalError&) {
  return text_or_missing(name_of(sms_direction(half_width(arguments[0].text()))), arena);
}

std::string check_time(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string}, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 1, {Kind::time}, bad);
  result = {.kind = Kind::time, .optional = true};
  return wrong;
}

Value run_time(std::span<const Value> arguments, Arena&, EvalError&) {
  const auto stated = sms_time(half_width(arguments[0].text()), arguments[1].i);
  return stated ? Value::of_time(*stated) : Value{};
}

Value run_signature(std::span<const Value> arguments, Arena& arena, EvalError&) {
  return text_or_missing(sms_signature(half_width(arguments[0].text())), arena);
}

Value run_parts(std::span<const Value> arguments, Arena&, EvalError&) { return Value::of_int(sms_parts(arguments[0].text())); }

Value run_card_number(std::span<const Value> arguments, Arena&, EvalError&) {
  return Value::of_bool(contains_card_number(half_width(arguments[0].text())));
}

Value run_identity_number(std::span<const Value> arguments, Arena&, EvalError&) {
  return Value::of_bool(contains_identity_number(half_width(arguments[0].text())));
}

Value run_secret(std::span<const Value> arguments, Arena&, EvalError&) {
  return Value::of_bool(asks_for_secret(half_width(arguments[0].text())));
}

Value run_fingerprint(std::span<const Value> arguments, Arena& arena, EvalError&) {
  return Value::of_text(arena.copy(fmt::format("{:016x}", hash_bytes(arguments[0].text()))));
}

std::string check_unlisted(std::span<const Type> arguments, Type& result, size_t& bad) {
  std::string wrong = check_count(arguments, 2, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 0, {Kind::string}, bad);
  if (wrong.empty()) wrong = check_kind(arguments, 1, {Kind::list}, bad);
  result = {.kind = Kind::string, .optional = true};
  return wrong;
}

// The first match of `pattern` that `listed` does not cover.
template <typename Listed>
Value first_unlisted(std::span<const Value> arguments, Arena& arena, const RE2& pattern, Listed listed) {
  const std::string text = half_width(arguments[0].text());
  const ListView list(arguments[1].text());
  re2::StringPiece rest(text), found;
  while (RE2::FindAndConsume(&rest, pattern, &found)) {
    const std::string_view match(found.data(), found.size());
    bool known = false;
    for (const std::string_view each : list.items()) known |= listed(match, each);
    if (!known) return Value::of_text(arena.copy(match));
  }
  return {};
}

// A host counts as listed when it is the listed one or lies under it ("m.bank.example" under "bank.example").
Value run_unlisted_link(std::span<const Value> arguments, Arena& arena, EvalError&) {
  static const RE2 pattern(
      R"((?i)(?:https?://)?((?:[a-z0-9][a-z0-9-]{0,62}\.)+(?:com|cn|net|org|top|xyz|cc|vip|info|me|io|co|shop|site|club|link|example))(?:[^a-z0-9.-]|$))");
  return first_unlisted(arguments, arena, pattern, [](std::string_view host, std::string_view listed) {
    return host == listed ||
           (host.size() > listed.size() && host.ends_with(listed) && host[host.size() - listed.size() - 1] == '.');
  });
}

// Hotlines (95xxx, 400-…, 800-…), and land-line or mobile numbers that follow a word for calling.
Value run_unlisted_phone(std::span<const Value> arguments, Arena& arena, EvalError&) {
  static const RE2 pattern(
      R"((?:电话|致电|拨打|热线|咨询|客服|联系|询|电)[^\d。;]{0,9}(1[3-9]\d{9}|0\d{2,3}-?\d{7,8}|[48]00-?\d{3,4}-?\d{3,4}|9[56]\d{3,4}|1[02]\d{3}))");
  const auto digits = [](std::string_view text) {
    std::string only;
    std::copy_if(text.begin(), text.end(), std::back_inserter(only), [](char c) { return c >= '0' && c <= '9'; });
    return only;
  };
  return first_unlisted(arguments, arena, pattern,
                        [&](std::string_view number, std::string_view listed) { return digits(number) == digits(listed); });
}

}  // namespace

void append_sms_functions(std::vector<Function>& rows) {
  rows.insert(
      rows.end(),
      {{"sms_amount", check_text_to<Kind::money, true>, run_amount, "sms_amount(text) -> money?",
        "The amount in yuan a bank's message speaks of; missing where it says none or several.",
        R"(sms_amount("您尾号1234的卡消费人民币1,362.41元，余额9.00元") ?? 0 == 136241)"},
       {"sms_tail", check_text_to<Kind::string, true>, run_tail, "sms_tail(text) -> string?",
        "The 3 or 4 digits by which a message names the card; missing where it names none or several.",
        R"(sms_tail("您尾号097的卡支出4元") ?? "" == "097")", true},
       {"sms_direction", check_text_to<Kind::string, true>, run_direction, "sms_direction(text) -> string?",
        "What a message tells of: debit, credit or preauth; missing where it cannot be told.",
        R"(sms_direction("退款203.36元") ?? "" == "credit" and sms_direction("预授权100元") ?? "" == "preauth")", true},
       {"sms_time", check_time, run_time, "sms_time(text, near) -> time?",
        "The time a message states, in China's time; where it leaves out year or month, the last such moment before `near` (or "
        "within a "
        "day after it). Missing without a day or time of day.",
        R"((sms_time("1月1日08:05消费4元", sold_at) ?? sold_at) - sold_at == 5m)"},
       {"sms_signature", check_text_to<Kind::string, true>, run_signature, "sms_signature(text) -> string?",
        "The sender in 【 】 at the start or end of a message.", R"(sms_signature("【示例银行】您好") ?? "" == "示例银行")",
        true},
       {"sms_parts", check_text_to<Kind::integer, false>, run_parts, "sms_parts(text) -> int",
        "How many parts a gateway makes of a text: 70 characters in one, 67 in each of several.", R"(sms_parts("您好") == 1)"},
       {"has_card_number", check_text_to<Kind::boolean, false>, run_card_number, "has_card_number(text) -> bool",
        "Whether a full card number stands in the text: 13 to 19 digits that pass the Luhn check.",
        R"(has_card_number("卡号4111 1111 1111 1111") and not has_card_number("尾号1111"))"},
       {"has_identity_number", check_text_to<Kind::boolean, false>, run_identity_number, "has_identity_number(text) -> bool",
        "Whether an 18-digit resident identity number stands in the text, its check digit being right.",
        R"(has_identity_number("身份证11010519491231002X"))"},
       {"asks_secret", check_text_to<Kind::boolean, false>, run_secret, "asks_secret(text) -> bool",
        "Whether a text gives a password or security code, or asks for one or for a verification code.",
        R"(asks_secret("请回复短信验证码") and not asks_secret("请勿向他人提供验证码"))"},
       {"fingerprint", check_text_to<Kind::string, false>, run_fingerprint, "fingerprint(text) -> string",
        "16 digits that are the same for equal texts; the text cannot be read from them.",
        R"(fingerprint("a") == fingerprint("a") and fingerprint("a") != fingerprint("b"))", true},
       {"unlisted_link", check_unlisted, run_unlisted_link, "unlisted_link(text, list(string)) -> string?",
        "The first web host in a text that is none of the list, and under none of it.",
        R"(unlisted_link("详见 http://m.bank.example/a", ["bank.example"]) ?? "" == "")", true},
       {"unlisted_phone", check_unlisted, run_unlisted_phone, "unlisted_phone(text, list(string)) -> string?",
        "The first telephone number a text asks to call that is none of the list.",
        R"(unlisted_phone("如有疑问请致电95000", ["95001"]) ?? "" == "95000")", true}});
}

}  // namespace tillwatch::rules
