#include "state/commit_sequence.h"

#include <fmt/format.h>

namespace tillwatch::state {

CommitSequence::CommitSequence(std::string name, uint64_t applied, std::optional<uint64_t> prepared)
    : name_(std::move(name)), applied_(applied), prepared_(prepared.value_or(kNone)) {
  TILLWATCH_CHECK(!prepared || *prepared == applied + 1);
}

std::optional<uint64_t> CommitSequence::prepared() const {
  const uint64_t number = prepared_.load(std::memory_order_acquire);
  return number == kNone ? std::nullopt : std::optional(number);
}

Status CommitSequence::may_start(uint64_t number) const {
  if (const std::optional<uint64_t> open = prepared()) {
    return fail(ErrorKind::invalid,
                fmt::format("{}: commit {} cannot start, commit {} is prepared and must be applied or dropped first", name_,
                            number, *open));
  }
  if (number != applied() + 1) {
    return fail(ErrorKind::invalid,
                fmt::format("{}: commit {} cannot follow commit {}, the last one applied; the next one is {}", name_, number,
                            applied(), applied() + 1));
  }
  return {};
}

Status CommitSequence::may_end(uint64_t number) const {
  const std::optional<uint64_t> open = prepared();
  if (open && *open == number) return {};
  const std::string state = open ? fmt::format("commit {} is prepared", *open) : std::string("no commit is prepared");
  return fail(ErrorKind::invalid, fmt::format("{}: commit {} cannot be applied or dropped, {} and {} is the last one applied",
                                              name_, number, state, applied()));
}

void CommitSequence::set_applied(uint64_t number) {
  // First the new number, so that no reader finds the commit neither prepared nor applied.
  applied_.store(number, std::memory_order_release);
  prepared_.store(kNone, std::memory_order_release);
}

}  // namespace tillwatch::state
