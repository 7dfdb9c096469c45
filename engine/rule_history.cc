#include "engine/rule_history.h"

#include <algorithm>

#include "rules/runtime/bytes.h"
#include "rules/runtime/state_format.h"

namespace tillwatch::engine {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

RuleHistory::RuleHistory(const rules::CompiledBundle& bundle) : bundle_(bundle) {}

Status RuleHistory::decode(std::string_view bytes) {
  new_store_ = false;
  known_.clear();
  rules::ByteReader in(bytes);
  const auto version = in.fixed<uint8_t>();
  refused_since_ = in.fixed<TimeMs>();
  refused_seq_ = in.fixed<uint32_t>();
  for (uint32_t i = 0, n = in.count(16); i < n; ++i) {
    const auto number = in.fixed<uint32_t>();
    const TimeMs live_from = in.fixed<TimeMs>();
    known_[number] = {std::string(in.text()), live_from};
  }
  if (version != kVersion || !in.ok() || !in.done())
    return fail(ErrorKind::corrupt, "store: the list of rules is damaged or of another format");
  return {};
}

std::string RuleHistory::encode() const {
  std::string bytes;
  rules::ByteWriter out(bytes);
  out.fixed(kVersion);
  out.fixed(refused_since_);
  out.fixed(refused_seq_);
  out.fixed(static_cast<uint32_t>(known_.size()));
  for (const auto& [number, known] : known_) {
    out.fixed(number);
    out.fixed(known.live_from);
    out.text(known.rule);
  }
  return bytes;
}

void RuleHistory::begin(TimeMs now) {
  std::map<uint32_t, Known> next;
  live_from_.clear();
  for (const auto& rule : bundle_.rules) {
    const uint32_t number = rules::stored_number(*rule, bundle_.source.schema);
    const auto found = known_.find(number);
    Known known{rule->name, found != known_.end() ? found->second.live_from : kBeforeAllTime};
    const bool late_comer = found == known_.end() && !new_store_ && now > kBeforeAllTime;
    const DurationMs memory = late_comer ? rules::longest_memory(*rule) : 0;
    if (memory > 0) known.live_from = now + memory;
    live_from_[rule->name] = known.live_from;
    next[number] = std::move(known);
  }
  gone_.clear();
  for (const auto& [number, known] : known_) {
    if (!next.contains(number)) gone_.push_back(number);
  }
  known_ = std::move(next);
}

bool RuleHistory::in_shadow(const std::string& rule, TimeMs raised_at) const {
  const auto found = live_from_.find(rule);
  return found != live_from_.end() && raised_at < found->second;
}

void RuleHistory::refused(TimeMs at, const std::string& reason, std::vector<AlertRecord>& alerts) {
  const bool first = refused_since_ == 0;
  if (first) {
    refused_since_ = at;
    refused_seq_ = 0;
  }
  alerts.push_back(describe_refused_rules(refused_since_, at, reason, true, first, ++refused_seq_));
}

void RuleHistory::taken(TimeMs at, std::vector<AlertRecord>& alerts) {
  if (refused_since_ == 0) return;
  alerts.push_back(describe_refused_rules(refused_since_, at, "", false, false, ++refused_seq_));
  refused_since_ = 0;
}

}  // namespace tillwatch::engine
