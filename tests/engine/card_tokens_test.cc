#include "engine/card_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/base/mask.h"

namespace tillwatch::engine {
namespace {

using ::testing::MatchesRegex;

TEST(CardTokens, WhatIsNoCardNumberStays) {
  const CardTokens tokens("key");
  for (const char* text : {"", "T202611220000000205", "4111111111111112", "990581058120001", "41111111111111110000"}) {
    EXPECT_EQ(tokens.hide(text), std::nullopt) << text;
  }
}

TEST(CardTokens, ANumberBecomesItsEndsAndAHash) {
  const CardTokens tokens("key");
  const std::string token = tokens.hide("4111111111111111").value_or("");
  EXPECT_THAT(token, MatchesRegex("411111\\*\\*\\*\\*\\*\\*1111~[a-p]{10}"));
  EXPECT_EQ(tokens.hide("4111 1111 1111 1111"), token);
  EXPECT_EQ(tokens.hide("SN4111111111111111/7"), "SN" + token + "/7");
  EXPECT_EQ(tokens.hide("4111111111111111 4111111111111111"), token + " " + token);
  EXPECT_NE(CardTokens("another").hide("4111111111111111"), token);
}

// Numbers with the same ends stay apart: identifiers are matched by their tokens.
TEST(CardTokens, NumbersThatLookAlikeWhenMaskedStayApart) {
  const CardTokens tokens("key");
  std::set<std::string> seen;
  size_t numbers = 0;
  for (int middle = 0; middle < 100'000; ++middle) {
    const std::string digits = std::to_string(1'000'000 + middle).substr(1);
    const std::optional<std::string> hidden = tokens.hide("622848" + digits + "1234");
    if (!hidden) continue;  // fails Luhn
    ++numbers;
    seen.insert(*hidden);
    ASSERT_FALSE(contains_card_number(*hidden)) << *hidden;
  }
  EXPECT_EQ(numbers, 10'000u);
  EXPECT_EQ(seen.size(), numbers);
}

}  // namespace
}  // namespace tillwatch::engine
