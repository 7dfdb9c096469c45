// What a rule reads and keeps: which fields of which streams, its inputs and their windows.
#include "rules/runtime/rule_compiler.h"

#include <algorithm>

namespace tillwatch::rules::compiling {

// First pass over all rules: which fields of which streams are used.
void RuleCompiler::mark_used() {
  each_expression([this](const Expression& node, const Context& context) { mark(node, context); });
  each_filter([this](const Expression& node, const Context& context) { mark(node, context); });
  if (rule_.stream >= 0) {
    for (const KeyPart& part : rule_.key) use(rule_.stream, part.field);
  }
  for (const Aggregate& aggregate : rule_.aggregates) use_all(aggregate.stream, aggregate.by);
  for (const Step& step : rule_.steps) {
    use_all(step.stream, step.by);
    if (step.until >= 0) use_all(step.until, step.until_by);
  }
  for (const ResolveWay& way : rule_.resolve) {
    if (way.stream >= 0) use_all(way.stream, way.by);
    use_table(way.table);
  }
  use_table(rule_.table);
  if (rule_.limit.most > 0) {
    use_all(rule_.stream, rule_.limit.by);
    use_whole(rule_.limit.over_stream);
  }
  if (rule_.emit.table >= 0) {
    use_whole(rule_.emit.stream);
    use_whole(schema_.tables[static_cast<size_t>(rule_.emit.table)].folds_stream);
  }
  if (rule_.stream >= 0 && !rule_.message_en.empty()) use(rule_.stream, money_field());
}

int RuleCompiler::money_field() const {
  const Stream& root = schema_.root(rule_.stream);
  const auto is_money = [](const Field& field) { return field.type.kind == Kind::money; };
  auto found = std::find_if(root.fields.begin() + static_cast<ptrdiff_t>(root.record_fields), root.fields.end(), is_money);
  if (found == root.fields.end()) found = std::find_if(root.fields.begin(), root.fields.end(), is_money);
  return found == root.fields.end() ? -1 : static_cast<int>(found - root.fields.begin());
}

// Conditions asked before the exchange, over slots.
void RuleCompiler::each_filter(const VisitInContext& visit) const {
  walk(rule_.where.get(), in_context(visit, trigger_context()));
  for (const ExpressionPtr& each : rule_.except) walk(each.get(), in_context(visit, trigger_context()));
}

// Everything asked behind the exchange, over what the rule keeps.
void RuleCompiler::each_expression(const VisitInContext& visit) const {
  const auto in = [&](const Context& context) { return in_context(visit, context); };
  const Context none;
  for (const Fact& fact : rule_.facts) walk(fact.value.get(), in(none));
  walk(rule_.when.get(), in(none));
  for (const Aggregate& aggregate : rule_.aggregates) {
    walk(aggregate.value.get(), in(aggregate_context(aggregate)));
    walk(aggregate.where.get(), in(aggregate_context(aggregate)));
  }
  for (const Step& step : rule_.steps) {
    Context context;
    context.candidate = step.stream;
    walk(step.where.get(), in(context));
    walk(step.from.get(), in(none));
    walk(step.to.get(), in(none));
  }
  for (const SeverityCase& each : rule_.severity) walk(each.when.get(), in(none));
  for (const ResolveWay& way : rule_.resolve) {
    walk(way.where.get(), in(way_context(way)));
    Context bound = way_context(way);
    bound.candidate = bound.candidate_table = -1;
    walk(way.when.get(), in(bound));
    walk(way.reason, in(bound));
  }
  for (const ExpressionPtr& each : rule_.emit.fields) walk(each.get(), in(none));
  walk(rule_.fold.get(), in(none));
  for (const auto& [name, text] : rule_.labels) walk(text, in(none));
  walk(rule_.message_en, in(none));
  walk(rule_.message_zh, in(none));
}

// The stream whose field a node reads; -1 when it reads a table's column or none.
int RuleCompiler::stream_read(const Expression& node, const Context& context) const {
  if (node.node == Node::member && node.args[0]->type.kind == Kind::event) return node.args[0]->type.ref;
  if (node.node != Node::field) return -1;
  if (node.binding == kCandidate) return context.candidate;
  if (node.binding == kTrigger) return rule_.stream;
  if (node.binding == kResolver) return context.resolver;
  return rule_.steps[static_cast<size_t>(node.binding - 1)].stream;
}

void RuleCompiler::describe() {
  out_->source = &rule_;
  out_->name = rule_.name;
  out_->version = rule_.version;
  out_->mode = rule_.mode;
  out_->slot = static_cast<uint32_t>(hash_bytes(rule_.name));
  out_->quiet = rule_.quiet;
  out_->held_for = rule_.held_for;
  out_->alerts = !rule_.message_en.empty() || !rule_.message_zh.empty();
  if (rule_.facts.size() > kMaxFacts) out_->error = "more than " + std::to_string(kMaxFacts) + " facts";
  if (rule_.steps.size() > Environment::kMaxSteps) out_->error = "too many steps";
}

// Which fields of each root this rule keeps, then their layouts.
void RuleCompiler::keep_shapes() {
  std::map<int, std::set<int>> kept;  // root → fields
  std::set<int> trigger;
  const size_t own_fields = rule_.stream >= 0 ? schema_.root(rule_.stream).fields.size()
                                              : schema_.tables[static_cast<size_t>(rule_.table)].columns.size();
  out_->facts_kept.assign(rule_.facts.size(), false);
  each_expression([&](const Expression& node, const Context& context) {
    const bool of_earlier = (node.node == Node::field && node.binding == kCandidate && context.candidate_is_this) ||
                            (node.node == Node::member && node.args[0]->type.with_facts);
    if (of_earlier && static_cast<size_t>(node.index) >= own_fields)
      out_->facts_kept[static_cast<size_t>(node.index) - own_fields] = true;
    const int stream = stream_read(node, context);
    if (stream < 0) {
      const bool of_row = node.node == Node::field &&
                          (node.binding == kTrigger || (node.binding == kCandidate && context.candidate_table == rule_.table));
      const bool of_this = node.node == Node::member && node.args[0]->type.with_facts;
      if (rule_.table >= 0 && (of_row || of_this)) trigger.insert(node.index);
      return;
    }
    const bool of_trigger =
        (node.node == Node::field && (node.binding == kTrigger || (node.binding == kCandidate && context.candidate_is_this))) ||
        (node.node == Node::member && node.args[0]->type.with_facts);
    if (of_trigger) {
      trigger.insert(node.index);
    } else {
      kept[root_of(stream)].insert(node.index);
    }
  });
  for (const KeyPart& part : rule_.key) trigger.insert(part.field);
  for (const int32_t field : rule_.limit.by) trigger.insert(field);
  if (rule_.limit.most > 0) kept[rule_.limit.over_stream].insert(last_field(rule_.limit.over_stream));
  if (rule_.emit.table >= 0) {
    const int folds = schema_.tables[static_cast<size_t>(rule_.emit.table)].folds_stream;
    kept[folds].insert(last_field(folds));
  }
  if (rule_.stream >= 0) {
    const Stream& root = schema_.root(rule_.stream);
    const int money = money_field();
    if (out_->alerts && money >= 0) trigger.insert(money);
    if (out_->alerts && !root.id.empty()) trigger.insert(root.id[0]);
    fill(out_->trigger_shape, root.fields, bundle_.shapes[static_cast<size_t>(root_of(rule_.stream))].position, trigger, true);
    if (out_->alerts && !root.id.empty() && root.fields[static_cast<size_t>(root.id[0])].type.kind == Kind::string) {
      out_->trigger_shape.id_position = out_->trigger_shape.position[static_cast<size_t>(root.id[0])];
    }
    const std::vector<int>& kept_at = out_->trigger_shape.position;
    if (money >= 0) out_->money_field = kept_at[static_cast<size_t>(money)];
    for (size_t i = 0; out_->money_field < 0 && i < root.fields.size(); ++i) {
      if (root.fields[i].type.kind == Kind::money) out_->money_field = kept_at[i];
    }
  } else {
    const Table& table = schema_.tables[static_cast<size_t>(rule_.table)];
    std::vector<int> identity(table.columns.size());
    for (size_t i = 0; i < identity.size(); ++i) identity[i] = static_cast<int>(i);
    fill(out_->trigger_shape, table.columns, identity, trigger, true);
  }
  for (const auto& [root, fields] : kept) shape_for(root, fields);
}

const KeptShape* RuleCompiler::shape_for(int root, const std::set<int>& fields) {
  auto shape = std::make_unique<KeptShape>();
  fill(*shape, schema_.streams[static_cast<size_t>(root)].fields, bundle_.shapes[static_cast<size_t>(root)].position, fields,
       false);
  out_->kept_shapes.push_back(std::move(shape));
  shapes_[root] = out_->kept_shapes.back().get();
  return shapes_[root];
}

void RuleCompiler::fill(KeptShape& shape, const std::vector<Field>& fields, const std::vector<int>& stream_position,
                        const std::set<int>& kept, bool with_facts) const {
  shape.position.assign(fields.size() + (with_facts ? rule_.facts.size() : 0), -1);
  std::vector<ValueKind> kinds;
  for (int field : kept) {
    if (field < 0 || static_cast<size_t>(field) >= fields.size()) continue;  // a fact: always there
    shape.position[static_cast<size_t>(field)] = static_cast<int>(kinds.size());
    shape.from.push_back(stream_position[static_cast<size_t>(field)]);
    kinds.push_back(value_kind(fields[static_cast<size_t>(field)].type.kind));
  }
  if (with_facts) {
    for (size_t i = 0; i < rule_.facts.size(); ++i) {
      shape.position[fields.size() + i] = static_cast<int>(kinds.size());
      kinds.push_back(value_kind(rule_.facts[i].type.kind));
    }
  }
  shape.layout = RowLayout(std::move(kinds));
}

int RuleCompiler::input_for(int stream, const std::vector<int32_t>& by) {
  for (size_t i = 1; i < out_->inputs.size(); ++i) {
    if (out_->inputs[i].stream == stream &&
        std::equal(by.begin(), by.end(), out_->inputs[i].by.begin(), out_->inputs[i].by.end())) {
      return static_cast<int>(i);
    }
  }
  Input input;
  input.stream = stream;
  input.by.assign(by.begin(), by.end());
  const auto shape = shapes_.find(root_of(stream));
  input.shape = shape != shapes_.end() ? shape->second : shape_for(root_of(stream), {});
  out_->inputs.push_back(std::move(input));
  if (out_->inputs.size() > kMaxInputs) out_->error = "more than " + std::to_string(kMaxInputs) + " inputs";
  return static_cast<int>(out_->inputs.size() - 1);
}

void RuleCompiler::make_inputs() {
  Input trigger;
  trigger.stream = rule_.stream;
  trigger.table = rule_.table;
  for (const KeyPart& part : rule_.key) trigger.by.push_back(part.field);
  trigger.shape = &out_->trigger_shape;
  out_->inputs.push_back(std::move(trigger));
  for (const Aggregate& aggregate : rule_.aggregates) {
    CompiledAggregate compiled;
    compiled.function = aggregate.function;
    compiled.over_this = aggregate.over_this;
    compiled.input = aggregate.over_this ? 0 : input_for(aggregate.stream, aggregate.by);
    compiled.over = aggregate.over;
    compiled.every = aggregate.every;
    compiled.level = aggregate.level;
    compiled.of = aggregate.of;
    compiled.local_offset = options_.display_offset;
    Input& input = out_->inputs[static_cast<size_t>(compiled.input)];
    input.aggregated = true;
    const DurationMs before = aggregate.of < 0 ? 0 : rule_.aggregates[static_cast<size_t>(aggregate.of)].over;
    input.keep = std::max(input.keep, aggregate.over + before);
    out_->aggregates.push_back(std::move(compiled));
    if (!aggregate.over_this) uses_[compiled.input].push_back(aggregate.where.get());
  }
  // What comes while an earlier step waits must still be there when its own begins.
  DurationMs waited = 0;
  for (size_t i = 0; i < rule_.steps.size(); ++i) {
    const Step& step = rule_.steps[i];
    CompiledStep compiled;
    compiled.absent = step.absent;
    compiled.input = input_for(step.stream, step.by);
    compiled.take_one = step.take_one;
    compiled.grace = step.grace;
    compiled.has_severity = step.has_severity;
    compiled.severity = step.severity;
    out_->inputs[static_cast<size_t>(compiled.input)].steps.push_back(static_cast<int>(i));
    uses_[compiled.input].push_back(step.where.get());
    Input& input = out_->inputs[static_cast<size_t>(compiled.input)];
    input.keep = std::max(input.keep, backward(step) + waited);
    if (step.until >= 0) {
      compiled.until_input = input_for(step.until, step.until_by);
      out_->inputs[static_cast<size_t>(compiled.until_input)].until_steps.push_back(static_cast<int>(i));
      uses_[compiled.until_input].push_back(nullptr);
      Input& until = out_->inputs[static_cast<size_t>(compiled.until_input)];
      until.keep = std::max(until.keep, waited);
    }
    waited = std::max(waited, forward(step) + step.grace);
    out_->steps.push_back(std::move(compiled));
  }
  for (size_t i = 0; i < rule_.resolve.size(); ++i) {
    const ResolveWay& way = rule_.resolve[i];
    CompiledWay compiled;
    compiled.table = way.table;
    compiled.after = way.after;
    compiled.held_for = way.held_for;
    if (way.stream >= 0) {
      compiled.input = input_for(way.stream, way.by);
      out_->inputs[static_cast<size_t>(compiled.input)].ways.push_back(static_cast<int>(i));
      uses_[compiled.input].push_back(way.where.get());
      compiled.default_reason = schema_.streams[static_cast<size_t>(way.stream)].name;
    } else if (way.table >= 0) {
      compiled.default_reason = schema_.tables[static_cast<size_t>(way.table)].name;
      out_->reads_matter = true;
    } else {
      compiled.default_reason = way.after > 0 ? "expired" : "recovered";
    }
    out_->ways.push_back(std::move(compiled));
  }
  out_->inputs[0].keep = std::max(out_->inputs[0].keep, rule_.held_for);
  make_fold_inputs();
  if (rule_.stream >= 0) {
    const Stream& root = schema_.root(rule_.stream);
    out_->slack = root.lateness + root.accept;
    for (Input& input : out_->inputs) input.keep += out_->slack;
  }
}

// Where answers to what it asks come in, and what other rules fold into its alerts.
void RuleCompiler::make_fold_inputs() {
  if (rule_.limit.most > 0) {
    std::vector<int32_t> by(rule_.key.size());
    for (size_t part = 0; part < by.size(); ++part) by[part] = static_cast<int32_t>(part);
    out_->over_input = input_for(rule_.limit.over_stream, by);
    const KeptShape& shape = *out_->inputs[static_cast<size_t>(out_->over_input)].shape;
    out_->over_anchor = shape.position[static_cast<size_t>(last_field(rule_.limit.over_stream))];
    out_->asked_stream = rule_.limit.asked_stream;
    const std::vector<int>& kept = out_->trigger_shape.position;
    for (size_t i = 0; i < rule_.limit.by.size(); ++i) {
      out_->asked_fields.emplace_back(static_cast<int>(i), kept[static_cast<size_t>(rule_.limit.by[i])]);
    }
    const size_t first_key = std::max<size_t>(1, rule_.limit.by.size());
    for (size_t part = 0; part < rule_.key.size(); ++part) {
      out_->asked_fields.emplace_back(static_cast<int>(first_key + part), kept[static_cast<size_t>(rule_.key[part].field)]);
    }
  }
  if (rule_.emit.table < 0) return;
  const Table& table = schema_.tables[static_cast<size_t>(rule_.emit.table)];
  const std::vector<Field>& fields = schema_.streams[static_cast<size_t>(table.folds_stream)].fields;
  std::vector<int32_t> by;
  for (const KeyPart& part : rule_.key) by.push_back(find_field(fields, part.name));
  out_->emit_table = rule_.emit.table;
  out_->folds_input = input_for(table.folds_stream, by);
  Input& input = out_->inputs[static_cast<size_t>(out_->folds_input)];
  input.folds = true;
  out_->folds_amount = input.shape->position[static_cast<size_t>(last_field(table.folds_stream))];
}

// How far before its trigger a step's event may lie; constants only, a month when it is computed.
DurationMs RuleCompiler::backward(const Step& step) const {
  const auto constant = constant_duration(step.from.get());
  if (!constant) return 30 * kDay;
  return std::max<DurationMs>(0, -*constant);
}

// How long after its trigger a step may wait; constants only, a day when it is computed.
DurationMs RuleCompiler::forward(const Step& step) const {
  return std::max<DurationMs>(0, constant_duration(step.to.get()).value_or(kDay));
}

std::optional<DurationMs> RuleCompiler::constant_duration(const Expression* expression) {
  if (expression == nullptr) return 0;
  if (expression->node == Node::literal) return expression->value.i;
  if (expression->node == Node::unary && expression->op == Op::minus) {
    const auto inner = constant_duration(expression->args[0].get());
    if (inner) return -*inner;
  }
  return std::nullopt;
}

RowShapes RuleCompiler::shapes(const Context& context) const {
  RowShapes shapes;
  shapes.position = [this, context](int binding, int field) { return position(context, binding, field); };
  shapes.layout = [this](const Type& type) -> const RowLayout* { return member_layout(type); };
  shapes.member = [this](const Type& type, int index) { return member_position(type, index); };
  return shapes;
}

int RuleCompiler::position(const Context& context, int binding, int field) const {
  const auto at = static_cast<size_t>(field);
  if (binding == kTrigger) return out_->trigger_shape.position[at];
  if (binding == kCandidate) {
    if (context.candidate_is_this) return out_->trigger_shape.position[at];
    if (context.candidate < 0) return field;  // a table's row: all columns
    return shapes_.at(root_of(context.candidate))->position[at];
  }
  if (binding == kResolver) return context.resolver < 0 ? field : shapes_.at(root_of(context.resolver))->position[at];
  return shapes_.at(root_of(rule_.steps[static_cast<size_t>(binding - 1)].stream))->position[at];
}

const RowLayout* RuleCompiler::member_layout(const Type& type) const {
  if (type.with_facts) return &out_->trigger_shape.layout;
  if (type.kind == Kind::row) return &bundle_.table_layouts[static_cast<size_t>(type.ref)];
  return &shapes_.at(root_of(type.ref))->layout;
}

int RuleCompiler::member_position(const Type& type, int index) const {
  if (type.with_facts) return out_->trigger_shape.position[static_cast<size_t>(index)];
  if (type.kind == Kind::row) return index;
  return shapes_.at(root_of(type.ref))->position[static_cast<size_t>(index)];
}

}  // namespace tillwatch::rules::compiling
