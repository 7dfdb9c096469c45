// A value of the rule language at run time: 16 bytes, trivially copyable, not owning. Its static type (rules/language/type.h)
// is known to whoever compiled the expression; the kind here serves checks, encoding and printing.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace tillwatch {

enum class ValueKind : uint8_t {
  missing,
  boolean,   // i: 0 or 1
  integer,   // i
  decimal,   // i: billionths (fixed point, 9 digits; range +-9.2e9)
  money,     // i: minor units; aux: ISO 4217 numeric currency (156 = CNY); 0 = a zero that fits any currency
  string,    // bytes, size
  symbol,    // i: ordinal in its enum
  time,      // i: ms since the epoch, UTC
  duration,  // i: ms
  geo,       // lat_e7, lon_e7; aux: CoordinateSystem; size: accuracy in decimetres, kUnknownAccuracy if not known
  list,      // bytes: a list of strings, see ListView in row.h
  tariff,    // bytes: see rules/tariff.h
  row,       // bytes: an encoded row (row.h) whose layout is known statically
};

enum class CoordinateSystem : uint16_t { wgs84 = 0, gcj02 = 1 };

struct Value {
  static constexpr int64_t kDecimalOne = 1'000'000'000;
  static constexpr uint32_t kUnknownAccuracy = 0xffffffff;

  ValueKind kind = ValueKind::missing;
  uint16_t aux = 0;
  uint32_t size = 0;
  union {
    int64_t i = 0;
    const char* bytes;
    struct {
      int32_t lat_e7;
      int32_t lon_e7;
    };
  };

  bool missing() const { return kind == ValueKind::missing; }
  bool truth() const { return i != 0; }
  std::string_view text() const { return {bytes, size}; }

  static Value of_bool(bool value) { return scalar(ValueKind::boolean, value ? 1 : 0); }
  static Value of_int(int64_t value) { return scalar(ValueKind::integer, value); }
  static Value of_decimal_billionths(int64_t value) { return scalar(ValueKind::decimal, value); }
  static Value of_money(int64_t minor, uint16_t currency) {
    Value value = scalar(ValueKind::money, minor);
    value.aux = currency;
    return value;
  }
  static Value of_symbol(int64_t ordinal) { return scalar(ValueKind::symbol, ordinal); }
  static Value of_time(int64_t ms) { return scalar(ValueKind::time, ms); }
  static Value of_duration(int64_t ms) { return scalar(ValueKind::duration, ms); }
  static Value of_text(std::string_view text) { return of_bytes(ValueKind::string, text); }
  static Value of_bytes(ValueKind kind, std::string_view bytes) {
    Value value;
    value.kind = kind;
    value.size = static_cast<uint32_t>(bytes.size());
    value.bytes = bytes.data();
    return value;
  }
  static Value of_geo(int32_t lat_e7, int32_t lon_e7, CoordinateSystem system, uint32_t accuracy_dm) {
    Value value;
    value.kind = ValueKind::geo;
    value.aux = static_cast<uint16_t>(system);
    value.size = accuracy_dm;
    value.lat_e7 = lat_e7;
    value.lon_e7 = lon_e7;
    return value;
  }

 private:
  static Value scalar(ValueKind kind, int64_t i) {
    Value value;
    value.kind = kind;
    value.i = i;
    return value;
  }
};
static_assert(sizeof(Value) == 16 && std::is_trivially_copyable_v<Value>);

inline bool holds_bytes(ValueKind kind) {
  return kind == ValueKind::string || kind == ValueKind::list || kind == ValueKind::tariff || kind == ValueKind::row;
}

// Equality as the language's `==` sees it: same kind and content. Missing equals nothing (the checker keeps it away).
bool equal(const Value& a, const Value& b);
// Byte-wise for strings, numeric otherwise; -1, 0, 1. Kinds must be the same and ordered.
int compare(const Value& a, const Value& b);

}  // namespace tillwatch
