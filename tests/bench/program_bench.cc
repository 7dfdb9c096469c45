// What an expression costs per event: the five-clause predicate the language's design was measured with (compiled C++ 5 ns, a
// flat register program 11-16), over slots as the decoder leaves them and over an encoded row; and the pieces rules use most.
#include <benchmark/benchmark.h>

#include "rules/program/tree_evaluator.h"
#include "rules/tariff.h"
#include "tests/rules/expression_trees.h"

namespace tillwatch::rules {
namespace {

using namespace trees;

// status == approved and channel in [sms, app_push] and amount >= 100_00 and mcc != "5411" and stan > 7
ExpressionPtr five_clauses(const World& world) {
  const auto join = [](ExpressionPtr left, ExpressionPtr right) {
    return binary(Op::op_and, std::move(left), std::move(right));
  };
  ExpressionPtr tree = binary(Op::equal, world.field(Kind::symbol), symbol(World::kStatus, 0));
  tree = join(std::move(tree), binary(Op::in, world.field(Kind::symbol, false, World::kChannel),
                                      list(symbol(World::kChannel, 0), symbol(World::kChannel, 1))));
  tree = join(std::move(tree), binary(Op::greater_equal, world.field(Kind::money), integer(100'00)));
  tree = join(std::move(tree), binary(Op::not_equal, world.field(Kind::string), text("5411")));
  return join(std::move(tree), binary(Op::greater, world.field(Kind::integer), integer(7)));
}

void fill(World& world) {
  world.set(Kind::symbol, Value::of_symbol(0));
  world.set(Kind::symbol, Value::of_symbol(1), false, World::kChannel);
  world.set(Kind::money, Value::of_money(128'50, 156));
  world.set(Kind::string, Value::of_text("5812"));
  world.set(Kind::integer, Value::of_int(42));
}

void run_program(benchmark::State& state, const ExpressionPtr& tree, World& world) {
  const Program program = Program::compile(*tree, world.schema, world.shapes);
  for (auto _ : state) {
    world.arena.reset();
    benchmark::DoNotOptimize(program.run(world.environment));
  }
}

void BM_FiveClausesOverSlots(benchmark::State& state) {
  World world;
  fill(world);
  run_program(state, five_clauses(world), world);
}
BENCHMARK(BM_FiveClausesOverSlots);

void BM_FiveClausesOverARow(benchmark::State& state) {
  World world;
  fill(world);
  world.environment.candidate = world.row();
  run_program(state, five_clauses(world), world);
}
BENCHMARK(BM_FiveClausesOverARow);

void BM_FirstClauseFalse(benchmark::State& state) {
  World world;
  fill(world);
  world.set(Kind::symbol, Value::of_symbol(1));
  run_program(state, five_clauses(world), world);
}
BENCHMARK(BM_FirstClauseFalse);

void BM_FiveClausesByTheTreeEvaluator(benchmark::State& state) {
  World world;
  fill(world);
  const ExpressionPtr tree = five_clauses(world);
  for (auto _ : state) {
    world.arena.reset();
    benchmark::DoNotOptimize(evaluate_tree(*tree, world.schema, world.shapes, world.environment));
  }
}
BENCHMARK(BM_FiveClausesByTheTreeEvaluator);

void BM_FiveClausesInCpp(benchmark::State& state) {
  World world;
  fill(world);
  const auto at = [&](Kind kind, int32_t ref = 0) { return world.values.data() + world.index_of(kind, false, ref); };
  const Value *status = at(Kind::symbol), *channel = at(Kind::symbol, World::kChannel), *amount = at(Kind::money),
              *mcc = at(Kind::string), *stan = at(Kind::integer);
  for (auto _ : state) {
    benchmark::DoNotOptimize(status);
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(status->i == 0 && (channel->i == 0 || channel->i == 1) && amount->i >= 100'00 &&
                             mcc->text() != "5411" && stan->i > 7);
  }
}
BENCHMARK(BM_FiveClausesInCpp);

// join(merchant_id, terminal_id, stan), the identity of an attempt
void BM_Join(benchmark::State& state) {
  World world;
  fill(world);
  run_program(state, call("join", world.field(Kind::string), world.field(Kind::string), world.field(Kind::integer)), world);
}
BENCHMARK(BM_Join);

// n - floor(gone / amount) >= 2
void BM_DivideAndFloor(benchmark::State& state) {
  World world;
  fill(world);
  world.set(Kind::money, Value::of_money(128'50, 156), true);
  run_program(state,
              binary(Op::greater_equal,
                     binary(Op::minus, world.field(Kind::integer),
                            call("floor", binary(Op::divide, world.field(Kind::money, true), world.field(Kind::money)))),
                     integer(2)),
              world);
}
BENCHMARK(BM_DivideAndFloor);

void BM_Fee(benchmark::State& state) {
  World world;
  fill(world);
  const TariffProduct products[] = {{.card_type = "credit", .rate_ppm = 6'000},
                                    {.card_type = "debit", .rate_ppm = 5'000, .cap_minor = 2'000},
                                    {.payment_method = "qr_*", .rate_ppm = 3'800, .tiers = {{100'000, 3'800}, {-1, 6'000}}}};
  const std::string tariff = encode_tariff(products);
  world.set(Kind::tariff, Value::of_bytes(ValueKind::tariff, tariff));
  run_program(state, call("fee", world.field(Kind::tariff), world.field(Kind::money), text("credit"), text("card_chip")),
              world);
}
BENCHMARK(BM_Fee);

}  // namespace
}  // namespace tillwatch::rules
