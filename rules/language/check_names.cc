// Names: fields, facts, events, rows, lists and values of enums.
#include <algorithm>

#include "rules/language/checker.h"
#include "rules/language/lexer.h"
#include "rules/language/names.h"

namespace tillwatch::rules {
namespace {

std::string joined(const std::vector<const ParseNode*>& path, size_t from, size_t count) {
  std::string text;
  for (size_t index = from; index < from + count; ++index) {
    if (index > from) text += ".";
    text += path[index]->word;
  }
  return text;
}

// From the first byte of `from`'s own word to the end of `to`.
Span between(const ParseNode& from, const ParseNode& to) {
  Span span = from.word_span;
  const Span& last = to.word_span;
  if (last.line == span.line) span.length = last.column + last.length - span.column;
  return span;
}

}  // namespace

int ExpressionChecker::find_fact(std::string_view name) const {
  if (rule_ == nullptr) return -1;
  const auto found =
      std::find_if(rule_->facts.begin(), rule_->facts.end(), [&](const Fact& fact) { return fact.name == name; });
  return found == rule_->facts.end() ? -1 : static_cast<int>(found - rule_->facts.begin());
}

const std::vector<Field>* ExpressionChecker::candidate_fields(const Scope& scope) const {
  if (scope.candidate == Scope::CandidateOf::stream) return &schema_.root(scope.candidate_index).fields;
  if (scope.candidate == Scope::CandidateOf::table) return &schema_.tables[static_cast<size_t>(scope.candidate_index)].columns;
  return nullptr;
}

std::optional<ExpressionChecker::Member> ExpressionChecker::find_member(const std::vector<Field>& fields, bool with_facts,
                                                                        const Path& path, size_t from) const {
  for (size_t count = path.size() - from; count > 0; --count) {
    const int index = find_field(fields, joined(path, from, count));
    if (index < 0) continue;
    const Type& type = fields[static_cast<size_t>(index)].type;
    return Member{index, count, type, type.ref == kBroken};
  }
  const int fact = with_facts ? find_fact(path[from]->word) : -1;
  if (fact < 0) return std::nullopt;
  const Fact& found = rule_->facts[static_cast<size_t>(fact)];
  return Member{static_cast<int32_t>(fields.size()) + fact, 1, found.type, found.value == nullptr};
}

bool ExpressionChecker::in_candidate(const Path& path, const Scope& scope) const {
  const std::vector<Field>* fields = candidate_fields(scope);
  return fields != nullptr && find_member(*fields, scope.candidate_with_facts, path, 0).has_value();
}

bool ExpressionChecker::resolves(const ParseNode& node, const Scope& scope) const {
  if (node.kind != ParseNode::Kind::name) return true;
  if (scope.candidate == Scope::CandidateOf::unknown || in_candidate({&node}, scope)) return true;
  if (scope.facts && find_fact(node.word) >= 0) return true;
  if (node.word == "elapsed") return true;
  return std::any_of(scope.aliases.begin(), scope.aliases.end(),
                     [&](const Scope::Alias& alias) { return alias.name == node.word; });
}

ExpressionPtr ExpressionChecker::narrowed(ExpressionPtr expression, const Scope& scope) const {
  if (expression->type.optional && scope.present.contains(canonical(*expression))) expression->type.optional = false;
  return expression;
}

ExpressionPtr ExpressionChecker::path(const Path& path, const ParseNode& node, const Scope& scope, const Type* expected) {
  const std::string& first = path[0]->word;
  const bool may_be_value = path.size() == 1 && expected != nullptr && expected->kind == Kind::symbol && expected->ref >= 0 &&
                            schema_.enums[static_cast<size_t>(expected->ref)].ordinal(first) >= 0;
  if (may_be_value && !resolves(node, scope)) return enum_value(node, *expected);
  ExpressionPtr found;
  if (scope.candidate == Scope::CandidateOf::unknown) return nullptr;
  if (in_candidate(path, scope)) {
    found = candidate_path(path, scope);
  } else if (scope.facts && find_fact(first) >= 0) {
    found = fact_path(path, scope);
  } else if (const auto alias = std::find_if(scope.aliases.begin(), scope.aliases.end(),
                                             [&](const Scope::Alias& one) { return one.name == first; });
             alias != scope.aliases.end()) {
    found = alias_path(*alias, path, scope);
  } else if (first == "elapsed" && path.size() == 1) {
    Type type;
    type.kind = Kind::duration;
    if (scope.live) return make_expression(Node::elapsed, type, node);
    error("E044", "`elapsed` is not known in " + scope.place, node.span, "time since the trigger")
        .helps.push_back("it may stand in `severity`, `resolve`, `labels` and `message`");
    return nullptr;
  } else if (first == "lists") {
    return list_path(path, node);
  } else {
    return unknown_name(path, node, scope, expected);
  }
  // A field that happens to be called like the enum value that is meant.
  if (found != nullptr && may_be_value && !same_kind(found->type, *expected)) return enum_value(node, *expected);
  return found;
}

ExpressionPtr ExpressionChecker::enum_value(const ParseNode& node, const Type& type) {
  ExpressionPtr result = make_expression(Node::literal, required(type), node);
  result->type.pii = false;
  result->value = Value::of_symbol(schema_.enums[static_cast<size_t>(type.ref)].ordinal(node.word));
  result->text = node.word;
  return result;
}

ExpressionPtr ExpressionChecker::candidate_path(const Path& path, const Scope& scope) {
  const Member member = *find_member(*candidate_fields(scope), scope.candidate_with_facts, path, 0);
  if (member.broken) return nullptr;
  ExpressionPtr result = make_expression(Node::field, member.type, *path[member.consumed - 1]);
  result->index = member.index;
  result->binding = kCandidate;
  return members(narrowed(std::move(result), scope), path, member.consumed, scope);
}

ExpressionPtr ExpressionChecker::fact_path(const Path& path, const Scope& scope) {
  const int index = find_fact(path[0]->word);
  const Fact& fact = rule_->facts[static_cast<size_t>(index)];
  if (fact.value == nullptr) return nullptr;
  ExpressionPtr result = make_expression(Node::fact, fact.type, *path[0]);
  result->index = index;
  return members(narrowed(std::move(result), scope), path, 1, scope);
}

ExpressionPtr ExpressionChecker::alias_path(const Scope::Alias& alias, const Path& path, const Scope& scope) {
  if (alias.type.ref == kBroken) return nullptr;
  const std::vector<Field>& fields = *fields_of(alias.type);
  if (path.size() == 1) {
    Diagnostic& mistake = error("E024",
                                "`" + alias.name + "` is " + (alias.type.kind == Kind::row ? "a " : "an ") +
                                    shown(required(alias.type)) + ": name one of its fields",
                                path[0]->span);
    if (!fields.empty()) mistake.helps.push_back("for example `" + alias.name + "." + fields[0].name + "`");
    return nullptr;
  }
  const std::optional<Member> member = find_member(fields, false, path, 1);
  if (!member.has_value()) return unknown_member(alias.type, path, 1);
  if (member->broken) return nullptr;
  ExpressionPtr result = make_expression(Node::field, member->type, *path[member->consumed]);
  result->index = member->index;
  result->binding = alias.binding;
  return members(narrowed(std::move(result), scope), path, member->consumed + 1, scope);
}

ExpressionPtr ExpressionChecker::list_path(const Path& path, const ParseNode& node) {
  if (path.size() != 2) {
    error("E023", "a list is written `lists.NAME`", node.span);
    return nullptr;
  }
  const std::string& name = path[1]->word;
  const int index = schema_.find_list(name);
  if (index < 0) {
    if (context_.broken_names.contains(name)) return nullptr;
    std::vector<std::string> names;
    for (const NamedList& list : schema_.lists) names.push_back(list.name);
    suggest(error("E023", "there is no list `" + name + "`", path[1]->word_span, "unknown list"), name, names, "lists");
    return nullptr;
  }
  context_.used_lists.insert(index);
  Type type;
  type.kind = Kind::list;
  ExpressionPtr result = make_expression(Node::list_name, type, node);
  result->index = index;
  return result;
}

ExpressionPtr ExpressionChecker::members(ExpressionPtr base, const Path& path, size_t from, const Scope& scope) {
  while (from < path.size()) {
    const std::vector<Field>* fields = fields_of(base->type);
    if (fields == nullptr) {
      error("E026", "`" + path[from]->args[0]->source + "` is " + shown(base->type) + " and has no fields",
            path[from]->word_span, "not a field");
      return nullptr;
    }
    const std::optional<Member> member = find_member(*fields, base->type.with_facts, path, from);
    if (!member.has_value()) return unknown_member(base->type, path, from);
    if (member->broken) return nullptr;
    ExpressionPtr result = make_expression(Node::member, member->type, *path[from + member->consumed - 1]);
    result->index = member->index;
    const bool known = base->type.with_facts && scope.trigger_present.contains("e-1:" + std::to_string(member->index));
    result->type.optional = base->type.optional || (member->type.optional && !known);
    result->args.push_back(std::move(base));
    base = narrowed(std::move(result), scope);
    from += member->consumed;
  }
  return base;
}

ExpressionPtr ExpressionChecker::unknown_member(const Type& type, const Path& path, size_t from) {
  const bool table = type.kind == Kind::row;
  if ((table ? context_.broken_tables : context_.broken_streams).contains(type.ref)) return nullptr;
  const std::string name = joined(path, from, path.size() - from);
  const std::string& owner =
      table ? schema_.tables[static_cast<size_t>(type.ref)].name : schema_.streams[static_cast<size_t>(type.ref)].name;
  Diagnostic& mistake = error("E020", std::string(table ? "table" : "stream") + " `" + owner + "` has no field `" + name + "`",
                              between(*path[from], *path.back()), "unknown field");
  suggest_field(mistake, name, *fields_of(type), schema_, context_.sources);
  if (rule_ != nullptr && find_fact(name) >= 0) mistake.helps.push_back("`" + name + "` is a fact: write it alone");
  return nullptr;
}

ExpressionPtr ExpressionChecker::unknown_name(const Path& path, const ParseNode& node, const Scope& scope,
                                              const Type* expected) {
  const std::string& first = path[0]->word;
  if (context_.broken_names.contains(first)) return nullptr;
  if (schema_.find_table(first) >= 0) {
    error("E025", "`" + first + "` is a table: look a row up first", path[0]->span, "a table")
        .helps.push_back(
            "for example `" + first + "[" +
            listed(std::vector<std::string>(schema_.tables[static_cast<size_t>(schema_.find_table(first))].key.size(), "…")) +
            "]`");
    return nullptr;
  }
  const std::vector<Field>* fields = candidate_fields(scope);
  if (path.size() > 1 && schema_.find_stream(first) >= 0) {
    Diagnostic& mistake = error("E024", "`" + first + "` is a stream, not an event, here", path[0]->span, "a stream");
    const std::string field = joined(path, 1, path.size() - 1);
    if (fields != nullptr) mistake.helps.push_back("for the event under test write the field alone: `" + field + "`");
    for (const Scope::Alias& alias : scope.aliases) {
      const bool meant = alias.type.kind == Kind::event && alias.type.ref == schema_.find_stream(first);
      if (meant) mistake.helps.push_back("its event is called `" + alias.name + "` here: `" + alias.name + "." + field + "`");
    }
    return nullptr;
  }
  if (path.size() == 1 && expected != nullptr && expected->kind == Kind::symbol) {
    if (expected->ref < 0) return nullptr;
    const EnumType& values = schema_.enums[static_cast<size_t>(expected->ref)];
    Diagnostic& mistake =
        error("E021", "`" + first + "` is not one of the values of " + shown(required(*expected)), node.span, "unknown value");
    suggest(mistake, first, values.names, "values");
    return nullptr;
  }
  const bool table = scope.candidate == Scope::CandidateOf::table;
  if (fields != nullptr && (table ? context_.broken_tables : context_.broken_streams).contains(scope.candidate_index))
    return nullptr;
  const std::string whole = joined(path, 0, path.size());
  std::string message = "there is no name `" + first + "` here";
  if (fields != nullptr) {
    const std::string& owner = table ? schema_.tables[static_cast<size_t>(scope.candidate_index)].name
                                     : schema_.streams[static_cast<size_t>(scope.candidate_index)].name;
    message = std::string(table ? "table" : "stream") + " `" + owner + "` has no field `" + whole + "`";
  }
  Diagnostic& mistake = error("E020", message, fields != nullptr ? between(*path[0], *path.back()) : path[0]->span,
                              fields != nullptr ? "unknown field" : "unknown name");
  std::vector<std::string> others;
  if (scope.facts && rule_ != nullptr) {
    for (const Fact& fact : rule_->facts) others.push_back(fact.name);
  }
  for (const Scope::Alias& alias : scope.aliases) {
    others.push_back(alias.name);
    const std::vector<Field>* of_alias = fields_of(alias.type);
    if (fields == nullptr && of_alias != nullptr && find_field(*of_alias, whole) >= 0) {
      mistake.helps.push_back(
          "did you mean `" + alias.name + "." + whole + "`? " +
          declared((*of_alias)[static_cast<size_t>(find_field(*of_alias, whole))], schema_, context_.sources));
      return nullptr;
    }
  }
  const std::string near = closest(first, others);
  if (fields != nullptr && near.empty()) {
    suggest_field(mistake, whole, *fields, schema_, context_.sources);
  } else {
    suggest(mistake, first, others, "names");
  }
  if (mistake.helps.empty() && expected != nullptr && expected->kind == Kind::string)
    mistake.helps.push_back("text needs quotes: `\"" + first + "\"`");
  return nullptr;
}

ExpressionPtr ExpressionChecker::lookup(const ParseNode& node, const Scope& scope) {
  const ParseNode& base = *node.args[0];
  const int index = base.kind == ParseNode::Kind::name ? schema_.find_table(base.word) : -1;
  if (index < 0) {
    if (base.kind == ParseNode::Kind::name && context_.broken_names.contains(base.word)) return nullptr;
    Diagnostic& mistake =
        error("E027", "there is no table `" + base.source + "`", base.span, "only tables are looked up with `[ ]`");
    std::vector<std::string> names;
    for (const Table& table : schema_.tables) names.push_back(table.name);
    suggest(mistake, base.source, names, "tables");
    return nullptr;
  }
  if (!scope.lookups) {
    Diagnostic& mistake = error("E045", "a table cannot be looked up in " + scope.place, node.span);
    if (rule_ != nullptr) mistake.helps.push_back("make it a fact in `let` and test that in `when`");
    return nullptr;
  }
  const Table& table = schema_.tables[static_cast<size_t>(index)];
  if (table.derived && !scope.derived_tables) {
    error("E045", "`" + table.name + "` is made by rules and cannot be looked up in " + scope.place, node.span)
        .helps.push_back("it is known when the clock has passed: look it up in `let`, or with `fold`");
    return nullptr;
  }
  Type type;
  type.kind = Kind::row;
  type.ref = index;
  type.optional = true;
  ExpressionPtr result = make_expression(Node::lookup, type, node);
  result->index = index;
  bool good = true;
  if (node.args.size() - 1 != table.key.size()) {
    if (context_.broken_tables.contains(index)) return nullptr;
    std::vector<std::string> names;
    for (const int32_t column : table.key) names.push_back(table.columns[static_cast<size_t>(column)].name);
    error("E028",
          "table `" + table.name + "` is looked up by " + std::to_string(names.size()) +
              (names.size() == 1 ? " value: " : " values: ") + listed(names),
          node.span, std::to_string(node.args.size() - 1) + " given");
    return nullptr;
  }
  for (size_t part = 0; part < table.key.size(); ++part) {
    const Field& column = table.columns[static_cast<size_t>(table.key[part])];
    ExpressionPtr value =
        value_of_type(*node.args[part + 1], scope, required(column.type), "key `" + column.name + "` of `" + table.name + "`");
    good = good && value != nullptr;
    result->args.push_back(std::move(value));
  }
  if (node.at != nullptr) {
    ExpressionPtr at = value_of_kind(*node.at, scope, Kind::time);
    good = good && at != nullptr;
    result->has_at = true;
    result->args.push_back(std::move(at));
  }
  if (!good) return nullptr;
  return narrowed(std::move(result), scope);
}

}  // namespace tillwatch::rules
