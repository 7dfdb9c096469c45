// Silence in a group: no member sees all of a feed, nor all that waits for it, and yet it is believed or the feed is dark.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/engine/group_world.h"

namespace tillwatch::engine {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

constexpr const char* kSchema = R"(
streams:
  sale:
    topic: sales
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", card: string}
  note:
    topic: notes
    time: happened_at
    id: id
    lateness: 10s
    dark_after: 3
    dark_hold: 1h
    fields: {id: string, happened_at: time @ "at", sale: string}
)";

constexpr const char* kRules = R"(
rule: untold
version: 1
title: {en: Untold, zh: 未告知}
on: sale as s
key: [id]
then:
  - absent: note
    by: sale = id
    within: [-10m, 120s]
    severity: high
message: {en: "{s.id} untold", zh: "{s.id} 未告知"}
)";

class SilentGroup : public testing::Test {
 protected:
  SilentGroup() : world_(load_rule_texts({{"schema.yaml", kSchema}, {"rules.yaml", kRules}}), 3) {
    world_.plant = [](ModelLink& link) { link.quiet = true; };
  }
  void begin(int sales) {
    std::vector<Fed> records;
    for (int partition = 0; partition < 2; ++partition) records.push_back({"notes", partition, kNoon, note(kNoon)});
    for (int i = 0; i < sales; ++i) {
      records.push_back({"sales", i % 2, kNoon, fmt::format(R"({{"id":"sale {}","at":{},"card":"C"}})", i, kNoon)});
    }
    world_.load(records);
    for (const char* name : {"a", "b"}) world_.add_member(name);
  }
  static std::string note(TimeMs at) { return fmt::format(R"({{"id":"note at {}","at":{},"sale":"another"}})", at, at); }
  size_t count(const std::string& word) const {
    size_t found = 0;
    for (const auto& [id, alert] : world_.standing()) found += alert.find(word) != std::string::npos;
    return found;
  }
  GroupWorld world_;
};

TEST_F(SilentGroup, FewDecisionsAreLeftToSilence) {
  begin(3);
  world_.run(4'000, {});
  EXPECT_EQ(world_.failure(), "");
  EXPECT_EQ(count("\"rule_id\":\"untold\""), 3U);
  EXPECT_EQ(count("feed-dark"), 0U);
}

TEST_F(SilentGroup, WithManyTheFeedIsDarkUntilItIsBack) {
  begin(8);
  world_.run(4'000, {});
  EXPECT_EQ(world_.failure(), "");
  EXPECT_EQ(count("\"rule_id\":\"untold\""), 0U);
  EXPECT_EQ(count("feed-dark"), 1U);
  EXPECT_EQ(count("\"status\":\"open\""), 1U);
  for (int partition = 0; partition < 2; ++partition) {
    world_.broker().produce("notes", partition, kNoon + kHour / 2, note(kNoon + kHour / 2));
  }
  world_.run(2'000, {});
  EXPECT_EQ(count("\"rule_id\":\"untold\""), 8U);
  EXPECT_EQ(count("\"resolution\":\"recovered\""), 1U);
}

}  // namespace
}  // namespace tillwatch::engine
