// The same records end in the same standing alerts, whatever order partitions are read in and whatever the batches are.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "engine/demo.h"
#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

constexpr TimeMs kStart = 1'795'276'800'000;  // 2026-11-22T00:00:00+08:00

connectors::GeneratorOptions busy_hour(uint64_t seed) {
  connectors::GeneratorOptions options;
  options.seed = seed;
  options.start = kStart + 12 * kHour;
  options.length = 40 * kMinute;
  options.events_per_second = 3;
  options.daily_shape = false;
  options.merchants = 40;
  options.cards = 2400;  // as in the demo, 800 a record per second: fewer come so often that rules on frequency speak of them
  options.partitions = 3;
  options.settlement_delay = 3 * kMinute;
  for (const char* kind :
       {connectors::kDuplicateDebit, connectors::kCodeJump, connectors::kRateChange, connectors::kNotifyUnsent}) {
    options.anomalies[kind] = 8;
  }
  return options;
}

// Reference tables are read to their end before anything else, as at a cold start; the rest in any order that keeps each
// partition's.
std::vector<Fed> interleaved(const std::vector<Fed>& records, uint64_t seed) {
  std::vector<Fed> result;
  std::map<std::pair<std::string, int32_t>, std::vector<const Fed*>> partitions;
  for (const Fed& record : records) {
    if (record.topic.starts_with("ref.")) {
      result.push_back(record);
    } else {
      partitions[{record.topic, record.partition}].push_back(&record);
    }
  }
  std::mt19937_64 random(seed);
  std::vector<std::pair<std::vector<const Fed*>*, size_t>> left;
  for (auto& [name, list] : partitions) left.push_back({&list, 0});
  // Runs of random length from random partitions: from finely mixed to one after another.
  const size_t longest = 1 + random() % 2000;
  while (!left.empty()) {
    const size_t which = random() % left.size();
    for (size_t n = 1 + random() % longest; n > 0 && left[which].second < left[which].first->size(); --n) {
      result.push_back(*(*left[which].first)[left[which].second++]);
    }
    if (left[which].second == left[which].first->size()) left.erase(left.begin() + static_cast<ptrdiff_t>(which));
  }
  return result;
}

std::map<std::string, std::string> run(const std::shared_ptr<const rules::CompiledBundle>& bundle,
                                       const std::vector<Fed>& records, size_t batch_size, size_t workers, TimeMs end,
                                       size_t state_bytes = rules::Shard::kNoBudget) {
  PipelineOptions options;
  options.workers = workers;
  options.state_bytes = state_bytes;
  World world(bundle, options);
  world.feed(records, batch_size);
  world.run_on_to(end);
  EXPECT_TRUE(world.pipeline().ledger().balanced());
  return world.standing();
}

void expect_same(const std::map<std::string, std::string>& wanted, const std::map<std::string, std::string>& came,
                 const std::string& what) {
  if (wanted == came) return;
  ADD_FAILURE() << what << ": " << wanted.size() << " alerts expected, " << came.size() << " came";
  int shown = 0;
  for (const auto& [id, alert] : wanted) {
    const auto other = came.find(id);
    if (other != came.end() && other->second == alert) continue;
    if (++shown > 3) return;
    ADD_FAILURE() << "expected: " << alert << "\ncame:     " << (other == came.end() ? "nothing" : other->second);
  }
  for (const auto& [id, alert] : came) {
    if (!wanted.contains(id) && ++shown <= 3) ADD_FAILURE() << "too many: " << alert;
  }
}

class Order : public testing::Test {
 protected:
  static std::shared_ptr<const rules::CompiledBundle> bundle() {
    static const auto rules = load_rules({"rules/packs/payments"});
    return rules;
  }
};

// A hundred interleavings in ten parts, which the shards of a test run share.
constexpr int kParts = 10;

class OrderParts : public Order, public testing::WithParamInterface<int> {};

TEST_P(OrderParts, AnyInterleavingAndAnyBatchEndsInTheSameAlerts) {
  const char* runs_text = std::getenv("TILLWATCH_INTERLEAVINGS");
  const int runs = runs_text != nullptr ? std::atoi(runs_text) : 100;
  const Traffic traffic = generate(busy_hour(7));
  const TimeMs end = traffic.records.back().arrival + 30 * kMinute;
  const auto wanted = run(bundle(), traffic.records, 500, 1, end);
  ASSERT_GE(wanted.size(), traffic.truth.size());
  int done = 0;
  for (int i = GetParam(); i < runs && !HasFailure(); i += kParts, ++done) {
    const uint64_t seed = 1000 + static_cast<uint64_t>(i);
    const size_t batch = (i + i / kParts) % kParts == 0 ? 1 : i % 3 == 0 ? 10'000 : 50 + seed % 700;
    const std::string what = "seed " + std::to_string(seed) + ", batches of " + std::to_string(batch);
    SCOPED_TRACE(what);
    expect_same(wanted, run(bundle(), interleaved(traffic.records, seed), batch, 1 + static_cast<size_t>(i / kParts % 2), end),
                what);
  }
  RecordProperty("interleavings", done);
  std::printf("order: %d interleavings, seeds from %d in steps of %d, %zu records, %zu standing alerts\n", done,
              1000 + GetParam(), kParts, traffic.records.size(), wanted.size());
}

INSTANTIATE_TEST_SUITE_P(Tenths, OrderParts, testing::Range(0, kParts));

// With no room at all each commit leaves every key to the store, and the next event or wake-up reads it back.
TEST_F(Order, AKeyReadBackFromTheStoreIsWhatItWas) {
  const Traffic traffic = generate(busy_hour(7));
  const TimeMs end = traffic.records.back().arrival + 30 * kMinute;
  const auto wanted = run(bundle(), traffic.records, 500, 1, end);
  for (int i = 0; i < 20; ++i) {
    const uint64_t seed = 5000 + static_cast<uint64_t>(i);
    const size_t batch = i % 10 == 0 ? 7 : 20 + seed % 400;
    const size_t room = i % 2 == 0 ? 0 : 1 << 20;
    const std::string what =
        "seed " + std::to_string(seed) + ", batches of " + std::to_string(batch) + ", room for " + std::to_string(room);
    expect_same(wanted, run(bundle(), interleaved(traffic.records, seed), batch, 1 + static_cast<size_t>(i % 2), end, room),
                what);
    if (HasFailure()) break;
  }
}

TEST_F(Order, TheTruthIsWhatIsSaid) {
  for (uint64_t seed : {11, 12, 13}) {
    const Traffic traffic = generate(busy_hour(seed));
    World world(bundle());
    world.feed(traffic.records, 1000);
    world.run_on_to(traffic.records.back().arrival + 30 * kMinute);
    Scorecard card;
    for (const auto& [id, alert] : world.alerts()) card.note(alert);
    for (const std::string& line : card.differences(traffic.truth, Language::en))
      ADD_FAILURE() << "seed " << seed << ": " << line;
  }
}

TEST_F(Order, ACrashBetweenCommitsChangesNothing) {
  const Traffic traffic = generate(busy_hour(21));
  const TimeMs end = traffic.records.back().arrival + 30 * kMinute;
  const auto wanted = run(bundle(), traffic.records, 400, 1, end);
  for (const size_t room : {rules::Shard::kNoBudget, size_t{0}}) {
    PipelineOptions options;
    options.state_bytes = room;
    World world(bundle(), options);
    std::mt19937_64 random(5);
    for (size_t at = 0; at < traffic.records.size();) {
      const size_t n = std::min(traffic.records.size() - at, 1 + random() % 900);
      world.feed(
          {traffic.records.begin() + static_cast<ptrdiff_t>(at), traffic.records.begin() + static_cast<ptrdiff_t>(at + n)},
          300);
      at += n;
      world.crash();
    }
    world.run_on_to(end);
    expect_same(wanted, world.standing(), room == 0 ? "crashes, without room" : "crashes");
  }
}

}  // namespace
}  // namespace tillwatch::engine
