// What a merchant pays for a transaction: contract prices in integers, fees in fen, rounded half up.
#pragma once

#include <cstdint>

#include "engine/base/time.h"

namespace tillwatch::connectors::generation {

// The price of one product. Rates are parts per million: 60 bp = 6000 ppm, 3.25 bp = 325 ppm.
struct Price {
  int32_t rate_ppm = 0;
  int64_t cap_minor = 0;   // the most the rate may come to; 0: no cap
  int64_t flat_minor = 0;  // added to every transaction
  // A tier, if upto_minor > 0: amounts up to and including it pay tier_rate_ppm on the whole amount, larger ones rate_ppm.
  int64_t upto_minor = 0;
  int32_t tier_rate_ppm = 0;
};

// Half up, for amounts that are not negative. Without overflow up to 9 * 10^12 fen.
constexpr int64_t share_of(int64_t amount_minor, int32_t rate_ppm) { return (amount_minor * rate_ppm + 500'000) / 1'000'000; }

constexpr int32_t rate_of(const Price& price, int64_t amount_minor) {
  const bool in_tier = price.upto_minor > 0 && amount_minor <= price.upto_minor;
  return in_tier ? price.tier_rate_ppm : price.rate_ppm;
}

constexpr int64_t fee_of(const Price& price, int64_t amount_minor) {
  int64_t fee = share_of(amount_minor, rate_of(price, amount_minor));
  if (price.cap_minor > 0 && fee > price.cap_minor) fee = price.cap_minor;
  return fee + price.flat_minor;
}

struct Contract {
  int version = 1;
  TimeMs notice_at = 0;       // when the merchant was told
  TimeMs recorded_at = 0;     // when it was entered
  TimeMs effective_from = 0;  // the first moment it holds
  bool refund_fee_returned = true;
  Price credit, debit, qr_credit, qr_debit;

  const Price& price(bool is_credit, bool is_qr) const {
    if (is_qr) return is_credit ? qr_credit : qr_debit;
    return is_credit ? credit : debit;
  }
};

}  // namespace tillwatch::connectors::generation
