#include "rules/language/checker.h"

#include "rules/language/names.h"

namespace tillwatch::rules {
namespace {

// An int written with literals alone: 100, -1, if(x, 100, 200), 1 + 1.
bool is_literal_int(const Expression& expression) {
  if (expression.type.kind != Kind::integer || expression.type.optional) return false;
  switch (expression.node) {
    case Node::literal:
      return true;
    case Node::unary:
      return is_literal_int(*expression.args[0]);
    case Node::choose:
      return is_literal_int(*expression.args[1]) && is_literal_int(*expression.args[2]);
    case Node::binary:
      return (expression.op == Op::plus || expression.op == Op::minus) && is_literal_int(*expression.args[0]) &&
             is_literal_int(*expression.args[1]);
    default:
      return false;
  }
}

bool literals_fit(const Expression& expression, int64_t scale) {
  if (expression.node == Node::literal && expression.type.kind == Kind::integer) {
    int64_t scaled = 0;
    return !__builtin_mul_overflow(expression.value.i, scale, &scaled);
  }
  for (const ExpressionPtr& argument : expression.args) {
    if (argument->type.kind == Kind::integer && !literals_fit(*argument, scale)) return false;
  }
  return true;
}

void retype(Expression& expression, Kind kind) {
  if (expression.type.kind != Kind::integer) return;  // the condition of if(…)
  expression.type.kind = kind;
  if (expression.node == Node::literal) {
    expression.value = kind == Kind::money ? Value::of_money(expression.value.i, 0)
                                           : Value::of_decimal_billionths(expression.value.i * Value::kDecimalOne);
    return;
  }
  for (size_t index = expression.node == Node::choose ? 1 : 0; index < expression.args.size(); ++index) {
    retype(*expression.args[index], kind);
  }
}

}  // namespace

ExpressionPtr make_expression(Node kind, const Type& type, const ParseNode& node) {
  auto expression = std::make_unique<Expression>();
  expression->node = kind;
  expression->type = type;
  expression->span = node.span;
  return expression;
}

ExpressionPtr clone(const Expression& expression) {
  auto copy = std::make_unique<Expression>();
  copy->node = expression.node;
  copy->op = expression.op;
  copy->type = expression.type;
  copy->span = expression.span;
  copy->index = expression.index;
  copy->binding = expression.binding;
  copy->has_at = expression.has_at;
  copy->value = expression.value;
  copy->text = expression.text;
  for (const ExpressionPtr& argument : expression.args) copy->args.push_back(clone(*argument));
  return copy;
}

bool same_kind(const Type& a, const Type& b) {
  if (a.kind != b.kind) return false;
  const bool by_reference = a.kind == Kind::symbol || a.kind == Kind::row || a.kind == Kind::event;
  return !by_reference || (a.ref == b.ref && a.with_facts == b.with_facts);
}

bool retarget(Expression& expression, Kind kind) {
  if (kind != Kind::money && kind != Kind::decimal) return false;
  if (!is_literal_int(expression) || !literals_fit(expression, kind == Kind::decimal ? Value::kDecimalOne : 1)) return false;
  retype(expression, kind);
  return true;
}

std::string ExpressionChecker::shown(const Type& type) const { return show(type, schema_); }

const std::vector<Field>* ExpressionChecker::fields_of(const Type& type) const {
  if (type.ref < 0) return nullptr;
  if (type.kind == Kind::row) return &schema_.tables[static_cast<size_t>(type.ref)].columns;
  if (type.kind == Kind::event) return &schema_.root(type.ref).fields;
  return nullptr;
}

ExpressionPtr ExpressionChecker::check(const ParseNode& node, const Scope& scope, const Type* expected) {
  switch (node.kind) {
    case ParseNode::Kind::literal:
    case ParseNode::Kind::text:
      return literal(node);
    case ParseNode::Kind::list:
      error("E034", "a list stands only on the right of `in`", node.span);
      return nullptr;
    case ParseNode::Kind::name:
    case ParseNode::Kind::member: {
      Path segments;
      const ParseNode* base = &node;
      while (base->kind == ParseNode::Kind::member) {
        segments.insert(segments.begin(), base);
        base = base->args[0].get();
      }
      if (base->kind == ParseNode::Kind::name) {
        segments.insert(segments.begin(), base);
        return path(segments, node, scope, expected);
      }
      ExpressionPtr value = check(*base, scope);
      return value == nullptr ? nullptr : members(std::move(value), segments, 0, scope);
    }
    case ParseNode::Kind::index:
      return lookup(node, scope);
    case ParseNode::Kind::unary:
      return unary(node, scope);
    case ParseNode::Kind::binary:
      return binary(node, scope);
    case ParseNode::Kind::coalesce:
      return coalesce(node, scope, expected);
    case ParseNode::Kind::call:
      return call(node, scope, expected);
    case ParseNode::Kind::aggregate:
      return aggregate(node, scope);
  }
  return nullptr;
}

ExpressionPtr ExpressionChecker::literal(const ParseNode& node) const {
  Type type;
  type.kind = node.kind == ParseNode::Kind::text ? Kind::string : node.literal;
  ExpressionPtr result = make_expression(Node::literal, type, node);
  result->value = node.value;
  if (type.kind == Kind::string) result->text = node.word;
  return result;
}

ExpressionPtr ExpressionChecker::present_value(const ParseNode& node, const Scope& scope) {
  return need_value(check(node, scope), node);
}

ExpressionPtr ExpressionChecker::condition(const ParseNode& node, const Scope& scope) {
  ExpressionPtr result = need_value(check(node, scope), node);
  if (result == nullptr || result->type.kind == Kind::boolean) return result;
  error("E031", "a condition is needed here, this is " + shown(result->type), node.span, "not true or false");
  return nullptr;
}

ExpressionPtr ExpressionChecker::value_of_kind(const ParseNode& node, const Scope& scope, Kind kind) {
  ExpressionPtr result = need_value(check(node, scope), node);
  if (result == nullptr || result->type.kind == kind) return result;
  Type wanted;
  wanted.kind = kind;
  error("E030", "a " + shown(wanted) + " is needed here, this is " + shown(result->type), node.span, shown(result->type));
  return nullptr;
}

ExpressionPtr ExpressionChecker::value_of_type(const ParseNode& node, const Scope& scope, const Type& type,
                                               const std::string& what) {
  ExpressionPtr result = check(node, scope, &type);
  if (result == nullptr || type.ref == kBroken) return nullptr;
  if (!type.optional) result = need_value(std::move(result), node);
  if (result == nullptr) return nullptr;
  const bool fits = same_kind(result->type, type) || retarget(*result, type.kind) ||
                    (result->type.kind == Kind::integer && type.kind == Kind::decimal);
  if (fits) return result;
  const bool quoted_symbol = type.kind == Kind::symbol && result->node == Node::literal && result->type.kind == Kind::string;
  Diagnostic& mistake = error(quoted_symbol ? "E032" : "E030", what + " is " + shown(type) + ", this is " + shown(result->type),
                              node.span, shown(result->type));
  if (quoted_symbol) mistake.helps.push_back("a value of an enum is written without quotes");
  if (type.kind == Kind::string && result->type.kind == Kind::symbol) {
    mistake.helps.push_back("write `text(" + node.source + ")`");
  }
  return nullptr;
}

ExpressionPtr ExpressionChecker::need_value(ExpressionPtr expression, const ParseNode& node) {
  if (expression == nullptr || !expression->type.optional) return expression;
  const std::string& text = node.source;
  Diagnostic& mistake =
      error("E022", "`" + text + "` may be missing (" + shown(expression->type) + ")", node.span, "a value is needed here");
  mistake.helps.push_back("give a default: `" + text + " ?? …`");
  mistake.helps.push_back("or test it first: `has(" + text + ") and …`");
  const Expression* base = expression.get();
  while (base->node == Node::member) base = base->args[0].get();
  if (base->node == Node::fact && rule_ != nullptr) {
    const std::string& name = rule_->facts[static_cast<size_t>(base->index)].name;
    mistake.helps.push_back("or end the fact `" + name + "` with `else skip`");
  } else if (rule_ != nullptr) {
    mistake.helps.push_back("or, in `let`, end with `else skip`");
  }
  return nullptr;
}

ExpressionPtr ExpressionChecker::coalesce(const ParseNode& node, const Scope& scope, const Type* expected) {
  ExpressionPtr left = check(*node.args[0], scope, expected);
  ExpressionPtr right = check(*node.args[1], scope, left != nullptr ? &left->type : expected);
  if (left == nullptr || right == nullptr) return nullptr;
  if (!left->type.optional) {
    error("E029", "`" + node.args[0]->source + "` is never missing", node.args[0]->span, "the part behind `??` is never used");
    return nullptr;
  }
  std::optional<Type> type = unify(*left, *right);
  if (!type.has_value()) {
    error("E030", "the two sides of `??` differ: " + shown(required(left->type)) + " and " + shown(right->type),
          node.word_span);
    return nullptr;
  }
  type->optional = right->type.optional;
  ExpressionPtr result = make_expression(Node::coalesce, *type, node);
  result->args.push_back(std::move(left));
  result->args.push_back(std::move(right));
  return result;
}

// The type that holds both, not optional; literal ints become money or decimals where the other side is.
std::optional<Type> ExpressionChecker::unify(Expression& left, Expression& right) const {
  Type type;
  if (same_kind(left.type, right.type)) {
    type = left.type;
  } else if (retarget(left, right.type.kind)) {
    type = right.type;
  } else if (retarget(right, left.type.kind)) {
    type = left.type;
  } else if ((left.type.kind == Kind::integer && right.type.kind == Kind::decimal) ||
             (left.type.kind == Kind::decimal && right.type.kind == Kind::integer)) {
    type.kind = Kind::decimal;
  } else {
    return std::nullopt;
  }
  type.optional = false;
  type.pii = left.type.pii || right.type.pii;
  return type;
}

}  // namespace tillwatch::rules
