#include "engine/slot_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/mask.h"
#include "engine/base/status.h"
#include "engine/json_scalar.h"
#include "rules/program/currency.h"

namespace tillwatch::engine {
namespace {

using rules::Kind;

constexpr size_t kFewestCardDigits = 13;
constexpr int64_t kLeastCardNumber = 1'000'000'000'000;
constexpr size_t kShownBytes = 40;                        // of a wrong value in a message
constexpr TimeMs kFirstTime = -62'167'219'200'000;        // 0000-01-01T00:00:00Z, the range RFC 3339 can write
constexpr TimeMs kLastTime = 253'402'300'799'999;         // 9999-12-31T23:59:59.999Z
constexpr TimeMs kFirstPlausibleEvent = 100'000'000'000;  // 1973 as milliseconds; seconds of this century are below it

// Parts of a geo value, which is put together in its slot; the kind is set at the end.
constexpr uint8_t kLatitude = 1;
constexpr uint8_t kLongitude = 2;
constexpr uint8_t kAccuracy = 4;
constexpr uint8_t kUnknownSystem = 8;

std::string shown(std::string_view token) { return masked_excerpt(token, kShownBytes); }

bool is_whole(const DecodeTarget& target) {
  return target.kind == Kind::integer || target.kind == Kind::time || target.kind == Kind::duration ||
         target.part == FieldPart::money_minor;
}

bool is_decimal(const DecodeTarget& target) {
  return target.kind == Kind::decimal || (target.kind == Kind::geo && target.part != FieldPart::geo_system);
}

bool is_within(int64_t billionths, int64_t limit) {
  return billionths >= -limit * Value::kDecimalOne && billionths <= limit * Value::kDecimalOne;
}

int64_t divide_rounding(int64_t value, int64_t unit) { return (value + (value < 0 ? -unit : unit) / 2) / unit; }

}  // namespace

std::string_view SlotWriter::name_of(const DecodeNode& node) const {
  return node.targets.empty() ? std::string_view(node.path) : name_of(node.targets.front());
}

std::string_view SlotWriter::wanted_by(const DecodeTarget& target) {
  switch (target.kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "a whole number";
    case Kind::decimal:
      return "a number";
    case Kind::money:
      return target.part == FieldPart::money_currency ? R"(an ISO 4217 code such as "CNY")" : "a whole number of minor units";
    case Kind::time:
      return "a time";
    case Kind::duration:
      return R"(milliseconds or text such as "90s")";
    case Kind::list:
      return "an array of strings";
    case Kind::tariff:
      return "an array of fee products";
    case Kind::geo:
      switch (target.part) {
        case FieldPart::geo_latitude:
          return "a latitude from -90 to 90";
        case FieldPart::geo_longitude:
          return "a longitude from -180 to 180";
        case FieldPart::geo_accuracy:
          return "an accuracy in metres";
        default:
          return R"(a coordinate system, "WGS84" or "GCJ02",)";
      }
    default:
      return "a string";
  }
}

// --- faults

bool SlotWriter::fail(DecodeFault fault, std::string_view field, std::string detail) {
  result_.fault = fault;
  result_.field = field;
  result_.detail = std::move(detail);
  return false;
}

bool SlotWriter::wrong_type(std::string_view field, std::string_view token, std::string_view wanted) {
  return fail(DecodeFault::wrong_type, field, fmt::format("is {}, {} is wanted", shown(token), wanted));
}

bool SlotWriter::out_of_range(std::string_view field, std::string_view token) {
  return fail(DecodeFault::out_of_range, field, fmt::format("is {}, which is out of range", shown(token)));
}

bool SlotWriter::invalid(std::string_view field, std::string_view token) {
  return fail(DecodeFault::invalid_json, field, fmt::format("{} is no JSON value", shown(token)));
}

bool SlotWriter::too_deep(std::string_view field) {
  return fail(DecodeFault::too_deep, field, fmt::format("objects and arrays nest deeper than {}", options_.max_depth));
}

bool SlotWriter::bad_time(const DecodeTarget& target, std::string_view token) {
  return fail(DecodeFault::bad_time, name_of(target),
              fmt::format("is {}; RFC 3339 with an offset (2026-11-22T12:30:05+08:00) or milliseconds since 1970 are wanted",
                          shown(token)));
}

// --- values

void SlotWriter::begin(std::string_view json, std::span<Value> slots, Arena& arena) {
  TILLWATCH_CHECK(slots.size() == plan_.names.size());
  std::ranges::fill(slots, Value{});
  for (const int32_t field : plan_.geo) geo_parts_[static_cast<size_t>(field)] = 0;
  json_ = json;
  slots_ = slots;
  arena_ = &arena;
  result_ = {};
}

bool SlotWriter::write_text(const DecodeTarget& target, std::string_view text, std::string_view token) {
  switch (target.kind) {
    case Kind::string:
      if (target.free_text && contains_card_number(text)) {
        return fail(DecodeFault::pan_exposed, name_of(target), "holds a full card number; send it masked");
      }
      slot(target) = Value::of_text(without_card_numbers(is_kept(text) ? text : arena_->copy(text)));
      return true;
    case Kind::symbol:
      return write_symbol(target, text);
    case Kind::time: {
      const std::optional<TimeMs> time = parse_rfc3339(text);
      if (!time) return bad_time(target, token);
      slot(target) = Value::of_time(*time);
      return true;
    }
    case Kind::duration: {
      const std::optional<DurationMs> duration = parse_duration(text);
      if (!duration) return wrong_type(name_of(target), token, wanted_by(target));
      slot(target) = Value::of_duration(*duration);
      return true;
    }
    case Kind::money:
      return write_currency(target, text, token);
    case Kind::geo:
      return write_system(target, text, token);
    default:
      return wrong_type(name_of(target), token, wanted_by(target));
  }
}

std::string_view SlotWriter::without_card_numbers(std::string_view text) {
  if (text.size() < kFewestCardDigits) return text;
  const std::optional<std::string> hidden = tokens_.hide(text);
  return hidden ? arena_->copy(*hidden) : text;
}

bool SlotWriter::write_symbol(const DecodeTarget& target, std::string_view text) {
  const DecodeEnum& type = plan_.enums[static_cast<size_t>(target.enum_type)];
  int32_t ordinal = type.names.find(text);
  if (ordinal < 0) {
    ordinal = type.unknown;
    ++result_.unknown_enums;
  }
  slot(target) = Value::of_symbol(ordinal);
  return true;
}

bool SlotWriter::write_currency(const DecodeTarget& target, std::string_view text, std::string_view token) {
  if (target.part == FieldPart::money_currency && text == "CNY") {  // nearly all are, and the table is long
    slot(target).aux = kYuan;
    return true;
  }
  const rules::Currency* const currency = target.part == FieldPart::money_currency ? rules::find_currency(text) : nullptr;
  if (currency == nullptr) return wrong_type(name_of(target), token, wanted_by(target));
  slot(target).aux = currency->number;
  return true;
}

bool SlotWriter::write_system(const DecodeTarget& target, std::string_view text, std::string_view token) {
  if (target.part != FieldPart::geo_system) return wrong_type(name_of(target), token, wanted_by(target));
  auto system = CoordinateSystem::wgs84;
  if (text == "GCJ02" || text == "GCJ-02" || text == "gcj02") {
    system = CoordinateSystem::gcj02;
  } else if (text != "WGS84" && text != "WGS-84" && text != "wgs84") {
    geo_parts_[static_cast<size_t>(target.field)] |= kUnknownSystem;
    ++result_.unknown_enums;
  }
  slot(target).aux = static_cast<uint16_t>(system);
  return true;
}

bool SlotWriter::write_bool(const DecodeTarget& target, std::string_view token) {
  if (target.kind != Kind::boolean) return wrong_type(name_of(target), token, wanted_by(target));
  slot(target) = Value::of_bool(token == "true");
  return true;
}

bool SlotWriter::write_number(const DecodeTarget& target, std::string_view token) {
  const bool whole = is_whole(target);
  int64_t number = 0;
  const NumberFault fault = whole ? read_integer(token, number) : read_decimal(token, number);
  if (fault == NumberFault::malformed) return invalid(name_of(target), token);
  if (fault == NumberFault::not_whole || (!whole && !is_decimal(target))) {
    return wrong_type(name_of(target), token, wanted_by(target));
  }
  if (fault == NumberFault::out_of_range) return out_of_range(name_of(target), token);
  const bool is_amount = target.kind == Kind::integer || target.kind == Kind::money;
  if (is_amount && number >= kLeastCardNumber && contains_card_number(token)) {
    return fail(DecodeFault::pan_exposed, name_of(target), "is a full card number");
  }
  switch (target.kind) {
    case Kind::integer:
      slot(target) = Value::of_int(number);
      return true;
    case Kind::decimal:
      slot(target) = Value::of_decimal_billionths(number);
      return true;
    case Kind::time:
      return write_time(target, number, token);
    case Kind::duration:
      if (number < -kLastTime || number > kLastTime) return out_of_range(name_of(target), token);
      slot(target) = Value::of_duration(number);
      return true;
    case Kind::money:  // the currency may be there already
      slot(target).kind = ValueKind::money;
      slot(target).i = number;
      return true;
    default:
      return write_geo(target, number, token);
  }
}

bool SlotWriter::write_time(const DecodeTarget& target, int64_t ms, std::string_view token) {
  if (ms < kFirstTime || ms > kLastTime) return bad_time(target, token);
  if (target.field == plan_.time_field && ms < kFirstPlausibleEvent) {
    return fail(DecodeFault::bad_time, name_of(target),
                fmt::format("is {}, which looks like seconds; milliseconds since 1970 are wanted", token));
  }
  slot(target) = Value::of_time(ms);
  return true;
}

bool SlotWriter::write_geo(const DecodeTarget& target, int64_t billionths, std::string_view token) {
  constexpr int64_t kPerE7 = Value::kDecimalOne / 10'000'000;
  constexpr int64_t kPerDecimetre = Value::kDecimalOne / 10;
  constexpr int64_t kLargestAccuracy = 100'000'000;  // metres; more than the way around the earth
  Value& value = slot(target);
  uint8_t& parts = geo_parts_[static_cast<size_t>(target.field)];
  switch (target.part) {
    case FieldPart::geo_latitude:
      if (!is_within(billionths, 90)) break;
      value.lat_e7 = static_cast<int32_t>(divide_rounding(billionths, kPerE7));
      parts |= kLatitude;
      return true;
    case FieldPart::geo_longitude:
      if (!is_within(billionths, 180)) break;
      value.lon_e7 = static_cast<int32_t>(divide_rounding(billionths, kPerE7));
      parts |= kLongitude;
      return true;
    default:
      if (billionths < 0 || !is_within(billionths, kLargestAccuracy)) break;
      value.size = static_cast<uint32_t>(divide_rounding(billionths, kPerDecimetre));
      parts |= kAccuracy;
      return true;
  }
  return wrong_type(name_of(target), token, wanted_by(target));
}

void SlotWriter::write_bytes(const DecodeTarget& target, std::string_view bytes) {
  slot(target) = Value::of_bytes(rules::value_kind(target.kind), arena_->copy(bytes));
}

// --- the record as a whole

bool SlotWriter::finish(TimeMs arrived_at) {
  for (const auto& [field, currency] : plan_.money) {
    Value& value = slots_[static_cast<size_t>(field)];
    if (value.missing()) {
      value = Value{};
    } else if (value.aux == 0) {
      value.aux = currency;
    }
  }
  for (const int32_t field : plan_.geo) {
    if (!finish_geo(static_cast<size_t>(field))) return false;
  }
  for (const int32_t field : plan_.required) {
    if (!slots_[static_cast<size_t>(field)].missing()) continue;
    return fail(DecodeFault::missing_field, plan_.names[static_cast<size_t>(field)], "is missing, and the schema requires it");
  }
  return finish_time(arrived_at);
}

bool SlotWriter::finish_geo(size_t field) {
  const uint8_t parts = geo_parts_[field];
  const uint8_t place = parts & (kLatitude | kLongitude);
  Value& value = slots_[field];
  if (place == kLatitude || place == kLongitude) {
    return fail(DecodeFault::wrong_type, plan_.names[field], "has only one of lat and lon");
  }
  if (place == 0 || (parts & kUnknownSystem) != 0 || (value.lat_e7 == 0 && value.lon_e7 == 0)) {
    value = Value{};  // (0, 0) is what devices send that do not know where they are
    return true;
  }
  value.kind = ValueKind::geo;
  if ((parts & kAccuracy) == 0) value.size = Value::kUnknownAccuracy;
  return true;
}

bool SlotWriter::finish_time(TimeMs arrived_at) {
  if (plan_.time_field < 0) {
    const Value from = plan_.valid_from < 0 ? Value{} : slots_[static_cast<size_t>(plan_.valid_from)];
    if (!from.missing()) result_.event_time = from.i;
    if (plan_.recorded_at >= 0 && slots_[static_cast<size_t>(plan_.recorded_at)].missing()) {
      slots_[static_cast<size_t>(plan_.recorded_at)] = from;
    }
    return true;
  }
  const auto field = static_cast<size_t>(plan_.time_field);
  if (slots_[field].missing()) return fail(DecodeFault::missing_field, plan_.names[field], "is missing, and is the event time");
  result_.event_time = slots_[field].i;
  if (result_.event_time <= arrived_at + options_.max_future_skew) return true;
  return fail(DecodeFault::time_in_future, plan_.names[field],
              fmt::format("is {}, {} after the record arrived; at most {} are allowed", format_rfc3339(result_.event_time),
                          format_duration(result_.event_time - arrived_at), format_duration(options_.max_future_skew)));
}

}  // namespace tillwatch::engine
