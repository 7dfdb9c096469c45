// Operators and the types they take.
#include "rules/language/checker.h"
#include "rules/language/names.h"
#include "rules/language/pattern.h"

namespace tillwatch::rules {
namespace {

bool is_number(const Type& type) { return type.kind == Kind::integer || type.kind == Kind::decimal; }
bool has_unit(const Type& type) { return type.kind == Kind::money || type.kind == Kind::duration; }
bool is_ordered(const Type& type) { return is_number(type) || has_unit(type) || type.kind == Kind::time; }
bool has_equality(const Type& type) {
  return is_ordered(type) || type.kind == Kind::boolean || type.kind == Kind::string || type.kind == Kind::symbol;
}

Type boolean() {
  Type type;
  type.kind = Kind::boolean;
  return type;
}

Type of(Kind kind, const Expression& left, const Expression& right) {
  Type type;
  type.kind = kind;
  type.pii = left.type.pii || right.type.pii;
  return type;
}

bool is_zero(const Expression& expression) {
  return expression.node == Node::literal && expression.type.kind != Kind::string && expression.value.i == 0;
}

size_t count_nodes(const Expression& expression) {
  size_t count = 1;
  for (const ExpressionPtr& argument : expression.args) count += count_nodes(*argument);
  return count;
}

}  // namespace

ExpressionPtr ExpressionChecker::unary(const ParseNode& node, const Scope& scope) {
  const ParseNode& inner = *node.args[0];
  if (node.op == Op::op_not) {
    ExpressionPtr value = condition(inner, scope);
    if (value == nullptr) return nullptr;
    ExpressionPtr result = make_expression(Node::unary, boolean(), node);
    result->op = Op::op_not;
    result->args.push_back(std::move(value));
    return result;
  }
  ExpressionPtr value = need_value(check(inner, scope), inner);
  if (value == nullptr) return nullptr;
  if (!is_number(value->type) && !has_unit(value->type)) {
    error("E035", "cannot compute -" + shown(value->type), node.word_span);
    return nullptr;
  }
  if (value->node == Node::literal) {
    value->value.i = -value->value.i;
    value->span = node.span;
    return value;
  }
  ExpressionPtr result = make_expression(Node::unary, value->type, node);
  result->op = Op::minus;
  result->args.push_back(std::move(value));
  return result;
}

ExpressionPtr ExpressionChecker::binary(const ParseNode& node, const Scope& scope) {
  switch (node.op) {
    case Op::op_and:
    case Op::op_or:
      return logic(node, scope);
    case Op::in:
    case Op::not_in:
      return membership(node, scope);
    case Op::matches:
    case Op::ends_with:
      return pattern(node, scope);
    case Op::plus:
    case Op::minus:
    case Op::times:
    case Op::divide:
      return arithmetic(node, scope);
    default:
      return comparison(node, scope);
  }
}

ExpressionPtr ExpressionChecker::logic(const ParseNode& node, const Scope& scope) {
  ExpressionPtr left = condition(*node.args[0], scope);
  Scope inner = scope;
  if (left != nullptr) inner.present.merge(proven(*left, node.op == Op::op_and));
  ExpressionPtr right = condition(*node.args[1], inner);
  if (left == nullptr || right == nullptr) return nullptr;
  ExpressionPtr result = make_expression(Node::binary, boolean(), node);
  result->op = node.op;
  result->args.push_back(std::move(left));
  result->args.push_back(std::move(right));
  return result;
}

// Both sides, each able to tell the other which enum a bare word is of.
ExpressionChecker::Pair ExpressionChecker::pair(const ParseNode& left, const ParseNode& right, const Scope& scope) {
  Pair result;
  if (!resolves(left, scope) && !resolves(right, scope)) {
    check(left, scope);  // `stauts == approved`: the right side is most likely a value of what the left side should be
    return result;
  }
  if (!resolves(left, scope)) {
    result.right = check(right, scope);
    if (result.right != nullptr) result.left = check(left, scope, &result.right->type);
    return result;
  }
  result.left = check(left, scope);
  if (result.left != nullptr) {
    result.right = check(right, scope, &result.left->type);
  } else if (resolves(right, scope)) {
    result.right = check(right, scope);
  }
  // `approved == status`: the left side has a name's meaning of its own, but the value is meant
  const bool may_be_value = result.left != nullptr && result.right != nullptr && left.kind == ParseNode::Kind::name &&
                            result.right->type.kind == Kind::symbol && !same_kind(result.left->type, result.right->type);
  if (may_be_value && result.right->type.ref >= 0 &&
      schema_.enums[static_cast<size_t>(result.right->type.ref)].ordinal(left.word) >= 0) {
    result.left = enum_value(left, result.right->type);
  }
  return result;
}

ExpressionPtr ExpressionChecker::comparison(const ParseNode& node, const Scope& scope) {
  Pair both = pair(*node.args[0], *node.args[1], scope);
  both.left = need_value(std::move(both.left), *node.args[0]);
  both.right = need_value(std::move(both.right), *node.args[1]);
  if (both.left == nullptr || both.right == nullptr) return nullptr;
  return compared(node, std::move(both));
}

ExpressionPtr ExpressionChecker::compared(const ParseNode& node, Pair both) {
  const std::optional<Type> type = unify(*both.left, *both.right);
  if (!type.has_value()) return report_mismatch(node, *both.left, *both.right);
  const bool equality = node.op == Op::equal || node.op == Op::not_equal;
  if (equality ? !has_equality(*type) : !is_ordered(*type)) {
    error("E033", "`" + node.word + "` has no meaning for " + shown(*type), node.word_span);
    return nullptr;
  }
  ExpressionPtr result = make_expression(Node::binary, boolean(), node);
  result->op = node.op;
  result->args.push_back(std::move(both.left));
  result->args.push_back(std::move(both.right));
  return result;
}

ExpressionPtr ExpressionChecker::report_mismatch(const ParseNode& node, const Expression& left, const Expression& right) {
  const bool swapped = right.type.kind == Kind::symbol;
  const Expression& symbol = swapped ? right : left;
  const Expression& other = swapped ? left : right;
  const ParseNode& symbol_node = *node.args[swapped ? 1 : 0];
  const ParseNode& other_node = *node.args[swapped ? 0 : 1];
  if (symbol.type.kind == Kind::symbol && other.type.kind == Kind::string && other.node == Node::literal) {
    const EnumType& values = schema_.enums[static_cast<size_t>(symbol.type.ref)];
    const bool known = values.ordinal(other.text) >= 0;
    Diagnostic& mistake = error("E032", "a value of an enum is written without quotes", other_node.span,
                                known ? "write `" + other.text + "`" : "");
    if (!known) suggest(mistake, other.text, values.names, "values");
    return nullptr;
  }
  const std::string types = shown(left.type) + " and " + shown(right.type);
  Diagnostic& mistake =
      error("E030", "cannot compare " + types, node.word_span, shown(left.type) + " " + node.word + " " + shown(right.type));
  const std::string left_text = node.args[0]->source;
  const std::string right_text = node.args[1]->source;
  if (symbol.type.kind == Kind::symbol && other.type.kind == Kind::symbol) {
    mistake.helps.push_back("the enums differ; compare their text: `text(" + left_text + ") " + node.word + " text(" +
                            right_text + ")`");
  } else if (symbol.type.kind == Kind::symbol && other.type.kind == Kind::string) {
    mistake.helps.push_back("compare the text: `text(" + symbol_node.source + ")`");
  } else if (left.type.kind == Kind::money && right.type.kind == Kind::decimal) {
    mistake.helps.push_back("to compare a rate, divide first: `" + left_text + " / <amount> " + node.word + " " + right_text +
                            "`");
  } else if (left.type.kind == Kind::string || right.type.kind == Kind::string) {
    const std::string& number = left.type.kind == Kind::string ? right_text : left_text;
    const Kind kind = left.type.kind == Kind::string ? right.type.kind : left.type.kind;
    if (kind == Kind::integer || kind == Kind::decimal) mistake.helps.push_back("text needs quotes: `\"" + number + "\"`");
  }
  return nullptr;
}

ExpressionPtr ExpressionChecker::membership(const ParseNode& node, const Scope& scope) {
  const ParseNode& right = *node.args[1];
  if (right.kind == ParseNode::Kind::list) return membership_in_list(node, scope);
  ExpressionPtr item = need_value(check(*node.args[0], scope), *node.args[0]);
  ExpressionPtr list = need_value(check(right, scope), right);
  if (item == nullptr || list == nullptr) return nullptr;
  if (list->type.kind != Kind::list) {
    error("E034", "`" + node.word + "` needs a list on its right, this is " + shown(list->type), right.span, shown(list->type))
        .helps.push_back("a list is `[a, b]`, `lists.NAME` or a field of type list(string)");
    return nullptr;
  }
  if (item->type.kind == Kind::symbol) item = as_text(std::move(item));
  if (item->type.kind != Kind::string) {
    error("E030", "cannot look for " + shown(item->type) + " in a list of text", node.word_span);
    return nullptr;
  }
  ExpressionPtr result = make_expression(Node::binary, boolean(), node);
  result->op = node.op;
  result->args.push_back(std::move(item));
  result->args.push_back(std::move(list));
  return result;
}

// `x in [a, b]`: with words or texts a list node, with anything else a chain of comparisons.
ExpressionPtr ExpressionChecker::membership_in_list(const ParseNode& node, const Scope& scope) {
  const ParseNode& list = *node.args[1];
  if (list.args.empty()) {
    error("E034", "this list is empty", list.span);
    return nullptr;
  }
  ExpressionPtr item = need_value(check(*node.args[0], scope), *node.args[0]);
  if (item == nullptr) return nullptr;
  std::vector<ExpressionPtr> values;
  bool good = true;
  bool literals = true;
  for (const ParseNodePtr& element : list.args) {
    ExpressionPtr value = need_value(check(*element, scope, &item->type), *element);
    good = good && value != nullptr && fits_item(*item, *value, *element);
    const Kind kind = value == nullptr ? Kind::string : value->type.kind;
    literals = literals && (value == nullptr || value->node == Node::literal) && (kind == Kind::string || kind == Kind::symbol);
    values.push_back(std::move(value));
  }
  if (!good) return nullptr;
  if (!literals) return any_of(node, *item, std::move(values));
  Type type;
  type.kind = Kind::list;
  ExpressionPtr right = make_expression(Node::list, type, list);
  right->args = std::move(values);
  ExpressionPtr result = make_expression(Node::binary, boolean(), node);
  result->op = node.op;
  result->args.push_back(std::move(item));
  result->args.push_back(std::move(right));
  return result;
}

// Whether a value of the list can be compared with what is looked for; reports when not.
bool ExpressionChecker::fits_item(Expression& item, Expression& value, const ParseNode& element) {
  const std::optional<Type> type = unify(item, value);
  if (type.has_value() && has_equality(*type)) return true;
  const bool quoted = item.type.kind == Kind::symbol && value.type.kind == Kind::string && value.node == Node::literal;
  Diagnostic& mistake = error(quoted ? "E032" : "E030", "cannot look for " + shown(item.type) + " among " + shown(value.type),
                              element.span, shown(value.type));
  if (quoted) mistake.helps.push_back("a value of an enum is written without quotes");
  return false;
}

ExpressionPtr ExpressionChecker::any_of(const ParseNode& node, const Expression& item, std::vector<ExpressionPtr> values) {
  constexpr size_t kMostNodes = 1'000;  // the item is repeated for each value, and such lists may stand in each other
  if (count_nodes(item) * values.size() > kMostNodes) {
    error("E019", "this list of computed values is too long", node.args[1]->span)
        .helps.push_back("give what is looked for a name in `let`");
    return nullptr;
  }
  const bool negated = node.op == Op::not_in;
  ExpressionPtr chain;
  for (ExpressionPtr& value : values) {
    ExpressionPtr one = make_expression(Node::binary, boolean(), node);
    one->op = negated ? Op::not_equal : Op::equal;
    one->args.push_back(clone(item));
    one->args.push_back(std::move(value));
    if (chain == nullptr) {
      chain = std::move(one);
      continue;
    }
    ExpressionPtr longer = make_expression(Node::binary, boolean(), node);
    longer->op = negated ? Op::op_and : Op::op_or;
    longer->args.push_back(std::move(chain));
    longer->args.push_back(std::move(one));
    chain = std::move(longer);
  }
  return chain;
}

ExpressionPtr ExpressionChecker::pattern(const ParseNode& node, const Scope& scope) {
  ExpressionPtr left = value_of_kind(*node.args[0], scope, Kind::string);
  ExpressionPtr right = value_of_kind(*node.args[1], scope, Kind::string);
  if (left == nullptr || right == nullptr) return nullptr;
  if (node.op == Op::matches) {
    if (right->node != Node::literal) {
      error("E047", "`matches` needs a pattern in quotes on its right", node.args[1]->span);
      return nullptr;
    }
    const std::string problem = pattern_problem(right->text);
    if (!problem.empty()) {
      error("E047", "this is not a pattern: " + problem, node.args[1]->span).notes.push_back("patterns are those of RE2");
      return nullptr;
    }
  }
  ExpressionPtr result = make_expression(Node::binary, boolean(), node);
  result->op = node.op;
  result->args.push_back(std::move(left));
  result->args.push_back(std::move(right));
  return result;
}

ExpressionPtr ExpressionChecker::arithmetic(const ParseNode& node, const Scope& scope) {
  ExpressionPtr left = need_value(check(*node.args[0], scope), *node.args[0]);
  ExpressionPtr right = need_value(check(*node.args[1], scope), *node.args[1]);
  if (left == nullptr || right == nullptr) return nullptr;
  const std::optional<Type> type = arithmetic_type(node.op, *left, *right);
  if (!type.has_value()) {
    Diagnostic& mistake =
        error("E035", "cannot compute " + shown(left->type) + " " + node.word + " " + shown(right->type), node.word_span);
    if (left->type.kind == Kind::money && right->type.kind == Kind::integer) {
      mistake.helps.push_back("a number written here counts minor units; a computed int is not money");
    }
    return nullptr;
  }
  if (node.op == Op::divide && is_zero(*right)) {
    error("E035", "this divides by zero", node.args[1]->span);
    return nullptr;
  }
  ExpressionPtr result = make_expression(Node::binary, *type, node);
  result->op = node.op;
  result->args.push_back(std::move(left));
  result->args.push_back(std::move(right));
  return result;
}

std::optional<Type> ExpressionChecker::arithmetic_type(Op op, Expression& left, Expression& right) {
  const Kind a = left.type.kind;
  const Kind b = right.type.kind;
  if (op == Op::plus || op == Op::minus) {
    if (a == Kind::time && b == Kind::time && op == Op::minus) return of(Kind::duration, left, right);
    if (a == Kind::time && b == Kind::duration) return of(Kind::time, left, right);
    if (a == Kind::duration && b == Kind::time && op == Op::plus) return of(Kind::time, left, right);
    const std::optional<Type> type = unify(left, right);
    if (type.has_value() && (is_number(*type) || has_unit(*type))) return type;
    return std::nullopt;
  }
  if (op == Op::times) {
    if (is_number(left.type) && is_number(right.type)) return of(a == b ? a : Kind::decimal, left, right);
    if (has_unit(left.type) && is_number(right.type)) return of(a, left, right);
    if (is_number(left.type) && has_unit(right.type)) return of(b, left, right);
    return std::nullopt;
  }
  if (is_number(left.type) && is_number(right.type)) return of(Kind::decimal, left, right);
  if (has_unit(left.type) && a == b) return of(Kind::decimal, left, right);
  if (has_unit(left.type) && is_number(right.type)) return of(a, left, right);
  return std::nullopt;
}

}  // namespace tillwatch::rules
