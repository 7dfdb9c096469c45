// Windows that slide over a long log say what a look at every event says: the same traffic, of few keys with very many events,
// goes through the same rules once with windows that slide and once without.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

// Each trigger is an alert of its own whose message has every aggregate.
constexpr const char* kRules = R"(
streams:
  sale:
    topic: sales
    time: happened_at
    id: id
    lateness: 30s
    accept: 24h where offline
    fields:
      id: string
      happened_at: time @ "at"
      shop: string
      kind: enum(sale, refund, other)
      amount: money(minor, CNY)?
      clerk: string?
      offline: bool
  mark:
    topic: marks
    time: happened_at
    id: id
    lateness: 30s
    fields: {id: string, happened_at: time @ "at", shop: string, weight: int}
---
rule: everything
version: 1
on: sale as s
key: [shop]
let:
  large: (s.amount ?? 0) > 60_00
  n: count(this over 10m)
  sales: count(this where kind == sale over 10m)
  took: sum(amount of this where has(amount) over 10m)
  usual: avg(amount of this where kind == sale and has(amount) over 10m)
  low: min(amount of this where has(amount) over 10m)
  high: max(happened_at of this where kind == refund over 10m)
  clerks: distinct(clerk of this where has(clerk) over 10m)
  refunds: ratio(kind == refund of this over 10m)
  run: streak(large of this over 10m)
  calm: streak(not large of this where kind == sale over 10m)
  before: last(clerk of this where has(clerk) and large over 10m)
  oldest: first(clerk of this where kind == refund and has(clerk) over 10m)
  marks: count(mark over 5m)
  weight: sum(weight of mark where weight > 3 over 5m)
  heaviest: max(weight of mark over 5m)
  today: count(this over 10m every 1m)
when: n >= 1
quiet: 0s
severity: low
resolve:
  - when: count(mark where weight == 9 over 2m) >= 30
    reason: recovered
message:
  en: '{n} {sales} {took} {usual ?? 0} {low ?? 0} {high ?? s.happened_at:time} {clerks} {refunds ?? 0%} {run} {calm} {before ?? "nobody"} {oldest ?? "nobody"} {marks} {weight} {heaviest ?? 0} {today}'
  zh: x
)";

std::vector<Fed> traffic(uint64_t seed, int shops) {
  std::mt19937_64 random(seed);
  std::vector<Fed> records;
  TimeMs now = kNoon;
  for (int i = 0; i < 1500; ++i) {
    now += static_cast<TimeMs>(random() % 1500);
    const std::string shop = fmt::format("S{}", random() % static_cast<uint64_t>(shops));
    // Overtaken within the lateness, late beyond it, or hours late and accepted.
    const uint64_t dice = random() % 100;
    const TimeMs back = dice < 20 ? static_cast<TimeMs>(random() % 30'000) : dice < 23 ? 60'000 : 0;
    const bool offline = dice >= 97;
    const TimeMs at = now - (offline ? static_cast<TimeMs>(random() % 500'000) : back);
    if (random() % 3 == 0) {
      records.push_back(
          {"marks", 0, now, fmt::format(R"({{"id":"m{}","at":{},"shop":"{}","weight":{}}})", i, at, shop, random() % 10)});
      continue;
    }
    std::string json = fmt::format(R"({{"id":"s{}","at":{},"shop":"{}","kind":"{}")", i, at, shop,
                                   random() % 7 == 0    ? "refund"
                                   : random() % 20 == 0 ? "other"
                                                        : "sale");
    if (random() % 9 != 0) json += fmt::format(R"(,"minor":{})", random() % 10'000);
    if (random() % 5 != 0) json += fmt::format(R"(,"clerk":"C{}")", random() % 12);
    json += fmt::format(R"(,"offline":{})", offline);
    records.push_back({"sales", 0, now, json + "}"});
    if (random() % 40 == 0) records.push_back(records.back());
    if (random() % 60 == 0) {  // the same fact again, said to have happened earlier
      Fed again = records.back();
      again.json.replace(again.json.find(std::to_string(at)), std::to_string(at).size(), std::to_string(at - 500));
      records.push_back(again);
    }
  }
  return records;
}

std::map<std::string, std::string> run(const std::shared_ptr<const rules::CompiledBundle>& bundle,
                                       const std::vector<Fed>& records, size_t batch_size, size_t crash_at) {
  World world(bundle);
  const std::vector<Fed> first(records.begin(), records.begin() + static_cast<ptrdiff_t>(crash_at));
  const std::vector<Fed> rest(records.begin() + static_cast<ptrdiff_t>(crash_at), records.end());
  world.feed(first, batch_size);
  world.crash();
  world.feed(rest, batch_size);
  world.run_on_to(records.back().arrival + kHour);
  return world.standing();
}

std::shared_ptr<rules::CompiledBundle> bundle(bool sliding) {
  auto loaded = std::const_pointer_cast<rules::CompiledBundle>(load_rule_texts({{"rules.yaml", kRules}}));
  int slide = 0;
  for (const auto& rule : loaded->rules) {
    for (rules::CompiledAggregate& aggregate : rule->aggregates) {
      slide += aggregate.slides;
      aggregate.slides = aggregate.slides && sliding;
    }
  }
  EXPECT_GE(slide, 17) << "aggregates of these rules that can slide";
  return loaded;
}

TEST(SlidingWindow, SaysWhatALookAtEveryEventSays) {
  const auto sliding = bundle(true), looking = bundle(false);
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const std::vector<Fed> records = traffic(seed, 1 + static_cast<int>(seed % 3));
    const size_t batch = seed % 3 == 0 ? 1 : 40 * seed;
    SCOPED_TRACE(fmt::format("seed {}, batches of {}", seed, batch));
    const auto wanted = run(looking, records, 100, 0);
    ASSERT_GT(wanted.size(), 500u);
    const auto came = run(sliding, records, batch, records.size() / 2);
    EXPECT_EQ(wanted.size(), came.size());
    int shown = 0;
    for (const auto& [id, alert] : wanted) {
      const auto other = came.find(id);
      if (other != came.end() && other->second == alert) continue;
      ADD_FAILURE() << "expected: " << alert << "\ncame:     " << (other == came.end() ? "nothing" : other->second);
      if (++shown == 3) return;
    }
  }
}

}  // namespace
}  // namespace tillwatch::engine
