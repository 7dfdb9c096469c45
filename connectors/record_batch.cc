#include <algorithm>
#include <cstring>

#include "connectors/source.h"

namespace tillwatch::connectors {

void RecordBatch::add(uint32_t input, int64_t offset, TimeMs arrived_at, std::string_view key, std::string_view value) {
  char* place = allocate(key.size() + value.size() + kPadding);
  Record record{.input = input, .offset = offset, .arrived_at = arrived_at, .key = {}, .value = {}};
  // memcpy must not be given the null pointer of an absent key or value, not even with length 0.
  if (!key.empty()) std::memcpy(place, key.data(), key.size());
  if (!value.empty()) std::memcpy(place + key.size(), value.data(), value.size());
  record.key = std::string_view(place, key.size());
  record.value = std::string_view(place + key.size(), value.size());
  records_.push_back(record);
  bytes_ += key.size() + value.size();
}

void RecordBatch::clear() {
  records_.clear();
  block_ = 0;
  used_ = 0;
  bytes_ = 0;
}

char* RecordBatch::allocate(size_t size) {
  while (block_ < blocks_.size() && used_ + size > block_sizes_[block_]) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t block_size = std::max(kBlock, size);  // a record larger than a block has one of its own
    blocks_.push_back(std::make_unique<char[]>(block_size));
    block_sizes_.push_back(block_size);
    used_ = 0;
  }
  char* place = blocks_[block_].get() + used_;
  used_ += size;
  return place;
}

}  // namespace tillwatch::connectors
