// Debits that are not as they should be: once too often, of another amount, without a slip, without an answer.
#include "connectors/generator_anomalies.h"
#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

AlertKey merchant_and_amount(const Scene& scene, const Transaction& paid) {
  return {{"merchant_id", scene.merchant_id()}, {"amount_minor", std::to_string(paid.amount_minor)}, {"currency", "CNY"}};
}

// Minutes later, without a second order: forgotten, or charged twice.
void same_again_within_the_hour(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Debit debit = scene.sale();
    scene.pay(at, debit);
    scene.then(at + scene.random.between(6 * kMinute, 12 * kMinute), [&scene, debit](TimeMs again) {
      const Transaction second = scene.pay(again, debit);
      AlertKey key = merchant_and_amount(scene, second);
      key["card_token"] = card_token(scene.world.cards[debit.card]);
      const auto told = scene.expect("duplicate-debit-watch", key, again, "info", "the same amount minutes later");
      if (scene.random.chance(500'000)) return;
      const TimeMs voided_at = again + scene.random.between(kMinute, 5 * kMinute);
      told.ends("voided", voided_at);
      scene.then(voided_at, [&scene, second](TimeMs undo_at) {
        scene.till.undo(undo_at, second,
                        {.type = TransactionType::void_sale, .amount_minor = second.amount_minor, .reason = ReasonCode::none});
      });
    });
  });
}

void posted_twice(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.settle = false;
    const Transaction paid = scene.pay(at, debit);
    const TimeMs first = scene.till.posting_time(paid), second = first + scene.random.between(20'000, 3 * kMinute);
    scene.till.settle(paid, paid.amount_minor, {.at = first, .fee_minor = {}});
    scene.till.settle(paid, paid.amount_minor, {.at = second, .fee_minor = {}});
    AlertKey key = merchant_and_amount(scene, paid);
    append_padded(key["paid_for"], paid.rrn, 12);
    const auto told = scene.expect("double-posting", key, second, "critical", "two lines for one sale");
    if (scene.random.chance(500'000)) return;
    scene.till.adjust(second + kMinute, paid, paid.amount_minor);
    told.ends("adjusted", second + kMinute);
  });
}

void another_amount_than_billed(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.billed_minor = debit.amount_minor - std::max<int64_t>(1, debit.amount_minor / 10);
    const Transaction paid = scene.pay(at, debit);
    const auto told = scene.expect("order-mismatch", key_of(paid), at, "high", "a tenth above the bill");
    if (scene.random.chance(500'000)) return;
    const TimeMs refunded_at = at + scene.random.between(2 * kMinute, 8 * kMinute);
    told.ends("refunded", refunded_at);
    scene.then(refunded_at, [&scene, paid](TimeMs undo_at) {
      scene.till.undo(undo_at, paid,
                      {.type = TransactionType::refund,
                       .amount_minor = paid.amount_minor - paid.billed_minor,
                       .reason = ReasonCode::order_error});
    });
  });
}

void large(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.amount_minor = 5'000'000 + scene.random.between(0, 300) * 10'000;
    scene.expect("large-transaction", key_of(scene.pay(at, debit)), at, "info", "50,000 yuan or more");
  });
}

// Somebody tries amounts until one works.
void declined_until_paid(Scene& scene) {
  constexpr uint16_t kCodes[] = {55, 51, 61};
  for (int i = 0; i < 3; ++i) {
    scene.then(scene.at + i * 40 * kSecond, [&scene, i, kCodes](TimeMs at) {
      scene.till.plain(at, TransactionType::sale, scene.sale(), TransactionStatus::declined, kCodes[i]);
    });
  }
  scene.then(scene.at + 130 * kSecond, [&scene](TimeMs at) {
    const Debit debit = scene.sale();
    scene.pay(at, debit);
    scene.expect("card-declined-then-paid", {{"card_token", card_token(scene.world.cards[debit.card])}}, at, "info",
                 "three declines before it");
  });
}

// No slip comes out. It comes late, the debit is taken back, or the terminal goes on to its next customer.
void no_slip(Scene& scene) {
  scene.keep_company(scene.terminal(), scene.at, 1 + scene.random.below(3));
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.slip = false;
    const Transaction paid = scene.pay(at, debit);
    const uint32_t manner = scene.random.below(3);
    const TimeMs then = at + scene.random.between(150'000, 280'000);
    const auto told = scene.expect("debit-no-slip", key_of(paid), at + 120 * kSecond, manner == 2 ? "critical" : "medium",
                                   "no slip within two minutes");
    if (manner == 0) {
      told.ends("late_slip", then);
      scene.then(then, [&scene, paid](TimeMs late) { scene.till.try_slip(late, paid, SlipStatus::reprinted); });
    } else if (manner == 1) {
      told.ends("reversed", then);
      scene.then(then, [&scene, paid](TimeMs late) {
        scene.till.undo(late, paid, {.amount_minor = paid.amount_minor, .link = Link::by_stan});
      });
    } else {
      scene.then(then, [&scene](TimeMs late) { scene.pay(late, scene.sale(1)); });
    }
  });
}

// The host debits, the terminal hears nothing and never takes it back: there is no slip either.
void never_reversed(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.slip = debit.answered = debit.settle = false;
    const Transaction paid = scene.pay(at, debit);
    const TimeMs reported_at = at + scene.random.between(15'000, 30'000);
    scene.till.report(reported_at, paid, TransactionStatus::timeout);
    const auto told =
        scene.expect("unreversed-timeout", key_of(paid), reported_at + 180 * kSecond, "high", "no answer, no reversal");
    const auto slip = scene.expect("debit-no-slip", key_of(paid), at + 120 * kSecond, "medium", "no answer, so no slip");
    if (scene.random.chance(500'000)) return;
    const TimeMs reversed_at = at + scene.random.between(5 * kMinute, 8 * kMinute);
    told.ends("reversed", reversed_at);
    slip.ends("reversed", reversed_at);
    scene.then(reversed_at, [&scene, paid](TimeMs late) {
      scene.till.undo(late, paid, {.amount_minor = paid.amount_minor, .link = Link::by_stan});
    });
  });
}

// The terminal says paid, and the host has no approval.
void unknown_to_the_host(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Debit debit = scene.sale();
    Transaction paid = scene.till.start(at, TransactionType::sale, debit.card, debit.terminal);
    paid.amount_minor = debit.amount_minor;
    scene.till.report(at, paid, TransactionStatus::approved);
    AlertKey key;
    std::string& attempt = key["attempt"];
    attempt = scene.merchant_id() + "|";
    append_padded(attempt, 100U + debit.terminal, 8);
    attempt += '|';
    append_padded(attempt, paid.batch, 6);
    attempt += '|';
    append_padded(attempt, paid.stan, 6);
    scene.expect("status-unsynced", key, at + kMinute, "info", "paid says the terminal, and nobody else");
  });
}

// Three tries without paper, then a slip.
void out_of_paper(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.slip = false;
    const Transaction paid = scene.pay(at, debit);
    for (int i = 1; i <= 3; ++i) scene.till.try_slip(at + i * 15 * kSecond, paid, SlipStatus::failed);
    scene.till.try_slip(at + 90 * kSecond, paid, SlipStatus::reprinted);
    AlertKey key = {{"merchant_id", scene.merchant_id()}};
    append_padded(key["terminal_id"], 100U + debit.terminal, 8);
    scene.expect("terminal-printer", key, at + 45 * kSecond, "info", "three tries failed").ends("recovered", at + 90 * kSecond);
  });
}

}  // namespace

std::vector<Injector> debit_injectors() {
  return {
      {kDuplicateDebit, {"duplicate-debit", "debit-no-slip"}, {}, 0, 0, false, [](Scene& scene) { scene.plan_duplicate(); }},
      {"same-again", {"duplicate-debit-watch"}, {}, 12 * kMinute, 19 * kMinute, false, same_again_within_the_hour},
      {"double-posting", {"double-posting"}, {}, kMinute, 11 * kMinute, false, posted_twice},
      {"order-mismatch", {"order-mismatch"}, {}, kMinute, 14 * kMinute, false, another_amount_than_billed},
      {"large-transaction", {"large-transaction"}, {}, kMinute, 11 * kMinute, false, large},
      {"declined-then-paid", {"card-declined-then-paid"}, {}, 3 * kMinute, 11 * kMinute, false, declined_until_paid},
      {"no-slip", {"debit-no-slip"}, {.cards = 2}, 5 * kMinute, 11 * kMinute, false, no_slip},
      {"unreversed-timeout", {"unreversed-timeout", "debit-no-slip"}, {}, kMinute, 15 * kMinute, false, never_reversed},
      {"status-unsynced", {"status-unsynced"}, {}, kMinute, 11 * kMinute, false, unknown_to_the_host},
      {"printer-fails", {"terminal-printer"}, {}, kMinute, 11 * kMinute, false, out_of_paper},
  };
}

}  // namespace tillwatch::connectors::generation
