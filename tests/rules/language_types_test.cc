// Names and types: an expression as a fact of a rule on `debit as d`, and the type it gets or the code of the mistake.
#include <gtest/gtest.h>

#include <span>

#include "rules/language/names.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch::rules {
namespace {

struct TypeRow {
  const char* written;
  const char* type;  // or the codes of the errors
};

// Facts that the rows may use stand in front: m: a row, n: an int, before: an event, rate: a decimal.
const char* const kFacts =
    "let:\n"
    "  m: merchants[d.merchant_id]\n"
    "  n: count(this over 1d)\n"
    "  before: last(this over 1d)\n"
    "  rate: 1.5\n"
    "  sub: subscriptions[d.card_token, \"cardholder\"] else wait 60s\n";

std::string type_of(const std::string& written) {
  const Loaded loaded(with_rule(std::string(kFacts) + "  tried: " + single_quoted(written) + "\n" + kAlert));
  if (loaded.diagnostics.errors() > 0) return loaded.codes();
  return show(loaded.bundle.rules.at(0).facts.back().type, loaded.bundle.schema);
}

void expect_types(std::span<const TypeRow> rows) {
  for (const TypeRow& row : rows) EXPECT_EQ(type_of(row.written), row.type) << row.written;
}

TEST(Types, OfLiteralsAndNames) {
  const TypeRow rows[] = {
      {"1", "int"},
      {"1.5", "decimal"},
      {"2%", "decimal"},
      {"0bp", "decimal"},
      {"90s", "duration"},
      {"\"x\"", "string"},
      {"true", "bool"},
      {"d.amount", "money"},
      {"d.rrn", "string?"},
      {"d.original.txn_id", "string?"},
      {"d.location", "geo?"},
      {"d.occurred_at", "time"},
      {"d.status", "enum(approved, declined, timeout, pending, …)"},
      {"d.is_debit", "bool"},
      {"d.attempt", "string"},
      {"n", "int"},
      {"m", "row of merchants?"},
      {"m.name", "string?"},
      {"m.effective_from", "time?"},
      {"sub.enabled", "bool"},
      {"sub.channels", "list(string)"},
      {"sub.min_notify_inclusive", "bool?"},
      {"before", "own event of debit?"},
      {"before.amount", "money?"},
      {"before.original.rrn", "string?"},
      {"before.n", "int?"},
      {"before.m.name", "string?"},
      {"d.nothing", "E020"},
      {"nothing", "E020"},
      {"d", "E024"},
      {"debit.amount", "E024"},
      {"merchants.name", "E025"},
      {"amount", "E020"},
      {"d.amount.x", "E026"},
      {"m.nothing", "E020"},
      {"n.x", "E026"},
      {"elapsed", "E044"},
      {"tried", "E020"},
      {"lists.nothing", "E023"},
      {"lists", "E023"},
      {"d.n", "E020"},
      {"approved", "E020"},
  };
  expect_types(rows);
}

TEST(Types, OfArithmetic) {
  const TypeRow rows[] = {
      {"1 + 2", "int"},
      {"1 + 2.5", "decimal"},
      {"n + 1", "int"},
      {"n * 2", "int"},
      {"n / 2", "decimal"},
      {"n * rate", "decimal"},
      {"n - rate", "decimal"},
      {"-n", "int"},
      {"-rate", "decimal"},
      {"-d.amount", "money"},
      {"-90s", "duration"},
      {"d.amount + 1", "money"},
      {"1 + d.amount", "money"},
      {"d.amount - d.amount", "money"},
      {"d.amount * 2", "money"},
      {"2 * d.amount", "money"},
      {"d.amount * rate", "money"},
      {"d.amount / 2", "money"},
      {"d.amount / rate", "money"},
      {"d.amount / d.amount", "decimal"},
      {"d.amount * d.amount", "E035"},
      {"d.amount + n", "E035"},
      {"d.amount + rate", "E035"},
      {"2 / d.amount", "E035"},
      {"d.occurred_at - d.occurred_at", "duration"},
      {"d.occurred_at + 90s", "time"},
      {"90s + d.occurred_at", "time"},
      {"d.occurred_at - 90s", "time"},
      {"90s - d.occurred_at", "E035"},
      {"d.occurred_at + d.occurred_at", "E035"},
      {"d.occurred_at * 2", "E035"},
      {"90s + 90s", "duration"},
      {"90s * 2", "duration"},
      {"2 * 90s", "duration"},
      {"90s / 2", "duration"},
      {"90s / 30s", "decimal"},
      {"90s + 1", "E035"},
      {"d.mcc + d.mcc", "E035"},
      {"true + 1", "E035"},
      {"-d.mcc", "E035"},
      {"1 / 0", "E035"},
      {"d.rrn + 1", "E022"},
      {"m.name + n.x", "E022 E026"},
  };
  expect_types(rows);
}

TEST(Types, OfComparisons) {
  const TypeRow rows[] = {
      {"1 < 2", "bool"},
      {"n < 2.5", "bool"},
      {"rate > 1", "bool"},
      {"d.amount > 1", "bool"},
      {"1 < d.amount", "bool"},
      {"d.amount >= if(n == 0, 100_00, 200_00)", "bool"},
      {"d.amount > -1", "bool"},
      {"d.amount > n", "E030"},
      {"d.amount > 0.5", "E030"},
      {"d.mcc == \"5411\"", "bool"},
      {"d.mcc == 5411", "E030"},
      {"d.mcc < \"5411\"", "E033"},
      {"d.status == approved", "bool"},
      {"approved == d.status", "bool"},
      {"d.status != d.status", "bool"},
      {"d.status < approved", "E033"},
      {"d.status == aproved", "E021"},
      {"d.status == \"approved\"", "E032"},
      {"d.status == d.txn_type", "E030"},
      {"text(d.status) == text(d.txn_type)", "bool"},
      {"d.status == d.mcc", "E030"},
      {"text(d.status) == d.mcc", "bool"},
      {"d.occurred_at > d.occurred_at", "bool"},
      {"90s > 1m", "bool"},
      {"90s > 1", "E030"},
      {"true == d.is_debit", "bool"},
      {"true < false", "E033"},
      {"d.rrn == \"x\"", "E022"},
      {"m == m", "E022 E022"},
      {"sub == sub", "E033"},
      {"sub.channels == sub.channels", "E033"},
      {"d.mcc matches \"^5[0-9]{3}$\"", "bool"},
      {"d.mcc matches \"(\"", "E047"},
      {"d.mcc matches d.mcc", "E047"},
      {"d.mcc ends_with \"11\"", "bool"},
      {"ends_with(d.mcc, \"11\")", "bool"},
      {"d.amount matches \"x\"", "E030"},
      {"not d.is_debit", "bool"},
      {"not n", "E031"},
      {"d.is_debit and n > 1", "bool"},
      {"d.is_debit and n", "E031"},
  };
  expect_types(rows);
}

TEST(Types, OfMembership) {
  const TypeRow rows[] = {
      {"d.mcc in lists.repeat_purchase_mcc", "bool"},
      {"d.mcc not in lists.repeat_purchase_mcc", "bool"},
      {"d.mcc in [\"1\", \"2\"]", "bool"},
      {"d.txn_type in [sale, refund]", "bool"},
      {"d.txn_type in [sale, refnd]", "E021"},
      {"d.txn_type in [\"sale\"]", "E032"},
      {"d.txn_type in lists.repeat_purchase_mcc", "bool"},
      {"\"DEBIT\" in sub.categories", "bool"},
      {"d.card_type in sub.channels", "bool"},
      {"n in [1, 2, 3]", "bool"},
      {"d.amount in [100, 200]", "bool"},
      {"d.mcc in [d.stan, \"1\"]", "bool"},
      {"n in [1, \"2\"]", "E030"},
      {"n in lists.repeat_purchase_mcc", "E030"},
      {"d.mcc in d.mcc", "E034"},
      {"d.mcc in []", "E034"},
      {"d.mcc in [1]", "E030"},
      {"n in [rate, 2]", "bool"},
      {"d.txn_type in [sale, d.txn_type]", "bool"},
      {"[1, 2]", "E034"},
      {"d.rrn in [\"1\"]", "E022"},
      {"m.name in [\"1\"]", "E022"},
  };
  expect_types(rows);
}

TEST(Types, OfValuesThatMayBeMissing) {
  const TypeRow rows[] = {
      {"d.rrn ?? d.stan", "string"},
      {"d.rrn ?? d.order_no", "string?"},
      {"d.rrn ?? d.order_no ?? \"\"", "string"},
      {"m.name ?? d.mcc", "string"},
      {"d.rrn ?? 5", "E030"},
      {"d.amount ?? 0", "E029"},
      {"before.amount ?? 0", "money"},
      {"d.rrn else skip", "string"},
      {"m else wait 60s", "row of merchants"},
      {"d.amount else skip", "E029"},
      {"d.rrn else wait 60s", "E046"},
      {"has(d.rrn)", "bool"},
      {"has(m.name)", "bool"},
      {"has(d.rrn) and d.rrn == \"1\"", "bool"},
      {"d.rrn == \"1\" and has(d.rrn)", "E022"},
      {"has(d.rrn) or d.rrn == \"1\"", "E022"},
      {"not has(d.rrn) or d.rrn == \"1\"", "bool"},
      {"has(d.rrn) and (n > 1 or d.rrn == \"1\")", "bool"},
      {"has(m) and m.mcc == d.mcc", "bool"},
      {"has(m.mcc) and m.name == d.mcc", "bool"},
      {"has(before.rrn) and before.amount > 1", "bool"},
      {"has(before) and before.rrn == \"1\"", "E022"},
      {"if(has(d.rrn), d.rrn, d.stan)", "string"},
      {"if(has(d.rrn), d.stan, d.rrn)", "string?"},
      {"if(not has(d.rrn), d.stan, d.rrn)", "string"},
      {"if(n > 1, d.amount, 0)", "money"},
      {"if(n > 1, 1, 2.5)", "decimal"},
      {"if(n > 1, d.amount, d.mcc)", "E030"},
      {"if(n, 1, 2)", "E031"},
      {"if(n > 1, 1)", "E036"},
      {"has(d.rrn, 1)", "E036"},
      {"has(merchants[d.mcc]) and merchants[d.mcc].mcc == d.mcc", "bool"},
      {"has(merchants[d.mcc]) and merchants[d.stan].mcc == d.mcc", "E022"},
      {"has(avg(amount of this where has(rrn) and rrn == \"1\" over 1d))", "bool"},
      {"has(d.rrn) and has(d.rrn)", "bool"},
      {"has(avg(amount of this over 1d)) and avg(amount of this over 1d) > 5", "bool"},
  };
  expect_types(rows);
}

TEST(Types, OfLookupsAndFunctions) {
  const TypeRow rows[] = {
      {"merchants[d.merchant_id].mcc", "string?"},
      {"merchants[d.merchant_id] at d.occurred_at", "row of merchants?"},
      {"maintenance[\"issuer\", d.issuer_id] at d.occurred_at + 90s - 1m", "row of maintenance?"},
      {"(merchants[d.mcc] at d.occurred_at).name ?? \"\"", "string"},
      {"merchants[d.mcc] at 90s", "E030"},
      {"merchants[d.rrn]", "E022"},
      {"merchants[d.amount]", "E030"},
      {"merchants[d.mcc, d.mcc]", "E028"},
      {"nothing[d.mcc]", "E027"},
      {"debit[d.mcc]", "E027"},
      {"mcc_tiers[merchants[d.merchant_id].mcc ?? \"\"].rank ?? 2", "int"},
      {"max(d.host_at ?? d.occurred_at, d.occurred_at) - d.occurred_at", "duration"},
      {"max(d.amount, 100)", "money"},
      {"max(n, 1.5)", "decimal"},
      {"max(d.amount, d.mcc)", "E036"},
      {"floor(d.amount / 100_00)", "E036"},
      {"floor(rate)", "int"},
      {"join(d.mcc, d.stan)", "string"},
      {"join(d.card_type, d.stan)", "string"},
      {"right(d.card_last4, 3)", "string"},
      {"div(n, n)", "decimal?"},
      {"div(d.amount, d.amount) ?? 0bp", "decimal"},
      {"nothing(1)", "E037"},
      {"mid_mcc(d.merchant_id)", "string?"},
      {"floor(d.rrn)", "E022"},
      {"distance_m(d.location, d.location)", "E022 E022"},
  };
  expect_types(rows);
}

TEST(Types, OfAggregates) {
  const TypeRow rows[] = {
      {"count(this over 1d)", "int"},
      {"count(debit where status == approved over 1d)", "int"},
      {"count(amount of this over 1d)", "E039"},
      {"distinct(mcc of this over 1d)", "int"},
      {"distinct(rrn ?? attempt of this over 1d)", "int"},
      {"distinct(rrn of this over 1d)", "E022"},
      {"distinct(rrn of this where has(rrn) over 1d)", "int"},
      {"distinct(this over 1d)", "E039"},
      {"sum(amount of this over 1d)", "money"},
      {"sum(n of this over 1d)", "int"},
      {"sum(mcc of this over 1d)", "E039"},
      {"avg(amount of this over 1d)", "money?"},
      {"avg(n of this over 1d)", "decimal?"},
      {"min(occurred_at of this over 1d) ?? d.occurred_at", "time"},
      {"max(amount of this over 1d)", "money?"},
      {"max(mcc of this over 1d)", "E039"},
      {"ratio(status == declined of txn over 1d)", "decimal?"},
      {"ratio(amount of this over 1d)", "E039"},
      {"streak(n > 1 of this over 1d)", "int"},
      {"first(this over 1d)", "own event of debit?"},
      {"last(mcc of txn over 1d)", "string?"},
      {"last(undo over 1d).result ?? \"\"", "string"},
      {"count(nothing over 1d)", "E038"},
      {"count(submission over 1d)", "E040 E040"},
      {"sum(count(this over 1h) of this over 1d)", "E045"},
      {"count(this where has(merchants[mcc]) over 1d)", "E045"},
      {"sum(amount of txn where amount >= d.amount and occurred_at >= d.occurred_at over 1d)", "money"},
      {"count(txn where n > 1 over 1d)", "int"},
      {"count(txn where stauts == approved over 1d)", "E020"},
      {"last(this where before.x over 1d)", "E020"},
      {"count(this where has(before) and before.n > 3 over 1d)", "int"},
  };
  expect_types(rows);
}

}  // namespace
}  // namespace tillwatch::rules
