// Aggregates over windows.
#include <algorithm>

#include "rules/language/checker.h"
#include "rules/language/names.h"

namespace tillwatch::rules {
namespace {

bool is_number(Kind kind) { return kind == Kind::integer || kind == Kind::decimal; }
bool can_add(Kind kind) { return is_number(kind) || kind == Kind::money || kind == Kind::duration; }
bool is_ordered(Kind kind) { return can_add(kind) || kind == Kind::time; }
bool is_whole(Kind kind) {
  return kind != Kind::row && kind != Kind::event && kind != Kind::geo && kind != Kind::list && kind != Kind::tariff;
}

}  // namespace

ExpressionPtr ExpressionChecker::aggregate(const ParseNode& node, const Scope& scope) {
  if (!scope.aggregates || rule_ == nullptr) {
    Diagnostic& mistake = error("E045", "an aggregate cannot stand in " + scope.place, node.span);
    if (rule_ != nullptr) mistake.helps.push_back("make it a fact in `let`");
    return nullptr;
  }
  if (node.aggregation == Aggregation::usual) return usual(node, scope);
  Aggregate result;
  result.function = node.aggregation;
  result.over = node.over;
  result.every = node.every;
  result.level = node.level;
  result.span = node.span;
  Scope inner = scope;
  if (!aggregate_source(node, result, inner)) return nullptr;
  bool good = true;
  if (node.args[1] != nullptr) {
    result.where = condition(*node.args[1], inner);
    good = result.where != nullptr;
    if (good) inner.present.merge(proven(*result.where, true));
  }
  if (node.args[0] != nullptr) {
    result.value = need_value(check(*node.args[0], inner), *node.args[0]);
    good = good && result.value != nullptr;
  }
  if (!good || !aggregate_type(node, result)) return nullptr;
  ExpressionPtr expression = make_expression(Node::aggregate, result.type, node);
  expression->index = kept(std::move(result));
  return narrowed(std::move(expression), scope);
}

ExpressionPtr ExpressionChecker::usual(const ParseNode& node, const Scope& scope) {
  const ExpressionPtr of = aggregate(*node.args[0], scope);
  if (of == nullptr) return nullptr;
  if (!can_add(of->type.kind)) {
    error("E039", "`usual` is a mean: it needs a number, money or a duration", node.args[0]->span)
        .helps.push_back("for example `usual(count(this over 1h), 7d)`");
    return nullptr;
  }
  const Aggregate& inner = rule_->aggregates[static_cast<size_t>(of->index)];
  Aggregate result;
  result.function = Aggregation::usual;
  result.of = of->index;
  result.over = node.over;
  result.over_this = inner.over_this;
  result.stream = inner.stream;
  result.by = inner.by;
  result.span = node.span;
  result.type = optional(required(of->type));
  if (result.type.kind == Kind::integer) result.type.kind = Kind::decimal;
  ExpressionPtr expression = make_expression(Node::aggregate, result.type, node);
  expression->index = kept(std::move(result));
  return narrowed(std::move(expression), scope);
}

// Which events are meant, how they carry the key, and what the names inside the parentheses are.
bool ExpressionChecker::aggregate_source(const ParseNode& node, Aggregate& result, Scope& inner) {
  inner.aggregates = false;
  inner.lookups = false;
  inner.live = false;
  inner.place = "an aggregate";
  inner.present = without_candidate(inner.present);
  inner.candidate = Scope::CandidateOf::stream;
  if (node.stream == "this") {
    if (rule_->stream < 0 && rule_->table < 0) {
      inner.candidate = Scope::CandidateOf::unknown;
      return true;
    }
    result.over_this = true;
    result.stream = rule_->stream;
    inner.candidate_with_facts = true;
    inner.present.insert(inner.trigger_present.begin(), inner.trigger_present.end());
    if (rule_->table >= 0) {  // versions of rows; their key is the rule's own
      inner.candidate = Scope::CandidateOf::table;
      inner.candidate_index = rule_->table;
      return true;
    }
  } else {
    result.stream = schema_.find_stream(node.stream);
    inner.candidate_with_facts = false;
    if (result.stream < 0) {
      if (context_.broken_names.contains(node.stream)) return false;
      std::vector<std::string> names = {"this"};
      for (const Stream& stream : schema_.streams) names.push_back(stream.name);
      suggest(error("E038", "there is no stream `" + node.stream + "`", node.word_span, "unknown stream"), node.stream, names,
              "streams");
      return false;
    }
  }
  inner.candidate_index = result.stream;
  std::optional<std::vector<int32_t>> by = carried_key(result.stream, {}, node.word_span, false);
  if (!by.has_value()) return false;
  result.by = std::move(*by);
  return true;
}

bool ExpressionChecker::aggregate_type(const ParseNode& node, Aggregate& result) {
  Type type;
  if (result.value != nullptr) type = required(result.value->type);
  const bool valued = result.value != nullptr;
  const Kind kind = type.kind;
  const std::string over = node.stream;
  const auto wrong = [&](std::string message, std::string example) {
    error("E039", "`" + node.word + "` " + message, node.args[0] != nullptr ? node.args[0]->span : node.span)
        .helps.push_back("for example `" + example + "`");
    return false;
  };
  switch (result.function) {
    case Aggregation::count:
      if (valued) return wrong("counts events and takes no value", "count(" + over + " where … over 10m)");
      type.kind = Kind::integer;
      break;
    case Aggregation::distinct:
      if (!valued || !is_whole(kind))
        return wrong("needs a value to tell apart before `of`", "distinct(merchant_id of " + over + " over 24h)");
      type = {};
      type.kind = Kind::integer;
      break;
    case Aggregation::ratio:
    case Aggregation::streak:
      if (!valued || kind != Kind::boolean)
        return wrong("needs a condition before `of`", node.word + "(status == declined of " + over + " over 10m)");
      type = {};
      type.kind = result.function == Aggregation::ratio ? Kind::decimal : Kind::integer;
      type.optional = result.function == Aggregation::ratio;
      break;
    case Aggregation::sum:
    case Aggregation::average:
      if (!valued || !can_add(kind))
        return wrong("needs a number, money or a duration before `of`", node.word + "(amount of " + over + " over 24h)");
      if (result.function == Aggregation::average) {
        type.optional = true;
        if (kind == Kind::integer) type.kind = Kind::decimal;
      }
      break;
    case Aggregation::usual:  // see usual()
      break;
    case Aggregation::top:
      if (!valued || !is_whole(kind))
        return wrong("needs a value to count before `of`", "top(merchant_id of " + over + " over 24h)");
      type.optional = true;
      break;
    case Aggregation::minimum:
    case Aggregation::maximum:
    case Aggregation::quantile:
      if (!valued || !is_ordered(kind))
        return wrong("needs a number, money, a time or a duration before `of`",
                     node.word + (node.level > 0 ? "(95%, amount of " : "(amount of ") + over + " over 24h)");
      type.optional = true;
      break;
    case Aggregation::first:
    case Aggregation::last:
      if (!valued) {
        type.kind = result.stream >= 0 ? Kind::event : Kind::row;
        type.ref = result.stream >= 0 ? result.stream : rule_->table;
        type.with_facts = result.over_this;
      }
      type.optional = true;
      break;
  }
  result.type = type;
  return true;
}

// Equal aggregates of a rule are kept once.
int32_t ExpressionChecker::kept(Aggregate aggregate) {
  const auto same = [](const ExpressionPtr& a, const ExpressionPtr& b) {
    if (a == nullptr || b == nullptr) return a == b;
    return canonical(*a) == canonical(*b);
  };
  std::vector<Aggregate>& all = rule_->aggregates;
  const auto found = std::find_if(all.begin(), all.end(), [&](const Aggregate& other) {
    return other.function == aggregate.function && other.over_this == aggregate.over_this && other.stream == aggregate.stream &&
           other.over == aggregate.over && other.every == aggregate.every && other.level == aggregate.level &&
           other.of == aggregate.of && same(other.value, aggregate.value) && same(other.where, aggregate.where);
  });
  if (found != all.end()) return static_cast<int32_t>(found - all.begin());
  all.push_back(std::move(aggregate));
  return static_cast<int32_t>(all.size()) - 1;
}

std::optional<std::vector<int32_t>> ExpressionChecker::carried_key(int32_t stream, const Renamed& by, const Span& span,
                                                                   bool may_rename) {
  const Stream& declared_stream = schema_.streams[static_cast<size_t>(stream)];
  const std::vector<Field>& fields = schema_.root(stream).fields;
  std::vector<int32_t> result;
  bool good = true;
  for (const KeyPart& part : rule_->key) {
    if (part.field < 0) {  // reported with the key; what else is wrong is said as well
      result.push_back(-1);
      continue;
    }
    const auto renamed = std::find_if(by.begin(), by.end(), [&](const auto& pair) { return pair.second == part.name; });
    const std::string& name = renamed == by.end() ? part.name : renamed->first;
    const int index = find_field(fields, name);
    result.push_back(index);
    if (index < 0) {
      good = false;
      if (renamed != by.end() || context_.broken_streams.contains(stream)) continue;  // reported with `by`
      Diagnostic& mistake =
          error("E040", "stream `" + declared_stream.name + "` has no field `" + name + "`, which is this rule's key", span,
                "cannot be matched to this key");
      std::string like;
      for (const Field& field : fields) {
        const bool alike = field.name.contains(name) || name.contains(field.name);
        if (alike && same_kind(field.type, part.type)) like = field.name;
      }
      if (may_rename) {
        mistake.helps.push_back("say which field of `" + declared_stream.name +
                                "` carries it: `by: " + (like.empty() ? "FIELD" : like) + " = " + name + "`");
      } else {
        mistake.helps.push_back("give `" + declared_stream.name + "` a computed field `" + name +
                                "` in the schema, or make a rule that emits it with that key");
      }
      mistake.notes.push_back("fields: " + listed(names_of(fields)));
      continue;
    }
    const Type& type = fields[static_cast<size_t>(index)].type;
    if (type.ref == kBroken) {
      good = false;
    } else if (!same_kind(type, part.type)) {
      good = false;
      error("E041",
            "the key `" + part.name + "` is " + shown(part.type) + ", but `" + name + "` of `" + declared_stream.name +
                "` is " + shown(type),
            span);
    }
  }
  if (!good) return std::nullopt;
  return result;
}

}  // namespace tillwatch::rules
