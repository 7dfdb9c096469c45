// Rules that change while the engine runs: whole or not at all, with the state that can be kept, and nothing lost or said
// twice.
#include "engine/rule_reload.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <map>

#include "connectors/memory_sink.h"
#include "connectors/memory_source.h"
#include "engine/json_path.h"
#include "engine/rule_bundle.h"
#include "rules/runtime/bundle_plan.h"
#include "rules/runtime/state_format.h"
#include "tests/cli/program.h"
#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

using testing::HasSubstr;

constexpr const char* kSchema = R"(streams:
  sale:
    topic: sales
    time: sold_at
    id: [number]
    lateness: 1s
    fields: {number: string, sold_at: time, card: string, shop: string, amount: int}
  void:
    topic: voids
    time: voided_at
    id: [number]
    fields: {number: string, voided_at: time, card: string}
)";

std::string pair_rule(const std::string& severity, const std::string& words, const std::string& key = "card") {
  return "rule: pair\nversion: 1\non: sale as s\nkey: [" + key +
         "]\nlet:\n  n: count(this over 10m)\nwhen: n >= 2\nseverity: " + severity +
         "\nquiet: 1m\nresolve:\n  - on: void\n    by: card = " + key + "\n  - after: 1d\nmessage: {en: \"" + words +
         " {n}\", zh: \"{n}\"}\n";
}
constexpr const char* kUnvoided =
    "rule: unvoided\nversion: 1\non: sale as s\nwhere: amount > 900\nkey: [card]\nthen:\n  - absent: void\n    within: "
    "5m\nseverity: low\nresolve:\n  - on: void\n  - "
    "after: 1d\nmessage: {en: none, zh: none}\n";

TimeMs noon() { return *parse_rfc3339("2026-11-22T12:00:00+08:00"); }

struct Said {
  std::string id, status, severity, rule, message;
};

std::vector<Said> said(const connectors::MemorySink& sink) {
  std::vector<Said> all;
  for (const std::string& value : sink.values("alerts")) {
    rapidjson::Document json;
    json.Parse(value.c_str());
    all.push_back({text_at(json, "alert_id"), text_at(json, "status"), text_at(json, "severity"), text_at(json, "rule_id"),
                   text_at(json, "message_en")});
  }
  return all;
}

// An engine on sources and sinks in memory, with its rules in files.
class ReloadTest : public testing::Test {
 protected:
  void SetUp() override {
    write_rules(pair_rule("low", "seen"));
    folder_.write("unvoided.yaml", kUnvoided);
    folder_.write("schema.yaml", kSchema);
  }
  void write_rules(const std::string& text) { folder_.write("pair.yaml", text); }

  std::shared_ptr<const rules::CompiledBundle> bundle() {
    std::ostringstream messages;
    RuleBundleReport report;
    auto loaded = load_rule_bundle({folder_.path()}, false, messages, report);
    EXPECT_NE(loaded, nullptr) << messages.str();
    return loaded;
  }

  // Sales of twenty cards, one every ten seconds, some voided; returns how many.
  int push_sales(connectors::MemorySource& source, int from, int count) {
    for (int i = from; i < from + count; ++i) {
      const TimeMs at = noon() + i * 10 * kSecond;
      const std::string card = "c" + std::to_string(i * 7 % 20);
      source.push(0, at,
                  R"({"number":"n)" + std::to_string(i) + R"(","sold_at":)" + std::to_string(at) + R"(,"card":")" + card +
                      R"(","shop":"s)" + std::to_string(i % 3) + R"(","amount":)" + std::to_string(i * 37 % 1000) + "}");
      if (i % 11 == 0) {
        source.push(
            1, at,
            R"({"number":"v)" + std::to_string(i) + R"(","voided_at":)" + std::to_string(at) + R"(,"card":")" + card + "\"}");
      }
    }
    return count;
  }

  TestFolder folder_;
};

RunnerOptions small_batches() {
  RunnerOptions options;
  options.pipeline.shards = 4;
  options.max_records = 7;
  return options;
}

TEST_F(ReloadTest, FiftyReloadsGoodAndBadUnderLoadLoseAndRepeatNothing) {
  constexpr int kSales = 1200;
  const auto run = [&](bool reloading, connectors::MemorySink& sink, uint64_t& accepted, uint64_t& refused) {
    write_rules(pair_rule("low", "seen"));
    folder_.write("unvoided.yaml", kUnvoided);
    connectors::MemorySource source({{"sales", 0}, {"voids", 0}});
    push_sales(source, 0, kSales);
    source.finish_all();
    const auto store = state::make_memory_store();
    const auto first = bundle();
    Runner runner(first, small_batches(), source, sink, *store);
    RuleReload reloads({.paths = {folder_.path()}}, runner, first);
    int batches = 0, turns = 0;
    runner.between_batches([&]() -> Status {
      if (!reloading || ++batches % 3 != 0 || turns >= 50) return {};
      switch (turns++ % 5) {
        case 0:
          write_rules(pair_rule("low", "seen again"));
          break;
        case 1:
          write_rules("rule: pair\nversion: 1\non: sal as s\nkey: [card]\n");
          break;  // a mistake
        case 2:
          write_rules(pair_rule("low", "seen") + "doc: another text\n");
          break;
        case 3:
          write_rules(pair_rule("low", "seen", "shop"));
          break;  // would lose state
        default:
          write_rules(pair_rule("low", "seen").substr(0, 90));
          break;  // half written
      }
      return reloads.look(true);
    });
    ASSERT_TRUE(runner.recover().has_value());
    const std::atomic<bool> stop{false};
    const Status ended = runner.run(stop);
    ASSERT_TRUE(ended.has_value()) << ended.error().message;
    accepted = reloads.accepted();
    refused = reloads.rejected();
  };
  uint64_t accepted = 0, refused = 0, none = 0;
  connectors::MemorySink calm(connectors::MemorySink::Kind::follows), busy(connectors::MemorySink::Kind::follows);
  run(false, calm, none, none);
  run(true, busy, accepted, refused);
  EXPECT_EQ(accepted, 20U);
  EXPECT_EQ(refused, 30U);
  // Every record of every alert, but for those about the rules and the words of the day.
  const auto counted = [](const connectors::MemorySink& sink) {
    std::map<std::string, int> counts;
    for (const Said& each : said(sink)) {
      if (each.rule != "rules-refused") ++counts[each.rule + " " + each.id + " " + each.status + " " + each.severity];
    }
    return counts;
  };
  EXPECT_GT(counted(calm).size(), 50U);
  EXPECT_EQ(counted(calm), counted(busy));
  int refusals = 0, ends = 0;
  for (const Said& each : said(busy)) {
    if (each.rule == "rules-refused") ++(each.status == "resolved" ? ends : refusals);
  }
  EXPECT_EQ(refusals, 30);
  EXPECT_EQ(ends, 19);  // the first reload was good, the last bad ones stand
}

TEST_F(ReloadTest, ANewRuleIsInShadowUntilItsWindowsAreFull) {
  connectors::MemorySource source({{"sales", 0}, {"voids", 0}});
  connectors::MemorySink sink(connectors::MemorySink::Kind::follows);
  push_sales(source, 0, 300);  // fifty minutes
  source.finish_all();
  const auto store = state::make_memory_store();
  const auto first = bundle();
  Runner runner(first, small_batches(), source, sink, *store);
  RuleReload reloads({.paths = {folder_.path()}}, runner, first);
  int batches = 0;
  TimeMs added_at = 0;
  runner.between_batches([&]() -> Status {
    if (++batches != 10) return {};
    added_at = runner.pipeline().watermarks().latest();
    folder_.write("often.yaml",
                  "rule: often\nversion: 1\non: sale as s\nkey: [shop]\nlet:\n  n: count(this over 10m)\nwhen: n >= 3\n"
                  "severity: low\nquiet: 10s\nresolve:\n  - after: 20s\nmessage: {en: \"{n}\", zh: \"{n}\"}\n");
    return reloads.look(true);
  });
  ASSERT_TRUE(runner.recover().has_value());
  const std::atomic<bool> stop{false};
  std::vector<AlertRecord> often;
  runner.watch([&](const CommitReport& report) {
    for (const AlertRecord& each : report.outcome->alerts) {
      if (each.rule == "often" && each.first) often.push_back(each);
    }
  });
  ASSERT_TRUE(runner.run(stop).has_value());
  size_t in_shadow = 0;
  for (const AlertRecord& each : often) {
    // As far as the store's clocks had come, which lag by the lateness.
    if (each.raised_at < added_at + 10 * kMinute - 2 * kSecond) {
      EXPECT_TRUE(each.shadow) << format_rfc3339(each.raised_at);
      ++in_shadow;
    } else {
      EXPECT_FALSE(each.shadow) << format_rfc3339(each.raised_at);
    }
  }
  EXPECT_GT(in_shadow, 0U);
  EXPECT_GT(often.size(), in_shadow);
  for (const Said& each : said(sink)) EXPECT_NE(each.id, often.front().id) << "a shadow is not sent";
}

// Edge case E85: whoever waits when a window changes keeps the deadline it was given, over a crash too; who comes later has the
// new one.
TEST_F(ReloadTest, AChangedWindowKeepsTheDeadlinesThatRun) {
  const std::string changed = [] {
    std::string text = kUnvoided;
    text.replace(text.find("version: 1"), 10, "version: 2");
    return text.replace(text.find("within: 5m"), 10, "within: 10m");
  }();
  for (const bool crash : {false, true}) {
    folder_.write("unvoided.yaml", kUnvoided);
    connectors::MemorySource source({{"sales", 0}, {"voids", 0}});
    connectors::MemorySink sink(connectors::MemorySink::Kind::follows);
    const auto sale = [&](const std::string& card, TimeMs at, int amount) {
      source.push(0, at,
                  fmt::format(R"({{"number":"{0}{1}","sold_at":{1},"card":"{0}","shop":"s","amount":{2}}})", card, at, amount));
    };
    sale("before", noon(), 950);
    sale("after", noon() + kMinute, 950);
    for (int minute = 2; minute < 30; ++minute) {
      const TimeMs at = noon() + minute * kMinute;
      sale("small", at, 1);
      source.push(1, at, fmt::format(R"({{"number":"v{0}","voided_at":{0},"card":"other"}})", at));
    }
    source.finish_all();
    const auto store = state::make_memory_store();
    RunnerOptions options = small_batches();
    options.max_records = 1;
    const std::atomic<bool> stop{false};
    std::map<std::string, std::pair<TimeMs, std::string>> raised;  // by card: when, and by which version
    const auto note = [&](const CommitReport& report) {
      for (const AlertRecord& each : report.outcome->alerts) {
        if (each.rule == "unvoided" && each.first) {
          rapidjson::Document json;
          json.Parse(each.json.c_str());
          raised[each.key[0].second] = {each.raised_at, text_at(json, "rule_version")};
        }
      }
    };
    const auto first = bundle();
    auto runner = std::make_unique<Runner>(first, options, source, sink, *store);
    RuleReload reloads({.paths = {folder_.path()}}, *runner, first);
    int batches = 0;
    std::atomic<bool> stop_for_crash{false};
    runner->between_batches([&]() -> Status {
      stop_for_crash = crash;  // behind the first batch
      if (++batches != 2) return {};
      folder_.write("unvoided.yaml", changed);
      return reloads.look(true);
    });
    runner->watch(note);
    ASSERT_TRUE(runner->recover().has_value());
    ASSERT_TRUE(runner->run(crash ? stop_for_crash : stop).has_value());
    if (crash) {
      ASSERT_TRUE(raised.empty());
      folder_.write("unvoided.yaml", changed);
      runner = std::make_unique<Runner>(bundle(), options, source, sink, *store);
      runner->watch(note);
      ASSERT_TRUE(runner->recover().has_value());
      ASSERT_TRUE(runner->run(stop).has_value());
    } else {
      EXPECT_EQ(reloads.accepted(), 1U);
    }
    ASSERT_EQ(raised.size(), 2U);
    EXPECT_EQ(raised["\"before\""].first, noon() + 5 * kMinute) << "crash: " << crash;
    EXPECT_EQ(raised["\"after\""].first, noon() + 11 * kMinute) << "crash: " << crash;
    for (const auto& [card, alert] : raised) EXPECT_EQ(alert.second, "2") << "the version that raised it";
  }
}

TEST_F(ReloadTest, ARestartWithAnotherTextKeepsStateAndOneThatReadsOtherTopicsNeedsIt) {
  connectors::MemorySource source({{"sales", 0}, {"voids", 0}});
  connectors::MemorySink sink(connectors::MemorySink::Kind::follows);
  const auto store = state::make_memory_store();
  const auto sale = [&](int number, TimeMs at) {
    source.push(0, at,
                R"({"number":"n)" + std::to_string(number) + R"(","sold_at":)" + std::to_string(at) +
                    R"(,"card":"c","shop":"s","amount":1})");
  };
  std::atomic<bool> stop{false};
  const auto run = [&](Runner& runner) {  // until it has read something
    stop = false;
    runner.watch([&](const CommitReport& report) { stop = stop || report.records > 0; });
    EXPECT_TRUE(runner.recover().has_value());
    EXPECT_TRUE(runner.run(stop).has_value());
  };
  sale(1, noon());
  {
    Runner runner(bundle(), small_batches(), source, sink, *store);
    run(runner);
  }
  EXPECT_TRUE(said(sink).empty());
  write_rules(pair_rule("critical", "other words"));
  sale(2, noon() + kMinute);
  {
    Runner runner(bundle(), small_batches(), source, sink, *store);
    run(runner);
    ASSERT_EQ(said(sink).size(), 1U);
    EXPECT_EQ(said(sink)[0].severity, "critical");
    EXPECT_EQ(said(sink)[0].message, "other words 2");
    folder_.write("schema.yaml", std::string(kSchema) +
                                     "  slip:\n    topic: slips\n    time: made_at\n    id: [number]\n    fields: {number: "
                                     "string, made_at: time, card: string}\n");
    folder_.write("slips.yaml", "rule: slips\nversion: 1\non: slip\nkey: [card]\nseverity: low\nmessage: {en: x, zh: x}\n");
    const Status refused = runner.reload(bundle());
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("the topic slips, which is not read now: restart"));
  }
}

TEST_F(ReloadTest, FilesAreLookedAtAndAHalfWrittenOneIsGivenTime) {
  connectors::MemorySource source({{"sales", 0}, {"voids", 0}});
  connectors::MemorySink sink(connectors::MemorySink::Kind::follows);
  const auto store = state::make_memory_store();
  const auto first = bundle();
  Runner runner(first, small_batches(), source, sink, *store);
  ASSERT_TRUE(runner.recover().has_value());
  RuleReload reloads({.paths = {folder_.path()}, .look_every = std::chrono::milliseconds(1)}, runner, first);
  const auto look = [&] {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    while (std::chrono::steady_clock::now() < until) {}
    EXPECT_TRUE(reloads.look(false).has_value());
  };
  look();
  EXPECT_EQ(reloads.accepted(), 0U);
  write_rules("rule: pair\n");
  look();
  EXPECT_EQ(reloads.rejected(), 0U) << "just changed";
  write_rules(pair_rule("high", "seen"));
  look();
  look();
  EXPECT_EQ(reloads.accepted(), 1U);
  EXPECT_EQ(reloads.rejected(), 0U);
  write_rules("rule: pair\n");
  look();
  look();
  look();
  EXPECT_EQ(reloads.rejected(), 1U) << "judged once";
}

TEST(BundlePlan, SaysWhatIsKeptNewAndLost) {
  const auto with = [](const std::string& rule, const std::string& more = "") {
    return load_rule_texts({{"schema.yaml", kSchema}, {"pair.yaml", rule + more}});
  };
  const auto now = with(pair_rule("low", "seen"));
  const auto text = [&](const std::shared_ptr<const rules::CompiledBundle>& next) {
    return rules::plan_bundle(*now, *next).text();
  };
  EXPECT_EQ(text(now), "1 rule unchanged\n");
  EXPECT_EQ(text(with(pair_rule("high", "other words"))), "kept   pair: changed, and keeps its state\n0 rules unchanged\n");
  EXPECT_EQ(text(with(pair_rule("low", "seen"), "---\n" + std::string(kUnvoided))),
            "new    unvoided: begins without state\n1 rule unchanged\n");
  EXPECT_EQ(text(with(pair_rule("low", "seen", "shop"))),
            "lost   pair: its key and the streams and fields it keeps changed, so its state and open alerts would be lost; it "
            "begins again, in shadow for 10m until its "
            "windows are full\n0 rules unchanged\n");
  EXPECT_TRUE(rules::plan_bundle(*now, *with(kUnvoided)).loses());
}

TEST(BundlePlan, TheProgramPrintsIt) {
  const TestFolder folder;
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", folder / "new", std::filesystem::copy_options::recursive);
  const ProgramResult same = run_program("rules plan rules/packs/payments " + (folder / "new"));
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.out, testing::EndsWith("rules unchanged\n"));
  std::filesystem::remove(folder / "new/code-jump.yaml");
  const ProgramResult gone = run_program("rules plan rules/packs/payments " + (folder / "new"));
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(gone.out, HasSubstr("lost   code-jump: it is no longer there"));
}

}  // namespace
}  // namespace tillwatch::engine
