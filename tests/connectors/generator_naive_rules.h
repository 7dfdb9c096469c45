// The four rules the generator's truth speaks of, read naively: over all records at once, in order of event time. What the
// tests of the generator hold the truth against.
#pragma once

#include <simdjson.h>

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "connectors/generator.h"
#include "connectors/generator_fee.h"

namespace tillwatch::connectors::naive {

using Json = simdjson::dom::element;
using generation::Price;

struct Undone {
  TimeMs at;
  int64_t amount_minor;
  std::string type;
};

struct Debit {
  TimeMs at, arrival, host_at;
  std::string id, card, tail, card_type, issuer, merchant, terminal, mcc, order, method;
  int64_t amount_minor;
  std::vector<Undone> undone;
  bool slip = false;
};

struct Line {
  TimeMs at, arrival, txn_at;
  std::string txn_id, type, merchant, card_type, method, settled_mcc;
  int64_t amount_minor, fee_minor;
};

struct Notice {
  TimeMs at;
  std::string txn_id, tail, channel;
  int64_t amount_minor;
};

template <class Row>
struct Version {
  TimeMs effective_from, recorded_at;
  Row row;
};

struct Subscription {
  bool enabled, inclusive;
  int64_t min_notify_minor;
  std::set<std::string> channels;
};

struct Product {
  std::string card_type, method;
  Price price;
};

struct Terms {
  bool refund_fee_returned;
  std::vector<Product> products;
};

struct Term {
  DurationMs submit_within, critical_after;
};

// Rule and key; when it is raised, how badly, and what ends it.
using Found = std::map<std::string, std::tuple<TimeMs, std::string, std::string>>;

std::string found_key(const std::string& rule, std::initializer_list<std::string> parts);

class Naive {
 public:
  void take(const GeneratedRecord& record);
  Found alerts();
  size_t debits() const { return debits_.size(); }
  size_t transactions() const { return transactions_; }

 private:
  void take_reference(std::string_view topic, const Json& json);
  void take_transaction(const Json& json, const GeneratedRecord& record);
  void link_undone();
  void find_duplicates(Found& found);
  void judge_group(const std::string& key, const std::vector<const Debit*>& group, Found& found);
  void find_jumps(Found& found);
  void find_rates(Found& found);
  void find_unsent(Found& found);
  std::map<std::string, std::vector<TimeMs>> told();
  std::string registered_mcc(const std::string& merchant, TimeMs at, TimeMs now) const;
  int64_t fee(const Terms& contract, const Line& line) const;
  const Terms& contract_at(const Line& line) const;

  simdjson::dom::parser parser_;
  size_t transactions_ = 0;
  std::unordered_set<std::string> seen_, attempts_;
  std::vector<Debit> debits_;
  std::unordered_map<std::string, size_t> by_id_, by_stan_, by_rrn_;
  std::vector<std::pair<std::string, Undone>> undoings_;  // "id:…", "stan:…" or "rrn:…"
  std::set<std::string> slips_;
  std::vector<Line> lines_;
  std::vector<Notice> notices_;
  std::map<std::string, std::vector<Version<std::string>>> merchants_;
  std::map<std::string, std::vector<Version<Terms>>> contracts_;
  std::map<std::string, Subscription> subscriptions_;
  std::map<std::string, Term> terms_;
  std::map<std::string, int64_t> ranks_;
  std::multimap<std::string, std::pair<TimeMs, TimeMs>> maintenance_;
};

}  // namespace tillwatch::connectors::naive
