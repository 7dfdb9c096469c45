// Random well-typed expressions over random events: the register program and the tree evaluator must agree on value and error.
// TILLWATCH_DIFFERENTIAL_CASES and TILLWATCH_SEED in the environment ask for more cases or for a run again.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <random>

#include "rules/program/tree_evaluator.h"
#include "tests/rules/expression_trees.h"

namespace tillwatch::rules {
namespace {

using namespace trees;

class Generator {
 public:
  Generator(World& world, uint64_t seed) : world_(world), random_(seed) {}

  ExpressionPtr expression() {
    return of(one_of<Kind>({Kind::boolean, Kind::boolean, Kind::integer, Kind::decimal, Kind::money, Kind::string, Kind::time,
                            Kind::duration}),
              5);
  }
  void fill_events();

 private:
  uint64_t below(uint64_t bound) { return random_() % bound; }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }

  int64_t number();
  std::string_view words() {
    return one_of<std::string_view>({"", "approved", "5812", "a|b", "猫", "尾号1234", "\\", "sms", "+8"});
  }
  Value value(const Type& type);
  ExpressionPtr leaf(Kind kind);
  ExpressionPtr literal_of(Kind kind);
  ExpressionPtr of(Kind kind, int depth);
  ExpressionPtr numeric(Kind kind, int depth);
  ExpressionPtr condition(int depth);
  ExpressionPtr comparison(int depth);
  ExpressionPtr membership(int depth);
  ExpressionPtr string(int depth);
  ExpressionPtr row();
  // An integer may stand where a decimal or money is met.
  ExpressionPtr of_or_integer(Kind kind, int depth) {
    const bool integers = (kind == Kind::decimal || kind == Kind::money) && below(4) == 0;
    return of(integers ? Kind::integer : kind, depth);
  }

  World& world_;
  std::mt19937_64 random_;
};

int64_t Generator::number() {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  if (below(2) == 0) return static_cast<int64_t>(below(7)) - 3;
  return one_of<int64_t>({0, 1, 2, 3, -1, 100, 12'850, 1'000'000'007, Value::kDecimalOne, Value::kDecimalOne / 2, 6'000'000,
                          -Value::kDecimalOne / 3, kMost, kMost - 1, -kMost, -kMost - 1, kMost / 2,
                          static_cast<int64_t>(random_()), static_cast<int64_t>(random_() >> 20)});
}

Value Generator::value(const Type& type) {
  if (type.optional && below(3) == 0) return {};
  switch (type.kind) {
    case Kind::boolean:
      return Value::of_bool(below(2) == 0);
    case Kind::integer:
      return Value::of_int(number());
    case Kind::decimal:
      return Value::of_decimal_billionths(number());
    case Kind::money:
      return Value::of_money(number(), one_of<uint16_t>({156, 156, 156, 0, 840}));
    case Kind::string:
      return Value::of_text(words());
    case Kind::symbol:
      return Value::of_symbol(static_cast<int64_t>(below(world_.schema.enums[static_cast<size_t>(type.ref)].names.size())));
    case Kind::time:
      return Value::of_time(number());
    case Kind::duration:
      return Value::of_duration(number());
    case Kind::geo:
      return Value::of_geo(static_cast<int32_t>(below(900'000'000)), static_cast<int32_t>(below(1'800'000'000)),
                           one_of({CoordinateSystem::wgs84, CoordinateSystem::gcj02}),
                           one_of<uint32_t>({200, Value::kUnknownAccuracy}));
    case Kind::list: {
      std::string bytes;
      const std::array<std::string_view, 2> items = {words(), words()};
      ListView::encode(std::span(items).first(below(3)), bytes);
      return Value::of_bytes(ValueKind::list, world_.keep(bytes));
    }
    default:
      return {};
  }
}

void Generator::fill_events() {
  world_.kept.clear();
  for (size_t i = 0; i < world_.values.size(); ++i) world_.values[i] = value(world_.schema.streams[0].fields[i].type);
  world_.environment.candidate = below(2) == 0 ? world_.row() : world_.slots();
  world_.environment.elapsed = number();
  world_.aggregates = {value({.kind = Kind::integer}), value({.kind = Kind::money, .optional = true}),
                       value({.kind = Kind::decimal, .optional = true})};
}

ExpressionPtr Generator::literal_of(Kind kind) {
  switch (kind) {
    case Kind::boolean:
      return boolean(below(2) == 0);
    case Kind::integer:
      return integer(number());
    case Kind::decimal:
      return billionths(number());
    case Kind::money:
      return integer(number());
    case Kind::duration:
      return duration(number());
    case Kind::string:
      return text(std::string(words()));
    case Kind::symbol:
      return symbol(World::kStatus, static_cast<int64_t>(below(4)));
    default:
      return world_.field(kind);
  }
}

ExpressionPtr Generator::row() {
  return with(node(Node::lookup, {.kind = Kind::row, .optional = true, .ref = 0}, 0),
              below(2) == 0 ? text("M1") : world_.field(Kind::string, true));
}

ExpressionPtr Generator::leaf(Kind kind) {
  switch (below(12)) {
    case 0:
    case 1:
    case 2:
      return kind == Kind::money ? world_.field(kind) : literal_of(kind);
    case 3:
      if (kind == Kind::integer) return node(Node::aggregate, {.kind = kind}, 0);
      if (kind == Kind::money) return node(Node::aggregate, {.kind = kind, .optional = true}, 1);
      if (kind == Kind::decimal) return node(Node::aggregate, {.kind = kind, .optional = true}, 2);
      if (kind == Kind::duration) return node(Node::elapsed, {.kind = kind});
      break;
    case 4:
      if (kind == Kind::money) return with(node(Node::member, {.kind = kind, .optional = true}, World::kLimit), row());
      if (kind == Kind::string) return with(node(Node::member, {.kind = kind, .optional = true}, World::kName), row());
      if (kind == Kind::time) return with(node(Node::member, {.kind = kind, .optional = true}, World::kOpened), row());
      break;
    default:
      break;
  }
  return world_.field(kind, below(2) == 0);
}

ExpressionPtr Generator::of(Kind kind, int depth) {
  if (depth == 0 || below(6) == 0) return leaf(kind);
  switch (below(8)) {
    case 0:
      return coalesce(of(kind, depth - 1), of(kind, depth - 1));
    case 1:
      return choose(of(Kind::boolean, depth - 1), of(kind, depth - 1), of(kind, depth - 1));
    default:
      break;
  }
  if (kind == Kind::boolean) return condition(depth);
  if (kind == Kind::string) return string(depth);
  return numeric(kind, depth);
}

ExpressionPtr Generator::numeric(Kind kind, int depth) {
  const Op sign = one_of({Op::plus, Op::minus});
  const int less = depth - 1;
  if (kind == Kind::time) {
    if (below(2) == 0) return binary(Op::plus, of(Kind::duration, less), of(Kind::time, less));
    return binary(sign, of(Kind::time, less), of(Kind::duration, less));
  }
  switch (below(7)) {
    case 0:
      return unary(Op::minus, of(kind, less));
    case 1:
      if (kind == Kind::duration) return binary(Op::minus, of(Kind::time, less), of(Kind::time, less));
      if (kind == Kind::integer) return call("floor", of(Kind::decimal, less));
      if (kind == Kind::decimal) return binary(Op::divide, of(Kind::money, less), of(Kind::money, less));
      break;
    case 2:
      if (kind == Kind::integer) return call("length", of(Kind::string, less));
      if (kind == Kind::decimal) return call("div", of(Kind::integer, less), of(one_of({Kind::integer, Kind::decimal}), less));
      break;
    case 3:
      if (kind == Kind::integer) return binary(Op::times, of(kind, less), of(kind, less));
      if (kind == Kind::decimal)
        return binary(Op::divide, of_or_integer(kind, less), of(one_of({Kind::integer, Kind::decimal}), less));
      return binary(Op::divide, of(kind, less), of(one_of({Kind::integer, Kind::decimal}), less));
    case 4:
      if (kind == Kind::integer) break;
      if (below(2) == 0) return binary(Op::times, of(one_of({Kind::integer, Kind::decimal}), less), of(kind, less));
      return binary(Op::times, of(kind, less), of(one_of({Kind::integer, Kind::decimal}), less));
    case 5:
      return call(one_of<std::string_view>({"min", "max"}), of(kind, less), of_or_integer(kind, less), of(kind, less));
    default:
      break;
  }
  ExpressionPtr left = of(kind, less), right = of_or_integer(kind, less);
  if (below(2) == 0 && right->type.kind != left->type.kind) std::swap(left, right);
  return binary(sign, std::move(left), std::move(right));
}

ExpressionPtr Generator::condition(int depth) {
  const int less = depth - 1;
  switch (below(8)) {
    case 0:
      return unary(Op::op_not, of(Kind::boolean, less));
    case 1:
    case 2:
      return binary(one_of({Op::op_and, Op::op_or}), of(Kind::boolean, less), of(Kind::boolean, less));
    case 3:
      return has(of(one_of({Kind::integer, Kind::money, Kind::string, Kind::decimal}), less));
    case 4:
      return membership(less);
    case 5:
      if (below(2) == 0) {
        return binary(Op::matches, of(Kind::string, less), below(2) == 0 ? text("^[a-z]+\\d*|\\d{2}") : of(Kind::string, less));
      }
      return binary(Op::ends_with, of(Kind::string, less), of(Kind::string, less));
    default:
      return comparison(less);
  }
}

ExpressionPtr Generator::comparison(int depth) {
  const std::initializer_list<Op> orders = {Op::equal, Op::not_equal, Op::less, Op::less_equal, Op::greater, Op::greater_equal};
  const Kind kind = one_of({Kind::integer, Kind::integer, Kind::decimal, Kind::money, Kind::string, Kind::time, Kind::duration,
                            Kind::symbol, Kind::boolean, Kind::geo});
  if (kind == Kind::geo) return binary(one_of({Op::equal, Op::not_equal}), world_.field(kind), world_.field(kind, true));
  if (kind == Kind::symbol || kind == Kind::boolean) {
    const Op op = one_of({Op::equal, Op::not_equal});
    if (kind == Kind::boolean) return binary(op, of(kind, depth), of(kind, depth));
    if (below(3) == 0) return binary(op, world_.field(kind, true), text(std::string(words())));
    if (below(3) == 0) return binary(op, world_.field(kind), world_.field(kind, true, World::kChannel));
    return binary(op, literal_of(kind), world_.field(kind, below(2) == 0));
  }
  ExpressionPtr left = of(kind, depth), right = of_or_integer(kind, depth);
  if (below(2) == 0) std::swap(left, right);
  return binary(one_of(orders), std::move(left), std::move(right));
}

ExpressionPtr Generator::membership(int depth) {
  const Op op = one_of({Op::in, Op::not_in});
  switch (below(6)) {
    case 0:
      return binary(op, world_.field(Kind::symbol, true), list(literal_of(Kind::symbol), literal_of(Kind::symbol)));
    case 1:
      return binary(op, of(Kind::string, depth), node(Node::list_name, {.kind = Kind::list}, 0));
    case 2:
      return binary(op, world_.field(Kind::symbol), world_.field(Kind::list, true));
    case 3:
      return binary(op, of(Kind::string, depth), coalesce(world_.field(Kind::list, true), list(text("sms"), text("猫"))));
    case 4:
      return binary(op, of(Kind::integer, depth), list(integer(number()), integer(number()), of(Kind::integer, depth)));
    default:
      return binary(op, of(Kind::string, depth), list(text(std::string(words())), text(std::string(words()))));
  }
}

ExpressionPtr Generator::string(int depth) {
  const int less = depth - 1;
  switch (below(5)) {
    case 0:
      return call("join", of(Kind::string, less),
                  of(one_of({Kind::integer, Kind::decimal, Kind::money, Kind::time, Kind::duration, Kind::boolean}), less),
                  world_.field(Kind::symbol, below(2) == 0));
    case 1:
      return call("text", below(2) == 0 ? world_.field(Kind::symbol) : of(one_of({Kind::integer, Kind::money}), less));
    case 2:
      return call(one_of<std::string_view>({"left", "right"}), of(Kind::string, less), of(Kind::integer, less));
    case 3:
      return call(one_of<std::string_view>({"lower", "upper"}), of(Kind::string, less));
    default:
      return call("rate_guess", of(Kind::money, less), world_.field(Kind::money));
  }
}

std::string describe(const Value& value) {
  if (value.missing()) return "missing";
  std::string kind = "kind " + std::to_string(static_cast<int>(value.kind)) + " ";
  return holds_bytes(value.kind) ? kind + std::string(value.text())
                                 : kind + std::to_string(value.i) + "/" + std::to_string(value.aux);
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(ProgramDifferentialTest, ProgramAndTreeAgree) {
  const uint64_t cases = from_environment("TILLWATCH_DIFFERENTIAL_CASES", 20'000);
  const uint64_t seed = from_environment("TILLWATCH_SEED", std::random_device{}());
  RecordProperty("seed", std::to_string(seed));
  World world;
  Generator generator(world, seed);
  std::array<uint64_t, 5> outcomes{};  // missing without an error, value, then the three errors
  for (uint64_t i = 0; i < cases; ++i) {
    const ExpressionPtr tree = generator.expression();
    const Program program = Program::compile(*tree, world.schema, world.shapes);
    for (int event = 0; event < 2; ++event) {
      generator.fill_events();
      world.arena.reset();
      const Value expected = evaluate_tree(*tree, world.schema, world.shapes, world.environment);
      const EvalError expected_error = world.environment.error;
      const std::string expected_text = describe(expected);
      const Value value = program.run(world.environment);
      ASSERT_EQ(describe(value), expected_text) << "case " << i << ", TILLWATCH_SEED=" << seed << "\n" << program.disassemble();
      ASSERT_EQ(static_cast<int>(world.environment.error), static_cast<int>(expected_error))
          << "case " << i << ", TILLWATCH_SEED=" << seed << "\n"
          << program.disassemble();
      const auto error = static_cast<size_t>(expected_error);
      ++outcomes[error != 0 ? error + 1 : expected.missing() ? 0 : 1];
    }
  }
  // The generator reaches every outcome often enough to mean something.
  for (size_t outcome = 0; outcome < outcomes.size(); ++outcome) EXPECT_GT(outcomes[outcome], cases / 200) << outcome;
  EXPECT_GT(outcomes[1], cases / 2);
}

}  // namespace
}  // namespace tillwatch::rules
