#include "rules/runtime/entry_log.h"

namespace tillwatch::rules {

void EntryLog::count(const Entry& entry) {
  late_ += entry.late();
  row_bytes_ += heap_bytes(entry.row);
  if (entry.page == Entry::kInline) {
    ++without_page_;
  } else {
    ++pages_[entry.page];
  }
}

void EntryLog::discount(const Entry& entry) {
  late_ -= entry.late();
  row_bytes_ -= heap_bytes(entry.row);
  if (entry.page == Entry::kInline) {
    --without_page_;
    return;
  }
  const auto page = pages_.find(entry.page);
  if (--page->second == 0) pages_.erase(page);
}

void EntryLog::push_back(Entry entry) {
  count(entry);
  entries_.push_back(std::move(entry));
  ++new_;
}

Order EntryLog::first_new() const { return std::min_element(merged_end(), entries_.end(), in_order)->order(); }

void EntryLog::merge() {
  const auto middle = merged_end();
  new_ = 0;
  std::sort(middle, entries_.end(), in_order);
  if (middle == entries_.end() || middle == begin() || in_order(*std::prev(middle), *middle)) return;
  std::inplace_merge(std::upper_bound(begin(), middle, *middle, in_order), middle, entries_.end(), in_order);
}

void EntryLog::erase(iterator entry) {
  discount(*entry);
  entries_.erase(entry);
}

void EntryLog::clear() {
  entries_.clear();
  pages_.clear();
  gone_ = new_ = without_page_ = late_ = row_bytes_ = 0;
}

void EntryLog::set_page(Entry& entry, uint32_t page) {
  discount(entry);
  entry.page = page;
  count(entry);
}

void EntryLog::set_row(Entry& entry, const std::string& row) {
  row_bytes_ += heap_bytes(row) - heap_bytes(entry.row);
  entry.row = row;
}

size_t EntryLog::left_of(uint32_t page) const {
  const auto found = pages_.find(page);
  return found == pages_.end() ? 0 : found->second;
}

}  // namespace tillwatch::rules
