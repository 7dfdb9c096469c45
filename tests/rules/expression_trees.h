// Checked expressions built by hand, and a small world of events, rows and lists to evaluate them over: what tests of programs
// use where they do not want the parser in between.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/status.h"
#include "rules/program/arithmetic.h"
#include "rules/program/functions.h"
#include "rules/program/program.h"

namespace tillwatch::rules::trees {

inline ExpressionPtr node(Node kind, Type type, int32_t index = -1) {
  auto made = std::make_unique<Expression>();
  made->node = kind;
  made->type = type;
  made->index = index;
  return made;
}

template <class... Arguments>
ExpressionPtr with(ExpressionPtr made, Arguments... arguments) {
  (made->args.push_back(std::move(arguments)), ...);
  return made;
}

inline ExpressionPtr literal(Type type, Value value) {
  ExpressionPtr made = node(Node::literal, type);
  made->value = value;
  return made;
}
inline ExpressionPtr boolean(bool value) { return literal({.kind = Kind::boolean}, Value::of_bool(value)); }
inline ExpressionPtr integer(int64_t value) { return literal({.kind = Kind::integer}, Value::of_int(value)); }
inline ExpressionPtr billionths(int64_t value) { return literal({.kind = Kind::decimal}, Value::of_decimal_billionths(value)); }
inline ExpressionPtr duration(DurationMs value) { return literal({.kind = Kind::duration}, Value::of_duration(value)); }
inline ExpressionPtr symbol(int32_t type, int64_t ordinal) {
  return literal({.kind = Kind::symbol, .ref = type}, Value::of_symbol(ordinal));
}
inline ExpressionPtr text(std::string value) {
  ExpressionPtr made = node(Node::literal, {.kind = Kind::string});
  made->text = std::move(value);
  return made;
}

inline ExpressionPtr unary(Op op, ExpressionPtr argument) {
  ExpressionPtr made = node(Node::unary, argument->type);
  made->op = op;
  return with(std::move(made), std::move(argument));
}

inline Type binary_type(Op op, const Type& a, const Type& b) {
  Type type{.kind = Kind::boolean, .optional = a.optional || b.optional};
  switch (op) {
    case Op::plus:
    case Op::minus:
      type.kind = a.kind == Kind::integer ? b.kind : a.kind;
      if (a.kind == Kind::time || b.kind == Kind::time) type.kind = a.kind == b.kind ? Kind::duration : Kind::time;
      break;
    case Op::times:
      type.kind = product_shape(a.kind, b.kind).result;
      break;
    case Op::divide:
      type.kind = quotient_shape(a.kind, b.kind).result;
      break;
    default:
      break;
  }
  return type;
}

inline ExpressionPtr binary(Op op, ExpressionPtr left, ExpressionPtr right) {
  ExpressionPtr made = node(Node::binary, binary_type(op, left->type, right->type));
  made->op = op;
  return with(std::move(made), std::move(left), std::move(right));
}

inline ExpressionPtr has(ExpressionPtr argument) { return with(node(Node::has, {.kind = Kind::boolean}), std::move(argument)); }

inline ExpressionPtr coalesce(ExpressionPtr left, ExpressionPtr right) {
  Type type = left->type.kind == Kind::integer ? right->type : left->type;
  type.optional = right->type.optional;
  return with(node(Node::coalesce, type), std::move(left), std::move(right));
}

inline ExpressionPtr choose(ExpressionPtr condition, ExpressionPtr yes, ExpressionPtr no) {
  Type type = yes->type.kind == Kind::integer ? no->type : yes->type;
  type.optional = yes->type.optional || no->type.optional;
  return with(node(Node::choose, type), std::move(condition), std::move(yes), std::move(no));
}

template <class... Items>
ExpressionPtr list(Items... items) {
  return with(node(Node::list, {.kind = Kind::list}), std::move(items)...);
}

// A call by name; its type is what the function's check gives.
inline ExpressionPtr call(std::string_view name, std::vector<ExpressionPtr> arguments) {
  const int index = find_function(name);
  TILLWATCH_CHECK(index >= 0);
  std::vector<Type> types;
  for (const ExpressionPtr& argument : arguments) types.push_back(argument->type);
  Type type;
  size_t bad = 0;
  const std::string wrong = functions()[static_cast<size_t>(index)].check(types, type, bad);
  TILLWATCH_CHECK(wrong.empty());
  ExpressionPtr made = node(Node::call, type, index);
  made->args = std::move(arguments);
  return made;
}
template <class... Arguments>
ExpressionPtr call(std::string_view name, ExpressionPtr first, Arguments... rest) {
  std::vector<ExpressionPtr> arguments;
  arguments.push_back(std::move(first));
  (arguments.push_back(std::move(rest)), ...);
  return call(name, std::move(arguments));
}

// One stream with a required and an optional field of every kind, one table, one list; a row of the table is found under "M1".
struct World : Surroundings {
  enum Enum : int32_t { kStatus, kChannel };              // approved declined timeout unknown; sms app_push unknown
  enum Column : int32_t { kId, kName, kLimit, kOpened };  // string, string?, money, time

  World() {
    schema.enums.push_back({{"approved", "declined", "timeout", "unknown"}});
    schema.enums.push_back({{"sms", "app_push", "unknown"}});
    Stream& stream = schema.streams.emplace_back();
    stream.name = "txn";
    stream.root = 0;
    for (const bool optional : {false, true}) {
      for (int kind = 0; kind <= static_cast<int>(Kind::tariff); ++kind) add_field(static_cast<Kind>(kind), optional, kStatus);
      add_field(Kind::symbol, optional, kChannel);
    }
    Table& table = schema.tables.emplace_back();
    table.name = "merchants";
    table.key = {kId};
    for (const auto& [name, type] : {std::pair{"id", Type{.kind = Kind::string}},
                                     {"name", Type{.kind = Kind::string, .optional = true}},
                                     {"limit", Type{.kind = Kind::money}},
                                     {"opened", Type{.kind = Kind::time}}}) {
      table.columns.push_back({.name = name, .type = type});
    }
    table_layout = RowLayout({ValueKind::string, ValueKind::string, ValueKind::money, ValueKind::time});
    schema.lists.push_back({.name = "words", .values = {"approved", "5812", "猫"}});
    shapes.position = [](int, int index) { return index; };
    shapes.layout = [this](const Type&) { return &table_layout; };
    shapes.member = [](const Type&, int index) { return index; };
    values.resize(schema.streams[0].fields.size());
    std::vector<ValueKind> kinds;
    for (const Field& each : schema.streams[0].fields) kinds.push_back(value_kind(each.type.kind));
    layout = RowLayout(kinds);
    environment.surroundings = this;
    environment.arena = &arena;
  }

  void add_field(Kind kind, bool optional, int32_t ref) {
    const std::string name = "f" + std::to_string(schema.streams[0].fields.size());
    schema.streams[0].fields.push_back(
        {.name = name, .type = {.kind = kind, .optional = optional, .ref = kind == Kind::symbol ? ref : -1}});
  }
  int32_t index_of(Kind kind, bool optional, int32_t ref = kStatus) const {
    const auto& fields = schema.streams[0].fields;
    for (size_t i = 0; i < fields.size(); ++i) {
      const Type& type = fields[i].type;
      if (type.kind == kind && type.optional == optional && (kind != Kind::symbol || type.ref == ref))
        return static_cast<int32_t>(i);
    }
    return -1;
  }
  ExpressionPtr field(Kind kind, bool optional = false, int32_t ref = kStatus, int32_t binding = kCandidate) const {
    const int32_t index = index_of(kind, optional, ref);
    ExpressionPtr made = node(Node::field, schema.streams[0].fields[static_cast<size_t>(index)].type, index);
    made->binding = binding;
    return made;
  }
  // Gives a field its value; the event is the candidate, as slots.
  void set(Kind kind, Value value, bool optional = false, int32_t ref = kStatus) {
    values[static_cast<size_t>(index_of(kind, optional, ref))] = value;
    environment.candidate = {.slots = values.data()};
  }
  EventView slots() const { return {.slots = values.data()}; }
  EventView row() {
    bytes.clear();
    layout.encode(values, bytes);
    return {.layout = &layout, .row = bytes.data()};
  }
  std::string_view keep(std::string_view text) { return kept.emplace_back(text); }

  Value aggregate(int index) override { return aggregates[static_cast<size_t>(index)]; }
  Value lookup(int, std::span<const Value> key, bool has_at, TimeMs at) override {
    last_lookup_at = has_at ? at : -1;
    if (key[0].text() != "M1") return {};
    table_row.clear();
    const Value row[] = {Value::of_text("M1"), Value{}, Value::of_money(50'000, 156), Value::of_time(1'000)};
    table_layout.encode(row, table_row);
    return Value::of_bytes(ValueKind::row, table_row);
  }
  const NamedList& list(int index) const override { return schema.lists[static_cast<size_t>(index)]; }

  // The program is kept: its text may be the value.
  Value run(const ExpressionPtr& expression) {
    return programs.emplace_back(Program::compile(*expression, schema, shapes)).run(environment);
  }

  Schema schema;
  RowShapes shapes;
  RowLayout layout, table_layout;
  std::vector<Value> values, aggregates;
  std::string bytes, table_row;
  std::deque<std::string> kept;
  std::deque<Program> programs;
  Arena arena;
  Environment environment;
  TimeMs last_lookup_at = 0;
};

}  // namespace tillwatch::rules::trees
