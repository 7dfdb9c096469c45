#include "connectors/generator_creep.h"

#include <gtest/gtest.h>

namespace tillwatch::connectors::generation {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

TEST(GeneratorCreep, IsTooMuchAboveAYuanAndAPerCent) {
  struct Row {
    const char* what;
    std::vector<std::pair<int64_t, int64_t>> lines;  // fee, owed
    int at;                                          // the line that makes it too much, from 0; -1: none
  };
  const Row rows[] = {{"a yuan exactly", {{200, 150}, {200, 150}}, -1},
                      {"a fen more", {{200, 150}, {201, 150}}, 1},
                      {"one per cent exactly", {{10'201, 10'100}}, -1},
                      {"a fen more than that", {{10'202, 10'100}}, 0},
                      {"made up for by what is right", {{150, 50}, {100'000, 100'000}, {101, 1}}, -1},
                      {"too little", {{0, 500}}, -1}};
  for (const Row& row : rows) {
    Creep creep;
    // As they are sent, not as they are posted.
    for (size_t i = row.lines.size(); i-- > 0;) {
      creep.note_line("M", kNoon, kNoon + static_cast<DurationMs>(i) * kMinute, row.lines[i].first, row.lines[i].second);
    }
    const std::vector<Injected> truth = creep.truth(kAfterAllTime - 1);
    ASSERT_EQ(truth.size(), row.at < 0 ? 0u : 1u) << row.what;
    if (row.at < 0) continue;
    EXPECT_EQ(truth[0].at, kNoon + row.at * kMinute) << row.what;
    EXPECT_EQ(truth[0].key, (std::map<std::string, std::string>{{"merchant_id", "M"}, {"settlement_date", "2026-11-22"}}));
    EXPECT_TRUE(creep.truth(truth[0].at - 1).empty()) << row.what;
  }
}

TEST(GeneratorCreep, DaysAndMerchantsAreApart) {
  Creep creep;
  creep.note_line("M", kNoon, kNoon, 200, 140);
  creep.note_line("N", kNoon, kNoon, 200, 140);
  creep.note_line("M", kNoon + 11 * kHour, kNoon + 12 * kHour, 200, 140);  // 23:00 is the next day's
  EXPECT_TRUE(creep.truth(kAfterAllTime - 1).empty());
  creep.note_line("M", kNoon + 12 * kHour, kNoon + 13 * kHour, 200, 140);
  ASSERT_EQ(creep.truth(kAfterAllTime - 1).size(), 1u);
  EXPECT_EQ(creep.truth(kAfterAllTime - 1)[0].key.at("settlement_date"), "2026-11-23");
}

TEST(GeneratorCreep, AContractThatExplainsItEndsIt) {
  Creep creep;
  creep.note_line("M", kNoon, kNoon, 300, 100);
  creep.note_contract("M", kNoon + kMinute);
  EXPECT_FALSE(creep.truth(kNoon)[0].resolves);
  EXPECT_EQ(creep.truth(kNoon + kMinute)[0].resolution, "registry_update");
  creep.note_contract("M", kNoon);
  EXPECT_TRUE(creep.truth(kAfterAllTime - 1).empty()) << "known before it could be said";
}

}  // namespace
}  // namespace tillwatch::connectors::generation
