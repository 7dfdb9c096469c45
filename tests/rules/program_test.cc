#include "rules/program/program.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/rules/expression_trees.h"

namespace tillwatch::rules {
namespace {

using namespace trees;

constexpr int64_t kOne = Value::kDecimalOne;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr uint16_t kCny = 156, kUsd = 840;

class ProgramTest : public testing::Test {
 protected:
  ExpressionPtr money(Value value) {
    world.set(Kind::money, value);
    return world.field(Kind::money);
  }
  ExpressionPtr other_money(Value value) {
    world.set(Kind::money, value, true);
    return world.field(Kind::money, true);
  }
  // A value no folding can see through.
  ExpressionPtr a(int64_t value) {
    world.set(Kind::integer, Value::of_int(value));
    return world.field(Kind::integer);
  }
  ExpressionPtr b(int64_t value) {
    world.set(Kind::integer, Value::of_int(value), true);
    return world.field(Kind::integer, true);
  }
  ExpressionPtr decimal(int64_t value) {
    world.set(Kind::decimal, Value::of_decimal_billionths(value));
    return world.field(Kind::decimal);
  }
  ExpressionPtr string(std::string_view value) {
    world.set(Kind::string, Value::of_text(world.keep(value)));
    return world.field(Kind::string);
  }
  ExpressionPtr missing(Kind kind) {
    world.set(kind, Value{}, true);
    return world.field(kind, true);
  }
  void expect_error(const ExpressionPtr& expression, EvalError error) {
    EXPECT_TRUE(world.run(expression).missing());
    EXPECT_EQ(static_cast<int>(world.environment.error), static_cast<int>(error));
  }
  bool holds(const ExpressionPtr& expression) {
    return Program::compile(*expression, world.schema, world.shapes).holds(world.environment);
  }
  void expect_money(const ExpressionPtr& expression, int64_t minor, uint16_t currency) {
    const Value value = world.run(expression);
    ASSERT_EQ(static_cast<int>(value.kind), static_cast<int>(ValueKind::money));
    EXPECT_EQ(value.i, minor);
    EXPECT_EQ(value.aux, currency);
  }
  World world;
};

TEST_F(ProgramTest, AddsAndSubtractsWithoutWrapping) {
  EXPECT_EQ(world.run(binary(Op::plus, a(40), b(2))).i, 42);
  EXPECT_EQ(world.run(binary(Op::minus, a(40), b(42))).i, -2);
  expect_error(binary(Op::plus, a(kMost), b(1)), EvalError::overflow);
  expect_error(binary(Op::minus, a(kLeast), b(1)), EvalError::overflow);
  expect_error(binary(Op::times, a(kMost), b(2)), EvalError::overflow);
  expect_error(unary(Op::minus, a(kLeast)), EvalError::overflow);
  EXPECT_EQ(world.run(unary(Op::minus, a(kMost))).i, -kMost);
}

TEST_F(ProgramTest, DividesIntegersToADecimalRoundedHalfAwayFromZero) {
  EXPECT_EQ(world.run(binary(Op::divide, a(7), b(2))).i, 3'500'000'000);
  EXPECT_EQ(world.run(binary(Op::divide, a(2), b(3))).i, 666'666'667);
  EXPECT_EQ(world.run(binary(Op::divide, a(-2), b(3))).i, -666'666'667);
  EXPECT_EQ(static_cast<int>(world.run(binary(Op::divide, a(4), b(2))).kind), static_cast<int>(ValueKind::decimal));
  expect_error(binary(Op::divide, a(7), b(0)), EvalError::divide_by_zero);
  expect_error(binary(Op::divide, a(kMost), b(1)), EvalError::overflow);
}

TEST_F(ProgramTest, MixedIntegersAndDecimals) {
  EXPECT_EQ(world.run(binary(Op::plus, a(1), decimal(kOne / 2))).i, 3 * kOne / 2);
  EXPECT_EQ(world.run(binary(Op::times, a(3), decimal(kOne / 2))).i, 3 * kOne / 2);
  // The product fits although the integer alone would not fit a decimal.
  EXPECT_EQ(world.run(binary(Op::times, a(1'000'000'000'000), decimal(kOne / 1000))).i, 1'000'000'000 * kOne);
  EXPECT_TRUE(world.run(binary(Op::greater, a(kMost), decimal(kOne / 2))).truth());
  EXPECT_TRUE(world.run(binary(Op::equal, a(3), decimal(3 * kOne))).truth());
  EXPECT_FALSE(world.run(binary(Op::equal, a(3), decimal(3 * kOne + 1))).truth());
  EXPECT_TRUE(world.run(binary(Op::less_equal, decimal(3 * kOne), a(3))).truth());
  expect_error(binary(Op::plus, a(kMost), decimal(kOne)), EvalError::overflow);
}

TEST_F(ProgramTest, MoneyKeepsItsCurrency) {
  expect_money(binary(Op::plus, money(Value::of_money(150, kCny)), other_money(Value::of_money(50, kCny))), 200, kCny);
  expect_money(binary(Op::minus, money(Value::of_money(0, 0)), other_money(Value::of_money(50, kCny))), -50, kCny);
  expect_money(binary(Op::plus, money(Value::of_money(150, kCny)), integer(50)), 200, kCny);
  expect_money(unary(Op::minus, money(Value::of_money(150, kUsd))), -150, kUsd);
  for (const Op op : {Op::plus, Op::minus, Op::divide, Op::less, Op::greater_equal}) {
    expect_error(binary(op, money(Value::of_money(150, kCny)), other_money(Value::of_money(50, kUsd))),
                 EvalError::currency_mismatch);
  }
}

TEST_F(ProgramTest, AmountsOfDifferentCurrenciesAreNotEqual) {
  const auto compared = [&](Op op, uint16_t currency) {
    return world.run(binary(op, money(Value::of_money(5, kCny)), other_money(Value::of_money(5, currency)))).truth();
  };
  EXPECT_FALSE(compared(Op::equal, kUsd));
  EXPECT_TRUE(compared(Op::not_equal, kUsd));
  EXPECT_TRUE(compared(Op::equal, kCny));
  EXPECT_TRUE(compared(Op::equal, 0));
}

TEST_F(ProgramTest, MoneyTimesAndOverNumbersRoundsHalfAwayFromZero) {
  const int64_t rate_60bp = 6'000'000;
  expect_money(binary(Op::times, money(Value::of_money(84, kCny)), decimal(rate_60bp)), 1, kCny);  // 0.504 fen
  expect_money(binary(Op::times, money(Value::of_money(83, kCny)), decimal(rate_60bp)), 0, kCny);  // 0.498 fen
  expect_money(binary(Op::times, money(Value::of_money(1, kCny)), decimal(kOne / 2)), 1, kCny);
  expect_money(binary(Op::times, money(Value::of_money(-1, kCny)), decimal(kOne / 2)), -1, kCny);
  expect_money(binary(Op::times, a(3), money(Value::of_money(7, kCny))), 21, kCny);
  expect_money(binary(Op::divide, money(Value::of_money(5, kCny)), a(2)), 3, kCny);
  expect_money(binary(Op::divide, money(Value::of_money(5, kCny)), decimal(kOne / 2)), 10, kCny);
  EXPECT_EQ(world.run(binary(Op::divide, money(Value::of_money(3, kCny)), other_money(Value::of_money(4, kCny)))).i,
            3 * kOne / 4);
  expect_error(binary(Op::divide, money(Value::of_money(3, kCny)), other_money(Value::of_money(0, kCny))),
               EvalError::divide_by_zero);
}

TEST_F(ProgramTest, MoneyComparesWithMinorUnits) {
  money(Value::of_money(100'00, kCny));
  EXPECT_TRUE(holds(binary(Op::greater_equal, world.field(Kind::money), integer(100'00))));
  EXPECT_TRUE(holds(binary(Op::less, integer(99'99), world.field(Kind::money))));
  EXPECT_TRUE(holds(binary(Op::equal, world.field(Kind::money), integer(100'00))));
  // if(diff == 0, 100_00, 200_00) is an integer that meets money
  EXPECT_FALSE(holds(binary(Op::less, world.field(Kind::money), choose(boolean(true), integer(100'00), integer(200'00)))));
  expect_money(choose(boolean(false), world.field(Kind::money), integer(0)), 0, 0);
}

TEST_F(ProgramTest, TimesAndDurations) {
  world.set(Kind::time, Value::of_time(10'000));
  world.set(Kind::time, Value::of_time(4'000), true);
  const auto early = [&] { return world.field(Kind::time, true); };
  const auto late = [&] { return world.field(Kind::time); };
  const Value difference = world.run(binary(Op::minus, late(), early()));
  EXPECT_EQ(static_cast<int>(difference.kind), static_cast<int>(ValueKind::duration));
  EXPECT_EQ(difference.i, 6'000);
  const Value later = world.run(binary(Op::plus, duration(500), late()));
  EXPECT_EQ(static_cast<int>(later.kind), static_cast<int>(ValueKind::time));
  EXPECT_EQ(later.i, 10'500);
  EXPECT_EQ(world.run(binary(Op::minus, late(), duration(500))).i, 9'500);
  world.set(Kind::duration, Value::of_duration(1'500));
  EXPECT_EQ(world.run(binary(Op::times, world.field(Kind::duration), integer(3))).i, 4'500);
  EXPECT_EQ(world.run(binary(Op::divide, world.field(Kind::duration), duration(1'000))).i, 3 * kOne / 2);
  EXPECT_TRUE(holds(binary(Op::greater, world.field(Kind::duration), duration(1'000))));
}

TEST_F(ProgramTest, AMissingOperandMakesTheResultMissing) {
  for (const Op op : {Op::plus, Op::minus, Op::times, Op::divide, Op::equal, Op::not_equal, Op::less, Op::greater_equal}) {
    EXPECT_TRUE(world.run(binary(op, a(1), missing(Kind::integer))).missing());
    EXPECT_TRUE(world.run(binary(op, missing(Kind::integer), a(1))).missing());
    EXPECT_EQ(static_cast<int>(world.environment.error), static_cast<int>(EvalError::none));
  }
  string("x");
  for (const Op op : {Op::equal, Op::not_equal, Op::less, Op::ends_with, Op::matches}) {
    EXPECT_TRUE(world.run(binary(op, world.field(Kind::string), missing(Kind::string))).missing());
    EXPECT_TRUE(world.run(binary(op, missing(Kind::string), world.field(Kind::string))).missing());
  }
  EXPECT_TRUE(world.run(unary(Op::minus, missing(Kind::integer))).missing());
  EXPECT_TRUE(world.run(unary(Op::op_not, missing(Kind::boolean))).missing());
  EXPECT_TRUE(world.run(call("abs", missing(Kind::integer))).missing());
  EXPECT_FALSE(holds(missing(Kind::boolean)));
  EXPECT_FALSE(holds(unary(Op::op_not, missing(Kind::boolean))));
}

TEST_F(ProgramTest, HasAndCoalesceReadMissingValues) {
  EXPECT_FALSE(holds(has(missing(Kind::money))));
  EXPECT_TRUE(holds(has(a(0))));
  EXPECT_EQ(world.run(coalesce(missing(Kind::integer), integer(7))).i, 7);
  EXPECT_EQ(world.run(coalesce(b(3), integer(7))).i, 3);
  const Value promoted = world.run(coalesce(b(3), decimal(kOne / 2)));
  EXPECT_EQ(static_cast<int>(promoted.kind), static_cast<int>(ValueKind::decimal));
  EXPECT_EQ(promoted.i, 3 * kOne);
  EXPECT_EQ(world.run(coalesce(missing(Kind::integer), coalesce(missing(Kind::integer), integer(9)))).i, 9);
}

TEST_F(ProgramTest, AndOrAndIfLeaveOutWhatDoesNotMatter) {
  const auto fails = [&] { return binary(Op::greater, binary(Op::divide, a(1), integer(0)), integer(0)); };
  const auto yes = [&] { return binary(Op::equal, a(1), integer(1)); };
  const auto no = [&] { return binary(Op::equal, a(1), integer(2)); };
  EXPECT_FALSE(holds(binary(Op::op_and, no(), fails())));
  EXPECT_EQ(static_cast<int>(world.environment.error), static_cast<int>(EvalError::none));
  EXPECT_TRUE(holds(binary(Op::op_or, yes(), fails())));
  expect_error(binary(Op::op_and, yes(), fails()), EvalError::divide_by_zero);
  expect_error(binary(Op::op_or, no(), fails()), EvalError::divide_by_zero);
  EXPECT_EQ(world.run(choose(yes(), integer(4), binary(Op::divide, a(1), integer(0)))).i, 4 * kOne);
  EXPECT_EQ(world.run(choose(missing(Kind::boolean), integer(4), integer(5))).i, 5);
  EXPECT_TRUE(world.run(binary(Op::op_or, missing(Kind::boolean), yes())).missing());
  EXPECT_TRUE(holds(unary(Op::op_not, binary(Op::op_and, yes(), no()))));
}

// Every path through a condition with both operators, against the same condition in C++.
TEST_F(ProgramTest, NestedConditionsJumpToTheRightPlace) {
  for (int bits = 0; bits < 64; ++bits) {
    const auto bit = [&](int at) {
      return binary(Op::equal, binary(Op::plus, a(bits), integer(0)),
                    binary(Op::plus, a(bits), integer((bits >> at) & 1 ? 0 : 1)));
    };
    const auto is = [&](int at) { return ((bits >> at) & 1) != 0; };
    const ExpressionPtr tree =
        binary(Op::op_or, binary(Op::op_and, bit(0), binary(Op::op_or, bit(1), bit(2))),
               binary(Op::op_and, binary(Op::op_and, unary(Op::op_not, bit(3)), bit(4)), choose(bit(5), bit(0), bit(1))));
    EXPECT_EQ(holds(tree), (is(0) && (is(1) || is(2))) || (!is(3) && is(4) && (is(5) ? is(0) : is(1)))) << bits;
  }
}

TEST_F(ProgramTest, MembershipInLiterals) {
  world.set(Kind::symbol, Value::of_symbol(2));
  const auto status = [&] { return world.field(Kind::symbol); };
  EXPECT_TRUE(holds(binary(Op::in, status(), list(symbol(0, 0), symbol(0, 2)))));
  EXPECT_FALSE(holds(binary(Op::in, status(), list(symbol(0, 0), symbol(0, 1)))));
  EXPECT_TRUE(holds(binary(Op::not_in, status(), list(symbol(0, 0), symbol(0, 1)))));
  string("5812");
  EXPECT_TRUE(holds(binary(Op::in, world.field(Kind::string), list(text("5311"), text("5812")))));
  EXPECT_FALSE(holds(binary(Op::not_in, world.field(Kind::string), list(text("5311"), text("5812")))));
  EXPECT_TRUE(holds(binary(Op::in, a(3), list(integer(1), integer(2), integer(3)))));
  EXPECT_TRUE(holds(binary(Op::in, money(Value::of_money(300, kCny)), list(integer(100), integer(300)))));
  EXPECT_TRUE(holds(binary(Op::in, a(3), list(b(3), integer(4)))));
  EXPECT_TRUE(world.run(binary(Op::in, missing(Kind::string), list(text("5311")))).missing());
}

TEST_F(ProgramTest, SymbolsBeyondTheMaskAreFoundToo) {
  EnumType& type = world.schema.enums[World::kStatus];
  while (type.names.size() < 100) type.names.push_back("s" + std::to_string(type.names.size()));
  for (const int64_t ordinal : {3, 63, 64, 99}) {
    world.set(Kind::symbol, Value::of_symbol(ordinal));
    EXPECT_EQ(holds(binary(Op::in, world.field(Kind::symbol), list(symbol(0, 3), symbol(0, 64)))),
              ordinal == 3 || ordinal == 64);
    EXPECT_EQ(holds(binary(Op::in, world.field(Kind::symbol), list(symbol(0, 3), symbol(0, 63)))),
              ordinal == 3 || ordinal == 63);
  }
}

TEST_F(ProgramTest, MembershipInListsAndNamedLists) {
  string("5812");
  const auto named = [] { return node(Node::list_name, {.kind = Kind::list}, 0); };
  EXPECT_TRUE(holds(binary(Op::in, world.field(Kind::string), named())));
  EXPECT_FALSE(holds(binary(Op::not_in, world.field(Kind::string), named())));
  string("a text that is longer than any small string");
  EXPECT_FALSE(holds(binary(Op::in, world.field(Kind::string), named())));
  std::string bytes;
  const std::string_view items[] = {"sms", "", "app_push"};
  ListView::encode(items, bytes);
  world.set(Kind::list, Value::of_bytes(ValueKind::list, bytes));
  EXPECT_TRUE(holds(binary(Op::in, text("app_push"), world.field(Kind::list))));
  EXPECT_TRUE(holds(binary(Op::in, text(""), world.field(Kind::list))));
  EXPECT_TRUE(holds(binary(Op::not_in, text("voice"), world.field(Kind::list))));
  EXPECT_TRUE(world.run(binary(Op::in, text("sms"), missing(Kind::list))).missing());
  // an enum in a list of strings, by its name
  world.set(Kind::symbol, Value::of_symbol(1), false, World::kChannel);
  EXPECT_TRUE(holds(binary(Op::in, world.field(Kind::symbol, false, World::kChannel), world.field(Kind::list))));
  // a literal list in place of a value
  EXPECT_TRUE(holds(binary(Op::in, text("sms"), coalesce(missing(Kind::list), list(text("sms"))))));
  EXPECT_TRUE(holds(binary(Op::equal, named(), named())));
}

TEST_F(ProgramTest, SymbolsOfDifferentEnumsMeetByName) {
  world.set(Kind::symbol, Value::of_symbol(3));                          // status: unknown
  world.set(Kind::symbol, Value::of_symbol(2), false, World::kChannel);  // channel: unknown
  const auto channel = [&] { return world.field(Kind::symbol, false, World::kChannel); };
  EXPECT_TRUE(holds(binary(Op::equal, world.field(Kind::symbol), channel())));
  world.set(Kind::symbol, Value::of_symbol(2));  // timeout: the same ordinal, another name
  EXPECT_FALSE(holds(binary(Op::equal, world.field(Kind::symbol), channel())));
  EXPECT_TRUE(holds(binary(Op::equal, world.field(Kind::symbol), text("timeout"))));
}

TEST_F(ProgramTest, TextTests) {
  string("尾号1234的卡消费128.50元");
  EXPECT_TRUE(holds(binary(Op::matches, world.field(Kind::string), text("尾号\\d{4}"))));
  EXPECT_FALSE(holds(binary(Op::matches, world.field(Kind::string), text("^\\d"))));
  EXPECT_TRUE(holds(binary(Op::ends_with, world.field(Kind::string), text("元"))));
  world.set(Kind::string, Value::of_text("消费"), true);
  EXPECT_TRUE(holds(binary(Op::matches, world.field(Kind::string), world.field(Kind::string, true))));
  world.set(Kind::string, Value::of_text("("), true);  // no pattern
  EXPECT_TRUE(world.run(binary(Op::matches, world.field(Kind::string), world.field(Kind::string, true))).missing());
  EXPECT_TRUE(holds(binary(Op::less, text("0742"), text("5812"))));
}

TEST_F(ProgramTest, EventsAreReadWhereTheyAreBound) {
  std::vector<std::vector<Value>> events(4, world.values);
  const auto index = static_cast<size_t>(world.index_of(Kind::integer, false));
  for (size_t i = 0; i < events.size(); ++i) events[i][index] = Value::of_int(static_cast<int64_t>(i) + 10);
  Environment& environment = world.environment;
  environment.candidate = {.slots = events[0].data()};
  environment.bound[kTrigger] = {.slots = events[1].data()};
  environment.bound[2] = {.slots = events[2].data()};
  environment.resolver = {.slots = events[3].data()};
  const auto at = [&](int binding) { return world.run(world.field(Kind::integer, false, 0, binding)); };
  EXPECT_EQ(at(kCandidate).i, 10);
  EXPECT_EQ(at(kTrigger).i, 11);
  EXPECT_EQ(at(2).i, 12);
  EXPECT_EQ(at(kResolver).i, 13);
  EXPECT_TRUE(at(1).missing());
}

TEST_F(ProgramTest, RowsReadLikeSlots) {
  a(41);
  string("M1");
  world.environment.candidate = world.row();
  EXPECT_EQ(world.run(binary(Op::plus, world.field(Kind::integer), integer(1))).i, 42);
  EXPECT_TRUE(holds(binary(Op::equal, world.field(Kind::string), text("M1"))));
  EXPECT_FALSE(holds(has(world.field(Kind::integer, true))));
}

TEST_F(ProgramTest, LookupsMembersFactsAggregatesElapsed) {
  const auto row = [&](ExpressionPtr key) {
    return with(node(Node::lookup, {.kind = Kind::row, .optional = true, .ref = 0}, 0), std::move(key));
  };
  const auto limit = [&](ExpressionPtr from) {
    return with(node(Node::member, {.kind = Kind::money, .optional = true}, World::kLimit), std::move(from));
  };
  expect_money(limit(row(text("M1"))), 50'000, kCny);
  EXPECT_EQ(world.last_lookup_at, -1);
  EXPECT_TRUE(world.run(limit(row(text("M2")))).missing());
  EXPECT_TRUE(world.run(row(missing(Kind::string))).missing());
  ExpressionPtr at = row(text("M1"));
  at->has_at = true;
  world.set(Kind::time, Value::of_time(77));
  at = with(std::move(at), world.field(Kind::time));
  EXPECT_TRUE(holds(has(at->args.size() == 2 ? std::move(at) : nullptr)));
  EXPECT_EQ(world.last_lookup_at, 77);

  const Value facts[] = {Value::of_int(5), world.run(row(text("M1")))};
  world.environment.facts = facts;
  EXPECT_EQ(world.run(node(Node::fact, {.kind = Kind::integer}, 0)).i, 5);
  expect_money(limit(node(Node::fact, {.kind = Kind::row, .ref = 0}, 1)), 50'000, kCny);
  world.aggregates = {Value::of_int(3), Value{}};
  EXPECT_EQ(world.run(node(Node::aggregate, {.kind = Kind::integer}, 0)).i, 3);
  EXPECT_TRUE(world.run(node(Node::aggregate, {.kind = Kind::integer, .optional = true}, 1)).missing());
  world.environment.elapsed = 1'234;
  EXPECT_EQ(world.run(node(Node::elapsed, {.kind = Kind::duration})).i, 1'234);
}

TEST_F(ProgramTest, ConstantsAreFolded) {
  const auto listing = [&](const ExpressionPtr& tree) {
    return Program::compile(*tree, world.schema, world.shapes).disassemble();
  };
  EXPECT_EQ(listing(binary(Op::plus, integer(2), binary(Op::times, integer(4), integer(10)))),
            "  0 r0 = load_constant 42\n"
            "  1 finish r0\n");
  const ExpressionPtr joined = call("join", text("a"), integer(1));
  EXPECT_EQ(listing(joined),
            "  0 r0 = load_constant \"a|1\"\n"
            "  1 finish r0\n");
  EXPECT_EQ(world.run(joined).text(), "a|1");
  // what fails is left to fail when it is run
  const ExpressionPtr fails = binary(Op::divide, integer(1), integer(0));
  EXPECT_NE(listing(fails).find("divide"), std::string::npos);
  expect_error(fails, EvalError::divide_by_zero);
}

TEST_F(ProgramTest, AConditionCompilesToComparisonsThatJump) {
  const ExpressionPtr tree = binary(Op::op_and,
                                    binary(Op::op_and, binary(Op::equal, world.field(Kind::symbol), symbol(0, 0)),
                                           binary(Op::less, integer(100), world.field(Kind::integer))),
                                    binary(Op::in, world.field(Kind::symbol), list(symbol(0, 0), symbol(0, 2))));
  EXPECT_EQ(Program::compile(*tree, world.schema, world.shapes).disassemble(),
            "  0 r0 = equal field 5 #0 -> 3\n"
            "  1 r0 = greater field 1 100 -> 3\n"
            "  2 r0 = in_mask field 5 0x5\n"
            "  3 finish r0\n");
}

// More registers than stand on the stack: nesting to the right and many arguments.
TEST_F(ProgramTest, DeepAndWideExpressionsRun) {
  a(1);
  ExpressionPtr deep = world.field(Kind::integer);
  for (int i = 0; i < 500; ++i) deep = binary(Op::plus, world.field(Kind::integer), std::move(deep));
  EXPECT_EQ(world.run(deep).i, 501);
  std::vector<ExpressionPtr> many;
  for (int i = 0; i < 300; ++i) many.push_back(world.field(Kind::integer));
  EXPECT_EQ(world.run(call("join", std::move(many))).text().size(), 599u);
}

TEST_F(ProgramTest, AnErrorDoesNotOutliveItsRun) {
  expect_error(binary(Op::divide, a(1), b(0)), EvalError::divide_by_zero);
  EXPECT_EQ(world.run(binary(Op::divide, a(1), b(1))).i, kOne);
  EXPECT_EQ(static_cast<int>(world.environment.error), static_cast<int>(EvalError::none));
}

TEST_F(ProgramTest, TheValueComesAsTheTypeAskedFor) {
  a(3);
  world.set(Kind::symbol, Value::of_symbol(1));
  const auto as = [&](const ExpressionPtr& tree, Type type) {
    return Program::compile(*tree, world.schema, world.shapes, type).run(world.environment);
  };
  const Value decimal_value = as(world.field(Kind::integer), {.kind = Kind::decimal});
  EXPECT_EQ(static_cast<int>(decimal_value.kind), static_cast<int>(ValueKind::decimal));
  EXPECT_EQ(decimal_value.i, 3 * kOne);
  EXPECT_EQ(static_cast<int>(as(integer(3), {.kind = Kind::money}).kind), static_cast<int>(ValueKind::money));
  const Program named = Program::compile(*world.field(Kind::symbol), world.schema, world.shapes, Type{.kind = Kind::string});
  EXPECT_EQ(named.run(world.environment).text(), "declined");
  EXPECT_TRUE(as(missing(Kind::integer), {.kind = Kind::decimal}).missing());
}

TEST(ProgramLifeTest, EmptyUntilCompiledAndMovable) {
  World world;
  Program program;
  EXPECT_TRUE(program.empty());
  EXPECT_EQ(program.disassemble(), "");
  program = Program::compile(*text("kept by the program"), world.schema, world.shapes);
  const Program moved = std::move(program);
  EXPECT_EQ(moved.run(world.environment).text(), "kept by the program");
}

}  // namespace
}  // namespace tillwatch::rules
