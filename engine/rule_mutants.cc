#include "engine/rule_mutants.h"

#include <fmt/format.h>

#include <functional>

#include "engine/alert.h"
#include "rules/language/wording.h"

namespace tillwatch::engine {
namespace {

using rules::CheckedRule;
using rules::Expression;
using rules::ExpressionPtr;
using rules::Kind;
using rules::Node;
using rules::Op;
using rules::Span;
using rules::Wording;

// Every expression of a rule that decides something, with the wording of the place it stands in. Texts for people are left out.
using VisitPlace = std::function<void(ExpressionPtr&, const Wording&)>;

void each_expression(CheckedRule& rule, const Wording& words, const VisitPlace& visit) {
  const Wording own = rule.stream >= 0 ? words.about_stream(rule.stream) : words.about_table(rule.table);
  const auto offer = [&](ExpressionPtr& expression, const Wording& wording) {
    if (expression) visit(expression, wording);
  };
  offer(rule.where, own);
  for (ExpressionPtr& each : rule.except) offer(each, own);
  for (rules::Fact& fact : rule.facts) offer(fact.value, words);
  offer(rule.when, words);
  for (rules::Aggregate& aggregate : rule.aggregates) {
    const Wording inner = aggregate.stream < 0 ? words.about_table(rule.table) : words.about_stream(aggregate.stream);
    offer(aggregate.value, inner);
    offer(aggregate.where, inner);
  }
  for (rules::Step& step : rule.steps) {
    offer(step.where, words.about_stream(step.stream));
    offer(step.from, words);
    offer(step.to, words);
  }
  for (rules::SeverityCase& each : rule.severity) offer(each.when, words);
  for (rules::ResolveWay& way : rule.resolve) {
    const Wording resolved = words.resolved_by(way);
    offer(way.where, resolved);
    offer(way.when, resolved);
  }
  for (ExpressionPtr& each : rule.emit.fields) offer(each, words);
}

void each_node(ExpressionPtr& expression, const std::function<void(ExpressionPtr&)>& visit) {
  visit(expression);
  for (ExpressionPtr& each : expression->args) each_node(each, visit);
}

ExpressionPtr truth(bool value, const Span& span) {
  auto result = std::make_unique<Expression>();
  result->node = Node::literal;
  result->type.kind = Kind::boolean;
  result->value = Value::of_bool(value);
  result->span = span;
  return result;
}

// Counts the changes that are possible and makes one of them.
class Mutator {
 public:
  Mutator(CheckedRule& rule, const rules::Schema& schema, size_t target)
      : rule_(rule), words_(rule, schema, Wording::Style::code), left_(target) {}

  std::optional<Mutant> change() {
    each_expression(rule_, words_, [this](ExpressionPtr& root, const Wording& wording) {
      if (done_) return;
      each_node(root, [&](ExpressionPtr& node) { change_node(node, root, wording); });
    });
    change_windows();
    change_clauses();
    change_steps();
    change_alert();
    return std::move(done_);
  }

  std::optional<Mutant> force() {
    each_expression(rule_, words_, [this](ExpressionPtr& root, const Wording& wording) {
      if (done_) return;
      each_node(root, [&](ExpressionPtr& node) {
        if (done_ || node->type.kind != Kind::boolean || node->node == Node::literal || node->op == Op::op_and ||
            node->op == Op::op_or || node->op == Op::op_not) {
          return;
        }
        for (const bool value : {true, false}) {
          if (!mine()) continue;
          note(node->span, wording.of(*node), value ? "true" : "false");
          node = truth(value, node->span);
          return;
        }
      });
    });
    return std::move(done_);
  }

 private:
  // Whether the change in hand is the one that is wanted.
  bool mine() { return !done_ && left_-- == 0; }
  void note(const Span& place, std::string was, std::string became) {
    done_ = Mutant{place, std::move(was), std::move(became)};
  }

  // A change of the node itself, told as the whole expression before and after. `span` is a copy: the change may end the node.
  void in_place(const ExpressionPtr& root, const Wording& wording, Span span, const std::function<void()>& change) {
    if (!mine()) return;
    std::string was = wording.of(*root);
    change();
    note(span, std::move(was), wording.of(*root));
  }

  void change_node(ExpressionPtr& node, ExpressionPtr& root, const Wording& wording) {
    if (done_) return;
    Expression& at = *node;
    const auto become = [&](Op op) { in_place(root, wording, at.span, [&] { at.op = op; }); };
    switch (at.op) {
      case Op::less:
        return become(Op::less_equal);
      case Op::less_equal:
        return become(Op::less);
      case Op::greater:
        return become(Op::greater_equal);
      case Op::greater_equal:
        return become(Op::greater);
      case Op::equal:
        return become(Op::not_equal);
      case Op::not_equal:
        return become(Op::equal);
      case Op::in:
        return become(Op::not_in);
      case Op::not_in:
        return become(Op::in);
      case Op::op_and:
        return become(Op::op_or);
      case Op::op_or:
        return become(Op::op_and);
      case Op::plus:
        return become(Op::minus);
      case Op::minus:
        if (at.args.size() == 2) become(Op::plus);
        return;
      case Op::op_not:
        in_place(root, wording, at.span, [&] {
          ExpressionPtr inner = std::move(node->args[0]);
          node = std::move(inner);
        });
        return;
      default:
        break;
    }
    if (at.node == Node::literal) change_literal(at, root, wording);
  }

  void change_literal(Expression& at, const ExpressionPtr& root, const Wording& wording) {
    const auto become = [&](int64_t value) {
      if (value != at.value.i) in_place(root, wording, at.span, [&] { at.value.i = value; });
    };
    switch (at.type.kind) {
      case Kind::integer:
      case Kind::money:
        become(at.value.i + 1);
        become(at.value.i - 1);
        return;
      case Kind::decimal:
      case Kind::duration:
        become(at.value.i * 2);
        become(at.value.i / 2);
        return;
      default:
        return;
    }
  }

  void change_windows() {
    for (rules::Aggregate& aggregate : rule_.aggregates) {
      for (const DurationMs over : {aggregate.over * 2, aggregate.over / 2}) {
        if (!mine()) continue;
        std::string was = words_.of(aggregate);
        aggregate.over = over;
        note(aggregate.span, std::move(was), words_.of(aggregate));
      }
    }
  }

  void drop(ExpressionPtr& condition, const Wording& wording, const char* what) {
    if (!condition || !mine()) return;
    note(condition->span, fmt::format("{} {}", what, wording.of(*condition)), "nothing");
    condition.reset();
  }

  void change_clauses() {
    const Wording own = rule_.stream >= 0 ? words_.about_stream(rule_.stream) : words_.about_table(rule_.table);
    drop(rule_.where, own, "where:");
    for (size_t i = 0; i < rule_.except.size(); ++i) {
      if (!mine()) continue;
      note(rule_.except[i]->span, "except: " + own.of(*rule_.except[i]), "nothing");
      rule_.except.erase(rule_.except.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
    drop(rule_.when, words_, "when:");
  }

  void change_steps() {
    for (size_t i = 0; i < rule_.steps.size() && !done_; ++i) {
      rules::Step& step = rule_.steps[i];
      drop(step.where, words_.about_stream(step.stream), "where:");
      if (step.until >= 0 && mine()) {
        note(step.span, "until: " + words_.stream_name(step.until), "nothing");
        step.until = -1;
      }
      if (step.take_one && mine()) {
        note(step.span, "take: one", "nothing");
        step.take_one = false;
      }
      if (step.has_severity && mine()) {
        const rules::Severity was = step.severity;
        step.severity = other(was);
        note(step.span, fmt::format("severity: {}", name(was)), std::string(name(step.severity)));
      }
    }
  }

  static rules::Severity other(rules::Severity severity) {
    return severity == rules::Severity::low ? rules::Severity::critical : rules::Severity::low;
  }

  void change_alert() {
    for (rules::SeverityCase& each : rule_.severity) {
      if (!mine()) continue;
      const rules::Severity was = each.severity;
      each.severity = other(was);
      note(each.when ? each.when->span : rule_.span, fmt::format("severity: {}", name(was)), std::string(name(each.severity)));
    }
    if (rule_.quiet > 0 && mine()) {
      note(rule_.span, "quiet: " + rules::duration_text(rule_.quiet), rules::duration_text(rule_.quiet / 2));
      rule_.quiet /= 2;
    }
    for (rules::ResolveWay& way : rule_.resolve) {
      if (way.after > 0 && mine()) {
        note(way.span, "after: " + rules::duration_text(way.after), rules::duration_text(way.after * 2));
        way.after *= 2;
      }
      const Wording resolved = words_.resolved_by(way);
      drop(way.where, resolved, "where:");
      if (way.stream >= 0 || way.table >= 0) drop(way.when, resolved, "when:");
    }
    for (size_t i = 0; i < rule_.resolve.size(); ++i) {
      if (!mine()) continue;
      note(rule_.resolve[i].span, "this way of resolving", "nothing");
      rule_.resolve.erase(rule_.resolve.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
  }

  CheckedRule& rule_;
  const Wording words_;
  size_t left_;
  std::optional<Mutant> done_;
};

}  // namespace

std::optional<Mutant> mutate(CheckedRule& rule, const rules::Schema& schema, size_t index) {
  return Mutator(rule, schema, index).change();
}

std::optional<Mutant> force_clause(CheckedRule& rule, const rules::Schema& schema, size_t index) {
  return Mutator(rule, schema, index).force();
}

}  // namespace tillwatch::engine
