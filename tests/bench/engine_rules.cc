#include "tests/bench/engine_rules.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/pipeline.h"
#include "tests/bench/engine_workload.h"
#include "tests/bench/progress.h"
#include "tests/engine/world.h"

namespace tillwatch::engine::bench {
namespace {

constexpr size_t kBatch = 20'000;
constexpr std::array<int, 4> kCounts = {1, 10, 100, 500};

// How much of the traffic a rule has to do with.
enum class Share : uint8_t { none, tenth, all };
constexpr std::array<Share, 3> kShares = {Share::none, Share::tenth, Share::all};

using Texts = std::vector<std::pair<std::string, std::string>>;

Texts schema_of_the_pack() {
  const std::filesystem::path pack = TILLWATCH_SOURCE_DIR "/rules/packs/payments";
  Texts texts;
  const auto add = [&](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    texts.emplace_back(path.lexically_relative(pack).string(), text.str());
  };
  add(pack / "schema.yaml");
  for (const auto& list : std::filesystem::directory_iterator(pack / "lists")) add(list.path());
  return texts;
}

// Velocity of a card, takings of a terminal, spread of a merchant, in turn, each with thresholds of its own.
std::string rule_text(int number, Share share) {
  const std::string where = share == Share::none    ? fmt::format("mcc == \"{:04}\"", number)  // codes below 0742 are nobody's
                            : share == Share::tenth ? fmt::format("card_last4 ends_with \"{}\"", number % 10)
                                                    : fmt::format("amount >= {}", 1 + number);
  const std::string head =
      fmt::format("---\nrule: number-{}\nversion: 1\non: debit as d\nwhere: has(card_last4) and {}\n", number, where);
  const std::string tail = "severity: low\nmessage: {en: \"{n}\", zh: \"{n}\"}\n";
  switch (number % 3) {
    case 0:
      return head + fmt::format("key: [card_token]\nlet:\n  n: count(this over {}m)\nwhen: n >= 25\n", 5 + number % 20) + tail;
    case 1:
      return head +
             fmt::format("key: [merchant_id, terminal_id]\nlet:\n  n: sum(amount of this over {}m)\nwhen: n > 9_000_000_00\n",
                         5 + number % 20) +
             tail;
    default:
      return head +
             fmt::format("key: [merchant_id]\nlet:\n  n: distinct(card_token of this over {}m)\nwhen: n > 100_000\n",
                         5 + number % 20) +
             tail;
  }
}

std::shared_ptr<const rules::CompiledBundle> rules_of(int count, Share share) {
  static const Texts schema = schema_of_the_pack();
  Texts texts = schema;
  std::string rules;
  for (int number = 1; number <= count; ++number) rules += rule_text(number, share);
  texts.emplace_back("many.yaml", std::move(rules));
  return load_rule_texts(texts);
}

// Processor nanoseconds a record, one thread, in memory.
double run(const std::shared_ptr<const rules::CompiledBundle>& bundle, const Workload& workload,
           const std::deque<connectors::RecordBatch>& batches) {
  Pipeline pipeline(bundle, {}, nullptr);
  require(pipeline.load(), "loading the state");
  pipeline.set_inputs(workload.inputs());
  timespec began{}, ended{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
  for (const connectors::RecordBatch& batch : batches) {
    require(pipeline.process(batch, batch.records().back().arrived_at), "taking records in");
    require(pipeline.settle(), "moving the clocks");
    Outcome outcome;
    state::WriteSet changes;
    require(pipeline.collect(outcome, changes), "collecting");
    pipeline.confirm();
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
  const double seconds =
      static_cast<double>(ended.tv_sec - began.tv_sec) + static_cast<double>(ended.tv_nsec - began.tv_nsec) / 1e9;
  return seconds * 1e9 / static_cast<double>(workload.records().size());
}

const char* name_of(Share share) {
  return share == Share::none ? "no debit" : share == Share::tenth ? "every tenth debit" : "every debit";
}

}  // namespace

void print_rule_counts(size_t records, int repetitions) {
  // Only the debits' topic is read, so that a record is a transaction.
  const Workload workload(rules_of(1, Share::all), records);
  const auto batches = workload.batches(kBatch);
  std::vector<std::vector<double>> cost(kShares.size() * kCounts.size());
  Progress progress;
  for (int i = 0; i < repetitions; ++i) {
    for (size_t share = 0; share < kShares.size(); ++share) {
      for (size_t count = 0; count < kCounts.size(); ++count) {
        progress.at(
            fmt::format("rules, run {} of {}: {} that want {}", i + 1, repetitions, kCounts[count], name_of(kShares[share])));
        cost[share * kCounts.size() + count].push_back(run(rules_of(kCounts[count], kShares[share]), workload, batches));
      }
    }
  }
  fmt::print(
      "\n## How many rules\n\n{} transactions of one hour, in memory, one thread, processor time, median of {} interleaved "
      "runs. Rules on "
      "velocity, takings and spread in turn, each with a condition, a window and a threshold of its own.\n\n",
      workload.records().size(), repetitions);
  fmt::print("| each rule wants | rules | ns/record | records/s | ns a record and rule |\n|---|---:|---:|---:|---:|\n");
  for (size_t share = 0; share < kShares.size(); ++share) {
    const double one = median(cost[share * kCounts.size()]);
    for (size_t count = 0; count < kCounts.size(); ++count) {
      const double ns = median(cost[share * kCounts.size() + count]);
      const std::string more = count == 0 ? "" : fmt::format("{:.0f}", (ns - one) / (kCounts[count] - 1));
      fmt::print("| {} | {} | {:.0f} | {:.0f} | {} |\n", name_of(kShares[share]), kCounts[count], ns, 1e9 / ns, more);
    }
  }
}

}  // namespace tillwatch::engine::bench
