#include "engine/base/row.h"

#include <cstring>

#include "engine/base/status.h"

namespace tillwatch {
namespace {

uint32_t width(ValueKind kind) {
  switch (kind) {
    case ValueKind::missing:
      return 0;
    case ValueKind::boolean:
      return 1;
    case ValueKind::symbol:
      return 2;
    case ValueKind::money:
      return 10;
    case ValueKind::geo:
      return 14;
    default:
      return 8;
  }
}

template <class T>
void store(char* at, T value) {
  std::memcpy(at, &value, sizeof(T));
}

template <class T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

void append_u32(std::string& out, uint32_t value) { out.append(reinterpret_cast<const char*>(&value), 4); }

}  // namespace

RowLayout::RowLayout(std::vector<ValueKind> kinds) : kinds_(std::move(kinds)) {
  fixed_end_ = static_cast<uint32_t>((kinds_.size() + 7) / 8);
  for (ValueKind kind : kinds_) {
    offsets_.push_back(fixed_end_);
    fixed_end_ += width(kind);
  }
}

void RowLayout::encode(std::span<const Value> values, std::string& out) const {
  TILLWATCH_CHECK(values.size() == kinds_.size());
  const size_t start = out.size();
  size_t tail = fixed_end_;
  size_t size = fixed_end_;
  for (const Value& value : values) size += holds_bytes(value.kind) ? value.size : 0;
  out.resize(start + size, '\0');
  char* row = out.data() + start;
  for (size_t field = 0; field < values.size(); ++field) {
    const Value& value = values[field];
    if (value.missing()) continue;
    TILLWATCH_CHECK(value.kind == kinds_[field]);
    row[field >> 3] = static_cast<char>(row[field >> 3] | (1 << (field & 7)));
    char* at = row + offsets_[field];
    switch (value.kind) {
      case ValueKind::boolean:
        *at = static_cast<char>(value.i);
        break;
      case ValueKind::symbol:
        store(at, static_cast<int16_t>(value.i));
        break;
      case ValueKind::money:
        store(at, value.i);
        store(at + 8, value.aux);
        break;
      case ValueKind::geo:
        store(at, value.lat_e7);
        store(at + 4, value.lon_e7);
        store(at + 8, value.aux);
        store(at + 10, value.size);
        break;
      case ValueKind::string:
      case ValueKind::list:
      case ValueKind::tariff:
      case ValueKind::row:
        store(at, static_cast<uint32_t>(tail));
        store(at + 4, value.size);
        if (value.size > 0) std::memcpy(row + tail, value.bytes, value.size);
        tail += value.size;
        break;
      default:
        store(at, value.i);
    }
  }
}

Value RowLayout::get(const char* row, size_t field) const {
  Value value;
  if (!has(row, field)) return value;
  value.kind = kinds_[field];
  const char* at = row + offsets_[field];
  switch (value.kind) {
    case ValueKind::boolean:
      value.i = *at;
      break;
    case ValueKind::symbol:
      value.i = load<int16_t>(at);
      break;
    case ValueKind::money:
      value.i = load<int64_t>(at);
      value.aux = load<uint16_t>(at + 8);
      break;
    case ValueKind::geo:
      value.lat_e7 = load<int32_t>(at);
      value.lon_e7 = load<int32_t>(at + 4);
      value.aux = load<uint16_t>(at + 8);
      value.size = load<uint32_t>(at + 10);
      break;
    case ValueKind::string:
    case ValueKind::list:
    case ValueKind::tariff:
    case ValueKind::row:
      value.bytes = row + load<uint32_t>(at);
      value.size = load<uint32_t>(at + 4);
      break;
    default:
      value.i = load<int64_t>(at);
  }
  return value;
}

bool RowLayout::valid(std::string_view bytes) const {
  if (bytes.size() < fixed_end_) return false;
  for (size_t field = 0; field < kinds_.size(); ++field) {
    if (!holds_bytes(kinds_[field]) || !has(bytes.data(), field)) continue;
    const char* at = bytes.data() + offsets_[field];
    const uint64_t end = uint64_t{load<uint32_t>(at)} + load<uint32_t>(at + 4);
    if (load<uint32_t>(at) < fixed_end_ || end > bytes.size()) return false;
  }
  return true;
}

void RowLayout::project(const RowLayout& from, const char* row, std::span<const int> positions, std::string& out) const {
  TILLWATCH_CHECK(positions.size() <= kinds_.size());
  const size_t start = out.size();
  size_t size = fixed_end_;
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto field = static_cast<size_t>(positions[i]);
    if (holds_bytes(kinds_[i]) && from.has(row, field)) size += load<uint32_t>(row + from.offsets_[field] + 4);
  }
  out.resize(start + size, '\0');
  char* to = out.data() + start;
  size_t tail = fixed_end_;
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto field = static_cast<size_t>(positions[i]);
    if (!from.has(row, field)) continue;
    TILLWATCH_CHECK(from.kinds_[field] == kinds_[i]);
    to[i >> 3] = static_cast<char>(to[i >> 3] | (1 << (i & 7)));
    const char* source = row + from.offsets_[field];
    char* at = to + offsets_[i];
    if (!holds_bytes(kinds_[i])) {
      std::memcpy(at, source, width(kinds_[i]));
      continue;
    }
    const auto length = load<uint32_t>(source + 4);
    store(at, static_cast<uint32_t>(tail));
    store(at + 4, length);
    std::memcpy(to + tail, row + load<uint32_t>(source), length);
    tail += length;
  }
}

uint32_t ListView::count() const { return bytes_.size() < 4 ? 0 : load<uint32_t>(bytes_.data()); }

bool ListView::next(size_t& at, std::string_view& item) const {
  if (at + 4 > bytes_.size()) return false;
  const uint32_t length = load<uint32_t>(bytes_.data() + at);
  if (length > bytes_.size() - at - 4) return false;
  item = bytes_.substr(at + 4, length);
  at += 4 + length;
  return true;
}

bool ListView::contains(std::string_view item) const {
  size_t at = kCountBytes;
  std::string_view each;
  for (uint32_t i = 0, n = count(); i < n && next(at, each); ++i) {
    if (each == item) return true;
  }
  return false;
}

std::vector<std::string_view> ListView::items() const {
  std::vector<std::string_view> result;
  size_t at = kCountBytes;
  std::string_view item;
  for (uint32_t i = 0, n = count(); i < n && next(at, item); ++i) result.push_back(item);
  return result;
}

void ListView::encode(std::span<const std::string_view> items, std::string& out) {
  append_u32(out, static_cast<uint32_t>(items.size()));
  for (std::string_view item : items) {
    append_u32(out, static_cast<uint32_t>(item.size()));
    out.append(item);
  }
}

void append_key(std::span<const Value> values, std::string& out) {
  for (const Value& value : values) {
    out.push_back(static_cast<char>(value.kind));
    if (holds_bytes(value.kind)) {
      append_u32(out, value.size);
      out.append(value.bytes, value.size);
    } else if (!value.missing()) {
      out.append(reinterpret_cast<const char*>(&value.i), 8);
      if (value.kind == ValueKind::money || value.kind == ValueKind::geo)
        out.append(reinterpret_cast<const char*>(&value.aux), 2);
    }
  }
}

std::vector<Value> read_key(std::string_view bytes) {
  std::vector<Value> values;
  size_t at = 0;
  while (at < bytes.size()) {
    Value value;
    value.kind = static_cast<ValueKind>(bytes[at++]);
    if (value.kind > ValueKind::row) return {};
    const size_t fixed = value.missing() ? 0 : holds_bytes(value.kind) ? 4 : value.kind == ValueKind::money ? 10 : 8;
    if (bytes.size() - at < fixed) return {};
    if (holds_bytes(value.kind)) {
      value.size = load<uint32_t>(bytes.data() + at);
      if (bytes.size() - at - 4 < value.size) return {};
      value.bytes = bytes.data() + at + 4;
      at += value.size;
    } else if (!value.missing()) {
      value.i = load<int64_t>(bytes.data() + at);
      if (value.kind == ValueKind::money) value.aux = load<uint16_t>(bytes.data() + at + 8);
    }
    at += fixed;
    values.push_back(value);
  }
  return values;
}

bool equal(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  if (holds_bytes(a.kind)) return a.text() == b.text();
  if (a.kind == ValueKind::money && a.i == b.i) return a.aux == b.aux || a.aux == 0 || b.aux == 0;
  if (a.kind == ValueKind::geo && a.aux != b.aux) return false;
  return !a.missing() && a.i == b.i;
}

int compare(const Value& a, const Value& b) {
  if (holds_bytes(a.kind)) {
    const int order = a.text().compare(b.text());
    return order < 0 ? -1 : order > 0;
  }
  return a.i < b.i ? -1 : a.i > b.i;
}

}  // namespace tillwatch
