#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

}  // namespace

// Days to civil date by Howard Hinnant's algorithm (public domain), for the proleptic Gregorian calendar.
LocalTime local_time(TimeMs time) {
  const TimeMs midnight = local_midnight(time);
  const int64_t days = (midnight + kLocalOffset) / kDay + 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<uint32_t>(days - era * 146'097);
  const uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t shifted_month = (5 * day_of_year + 2) / 153;
  const auto month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  const auto into_day = static_cast<int>(time - midnight);
  return {.year = static_cast<int>(static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0)),
          .month = month,
          .day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1),
          .hour = into_day / 3'600'000,
          .minute = into_day / 60'000 % 60,
          .second = into_day / 1000 % 60,
          .millisecond = into_day % 1000};
}

void append_number(std::string& out, int64_t value) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, static_cast<size_t>(end - buffer));
}

void append_padded(std::string& out, uint64_t value, int width) {
  char buffer[24];
  for (int i = width - 1; i >= 0; --i) {
    buffer[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(buffer, static_cast<size_t>(width));
}

void append_hex(std::string& out, uint64_t value) {
  constexpr char kHex[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[(value >> shift) & 15];
}

void append_date(std::string& out, TimeMs time, std::string_view separator) {
  const LocalTime local = local_time(time);
  append_padded(out, static_cast<uint64_t>(local.year), 4);
  out += separator;
  append_padded(out, static_cast<uint64_t>(local.month), 2);
  out += separator;
  append_padded(out, static_cast<uint64_t>(local.day), 2);
}

void append_time(std::string& out, TimeMs time) {
  const LocalTime local = local_time(time);
  char text[] = "0000-00-00T00:00:00.000+08:00";
  const auto put = [&text](int at, int width, int value) {
    for (int i = at + width - 1; i >= at; --i, value /= 10) text[i] = static_cast<char>('0' + value % 10);
  };
  put(0, 4, local.year);
  put(5, 2, local.month);
  put(8, 2, local.day);
  put(11, 2, local.hour);
  put(14, 2, local.minute);
  put(17, 2, local.second);
  put(20, 3, local.millisecond);
  out.append(text, sizeof text - 1);
}

void JsonObject::comma() {
  const char last = out_.back();
  if (last != '{' && last != '[') out_ += ',';
}

void JsonObject::name(std::string_view key) {
  comma();
  out_ += '"';
  out_ += key;
  out_ += "\":";
}

void JsonObject::text(std::string_view key, std::string_view value) {
  name(key);
  out_ += '"';
  append_escaped(out_, value);
  out_ += '"';
}

void JsonObject::number(std::string_view key, int64_t value) {
  name(key);
  append_number(out_, value);
}

void JsonObject::decimal(std::string_view key, int64_t value, int decimals) {
  name(key);
  int64_t unit = 1;
  for (int i = 0; i < decimals; ++i) unit *= 10;
  if (value < 0) out_ += '-';
  const int64_t size = value < 0 ? -value : value;
  append_number(out_, size / unit);
  if (size % unit == 0) return;
  out_ += '.';
  append_padded(out_, static_cast<uint64_t>(size % unit), decimals);
  while (out_.back() == '0') out_.pop_back();
}

void JsonObject::boolean(std::string_view key, bool value) {
  name(key);
  out_ += value ? "true" : "false";
}

void JsonObject::null(std::string_view key) {
  name(key);
  out_ += "null";
}

void JsonObject::time(std::string_view key, TimeMs value) {
  append_time(open_text(key), value);
  close_text();
}

void JsonObject::date(std::string_view key, TimeMs value) {
  append_date(open_text(key), value, "-");
  close_text();
}

void JsonObject::padded(std::string_view key, uint64_t value, int width) {
  append_padded(open_text(key), value, width);
  close_text();
}

void JsonObject::begin_object(std::string_view key) {
  name(key);
  out_ += '{';
}

void JsonObject::end_object() { out_ += '}'; }

void JsonObject::begin_array(std::string_view key) {
  name(key);
  out_ += '[';
}

void JsonObject::begin_element() {
  comma();
  out_ += '{';
}

void JsonObject::element(std::string_view value) {
  comma();
  out_ += '"';
  append_escaped(out_, value);
  out_ += '"';
}

void JsonObject::end_array() { out_ += ']'; }

std::string& JsonObject::open_text(std::string_view key) {
  name(key);
  out_ += '"';
  return out_;
}

}  // namespace tillwatch::connectors::generation
