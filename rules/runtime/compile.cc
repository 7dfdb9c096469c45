#include <algorithm>
#include <functional>

#include "rules/runtime/compiled_rule.h"
#include "rules/runtime/rule_compiler.h"

namespace tillwatch::rules {
namespace {

using compiling::RuleCompiler;
using compiling::walk;

class BundleCompiler {
 public:
  BundleCompiler(CompiledBundle& bundle, const CompileOptions& options) : bundle_(bundle), options_(options) {}

  void run(Diagnostics& diagnostics) {
    const Schema& schema = bundle_.source.schema;
    bundle_.table_of_stream.assign(schema.streams.size(), -1);
    for (size_t i = 0; i < schema.tables.size(); ++i) {
      const Table& table = schema.tables[i];
      bundle_.table_layouts.push_back(layout_of(table.columns));
      if (table.rows_stream >= 0) bundle_.table_of_stream[static_cast<size_t>(table.rows_stream)] = static_cast<int>(i);
    }
    prepare_streams();
    std::vector<RuleCompiler> compilers;
    compilers.reserve(bundle_.source.rules.size());
    for (const CheckedRule& rule : bundle_.source.rules) {
      if (rule.mode != Mode::off) compilers.emplace_back(rule, bundle_, options_);
    }
    for (RuleCompiler& compiler : compilers) compiler.mark_used();
    finish_shapes();
    for (RuleCompiler& compiler : compilers) {
      bundle_.rules.push_back(compiler.compile());
      const CompiledRule& rule = *bundle_.rules.back();
      if (!rule.error.empty()) diagnostics.error("E095", "rule `" + rule.name + "`: " + rule.error, rule.source->span);
    }
    subscribe();
    order_derived();
    keep_for_accepted();
  }

 private:
  static RowLayout layout_of(const std::vector<Field>& fields) {
    std::vector<ValueKind> kinds;
    for (const Field& field : fields) kinds.push_back(value_kind(field.type.kind));
    return RowLayout(std::move(kinds));
  }

  void prepare_streams() {
    const Schema& schema = bundle_.source.schema;
    bundle_.shapes.resize(schema.streams.size());
    bundle_.views.resize(schema.streams.size());
    bundle_.elements.resize(schema.streams.size());
    bundle_.by_stream.resize(schema.streams.size());
    bundle_.by_table.resize(schema.tables.size());
    bundle_.table_used.resize(schema.tables.size());
    bundle_.selects.resize(schema.streams.size());
    bundle_.accepts.resize(schema.streams.size());
    bundle_.emitters.resize(schema.streams.size());
    for (size_t i = 0; i < schema.streams.size(); ++i) { bundle_.shapes[i].used.resize(schema.streams[i].fields.size()); }
    for (size_t i = 0; i < schema.streams.size(); ++i) {
      const Stream& stream = schema.streams[i];
      const auto root = static_cast<size_t>(stream.root);
      if (stream.origin == Stream::Origin::view) bundle_.views[root].push_back(static_cast<int>(i));
      mark(stream.select.get(), root);
      mark(stream.accept_where.get(), root);
      for (int32_t field : stream.id) bundle_.shapes[root].used[static_cast<size_t>(field)] = true;
      if (stream.time_field >= 0) bundle_.shapes[root].used[static_cast<size_t>(stream.time_field)] = true;
    }
  }

  void mark(const Expression* expression, size_t root) {
    walk(expression, [&](const Expression& node) {
      if (node.node == Node::field) bundle_.shapes[root].used[static_cast<size_t>(node.index)] = true;
    });
  }

  // What computed fields read is used too; then every used field gets its slot.
  void finish_shapes() {
    const Schema& schema = bundle_.source.schema;
    for (size_t i = 0; i < schema.streams.size(); ++i) {
      StreamShape& shape = bundle_.shapes[i];
      const std::vector<Field>& fields = schema.streams[i].fields;
      for (size_t field = fields.size(); field-- > 0;) {
        if (shape.used[field]) mark(fields[field].computed.get(), i);
      }
      shape.position.assign(fields.size(), -1);
      std::vector<ValueKind> kinds;
      for (size_t field = 0; field < fields.size(); ++field) {
        if (!shape.used[field]) continue;
        shape.position[field] = static_cast<int>(kinds.size());
        shape.fields.push_back(static_cast<int>(field));
        kinds.push_back(value_kind(fields[field].type.kind));
      }
      shape.layout = RowLayout(std::move(kinds));
      for (size_t field = 0; field < fields.size(); ++field) {
        if (shape.used[field] && fields[field].computed) {
          shape.computed.emplace_back(shape.position[field], slots(*fields[field].computed, shape));
        }
      }
    }
    for (size_t i = 0; i < schema.streams.size(); ++i) {
      const Stream& stream = schema.streams[i];
      const StreamShape& shape = bundle_.shapes[static_cast<size_t>(stream.root)];
      if (stream.select) bundle_.selects[i] = slots(*stream.select, shape);
      if (stream.accept_where) bundle_.accepts[i] = slots(*stream.accept_where, shape);
    }
  }

  Program slots(const Expression& expression, const StreamShape& shape) const {
    RowShapes shapes;
    shapes.position = [&shape](int, int field) { return shape.position[static_cast<size_t>(field)]; };
    shapes.layout = [](const Type&) -> const RowLayout* { return nullptr; };
    shapes.member = [](const Type&, int) { return -1; };
    return Program::compile(expression, bundle_.source.schema, shapes);
  }

  void subscribe() {
    const Schema& schema = bundle_.source.schema;
    for (size_t rule = 0; rule < bundle_.rules.size(); ++rule) {
      const CompiledRule& compiled = *bundle_.rules[rule];
      for (size_t input = 0; input < compiled.inputs.size(); ++input) {
        const Input& in = compiled.inputs[input];
        const auto index = static_cast<int>(bundle_.subscriptions.size());
        const std::string& from = in.stream >= 0 ? schema.streams[static_cast<size_t>(in.stream)].name
                                                 : schema.tables[static_cast<size_t>(in.table)].name;
        std::string name = compiled.name + "." + from;
        for (const Subscription& other : bundle_.subscriptions) {
          if (other.name == name) name += "." + std::to_string(input);
        }
        bundle_.subscriptions.push_back({static_cast<int>(rule), static_cast<int>(input), std::move(name)});
        auto& list = in.stream >= 0 ? bundle_.by_stream[static_cast<size_t>(in.stream)]
                                    : bundle_.by_table[static_cast<size_t>(in.table)];
        list.push_back(index);
      }
      for (const Emits& each : compiled.emits) {
        bundle_.emitters[static_cast<size_t>(each.stream)].push_back(static_cast<int>(rule));
      }
    }
    for (size_t i = 0; i < schema.streams.size(); ++i) {
      const std::vector<int>& views = bundle_.views[i];
      const bool wanted = !bundle_.by_stream[i].empty() || std::any_of(views.begin(), views.end(), [&](int view) {
        return !bundle_.by_stream[static_cast<size_t>(view)].empty();
      });
      if (schema.streams[i].record >= 0 && wanted)
        bundle_.elements[static_cast<size_t>(schema.streams[i].record)].push_back(static_cast<int>(i));
    }
  }

  // The checker has refused circles, so a depth-first walk ends.
  void order_derived() {
    const Schema& schema = bundle_.source.schema;
    std::vector<bool> seen(schema.streams.size());
    const std::function<void(int)> visit = [&](int stream) {
      if (seen[static_cast<size_t>(stream)]) return;
      seen[static_cast<size_t>(stream)] = true;
      for (int rule : bundle_.emitters[static_cast<size_t>(stream)]) {
        for (const Emits& each : bundle_.rules[static_cast<size_t>(rule)]->emits) {
          if (each.stream == stream) std::for_each(each.streams.begin(), each.streams.end(), visit);
        }
      }
      if (schema.streams[static_cast<size_t>(stream)].origin == Stream::Origin::derived)
        bundle_.derived_order.push_back(stream);
    };
    for (size_t i = 0; i < schema.streams.size(); ++i) visit(static_cast<int>(i));
  }

  // What rules derive from a late event that was accepted is late and accepted too, and is judged as of its own time: the rules
  // it comes to keep their events as long.
  void keep_for_accepted() {
    const Schema& schema = bundle_.source.schema;
    std::vector<DurationMs> accepted;
    for (const Stream& stream : schema.streams) accepted.push_back(stream.accept);
    const auto of_trigger = [&](const CompiledRule& rule) -> DurationMs {
      const int32_t stream = rule.source->stream;
      return stream < 0 ? 0 : accepted[static_cast<size_t>(schema.streams[static_cast<size_t>(stream)].root)];
    };
    for (const int stream : bundle_.derived_order) {
      for (const int rule : bundle_.emitters[static_cast<size_t>(stream)]) {
        DurationMs& most = accepted[static_cast<size_t>(stream)];
        most = std::max(most, of_trigger(*bundle_.rules[static_cast<size_t>(rule)]));
      }
    }
    for (const auto& rule : bundle_.rules) {
      if (rule->source->stream < 0 || schema.root(rule->source->stream).origin != Stream::Origin::derived) continue;
      rule->slack += of_trigger(*rule);
      for (Input& input : rule->inputs) input.keep += of_trigger(*rule);
    }
  }

  CompiledBundle& bundle_;
  const CompileOptions& options_;
};

}  // namespace

std::shared_ptr<const CompiledBundle> compile_bundle(Bundle bundle, const CompileOptions& options, Diagnostics& diagnostics) {
  auto compiled = std::make_shared<CompiledBundle>();
  compiled->source = std::move(bundle);
  BundleCompiler(*compiled, options).run(diagnostics);
  if (diagnostics.errors() > 0) return nullptr;
  return compiled;
}

}  // namespace tillwatch::rules
