#include "engine/base/row.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>
#include <set>

#include "engine/base/value.h"

namespace tillwatch {
namespace {

// One field of every kind a row can hold, in the order of ValueKind.
std::vector<ValueKind> every_kind() {
  std::vector<ValueKind> kinds;
  for (int kind = 1; kind <= static_cast<int>(ValueKind::row); ++kind) kinds.push_back(static_cast<ValueKind>(kind));
  return kinds;
}

std::vector<Value> every_value() {
  return {Value::of_bool(true),
          Value::of_int(std::numeric_limits<int64_t>::min()),
          Value::of_decimal_billionths(-1),
          Value::of_money(-128'50, 156),
          Value::of_text("尾号1234"),
          Value::of_symbol(299),
          Value::of_time(1'700'000'000'123),
          Value::of_duration(-90'000),
          Value::of_geo(-900'000'000, 1'800'000'000, CoordinateSystem::gcj02, 200),
          Value::of_bytes(ValueKind::list, {"\0\0\0\0", 4}),
          Value::of_bytes(ValueKind::tariff, {"\1\0", 2}),
          Value::of_bytes(ValueKind::row, "row")};
}

// Equality of everything a value carries, which equal() is more lenient about.
void expect_same(const Value& a, const Value& b) {
  ASSERT_EQ(static_cast<int>(a.kind), static_cast<int>(b.kind));
  if (a.missing()) return;
  if (holds_bytes(a.kind)) {
    EXPECT_EQ(a.text(), b.text());
    return;
  }
  EXPECT_EQ(a.i, b.i);
  EXPECT_EQ(a.aux, b.aux);
  EXPECT_EQ(a.size, b.size);
}

TEST(RowTest, EveryKindComesBackAsItWas) {
  const RowLayout layout(every_kind());
  const std::vector<Value> values = every_value();
  ASSERT_EQ(values.size(), layout.size());
  std::string row;
  layout.encode(values, row);
  EXPECT_TRUE(layout.valid(row));
  for (size_t field = 0; field < values.size(); ++field) {
    SCOPED_TRACE(field);
    EXPECT_TRUE(layout.has(row.data(), field));
    expect_same(layout.get(row.data(), field), values[field]);
  }
}

TEST(RowTest, MissingFieldsStayMissing) {
  const RowLayout layout(every_kind());
  const std::vector<Value> all = every_value();
  for (size_t present = 0; present < all.size(); ++present) {
    std::vector<Value> values(all.size());
    values[present] = all[present];
    std::string row;
    layout.encode(values, row);
    EXPECT_TRUE(layout.valid(row));
    for (size_t field = 0; field < values.size(); ++field) expect_same(layout.get(row.data(), field), values[field]);
  }
}

TEST(RowTest, EncodesBehindWhatIsThere) {
  const RowLayout layout({ValueKind::string, ValueKind::integer});
  std::string out = "before";
  const std::array<Value, 2> values = {Value::of_text("text"), Value::of_int(7)};
  layout.encode(values, out);
  EXPECT_EQ(out.substr(0, 6), "before");
  EXPECT_EQ(layout.get(out.data() + 6, 0).text(), "text");
  EXPECT_EQ(layout.get(out.data() + 6, 1).i, 7);
  EXPECT_TRUE(layout.valid(std::string_view(out).substr(6)));
}

TEST(RowTest, EmptyTextIsPresentAndNotMissing) {
  const RowLayout layout({ValueKind::string});
  std::string row;
  const Value empty = Value::of_text("");
  layout.encode({&empty, 1}, row);
  EXPECT_TRUE(layout.valid(row));
  EXPECT_FALSE(layout.get(row.data(), 0).missing());
  EXPECT_EQ(layout.get(row.data(), 0).size, 0u);
}

TEST(RowTest, ALayoutWithoutFieldsHasAnEmptyRow) {
  const RowLayout layout(std::vector<ValueKind>{});
  std::string row;
  layout.encode({}, row);
  EXPECT_EQ(row, "");
  EXPECT_TRUE(layout.valid(row));
  EXPECT_EQ(layout.size(), 0u);
}

TEST(RowTest, PresenceBitsBeyondTheFirstByte) {
  const RowLayout layout(std::vector<ValueKind>(19, ValueKind::integer));
  std::vector<Value> values(19);
  for (size_t field = 0; field < values.size(); field += 3) values[field] = Value::of_int(static_cast<int64_t>(field));
  std::string row;
  layout.encode(values, row);
  EXPECT_EQ(row.size(), 3 + 19 * 8u);
  for (size_t field = 0; field < values.size(); ++field) expect_same(layout.get(row.data(), field), values[field]);
}

TEST(RowTest, EqualValuesMakeEqualBytes) {
  const RowLayout layout(every_kind());
  std::string a, b;
  layout.encode(every_value(), a);
  layout.encode(every_value(), b);
  EXPECT_EQ(a, b);
}

TEST(RowTest, CutAndTurnedRowsAreSeen) {
  const RowLayout layout(every_kind());
  std::string good;
  layout.encode(every_value(), good);
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(layout.valid(std::string(good, 0, size))) << size;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] = static_cast<char>(random());
    const std::string exact(bytes);  // an own allocation, so that a sanitizer sees a read beyond it
    if (!layout.valid(exact)) continue;
    size_t sum = 0;
    for (size_t field = 0; field < layout.size(); ++field) {
      const Value value = layout.get(exact.data(), field);
      if (!value.missing() && holds_bytes(value.kind)) {
        for (const char c : value.text()) sum += static_cast<unsigned char>(c);
      }
    }
    EXPECT_LT(sum, exact.size() * 256 * layout.size());
  }
}

TEST(RowTest, ProjectionPicksFieldsAndLeavesTheRestMissing) {
  const RowLayout from({ValueKind::integer, ValueKind::string, ValueKind::money, ValueKind::string});
  const std::array<Value, 4> values = {Value::of_int(1), Value::of_text("M1"), Value::of_money(5, 156), Value{}};
  std::string row;
  from.encode(values, row);
  const RowLayout to({ValueKind::string, ValueKind::integer, ValueKind::string, ValueKind::boolean});
  const std::array<int, 3> positions = {1, 0, 3};
  std::string projected = "x";
  to.project(from, row.data(), positions, projected);
  const char* at = projected.data() + 1;
  EXPECT_TRUE(to.valid(std::string_view(projected).substr(1)));
  EXPECT_EQ(to.get(at, 0).text(), "M1");
  EXPECT_EQ(to.get(at, 1).i, 1);
  EXPECT_FALSE(to.has(at, 2));
  EXPECT_FALSE(to.has(at, 3));
}

TEST(RowTest, ProjectionOfManyFields) {
  constexpr int kFields = 100;
  const RowLayout layout(std::vector<ValueKind>(kFields, ValueKind::integer));
  std::vector<Value> values;
  std::vector<int> backwards;
  for (int i = 0; i < kFields; ++i) {
    values.push_back(Value::of_int(i));
    backwards.push_back(kFields - 1 - i);
  }
  std::string row, projected;
  layout.encode(values, row);
  layout.project(layout, row.data(), backwards, projected);
  for (int i = 0; i < kFields; ++i) EXPECT_EQ(layout.get(projected.data(), static_cast<size_t>(i)).i, kFields - 1 - i);
}

TEST(ListViewTest, KeepsItsItems) {
  std::string bytes;
  const std::array<std::string_view, 4> items = {"sms", "", "推送", {"a\0b", 3}};
  ListView::encode(items, bytes);
  const ListView list(bytes);
  EXPECT_EQ(list.count(), 4u);
  EXPECT_EQ(list.items(), std::vector<std::string_view>(items.begin(), items.end()));
  for (const std::string_view item : items) EXPECT_TRUE(list.contains(item));
  EXPECT_FALSE(list.contains("sm"));
  EXPECT_FALSE(list.contains("a"));
}

TEST(ListViewTest, EmptyListsAndNoBytes) {
  std::string bytes;
  ListView::encode({}, bytes);
  EXPECT_EQ(ListView(bytes).count(), 0u);
  EXPECT_TRUE(ListView(bytes).items().empty());
  EXPECT_EQ(ListView("").count(), 0u);
  EXPECT_FALSE(ListView("").contains(""));
  EXPECT_FALSE(ListView("\x01").contains(""));
}

TEST(ListViewTest, ACountThatLiesReadsNothingBeyondTheBytes) {
  std::string good;
  const std::array<std::string_view, 2> items = {"abc", "defg"};
  ListView::encode(items, good);
  for (size_t size = 0; size <= good.size(); ++size) {
    const std::string cut(good, 0, size);
    EXPECT_LE(ListView(cut).items().size(), 2u);
    EXPECT_FALSE(ListView(cut).contains("nothing"));
  }
  const std::string lying("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
  EXPECT_TRUE(ListView(lying).items().empty());
}

std::string key_of(std::initializer_list<Value> values) {
  std::string out;
  append_key(std::span(values.begin(), values.size()), out);
  return out;
}

TEST(KeyTest, DifferentKeysNeverCollide) {
  const std::vector<std::string> keys = {
      key_of({}),
      key_of({Value{}}),
      key_of({Value{}, Value{}}),
      key_of({Value::of_text("")}),
      key_of({Value::of_text("ab"), Value::of_text("c")}),
      key_of({Value::of_text("a"), Value::of_text("bc")}),
      key_of({Value::of_text("abc")}),
      key_of({Value::of_text("abc"), Value::of_text("")}),
      key_of({Value::of_int(1)}),
      key_of({Value::of_bool(true)}),
      key_of({Value::of_symbol(1)}),
      key_of({Value::of_time(1)}),
      key_of({Value::of_duration(1)}),
      key_of({Value::of_decimal_billionths(1)}),
      key_of({Value::of_money(1, 156)}),
      key_of({Value::of_money(1, 840)}),
      key_of({Value::of_int(256)}),
  };
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
  EXPECT_EQ(key_of({Value::of_text("a"), Value::of_money(5, 156)}), key_of({Value::of_text("a"), Value::of_money(5, 156)}));
}

TEST(KeyTest, TheSameNumbersInTwoCoordinateSystemsAreTwoPlaces) {
  const Value gps = Value::of_geo(231'291'000, 1'132'644'000, CoordinateSystem::wgs84, 200);
  Value map = gps;
  map.aux = static_cast<uint16_t>(CoordinateSystem::gcj02);
  EXPECT_NE(key_of({gps}), key_of({map}));
  EXPECT_FALSE(equal(gps, map));
}

TEST(ValueTest, EqualityIsOfKindAndContent) {
  EXPECT_TRUE(equal(Value::of_text("a"), Value::of_text(std::string("a"))));
  EXPECT_FALSE(equal(Value::of_text("a"), Value::of_text("b")));
  EXPECT_FALSE(equal(Value::of_int(1), Value::of_time(1)));
  EXPECT_FALSE(equal(Value::of_int(1), Value::of_int(2)));
  EXPECT_FALSE(equal(Value{}, Value{}));
  EXPECT_TRUE(equal(Value::of_money(5, 156), Value::of_money(5, 156)));
  EXPECT_FALSE(equal(Value::of_money(5, 156), Value::of_money(5, 840)));
  EXPECT_TRUE(equal(Value::of_money(0, 0), Value::of_money(0, 156)));
  EXPECT_FALSE(equal(Value::of_money(5, 156), Value::of_money(6, 156)));
}

TEST(ValueTest, OrderIsNumericAndBytewise) {
  EXPECT_EQ(compare(Value::of_int(-1), Value::of_int(1)), -1);
  EXPECT_EQ(compare(Value::of_int(std::numeric_limits<int64_t>::min()), Value::of_int(std::numeric_limits<int64_t>::max())),
            -1);
  EXPECT_EQ(compare(Value::of_money(3, 156), Value::of_money(2, 156)), 1);
  EXPECT_EQ(compare(Value::of_text("a"), Value::of_text("a")), 0);
  EXPECT_EQ(compare(Value::of_text("0742"), Value::of_text("5812")), -1);
  EXPECT_EQ(compare(Value::of_text("a"), Value::of_text("ab")), -1);
  EXPECT_EQ(compare(Value::of_text("\x7f"), Value::of_text("\x80")), -1);
}

}  // namespace
}  // namespace tillwatch
