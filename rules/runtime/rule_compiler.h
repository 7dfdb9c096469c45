// Compiles one checked rule. Internal to compile.cc: the class is here so that each file can be read in a sitting.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/hash.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::rules::compiling {

using Visit = std::function<void(const Expression&)>;

inline void walk(const Expression* expression, const Visit& visit) {
  if (expression == nullptr) return;
  visit(*expression);
  for (const ExpressionPtr& argument : expression->args) walk(argument.get(), visit);
}

inline void walk(const Template& text, const Visit& visit) {
  for (const Template::Part& part : text.parts) walk(part.expression.get(), visit);
}

// An expression with what its bare names mean.
struct Context {
  int candidate = -1;  // stream whose event bare names read; -1: none
  bool candidate_is_this = false;
  int candidate_table = -1;
  int resolver = -1;  // stream bound at kResolver
  int resolver_table = -1;
};

class RuleCompiler {
 public:
  RuleCompiler(const CheckedRule& rule, CompiledBundle& bundle, const CompileOptions& options)
      : rule_(rule), bundle_(bundle), schema_(bundle.source.schema), options_(options) {}

  // First pass over all rules: which fields of which streams, and which tables, are used.
  void mark_used();

  std::unique_ptr<CompiledRule> compile() {
    auto compiled = std::make_unique<CompiledRule>();
    out_ = compiled.get();
    describe();
    keep_shapes();
    make_inputs();
    compile_programs();
    choose_clocks();
    choose_emission();
    list_emissions();
    return compiled;
  }

 private:
  using VisitInContext = std::function<void(const Expression&, const Context&)>;

  Context trigger_context() const {
    Context context;
    context.candidate = rule_.stream;
    context.candidate_table = rule_.table;
    return context;
  }
  Context aggregate_context(const Aggregate& aggregate) const {
    Context context;
    context.candidate = aggregate.over_this ? rule_.stream : aggregate.stream;
    context.candidate_table = aggregate.over_this ? rule_.table : -1;
    context.candidate_is_this = aggregate.over_this;
    return context;
  }
  Context way_context(const ResolveWay& way) const {
    Context context;
    context.candidate = context.resolver = way.stream;
    context.candidate_table = context.resolver_table = way.table;
    return context;
  }

  static Visit in_context(const VisitInContext& visit, const Context& context) {
    return [&visit, context](const Expression& node) { visit(node, context); };
  }
  // Conditions asked before the exchange, over slots.
  void each_filter(const VisitInContext& visit) const;
  // Everything asked behind the exchange, over what the rule keeps.
  void each_expression(const VisitInContext& visit) const;

  void use(int stream, int field) {
    StreamShape& shape = bundle_.shapes[static_cast<size_t>(root_of(stream))];
    if (field >= 0 && static_cast<size_t>(field) < shape.used.size()) shape.used[static_cast<size_t>(field)] = true;
  }
  void use_all(int stream, const std::vector<int32_t>& fields) {
    for (int field : fields) use(stream, field);
  }
  void use_table(int table) {
    if (table >= 0) bundle_.table_used[static_cast<size_t>(table)] = true;
  }
  void use_whole(int stream) {
    for (int field = 0; field <= last_field(stream); ++field) use(stream, field);
  }
  int32_t last_field(int stream) const {
    return static_cast<int32_t>(schema_.streams[static_cast<size_t>(stream)].fields.size()) - 1;
  }
  int root_of(int stream) const { return schema_.streams[static_cast<size_t>(stream)].root; }
  int clock_of(int stream) const { return schema_.clock_of(stream); }
  // The field that says how much money is at risk; -1: none. Of an element of an array, its own before its record's.
  int money_field() const;

  // The stream whose field a node reads; -1 when it reads a table's column or none.
  int stream_read(const Expression& node, const Context& context) const;

  void mark(const Expression& node, const Context& context) {
    const int stream = stream_read(node, context);
    if (stream >= 0) use(stream, node.index);
    if (node.node == Node::lookup) use_table(node.index);
  }

  void describe();

  // Which fields of each root this rule keeps, then their layouts.
  void keep_shapes();

  const KeptShape* shape_for(int root, const std::set<int>& fields);

  void fill(KeptShape& shape, const std::vector<Field>& fields, const std::vector<int>& stream_position,
            const std::set<int>& kept, bool with_facts) const;

  int input_for(int stream, const std::vector<int32_t>& by);

  void make_inputs();
  void make_fold_inputs();

  // How far before its trigger a step's event may lie; constants only, a month when it is computed.
  DurationMs backward(const Step& step) const;
  DurationMs forward(const Step& step) const;
  static std::optional<DurationMs> constant_duration(const Expression* expression);

  RowShapes shapes(const Context& context) const;
  int position(const Context& context, int binding, int field) const;
  const RowLayout* member_layout(const Type& type) const;
  int member_position(const Type& type, int index) const;
  Program program(const Expression* expression, const Context& context) const {
    return expression == nullptr ? Program() : Program::compile(*expression, schema_, shapes(context));
  }
  TextProgram text(const Template& source, const Context& context) const {
    return TextProgram::compile(source, schema_, shapes(context), options_.display_offset);
  }

  // Conditions on the event alone, over the slots of the stream before the exchange.
  Program slot_program(const Expression& expression, int stream) const;

  static bool event_alone(const Expression& expression);
  // See CompiledAggregate::slides.
  static bool slides(const Aggregate& aggregate);
  static void conjuncts(const Expression* expression, std::vector<const Expression*>& out);

  void compile_filters();

  void compile_programs();

  static void collect_aggregates(const Expression* expression, std::vector<int>& out);

  // The checker lets `elapsed` be compared with a duration or a fact only.
  static void collect_moments(const Expression* expression, std::vector<Moment>& out);

  int clock_for(ClockNeeds needs);

  void choose_clocks();
  // Rows, folds and places asked for are said when they can no longer change: when every input that could change them has
  // passed, dark ones among them.
  void choose_fold_clocks();
  // The streams behind tables that rules make, as far as `expression` looks them up.
  std::vector<int> table_streams(const Expression* expression) const;

  // Filters, look-ups and an event step on a unique key emit at once; what may still change waits for the clock.
  void choose_emission();
  // How far behind what they depend on the streams are that this rule emits into.
  void list_emissions();
  bool covers_unique(const Step& step) const;

  const CheckedRule& rule_;
  CompiledBundle& bundle_;
  const Schema& schema_;
  const CompileOptions& options_;
  CompiledRule* out_ = nullptr;
  std::map<int, const KeptShape*> shapes_;              // root stream → kept fields
  std::map<int, std::vector<const Expression*>> uses_;  // input → the conditions it is used under
};

}  // namespace tillwatch::rules::compiling
