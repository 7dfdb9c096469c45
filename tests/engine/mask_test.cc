#include "engine/base/mask.h"

#include <gtest/gtest.h>

#include <random>

namespace tillwatch {
namespace {

TEST(Mask, CardsAndPhones) {
  struct Row {
    std::string_view text, masked;
  };
  const Row rows[] = {
      {"", ""},
      {"card 6228480402564890018 declined", "card 622848*********0018 declined"},
      {"6228480402564890018", "622848*********0018"},
      {"4111 1111 1111 1111", "4111 11** **** 1111"},
      {"4111-1111-1111-1111.", "4111-11**-****-1111."},
      {"3782 822463 10005", "3782 82**** *0005"},
      {"4111111111111112", "4111111111111112"},  // fails Luhn
      {"尾号4111111111111111的卡", "尾号411111******1111的卡"},
      {"4111111111111111 2", "411111******1111 2"},  // the next group is not part of it
      {"1 4111111111111111", "1 411111******1111"},
      {"1795321805400", "1795321805400"},                // milliseconds of today
      {"12345678901234567890", "12345678901234567890"},  // longer than any card
      {"电话13812341234。", "电话138****1234。"},
      {"+8613812341234", "+86138****1234"},
      {"008613812341234", "0086138****1234"},
      {"138 1234 1234", "138 **** 1234"},
      {"+86 138-1234-1234", "+86 138-****-1234"},
      {"12812341234", "12812341234"},    // no mobile prefix
      {"138123412345", "138123412345"},  // twelve digits
      {"2026-11-22 12:30:05", "2026-11-22 12:30:05"},
      {R"({"pan":"4111111111111111","phone":"13912345678"})", R"({"pan":"411111******1111","phone":"139****5678"})"},
  };
  for (const Row& row : rows) EXPECT_EQ(mask(row.text), row.masked) << row.text;
}

TEST(Mask, CardNumbersAreFound) {
  for (const std::string_view text : {"4111111111111111", "x4111111111111111y", "4111 1111 1111 1111", "3782-822463-10005",
                                      "6228 4804 0256 4890 018", "12 4111111111111111 34", "2291163933867244", "180042946491150", "30569309025904", "4222222222222"}) {
    EXPECT_TRUE(contains_card_number(text)) << text;
  }
  for (const std::string_view text : {"", "1234", "622848******0018", "4111111111111112", "41 1111111111 1111 11",
                                      "1795321805400", "T202611220000000205", "您尾号1234的信用卡11月22日12:30消费128.50元", "41111111111111110000"}) {
    EXPECT_FALSE(contains_card_number(text)) << text;
  }
}

TEST(Mask, ExcerptIsOneLineOfValidUtf8) {
  EXPECT_EQ(masked_excerpt("a\nb\tc\x1b[31m\x7f", 100), "a\\nb\\tc\\x1b[31m\\x7f");
  EXPECT_EQ(masked_excerpt("\xc2\x9b", 100), "\\u009b");
  EXPECT_EQ(masked_excerpt("a\xff\xfe", 100), "a\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(masked_excerpt("\xed\xa0\x80", 100), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate
  EXPECT_EQ(masked_excerpt("\xc0\xaf", 100), "\xef\xbf\xbd\xef\xbf\xbd");                  // overlong
  EXPECT_EQ(masked_excerpt("中文", 6), "中文");
  EXPECT_EQ(masked_excerpt("中文字", 8), "中…");
  EXPECT_EQ(masked_excerpt("abcdef", 5), "ab…");
  EXPECT_EQ(masked_excerpt("abcdef", 2), "");
  EXPECT_EQ(masked_excerpt("abcdef", 0), "");
}

TEST(Mask, NumberAcrossTheCutIsMasked) {
  const std::string text = "0123456789 card 4111111111111111";
  for (size_t length = 0; length <= text.size(); ++length) {
    const std::string excerpt = masked_excerpt(text, length);
    EXPECT_EQ(excerpt.find("4111111"), std::string::npos) << length;
    EXPECT_LE(excerpt.size(), length);
  }
}

TEST(Mask, CardAnywhereInALongChain) {
  for (int before = 0; before < 100; ++before) {
    std::string text;
    for (int i = 0; i < before; ++i) text += "1 ";
    EXPECT_NE(mask(text + "4111 1111 1111 1111 1").find("4111 11** **** 1111"), std::string::npos) << before;
    EXPECT_NE(mask(text + "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1").find("4 1 1 1 1 1 * * * * * * 1 1 1 1"), std::string::npos)
        << before;
    EXPECT_TRUE(contains_card_number(text + "4111 1111 1111 1111 1")) << before;
  }
}

TEST(Mask, LongChainsEnd) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "12 ";
  EXPECT_EQ(mask(text).size(), text.size());
  EXPECT_EQ(mask(std::string(1 << 20, '7')).size(), size_t{1} << 20);
}

TEST(Mask, RandomBytesGiveBoundedExcerpts) {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 60, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 3 == 0 ? '0' + random() % 10 : random());
    const size_t limit = random() % 40;
    const std::string excerpt = masked_excerpt(bytes, limit);
    ASSERT_LE(excerpt.size(), limit);
    for (const char c : excerpt) ASSERT_GE(static_cast<unsigned char>(c), 0x20);
    ASSERT_EQ(mask(bytes).size(), bytes.size());
  }
}

}  // namespace
}  // namespace tillwatch
