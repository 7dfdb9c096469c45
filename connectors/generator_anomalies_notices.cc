// Notices that are not sent, not delivered, sent late, to the wrong phone, too often, or not often enough.
#include "connectors/generator_anomalies.h"
#include "connectors/generator_reference.h"

namespace tillwatch::connectors::generation {
namespace {

// A sale of which only the scene tells the holder.
Transaction untold_sale(Scene& scene, TimeMs at, uint32_t card_index = 0) {
  Debit debit = scene.sale(card_index);
  debit.notice = false;
  return scene.pay(at, debit);
}

Submission attempt(Scene& scene, TimeMs at, const Transaction& about, uint8_t number, SubmitStatus status) {
  Submission message = scene.message(at, about);
  message.attempt = number;
  message.status = status;
  return message;
}

AlertKey holders(const Transaction& about) {
  AlertKey key = key_of(about);
  key["recipient_role"] = "cardholder";
  return key;
}

void merchant_not_told(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    Debit debit = scene.sale();
    debit.amount_minor += 10'000;  // above what the merchant wants to hear of
    debit.tell_merchant = false;
    const Transaction paid = scene.pay(at, debit);
    const bool late = scene.random.chance(500'000);
    const auto told = scene.expect("notify-unsent-merchant", key_of(paid), at + 120 * kSecond, late ? "medium" : "critical",
                                   late ? "told too late" : "never told");
    if (!late) return;
    Submission message = scene.message(at + scene.random.between(150'000, 250'000), paid);
    message.to_merchant = true;
    message.channel = Channel::app_push;
    scene.send(message);
    told.ends("late_sms", message.at);
  });
}

// A sending queue that lags for twelve minutes: everything goes out, all of it late.
void queue_lags(Scene& scene) {
  constexpr int kSales = 90;
  constexpr DurationMs kApart = 8 * kSecond, kLag = 75 * kSecond, kWindow = 5 * kMinute;
  // The first late notice that has thirty beside it and thirty that were due five minutes before.
  constexpr int kTelling = 29 + static_cast<int>((kWindow + kApart - 1) / kApart);
  for (int i = 0; i < kSales; ++i) {
    scene.then(scene.at + i * kApart, [&scene, i](TimeMs at) {
      const Submission message = scene.message(at + kLag, untold_sale(scene, at, static_cast<uint32_t>(i)));
      scene.send(message);
      if (i != kTelling) return;
      scene
          .expect("notify-late", {{"issuer_id", issuer_id(scene.actors.issuer)}}, message.at, "medium", "75 s after each debit")
          .ends("recovered", scene.at + (kSales - 1) * kApart + kLag + 2 * kWindow);
    });
  }
}

void not_delivered(Scene& scene) {
  struct Row {
    FailureCause cause;
    const char* severity;
  };
  constexpr Row kRows[] = {{FailureCause::recipient_off, "info"},
                           {FailureCause::invalid_number, "medium"},
                           {FailureCause::carrier_internal, "medium"},
                           {FailureCause::content_blocked, "high"}};
  const Row row = kRows[scene.random.below(4)];
  scene.then(scene.at, [&scene, row](TimeMs at) {
    const Transaction paid = untold_sale(scene, at);
    scene.send(scene.message(at + 3 * kSecond, paid), {.after = 5 * kSecond, .cause = row.cause});
    AlertKey key = key_of(paid);
    key["role"] = "cardholder";
    const TimeMs raised_at = at + 8 * kSecond + 600 * kSecond;
    const auto told = scene.expect("notify-undelivered", key, raised_at, row.severity, "given up, and nothing else came");
    if (scene.random.chance(500'000)) return;
    Submission push = attempt(scene, raised_at + scene.random.between(30'000, kMinute), paid, 2, SubmitStatus::accepted);
    push.channel = Channel::app_push;
    scene.send(push);
    told.ends("late_delivery", push.at);
  });
}

// Two messages to a number that does not exist.
void no_such_number(Scene& scene) {
  for (int i = 0; i < 2; ++i) {
    scene.then(scene.at + i * 2 * kMinute, [&scene, i](TimeMs at) {
      const Transaction paid = untold_sale(scene, at);
      scene.send(scene.message(at + 3 * kSecond, paid), {.after = 5 * kSecond, .cause = FailureCause::invalid_number});
      AlertKey key = key_of(paid);
      key["role"] = "cardholder";
      scene.expect("notify-undelivered", key, at + 608 * kSecond, "medium", "there is no such number");
      if (i == 0) return;
      const std::string phone = phone_token_of(scene.world.cards[scene.card()].token);
      scene.expect("notify-invalid-number", {{"phone_token", phone}}, at + 8 * kSecond, "high", "two came back");
    });
  }
}

void no_report(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const bool late = scene.random.chance(500'000);
    const Submission message = scene.message(at + 3 * kSecond, untold_sale(scene, at));
    scene.send(message, {.reported = late, .after = 22 * kMinute});
    const auto told = scene.expect("receipt-missing", {{"message_id", message_id_of(message)}}, message.at + 20 * kMinute,
                                   "info", "the gateway does not say what became of it");
    if (late) told.ends("late_receipt", message.at + 22 * kMinute);
  });
}

// The first try failed; the third is on record and the second is not.
void hole_in_the_log(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction paid = untold_sale(scene, at);
    scene.send(attempt(scene, at + 3 * kSecond, paid, 1, SubmitStatus::rejected));
    scene.send(attempt(scene, at + 40 * kSecond, paid, 3, SubmitStatus::accepted));
    scene.expect("notify-retry-gap", holders(paid), at + 70 * kSecond, "medium", "the second try is not on record");
  });
}

// Tried again after the term is over.
void retried_late(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction paid = untold_sale(scene, at);
    const Issuer& issuer = scene.world.issuers[scene.world.cards[paid.card].issuer];
    scene.send(attempt(scene, at + 3 * kSecond, paid, 1, SubmitStatus::rejected));
    const TimeMs again = at + issuer.submit_within + 70 * kSecond;
    scene.send(attempt(scene, again, paid, 2, SubmitStatus::accepted));
    scene.expect("notify-retry-missing", holders(paid), at + 123 * kSecond, "medium", "not tried again for minutes")
        .ends("retried", again);
    scene.expect("notify-unsent", key_of(paid), at + issuer.submit_within, "medium", "the second try came after the term")
        .ends("late_sms", again);
  });
}

void tried_in_circles(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction paid = untold_sale(scene, at);
    for (uint8_t i = 1; i <= 7; ++i) {
      scene.send(attempt(scene, at + i * 12 * kSecond, paid, i, i < 7 ? SubmitStatus::rejected : SubmitStatus::accepted));
    }
    scene.expect("notify-retry-storm", holders(paid), at + 72 * kSecond, "medium", "seven tries of one notice");
  });
}

void sent_twice(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction paid = untold_sale(scene, at);
    scene.send(scene.message(at + 3 * kSecond, paid));
    const Submission again = scene.message(at + 25 * kSecond, paid);
    scene.send(again);
    scene.expect("notify-sent-twice", holders(paid), again.at, "medium", "two messages about one debit");
  });
}

// The holder answers TD, and is written to again.
void after_the_optout(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const bool soon = scene.random.chance(300'000);
    scene.delivery.send(Reply{.at = at, .fact = 0, .card = scene.card()});
    scene.then(at + (soon ? 2 : 8) * kMinute, [&scene, soon](TimeMs later) {
      const Submission message = scene.message(later + 3 * kSecond, untold_sale(scene, later));
      scene.send(message);
      scene.expect("notify-after-optout", {{"phone_token", phone_token_of(scene.world.cards[scene.card()].token)}}, message.at,
                   soon ? "info" : "high", soon ? "two minutes after TD" : "eight minutes after TD");
    });
  });
}

// Of thirty debits at a merchant the last eight are told to nobody.
void switched_off(Scene& scene) {
  constexpr int kSales = 30, kTold = 22;
  constexpr DurationMs kApart = 20 * kSecond;
  for (int i = 0; i < kSales; ++i) {
    scene.then(scene.at + i * kApart, [&scene, i](TimeMs at) {
      const Transaction paid = untold_sale(scene, at, static_cast<uint32_t>(i));
      if (i < kTold) return scene.send(scene.message(at + 3 * kSecond, paid));
      const Issuer& issuer = scene.world.issuers[scene.world.cards[paid.card].issuer];
      scene.expect("notify-unsent", key_of(paid), at + issuer.submit_within, "critical",
                   "the merchant's notices are switched off");
    });
  }
  // Somebody whose notice goes out, when the others have been due for five minutes.
  scene.then(scene.at + kSales * kApart + 5 * kMinute, [&scene](TimeMs at) {
    scene.send(scene.message(at + 3 * kSecond, untold_sale(scene, at, kSales)));
    scene.expect("notify-misconfig", {{"merchant_id", scene.merchant_id()}}, at, "high", "eight of thirty told to nobody")
        .ends("recovered", scene.at + (kSales - 1) * kApart + kHour);
  });
}

void one_phone(Scene& scene) {
  const uint64_t owner = scene.world.cards[scene.card()].token;
  for (uint32_t i = 0; i < 5; ++i) {
    scene.world.cards[scene.card(i)].shared_phone = owner;
    scene.then(scene.at + i * 40 * kSecond, [&scene, owner, i](TimeMs at) {
      const Submission message = scene.message(at + 3 * kSecond, untold_sale(scene, at, i));
      scene.send(message);
      if (i != 4) return;
      scene.expect("notify-shared-phone", {{"phone_token", phone_token_of(owner)}}, message.at, "high",
                   "five cards, one phone");
    });
  }
}

// After two dozen notices that waited for the answer, one that did not.
void message_before_approval(Scene& scene) {
  constexpr uint32_t kSales = 24;
  constexpr DurationMs kApart = 10 * kSecond;
  for (uint32_t i = 0; i < kSales; ++i) {
    scene.then(scene.at + i * kApart,
               [&scene, i](TimeMs at) { scene.send(scene.message(at + 4 * kSecond, untold_sale(scene, at, i))); });
  }
  scene.then(scene.at + kSales * kApart, [&scene](TimeMs at) {
    const TimeMs approved_at = at + 30 * kSecond;
    const Transaction paid = untold_sale(scene, approved_at, kSales);
    scene.send(scene.message(at, paid));
    scene
        .expect("sms-before-approval", {{"provider", provider_name(scene.world.issuers[scene.actors.issuer].provider)}},
                approved_at, "high", "half a minute before the approval")
        .ends("recovered", approved_at + kHour);
  });
}

// To a phone that is not the registered one; it is registered afterwards, or not.
void wrong_phone(Scene& scene) {
  scene.then(scene.at, [&scene](TimeMs at) {
    const Transaction paid = untold_sale(scene, at);
    const Card& card = scene.world.cards[paid.card];
    const uint64_t other = card.token ^ 1;
    Submission message = scene.message(at + 3 * kSecond, paid);
    message.phone_owner = other;
    scene.send(message);
    const auto told = scene.expect("notify-wrong-phone", {{"card_token", card_token(card)}, {"role", "cardholder"}}, message.at,
                                   "high", "somebody else's phone");
    if (scene.random.chance(500'000)) return;
    const TimeMs registered_at = at + scene.random.between(2 * kMinute, 8 * kMinute);
    scene.delivery.send(subscription_version(card, other, registered_at, registered_at));
    told.ends("registry_update", registered_at);
  });
}

}  // namespace

std::vector<Injector> notice_injectors() {
  return {
      {kNotifyUnsent, {"notify-unsent"}, {}, 0, 0, false, [](Scene& scene) { scene.plan_unsent(); }},
      {"merchant-untold", {"notify-unsent-merchant"}, {.notified = true}, kMinute, 11 * kMinute, false, merchant_not_told},
      {"notices-late", {"notify-late"}, {.cards = 90, .issuer = true}, 13 * kMinute, 26 * kMinute, true, queue_lags},
      {"notice-undelivered", {"notify-undelivered"}, {}, kMinute, 13 * kMinute, false, not_delivered},
      {"invalid-number", {"notify-invalid-number", "notify-undelivered"}, {}, 3 * kMinute, 14 * kMinute, false, no_such_number},
      {"receipt-missing", {"receipt-missing"}, {}, kMinute, 24 * kMinute, false, no_report},
      {"retry-gap", {"notify-retry-gap"}, {}, kMinute, 11 * kMinute, false, hole_in_the_log},
      {"retry-missing", {"notify-retry-missing", "notify-unsent"}, {}, kMinute, 11 * kMinute, false, retried_late},
      {"retry-storm", {"notify-retry-storm"}, {}, kMinute, 11 * kMinute, false, tried_in_circles},
      {"sent-twice", {"notify-sent-twice"}, {}, kMinute, 11 * kMinute, false, sent_twice},
      {"after-optout", {"notify-after-optout"}, {}, 9 * kMinute, 14 * kMinute, false, after_the_optout},
      {"notices-off", {"notify-misconfig", "notify-unsent"}, {.cards = 31}, 16 * kMinute, 26 * kMinute, true, switched_off},
      {"early-message",
       {"sms-before-approval"},
       {.cards = 25, .issuer = true},
       6 * kMinute,
       12 * kMinute,
       true,
       message_before_approval},
      {"shared-phone", {"notify-shared-phone"}, {.cards = 5}, 4 * kMinute, 11 * kMinute, false, one_phone},
      {"wrong-phone", {"notify-wrong-phone"}, {}, kMinute, 13 * kMinute, false, wrong_phone},
  };
}

}  // namespace tillwatch::connectors::generation
