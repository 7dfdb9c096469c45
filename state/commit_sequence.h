// The rules by which the commits of a store follow each other; every store keeps one.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/status.h"

namespace tillwatch::state {

// Thread: one thread changes it; applied() and prepared() may be read from any.
class CommitSequence {
 public:
  // `name` tells in messages which store it is. `prepared` must be the number after `applied`, or empty.
  CommitSequence(std::string name, uint64_t applied, std::optional<uint64_t> prepared);

  uint64_t applied() const { return applied_.load(std::memory_order_acquire); }
  std::optional<uint64_t> prepared() const;

  // Whether commit `number` may be committed or prepared now. Error: invalid.
  Status may_start(uint64_t number) const;
  // Whether commit `number` may be applied or dropped now. Error: invalid.
  Status may_end(uint64_t number) const;

  void set_prepared(uint64_t number) { prepared_.store(number, std::memory_order_release); }
  void set_applied(uint64_t number);
  void set_dropped() { prepared_.store(kNone, std::memory_order_release); }

 private:
  static constexpr uint64_t kNone = 0;  // 0 is no commit's number
  std::string name_;
  std::atomic<uint64_t> applied_;
  std::atomic<uint64_t> prepared_;
};

}  // namespace tillwatch::state
