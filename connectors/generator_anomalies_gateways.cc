// Gateways that fail or fall silent, and sending keys in the wrong hands. Each has a bank and a gateway of its own, so that
// what it does is not drowned in everybody's messages.
#include <memory>

#include "connectors/generator_anomalies.h"
#include "connectors/generator_reference.h"
#include "engine/base/hash.h"

namespace tillwatch::connectors::generation {
namespace {

// A message to a holder about no transaction.
Submission inquiry(Scene& scene, TimeMs at, uint32_t card_index) {
  Transaction nothing;
  nothing.card = scene.card(card_index);
  nothing.terminal = scene.terminal();
  Submission message = scene.message(at, nothing);
  message.category = NoticeCategory::other;
  return message;
}

AlertKey provider_of(const Scene& scene) {
  return {{"provider", provider_name(scene.world.issuers[scene.actors.issuer].provider)}};
}

AlertKey sender_of(const Scene& scene) { return {{"api_key_id", "k" + std::to_string(1 + scene.actors.number)}}; }

// One in four messages is lost in a jam, for eleven minutes.
void channel_jams(Scene& scene) {
  constexpr int kMessages = 132, kApartSeconds = 5;
  // Both windows of five minutes need fifty messages: the newer ones, and those five minutes before them.
  constexpr int kTelling = 112;
  static_assert(kTelling % 4 == 0 && kTelling - 300 / kApartSeconds >= 50);
  constexpr DurationMs kReportedAfter = 3 * kSecond;
  for (int i = 0; i < kMessages; ++i) {
    scene.then(scene.at + i * kApartSeconds * kSecond, [&scene, i](TimeMs at) {
      const uint32_t cards = 66;
      const FailureCause cause = i % 4 == 0 ? FailureCause::congestion : FailureCause::none;
      scene.send(inquiry(scene, at, static_cast<uint32_t>(i) % cards), {.after = kReportedAfter, .cause = cause});
      if (i != kTelling) return;
      AlertKey key = provider_of(scene);
      constexpr const char* kCarriers[] = {"CMCC", "CUCC", "CTCC"};
      key["carrier"] = kCarriers[scene.world.cards[scene.card()].carrier];
      const TimeMs last = scene.at + (kMessages - 4) * kApartSeconds * kSecond + kReportedAfter;
      scene.expect("sms-channel-outage", key, at + kReportedAfter, "critical", "one in four is lost in a jam")
          .ends("recovered", last + 10 * kMinute);
    });
  }
}

// The call-back is down: every report comes at once, a quarter of an hour later.
void reports_fail(Scene& scene) {
  constexpr int kMessages = 150;
  constexpr DurationMs kApart = 5 * kSecond;
  const TimeMs back = scene.at + 17 * kMinute;
  const auto told = std::make_shared<bool>(false);
  for (int i = 0; i < kMessages; ++i) {
    scene.then(scene.at + i * kApart, [&scene, back, told, i](TimeMs at) {
      const Submission message = inquiry(scene, at, static_cast<uint32_t>(i) % 75);
      scene.send(message, {.after = back + i * 50 - at});
      // One message in sixteen asks, once fifty are a minute old.
      const bool asks = hash_bytes(message_id_of(message)) >> 60 == 0;
      if (*told || !asks || i < 49 + static_cast<int>(kMinute / kApart)) return;
      *told = true;
      scene.expect("sms-channel-silent", provider_of(scene), at, "critical", "no report for a quarter of an hour")
          .ends("recovered", back);
    });
  }
}

void key_is_refused(Scene& scene) {
  constexpr int kTries = 12;
  constexpr DurationMs kApart = 15 * kSecond;
  for (int i = 0; i < kTries; ++i) {
    scene.then(scene.at + i * kApart, [&scene, i](TimeMs at) {
      Submission message = inquiry(scene, at, 0);
      message.status = SubmitStatus::rejected;
      message.cause = FailureCause::auth;
      scene.send(message);
      if (i != 9) return;
      scene.expect("sms-api-auth", sender_of(scene), at, "critical", "ten refusals in five minutes")
          .ends("recovered", scene.at + (kTries - 1) * kApart + 15 * kMinute);
    });
  }
}

void key_sprays(Scene& scene) {
  constexpr int kMessages = 40;
  constexpr DurationMs kApart = kSecond;
  for (int i = 0; i < kMessages; ++i) {
    scene.then(scene.at + i * kApart, [&scene, i](TimeMs at) {
      scene.send(inquiry(scene, at, static_cast<uint32_t>(i)));
      if (i != 30) return;
      scene.expect("sms-api-spray", sender_of(scene), at, "critical", "forty phones in a minute")
          .ends("recovered", scene.at + (kMessages - 1) * kApart + 15 * kMinute);
    });
  }
}

// The key's record lists another address; half of the time the sender has moved, and is entered afterwards.
void key_is_used_elsewhere(Scene& scene) {
  const std::string sender = sender_of(scene).at("api_key_id");
  scene.then(scene.at,
             [&scene, sender](TimeMs at) { scene.delivery.send(sending_key_version(sender, "198.51.100.77", at - kDay, at)); });
  scene.then(scene.at + 2 * kMinute, [&scene, sender](TimeMs at) {
    scene.send(inquiry(scene, at, 0));
    const auto told = scene.expect("sms-api-address", {{"api_key_id", sender}, {"source_ip", kSenderAddress}}, at, "critical",
                                   "from an address its record does not list");
    if (scene.random.chance(500'000)) return;
    const TimeMs entered_at = at + scene.random.between(2 * kMinute, 8 * kMinute);
    told.ends("registry_update", entered_at);
    scene.then(entered_at,
               [&scene, sender](TimeMs now) { scene.delivery.send(sending_key_version(sender, kSenderAddress, now, now)); });
  });
}

// The same text three times in a minute.
void repeats_itself(Scene& scene) {
  for (int i = 0; i < 4; ++i) {
    scene.then(scene.at + i * 15 * kSecond, [&scene, i](TimeMs at) {
      scene.send(inquiry(scene, at, 0));
      if (i != 2) return;
      scene
          .expect("sms-frequency", {{"phone_token", phone_token_of(scene.world.cards[scene.card()].token)}}, at, "medium",
                  "the same text again and again")
          .ends("recovered", scene.at + kHour);  // three remain in the hour, and none in 59 minutes
    });
  }
}

}  // namespace

std::vector<Injector> gateway_injectors() {
  const Cast many = {.cards = 75, .issuer = true};
  return {
      {"channel-outage", {"sms-channel-outage"}, many, 12 * kMinute, 25 * kMinute, true, channel_jams},
      {"channel-silent", {"sms-channel-silent"}, many, 13 * kMinute, 20 * kMinute, true, reports_fail},
      {"api-auth", {"sms-api-auth"}, {}, 4 * kMinute, 21 * kMinute, false, key_is_refused},
      {"api-spray", {"sms-api-spray"}, {.cards = 40}, 2 * kMinute, 18 * kMinute, true, key_sprays},
      {"api-address", {"sms-api-address"}, {}, 3 * kMinute, 13 * kMinute, false, key_is_used_elsewhere},
      {"sms-frequency", {"sms-frequency"}, {}, 2 * kMinute, 11 * kMinute, false, repeats_itself},
  };
}

}  // namespace tillwatch::connectors::generation
