// Bytes that live for a short, known while (an event, a batch): bump allocation, freed all at once.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace tillwatch {

class Arena {
 public:
  char* allocate(size_t size) {
    if (block_ == blocks_.size() || used_ + size > blocks_[block_].size) next_block(size);
    char* at = blocks_[block_].bytes.get() + used_;
    used_ += size;
    return at;
  }
  std::string_view copy(std::string_view text) {
    char* at = allocate(text.size());
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }
  // Forgets everything, keeps the memory.
  void reset() { block_ = 0, used_ = 0; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  void next_block(size_t size) {
    if (block_ < blocks_.size()) ++block_;
    used_ = 0;
    while (block_ < blocks_.size() && blocks_[block_].size < size) ++block_;
    if (block_ < blocks_.size()) return;
    const size_t capacity = std::max(size, kBlock);
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(capacity), capacity});
    block_ = blocks_.size() - 1;
  }
  static constexpr size_t kBlock = 16 << 10;
  std::vector<Block> blocks_;
  size_t block_ = 0;
  size_t used_ = 0;
};

}  // namespace tillwatch
