// Terminals that are not where, whose or what they should be, and acquirers that may not acquire.
#include "connectors/generator_anomalies.h"
#include "connectors/generator_json.h"
#include "connectors/generator_reference.h"

namespace tillwatch::connectors::generation {
namespace {

AlertKey device(uint32_t terminal, const char* field = "terminal_sn") { return {{field, terminal_serial(terminal)}}; }

// A sale with an MCC of a cheaper tier, at each of two merchants in turn.
void acquirer_jumps(Scene& scene) {
  for (uint32_t i = 0; i < 4; ++i) {
    scene.then(scene.at + i * 90 * kSecond, [&scene, i](TimeMs at) {
      Debit debit = scene.sale(i, i % 2);
      debit.mcc = 5411;
      scene.world.cards[debit.card].type = CardType::debit;  // whose fee does not depend on the tier
      scene.pay(at, debit);
      if (i < 2) {
        scene.expect("code-jump", device(debit.terminal, "terminal_key"), at, "medium", "one of an acquirer that jumps codes");
      }
      if (i != 2) return;
      scene.expect("code-jump-acquirer", {{"acquirer_id", acquirer_id(scene.world.merchant_of(debit.terminal).acquirer)}}, at,
                   "high", "three jumps at two merchants");
    });
  }
}

// The first merchant's device takes debits for the second merchant.
void device_serves_another(Scene& scene) {
  scene.keep_company(scene.terminal(0), scene.at, 2);
  for (int i = 0; i < 2; ++i) {
    scene.then(scene.at + i * 2 * kMinute, [&scene, i](TimeMs at) {
      Debit debit = scene.sale(0, 1);
      debit.device = scene.terminal(0);
      scene.pay(at, debit);
      if (i > 0) return;
      const auto told =
          scene.expect("terminal-multi-merchant", device(scene.terminal(0)), at, "high", "another merchant's debits");
      if (scene.random.chance(500'000)) return;
      const TimeMs registered_at = at + scene.random.between(4 * kMinute, 8 * kMinute);
      scene.then(registered_at, [&scene](TimeMs now) {
        scene.delivery.send(terminal_version(scene.world, scene.terminal(0), {.account = scene.terminal(1)}, now, now));
      });
      told.ends("registry_update", registered_at);
    });
  }
}

// A device that no register knows, under the terminal id of a known one.
void two_devices(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) { scene.pay(at, scene.sale()); });
  scene.then(scene.at + 3 * kMinute, [&scene](TimeMs at) {
    Debit debit = scene.sale(1);
    debit.device = scene.actors.stranger;
    scene.pay(at, debit);
    AlertKey key = {{"merchant_id", scene.merchant_id()}};
    append_padded(key["terminal_id"], 100U + debit.terminal, 8);
    const auto told = scene.expect("terminal-swapped", key, at, "high", "a device that no register knows");
    if (scene.random.chance(500'000)) return;
    const TimeMs registered_at = at + scene.random.between(2 * kMinute, 6 * kMinute);
    scene.then(registered_at, [&scene, debit](TimeMs now) {
      scene.delivery.send(terminal_version(scene.world, scene.actors.stranger, {.account = debit.terminal}, now, now));
    });
    told.ends("registry_update", registered_at);
  });
}

// The merchant id names another city than the register.
void id_of_another_city(Scene& scene) {
  for (uint32_t i = 0; i < 2; ++i) {
    scene.then(scene.at + i * 2 * kMinute, [&scene, i](TimeMs at) {
      const Debit debit = scene.sale(i);
      scene.pay(at, debit);
      if (i > 0) return;
      scene.expect("region-jump", device(debit.terminal, "terminal_key"), at, "medium", "an id of another city");
    });
  }
}

// Three debits in a row, kilometres away. It comes back, is registered anew, or stays.
void moved(Scene& scene) {
  const uint32_t manner = scene.random.below(3);
  const bool far = scene.random.chance(500'000);
  const int32_t by = far ? 7000 : 1500;  // 78 km, 17 km
  scene.world.terminals[scene.terminal()].located = true;
  for (uint32_t i = 0; i < 3; ++i) {
    scene.then(scene.at + i * kMinute, [&scene, manner, far, by, i](TimeMs at) {
      Debit debit = scene.sale(i);
      debit.moved_e4 = by;
      scene.pay(at, debit);
      if (i < 2) return;
      const auto told = scene.expect("terminal-relocation", device(debit.terminal), at, far ? "high" : "medium",
                                     far ? "78 km away" : "17 km away");
      if (manner == 0) told.ends("recovered", at + 6 * kMinute);
      if (manner != 1) return;
      told.ends("registry_update", at + 5 * kMinute);
      scene.then(at + 5 * kMinute, [&scene, debit, by](TimeMs now) {
        scene.delivery.send(terminal_version(scene.world, debit.terminal, {.moved_e4 = by}, now, now));
      });
    });
    if (manner == 0) {
      scene.then(scene.at + (6 + i) * kMinute, [&scene, i](TimeMs at) { scene.pay(at, scene.sale(i)); });
    }
  }
}

// One in eight payments of a software version gets no answer, and is taken back.
void version_fails(Scene& scene) {
  constexpr uint32_t kSales = 24, kAnswered = 21;
  const auto version = static_cast<uint16_t>(100 + scene.actors.number);
  for (uint32_t i = 0; i < 4; ++i) scene.world.terminals[scene.terminal(i / 2, i % 2)].app_version = version;
  for (uint32_t i = 0; i < kSales; ++i) {
    scene.then(scene.at + i * 12 * kSecond, [&scene, version, i](TimeMs at) {
      Debit debit = scene.sale(i, i % 2);
      if (i < kAnswered) {
        scene.pay(at, debit);
        return;
      }
      debit.answered = debit.slip = debit.settle = false;
      debit.at_once = true;
      const Transaction lost = scene.pay(at, debit);
      scene.till.report(at + 15 * kSecond, lost, TransactionStatus::timeout);
      scene.then(at + 30 * kSecond, [&scene, lost](TimeMs undo_at) {
        scene.till.undo(undo_at, lost, {.amount_minor = lost.amount_minor, .link = Link::by_stan, .punctual = true});
      });
      if (i + 1 < kSales) return;
      scene
          .expect("fleet-health", {{"app_version", "2.3." + std::to_string(version)}}, at + 15 * kSecond, "info",
                  "three of twenty-four without an answer")
          .ends("recovered", at + 15 * kMinute);  // the last payment is forgotten
    });
  }
}

// --- licences

AlertKey unlicensed(const std::string& subject, const char* kind) { return {{"subject", subject}, {"kind", kind}}; }

// Through an acquirer whose licence was taken away, has run out, or covers something else. It is renewed, or not.
void unlicensed_acquirer(Scene& scene) {
  struct Row {
    Licence licence;
    const char* kind;
  };
  constexpr Row kRows[] = {{Licence::revoked, "not_licensed"},
                           {Licence::expired, "expired"},
                           {Licence::other_business, "wrong_business"},
                           {Licence::other_region, "wrong_region"}};
  const Row row = kRows[scene.random.below(4)];
  const uint32_t acquirer = scene.world.merchants[scene.merchant()].acquirer;
  scene.world.acquirers[acquirer].licence = row.licence;
  scene.then(scene.at, [&scene, row, acquirer](TimeMs at) {
    Debit debit = scene.sale();
    debit.settle = false;
    const Transaction paid = scene.pay(at, debit);
    const auto told = scene.expect("unlicensed-channel", unlicensed(acquirer_id(acquirer), row.kind), at, "critical", row.kind);
    const TimeMs posted_at = scene.till.posting_time(paid);
    scene.till.settle(paid, paid.amount_minor, {.at = posted_at, .fee_minor = {}});
    const TimeMs renewed_at = at + scene.random.between(kMinute, 150 * kSecond);
    const bool renewed =
        row.licence != Licence::other_region && row.licence != Licence::other_business && scene.random.chance(500'000);
    if (renewed) {
      told.ends("registry_update", renewed_at);
      scene.then(renewed_at, [&scene, acquirer](TimeMs now) {
        scene.delivery.send(acquirer_version(scene.world, acquirer, Licence::valid, now, now));
      });
    }
    if (row.licence != Licence::revoked || (renewed && renewed_at < posted_at)) return;
    scene.expect("unlicensed-channel", unlicensed(scene.merchant_id(), "unlicensed_payer"), posted_at, "critical",
                 "paid out by an acquirer without a licence");
  });
}

void uncertified_device(Scene& scene) {
  scene.world.terminals[scene.terminal()].certified = false;
  scene.then(scene.at, [&scene](TimeMs at) {
    const Debit debit = scene.sale();
    scene.pay(at, debit);
    const auto told = scene.expect("unlicensed-channel", unlicensed(terminal_serial(debit.terminal), "uncertified_terminal"),
                                   at, "critical", "a device that was never certified");
    if (scene.random.chance(500'000)) return;
    const TimeMs certified_at = at + scene.random.between(2 * kMinute, 8 * kMinute);
    told.ends("registry_update", certified_at);
    scene.then(certified_at, [&scene, debit](TimeMs now) {
      scene.delivery.send(terminal_version(scene.world, debit.terminal, {.certified = true}, now, now));
    });
  });
}

// The money of a sale goes to an account that is not the merchant's.
void second_clearing(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.settle = false;
    const Transaction paid = scene.pay(at, debit);
    const TimeMs posted_at = scene.till.posting_time(paid);
    scene.till.settle(paid, paid.amount_minor, {.at = posted_at, .fee_minor = {}, .other_account = true});
    scene.expect("unlicensed-channel", unlicensed(scene.merchant_id(), "other_account"), posted_at, "critical",
                 "settled to another account");
  });
}

}  // namespace

std::vector<Injector> terminal_injectors() {
  return {
      {kCodeJump, {"code-jump"}, {.acquirer = true}, 0, 0, false, [](Scene& scene) { scene.plan_jump(); }},
      {"acquirer-jumps",
       {"code-jump-acquirer", "code-jump"},
       {.merchants = 2, .cards = 4, .acquirer = true},
       5 * kMinute,
       11 * kMinute,
       false,
       acquirer_jumps},
      {"multi-merchant",
       {"terminal-multi-merchant"},
       {.merchants = 2, .one_city = true},
       3 * kMinute,
       11 * kMinute,
       false,
       device_serves_another},
      {"terminal-swapped",
       {"terminal-swapped"},
       {.cards = 2, .unregistered = true},
       4 * kMinute,
       12 * kMinute,
       false,
       two_devices},
      {"region-jump",
       {"region-jump"},
       {.cards = 2, .foreign_region = true},
       3 * kMinute,
       11 * kMinute,
       false,
       id_of_another_city},
      {"terminal-moved", {"terminal-relocation"}, {.cards = 3}, 9 * kMinute, 12 * kMinute, false, moved},
      {"version-fails", {"fleet-health"}, {.merchants = 2, .cards = 24}, 6 * kMinute, 22 * kMinute, true, version_fails},
      {"unlicensed-acquirer", {"unlicensed-channel"}, {.acquirer = true}, kMinute, 11 * kMinute, false, unlicensed_acquirer},
      {"uncertified-terminal", {"unlicensed-channel"}, {}, kMinute, 11 * kMinute, false, uncertified_device},
      {"second-clearing", {"unlicensed-channel"}, {}, kMinute, 11 * kMinute, false, second_clearing},
  };
}

}  // namespace tillwatch::connectors::generation
