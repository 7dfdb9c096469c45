#include "rules/tariff.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include <fmt/format.h>

namespace tillwatch::rules {
namespace {

using Wide = __int128;

constexpr char kFormat = 1;  // first byte of an encoding
constexpr int64_t kWhole_ppm = 1'000'000;

// One product as it stands in the encoding; nothing is copied out of it.
struct ProductView {
  std::string_view card_type, payment_method;
  int64_t rate_ppm = 0, cap_minor = -1, flat_minor = 0;
  uint32_t tiers = 0;
  const char* first_tier = nullptr;  // (upto_minor, rate_ppm) pairs
};
constexpr size_t kTierBytes = 16;

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void append_text(std::string& out, std::string_view text) {
  append(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  bool read(T& value) {
    if (bytes_.size() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return true;
  }
  bool read(std::string_view& text) {
    uint32_t size = 0;
    if (!read(size) || size > bytes_.size()) return false;
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  bool read(ProductView& product) {
    if (!read(product.card_type) || !read(product.payment_method) || !read(product.rate_ppm) || !read(product.cap_minor) ||
        !read(product.flat_minor) || !read(product.tiers) || product.tiers > bytes_.size() / kTierBytes) {
      return false;
    }
    product.first_tier = bytes_.data();
    bytes_.remove_prefix(product.tiers * kTierBytes);
    return true;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

TariffTier tier_at(const ProductView& product, uint32_t index) {
  TariffTier tier;
  std::memcpy(&tier.upto_minor, product.first_tier + index * kTierBytes, 8);
  std::memcpy(&tier.rate_ppm, product.first_tier + index * kTierBytes + 8, 8);
  return tier;
}

// Calls visit(product) for each; false when the bytes are no encoding (some products may have been visited).
template <class Visit>
bool for_each_product(std::string_view bytes, Visit visit) {
  Reader reader(bytes);
  char format = 0;
  uint32_t count = 0;
  if (!reader.read(format) || format != kFormat || !reader.read(count)) return false;
  for (uint32_t i = 0; i < count; ++i) {
    ProductView product;
    if (!reader.read(product)) return false;
    visit(product);
  }
  return reader.at_end();
}

// How closely `pattern` describes `name`: -1 not at all, 0 any, longer prefixes more, the name itself most.
int64_t closeness(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) {
    pattern.remove_suffix(1);
    return name.starts_with(pattern) ? static_cast<int64_t>(pattern.size()) : -1;
  }
  return pattern == name ? std::numeric_limits<int64_t>::max() : -1;
}

// Of the tiers that reach `amount` the lowest; the product's own rate where none does.
int64_t rate_for(const ProductView& product, Wide amount) {
  int64_t rate_ppm = product.rate_ppm;
  int64_t lowest = -1;
  bool found = false;
  for (uint32_t i = 0; i < product.tiers; ++i) {
    const TariffTier tier = tier_at(product, i);
    if (tier.upto_minor >= 0 && amount > tier.upto_minor) continue;
    const bool lower = !found || (tier.upto_minor >= 0 && (lowest < 0 || tier.upto_minor < lowest));
    if (!lower) continue;
    found = true;
    lowest = tier.upto_minor;
    rate_ppm = tier.rate_ppm;
  }
  return rate_ppm;
}

// amount * rate / whole, rounded half away from zero; `whole` is positive.
Wide rounded_share(Wide amount, Wide rate, Wide whole) {
  const Wide product = amount * rate;
  const Wide share = product / whole, rest = product % whole;
  if ((rest < 0 ? -rest : rest) * 2 < whole) return share;
  return product < 0 ? share - 1 : share + 1;
}

// The product that describes both best, the payment method first; empty when none matches or the bytes are no encoding.
std::optional<ProductView> most_specific(std::string_view encoded, std::string_view card_type,
                                         std::string_view payment_method) {
  ProductView best;
  int64_t best_payment = -1, best_card = -1;
  const bool complete = for_each_product(encoded, [&](const ProductView& product) {
    const int64_t payment = closeness(product.payment_method, payment_method);
    const int64_t card = closeness(product.card_type, card_type);
    if (payment < 0 || card < 0) return;
    if (payment < best_payment || (payment == best_payment && card <= best_card)) return;
    best = product;
    best_payment = payment;
    best_card = card;
  });
  if (!complete || best_payment < 0) return std::nullopt;
  return best;
}

}  // namespace

std::string encode_tariff(std::span<const TariffProduct> products) {
  std::string out(1, kFormat);
  append(out, static_cast<uint32_t>(products.size()));
  for (const TariffProduct& product : products) {
    append_text(out, product.card_type);
    append_text(out, product.payment_method);
    append(out, product.rate_ppm);
    append(out, product.cap_minor);
    append(out, product.flat_minor);
    append(out, static_cast<uint32_t>(product.tiers.size()));
    for (const TariffTier& tier : product.tiers) {
      append(out, tier.upto_minor);
      append(out, tier.rate_ppm);
    }
  }
  return out;
}

std::optional<std::vector<TariffProduct>> decode_tariff(std::string_view bytes) {
  std::vector<TariffProduct> products;
  const bool complete = for_each_product(bytes, [&](const ProductView& view) {
    TariffProduct& product = products.emplace_back();
    product.card_type = view.card_type;
    product.payment_method = view.payment_method;
    product.rate_ppm = view.rate_ppm;
    product.cap_minor = view.cap_minor;
    product.flat_minor = view.flat_minor;
    for (uint32_t i = 0; i < view.tiers; ++i) product.tiers.push_back(tier_at(view, i));
  });
  if (!complete) return std::nullopt;
  return products;
}

std::optional<int64_t> tariff_fee(std::string_view encoded, int64_t amount_minor, std::string_view card_type,
                                  std::string_view payment_method) {
  const std::optional<ProductView> found = most_specific(encoded, card_type, payment_method);
  if (!found) return std::nullopt;
  const ProductView& best = *found;
  const bool negative = amount_minor < 0;
  const Wide amount = negative ? -static_cast<Wide>(amount_minor) : static_cast<Wide>(amount_minor);
  Wide fee = rounded_share(amount, rate_for(best, amount), kWhole_ppm);
  if (best.cap_minor >= 0) fee = std::min(fee, static_cast<Wide>(best.cap_minor));
  fee += best.flat_minor;
  if (negative) fee = -fee;
  if (fee < std::numeric_limits<int64_t>::min() || fee > std::numeric_limits<int64_t>::max()) return std::nullopt;
  return static_cast<int64_t>(fee);
}

std::optional<RateRange> tariff_rates(std::string_view encoded, std::string_view card_type, std::string_view payment_method) {
  const std::optional<ProductView> product = most_specific(encoded, card_type, payment_method);
  if (!product) return std::nullopt;
  RateRange range = {product->rate_ppm, product->rate_ppm};
  bool bounded_only = product->tiers > 0;
  for (uint32_t i = 0; i < product->tiers; ++i) bounded_only &= tier_at(*product, i).upto_minor >= 0;
  for (uint32_t i = 0; i < product->tiers; ++i) {
    const int64_t rate_ppm = tier_at(*product, i).rate_ppm;
    if (i == 0 && !bounded_only) range = {rate_ppm, rate_ppm};
    range = {std::min(range.lowest_ppm, rate_ppm), std::max(range.highest_ppm, rate_ppm)};
  }
  return range;
}

// The simplest story that gives the fee to the minor unit: a rate of whole basis points, then one with a usual flat fee; where
// there is none, the rate that comes out in hundredths of a basis point.
std::string guess_rate(int64_t amount_minor, int64_t fee_minor) {
  constexpr Wide kWhole_bp = 10'000;
  constexpr Wide kPlausible_bp = 1'000;  // judgement: above 10 % a flat fee is the better story
  constexpr std::array<int64_t, 7> kUsualFlats_minor = {0, 50, 100, 200, 300, 500, 1000};  // judgement: 秒到费 is 1-3 yuan
  const auto magnitude = [](int64_t value) { return value < 0 ? -static_cast<Wide>(value) : static_cast<Wide>(value); };
  const Wide amount = magnitude(amount_minor), fee = magnitude(fee_minor);
  const bool opposed = fee != 0 && amount != 0 && (amount_minor < 0) != (fee_minor < 0);
  const std::string_view sign = opposed ? "-" : "";
  const auto with_flat = [](std::string rate, Wide flat) {
    if (flat == 0) return rate;
    return fmt::format("{} + {}.{:02}", rate, static_cast<uint64_t>(flat / 100), static_cast<int>(flat % 100));
  };
  if (amount == 0) return with_flat("0 bp", fee);
  for (const Wide flat : kUsualFlats_minor) {
    if (flat > fee) break;
    const Wide rate_bp = rounded_share(fee - flat, kWhole_bp, amount);
    if (rate_bp > kPlausible_bp || rounded_share(amount, rate_bp, kWhole_bp) != fee - flat) continue;
    return with_flat(fmt::format("{}{} bp", sign, static_cast<int64_t>(rate_bp)), flat);
  }
  const Wide hundredths = rounded_share(fee, kWhole_bp * 100, amount);
  std::string rate =
      fmt::format("{}{}.{:02}", sign, static_cast<uint64_t>(hundredths / 100), static_cast<int>(hundredths % 100));
  rate.erase(rate.find_last_not_of('0') + 1);
  if (rate.ends_with('.')) rate.pop_back();
  return rate + " bp";
}

}  // namespace tillwatch::rules
