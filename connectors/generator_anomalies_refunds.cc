// Money given back: untold, promised and not paid, or more than there was.
#include "connectors/generator_anomalies.h"

namespace tillwatch::connectors::generation {
namespace {

using Undoing = Till::Undoing;

// A message that the money is back, at last.
void tell_late(Scene& scene, TimeMs at, const Transaction& undone) {
  Submission message = scene.message(at, undone);
  message.category = NoticeCategory::refund_done;
  message.refund = undone.refund;
  message.refund_reason = undone.reason;
  scene.send(message);
}

void give_back_untold(Scene& scene, TransactionType type, const char* rule) {
  scene.then(scene.at, [&scene, type, rule](TimeMs at) {
    const Debit debit = scene.sale();
    const Transaction paid = scene.pay(at, debit);
    scene.then(at + scene.random.between(2 * kMinute, 4 * kMinute), [&scene, type, rule, paid](TimeMs undo_at) {
      const ReasonCode reason = type == TransactionType::refund ? ReasonCode::goods_issue : ReasonCode::timeout;
      const Transaction undone =
          scene.till.undo(undo_at, paid, {.type = type, .amount_minor = paid.amount_minor, .reason = reason, .tell = false});
      AlertKey key = key_of(undone);
      if (type == TransactionType::reversal) key = {{"original_id", key_of(paid)["txn_id"]}};
      const auto told = scene.expect(rule, key, undo_at + 300 * kSecond, "medium", "the holder is not told");
      if (scene.random.chance(500'000)) return;
      const TimeMs late = undo_at + scene.random.between(330'000, 420'000);
      told.ends("late_sms", late);
      scene.then(late, [&scene, undone](TimeMs now) { tell_late(scene, now, undone); });
    });
  });
}

void refund_untold(Scene& scene) { give_back_untold(scene, TransactionType::refund, "refund-unnotified"); }
void reversal_untold(Scene& scene) { give_back_untold(scene, TransactionType::reversal, "reversal-unnotified"); }

// Promised the day before for an order error, which is put right within a day; it is not.
void promised(Scene& scene, bool by_sale) {
  const Debit debit = scene.sale();
  const TimeMs promised_at = scene.at - kDay;
  Transaction sold = scene.till.start(promised_at - kHour, TransactionType::sale, debit.card, debit.terminal);
  sold.amount_minor = debit.amount_minor;
  Submission promise = scene.message(promised_at, sold);
  promise.category = NoticeCategory::refund_promised;
  promise.refund_reason = ReasonCode::order_error;
  if (!by_sale) {
    promise.refund = scene.till.next_refund();
    promise.transaction = {};
  }
  scene.send(promise);
  AlertKey key = key_of(sold);
  if (!by_sale) key = {{"refund_id", "RF-" + std::to_string(promise.refund)}};
  const auto told = scene.expect(by_sale ? "refund-not-executed-by-sale" : "refund-not-executed", key, scene.at, "high",
                                 "promised yesterday for an order error");
  if (by_sale || scene.random.chance(500'000)) return;
  const TimeMs refunded_at = scene.at + scene.random.between(2 * kMinute, 5 * kMinute);
  told.ends("refunded", refunded_at);
  const uint32_t refund = promise.refund;
  scene.then(refunded_at, [&scene, sold, refund](TimeMs at) {
    scene.till.undo(at, sold,
                    {.type = TransactionType::refund,
                     .amount_minor = sold.amount_minor,
                     .reason = ReasonCode::order_error,
                     .refund = refund});
  });
}

void promised_refund(Scene& scene) { promised(scene, false); }
void promised_for_a_sale(Scene& scene) { promised(scene, true); }

void refund(Scene& scene, TimeMs at, const Transaction& original, int64_t amount_minor) {
  scene.then(at, [&scene, original, amount_minor](TimeMs now) {
    scene.till.undo(now, original,
                    {.type = TransactionType::refund, .amount_minor = amount_minor, .reason = ReasonCode::goods_issue});
  });
}

void more_than_paid(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction paid = scene.pay(at, scene.sale());
    refund(scene, at + 2 * kMinute, paid, paid.amount_minor * 6 / 10);
    refund(scene, at + 4 * kMinute, paid, paid.amount_minor / 2);
    scene.expect("refund-excess", {{"original_id", key_of(paid)["txn_id"]}}, at + 4 * kMinute, "high", "six tenths and a half");
  });
}

// The sale is older than anybody remembers; the refunds say how much it was.
void more_than_stated(Scene& scene) {
  const Debit debit = scene.sale();
  Transaction sold = scene.till.start(scene.at - 40 * kDay, TransactionType::sale, debit.card, debit.terminal);
  sold.amount_minor = debit.amount_minor;
  refund(scene, scene.at, sold, sold.amount_minor * 7 / 10);
  refund(scene, scene.at + 2 * kMinute, sold, sold.amount_minor / 2);
  scene.expect("refund-excess-stated", {{"original.txn_id", key_of(sold)["txn_id"]}}, scene.at + 3 * kMinute, "high",
               "a sale of six weeks ago, refunded beyond what it is said to have been");
}

void out_of_nothing(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Debit debit = scene.sale();
    Transaction nothing = scene.till.start(at, TransactionType::sale, debit.card, debit.terminal);
    const Transaction refunded = scene.till.undo(
        at, nothing,
        {.type = TransactionType::refund, .amount_minor = debit.amount_minor, .link = Link::none, .reason = ReasonCode::other});
    scene.expect("refund-no-original", key_of(refunded), at, "low", "a refund that names no sale");
  });
}

}  // namespace

std::vector<Injector> refund_injectors() {
  return {
      {"refund-untold", {"refund-unnotified"}, {}, kMinute, 14 * kMinute, false, refund_untold},
      {"reversal-untold", {"reversal-unnotified"}, {}, kMinute, 14 * kMinute, false, reversal_untold},
      {"refund-promised", {"refund-not-executed"}, {}, kMinute, 11 * kMinute, false, promised_refund},
      {"refund-promised-for-a-sale", {"refund-not-executed-by-sale"}, {}, kMinute, 11 * kMinute, false, promised_for_a_sale},
      {"refund-excess", {"refund-excess"}, {}, kMinute, 12 * kMinute, false, more_than_paid},
      {"refund-excess-stated", {"refund-excess-stated"}, {}, kMinute, 12 * kMinute, false, more_than_stated},
      {"refund-out-of-nothing", {"refund-no-original"}, {}, kMinute, 11 * kMinute, false, out_of_nothing},
  };
}

}  // namespace tillwatch::connectors::generation
