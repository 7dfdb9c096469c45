// A rule's expressions as programs.
#include "rules/runtime/rule_compiler.h"

#include <algorithm>

namespace tillwatch::rules::compiling {

// Conditions on the event alone, over the slots of the stream before the exchange.
Program RuleCompiler::slot_program(const Expression& expression, int stream) const {
  RowShapes shapes;
  const std::vector<int>* position = stream < 0 ? nullptr : &bundle_.shapes[static_cast<size_t>(root_of(stream))].position;
  shapes.position = [position](int, int field) {
    return position == nullptr ? field : (*position)[static_cast<size_t>(field)];
  };
  shapes.layout = [](const Type&) -> const RowLayout* { return nullptr; };
  shapes.member = [](const Type&, int) { return -1; };
  return Program::compile(expression, schema_, shapes);
}

bool RuleCompiler::event_alone(const Expression& expression) {
  bool alone = true;
  walk(&expression, [&](const Expression& node) {
    switch (node.node) {
      case Node::field:
        alone &= node.binding == kCandidate;
        break;
      case Node::fact:
      case Node::elapsed:
      case Node::member:
      case Node::lookup:
      case Node::aggregate:
        alone = false;
        break;
      default:
        break;
    }
  });
  return alone;
}

bool RuleCompiler::slides(const Aggregate& aggregate) {
  for (const Expression* each : {aggregate.where.get(), aggregate.value.get()}) {
    if (each != nullptr && !event_alone(*each)) return false;
  }
  switch (aggregate.function) {
    case Aggregation::quantile:
    case Aggregation::top:
    case Aggregation::usual:
      return false;
    case Aggregation::minimum:
    case Aggregation::maximum:
      return !holds_bytes(value_kind(aggregate.type.kind));
    default:
      return true;
  }
}

void RuleCompiler::conjuncts(const Expression* expression, std::vector<const Expression*>& out) {
  if (expression == nullptr) return;
  if (expression->node == Node::binary && expression->op == Op::op_and) {
    for (const ExpressionPtr& argument : expression->args) conjuncts(argument.get(), out);
  } else {
    out.push_back(expression);
  }
}

void RuleCompiler::compile_filters() {
  Input& trigger = out_->inputs[0];
  std::vector<Program> all;
  if (rule_.where) all.push_back(slot_program(*rule_.where, rule_.stream));
  if (!all.empty()) trigger.filters.push_back(std::move(all));
  for (const ExpressionPtr& each : rule_.except) trigger.rejects.push_back(slot_program(*each, rule_.stream));
  for (auto& [index, wheres] : uses_) {
    Input& input = out_->inputs[static_cast<size_t>(index)];
    std::vector<std::vector<Program>> filters;
    bool every_use_filters = true;
    for (const Expression* where : wheres) {
      std::vector<const Expression*> parts;
      conjuncts(where, parts);
      std::vector<Program> holds;
      for (const Expression* part : parts) {
        if (event_alone(*part)) holds.push_back(slot_program(*part, input.stream));
      }
      every_use_filters &= !holds.empty();
      filters.push_back(std::move(holds));
    }
    if (every_use_filters) input.filters = std::move(filters);
  }
}

void RuleCompiler::compile_programs() {
  const Context none;
  compile_filters();
  for (const Fact& fact : rule_.facts) {
    Program value = Program::compile(*fact.value, schema_, shapes(none), fact.type);
    out_->facts.push_back({fact.name, fact.type, std::move(value), fact.otherwise, fact.wait});
    collect_aggregates(fact.value.get(), out_->when_aggregates);
  }
  out_->when = program(rule_.when.get(), none);
  collect_aggregates(rule_.when.get(), out_->when_aggregates);
  for (size_t i = 0; i < rule_.aggregates.size(); ++i) {
    const Aggregate& aggregate = rule_.aggregates[i];
    out_->aggregates[i].where = program(aggregate.where.get(), aggregate_context(aggregate));
    out_->aggregates[i].value = program(aggregate.value.get(), aggregate_context(aggregate));
    out_->aggregates[i].slides = slides(aggregate);
  }
  for (size_t i = 0; i < rule_.steps.size(); ++i) {
    Context context;
    context.candidate = rule_.steps[i].stream;
    out_->steps[i].where = program(rule_.steps[i].where.get(), context);
    out_->steps[i].from = program(rule_.steps[i].from.get(), none);
    out_->steps[i].to = program(rule_.steps[i].to.get(), none);
  }
  for (const SeverityCase& each : rule_.severity) {
    out_->severity.emplace_back(program(each.when.get(), none), each.severity);
    collect_aggregates(each.when.get(), out_->severity_aggregates);
    collect_moments(each.when.get(), out_->severity_moments);
  }
  out_->severity_lives = out_->severity.size() > 1 && std::none_of(rule_.steps.begin(), rule_.steps.end(),
                                                                   [](const Step& step) { return step.has_severity; });
  for (size_t i = 0; i < rule_.resolve.size(); ++i) {
    const ResolveWay& way = rule_.resolve[i];
    Context bound = way_context(way);
    out_->ways[i].where = program(way.where.get(), bound);
    out_->ways[i].when = program(way.when.get(), bound);
    out_->ways[i].reason = text(way.reason, bound);
    collect_aggregates(way.when.get(), out_->ways[i].when_aggregates);
    if (way.stream < 0 && way.table < 0) collect_moments(way.when.get(), out_->ways[i].moments);
  }
  if (rule_.emit.table < 0) out_->emit_stream = rule_.emit.stream;
  for (size_t i = 0; i < rule_.emit.fields.size(); ++i) {
    const Expression* each = rule_.emit.fields[i].get();
    const Type& wanted = schema_.streams[static_cast<size_t>(rule_.emit.stream)].fields[i].type;
    out_->emit_fields.push_back(each == nullptr ? Program() : Program::compile(*each, schema_, shapes(none), wanted));
  }
  if (rule_.fold) {
    out_->fold_table = rule_.fold->index;
    for (const ExpressionPtr& part : rule_.fold->args) out_->fold_key.push_back(program(part.get(), none));
  }
  out_->message_en = text(rule_.message_en, none);
  out_->message_zh = text(rule_.message_zh, none);
  for (const auto& [name, source] : rule_.labels) out_->labels.emplace_back(name, text(source, none));
}

void RuleCompiler::collect_aggregates(const Expression* expression, std::vector<int>& out) {
  walk(expression, [&](const Expression& node) {
    if (node.node == Node::aggregate) out.push_back(node.index);
  });
}

// The checker lets `elapsed` be compared with a duration or a fact only.
void RuleCompiler::collect_moments(const Expression* expression, std::vector<Moment>& out) {
  walk(expression, [&](const Expression& node) {
    if (node.node != Node::binary || node.args.size() != 2) return;
    const bool left = node.args[0]->node == Node::elapsed;
    if (!left && node.args[1]->node != Node::elapsed) return;
    const Expression& other = *node.args[left ? 1 : 0];
    Moment moment;
    if (other.node == Node::fact) moment.fact = other.index;
    if (other.node == Node::literal) moment.value = other.value.i;
    const bool beyond = node.op == (left ? Op::greater : Op::less) || node.op == (left ? Op::less_equal : Op::greater_equal);
    moment.offset = beyond ? 1 : 0;
    out.push_back(moment);
    if (node.op == Op::equal || node.op == Op::not_equal) {  // true for a millisecond
      moment.offset = 1;
      out.push_back(moment);
    }
  });
}

}  // namespace tillwatch::rules::compiling
