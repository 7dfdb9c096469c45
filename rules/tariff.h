// Fee tariffs of a rate contract: products, caps, tiers, flat fees (domain.md C1.6, E42-E46). Amounts in minor units, rates in
// ppm (1 bp = 100 ppm). The encoding is what a table row keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tillwatch::rules {

struct TariffTier {
  int64_t upto_minor = -1;  // inclusive; -1: no bound
  int64_t rate_ppm = 0;
};
struct TariffProduct {
  std::string card_type = "*";  // a name, `*`, or a prefix with `*` at the end
  std::string payment_method = "*";
  int64_t rate_ppm = 0;
  int64_t cap_minor = -1;  // -1: none
  int64_t flat_minor = 0;
  std::vector<TariffTier> tiers;  // win over rate_ppm; whole amount at the tier's rate
};

std::string encode_tariff(std::span<const TariffProduct> products);
std::optional<std::vector<TariffProduct>> decode_tariff(std::string_view bytes);  // empty: not an encoding

// Fee in minor units of the most specific product that matches, rounded half up, then the cap, then the flat fee; empty when no
// product matches. The sign of `amount_minor` carries over.
std::optional<int64_t> tariff_fee(std::string_view encoded, int64_t amount_minor, std::string_view card_type,
                                  std::string_view payment_method);

// The rates such a transaction may be charged, over all its tiers; cap and flat fee left aside. Empty when no product matches.
struct RateRange {
  int64_t lowest_ppm = 0, highest_ppm = 0;
};
std::optional<RateRange> tariff_rates(std::string_view encoded, std::string_view card_type, std::string_view payment_method);

// "299 bp + 3.00": the rate and flat fee that explain `fee_minor` on `amount_minor` best.
std::string guess_rate(int64_t amount_minor, int64_t fee_minor);

}  // namespace tillwatch::rules
