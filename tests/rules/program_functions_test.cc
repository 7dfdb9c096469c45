#include "rules/program/functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "rules/program/geo.h"
#include "rules/tariff.h"
#include "tests/rules/expression_trees.h"

namespace tillwatch::rules {
namespace {

using namespace trees;

constexpr int64_t kOne = Value::kDecimalOne;

TEST(FunctionsTest, EveryRowIsCompleteAndFoundByItsName) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < functions().size(); ++i) {
    const Function& row = functions()[i];
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(find_function(row.name), static_cast<int>(i));
    EXPECT_NE(row.check, nullptr);
    EXPECT_NE(row.run, nullptr);
    EXPECT_TRUE(row.signature.starts_with(std::string(row.name) + "(")) << row.signature;
    EXPECT_NE(row.signature.find(" -> "), std::string_view::npos) << row.signature;
    EXPECT_TRUE(row.doc.ends_with(".")) << row.doc;
    EXPECT_NE(row.example.find(std::string(row.name) + "("), std::string_view::npos) << row.example;
  }
  EXPECT_EQ(find_function("no_such"), -1);
  for (const std::string_view needed : {"join",     "left",  "right", "text",       "floor",      "min",       "max",
                                        "abs",      "div",   "fee",   "rate_guess", "mid_mcc",    "ends_with", "starts_with",
                                        "contains", "lower", "upper", "distance_m", "accuracy_m", "length"}) {
    EXPECT_TRUE(names.contains(needed)) << needed;
  }
}

struct Checked {
  std::string wrong;
  Type type;
  size_t bad = 99;
};
Checked check(std::string_view name, std::vector<Type> arguments) {
  Checked checked;
  checked.wrong = functions()[static_cast<size_t>(find_function(name))].check(arguments, checked.type, checked.bad);
  return checked;
}

TEST(FunctionsTest, ChecksSayWhatIsWrongWithWhichArgument) {
  const Type text{.kind = Kind::string}, number{.kind = Kind::integer}, amount{.kind = Kind::money};
  EXPECT_EQ(check("left", {text}).wrong, "takes 2 arguments, 1 given");
  EXPECT_EQ(check("left", {text}).bad, 1u);
  EXPECT_EQ(check("left", {text, text}).wrong, "needs int, this is string");
  EXPECT_EQ(check("left", {text, text}).bad, 1u);
  EXPECT_EQ(check("abs", {text}).wrong, "needs int, decimal, money or duration, this is string");
  EXPECT_EQ(check("abs", {number, number}).bad, 2u);
  EXPECT_EQ(check("max", {number}).wrong, "takes two or more arguments");
  EXPECT_EQ(check("max", {amount, {.kind = Kind::time}}).wrong, "needs money like the others, this is time");
  EXPECT_EQ(check("div", {number, amount}).wrong, "is money, by which int cannot be divided");
  EXPECT_EQ(check("div", {number, amount}).bad, 1u);
  EXPECT_EQ(check("fee", {{.kind = Kind::tariff}, amount, number, text}).bad, 2u);
  EXPECT_FALSE(check("distance_m", {text, text}).wrong.empty());
  EXPECT_FALSE(check("join", {}).wrong.empty());
}

// No combination of kinds makes a check misbehave, and what it accepts has a type that can be run.
TEST(FunctionsTest, ChecksStandAnyTypes) {
  constexpr int kKinds = static_cast<int>(Kind::event) + 1;
  for (const Function& row : functions()) {
    for (size_t count = 0; count <= 4; ++count) {
      for (int a = 0; a < kKinds; ++a) {
        for (int b = 0; b < kKinds; ++b) {
          std::vector<Type> types(count, Type{.kind = Kind::string});
          if (count > 0) types[0].kind = static_cast<Kind>(a);
          if (count > 1) types[1].kind = static_cast<Kind>(b);
          Type result;
          size_t bad = 0;
          const std::string wrong = row.check(types, result, bad);
          if (!wrong.empty()) { EXPECT_LE(bad, count) << row.name; }
        }
      }
    }
  }
}

TEST(FunctionsTest, ResultTypes) {
  const Type number{.kind = Kind::integer}, amount{.kind = Kind::money};
  EXPECT_EQ(check("div", {number, number}).type, (Type{.kind = Kind::decimal, .optional = true}));
  EXPECT_EQ(check("div", {amount, number}).type, (Type{.kind = Kind::money, .optional = true}));
  EXPECT_EQ(check("max", {number, amount}).type, amount);
  EXPECT_EQ(check("min", {{.kind = Kind::decimal}, number}).type, (Type{.kind = Kind::decimal}));
  EXPECT_TRUE(check("right", {{.kind = Kind::string, .pii = true}, number}).type.pii);
  EXPECT_TRUE(check("join", {number, {.kind = Kind::string, .pii = true}}).type.pii);
  EXPECT_FALSE(check("length", {{.kind = Kind::string, .pii = true}}).type.pii);
}

class RunTest : public testing::Test {
 protected:
  Value run(std::string_view name, std::vector<Value> arguments) {
    error = EvalError::none;
    return functions()[static_cast<size_t>(find_function(name))].run(arguments, arena, error);
  }
  std::string text(std::string_view name, std::vector<Value> arguments) {
    return std::string(run(name, std::move(arguments)).text());
  }
  Arena arena;
  EvalError error = EvalError::none;
};

Value of(std::string_view text) { return Value::of_text(text); }
Value of(int number) { return Value::of_int(number); }

TEST_F(RunTest, JoinNeverMakesTwoListsOfPartsTheSame) {
  EXPECT_EQ(text("join", {of("M1"), of("T1"), of(7)}), "M1|T1|7");
  EXPECT_EQ(text("join", {of("a|b"), of("c\\")}), "a\\|b|c\\\\");
  const std::vector<std::string> pieces = {"", "|", "\\", "a", "a|", "|a", "\\|", "||"};
  std::set<std::string> joined;
  size_t lists = 0;
  for (const std::string& a : pieces) {
    for (const std::string& b : pieces) {
      for (const std::string& c : pieces) {
        joined.insert(text("join", {of(a), of(b), of(c)}));
        ++lists;
      }
      joined.insert(text("join", {of(a), of(b)}));
      ++lists;
    }
    joined.insert(text("join", {of(a)}));
    ++lists;
  }
  EXPECT_EQ(joined.size(), lists);
}

TEST_F(RunTest, TextIsExact) {
  EXPECT_EQ(text("text", {of("as it is")}), "as it is");
  EXPECT_EQ(text("text", {of(-128)}), "-128");
  EXPECT_EQ(text("text", {Value::of_bool(true)}), "true");
  EXPECT_EQ(text("text", {Value::of_decimal_billionths(-kOne / 2)}), "-0.5");
  EXPECT_EQ(text("text", {Value::of_decimal_billionths(7 * kOne)}), "7");
  EXPECT_EQ(text("text", {Value::of_decimal_billionths(1)}), "0.000000001");
  EXPECT_EQ(text("text", {Value::of_money(1'234'550, 156)}), "12345.50 CNY");
  EXPECT_EQ(text("text", {Value::of_money(1'234'550, 392)}), "1234550 JPY");
  EXPECT_EQ(text("text", {Value::of_time(1'795'321'805'120)}), "2026-11-22T04:30:05.120Z");
  EXPECT_EQ(text("text", {Value::of_duration(90'000)}), "90s");
  EXPECT_EQ(text("text", {Value::of_duration(0)}), "0s");
  EXPECT_EQ(text("text", {Value::of_duration(-250)}), "-250ms");
  EXPECT_EQ(text("text", {Value::of_duration(30 * kDay)}), "30d");
}

TEST_F(RunTest, CutsCountCharactersNotBytes) {
  EXPECT_EQ(text("left", {of("跳码ab"), of(3)}), "跳码a");
  EXPECT_EQ(text("right", {of("跳码ab"), of(3)}), "码ab");
  for (const char* name : {"left", "right"}) {
    EXPECT_EQ(text(name, {of("ab"), of(9)}), "ab");
    EXPECT_EQ(text(name, {of("ab"), of(0)}), "");
    EXPECT_EQ(text(name, {of("ab"), of(-1)}), "");
    EXPECT_EQ(text(name, {of(""), of(2)}), "");
    EXPECT_LE(text(name, {of("\x80\xff\xbf broken"), Value::of_int(INT64_MAX)}).size(), 10u);
    EXPECT_EQ(text(name, {of("ab"), Value::of_int(INT64_MIN)}), "");
  }
  EXPECT_EQ(run("length", {of("跳码ab")}).i, 4);
  EXPECT_EQ(text("lower", {of("ÄB跳Z[@`")}), "Äb跳z[@`");
  EXPECT_EQ(text("upper", {of("äb跳z{@`")}), "äB跳Z{@`");
}

TEST_F(RunTest, Searches) {
  EXPECT_TRUE(run("contains", {of("abc"), of("")}).truth());
  EXPECT_TRUE(run("contains", {of("abc"), of("bc")}).truth());
  EXPECT_FALSE(run("contains", {of("abc"), of("ca")}).truth());
  EXPECT_TRUE(run("starts_with", {of("abc"), of("ab")}).truth());
  EXPECT_FALSE(run("starts_with", {of("a"), of("ab")}).truth());
  EXPECT_TRUE(run("ends_with", {of("abc"), of("bc")}).truth());
  EXPECT_FALSE(run("ends_with", {of("abc"), of("ab")}).truth());
}

TEST_F(RunTest, Numbers) {
  EXPECT_EQ(run("floor", {Value::of_decimal_billionths(7 * kOne / 2)}).i, 3);
  EXPECT_EQ(run("floor", {Value::of_decimal_billionths(-7 * kOne / 2)}).i, -4);
  EXPECT_EQ(run("floor", {Value::of_decimal_billionths(-3 * kOne)}).i, -3);
  EXPECT_EQ(run("floor", {Value::of_decimal_billionths(INT64_MIN)}).i, -9'223'372'037);
  EXPECT_EQ(run("abs", {Value::of_money(-5, 156)}).i, 5);
  EXPECT_EQ(run("abs", {Value::of_money(-5, 156)}).aux, 156);
  run("abs", {Value::of_int(INT64_MIN)});
  EXPECT_EQ(static_cast<int>(error), static_cast<int>(EvalError::overflow));
  EXPECT_TRUE(run("div", {of(1), of(0)}).missing());
  EXPECT_EQ(static_cast<int>(error), static_cast<int>(EvalError::none));
  EXPECT_EQ(run("div", {of(1), of(8)}).i, kOne / 8);
  EXPECT_EQ(run("div", {Value::of_money(10, 156), of(4)}).i, 3);
  run("div", {Value::of_money(1, 156), Value::of_money(1, 840)});
  EXPECT_EQ(static_cast<int>(error), static_cast<int>(EvalError::currency_mismatch));
}

TEST_F(RunTest, Extremes) {
  EXPECT_EQ(run("max", {of(1), of(3), of(2)}).i, 3);
  EXPECT_EQ(run("min", {of(2), of(1), of(3)}).i, 1);
  EXPECT_EQ(run("max", {of(1), Value::of_decimal_billionths(kOne / 2)}).i, kOne);
  const Value zero = run("max", {Value::of_money(-5, 156), of(0)});
  EXPECT_EQ(static_cast<int>(zero.kind), static_cast<int>(ValueKind::money));
  EXPECT_EQ(zero.i, 0);
  EXPECT_EQ(zero.aux, 156);
  EXPECT_EQ(run("min", {of(0), Value::of_money(5, 156), Value::of_money(7, 156)}).aux, 156);
  run("max", {Value::of_money(1, 156), of(0), Value::of_money(1, 840)});
  EXPECT_EQ(static_cast<int>(error), static_cast<int>(EvalError::currency_mismatch));
}

TEST_F(RunTest, TheMccInsideAMerchantId) {
  const auto mcc = [&](std::string_view id) {
    const Value value = run("mid_mcc", {of(id)});
    return value.missing() ? std::string("missing") : std::string(value.text());
  };
  EXPECT_EQ(mcc("990581058120001"), "5812");
  EXPECT_EQ(mcc("102581083986056"), "8398");
  EXPECT_EQ(mcc("88758D758123037"), "5812");  // a published id with a letter in its region
  EXPECT_EQ(mcc("99058105812A0B1"), "5812");
  EXPECT_EQ(mcc("99058105A120001"), "missing");
  EXPECT_EQ(mcc("A90581058120001"), "missing");
  EXPECT_EQ(mcc("990581000000001"), "missing");
  EXPECT_EQ(mcc("99058105812000"), "missing");
  EXPECT_EQ(mcc("9905810581200012"), "missing");
  EXPECT_EQ(mcc("990 58105812001"), "missing");
  EXPECT_EQ(mcc(""), "missing");
}

TEST_F(RunTest, FeesFromATariff) {
  const TariffProduct product{.card_type = "credit", .rate_ppm = 6'000};
  const std::string tariff = encode_tariff({&product, 1});
  const Value products = Value::of_bytes(ValueKind::tariff, tariff);
  const Value fee = run("fee", {products, Value::of_money(12'850, 156), of("credit"), of("card_chip")});
  EXPECT_EQ(fee.i, 77);
  EXPECT_EQ(fee.aux, 156);
  EXPECT_TRUE(run("fee", {products, Value::of_money(12'850, 156), of("debit"), of("card_chip")}).missing());
  EXPECT_EQ(text("rate_guess", {Value::of_money(3'058'000, 156), Value::of_money(91'734, 156)}), "299 bp + 3.00");
}

Value place(double latitude, double longitude, CoordinateSystem system = CoordinateSystem::wgs84, uint32_t accuracy_dm = 200) {
  return Value::of_geo(static_cast<int32_t>(std::lround(latitude * 1e7)), static_cast<int32_t>(std::lround(longitude * 1e7)),
                       system, accuracy_dm);
}

TEST_F(RunTest, Distances) {
  const auto metres = [&](const Value& a, const Value& b) { return static_cast<double>(run("distance_m", {a, b}).i) / kOne; };
  EXPECT_EQ(metres(place(23.1291, 113.2644), place(23.1291, 113.2644)), 0);
  // Guangzhou to Shanghai: 1,214 km by the ellipsoid
  EXPECT_NEAR(metres(place(23.1291, 113.2644), place(31.2304, 121.4737)), 1'214'000, 6'000);
  EXPECT_NEAR(metres(place(0, 0), place(0, 180)), 20'015'115, 1);
  EXPECT_NEAR(metres(place(90, 0), place(-90, 0)), 20'015'115, 1);
  EXPECT_EQ(run("accuracy_m", {place(0, 0)}).i, 20 * kOne);
  EXPECT_TRUE(run("accuracy_m", {place(0, 0, CoordinateSystem::wgs84, Value::kUnknownAccuracy)}).missing());
}

// E36: registered in GCJ-02, seen in WGS-84: the same shop, hundreds of metres apart by the numbers alone.
TEST_F(RunTest, ASharedPlaceInTwoSystemsIsOnePlace) {
  const Position shop{.latitude = 23.1291, .longitude = 113.2644};
  const Position on_map = gcj02_of_wgs84(shop);
  const double apart = distance_m(shop, on_map);
  EXPECT_GT(apart, 300);
  EXPECT_LT(apart, 800);
  const Value metres = run(
      "distance_m", {place(shop.latitude, shop.longitude), place(on_map.latitude, on_map.longitude, CoordinateSystem::gcj02)});
  EXPECT_LT(static_cast<double>(metres.i) / kOne, 0.05);
}

// Published pairs of the conversion (Tiananmen and Shanghai), to its own precision.
TEST(GeoTest, AgreesWithThePublishedConversion) {
  const Position tiananmen = gcj02_of_wgs84({.latitude = 39.915, .longitude = 116.404});
  EXPECT_NEAR(tiananmen.latitude, 39.91640428150164, 1e-9);
  EXPECT_NEAR(tiananmen.longitude, 116.41024449916938, 1e-9);
}

TEST(GeoTest, TheWayBackIsWithinACentimetre) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> latitude(1.0, 55.7), longitude(72.2, 137.7);
  double worst_m = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Position place{.latitude = latitude(random), .longitude = longitude(random)};
    worst_m = std::max(worst_m, distance_m(place, wgs84_of_gcj02(gcj02_of_wgs84(place))));
  }
  EXPECT_LT(worst_m, 0.01);
}

TEST(GeoTest, OutsideTheBoxNothingMoves) {
  const Position paris{.latitude = 48.8566, .longitude = 2.3522};
  EXPECT_EQ(gcj02_of_wgs84(paris).latitude, paris.latitude);
  EXPECT_EQ(wgs84_of_gcj02(paris).longitude, paris.longitude);
}

}  // namespace
}  // namespace tillwatch::rules
