#include "rules/language/bundle_checks.h"

#include <algorithm>
#include <map>

namespace tillwatch::rules {
namespace {

using StreamSet = std::set<int32_t>;

// The streams a rule reads, views as their roots.
StreamSet streams_read(const CheckedRule& rule, const Schema& schema) {
  StreamSet result;
  const auto add = [&](int32_t stream) {
    if (stream >= 0) result.insert(schema.streams[static_cast<size_t>(stream)].root);
  };
  add(rule.stream);
  for (const Step& step : rule.steps) {
    add(step.stream);
    add(step.until);
  }
  for (const Aggregate& aggregate : rule.aggregates) add(aggregate.stream);
  for (const ResolveWay& way : rule.resolve) add(way.stream);
  const auto add_tables = [&](const auto& self, const Expression* node) -> void {
    if (node == nullptr) return;
    if (node->node == Node::lookup) add(schema.tables[static_cast<size_t>(node->index)].rows_stream);
    for (const ExpressionPtr& argument : node->args) self(self, argument.get());
  };
  for (const Fact& fact : rule.facts) add_tables(add_tables, fact.value.get());
  add_tables(add_tables, rule.when.get());
  add_tables(add_tables, rule.fold.get());
  return result;
}

// Follows who emits what somebody reads.
class CircleSearch {
 public:
  CircleSearch(const Bundle& bundle, Diagnostics& diagnostics)
      : rules_(bundle.rules), schema_(bundle.schema), diagnostics_(diagnostics) {
    for (const CheckedRule& rule : rules_) reads_.push_back(streams_read(rule, schema_));
    states_.resize(rules_.size(), State::fresh);
  }
  void run() {
    for (size_t rule = 0; rule < rules_.size(); ++rule) visit(rule);
  }

 private:
  enum class State : uint8_t { fresh, open, done };

  // Depth first with a stack of its own: a bundle may chain as many rules as it has.
  void visit(size_t first) {
    if (states_[first] != State::fresh) return;
    std::vector<std::pair<size_t, size_t>> stack = {{first, 0}};
    states_[first] = State::open;
    while (!stack.empty()) {
      auto& [rule, next] = stack.back();
      if (next >= rules_.size() || rules_[rule].emit.stream < 0) {
        states_[rule] = State::done;
        stack.pop_back();
        continue;
      }
      const size_t reader = next++;
      if (!reads_[reader].contains(rules_[rule].emit.stream)) continue;
      if (states_[reader] == State::open) {
        report(stack, reader);
      } else if (states_[reader] == State::fresh) {
        states_[reader] = State::open;
        stack.emplace_back(reader, 0);
      }
    }
  }

  void report(const std::vector<std::pair<size_t, size_t>>& stack, size_t back_to) {
    const auto begin = std::find_if(stack.begin(), stack.end(), [&](const auto& entry) { return entry.first == back_to; });
    std::string way;
    for (auto at = begin; at != stack.end(); ++at) {
      const CheckedRule& rule = rules_[at->first];
      way += "`" + rule.name + "`, which emits `" + schema_.streams[static_cast<size_t>(rule.emit.stream)].name + "`, read by ";
    }
    const CheckedRule& last = rules_[stack.back().first];
    Diagnostic& mistake =
        diagnostics_.error("E055", "the rule `" + rules_[back_to].name + "` feeds itself", last.emit.span, "closes the circle");
    mistake.notes.push_back(way + "`" + rules_[back_to].name + "`");
  }

  const std::vector<CheckedRule>& rules_;
  const Schema& schema_;
  Diagnostics& diagnostics_;
  std::vector<StreamSet> reads_;
  std::vector<State> states_;
};

void check_names(const Bundle& bundle, const CheckContext& context) {
  std::map<std::string, const CheckedRule*> seen;
  for (const CheckedRule& rule : bundle.rules) {
    if (rule.name.empty()) continue;
    const auto [first, is_new] = seen.emplace(rule.name, &rule);
    if (is_new) continue;
    const Span& span = first->second->span;
    context.diagnostics.error("E063", "there are two rules `" + rule.name + "`", rule.span, "second one here")
        .notes.push_back("the first is at " + context.sources.name(span.file) + ":" + std::to_string(span.line));
  }
}

void warn_of_unused(const Bundle& bundle, const CheckContext& context) {
  const Schema& schema = bundle.schema;
  for (size_t index = 0; index < schema.lists.size(); ++index) {
    if (context.used_lists.contains(static_cast<int32_t>(index))) continue;
    context.diagnostics.warning("W001", "the list `" + schema.lists[index].name + "` is never used", schema.lists[index].span);
  }
  StreamSet read, emitted;
  for (const CheckedRule& rule : bundle.rules) {
    read.merge(streams_read(rule, schema));
    if (rule.emit.stream >= 0) emitted.insert(rule.emit.stream);
    if (rule.limit.most > 0) emitted.insert(rule.limit.asked_stream);
  }
  for (const int32_t stream : read) {
    const Stream& declared = schema.streams[static_cast<size_t>(stream)];
    if (declared.origin != Stream::Origin::derived || emitted.contains(stream)) continue;
    const auto of_table = std::find_if(schema.tables.begin(), schema.tables.end(),
                                       [stream](const Table& table) { return table.rows_stream == stream; });
    if (of_table != schema.tables.end()) {
      context.diagnostics.warning("W002", "rules look up the table `" + of_table->name + "`, but none makes its rows",
                                  of_table->span);
      continue;
    }
    context.diagnostics.warning("W002", "rules read the derived stream `" + declared.name + "`, but none emits it",
                                declared.span);
  }
}

void warn_of_lonely_ratios(const Bundle& bundle, const CheckContext& context) {
  for (const CheckedRule& rule : bundle.rules) {
    const auto of = [](Aggregation function) {
      return [function](const Aggregate& aggregate) { return aggregate.function == function; };
    };
    const auto& all = rule.aggregates;
    const auto ratio = std::find_if(all.begin(), all.end(), of(Aggregation::ratio));
    if (ratio == all.end() || std::any_of(all.begin(), all.end(), of(Aggregation::count))) continue;
    context.diagnostics.warning("W004", "a ratio with no count beside it", ratio->span, "one event of one is 100 %")
        .helps.push_back("ask for a least number of events as well: `count(…) >= 20`");
  }
}

}  // namespace

void check_bundle(const Bundle& bundle, CheckContext& context) {
  check_names(bundle, context);
  CircleSearch(bundle, context.diagnostics).run();
  // What an expression with a mistake would have used is not known.
  if (bundle.rules.empty() || context.diagnostics.errors() > 0) return;
  warn_of_unused(bundle, context);
  warn_of_lonely_ratios(bundle, context);
}

}  // namespace tillwatch::rules
