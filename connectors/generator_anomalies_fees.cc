// Contracts nobody was told of, rates outside the market, sales that cost the acquirer more than they bring, and fees that no
// contract names.
#include "connectors/generator_anomalies.h"
#include "connectors/generator_reference.h"

namespace tillwatch::connectors::generation {
namespace {

AlertKey merchant_key(const Scene& scene) { return {{"merchant_id", scene.merchant_id()}}; }

// A new version in force from tomorrow, or in forty days; the merchant was told on the same day, or five weeks ago.
Contract next_version(const Scene& scene, TimeMs now, DurationMs ahead, DurationMs told_before) {
  Contract contract = scene.world.merchants[scene.merchant()].contracts.back();
  contract.version += 1;
  contract.recorded_at = now;
  contract.effective_from = now + ahead;
  contract.notice_at = contract.effective_from - told_before;
  return contract;
}

void not_announced(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Contract contract = next_version(scene, at, 7 * kDay, 7 * kDay);
    scene.delivery.send(contract_version(scene.world, scene.merchant(), contract));
    const auto told = scene.expect("rate-no-notice", merchant_key(scene), at, "medium", "a new rate in a week, told today");
    if (scene.random.chance(500'000)) return;
    const TimeMs mended_at = at + scene.random.between(2 * kMinute, 8 * kMinute);
    told.ends("registry_update", mended_at);
    scene.then(mended_at, [&scene, contract](TimeMs now) {
      Contract mended = contract;
      mended.recorded_at = now;
      mended.notice_at = contract.effective_from - 35 * kDay;  // the notice is found
      scene.delivery.send(contract_version(scene.world, scene.merchant(), mended));
    });
  });
}

void out_of_the_market(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const bool below_cost = scene.random.chance(500'000);
    Contract contract = next_version(scene, at, 40 * kDay, 40 * kDay);
    contract.credit.rate_ppm = below_cost ? 4500 : 7500;
    scene.delivery.send(contract_version(scene.world, scene.merchant(), contract));
    const auto told = scene.expect("rate-out-of-band", merchant_key(scene), at, below_cost ? "high" : "medium",
                                   below_cost ? "45 bp, below cost" : "75 bp");
    if (scene.random.chance(500'000)) return;
    const TimeMs mended_at = at + scene.random.between(2 * kMinute, 8 * kMinute);
    told.ends("registry_update", mended_at);
    scene.then(mended_at, [&scene, contract](TimeMs now) {
      Contract mended = contract;
      mended.version += 1;
      mended.recorded_at = now;
      mended.credit.rate_ppm = 6000;
      scene.delivery.send(contract_version(scene.world, scene.merchant(), mended));
    });
  });
}

// Two lines at 40 bp where the contract says 60.
void below_cost(Scene& scene) {
  for (uint32_t i = 0; i < 2; ++i) {
    scene.world.cards[scene.card(i)].type = CardType::credit;
    scene.then(scene.at + i * 3 * kMinute, [&scene, i](TimeMs at) {
      Debit debit = scene.sale(i);
      debit.amount_minor += 20'000;
      debit.settle = false;
      const Transaction paid = scene.pay(at, debit);
      const TimeMs posted_at = scene.till.posting_time(paid) + i * 2 * kMinute;
      scene.till.settle(paid, paid.amount_minor,
                        {.at = posted_at, .fee_minor = share_of(paid.amount_minor, 4000), .rate_ppm = 4000});
      if (i == 0) scene.expect("rate-below-cost", merchant_key(scene), posted_at, "medium", "40 bp, below cost");
    });
  }
}

// Taken with a sale; it stays, or half of it comes back, or all.
void not_in_the_contract(Scene& scene) {
  struct Row {
    FeeType type;
    int64_t fee_minor;
    const char* note;
  };
  constexpr Row kRows[] = {{FeeType::deposit, 29'900, "a deposit on the terminal"},
                           {FeeType::annual, 19'900, "an annual fee"},
                           {FeeType::data_sim, 6000, "a fee for the terminal's data"},
                           {FeeType::sms_service, 200, "a fee for messages"}};
  const Row row = kRows[scene.random.below(4)];
  scene.then(scene.at, [&scene, row](TimeMs at) {
    const Transaction paid = scene.pay(at, scene.sale());
    const TimeMs taken_at = scene.till.posting_time(paid);
    scene.till.charge(taken_at, paid, row.type, row.fee_minor);
    AlertKey key = merchant_key(scene);
    key["fee_type"] = name_of(row.type);
    const auto told = scene.expect("hidden-fee", key, taken_at, "high", row.note);
    const uint32_t halves_back = scene.random.below(3);
    if (halves_back == 0) return;
    const TimeMs back_at = taken_at + scene.random.between(kMinute, 5 * kMinute);
    scene.till.charge(back_at, paid, row.type, halves_back == 1 ? -row.fee_minor / 2 : -row.fee_minor);
    if (halves_back == 2) told.ends("refunded", back_at);
  });
}

}  // namespace

std::vector<Injector> fee_injectors() {
  return {
      {kRateChange, {"rate-change", kRateCreep}, {}, 0, 0, false, [](Scene& scene) { scene.plan_rate(); }},
      {"rate-no-notice", {"rate-no-notice"}, {}, kMinute, 11 * kMinute, false, not_announced},
      {"rate-out-of-band", {"rate-out-of-band"}, {}, kMinute, 11 * kMinute, false, out_of_the_market},
      {"rate-below-cost", {"rate-below-cost"}, {.cards = 2}, 4 * kMinute, 12 * kMinute, false, below_cost},
      {"hidden-fee", {"hidden-fee"}, {}, kMinute, 11 * kMinute, false, not_in_the_contract},
  };
}

}  // namespace tillwatch::connectors::generation
