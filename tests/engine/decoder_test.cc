#include "engine/decoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "engine/base/row.h"
#include "rules/tariff.h"
#include "tests/engine/decoder_fixture.h"

namespace tillwatch::engine {
namespace {

// One field of every type.
rules::Schema make_schema() {
  rules::Schema schema;
  schema.enums.push_back({{"approved", "declined", "timeout", "unknown"}});
  rules::Stream stream;
  stream.name = "transaction";
  stream.root = 0;
  stream.topic = "pos.transactions";
  add(stream.fields, "event_id", type(Kind::string));
  add(stream.fields, "occurred_at", type(Kind::time));
  stream.time_field = 1;
  add(stream.fields, "status", type(Kind::symbol, 0));
  add(stream.fields, "amount", type(Kind::money), "amount_minor", "currency");
  add(stream.fields, "attempt_no", maybe(Kind::integer));
  add(stream.fields, "final", maybe(Kind::boolean));
  add(stream.fields, "rate", maybe(Kind::decimal), "fees.rate_bp");
  add(stream.fields, "location", maybe(Kind::geo));
  add(stream.fields, "channels", maybe(Kind::list));
  add(stream.fields, "within", maybe(Kind::duration), "within_ms");
  add(stream.fields, "pan_masked", maybe(Kind::string));
  add(stream.fields, "content", maybe(Kind::string));
  add(stream.fields, "original.txn_id", maybe(Kind::string));
  add(stream.fields, "original.amount_minor", maybe(Kind::integer));
  add(stream.fields, "a_name_longer_than_sixteen_bytes", maybe(Kind::string));
  add(stream.fields, "tip", maybe(Kind::money), "tip_minor", "currency");
  schema.streams.push_back(std::move(stream));

  rules::Table table;
  table.name = "rate_contracts";
  add(table.columns, "merchant_id", type(Kind::string));
  add(table.columns, "products", type(Kind::tariff));
  add(table.columns, "effective_from", type(Kind::time));
  add(table.columns, "effective_to", type(Kind::time));
  add(table.columns, "recorded_at", type(Kind::time));
  table.key = {0};
  table.valid_from = 2;
  table.valid_to = 3;
  table.recorded_at = 4;
  schema.tables.push_back(std::move(table));
  return schema;
}

class DecoderTest : public testing::Test {
 protected:
  DecodeResult decode(std::string_view json) {
    record_.emplace(json);
    arena_.reset();
    return decoder_.decode(record_->text(), kArrival, slots_, arena_);
  }
  // A good record with `members` put before the required ones.
  DecodeResult decode_with(std::string_view members) {
    return decode(fmt::format(R"({{{}, "event_id":"E1","occurred_at":1795321805120,"status":"approved","amount_minor":12850}})",
                              members));
  }
  const Value& slot(std::string_view field) const {
    return slots_[static_cast<size_t>(rules::find_field(schema_.streams[0].fields, field))];
  }

  rules::Schema schema_ = make_schema();
  std::vector<Value> slots_ = std::vector<Value>(schema_.streams[0].fields.size());
  std::optional<Padded> record_;  // values point into it
  Arena arena_;
  Decoder decoder_ = Decoder::for_stream(schema_, 0, std::vector<bool>(slots_.size(), true));
};

TEST_F(DecoderTest, EveryType) {
  const DecodeResult result = decode(R"( {
    "unread": {"a": [1, -2.5e3, "x\n", null, {"b": []}]}, "channels": ["sms", "we\u0063hat"], "currency": "USD",
    "event_id": "E\u00311", "occurred_at": "2026-11-22T12:30:05.120+08:00", "status": "declined", "amount_minor": 12850,
    "attempt_no": -3, "final": true, "fees": {"rate_bp": 3.25, "other": 1}, "within_ms": 120000,
    "location": {"lat": 23.1291, "lon": -113.26445551, "coord_system": "GCJ02", "source": "gps", "accuracy_m": 30.5},
    "pan_masked": "622848******1234", "content": "【示例银行】\"好\"", "a_name_longer_than_sixteen_bytes": "long",
    "original": {"rrn": "1", "txn_id": "T1", "amount_minor": 9223372036854775807}, "tip_minor": 0
  } )");
  ASSERT_TRUE(result.ok()) << result.field << " " << result.detail;
  EXPECT_EQ(result.event_time, 1795321805120);
  EXPECT_EQ(result.unknown_enums, 0u);
  EXPECT_EQ(slot("event_id").text(), "E11");
  EXPECT_EQ(slot("occurred_at").i, 1795321805120);
  EXPECT_EQ(slot("status").i, 1);
  EXPECT_TRUE(equal(slot("amount"), Value::of_money(12850, 840)));
  EXPECT_EQ(slot("attempt_no").i, -3);
  EXPECT_TRUE(slot("final").truth());
  EXPECT_EQ(slot("rate").i, 3'250'000'000);
  EXPECT_EQ(slot("within").i, 120'000);
  EXPECT_EQ(slot("location").lat_e7, 231'291'000);
  EXPECT_EQ(slot("location").lon_e7, -1'132'644'555);
  EXPECT_EQ(slot("location").aux, static_cast<uint16_t>(CoordinateSystem::gcj02));
  EXPECT_EQ(slot("location").size, 305u);
  EXPECT_EQ(slot("content").text(), "【示例银行】\"好\"");
  EXPECT_EQ(slot("original.txn_id").text(), "T1");
  EXPECT_EQ(slot("original.amount_minor").i, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(slot("a_name_longer_than_sixteen_bytes").text(), "long");
  EXPECT_TRUE(equal(slot("tip"), Value::of_money(0, 840)));
  const auto channels = ListView(slot("channels").text()).items();
  EXPECT_EQ(channels, (std::vector<std::string_view>{"sms", "wechat"}));
}

TEST_F(DecoderTest, NullAndAbsentAreMissing) {
  const DecodeResult result =
      decode_with(R"("original": null, "location": null, "channels": null, "attempt_no": null, "tip_minor": null)");
  ASSERT_TRUE(result.ok()) << result.detail;
  for (const std::string_view field : {"original.txn_id", "original.amount_minor", "location", "channels", "attempt_no", "tip",
                                       "final", "within", "rate", "content"}) {
    EXPECT_TRUE(slot(field).missing()) << field;
  }
  EXPECT_TRUE(equal(slot("amount"), Value::of_money(12850, 156)));
}

TEST_F(DecoderTest, NothingOfTheLastRecordStays) {
  ASSERT_TRUE(decode_with(R"("location": {"lat": 1, "lon": 2, "accuracy_m": 3}, "currency": "USD", "attempt_no": 7)").ok());
  ASSERT_FALSE(decode_with(R"("location": {"lat": 1}, "currency": "JPY")").ok());
  ASSERT_TRUE(decode_with(R"("location": {"lon": 0, "lat": 5})").ok());
  EXPECT_TRUE(slot("attempt_no").missing());
  EXPECT_EQ(slot("amount").aux, 156);
  EXPECT_EQ(slot("location").lat_e7, 50'000'000);
  EXPECT_EQ(slot("location").size, Value::kUnknownAccuracy);
}

TEST_F(DecoderTest, ValuesOfEachType) {
  struct Row {
    std::string_view members, field;
    DecodeFault fault;
    std::optional<int64_t> value = std::nullopt;  // Value::i; empty: missing, or text
  };
  using enum DecodeFault;
  const Row rows[] = {
      {R"("attempt_no": 0)", "attempt_no", none, 0},
      {R"("attempt_no": -0)", "attempt_no", none, 0},
      {R"("attempt_no": -9223372036854775808)", "attempt_no", none, std::numeric_limits<int64_t>::min()},
      {R"("attempt_no": 9223372036854775808)", "attempt_no", out_of_range},
      {R"("attempt_no": -9223372036854775809)", "attempt_no", out_of_range},
      {R"("attempt_no": 123456789012345678901234567890)", "attempt_no", out_of_range},
      {R"("attempt_no": 1.0)", "attempt_no", wrong_type},
      {R"("attempt_no": 1e3)", "attempt_no", wrong_type},
      {R"("attempt_no": "128")", "attempt_no", wrong_type},
      {R"("attempt_no": true)", "attempt_no", wrong_type},
      {R"("attempt_no": {})", "attempt_no", wrong_type},
      {R"("attempt_no": [1])", "attempt_no", wrong_type},
      {R"("attempt_no": 01)", "attempt_no", invalid_json},
      {R"("attempt_no": +1)", "attempt_no", invalid_json},
      {R"("attempt_no": 1.)", "attempt_no", invalid_json},
      {R"("attempt_no": .5)", "attempt_no", invalid_json},
      {R"("attempt_no": 1e)", "attempt_no", invalid_json},
      {R"("attempt_no": NaN)", "attempt_no", invalid_json},
      {R"("attempt_no": nan)", "attempt_no", invalid_json},
      {R"("attempt_no": Infinity)", "attempt_no", invalid_json},
      {R"("attempt_no": -Infinity)", "attempt_no", invalid_json},
      {R"("attempt_no": 0x10)", "attempt_no", invalid_json},
      {R"("attempt_no": nulll)", "attempt_no", invalid_json},
      {R"("final": false)", "final", none, 0},
      {R"("final": True)", "final", invalid_json},
      {R"("final": 1)", "final", wrong_type},
      {R"("final": "true")", "final", wrong_type},
      {R"("fees": {"rate_bp": 3})", "rate", none, 3'000'000'000},
      {R"("fees": {"rate_bp": 0.000000001})", "rate", none, 1},
      {R"("fees": {"rate_bp": -0.0000000015})", "rate", none, -2},
      {R"("fees": {"rate_bp": 0.00000000049999})", "rate", none, 0},
      {R"("fees": {"rate_bp": 0.1000000000000000055511151231257827})", "rate", none, 100'000'000},
      {R"("fees": {"rate_bp": 325e-2})", "rate", none, 3'250'000'000},
      {R"("fees": {"rate_bp": 5E-10})", "rate", none, 1},
      {R"("fees": {"rate_bp": 1e-99999999999})", "rate", none, 0},
      {R"("fees": {"rate_bp": 0e99999999999})", "rate", none, 0},
      {R"("fees": {"rate_bp": 9.2E+9})", "rate", none, 9'200'000'000'000'000'000},
      {R"("fees": {"rate_bp": 9300000000})", "rate", out_of_range},
      {R"("fees": {"rate_bp": 1e99999999999})", "rate", out_of_range},
      {R"("fees": {"rate_bp": "3.25"})", "rate", wrong_type},
      {R"("fees": 3)", "fees", wrong_type},
      {R"("fees": "x")", "fees", wrong_type},
      {R"("fees": [])", "fees", wrong_type},
      {R"("fees": false)", "fees", wrong_type},
      {R"("fees": {})", "rate", none},
      {R"("tip_minor": 5.0)", "tip", wrong_type},
      {R"("tip_minor": "5")", "tip", wrong_type},
      {R"("tip_minor": 5, "currency": "392")", "tip", none, 5},
      {R"("currency": "XXQ")", "amount", wrong_type},
      {R"("currency": 156)", "amount", wrong_type},
      {R"("currency": null)", "amount", none, 12850},
      {R"("within_ms": "2m")", "within", none, 120'000},
      {R"("within_ms": "2 m")", "within", wrong_type},
      {R"("within_ms": 1.5)", "within", wrong_type},
      {R"("within_ms": 9223372036854775807)", "within", out_of_range},
      {R"("pan_masked": 622848)", "pan_masked", wrong_type},
      {R"("pan_masked": "622848******1234")", "pan_masked", none},
      {R"("pan_masked": "4111111111111111")", "pan_masked", pan_exposed},
      {R"("content": "您的卡4111 1111 1111 1111消费")", "content", pan_exposed},
      {R"("content": "\u0034111111111111111")", "content", pan_exposed},
      {R"("content": "订单 4111111111111112")", "content", none},
      {R"("a_name_longer_than_sixteen_bytes": "4111111111111111")", "a_name_longer_than_sixteen_bytes", none},
      {R"("content": "\ud800")", "content", invalid_json},
      {R"("content": "\udc00")", "content", invalid_json},
      {R"("content": "\ud83d\ude00")", "content", none},
      {R"("content": "\q")", "content", invalid_json},
      {R"("content": "\u12")", "content", invalid_json},
      {"\"content\": \"a\nb\"", "", invalid_json},
      {"\"content\": \"a\xff\"", "", invalid_utf8},
      {"\"content\": \"\xed\xa0\x80\"", "", invalid_utf8},
      {"\"unread\": \"\xc0\xaf\"", "", invalid_utf8},
      {R"("channels": [])", "channels", none},
      {R"("channels": ["a", 1])", "channels", wrong_type},
      {R"("channels": ["a", null])", "channels", wrong_type},
      {R"("channels": ["a", ["b"]])", "channels", wrong_type},
      {R"("channels": ["a" "b"])", "", invalid_json},
      {R"("channels": ["a",])", "channels", invalid_json},
      {R"("channels": "a")", "channels", wrong_type},
      {R"("location": {"lat": 90.0000001, "lon": 0})", "location", wrong_type},
      {R"("location": {"lat": 0, "lon": -180.1})", "location", wrong_type},
      {R"("location": {"lat": 1e30, "lon": 0})", "location", out_of_range},
      {R"("location": {"lat": 1, "lon": 2, "accuracy_m": -1})", "location", wrong_type},
      {R"("location": {"lat": 1})", "location", wrong_type},
      {R"("location": {"lon": 1, "lat": null})", "location", wrong_type},
      {R"("location": {"lat": "1", "lon": 2})", "location", wrong_type},
      {R"("location": {"lat": 0, "lon": 0.0})", "location", none},
      {R"("location": {})", "location", none},
      {R"("location": "here")", "location", wrong_type},
      {R"("original": "T1")", "original", wrong_type},
      {R"("original": {"txn_id": 5})", "original.txn_id", wrong_type},
      {R"("attempt_no": 1, "attempt_no": 1)", "attempt_no", duplicate_key},
      {R"("attempt_no": null, "attempt\u005fno": 1)", "attempt_no", duplicate_key},
      {R"("original": {"txn_id": "a", "txn_id": "b"})", "original.txn_id", duplicate_key},
      {R"("original": null, "original": {})", "original", duplicate_key},
      {R"("unread": 1, "unread": 2)", "attempt_no", none},
      {R"("unread": NaN)", "", invalid_json},
      {R"("unread": 12 34)", "", invalid_json},
      {R"("unread": [1, 2})", "", invalid_json},
      {R"("unread": [tru])", "", invalid_json},
      {R"("unread": {"a": })", "", invalid_json},
      {R"("unread": {"a" 1})", "", invalid_json},
      {R"("unread": {1: 2})", "", invalid_json},
      {R"("unread": , "x": 1)", "", invalid_json},
      {R"("unread": 1,)", "", invalid_json},
      {R"("unread" 1)", "", invalid_json},
      {R"("unread": "a"b)", "", invalid_json},
  };
  for (const Row& row : rows) {
    const DecodeResult result = decode_with(row.members);
    EXPECT_EQ(name(result.fault), name(row.fault)) << row.members << " " << result.detail;
    if (row.fault == none && result.ok()) {
      if (row.value) { EXPECT_EQ(slot(row.field).i, *row.value) << row.members; }
    } else if (!row.field.empty()) {
      EXPECT_EQ(result.field, row.field) << row.members;
      EXPECT_FALSE(result.detail.empty()) << row.members;
    }
  }
}

TEST_F(DecoderTest, UnknownEnumValuesAreCounted) {
  const DecodeResult result = decode(
      R"({"event_id":"E","occurred_at":1795321805120,"status":"accepted","amount_minor":1,"location":{"lat":1,"lon":2,"coord_system":"BD09"}})");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.unknown_enums, 2u);
  EXPECT_EQ(slot("status").i, 3);
  EXPECT_TRUE(slot("location").missing());
}

TEST_F(DecoderTest, RecordsThatAreNone) {
  struct Row {
    std::string_view json;
    DecodeFault fault;
  };
  using enum DecodeFault;
  const Row rows[] = {
      {"", invalid_json},
      {"   ", invalid_json},
      {"hello", invalid_json},
      {"{", invalid_json},
      {"}", invalid_json},
      {"{}}", invalid_json},
      {"{} {}", invalid_json},
      {"{}", missing_field},
      {"[1, 2]", not_an_object},
      {"\"text\"", not_an_object},
      {" 12 ", not_an_object},
      {"null", not_an_object},
      {"\xff", invalid_utf8},
      {R"({"event_id":"E)", invalid_json},
      {R"({"event_id":)", invalid_json},
      {R"({"event_id")", invalid_json},
  };
  for (const Row& row : rows) EXPECT_EQ(name(decode(row.json).fault), name(row.fault)) << row.json;
}

TEST_F(DecoderTest, EveryTruncationIsNoticed) {
  const std::string_view json =
      R"({"event_id":"E1","occurred_at":1795321805120,"status":"approved","amount_minor":12850,"original":{"txn_id":"T1"},"u":[{"a":1}]})";
  ASSERT_TRUE(decode(json).ok());
  for (size_t size = 0; size < json.size(); ++size)
    EXPECT_EQ(decode(json.substr(0, size)).fault, DecodeFault::invalid_json) << size;
}

TEST_F(DecoderTest, RequiredFieldsMustBeThere) {
  EXPECT_EQ(decode(R"({"event_id":"E1","occurred_at":1795321805120,"status":"approved"})").field, "amount");
  EXPECT_EQ(decode(R"({"event_id":"E1","occurred_at":null,"status":"approved","amount_minor":1})").field, "occurred_at");
  EXPECT_EQ(decode(R"({"event_id":null,"occurred_at":1795321805120,"status":"approved","amount_minor":1})").fault,
            DecodeFault::missing_field);
  EXPECT_EQ(decode(R"({"event_id":"E1","occurred_at":1795321805120,"status":"approved","currency":"CNY"})").field, "amount");
}

TEST_F(DecoderTest, EventTime) {
  const auto fault_of = [&](std::string_view time) {
    return decode(fmt::format(R"({{"event_id":"E1","occurred_at":{},"status":"approved","amount_minor":1}})", time)).fault;
  };
  EXPECT_EQ(fault_of(R"("2026-11-22T04:30:05Z")"), DecodeFault::none);
  EXPECT_EQ(fault_of(R"("2026-11-22T12:30:05")"), DecodeFault::bad_time);
  EXPECT_EQ(fault_of(R"("2026-11-22 12:30:05+08:00")"), DecodeFault::bad_time);
  EXPECT_EQ(fault_of(R"("2026-02-30T12:30:05+08:00")"), DecodeFault::bad_time);
  EXPECT_EQ(fault_of(R"("")"), DecodeFault::bad_time);
  EXPECT_EQ(fault_of("1795321805"), DecodeFault::bad_time);  // seconds
  EXPECT_EQ(fault_of("9223372036854775807"), DecodeFault::bad_time);
  EXPECT_EQ(fault_of("1795321805120.5"), DecodeFault::wrong_type);
  EXPECT_EQ(fault_of("1795322110000"), DecodeFault::none);  // five minutes after arrival
  EXPECT_EQ(fault_of("1795322110001"), DecodeFault::time_in_future);
  EXPECT_EQ(fault_of(R"("2033-11-22T12:30:05+08:00")"), DecodeFault::time_in_future);
}

TEST_F(DecoderTest, LargeAndDeepRecordsAreRefused) {
  EXPECT_EQ(decode_with("\"unread\": \"" + std::string(10 << 20, 'x') + "\"").fault, DecodeFault::too_large);
  EXPECT_EQ(decode_with("\"unread\": \"" + std::string(900 << 10, 'x') + "\"").fault, DecodeFault::none);
  const auto nested = [&](size_t depth, std::string_view open, std::string_view close) {
    std::string text;
    for (size_t i = 0; i < depth; ++i) text += open;
    text += "1";
    for (size_t i = 0; i < depth; ++i) text += close;
    return decode_with("\"unread\": " + text).fault;
  };
  EXPECT_EQ(nested(31, "[", "]"), DecodeFault::none);
  EXPECT_EQ(nested(32, "[", "]"), DecodeFault::too_deep);
  EXPECT_EQ(nested(31, "{\"a\":", "}"), DecodeFault::none);
  EXPECT_EQ(nested(32, "{\"a\":", "}"), DecodeFault::too_deep);
  EXPECT_EQ(nested(100'000, "[", "]"), DecodeFault::too_deep);
  EXPECT_EQ(nested(50'000, "{\"original\":", "}"), DecodeFault::too_deep);
}

TEST_F(DecoderTest, OnlyUsedFieldsAreLookedAt) {
  std::vector<bool> used(slots_.size(), false);
  used[0] = true;
  decoder_ = Decoder::for_stream(schema_, 0, used);
  const DecodeResult result = decode(R"({"attempt_no":"x","event_id":"E1","occurred_at":1795321805120,"location":7})");
  ASSERT_TRUE(result.ok()) << result.detail;
  EXPECT_EQ(result.event_time, 1795321805120);
  EXPECT_EQ(slot("event_id").text(), "E1");
  EXPECT_TRUE(slot("attempt_no").missing());
}

TEST_F(DecoderTest, DetailsAreMaskedAndShort) {
  const DecodeResult result =
      decode_with(R"("attempt_no": "4111111111111111 and 13812341234 and much more text than a message may show")");
  EXPECT_EQ(result.detail, R"(is "411111******1111 and 138****1234 and…, a whole number is wanted)");
}

TEST_F(DecoderTest, FaultNamesAreStable) {
  std::string names;
  for (int fault = 0; fault < kDecodeFaults; ++fault) names += std::string(name(static_cast<DecodeFault>(fault))) + " ";
  EXPECT_EQ(names,
            "none invalid_json invalid_utf8 not_an_object missing_field wrong_type out_of_range duplicate_key too_deep "
            "too_large bad_time time_in_future pan_exposed processing_failed ");
}

class TableDecoderTest : public testing::Test {
 protected:
  DecodeResult decode(std::string_view json) {
    record_.emplace(json);
    return decoder_.decode(record_->text(), kArrival, slots_, arena_);
  }
  DecodeResult decode_products(std::string_view products) {
    return decode(fmt::format(R"({{"merchant_id":"M1","effective_from":1795321805120,"products":{}}})", products));
  }

  rules::Schema schema_ = make_schema();
  std::vector<Value> slots_ = std::vector<Value>(schema_.tables[0].columns.size());
  std::optional<Padded> record_;  // values point into it
  Arena arena_;
  Decoder decoder_ = Decoder::for_table(schema_, 0, std::vector<bool>(slots_.size(), true));
};

TEST_F(TableDecoderTest, VersionTimes) {
  DecodeResult result = decode(R"({"merchant_id":"M1","products":[]})");
  ASSERT_TRUE(result.ok()) << result.detail;
  EXPECT_EQ(result.event_time, kBeforeAllTime);
  EXPECT_TRUE(slots_[2].missing() && slots_[3].missing() && slots_[4].missing());
  result = decode(R"({"merchant_id":"M1","products":[],"effective_from":"2099-01-01T00:00:00+08:00"})");
  ASSERT_TRUE(result.ok()) << "a contract may start in the future";
  EXPECT_EQ(slots_[4].i, slots_[2].i);
  EXPECT_EQ(result.event_time, slots_[2].i);
  result = decode(R"({"merchant_id":"M1","products":[],"recorded_at":5,"effective_to":6,"effective_from":0})");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(slots_[2].i, 0);
  EXPECT_EQ(slots_[3].i, 6);
  EXPECT_EQ(slots_[4].i, 5);
}

TEST_F(TableDecoderTest, Tariff) {
  const DecodeResult result = decode_products(
      R"([{"card_type":"credit","payment_method":"*","tier":"*","rate_bp":60,"flat_minor":0,"name":{"en":"x"}},
          {"card_type":"debit","rate_bp":3.25,"cap_minor":2000},
          {"payment_method":"qr_*","rate_bp":38,"cap_minor":null,"tiers":[{"upto_minor":100000,"rate_bp":38},{"rate_bp":60}]}])");
  ASSERT_TRUE(result.ok()) << result.detail;
  const auto products = rules::decode_tariff(slots_[1].text());
  ASSERT_TRUE(products.has_value());
  ASSERT_EQ(products->size(), 3u);
  EXPECT_EQ((*products)[0].card_type, "credit");
  EXPECT_EQ((*products)[0].rate_ppm, 6000);
  EXPECT_EQ((*products)[1].rate_ppm, 325);
  EXPECT_EQ((*products)[1].cap_minor, 2000);
  EXPECT_EQ((*products)[2].cap_minor, -1);
  ASSERT_EQ((*products)[2].tiers.size(), 2u);
  EXPECT_EQ((*products)[2].tiers[0].upto_minor, 100'000);
  EXPECT_EQ((*products)[2].tiers[1].upto_minor, -1);
  EXPECT_EQ((*products)[2].tiers[1].rate_ppm, 6000);
}

TEST_F(TableDecoderTest, WrongTariffs) {
  struct Row {
    std::string_view products;
    DecodeFault fault;
  };
  using enum DecodeFault;
  const Row rows[] = {
      {"null", missing_field},
      {"{}", wrong_type},
      {"5", wrong_type},
      {"[1]", wrong_type},
      {"[[]]", wrong_type},
      {"[nope]", invalid_json},
      {"[{}]", wrong_type},
      {R"([{"rate_bp":"60"}])", wrong_type},
      {R"([{"rate_bp":60.123}])", out_of_range},
      {R"([{"rate_bp":-1}])", out_of_range},
      {R"([{"rate_bp":1e99}])", out_of_range},
      {R"([{"rate_bp":10001}])", out_of_range},
      {R"([{"rate_bp":1,"cap_minor":1.5}])", wrong_type},
      {R"([{"rate_bp":1,"cap_minor":-1}])", out_of_range},
      {R"([{"rate_bp":1,"tier":"preferential"}])", wrong_type},
      {R"([{"rate_bp":1,"card_type":7}])", wrong_type},
      {R"([{"tiers":[{"upto_minor":5}]}])", wrong_type},
      {R"([{"tiers":{}}])", wrong_type},
      {R"([{"tiers":[5]}])", wrong_type},
      {R"([{"rate_bp":1,"x":[NaN]}])", invalid_json},
      {R"([{"rate_bp":1)", invalid_json},
  };
  for (const Row& row : rows) {
    const DecodeResult result = decode_products(row.products);
    EXPECT_EQ(name(result.fault), name(row.fault)) << row.products << " " << result.detail;
  }
}

// Random damage to good records must never crash, read beyond the padding, or leave a value of the wrong kind behind.
class DamagedRecords : public DecoderTest {
 protected:
  std::string damaged(std::string record) {
    static constexpr std::string_view kBytes = "{}[]\",:\\0123456789-+.eEnulltruefalse \n\t\xff\x00\xe4\xb8\xad";
    for (uint32_t changes = 1 + random_() % 4; changes > 0 && !record.empty(); --changes) {
      const size_t at = random_() % record.size();
      switch (random_() % 5) {
        case 0:
          record[at] = static_cast<char>(record[at] ^ (1 << random_() % 8));
          break;
        case 1:
          record.resize(at);
          break;
        case 2:
          record.insert(at, 1, kBytes[random_() % kBytes.size()]);
          break;
        case 3:
          record[at] = kBytes[random_() % kBytes.size()];
          break;
        default:
          record.erase(at, 1 + random_() % 8);
      }
    }
    return record;
  }
  std::mt19937 random_{20261122};
};

TEST_F(DamagedRecords, NeverCrash) {
  const std::string good =
      R"({"channels":["sms","we\u0063hat"],"currency":"USD","event_id":"E\u00311","occurred_at":"2026-11-22T12:30:05.120+08:00",)"
      R"("status":"declined","amount_minor":12850,"attempt_no":-3,"final":true,"fees":{"rate_bp":3.25},"within_ms":120000,)"
      R"("location":{"lat":23.1291,"lon":113.2644,"coord_system":"GCJ02","accuracy_m":30},"pan_masked":"622848******1234",)"
      R"("content":"【示例银行】好","original":{"txn_id":"T1","amount_minor":5},"unread":[{"a":[1,2]},null]})";
  ASSERT_TRUE(decode(good).ok());
  int accepted = 0;
  const auto& fields = schema_.streams[0].fields;
  for (int round = 0; round < 50'000; ++round) {
    const DecodeResult result = decode(damaged(good));
    if (!result.ok()) {
      ASSERT_FALSE(result.detail.empty());
      continue;
    }
    ++accepted;
    for (size_t i = 0; i < fields.size(); ++i) {
      ASSERT_TRUE(slots_[i].kind == rules::value_kind(fields[i].type.kind) || (slots_[i].missing() && fields[i].type.optional));
      if (holds_bytes(slots_[i].kind)) { ASSERT_LE(slots_[i].size, good.size() * 4); }
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST_F(DamagedRecords, TariffsNeverCrash) {
  const std::string good =
      R"({"merchant_id":"M1","products":[{"card_type":"credit","payment_method":"*","tier":"*","rate_bp":60,"flat_minor":0},)"
      R"({"payment_method":"qr_*","rate_bp":38,"tiers":[{"upto_minor":100000,"rate_bp":38},{"rate_bp":60}]}]})";
  decoder_ = Decoder::for_table(schema_, 0, std::vector<bool>(5, true));
  slots_.resize(5);
  for (int round = 0; round < 20'000; ++round) {
    const DecodeResult result = decode(damaged(good));
    if (result.ok()) { ASSERT_TRUE(rules::decode_tariff(slots_[1].text()).has_value()); }
  }
}

}  // namespace
}  // namespace tillwatch::engine
