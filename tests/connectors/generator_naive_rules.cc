#include "tests/connectors/generator_naive_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tillwatch::connectors::naive {
namespace {

std::string text(const Json& object, const char* name) {
  std::string_view value;
  return object[name].get(value) == simdjson::SUCCESS ? std::string(value) : "";
}
int64_t number(const Json& object, const char* name) {
  int64_t value = 0;
  return object[name].get(value) == simdjson::SUCCESS ? value : 0;
}
bool flag(const Json& object, const char* name) {
  bool value = false;
  return object[name].get(value) == simdjson::SUCCESS && value;
}
int32_t rate_ppm(const Json& object) {
  double basis_points = 0;
  EXPECT_EQ(object["rate_bp"].get(basis_points), simdjson::SUCCESS);
  return static_cast<int32_t>(basis_points * 100 + 0.5);
}
simdjson::dom::array array(const Json& object, const char* name) {
  simdjson::dom::array value;
  EXPECT_EQ(object[name].get(value), simdjson::SUCCESS) << name;
  return value;
}
TimeMs time_of(const Json& object, const char* name) { return parse_rfc3339(text(object, name)).value_or(0); }

Terms terms_of(const Json& contract) {
  Terms terms{flag(contract, "refund_fee_returned"), {}};
  for (const Json product : array(contract, "products")) {
    Price price = {
        .rate_ppm = rate_ppm(product), .cap_minor = number(product, "cap_minor"), .flat_minor = number(product, "flat_minor")};
    if (product["tiers"].error() == simdjson::SUCCESS) {
      const auto tiers = array(product, "tiers");
      price.upto_minor = number(tiers.at(0).value_unsafe(), "upto_minor");
      price.tier_rate_ppm = rate_ppm(tiers.at(0).value_unsafe());
      price.rate_ppm = rate_ppm(tiers.at(1).value_unsafe());
    }
    terms.products.push_back({text(product, "card_type"), text(product, "payment_method"), price});
  }
  return terms;
}

}  // namespace

std::string found_key(const std::string& rule, std::initializer_list<std::string> parts) {
  std::string key = rule;
  for (const std::string& part : parts) key += "|" + part;
  return key;
}

void Naive::take_reference(std::string_view topic, const Json& json) {
  const TimeMs effective_from = time_of(json, "effective_from"), recorded_at = time_of(json, "recorded_at");
  if (topic == "ref.merchant")
    merchants_[text(json, "merchant_id")].push_back({effective_from, recorded_at, text(json, "mcc")});
  if (topic == "ref.rate_contract") {
    EXPECT_GE(effective_from - time_of(json, "notice_at"), 30 * kDay);
    contracts_[text(json, "merchant_id")].push_back({effective_from, recorded_at, terms_of(json)});
  }
  if (topic == "ref.subscription" && text(json, "role") == "cardholder") {
    Subscription subscription{
        flag(json, "enabled"), flag(json, "min_notify_inclusive"), number(json, "min_notify_amount_minor"), {}};
    for (const Json channel : array(json, "channels"))
      subscription.channels.insert(std::string(channel.get_string().value_unsafe()));
    subscriptions_[text(json, "subject_id")] = subscription;
  }
  if (topic == "ref.issuer_sla")
    terms_[text(json, "issuer_id")] = {number(json, "submit_within_ms"), number(json, "critical_after_ms")};
  if (topic == "ref.mcc_tier") {
    const std::string tier = text(json, "tier");
    ranks_[text(json, "mcc")] = tier == "standard" ? 2 : tier == "preferential" ? 1 : 0;
  }
  if (topic == "ref.maintenance") maintenance_.insert({text(json, "id"), {time_of(json, "from"), time_of(json, "to")}});
}

void Naive::take(const GeneratedRecord& record) {
  const std::string_view topic = record.topic;
  if (topic == "sms.receipts") return;
  Json json;
  ASSERT_EQ(parser_.parse(record.value).get(json), simdjson::SUCCESS) << record.value;
  if (topic.starts_with("ref.")) return take_reference(topic, json);
  if (!seen_.insert(text(json, "event_id")).second) return;
  if (topic == "pos.transactions") take_transaction(json, record);
  if (topic == "pos.slips" && text(json, "status") != "failed") slips_.insert(text(json, "txn_id"));
  if (topic == "pos.settlements") {
    lines_.push_back({record.event_time, record.arrival, time_of(json, "txn_at"), text(json, "txn_id"), text(json, "line_type"),
                      text(json, "merchant_id"), text(json, "card_type"), text(json, "payment_method"),
                      text(json, "settled_mcc"), number(json, "amount_minor"), number(json, "fee_minor")});
  }
  if (topic == "sms.submissions" && text(json, "category") == "DEBIT" && text(json, "submit_status") == "accepted" &&
      text(json, "recipient_role") == "cardholder") {
    notices_.push_back({record.event_time, text(json, "txn_id"), text(json["parsed"].value_unsafe(), "card_last4").substr(1),
                        text(json, "channel"), number(json["parsed"].value_unsafe(), "amount_minor")});
  }
}

void Naive::take_transaction(const Json& json, const GeneratedRecord& record) {
  ++transactions_;
  const std::string type = text(json, "txn_type");
  if (text(json, "status") != "approved" || text(json, "reported_by") != "host") return;
  const std::string place = text(json, "merchant_id") + text(json, "terminal_id");
  if (type == "sale" || type == "preauth_completion") {
    const std::string attempt = place + text(json, "batch_no") + text(json, "stan");
    if (!attempts_.insert(attempt).second) return;  // a retransmission
    by_stan_[attempt] = by_id_[text(json, "txn_id")] = by_rrn_[text(json, "rrn")] = debits_.size();
    debits_.push_back({record.event_time,
                       record.arrival,
                       time_of(json, "host_at"),
                       text(json, "txn_id"),
                       text(json, "card_token"),
                       text(json, "card_last4").substr(1),
                       text(json, "card_type"),
                       text(json, "issuer_id"),
                       text(json, "merchant_id"),
                       text(json, "terminal_sn"),
                       text(json, "mcc"),
                       text(json, "order_no"),
                       text(json, "payment_method"),
                       number(json, "amount_minor"),
                       {}});
  } else if (type == "reversal" || type == "void" || type == "refund") {
    const Json original = json["original"].value_unsafe();
    std::string link = "rrn:" + text(original, "rrn");
    if (!text(original, "stan").empty()) link = "stan:" + place + text(original, "batch_no") + text(original, "stan");
    if (!text(original, "txn_id").empty()) link = "id:" + text(original, "txn_id");
    undoings_.push_back({link, {record.event_time, number(json, "amount_minor"), type}});
  }
}

void Naive::link_undone() {
  for (const auto& [link, undone] : undoings_) {
    const std::string value = link.substr(link.find(':') + 1);
    const auto& index = link[0] == 'i' ? by_id_ : link[0] == 's' ? by_stan_ : by_rrn_;
    ASSERT_TRUE(index.contains(value)) << link;
    debits_[index.at(value)].undone.push_back(undone);
  }
  for (Debit& debit : debits_) debit.slip = slips_.contains(debit.id);
}

namespace {

std::string resolution_of(const std::string& type) {
  return type == "reversal" ? "reversed" : type == "void" ? "voided" : "refunded";
}

// `net` of the debits that end with `last` and lie within `window` of it.
struct Stretch {
  std::vector<const Debit*> debits;
  int64_t net = 0;
};

Stretch stretch_of(const std::vector<const Debit*>& group, const Debit& last, DurationMs window) {
  Stretch stretch;
  int64_t gone = 0;
  for (const Debit* debit : group) {
    if (debit->at > last.at || debit->at < last.at - window) continue;
    stretch.debits.push_back(debit);
    for (const Undone& undone : debit->undone) gone += undone.at <= last.at ? undone.amount_minor : 0;
  }
  stretch.net = static_cast<int64_t>(stretch.debits.size()) - gone / last.amount_minor;
  return stretch;
}

}  // namespace

void Naive::find_duplicates(Found& found) {
  const std::set<std::string> repeat_purchase = {"4111", "4112", "4121", "4131", "4784", "7523"};
  std::unordered_map<std::string, std::vector<const Debit*>> groups;
  for (const Debit& debit : debits_) {
    if (repeat_purchase.contains(debit.mcc)) continue;
    groups[found_key("duplicate-debit", {debit.card, debit.merchant, std::to_string(debit.amount_minor)})].push_back(&debit);
  }
  for (auto& [key, group] : groups) {
    std::ranges::sort(group, {}, &Debit::at);
    if (group.size() > 1) judge_group(key, group, found);
  }
}

void Naive::judge_group(const std::string& key, const std::vector<const Debit*>& group, Found& found) {
  TimeMs raised_at = 0;
  std::string severity;
  Stretch last;
  for (const Debit* debit : group) {
    const Stretch stretch = stretch_of(group, *debit, 300 * kSecond);
    if (stretch.net < 2) {
      // The watch band may see two orders; nothing else.
      const Stretch hour = stretch_of(group, *debit, kHour);
      EXPECT_TRUE(hour.net < 2 || raised_at != 0) << key;
      continue;
    }
    last = stretch;
    const Debit& before = *stretch.debits[stretch.debits.size() - 2];
    const bool orders = !before.order.empty() && !debit->order.empty() && before.order != debit->order;
    const bool slips = std::ranges::all_of(stretch.debits, [](const Debit* each) { return each->slip; });
    severity = orders ? "info" : slips ? "medium" : "high";
    if (raised_at == 0) raised_at = debit->at;
  }
  if (raised_at == 0) return;
  std::vector<Undone> undone;
  for (const Debit* debit : last.debits) undone.insert(undone.end(), debit->undone.begin(), debit->undone.end());
  std::ranges::sort(undone, {}, &Undone::at);
  std::string resolution;
  int64_t gone = 0;
  for (const Undone& each : undone) {
    gone += each.amount_minor;
    if (!resolution.empty()) break;
    if (static_cast<int64_t>(last.debits.size()) - gone / group[0]->amount_minor <= 1) resolution = resolution_of(each.type);
  }
  found[key] = {raised_at, severity, resolution};
}

std::string Naive::registered_mcc(const std::string& merchant, TimeMs at, TimeMs now) const {
  const Version<std::string>* best = nullptr;
  for (const auto& version : merchants_.at(merchant)) {
    if (version.effective_from > at || version.recorded_at > now) continue;
    if (best == nullptr || version.effective_from > best->effective_from) best = &version;
  }
  return best == nullptr ? "" : best->row;
}

void Naive::find_jumps(Found& found) {
  struct Jump {
    TimeMs at, txn_at;
    std::string txn_id, seen, merchant;
    bool drop, settled, both;
  };
  std::map<std::string, std::vector<Jump>> jumps;
  std::map<std::string, std::vector<TimeMs>> debits;
  for (const Debit& debit : debits_) {
    debits[debit.terminal].push_back(debit.at);
    const std::string mcc = registered_mcc(debit.merchant, debit.at, debit.arrival);
    if (mcc == debit.mcc) continue;
    const bool drop = debit.card_type == "credit" && ranks_.at(debit.mcc) < ranks_.at(mcc);
    jumps[debit.terminal].push_back({debit.at, debit.at, debit.id, debit.mcc, debit.merchant, drop, false, false});
  }
  for (const Line& line : lines_) {
    if (line.type != "sale") continue;
    const Debit& debit = debits_.at(by_id_.at(line.txn_id));
    EXPECT_EQ(debit.at, line.txn_at);
    if (debit.mcc == line.settled_mcc) continue;
    const bool drop = debit.card_type == "credit" && ranks_.at(line.settled_mcc) < ranks_.at(debit.mcc);
    const bool both = registered_mcc(debit.merchant, debit.at, debit.arrival) != debit.mcc;
    jumps[debit.terminal].push_back({line.at, debit.at, debit.id, line.settled_mcc, debit.merchant, drop, true, both});
  }
  for (auto& [terminal, list] : jumps) {
    std::ranges::sort(list, {}, &Jump::at);
    const Jump& last = list.back();
    std::set<std::string> ids;
    for (const Jump& jump : list) ids.insert(jump.txn_id);
    const auto all = std::ranges::count_if(debits[terminal], [&](TimeMs at) { return at <= last.at; });
    const bool often = ids.size() >= 3 && static_cast<double>(ids.size()) >= 0.05 * static_cast<double>(all);
    const std::string severity = last.drop && (often || last.both) ? "critical"
                                 : last.drop || often || last.both ? "high"
                                                                   : "medium";
    std::string resolution;
    for (const auto& version : merchants_.at(last.merchant)) {
      if (!last.settled && version.row == last.seen && version.effective_from <= last.txn_at && version.recorded_at > last.at) {
        resolution = "registry_update";
      }
    }
    found[found_key("code-jump", {terminal})] = {list.front().at, severity, resolution};
  }
}

// The most specific product.
int64_t Naive::fee(const Terms& contract, const Line& line) const {
  const Price* best = nullptr;
  int best_score = -1;
  for (const Product& product : contract.products) {
    if (product.card_type != "*" && product.card_type != line.card_type) continue;
    if (product.method == "qr_*" && !line.method.starts_with("qr_")) continue;
    const int score = (product.method != "*" ? 2 : 0) + (product.card_type != "*" ? 1 : 0);
    if (score <= best_score) continue;
    best = &product.price;
    best_score = score;
  }
  return generation::fee_of(*best, line.amount_minor);
}

const Terms& Naive::contract_at(const Line& line) const {
  const Version<Terms>* best = nullptr;
  for (const auto& version : contracts_.at(line.merchant)) {
    if (version.effective_from > line.txn_at || version.recorded_at > line.arrival) continue;
    if (best == nullptr || version.effective_from > best->effective_from) best = &version;
  }
  return best->row;
}

void Naive::find_rates(Found& found) {
  struct Charged {
    int ups = 0, downs = 0, right = 0;
    int64_t excess = 0, given_back = 0;
    TimeMs raised_at = 0;
    std::string severity, resolution;
    const Line* last_hit = nullptr;
  };
  std::map<std::string, Charged> products;
  std::ranges::sort(lines_, {}, &Line::at);
  for (const Line& line : lines_) {
    Charged& product = products[found_key("rate-change", {line.merchant, line.card_type, line.method})];
    if (line.type == "adjustment") {
      product.given_back += line.amount_minor;
      if (product.raised_at != 0 && product.resolution.empty() && product.given_back >= product.excess)
        product.resolution = "refunded";
      continue;
    }
    const Terms& contract = contract_at(line);
    const int64_t full = fee(contract, line);
    const int64_t expected = line.type == "sale" ? full : contract.refund_fee_returned ? -full : 0;
    const int64_t diff = line.fee_minor - expected;
    const double off_bp = 1e4 * static_cast<double>(diff) / static_cast<double>(line.amount_minor);
    const bool up = diff > 1 && off_bp >= 0.5, down = diff < -1 && off_bp <= -0.5;
    if (up || down || line.amount_minor >= (diff == 0 ? 100'00 : 200'00)) {
      product.ups = up ? product.ups + 1 : 0;
      product.downs = down ? product.downs + 1 : 0;
      product.right = up || down ? 0 : product.right + 1;
    }
    if (up) product.excess += diff;
    if ((up && (product.ups >= 3 || (diff >= 100 && off_bp >= 5))) || (down && product.downs >= 3)) {
      if (product.raised_at == 0) product.raised_at = line.at;
      product.severity = down ? "info" : "high";
      product.last_hit = &line;
    }
    if (product.raised_at != 0 && product.resolution.empty() && product.right >= 3) product.resolution = "recovered";
  }
  for (auto& [key, product] : products) {
    if (product.raised_at == 0) continue;
    const Line& last = *product.last_hit;
    for (const auto& version : contracts_.at(last.merchant)) {
      const bool later = version.recorded_at > last.at && version.effective_from <= last.txn_at;
      if (product.resolution.empty() && later && last.fee_minor - fee(version.row, last) <= 1)
        product.resolution = "registry_update";
    }
    found[key] = {product.raised_at, product.severity, product.resolution};
  }
}

// When each debit's holder was told, on a channel agreed on; by tail and amount where there is no id, one to one.
std::map<std::string, std::vector<TimeMs>> Naive::told() {
  std::map<std::string, std::vector<TimeMs>> told;
  std::multimap<std::string, const Debit*> by_tail;
  for (const Debit& debit : debits_) by_tail.insert({debit.tail + "/" + std::to_string(debit.amount_minor), &debit});
  for (const Notice& notice : notices_) {
    std::string id = notice.txn_id;
    if (id.empty()) {
      const auto [first, last] = by_tail.equal_range(notice.tail + "/" + std::to_string(notice.amount_minor));
      int candidates = 0;
      for (auto at = first; at != last; ++at) {
        if (at->second->at < notice.at - 30 * kMinute || at->second->at > notice.at + 10 * kMinute) continue;
        id = at->second->id;
        ++candidates;
      }
      EXPECT_EQ(candidates, 1) << "a message by tail that could be another debit's";
    }
    if (by_id_.contains(id) && subscriptions_.at(debits_[by_id_.at(id)].card).channels.contains(notice.channel)) {
      told[id].push_back(notice.at);
    }
  }
  return told;
}

void Naive::find_unsent(Found& found) {
  const auto all_told = told();
  for (const Debit& debit : debits_) {
    const Subscription& subscription = subscriptions_.at(debit.card);
    const int64_t least = subscription.min_notify_minor + (subscription.inclusive ? 0 : 1);
    if (!subscription.enabled || debit.amount_minor < least) continue;
    const Term& term = terms_.at(debit.issuer);
    const TimeMs known_at = std::max(debit.at, debit.host_at);
    TimeMs due_at = known_at + term.submit_within, critical_at = known_at + term.critical_after;
    const auto [first, last] = maintenance_.equal_range(debit.issuer);
    for (auto at = first; at != last; ++at) {
      if (due_at < at->second.first || due_at >= at->second.second) continue;
      const DurationMs hold = at->second.second - due_at + 300 * kSecond;
      due_at += hold;
      critical_at += hold;
      break;
    }
    std::pair<TimeMs, std::string> end = {kAfterAllTime, ""};
    if (const auto told = all_told.find(debit.id); told != all_told.end()) end = {std::ranges::min(told->second), "late_sms"};
    for (const Undone& undone : debit.undone) {
      if (undone.type == "refund" || undone.amount_minor < debit.amount_minor) continue;
      end = std::min(end, std::pair{undone.at, resolution_of(undone.type)});
    }
    if (end.first <= due_at) continue;
    found[found_key("notify-unsent", {debit.id})] = {due_at, end.first > critical_at ? "critical" : "medium", end.second};
  }
}

Found Naive::alerts() {
  Found found;
  link_undone();
  find_duplicates(found);
  find_jumps(found);
  find_rates(found);
  find_unsent(found);
  return found;
}

}  // namespace tillwatch::connectors::naive
