#include "rules/program/tree_evaluator.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <re2/re2.h>

#include "engine/base/status.h"
#include "rules/program/functions.h"

namespace tillwatch::rules {
namespace {

using Wide = __int128;

// The type in which two operands meet: an integer becomes what the other is, a symbol its name.
Type meeting_type(const Type& a, const Type& b) {
  if (a.kind == Kind::symbol && b.kind == Kind::symbol && a.ref != b.ref) return {.kind = Kind::string};
  if (a.kind == Kind::integer || a.kind == Kind::symbol) return b;
  return a;
}

Wide one_of(ValueKind kind) { return kind == ValueKind::decimal ? Value::kDecimalOne : 1; }

class TreeEvaluator {
 public:
  TreeEvaluator(const Schema& schema, const RowShapes& shapes, Environment& environment)
      : schema_(schema), shapes_(shapes), environment_(environment) {}

  Value evaluate(const Expression& expression);

 private:
  bool failed() const { return environment_.error != EvalError::none; }
  Value error(EvalError what) {
    environment_.error = what;
    return {};
  }
  Value evaluate_as(const Expression& expression, const Type& type);
  Value number(Wide dividend, Wide divisor, ValueKind kind, uint16_t currency = 0);
  Value field(const Expression& expression);
  Value member(const Expression& expression);
  Value lookup(const Expression& expression);
  Value negate(const Value& value);
  Value list(const Expression& expression);
  Value call(const Expression& expression);
  Value coalesce(const Expression& expression);
  Value logic(const Expression& expression);
  Value binary(const Expression& expression);
  Value sum(const Expression& expression);
  Value product(const Expression& expression);
  Value quotient(const Expression& expression);
  Value comparison(const Expression& expression);
  Value membership(const Expression& expression);
  Value text_test(const Expression& expression);

  const Schema& schema_;
  const RowShapes& shapes_;
  Environment& environment_;
};

Value TreeEvaluator::evaluate(const Expression& expression) {
  switch (expression.node) {
    case Node::literal:
      return expression.type.kind == Kind::string ? Value::of_text(expression.text) : expression.value;
    case Node::list:
    case Node::list_name:
      return list(expression);
    case Node::field:
      return field(expression);
    case Node::fact:
      return environment_.facts[expression.index];
    case Node::elapsed:
      return Value::of_duration(environment_.elapsed);
    case Node::member:
      return member(expression);
    case Node::lookup:
      return lookup(expression);
    case Node::unary: {
      const Value value = evaluate(*expression.args[0]);
      if (value.missing()) return {};
      return expression.op == Op::op_not ? Value::of_bool(!value.truth()) : negate(value);
    }
    case Node::binary:
      return binary(expression);
    case Node::coalesce:
      return coalesce(expression);
    case Node::has: {
      const Value value = evaluate(*expression.args[0]);
      return failed() ? Value{} : Value::of_bool(!value.missing());
    }
    case Node::choose: {
      const Value condition = evaluate(*expression.args[0]);
      if (failed()) return {};
      const bool holds = !condition.missing() && condition.truth();
      return evaluate_as(*expression.args[holds ? 1 : 2], expression.type);
    }
    case Node::call:
      return call(expression);
    case Node::aggregate:
      return environment_.surroundings->aggregate(expression.index);
  }
  return {};
}

Value TreeEvaluator::evaluate_as(const Expression& expression, const Type& type) {
  const Value value = evaluate(expression);
  if (value.missing() || expression.type.kind == type.kind) return value;
  if (expression.type.kind == Kind::symbol && type.kind == Kind::string) {
    const auto& names = schema_.enums[static_cast<size_t>(expression.type.ref)].names;
    const bool named = value.i >= 0 && value.i < static_cast<int64_t>(names.size());
    return Value::of_text(named ? std::string_view(names[static_cast<size_t>(value.i)]) : "unknown");
  }
  if (expression.type.kind == Kind::integer && type.kind == Kind::money) return Value::of_money(value.i, 0);
  if (expression.type.kind == Kind::integer && type.kind == Kind::decimal) {
    return number(static_cast<Wide>(value.i) * Value::kDecimalOne, 1, ValueKind::decimal);
  }
  return value;
}

// dividend / divisor as a value of `kind`.
Value TreeEvaluator::number(Wide dividend, Wide divisor, ValueKind kind, uint16_t currency) {
  const bool negative = (dividend < 0) != (divisor < 0);
  if (dividend < 0) dividend = -dividend;
  if (divisor < 0) divisor = -divisor;
  Wide rounded = dividend / divisor;
  if (dividend % divisor * 2 >= divisor) ++rounded;
  if (negative) rounded = -rounded;
  if (rounded > std::numeric_limits<int64_t>::max() || rounded < std::numeric_limits<int64_t>::min()) {
    return error(EvalError::overflow);
  }
  Value value = Value::of_money(static_cast<int64_t>(rounded), currency);
  value.kind = kind;
  return value;
}

Value TreeEvaluator::field(const Expression& expression) {
  const EventView* event = &environment_.candidate;
  if (expression.binding == kResolver) {
    event = &environment_.resolver;
  } else if (expression.binding != kCandidate) {
    event = &environment_.bound[static_cast<size_t>(expression.binding)];
  }
  if (event->row == nullptr && event->slots == nullptr) return {};
  return event->get(shapes_.position(expression.binding, expression.index));
}

Value TreeEvaluator::member(const Expression& expression) {
  const Value row = evaluate(*expression.args[0]);
  if (row.missing()) return {};
  const Type& type = expression.args[0]->type;
  return shapes_.layout(type)->get(row.bytes, static_cast<size_t>(shapes_.member(type, expression.index)));
}

Value TreeEvaluator::lookup(const Expression& expression) {
  const Table& table = schema_.tables[static_cast<size_t>(expression.index)];
  std::vector<Value> values;
  bool missing = false;
  for (const ExpressionPtr& argument : expression.args) {
    const size_t part = values.size();
    const bool is_key = part < table.key.size();
    values.push_back(is_key ? evaluate_as(*argument, table.columns[static_cast<size_t>(table.key[part])].type)
                            : evaluate(*argument));
    if (failed()) return {};
    missing |= values.back().missing();
  }
  if (missing) return {};
  return environment_.surroundings->lookup(expression.index, std::span(values).first(table.key.size()), expression.has_at,
                                           expression.has_at ? values.back().i : 0);
}

Value TreeEvaluator::negate(const Value& value) { return number(-static_cast<Wide>(value.i), 1, value.kind, value.aux); }

Value TreeEvaluator::list(const Expression& expression) {
  std::vector<std::string> items;
  if (expression.node == Node::list_name) {
    const NamedList& named = environment_.surroundings->list(expression.index);
    items.assign(named.values.begin(), named.values.end());
    std::ranges::sort(items);
  }
  for (const ExpressionPtr& item : expression.args) items.emplace_back(evaluate_as(*item, {.kind = Kind::string}).text());
  const std::vector<std::string_view> views(items.begin(), items.end());
  std::string bytes;
  ListView::encode(views, bytes);
  return Value::of_bytes(ValueKind::list, environment_.arena->copy(bytes));
}

Value TreeEvaluator::call(const Expression& expression) {
  std::vector<Value> values;
  bool missing = false;
  for (const ExpressionPtr& argument : expression.args) {
    const bool symbol = argument->type.kind == Kind::symbol;
    values.push_back(symbol ? evaluate_as(*argument, {.kind = Kind::string}) : evaluate(*argument));
    if (failed()) return {};
    missing |= values.back().missing();
  }
  if (missing) return {};
  const Value value = functions()[static_cast<size_t>(expression.index)].run(values, *environment_.arena, environment_.error);
  return failed() ? Value{} : value;
}

Value TreeEvaluator::coalesce(const Expression& expression) {
  const Value value = evaluate_as(*expression.args[0], expression.type);
  if (failed() || !value.missing()) return value;
  return evaluate_as(*expression.args[1], expression.type);
}

Value TreeEvaluator::logic(const Expression& expression) {
  const Value left = evaluate(*expression.args[0]);
  if (left.missing() || left.truth() == (expression.op == Op::op_or)) return left;
  return evaluate(*expression.args[1]);
}

Value TreeEvaluator::binary(const Expression& expression) {
  switch (expression.op) {
    case Op::op_and:
    case Op::op_or:
      return logic(expression);
    case Op::plus:
    case Op::minus:
      return sum(expression);
    case Op::times:
      return product(expression);
    case Op::divide:
      return quotient(expression);
    case Op::in:
    case Op::not_in:
      return membership(expression);
    case Op::matches:
    case Op::ends_with:
      return text_test(expression);
    default:
      return comparison(expression);
  }
}

bool other_currency(const Value& a, const Value& b) {
  return a.kind == ValueKind::money && b.kind == ValueKind::money && a.aux != b.aux && a.aux != 0 && b.aux != 0;
}

Value TreeEvaluator::sum(const Expression& expression) {
  Type left_type = expression.args[0]->type, right_type = expression.args[1]->type;
  const bool times = left_type.kind == Kind::time || right_type.kind == Kind::time;
  if (!times) left_type = right_type = meeting_type(left_type, right_type);
  const Value a = evaluate_as(*expression.args[0], left_type);
  if (failed()) return {};
  const Value b = evaluate_as(*expression.args[1], right_type);
  if (failed() || a.missing() || b.missing()) return {};
  if (other_currency(a, b)) return error(EvalError::currency_mismatch);
  ValueKind kind = a.kind;
  if (times) kind = a.kind == b.kind ? ValueKind::duration : ValueKind::time;
  const Wide right = expression.op == Op::plus ? static_cast<Wide>(b.i) : -static_cast<Wide>(b.i);
  return number(a.i + right, 1, kind, a.aux != 0 ? a.aux : b.aux);
}

Value TreeEvaluator::product(const Expression& expression) {
  const Value a = evaluate(*expression.args[0]);
  if (failed()) return {};
  const Value b = evaluate(*expression.args[1]);
  if (failed() || a.missing() || b.missing()) return {};
  ValueKind kind = a.kind == ValueKind::decimal || b.kind == ValueKind::decimal ? ValueKind::decimal : ValueKind::integer;
  for (const Value& value : {a, b}) {
    if (value.kind == ValueKind::money || value.kind == ValueKind::duration) kind = value.kind;
  }
  const Wide units = one_of(a.kind) * one_of(b.kind);
  return number(static_cast<Wide>(a.i) * b.i, units / one_of(kind), kind, a.aux != 0 ? a.aux : b.aux);
}

Value TreeEvaluator::quotient(const Expression& expression) {
  const Value a = evaluate(*expression.args[0]);
  if (failed()) return {};
  const Value b = evaluate(*expression.args[1]);
  if (failed() || a.missing() || b.missing()) return {};
  if (b.i == 0) return error(EvalError::divide_by_zero);
  if (other_currency(a, b)) return error(EvalError::currency_mismatch);
  const bool keeps_unit = a.kind != b.kind && (a.kind == ValueKind::money || a.kind == ValueKind::duration);
  const ValueKind kind = keeps_unit ? a.kind : ValueKind::decimal;
  // a / one(a) divided by b / one(b), in units of one(kind)
  const Wide up = one_of(b.kind) * one_of(kind) / one_of(a.kind);
  return number(a.i * up, b.i, kind, keeps_unit ? a.aux : 0);
}

Value TreeEvaluator::comparison(const Expression& expression) {
  const Type& left = expression.args[0]->type;
  const Type& right = expression.args[1]->type;
  const bool mixed = (left.kind == Kind::integer && right.kind == Kind::decimal) ||
                     (left.kind == Kind::decimal && right.kind == Kind::integer);
  const Type type = meeting_type(left, right);
  const Value a = mixed ? evaluate(*expression.args[0]) : evaluate_as(*expression.args[0], type);
  if (failed()) return {};
  const Value b = mixed ? evaluate(*expression.args[1]) : evaluate_as(*expression.args[1], type);
  if (failed() || a.missing() || b.missing()) return {};
  const bool equality = expression.op == Op::equal || expression.op == Op::not_equal;
  if (equality && !mixed) return Value::of_bool(equal(a, b) == (expression.op == Op::equal));
  if (other_currency(a, b)) return error(EvalError::currency_mismatch);
  int order = 0;
  if (a.kind == ValueKind::string) {
    order = a.text() < b.text() ? -1 : a.text() > b.text();
  } else {
    const Wide x = a.i * (mixed ? Value::kDecimalOne / one_of(a.kind) : 1);
    const Wide y = b.i * (mixed ? Value::kDecimalOne / one_of(b.kind) : 1);
    order = x < y ? -1 : x > y;
  }
  switch (expression.op) {
    case Op::equal:
      return Value::of_bool(order == 0);
    case Op::not_equal:
      return Value::of_bool(order != 0);
    case Op::less:
      return Value::of_bool(order < 0);
    case Op::less_equal:
      return Value::of_bool(order <= 0);
    case Op::greater:
      return Value::of_bool(order > 0);
    default:
      return Value::of_bool(order >= 0);
  }
}

Value TreeEvaluator::membership(const Expression& expression) {
  const Expression& haystack = *expression.args[1];
  Type type = haystack.node == Node::list ? expression.args[0]->type : Type{.kind = Kind::string};
  for (const ExpressionPtr& item : haystack.args) {
    if (haystack.node == Node::list) type = meeting_type(type, item->type);
  }
  const Value needle = evaluate_as(*expression.args[0], type);
  if (failed()) return {};
  bool found = false;
  if (haystack.node == Node::list) {
    for (const ExpressionPtr& item : haystack.args) {
      found |= equal(evaluate_as(*item, type), needle);
      if (failed()) return {};
    }
  } else {
    const Value items = evaluate(haystack);
    if (failed() || items.missing()) return {};
    for (const std::string_view item : ListView(items.text()).items()) found |= !needle.missing() && item == needle.text();
  }
  if (needle.missing()) return {};
  return Value::of_bool(found == (expression.op == Op::in));
}

Value TreeEvaluator::text_test(const Expression& expression) {
  const Type text{.kind = Kind::string};
  const Value a = evaluate_as(*expression.args[0], text);
  if (failed()) return {};
  const Value b = evaluate_as(*expression.args[1], text);
  if (failed() || a.missing() || b.missing()) return {};
  if (expression.op == Op::ends_with) return Value::of_bool(a.text().ends_with(b.text()));
  const re2::RE2 pattern(re2::StringPiece(b.bytes, b.size), re2::RE2::Quiet);
  if (!pattern.ok()) return {};
  return Value::of_bool(re2::RE2::PartialMatch(re2::StringPiece(a.bytes, a.size), pattern));
}

}  // namespace

Value evaluate_tree(const Expression& expression, const Schema& schema, const RowShapes& shapes, Environment& environment) {
  environment.error = EvalError::none;
  const Value value = TreeEvaluator(schema, shapes, environment).evaluate(expression);
  return environment.error == EvalError::none ? value : Value{};
}

}  // namespace tillwatch::rules
