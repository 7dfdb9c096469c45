// Rows: several values as one run of bytes. Events cross the exchange as rows, windows keep rows, alerts freeze rows and the
// store writes them as they are, so there is one encoding and nothing is decoded that is not read.
//
// Layout: presence bitmap (one bit a field), fixed area (each field at an offset known from the kinds), then the bytes of
// strings, lists, tariffs and nested rows, which the fixed area points to by (u32 offset from row start, u32 length).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/value.h"

namespace tillwatch {

class RowLayout {
 public:
  RowLayout() = default;
  explicit RowLayout(std::vector<ValueKind> kinds);

  size_t size() const { return kinds_.size(); }
  ValueKind kind(size_t field) const { return kinds_[field]; }

  // Appends the encoding of `values` (size() of them, each of its kind or missing) to `out`.
  void encode(std::span<const Value> values, std::string& out) const;

  // Reads one field. The value points into `row`. `row` must be an encoding by a layout with the same kinds.
  Value get(const char* row, size_t field) const;
  bool has(const char* row, size_t field) const { return (row[field >> 3] >> (field & 7)) & 1; }

  // Whether `bytes` is a complete, in-bounds encoding: for rows that come from a store or a topic.
  bool valid(std::string_view bytes) const;

  // Writes `source` fields picked by `positions` of another layout's row: the projection a window keeps.
  void project(const RowLayout& from, const char* row, std::span<const int> positions, std::string& out) const;

 private:
  std::vector<ValueKind> kinds_;
  std::vector<uint32_t> offsets_;
  uint32_t fixed_end_ = 0;
};

// A list of strings as bytes: u32 count, then (u32 length, bytes) each.
class ListView {
 public:
  explicit ListView(std::string_view bytes) : bytes_(bytes) {}
  uint32_t count() const;
  bool contains(std::string_view item) const;
  std::vector<std::string_view> items() const;
  static void encode(std::span<const std::string_view> items, std::string& out);

 private:
  static constexpr size_t kCountBytes = 4;
  // Reads the item at `at` and moves behind it; false at the end or where bytes are cut short.
  bool next(size_t& at, std::string_view& item) const;

  std::string_view bytes_;
};

// The canonical bytes of a key: for each value its kind and content, self-delimiting, so that different keys never collide.
void append_key(std::span<const Value> values, std::string& out);
// The values of a key; they point into `bytes`. Empty when `bytes` is not a key.
std::vector<Value> read_key(std::string_view bytes);

}  // namespace tillwatch
