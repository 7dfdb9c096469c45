// Messages that say what is not so: of payments that failed or never were, with wrong figures, or with texts no bank sends.
#include "connectors/generator_anomalies.h"
#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

// A declined payment, and the time at which somebody tells of it all the same.
Transaction decline(Scene& scene, TimeMs at) {
  Debit debit = scene.sale();
  debit.amount_minor = scene.till.unseen_amount(debit.card, debit.amount_minor);
  return scene.till.plain(at, TransactionType::sale, debit, TransactionStatus::declined, 51);
}

void told_of_a_decline(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction declined = decline(scene, at);
    const Submission message = scene.message(at + 5 * kSecond, declined);
    scene.send(message);
    const auto told =
        scene.expect("debit-sms-after-decline", key_of(declined), message.at, "high", "told of a declined payment");
    if (scene.random.chance(500'000)) return;
    Submission correction = scene.message(at + scene.random.between(90'000, 5 * kMinute), declined);
    correction.category = NoticeCategory::declined;
    scene.send(correction);
    told.ends("corrected_by_sms", correction.at);
  });
}

// The same without a transaction id: it fits no debit either.
void told_of_a_decline_by_tail(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction declined = decline(scene, at);
    Submission message = scene.message(at + 5 * kSecond, declined);
    message.transaction = {};
    scene.send(message);
    AlertKey key = {{"said_amount_minor", std::to_string(declined.amount_minor)}, {"currency", "CNY"}};
    append_padded(key["tail3"], scene.world.cards[declined.card].last4, 3);
    scene.expect("debit-sms-after-decline-by-tail", key, message.at + kMinute, "high",
                 "told of a declined payment, without its id");
    scene.expect("orphan-debit-sms-by-tail", {{"message_id", message_id_of(message)}}, message.at + 10 * kMinute, "medium",
                 "no debit of this tail and amount");
  });
}

// The reversal came first. The holder is told of it afterwards, or not at all.
void told_after_the_reversal(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.notice = debit.settle = false;
    const Transaction paid = scene.pay(at, debit);
    const bool corrected = scene.random.chance(500'000);
    scene.then(at + 30 * kSecond, [&scene, paid, corrected](TimeMs undo_at) {
      const Transaction undone =
          scene.till.undo(undo_at, paid, {.amount_minor = paid.amount_minor, .tell = false, .punctual = true});
      const Submission message = scene.message(undo_at + 45 * kSecond, paid);
      scene.send(message);
      const auto told =
          scene.expect("debit-sms-after-reversal", key_of(paid), message.at, "high", "told of it after the reversal");
      if (!corrected) {
        scene.expect("reversal-unnotified", {{"original_id", key_of(paid)["txn_id"]}}, undo_at + 300 * kSecond, "medium",
                     "told of the debit and not of its reversal");
        return;
      }
      Submission correction = scene.message(undo_at + scene.random.between(100'000, 200'000), undone);
      correction.category = NoticeCategory::refund_done;
      scene.send(correction);
      told.ends("corrected_by_sms", correction.at);
    });
  });
}

// A message about a payment that never was.
Submission invent(Scene& scene, TimeMs at, uint32_t card_index) {
  const Debit debit = scene.sale(card_index);
  Transaction nothing = scene.till.start(at - 3 * kSecond, TransactionType::sale, debit.card, debit.terminal);
  nothing.amount_minor = scene.till.unseen_amount(debit.card, debit.amount_minor);
  return scene.message(at, nothing);
}

void about_nothing(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Submission message = invent(scene, at, 0);
    AlertKey key;
    append_transaction_id(key["txn_id"], message.transaction);
    const bool by_id = scene.random.chance(500'000);
    if (!by_id) {
      message.transaction = {};
      key = {{"message_id", message_id_of(message)}};
    }
    scene.send(message);
    scene.expect(by_id ? "orphan-debit-sms" : "orphan-debit-sms-by-tail", key, at + 10 * kMinute, "medium", "about no payment");
  });
}

// A stolen key sends forged notices in bulk.
void forged_in_bulk(Scene& scene) {
  constexpr int kMessages = 24;
  constexpr DurationMs kApart = 10 * kSecond, kForgotten = 15 * kMinute;
  const AlertKey sender = {{"api_key_id", "k" + std::to_string(1 + scene.actors.number)}};
  for (int i = 0; i < kMessages; ++i) {
    scene.then(scene.at + i * kApart, [&scene, sender, i](TimeMs at) {
      const Submission message = invent(scene, at, static_cast<uint32_t>(i));
      scene.send(message);
      AlertKey key;
      append_transaction_id(key["txn_id"], message.transaction);
      scene.expect("orphan-debit-sms", key, at + 10 * kMinute, "medium", "a forged notice");
      const TimeMs over = scene.at + (kMessages - 1) * kApart + kForgotten;
      if (i == 9) scene.expect("orphan-debit-sms-burst", sender, at, "critical", "ten in five minutes").ends("recovered", over);
      if (i == 19) scene.expect("sms-api-abuse", sender, at, "critical", "all it sends is forged").ends("recovered", over);
    });
  }
}

// Another amount, card, direction or time than the debit's, in fields or in the text alone.
void other_figures(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.notice = false;
    const Transaction paid = scene.pay(at, debit);
    Submission message = scene.message(at + 4 * kSecond, paid);
    const uint32_t manner = scene.random.below(4);
    constexpr const char* kNotes[] = {"ten times the amount", "another card", "money coming in", "an hour before"};
    if (manner == 0) message.saying.amount_minor = paid.amount_minor * 10;
    if (manner == 1) message.saying.tail = (scene.world.cards[paid.card].last4 + 1111) % 10'000;
    if (manner == 2) message.saying.credit = true;
    if (manner == 3) message.saying.off = -kHour;
    message.saying.parsed = manner == 2 || scene.random.chance(500'000);
    scene.send(message);
    const auto told = scene.expect("sms-mismatch", key_of(paid), message.at, "high", kNotes[manner]);
    if (scene.random.chance(500'000)) return;
    Submission correction = scene.message(at + scene.random.between(kMinute, 4 * kMinute), paid);
    correction.channel = Channel::app_push;
    correction.attempt = 2;
    scene.send(correction);
    told.ends("corrected_by_sms", correction.at);
  });
}

void unfit_text(Scene& scene) {
  struct Row {
    Flaw flaw;
    const char* kind;
    const char* severity;
  };
  constexpr Row kRows[] = {{Flaw::no_signature, "missing_slot", "low"},          {Flaw::unknown_link, "unknown_link", "high"},
                           {Flaw::unknown_contact, "unknown_contact", "high"},   {Flaw::asks_code, "secret", "critical"},
                           {Flaw::advertising, "marketing_in_notice", "medium"}, {Flaw::too_long, "too_long", "low"}};
  const Row row = kRows[scene.random.below(6)];
  scene.then(scene.at, [&scene, row](TimeMs at) {
    Debit debit = scene.sale();
    debit.notice = false;
    Submission message = scene.message(at + 4 * kSecond, scene.pay(at, debit));
    message.saying.flaw = row.flaw;
    scene.send(message);
    const std::string used = "TPL-DEBIT-" + std::to_string(1 + scene.actors.number);
    scene.expect("sms-content", {{"template_id", used}, {"kind", row.kind}}, message.at, row.severity, row.kind);
  });
}

}  // namespace

std::vector<Injector> message_injectors() {
  return {
      {"told-of-a-decline", {"debit-sms-after-decline"}, {}, kMinute, 11 * kMinute, false, told_of_a_decline},
      {"told-of-a-decline-by-tail",
       {"debit-sms-after-decline-by-tail", "orphan-debit-sms-by-tail"},
       {},
       kMinute,
       13 * kMinute,
       false,
       told_of_a_decline_by_tail},
      {"told-after-the-reversal",
       {"debit-sms-after-reversal", "reversal-unnotified"},
       {},
       kMinute,
       13 * kMinute,
       false,
       told_after_the_reversal},
      {"orphan-notice", {"orphan-debit-sms", "orphan-debit-sms-by-tail"}, {}, kMinute, 13 * kMinute, false, about_nothing},
      {"forged-notices",
       {"orphan-debit-sms", "orphan-debit-sms-burst", "sms-api-abuse"},
       {.cards = 24},
       5 * kMinute,
       23 * kMinute,
       true,
       forged_in_bulk},
      {"sms-mismatch", {"sms-mismatch"}, {}, kMinute, 11 * kMinute, false, other_figures},
      {"sms-content", {"sms-content"}, {}, kMinute, 11 * kMinute, false, unfit_text},
  };
}

}  // namespace tillwatch::connectors::generation
