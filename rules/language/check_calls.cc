// has(…), if(…) and the functions of the table.
#include <algorithm>

#include "engine/base/status.h"
#include "rules/language/checker.h"
#include "rules/language/names.h"
#include "rules/language/vocabulary.h"
#include "rules/program/functions.h"

namespace tillwatch::rules {
namespace {

std::vector<std::string> known_functions() {
  std::vector<std::string> names = {"has", "if"};
  for (const AggregateRow& row : aggregate_rows()) names.emplace_back(row.name);
  for (const Function& function : functions()) {
    if (std::find(names.begin(), names.end(), function.name) == names.end()) names.emplace_back(function.name);
  }
  return names;
}

std::vector<Type> types_of(const std::vector<ExpressionPtr>& args) {
  std::vector<Type> types;
  types.reserve(args.size());
  for (const ExpressionPtr& argument : args) types.push_back(argument->type);
  return types;
}

// Lets literal ints follow an argument of another kind: max(fee, 100) is money.
bool retarget_literals(std::vector<ExpressionPtr>& args) {
  const auto other = std::find_if(args.begin(), args.end(), [](const ExpressionPtr& argument) {
    return argument->type.kind == Kind::money || argument->type.kind == Kind::decimal;
  });
  if (other == args.end()) return false;
  const Kind kind = (*other)->type.kind;
  bool changed = false;
  for (const ExpressionPtr& argument : args) changed = retarget(*argument, kind) || changed;
  return changed;
}

}  // namespace

ExpressionPtr ExpressionChecker::call(const ParseNode& node, const Scope& scope, const Type* expected) {
  if (node.word == "has") return has(node, scope);
  if (node.word == "if") return choose(node, scope, expected);
  const int index = find_function(node.word);
  if (index < 0) {
    suggest(error("E037", "there is no function `" + node.word + "`", node.word_span, "unknown function"), node.word,
            known_functions(), "functions");
    return nullptr;
  }
  std::vector<ExpressionPtr> args;
  bool good = true;
  for (const ParseNodePtr& argument : node.args) {
    args.push_back(argument->kind == ParseNode::Kind::list ? text_list(*argument)
                                                           : need_value(check(*argument, scope), *argument));
    good = good && args.back() != nullptr;
  }
  return good ? function(node, index, std::move(args)) : nullptr;
}

// `["a", "b"]` as an argument: a list of quoted texts.
ExpressionPtr ExpressionChecker::text_list(const ParseNode& node) {
  Type type;
  type.kind = Kind::list;
  ExpressionPtr list = make_expression(Node::list, type, node);
  for (const ParseNodePtr& item : node.args) {
    if (item->kind != ParseNode::Kind::text) {
      error("E034", "a list that is an argument holds texts in quotes", item->span);
      return nullptr;
    }
    list->args.push_back(literal(*item));
  }
  return list;
}

ExpressionPtr ExpressionChecker::function(const ParseNode& node, int index, std::vector<ExpressionPtr> args) {
  const Function& row = functions()[static_cast<size_t>(index)];
  Type type;
  size_t bad = 0;
  std::string problem = row.check(types_of(args), type, bad);
  if (!problem.empty() && retarget_literals(args)) problem = row.check(types_of(args), type, bad);
  for (size_t tries = 0; !problem.empty() && bad < args.size() && args[bad]->type.kind == Kind::symbol && tries < args.size();
       ++tries) {
    ExpressionPtr text = as_text(std::move(args[bad]));
    if (text == nullptr) return nullptr;
    args[bad] = std::move(text);
    type = {};
    problem = row.check(types_of(args), type, bad);
  }
  if (!problem.empty()) {
    const bool one = bad < node.args.size();
    const std::string where = one ? "argument " + std::to_string(bad + 1) + " of `" + node.word + "` " : "`" + node.word + "` ";
    error("E036", where + problem, one ? node.args[bad]->span : node.word_span).notes.push_back(std::string(row.signature));
    return nullptr;
  }
  type.pii =
      type.pii || (type.kind == Kind::string && !row.anonymous &&
                   std::any_of(args.begin(), args.end(), [](const ExpressionPtr& argument) { return argument->type.pii; }));
  ExpressionPtr result = make_expression(Node::call, type, node);
  result->index = index;
  result->args = std::move(args);
  return result;
}

// text(symbol): the name of an enum value.
ExpressionPtr ExpressionChecker::as_text(ExpressionPtr symbol) {
  Type type;
  type.kind = Kind::string;
  type.pii = symbol->type.pii;
  auto result = std::make_unique<Expression>();
  result->span = symbol->span;
  result->type = type;
  if (symbol->node == Node::literal) {
    result->node = Node::literal;
    result->text = symbol->text;
    return result;
  }
  result->node = Node::call;
  result->index = find_function("text");
  TILLWATCH_CHECK(result->index >= 0);
  result->args.push_back(std::move(symbol));
  return result;
}

ExpressionPtr ExpressionChecker::has(const ParseNode& node, const Scope& scope) {
  if (node.args.size() != 1) {
    error("E036", "`has` takes one argument, " + std::to_string(node.args.size()) + " given", node.word_span);
    return nullptr;
  }
  ExpressionPtr value = check(*node.args[0], scope);
  if (value == nullptr) return nullptr;
  if (scope.present.contains(canonical(*value))) value->type.optional = true;  // known already, and no mistake
  if (!value->type.optional) {
    context_.diagnostics.warning("W005", "`" + node.args[0]->source + "` is never missing: `has` is always true", node.span);
  }
  Type type;
  type.kind = Kind::boolean;
  ExpressionPtr result = make_expression(Node::has, type, node);
  result->args.push_back(std::move(value));
  return result;
}

ExpressionPtr ExpressionChecker::choose(const ParseNode& node, const Scope& scope, const Type* expected) {
  if (node.args.size() != 3) {
    error("E036", "`if` takes a condition and two values, " + std::to_string(node.args.size()) + " given", node.word_span)
        .notes.push_back("if(condition, value, otherwise)");
    return nullptr;
  }
  ExpressionPtr test = condition(*node.args[0], scope);
  Scope when_true = scope;
  Scope when_false = scope;
  if (test != nullptr) {
    when_true.present.merge(proven(*test, true));
    when_false.present.merge(proven(*test, false));
  }
  ExpressionPtr first = check(*node.args[1], when_true, expected);
  ExpressionPtr second = check(*node.args[2], when_false, expected);
  if (test == nullptr || first == nullptr || second == nullptr) return nullptr;
  std::optional<Type> type = unify(*first, *second);
  if (!type.has_value()) {
    error("E030", "the two values of `if` differ: " + shown(first->type) + " and " + shown(second->type), node.args[2]->span,
          shown(second->type));
    return nullptr;
  }
  type->optional = first->type.optional || second->type.optional;
  ExpressionPtr result = make_expression(Node::choose, *type, node);
  result->args.push_back(std::move(test));
  result->args.push_back(std::move(first));
  result->args.push_back(std::move(second));
  return result;
}

}  // namespace tillwatch::rules
