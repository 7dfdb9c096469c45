// The static types of the rule language.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/value.h"

namespace tillwatch::rules {

enum class Kind : uint8_t {
  boolean, integer, decimal, money, string, symbol, time, duration, geo,
  list,    // of strings (list(string)); also the type of `lists.NAME`
  tariff,  // the fee products of a contract
  row,     // a version of a row of table `ref`
  event,   // an event of stream `ref`
};

struct Type {
  Kind kind = Kind::boolean;
  bool optional = false;    // T?: the value may be missing
  bool pii = false;         // masked wherever it could be read
  bool with_facts = false;  // event, row: of the rule's own triggers; the facts follow the fields
  int32_t ref = -1;         // symbol: index into Schema::enums; row: into tables; event: into streams
  bool operator==(const Type&) const = default;
};

// `ref` of a declaration that has a mistake of its own: what follows from it is not reported. Never in a usable bundle.
inline constexpr int32_t kBroken = -2;

inline Type required(Type type) { type.optional = false; return type; }
inline Type optional(Type type) { type.optional = true; return type; }

inline ValueKind value_kind(Kind kind) {
  switch (kind) {
    case Kind::boolean: return ValueKind::boolean;
    case Kind::integer: return ValueKind::integer;
    case Kind::decimal: return ValueKind::decimal;
    case Kind::money: return ValueKind::money;
    case Kind::string: return ValueKind::string;
    case Kind::symbol: return ValueKind::symbol;
    case Kind::time: return ValueKind::time;
    case Kind::duration: return ValueKind::duration;
    case Kind::geo: return ValueKind::geo;
    case Kind::list: return ValueKind::list;
    case Kind::tariff: return ValueKind::tariff;
    case Kind::row:
    case Kind::event: return ValueKind::row;
  }
  return ValueKind::missing;
}

}  // namespace tillwatch::rules
