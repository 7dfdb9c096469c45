#include "rules/tariff.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace tillwatch::rules {
namespace {

constexpr int64_t kPpmOfBp = 100;

// The contract of domain.md C1.6: credit 60 bp, debit 50 bp up to 20 yuan, code payments 38 bp to 1,000 yuan and 60 above.
std::string contract() {
  const TariffProduct products[] = {
      {.card_type = "credit", .rate_ppm = 60 * kPpmOfBp},
      {.card_type = "debit", .rate_ppm = 50 * kPpmOfBp, .cap_minor = 2000},
      {.payment_method = "qr_*",
       .rate_ppm = 38 * kPpmOfBp,
       .tiers = {{.upto_minor = 100'000, .rate_ppm = 38 * kPpmOfBp}, {.rate_ppm = 60 * kPpmOfBp}}},
  };
  return encode_tariff(products);
}

std::string flat_rate(int64_t rate_bp, int64_t flat_minor = 0) {
  const TariffProduct product{.rate_ppm = rate_bp * kPpmOfBp, .flat_minor = flat_minor};
  return encode_tariff({&product, 1});
}

TEST(TariffTest, MeasuredFees) {
  struct Case {
    int64_t amount_minor, rate_bp, flat_minor, fee_minor;
  };
  for (const Case& each :
       {Case{3'058'000, 63, 0, 19'265}, Case{3'058'000, 299, 0, 91'434}, Case{3'058'000, 299, 300, 91'734}, Case{100, 60, 0, 1},
        Case{83, 60, 0, 0}, Case{84, 60, 0, 1}, Case{12'850, 60, 0, 77}, Case{10'000, 60, 0, 60}, Case{10'000, 63, 0, 63},
        Case{3'000, 60, 0, 18}, Case{3'000, 63, 0, 19}, Case{0, 60, 0, 0}, Case{0, 60, 300, 300}}) {
    EXPECT_EQ(tariff_fee(flat_rate(each.rate_bp, each.flat_minor), each.amount_minor, "credit", "card_chip"), each.fee_minor)
        << each.amount_minor << " at " << each.rate_bp << " bp";
  }
}

TEST(TariffTest, ACapHoldsDownTheFeeButNotTheFlatPart) {
  EXPECT_EQ(tariff_fee(contract(), 1'000'000, "debit", "card_chip"), 2000);
  EXPECT_EQ(tariff_fee(contract(), 400'000, "debit", "card_chip"), 2000);
  EXPECT_EQ(tariff_fee(contract(), 399'900, "debit", "card_chip"), 2000);  // 1999.5
  EXPECT_EQ(tariff_fee(contract(), 399'800, "debit", "card_chip"), 1999);
  const TariffProduct product{.rate_ppm = 50 * kPpmOfBp, .cap_minor = 2000, .flat_minor = 300};
  EXPECT_EQ(tariff_fee(encode_tariff({&product, 1}), 1'000'000, "debit", "card_chip"), 2300);
  const TariffProduct free{.rate_ppm = 50 * kPpmOfBp, .cap_minor = 0};
  EXPECT_EQ(tariff_fee(encode_tariff({&free, 1}), 1'000'000, "debit", "card_chip"), 0);
}

TEST(TariffTest, TiersApplyToTheWholeAmountWithTheBoundInside) {
  EXPECT_EQ(tariff_fee(contract(), 100'000, "unknown", "qr_static"), 380);
  EXPECT_EQ(tariff_fee(contract(), 100'001, "unknown", "qr_static"), 600);
  EXPECT_EQ(tariff_fee(contract(), 200'000, "unknown", "qr_static"), 1200);
}

TEST(TariffTest, TiersInAnyOrderAndTheProductsRateBeyondTheLast) {
  const TariffProduct product{.rate_ppm = 70 * kPpmOfBp,
                              .tiers = {{.upto_minor = 2000, .rate_ppm = 2000}, {.upto_minor = 1000, .rate_ppm = 1000}}};
  const std::string tariff = encode_tariff({&product, 1});
  EXPECT_EQ(tariff_fee(tariff, 1000, "a", "b"), 1);
  EXPECT_EQ(tariff_fee(tariff, 2000, "a", "b"), 4);
  EXPECT_EQ(tariff_fee(tariff, 10'000, "a", "b"), 70);
}

TEST(TariffTest, TheMostSpecificProductWins) {
  const TariffProduct products[] = {
      {.rate_ppm = 1'000},
      {.card_type = "credit", .rate_ppm = 2'000},
      {.payment_method = "qr_*", .rate_ppm = 3'000},
      {.payment_method = "qr_code*", .rate_ppm = 4'000},
      {.payment_method = "qr_code_static", .rate_ppm = 5'000},
      {.card_type = "credit", .payment_method = "qr_*", .rate_ppm = 6'000},
      {.card_type = "credit", .payment_method = "qr_*", .rate_ppm = 7'000},  // of equals the first
  };
  const std::string tariff = encode_tariff(products);
  const auto rate = [&](std::string_view card, std::string_view payment) {
    return tariff_fee(tariff, 1'000'000, card, payment).value_or(-1);
  };
  EXPECT_EQ(rate("debit", "card_chip"), 1'000);
  EXPECT_EQ(rate("credit", "card_chip"), 2'000);
  EXPECT_EQ(rate("debit", "qr_face"), 3'000);
  EXPECT_EQ(rate("debit", "qr_code_dynamic"), 4'000);
  EXPECT_EQ(rate("debit", "qr_code_static"), 5'000);
  EXPECT_EQ(rate("credit", "qr_face"), 6'000);
  // How it was paid says more than the card behind it: a contract's rate for codes is meant for every card.
  EXPECT_EQ(rate("credit", "qr_code_static"), 5'000);
}

TEST(TariffTest, TheRangeOfRatesSpansTheTiers) {
  const TariffProduct products[] = {
      {.card_type = "credit", .rate_ppm = 6'000, .cap_minor = 100, .flat_minor = 300},
      {.payment_method = "qr_*", .rate_ppm = 3'800, .tiers = {{.upto_minor = 100'000, .rate_ppm = 3'800}, {.rate_ppm = 6'000}}},
      {.payment_method = "manual", .rate_ppm = 7'000, .tiers = {{.upto_minor = 1'000, .rate_ppm = 1'000}}},
  };
  const std::string tariff = encode_tariff(products);
  const auto range = [&](std::string_view card, std::string_view payment) {
    const auto found = tariff_rates(tariff, card, payment);
    return found ? std::pair(found->lowest_ppm, found->highest_ppm) : std::pair<int64_t, int64_t>(-1, -1);
  };
  EXPECT_EQ(range("credit", "card_chip"), std::pair(6'000L, 6'000L));
  EXPECT_EQ(range("debit", "qr_consumer_presented"), std::pair(3'800L, 6'000L));
  EXPECT_EQ(range("debit", "manual"), std::pair(1'000L, 7'000L));  // beyond the last tier the product's own rate
  EXPECT_EQ(range("debit", "card_chip"), std::pair(-1L, -1L));
  EXPECT_EQ(tariff_rates("x", "credit", "card_chip").has_value(), false);
}

TEST(TariffTest, NoProductNoFee) {
  EXPECT_EQ(tariff_fee(contract(), 1000, "prepaid", "card_chip"), std::nullopt);
  EXPECT_EQ(tariff_fee(encode_tariff({}), 1000, "credit", "card_chip"), std::nullopt);
  EXPECT_EQ(tariff_fee("", 1000, "credit", "card_chip"), std::nullopt);
}

TEST(TariffTest, TheSignOfTheAmountCarriesOver) {
  EXPECT_EQ(tariff_fee(contract(), -12'850, "credit", "card_chip"), -77);
  EXPECT_EQ(tariff_fee(contract(), -1'000'000, "debit", "card_chip"), -2000);
  EXPECT_EQ(tariff_fee(flat_rate(60, 300), -100, "a", "b"), -301);
}

TEST(TariffTest, FeesThatDoNotFitAreNoFees) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  const TariffProduct whole{.rate_ppm = 1'000'000};
  EXPECT_EQ(tariff_fee(encode_tariff({&whole, 1}), kMost, "a", "b"), kMost);
  EXPECT_EQ(tariff_fee(encode_tariff({&whole, 1}), kLeast, "a", "b"), kLeast);
  const TariffProduct beyond{.rate_ppm = kMost, .flat_minor = kMost};
  EXPECT_EQ(tariff_fee(encode_tariff({&beyond, 1}), kMost, "a", "b"), std::nullopt);
  EXPECT_EQ(tariff_fee(encode_tariff({&beyond, 1}), kLeast, "a", "b"), std::nullopt);
}

TEST(TariffTest, EncodingRoundTrip) {
  const auto products = decode_tariff(contract());
  ASSERT_TRUE(products.has_value());
  ASSERT_EQ(products->size(), 3u);
  EXPECT_EQ((*products)[1].card_type, "debit");
  EXPECT_EQ((*products)[1].cap_minor, 2000);
  EXPECT_EQ((*products)[2].payment_method, "qr_*");
  ASSERT_EQ((*products)[2].tiers.size(), 2u);
  EXPECT_EQ((*products)[2].tiers[0].upto_minor, 100'000);
  EXPECT_EQ((*products)[2].tiers[1].upto_minor, -1);
  EXPECT_EQ(encode_tariff(*products), contract());
}

TEST(TariffTest, CutAndTurnedBytesAreRefusedOrHarmless) {
  const std::string good = contract();
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_tariff(good.substr(0, size)).has_value()) << size;
    EXPECT_EQ(tariff_fee(std::string(good, 0, size), 100, "credit", "card_chip"), std::nullopt) << size;
  }
  EXPECT_FALSE(decode_tariff(good + "x").has_value());
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] = static_cast<char>(random());
    const std::string exact(bytes);  // an own allocation, so that a sanitizer sees a read beyond it
    tariff_fee(exact, static_cast<int64_t>(random()), "credit", "qr_code");
    const auto products = decode_tariff(exact);
    if (products.has_value()) { EXPECT_EQ(encode_tariff(*products), exact); }
  }
}

TEST(TariffTest, GuessesTheSimplestStory) {
  struct Case {
    int64_t amount_minor, fee_minor;
    std::string_view guess;
  };
  for (const Case& each : {
           Case{3'058'000, 91'734, "299 bp + 3.00"},  // the real case: 2.99 % and 3 yuan
           Case{3'058'000, 19'265, "63 bp"},
           Case{12'850, 77, "60 bp"},
           Case{100, 1, "100 bp"},
           Case{10'000, 0, "0 bp"},
           Case{0, 0, "0 bp"},
           Case{0, 300, "0 bp + 3.00"},
           Case{1'000, 306, "60 bp + 3.00"},
           Case{1'000'000, 325, "3.25 bp"},
           Case{-12'850, -77, "60 bp"},
           Case{12'850, -77, "-60 bp"},
           Case{1, 100, "0 bp + 1.00"},
           Case{100, 100'000, "10000000 bp"},
       }) {
    EXPECT_EQ(guess_rate(each.amount_minor, each.fee_minor), each.guess) << each.amount_minor << " " << each.fee_minor;
  }
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(guess_rate(kLeast, kLeast), "10000 bp");
  EXPECT_FALSE(guess_rate(1, kLeast).empty());
}

}  // namespace
}  // namespace tillwatch::rules
