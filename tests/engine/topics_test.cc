// Which topics the rules need: only these must exist, and only these are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kSchema = R"(
streams:
  sale:
    topic: sales
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", shop: string}
  note:
    topic: notes
    time: happened_at
    id: id
    lateness: 10s
    fields: {id: string, happened_at: time @ "at", sale: string}
tables:
  shops:
    topic: ref.shops
    key: [shop]
    valid: [effective_from, effective_to]
    columns: {shop: string, name: string}
  owners:
    topic: ref.owners
    key: [shop]
    valid: [effective_from, effective_to]
    columns: {shop: string, owner: string}
)";

std::string rule(const std::string& fact, const std::string& resolve) {
  return "rule: seen\nversion: 1\ntitle: {en: Seen, zh: 看见}\non: sale\nkey: [shop]\n" + fact + "resolve:\n" + resolve +
         "  - after: 1d\nseverity: low\nmessage: {en: \"seen\", zh: \"看见\"}\n";
}

TEST(Topics, OfATableThatIsLookedUp) {
  World world(
      load_rule_texts({{"schema.yaml", kSchema}, {"seen.yaml", rule("let:\n  name: shops[sale.shop].name else skip\n", "")}}));
  EXPECT_THAT(world.pipeline().stream_topics(), ElementsAre("sales"));
  EXPECT_THAT(world.pipeline().table_topics(), ElementsAre("ref.shops"));
}

TEST(Topics, OfATableThatResolves) {
  World world(load_rule_texts(
      {{"schema.yaml", kSchema},
       {"seen.yaml", rule("let:\n  name: owners[sale.shop].owner else skip\n", "  - on: owners\n    reason: known\n")}}));
  EXPECT_THAT(world.pipeline().table_topics(), ElementsAre("ref.owners"));
}

TEST(Topics, OfNoTableWhenNoneIsAsked) {
  World world(load_rule_texts({{"schema.yaml", kSchema}, {"seen.yaml", rule("", "")}}));
  EXPECT_THAT(world.pipeline().table_topics(), IsEmpty());
}

TEST(Topics, OfThePaymentsPack) {
  World world(load_rules({TILLWATCH_SOURCE_DIR "/rules/packs/payments"}));
  EXPECT_THAT(world.pipeline().stream_topics(),
              ElementsAre("pos.settlements", "pos.slips", "pos.transactions", "sms.receipts", "sms.replies", "sms.submissions"));
  EXPECT_THAT(world.pipeline().table_topics(),
              ElementsAre("ref.acquirer", "ref.issuer_sla", "ref.maintenance", "ref.mcc_tier", "ref.merchant",
                          "ref.notification_policy", "ref.rate_contract", "ref.region", "ref.sms_key", "ref.sms_template",
                          "ref.subscription", "ref.terminal"));
}

}  // namespace
}  // namespace tillwatch::engine
