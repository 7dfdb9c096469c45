#include "rules/language/narrowing.h"

namespace tillwatch::rules {
namespace {

std::string binding_prefix(int32_t binding) { return "e" + std::to_string(binding) + ":"; }

void add_place(const Expression& expression, Present& present) {
  present.insert(canonical(expression));
  // a.b is there only when a is
  if (expression.node == Node::member) add_place(*expression.args[0], present);
}

void prove(const Expression& condition, bool truth, Present& present) {
  if (condition.node == Node::has && truth) add_place(*condition.args[0], present);
  if (condition.node == Node::unary && condition.op == Op::op_not) prove(*condition.args[0], !truth, present);
  const bool both = condition.node == Node::binary && condition.op == (truth ? Op::op_and : Op::op_or);
  if (!both) return;
  prove(*condition.args[0], truth, present);
  prove(*condition.args[1], truth, present);
}

}  // namespace

std::string canonical(const Expression& expression) {
  std::string text;
  switch (expression.node) {
    case Node::literal:
      text = "l" + std::to_string(static_cast<int>(expression.type.kind)) + "=" +
             (expression.type.kind == Kind::string ? std::to_string(expression.text.size()) + expression.text
                                                   : std::to_string(expression.value.i));
      break;
    case Node::field:
      return binding_prefix(expression.binding) + std::to_string(expression.index);
    case Node::fact:
      return "f" + std::to_string(expression.index);
    case Node::member:
      return canonical(*expression.args[0]) + "." + std::to_string(expression.index);
    default:
      text = "n" + std::to_string(static_cast<int>(expression.node)) + "o" + std::to_string(static_cast<int>(expression.op)) +
             "i" + std::to_string(expression.index) + (expression.has_at ? "@" : "");
  }
  text += "(";
  for (const ExpressionPtr& argument : expression.args) text += canonical(*argument) + ",";
  return text + ")";
}

Present proven(const Expression& condition, bool truth) {
  Present present;
  prove(condition, truth, present);
  return present;
}

Present rebound(const Present& present, int32_t from_binding, int32_t to_binding) {
  const std::string from = binding_prefix(from_binding);
  Present result;
  for (const std::string& place : present) {
    if (place.starts_with(from)) result.insert(binding_prefix(to_binding) + place.substr(from.size()));
  }
  return result;
}

Present frozen(const Present& present) {
  Present result;
  for (const std::string& place : present) {
    if (place.starts_with('f') || place.starts_with('e')) result.insert(place);
  }
  return result;
}

Present without_candidate(const Present& present) {
  const std::string candidate = binding_prefix(kCandidate);
  Present result;
  for (const std::string& place : present) {
    if (!place.contains(candidate)) result.insert(place);
  }
  return result;
}

}  // namespace tillwatch::rules
