// Little-endian fixed-width and length-prefixed fields for stored state. Reading checks bounds: stored bytes may be damaged.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tillwatch::rules {

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}
  template <class T>
  void fixed(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  void text(std::string_view bytes) {
    fixed(static_cast<uint32_t>(bytes.size()));
    out_.append(bytes);
  }
  // Small numbers in few bytes.
  void varint(uint64_t value) {
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }
  void short_text(std::string_view bytes) {
    varint(bytes.size());
    out_.append(bytes);
  }

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T fixed() {
    T value{};
    if (bytes_.size() - at_ < sizeof(T)) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string_view text() {
    const auto size = fixed<uint32_t>();
    if (!ok_ || bytes_.size() - at_ < size) {
      ok_ = false;
      return {};
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  // A count of items of at least `least` bytes each: refuses counts the rest could not hold.
  uint32_t count(size_t least) {
    const auto n = fixed<uint32_t>();
    if (ok_ && uint64_t{n} * least > bytes_.size() - at_) ok_ = false;
    return ok_ ? n : 0;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = fixed<uint8_t>();
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view short_text() {
    const uint64_t size = varint();
    if (!ok_ || bytes_.size() - at_ < size) {
      ok_ = false;
      return {};
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  // As count(), written by varint().
  size_t short_count(size_t least) {
    const uint64_t n = varint();
    if (ok_ && (n > bytes_.size() || n * least > bytes_.size() - at_)) ok_ = false;
    return ok_ ? n : 0;
  }
  bool ok() const { return ok_; }
  bool done() const { return at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace tillwatch::rules
