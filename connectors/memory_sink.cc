#include "connectors/memory_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engine/base/words.h"

namespace tillwatch::connectors {
namespace {

std::unexpected<Error> wrong_kind(std::string_view asked) {
  return fail(ErrorKind::invalid, fmt::format("memory sink: it was made as the other kind, which has no {}()", asked));
}

std::unexpected<Error> away() { return fail(ErrorKind::unavailable, "memory sink: unavailable, as scripted"); }

}  // namespace

void MemorySink::script(Fault fault) {
  const std::lock_guard lock(mutex_);
  TILLWATCH_CHECK(kind_ == Kind::decides || fault == Fault::none || fault == Fault::unavailable);
  faults_.push_back(fault);
}

void MemorySink::fail_next_recovery(Error error) {
  const std::lock_guard lock(mutex_);
  recovery_errors_.push_back(std::move(error));
}

std::vector<OutputRecord> MemorySink::records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

std::vector<std::string> MemorySink::values(std::string_view topic) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> values;
  for (const OutputRecord& record : records_) {
    if (record.topic == topic) values.push_back(record.value);
  }
  return values;
}

uint64_t MemorySink::commits() const {
  const std::lock_guard lock(mutex_);
  return sizes_.size();
}

CommittedState MemorySink::committed() const {
  const std::lock_guard lock(mutex_);
  return committed_;
}

MemorySink::Fault MemorySink::next_fault() {
  if (faults_.empty()) return Fault::none;
  const Fault fault = faults_.front();
  faults_.pop_front();
  return fault;
}

Status MemorySink::next_recovery() {
  if (recovery_errors_.empty()) return {};
  Error error = std::move(recovery_errors_.front());
  recovery_errors_.pop_front();
  return std::unexpected(std::move(error));
}

void MemorySink::take_positions(const std::vector<Position>& positions) {
  for (const Position& position : positions) {
    const auto known = std::ranges::find(committed_.positions, position.partition, &Position::partition);
    if (known == committed_.positions.end()) {
      committed_.positions.push_back(position);
    } else {
      known->next_offset = position.next_offset;
    }
  }
}

Expected<uint64_t> MemorySink::last_commit(bool /*settled*/) {
  if (!decides()) return wrong_kind("last_commit");
  const std::lock_guard lock(mutex_);
  return committed_.commit_number;
}

Expected<CommittedState> MemorySink::recover() {
  if (!decides()) return wrong_kind("recover");
  const std::lock_guard lock(mutex_);
  if (Status status = next_recovery(); !status) return std::unexpected(status.error());
  fenced_ = false;  // whoever recovers is the owner now
  return committed_;
}

Expected<CommitOutcome> MemorySink::commit(const OutputBatch& batch) {
  if (!decides()) return wrong_kind("commit");
  const std::lock_guard lock(mutex_);
  const Fault fault = next_fault();
  if (fault == Fault::fenced) fenced_ = true;
  if (fenced_) return fail(ErrorKind::fenced, "memory sink: fenced, as scripted");
  if (fault == Fault::unavailable) return away();
  if (fault == Fault::aborted) return CommitOutcome::aborted;
  if (batch.commit_number != committed_.commit_number + 1) {
    return fail(ErrorKind::invalid,
                fmt::format("memory sink: commit {} cannot follow commit {}", batch.commit_number, committed_.commit_number));
  }
  records_.insert(records_.end(), batch.records.begin(), batch.records.end());
  sizes_.push_back(records_.size());
  committed_.commit_number = batch.commit_number;
  take_positions(batch.positions);
  if (fault == Fault::unavailable_done) return away();
  return CommitOutcome::committed;
}

Expected<std::string> MemorySink::append(const OutputBatch& batch) {
  if (decides()) return wrong_kind("append");
  const std::lock_guard lock(mutex_);
  if (next_fault() != Fault::none) return away();
  records_.insert(records_.end(), batch.records.begin(), batch.records.end());
  sizes_.push_back(records_.size());
  committed_.mark = std::to_string(records_.size());
  return committed_.mark;
}

Status MemorySink::rewind(const std::string& mark) {
  if (decides()) return wrong_kind("rewind");
  const std::lock_guard lock(mutex_);
  if (Status status = next_recovery(); !status) return status;
  size_t length = 0;
  const auto [end, error] = std::from_chars(mark.data(), mark.data() + mark.size(), length);
  if (!mark.empty() && (error != std::errc() || end != mark.data() + mark.size())) {
    return fail(ErrorKind::corrupt, fmt::format("memory sink: the mark '{}' is not one", mark));
  }
  if (length > records_.size()) {
    return fail(ErrorKind::corrupt,
                fmt::format("memory sink: it holds {}, but {} were committed", counted(records_.size(), "record"), length));
  }
  records_.resize(length);
  std::erase_if(sizes_, [&](size_t size) { return size > length; });
  committed_.mark = mark;
  return {};
}

}  // namespace tillwatch::connectors
