#include "rules/language/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "rules/language/vocabulary.h"
#include "rules/program/functions.h"

namespace tillwatch::rules {
namespace {

struct OperatorWords {
  Op op;
  int strength;  // as in the grammar: or 1, and 2, comparisons 4, sums 6, products 7
  std::string_view code, words;
};

constexpr std::array kOperators = std::to_array<OperatorWords>({
    {Op::op_or, 1, "or", "or"},
    {Op::op_and, 2, "and", "and"},
    {Op::equal, 4, "==", "is"},
    {Op::not_equal, 4, "!=", "is not"},
    {Op::less, 4, "<", "is less than"},
    {Op::less_equal, 4, "<=", "is at most"},
    {Op::greater, 4, ">", "is more than"},
    {Op::greater_equal, 4, ">=", "is at least"},
    {Op::in, 4, "in", "is one of"},
    {Op::not_in, 4, "not in", "is none of"},
    {Op::matches, 4, "matches", "matches"},
    {Op::ends_with, 4, "ends_with", "ends with"},
    {Op::plus, 6, "+", "+"},
    {Op::minus, 6, "-", "-"},
    {Op::times, 7, "*", "×"},
    {Op::divide, 7, "/", "÷"},
});
constexpr int kNot = 3, kDefault = 5, kUnary = 8, kWhole = 0;

const OperatorWords& row_of(Op op) {
  const auto found =
      std::find_if(kOperators.begin(), kOperators.end(), [op](const OperatorWords& row) { return row.op == op; });
  return found == kOperators.end() ? kOperators.front() : *found;
}

std::string_view code_name(Aggregation function) {
  for (const AggregateRow& row : aggregate_rows()) {
    if (row.function == function) return row.name;
  }
  return "aggregate";
}

// In front of what is aggregated.
std::string_view word_name(Aggregation function) {
  constexpr std::array<std::string_view, 13> kNames = {"the number of",    "the sum of",
                                                       "the average of",   "the lowest",
                                                       "the highest",      "the number of different",
                                                       "the share of",     "the first earlier",
                                                       "the last earlier", "the number in a row, up to now, of",
                                                       "the quantile at",  "the most frequent",
                                                       "the usual"};
  const auto index = static_cast<size_t>(function);
  return index < kNames.size() ? kNames[index] : "an aggregate of";
}

std::string parenthesised(std::string text, bool needed) { return needed ? "(" + std::move(text) + ")" : text; }

constexpr std::array<std::pair<DurationMs, std::string_view>, 5> kUnits = {
    {{kDay, "d"}, {kHour, "h"}, {kMinute, "m"}, {kSecond, "s"}, {1, "ms"}}};

// As the language writes it: one number, one unit.
std::string duration_code(DurationMs duration) {
  if (duration < 0) return "-" + duration_code(-duration);
  for (const auto& [unit, name] : kUnits) {
    if (duration >= unit && duration % unit == 0) return fmt::format("{}{}", duration / unit, name);
  }
  return "0s";
}

std::string decimal_literal(int64_t billionths) {
  constexpr int64_t kPercent = Value::kDecimalOne / 100;
  if (billionths == 0) return "0%";
  if (billionths % kPercent == 0 && std::abs(billionths) < Value::kDecimalOne) return fmt::format("{}%", billionths / kPercent);
  constexpr int64_t kHundredthOfBasisPoint = kPercent / 10'000;
  if (billionths % kHundredthOfBasisPoint == 0 && std::abs(billionths) < kPercent) {
    return fmt::format("{}bp", static_cast<double>(billionths / kHundredthOfBasisPoint) / 100);
  }
  const bool negative = billionths < 0;
  const uint64_t size = negative ? uint64_t{0} - static_cast<uint64_t>(billionths) : static_cast<uint64_t>(billionths);
  std::string text = fmt::format("{}.{:09}", size / Value::kDecimalOne, size % Value::kDecimalOne);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text += '0';
  return negative ? "-" + text : text;
}

}  // namespace

std::string duration_text(DurationMs duration) {
  if (duration < 0) return "-" + duration_text(-duration);
  std::string text;
  for (const auto& [unit, name] : kUnits) {
    if (duration >= unit) text += fmt::format("{}{}{}", text.empty() ? "" : " ", duration / unit, name);
    duration %= unit;
  }
  return text.empty() ? "0s" : text;
}

std::string Wording::stream_name(int32_t stream) const {
  return stream >= 0 ? schema_.streams[static_cast<size_t>(stream)].name : std::string("event");
}

std::string Wording::table_name(int32_t table) const {
  return table >= 0 ? schema_.tables[static_cast<size_t>(table)].name : std::string("table");
}

std::string Wording::literal(const Expression& expression) const {
  const Value& value = expression.value;
  switch (expression.type.kind) {
    case Kind::boolean:
      return value.truth() ? "true" : "false";
    case Kind::string:
      return "\"" + expression.text + "\"";
    case Kind::decimal:
      return decimal_literal(value.i);
    case Kind::duration:
      return words() ? duration_text(value.i) : duration_code(value.i);
    case Kind::symbol: {
      if (expression.type.ref < 0) return expression.text;
      const auto& names = schema_.enums[static_cast<size_t>(expression.type.ref)].names;
      return static_cast<size_t>(value.i) < names.size() ? names[static_cast<size_t>(value.i)] : "unknown";
    }
    case Kind::time:
      return format_rfc3339(value.i);
    default:
      return std::to_string(value.i);
  }
}

Wording Wording::about_stream(int32_t stream) const {
  Wording result = *this;
  result.candidate_ = stream >= 0 ? &schema_.root(stream).fields : nullptr;
  return result;
}

Wording Wording::about_table(int32_t table) const {
  Wording result = *this;
  result.candidate_ = table >= 0 ? &schema_.tables[static_cast<size_t>(table)].columns : nullptr;
  return result;
}

Wording Wording::resolved_by(const ResolveWay& way) const {
  Wording result = way.stream >= 0 ? about_stream(way.stream) : about_table(way.table);
  result.resolver_ = result.candidate_;
  result.resolver_name_ = way.stream >= 0 ? stream_name(way.stream) : way.table >= 0 ? table_name(way.table) : "";
  return result;
}

std::string Wording::field(const Expression& expression) const {
  const auto named = [&](const std::vector<Field>* fields) -> std::string {
    const auto index = static_cast<size_t>(expression.index);
    if (fields == nullptr) return "?";
    if (index < fields->size()) return (*fields)[index].name;
    return index - fields->size() < rule_.facts.size() ? rule_.facts[index - fields->size()].name : "?";
  };
  const auto owned = [&](const std::string& owner, const std::string& name) {
    return words() ? "the " + owner + "'s " + name : owner + "." + name;
  };
  if (expression.binding == kCandidate) return named(candidate_);
  if (expression.binding == kResolver) return owned(resolver_name_, named(resolver_));
  if (expression.binding == kTrigger && rule_.table >= 0) {
    return owned(words() ? table_name(rule_.table) + " row" : rule_.alias,
                 named(&schema_.tables[static_cast<size_t>(rule_.table)].columns));
  }
  if (expression.binding == kTrigger) {
    return owned(words() ? stream_name(rule_.stream) : rule_.alias, named(&schema_.root(rule_.stream).fields));
  }
  const Step& step = rule_.steps[static_cast<size_t>(expression.binding - 1)];
  return owned(step.alias.empty() ? stream_name(step.stream) : step.alias, named(&schema_.root(step.stream).fields));
}

std::string Wording::member(const Expression& expression) const {
  const Type& type = expression.args[0]->type;
  const std::vector<Field>& fields =
      type.kind == Kind::row ? schema_.tables[static_cast<size_t>(type.ref)].columns : schema_.root(type.ref).fields;
  const auto index = static_cast<size_t>(expression.index);
  const std::string& name = index < fields.size() ? fields[index].name : rule_.facts[index - fields.size()].name;
  return fmt::format("{}{}{}", text(*expression.args[0], kUnary), words() ? "'s " : ".", name);
}

std::string Wording::lookup(const Expression& expression) const {
  const size_t keys = expression.args.size() - (expression.has_at ? 1 : 0);
  std::string key;
  for (size_t i = 0; i < keys; ++i) key += (i == 0 ? "" : ", ") + text(*expression.args[i], kWhole);
  const std::string at = expression.has_at ? text(*expression.args.back(), 6) : "";
  if (!words()) return fmt::format("{}[{}]{}", table_name(expression.index), key, at.empty() ? "" : " at " + at);
  return fmt::format("the {} row of {}{}", table_name(expression.index), key, at.empty() ? "" : " as of " + at);
}

std::string Wording::unary(const Expression& expression) const {
  const Expression& inner = *expression.args[0];
  if (expression.op == Op::minus) return "-" + text(inner, kUnary);
  if (words() && inner.node == Node::has) return text(*inner.args[0], kUnary) + " is missing";
  return "not " + text(inner, words() ? kUnary : kNot);
}

std::string Wording::binary(const Expression& expression, int strength) const {
  const OperatorWords& row = row_of(expression.op);
  const bool truth = expression.op == Op::op_and || expression.op == Op::op_or;
  const bool test = row.strength == 4;
  // What stands beside a test or a minus binds more tightly; `and` beside `or` always gets its parentheses.
  const int left = truth ? (expression.op == Op::op_or ? kNot : row.strength) : test ? kDefault : row.strength;
  const int right = truth  ? left
                    : test ? kDefault
                           : row.strength + (expression.op == Op::minus || expression.op == Op::divide ? 1 : 0);
  const auto side = [&](const Expression& each, int needed) {
    const bool same = truth && each.node == Node::binary && each.op == expression.op;
    return text(each, same ? row.strength : needed);
  };
  const std::string_view sign = words() ? row.words : row.code;
  std::string last = side(*expression.args[1], right);
  if (words() && expression.args[1]->node == Node::list_name) last = "the list " + last;
  const bool in_list =
      words() && expression.args[1]->node == Node::list_name && (expression.op == Op::in || expression.op == Op::not_in);
  const std::string_view shown = !in_list ? sign : expression.op == Op::in ? "is in" : "is not in";
  return parenthesised(fmt::format("{} {} {}", side(*expression.args[0], left), shown, last), strength > row.strength);
}

std::string Wording::choose(const Expression& expression, int strength) const {
  const std::string condition = text(*expression.args[0], kWhole);
  const std::string then = text(*expression.args[1], kWhole), other = text(*expression.args[2], kWhole);
  if (!words()) return fmt::format("if({}, {}, {})", condition, then, other);
  return parenthesised(fmt::format("{} if {}, else {}", then, condition, other), strength > kWhole);
}

std::string Wording::call(const Expression& expression) const {
  std::string arguments;
  for (const ExpressionPtr& each : expression.args) arguments += (arguments.empty() ? "" : ", ") + text(*each, kWhole);
  return fmt::format("{}({})", functions()[static_cast<size_t>(expression.index)].name, arguments);
}

std::string Wording::list(const Expression& expression) const {
  std::string items;
  for (size_t i = 0; i < expression.args.size(); ++i) {
    const bool last = words() && i > 0 && i + 1 == expression.args.size();
    items += (i == 0 ? "" : last ? " and " : ", ") + text(*expression.args[i], kWhole);
  }
  return words() ? items : "[" + items + "]";
}

std::string Wording::text(const Expression& expression, int strength) const {
  switch (expression.node) {
    case Node::literal:
      return literal(expression);
    case Node::list:
      return list(expression);
    case Node::list_name:
      return (words() ? "" : "lists.") + schema_.lists[static_cast<size_t>(expression.index)].name;
    case Node::field:
      return field(expression);
    case Node::fact:
      return rule_.facts[static_cast<size_t>(expression.index)].name;
    case Node::elapsed:
      return words() ? "the time since" : "elapsed";
    case Node::member:
      return member(expression);
    case Node::lookup:
      return lookup(expression);
    case Node::unary:
      return parenthesised(unary(expression), strength > (expression.op == Op::minus ? kUnary : kNot));
    case Node::binary:
      return binary(expression, strength);
    case Node::coalesce:
      return parenthesised(fmt::format("{} {} {}", text(*expression.args[0], kDefault), words() ? "or else" : "??",
                                       text(*expression.args[1], 6)),
                           strength > kDefault);
    case Node::has:
      return words() ? parenthesised(text(*expression.args[0], kUnary) + " is there", strength > 4)
                     : fmt::format("has({})", text(*expression.args[0], kWhole));
    case Node::choose:
      return choose(expression, strength);
    case Node::call:
      return call(expression);
    case Node::aggregate:
      return of(rule_.aggregates[static_cast<size_t>(expression.index)]);
    default:
      return "…";
  }
}

std::string Wording::what_is_aggregated(const Aggregate& aggregate) const {
  const Wording inner = aggregate.stream < 0 ? about_table(rule_.table) : about_stream(aggregate.stream);
  const bool one = !aggregate.value && (aggregate.function == Aggregation::first || aggregate.function == Aggregation::last);
  const std::string source =
      aggregate.over_this ? (words() ? (one ? "trigger" : "triggers") : "this") : stream_name(aggregate.stream);
  std::string what = aggregate.value ? inner.text(*aggregate.value, words() ? kDefault + 1 : kWhole) + " of " + source : source;
  if (aggregate.where) what += " where " + inner.text(*aggregate.where, kWhole);
  return what;
}

std::string Wording::of(const Aggregate& aggregate) const {
  if (aggregate.function == Aggregation::usual) {
    const std::string of_what = of(rule_.aggregates[static_cast<size_t>(aggregate.of)]);
    return words() ? fmt::format("the usual {} at this time of the last {}", of_what, duration_text(aggregate.over))
                   : fmt::format("usual({}, {})", of_what, duration_code(aggregate.over));
  }
  std::string level;  // of a quantile: 99.5%
  if (aggregate.level > 0) {
    level = fmt::format("{}", static_cast<double>(aggregate.level) / 1e7) + (words() ? " % " : "%, ");
  }
  const std::string what = level + what_is_aggregated(aggregate),
                    over = words() ? duration_text(aggregate.over) : duration_code(aggregate.over);
  const std::string every = aggregate.every > 0 ? duration_code(aggregate.every) : "";
  if (!words())
    return fmt::format("{}({} over {}{})", code_name(aggregate.function), what, over, every.empty() ? "" : " every " + every);
  return fmt::format("{} {} in the last {}{}", word_name(aggregate.function), what, over,
                     every.empty() ? "" : ", every " + every);
}

std::string Wording::of(const Template& text) const {
  std::string result;
  for (const Template::Part& part : text.parts) {
    if (!part.expression) {
      result += part.text;
    } else {
      result += words() ? "(" + of(*part.expression) + ")" : "{" + of(*part.expression) + "}";
    }
  }
  return result;
}

}  // namespace tillwatch::rules
