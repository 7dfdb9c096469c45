// What the tests of the decoder share: fields of a schema in a line, and records with nothing good behind them.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/source.h"
#include "engine/decoder.h"

namespace tillwatch::engine {

using rules::Field;
using rules::Kind;
using rules::Type;

inline constexpr TimeMs kArrival = 1'795'321'810'000;  // 2026-11-22T12:30:10+08:00

inline Type type(Kind kind, int32_t ref = -1) { return Type{.kind = kind, .ref = ref}; }
inline Type maybe(Kind kind, int32_t ref = -1) { return rules::optional(type(kind, ref)); }

inline void add(std::vector<Field>& fields, std::string name, Type type, std::string path = "",
                std::string currency_path = "") {
  Field field;
  field.path = path.empty() ? name : std::move(path);
  field.name = std::move(name);
  field.type = type;
  field.currency_path = std::move(currency_path);
  fields.push_back(std::move(field));
}

// Copies a record to where sixty-four bytes can be read behind it, and not one more.
class Padded {
 public:
  explicit Padded(std::string_view text)
      : size_(text.size()), bytes_(new char[text.size() + connectors::RecordBatch::kPadding]) {
    if (!text.empty()) std::memcpy(bytes_.get(), text.data(), text.size());
    std::memset(bytes_.get() + size_, '}', connectors::RecordBatch::kPadding);  // the worst that could follow
  }
  std::string_view text() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> bytes_;
};

}  // namespace tillwatch::engine
