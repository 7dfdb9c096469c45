#include "rules/program/show.h"

#include <gtest/gtest.h>

#include "rules/program/currency.h"
#include "tests/rules/expression_trees.h"

namespace tillwatch::rules {
namespace {

using namespace trees;
using Format = Template::Format;

constexpr int64_t kOne = Value::kDecimalOne;

std::string shown(const Value& value, Format format = Format::plain, Type type = {}) {
  return show(value, format, type, nullptr, 8 * kHour);
}

TEST(ShowTest, Money) {
  EXPECT_EQ(shown(Value::of_money(12'850, 156)), "128.50 CNY");
  EXPECT_EQ(shown(Value::of_money(123'456, 156), Format::money), "1,234.56 CNY");
  EXPECT_EQ(shown(Value::of_money(-123'456'789'01, 840)), "-123,456,789.01 USD");
  EXPECT_EQ(shown(Value::of_money(1'500, 392)), "1,500 JPY");
  EXPECT_EQ(shown(Value::of_money(1'500, 414)), "1.500 KWD");
  EXPECT_EQ(shown(Value::of_money(5, 0)), "0.05");
  EXPECT_EQ(shown(Value::of_money(-5, 156)), "-0.05 CNY");
  EXPECT_EQ(shown(Value::of_money(5, 7)), "0.05 007");  // no such currency
  EXPECT_EQ(shown(Value::of_int(12'345), Format::money), "123.45");
  EXPECT_EQ(shown(Value::of_money(INT64_MIN, 156)), "-92,233,720,368,547,758.08 CNY");
}

TEST(ShowTest, Shares) {
  EXPECT_EQ(shown(Value::of_decimal_billionths(32'000'000), Format::percent), "3.2 %");
  EXPECT_EQ(shown(Value::of_decimal_billionths(6'000'000), Format::bp), "60 bp");
  EXPECT_EQ(shown(Value::of_decimal_billionths(325'000), Format::bp), "3.25 bp");
  EXPECT_EQ(shown(Value::of_decimal_billionths(kOne / 3), Format::percent), "33.33 %");
  EXPECT_EQ(shown(Value::of_decimal_billionths(2 * kOne / 3), Format::percent), "66.67 %");
  EXPECT_EQ(shown(Value::of_decimal_billionths(-50'000), Format::bp), "-0.5 bp");
  EXPECT_EQ(shown(Value::of_decimal_billionths(0), Format::percent), "0 %");
  EXPECT_EQ(shown(Value::of_int(1), Format::percent), "100 %");
  EXPECT_FALSE(shown(Value::of_int(INT64_MIN), Format::bp).empty());
}

TEST(ShowTest, TimesAndDurations) {
  EXPECT_EQ(shown(Value::of_time(1'795'321'805'120)), "2026-11-22 12:30:05");
  EXPECT_EQ(show(Value::of_time(1'795'321'805'120), Format::time, {}, nullptr, 0), "2026-11-22 04:30:05");
  EXPECT_EQ(shown(Value::of_time(-1)), "1970-01-01 07:59:59");
  EXPECT_EQ(show(Value::of_time(-1), Format::time, {}, nullptr, 0), "1969-12-31 23:59:59");
  EXPECT_FALSE(shown(Value::of_time(INT64_MAX)).empty());
  EXPECT_FALSE(shown(Value::of_time(INT64_MIN)).empty());
  EXPECT_EQ(shown(Value::of_duration(125'000), Format::duration), "2m 5s");
}

TEST(ShowTest, OtherKinds) {
  EXPECT_EQ(shown(Value{}), "?");
  EXPECT_EQ(shown(Value::of_bool(false)), "false");
  EXPECT_EQ(shown(Value::of_int(-3)), "-3");
  EXPECT_EQ(shown(Value::of_decimal_billionths(kOne / 4)), "0.25");
  EXPECT_EQ(shown(Value::of_text("小店")), "小店");
  const EnumType status{{"approved", "unknown"}};
  EXPECT_EQ(show(Value::of_symbol(0), Format::plain, {}, &status, 0), "approved");
  EXPECT_EQ(show(Value::of_symbol(9), Format::plain, {}, &status, 0), "unknown");
  EXPECT_EQ(shown(Value::of_geo(231'291'000, 1'132'644'000, CoordinateSystem::wgs84, 0)), "23.12910,113.26440");
  std::string list;
  const std::string_view items[] = {"sms", "app_push"};
  ListView::encode(items, list);
  EXPECT_EQ(shown(Value::of_bytes(ValueKind::list, list)), "sms, app_push");
}

TEST(ShowTest, PersonalTextIsMasked) {
  const Type pii{.kind = Kind::string, .pii = true};
  EXPECT_EQ(shown(Value::of_text("13812345678"), Format::plain, pii), "****5678");
  EXPECT_EQ(shown(Value::of_text("6228481234567890"), Format::plain, pii), "****7890");
  EXPECT_EQ(shown(Value::of_text("622848******1234"), Format::plain, pii), "622848******1234");
  EXPECT_EQ(shown(Value::of_text("138****1234"), Format::plain, pii), "138****1234");
  EXPECT_EQ(shown(Value::of_text("张*"), Format::plain, pii), "张*");
  EXPECT_EQ(shown(Value::of_text("张三丰"), Format::plain, pii), "****丰");
  EXPECT_EQ(shown(Value::of_text("x"), Format::plain, pii), "****");
  EXPECT_EQ(shown(Value::of_text(""), Format::plain, pii), "****");
  EXPECT_EQ(shown(Value{}, Format::plain, pii), "?");
  EXPECT_EQ(shown(Value::of_int(1'234'567'890), Format::money, {.kind = Kind::integer, .pii = true}), "****7890");
}

// A star somewhere is not a mask when the number can still be read.
TEST(ShowTest, ANumberWithAStarBesideItIsMaskedAllTheSame) {
  EXPECT_EQ(mask_personal("*6228481234567890"), "****7890");
  EXPECT_EQ(mask_personal("6228481*1234"), "****1234");
}

TEST(CurrencyTest, FoundByNumberAndCode) {
  ASSERT_NE(find_currency(uint16_t{156}), nullptr);
  EXPECT_EQ(find_currency(uint16_t{156})->code, "CNY");
  EXPECT_EQ(find_currency("CNY")->number, 156);
  EXPECT_EQ(find_currency("156")->code, "CNY");
  EXPECT_EQ(find_currency("008")->code, "ALL");
  EXPECT_EQ(find_currency("KWD")->digits, 3);
  for (const std::string_view unknown : {"", "CN", "cny", "CNYY", "999", "000", "1 6"})
    EXPECT_EQ(find_currency(unknown), nullptr) << unknown;
  EXPECT_EQ(find_currency(uint16_t{0}), nullptr);
}

TEST(TextProgramTest, RendersItsParts) {
  World world;
  world.set(Kind::money, Value::of_money(123'456, 156));
  world.set(Kind::symbol, Value::of_symbol(1));
  world.schema.streams[0].fields[static_cast<size_t>(world.index_of(Kind::string, false))].type.pii = true;
  world.set(Kind::string, Value::of_text("13812345678"));
  Template text;
  text.parts.push_back({.text = "Card "});
  text.parts.push_back({.expression = world.field(Kind::string)});
  text.parts.push_back({.text = ": "});
  text.parts.push_back({.expression = world.field(Kind::money), .format = Format::money});
  text.parts.push_back({.text = " "});
  text.parts.push_back({.expression = world.field(Kind::symbol)});
  text.parts.push_back({.text = ", "});
  text.parts.push_back({.expression = world.field(Kind::time, true), .format = Format::time});
  const TextProgram program = TextProgram::compile(text, world.schema, world.shapes, 8 * kHour);
  EXPECT_FALSE(program.empty());
  EXPECT_EQ(program.render(world.environment), "Card ****5678: 1,234.56 CNY declined, ?");
  EXPECT_TRUE(TextProgram().empty());
  EXPECT_EQ(TextProgram().render(world.environment), "");
}

}  // namespace
}  // namespace tillwatch::rules
