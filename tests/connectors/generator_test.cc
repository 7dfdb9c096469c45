// What every run of the generator keeps: order, bounds, shapes of the records, and the same bytes for the same seed.
#include "connectors/generator.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "connectors/generator_json.h"

namespace tillwatch::connectors {
namespace {

constexpr TimeMs kNoon = 1'795'320'000'000;  // 2026-11-22T12:00:00+08:00

// An hour over lunch, with everything in it.
GeneratorOptions lively(uint64_t seed) {
  GeneratorOptions options;
  options.seed = seed;
  options.start = kNoon;
  options.length = kHour;
  options.events_per_second = 20;
  options.settlement_delay = 2 * kMinute;
  for (const char* anomaly : {kDuplicateDebit, kCodeJump, kRateChange, kNotifyUnsent}) options.anomalies[anomaly] = 12;
  return options;
}

std::vector<GeneratedRecord> run(const GeneratorOptions& options) {
  Generator generator(options);
  std::vector<GeneratedRecord> records;
  GeneratedRecord record;
  while (generator.next(record)) records.push_back(record);
  return records;
}

uint64_t hash_of(const std::vector<GeneratedRecord>& records) {
  uint64_t hash = 14'695'981'039'346'656'037ULL;
  const auto add = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  };
  for (const GeneratedRecord& record : records) {
    add(record.topic);
    add(record.key);
    add(record.value);
    add(std::to_string(record.partition) + "/" + std::to_string(record.arrival));
  }
  return hash;
}

bool is_reference(const GeneratedRecord& record) { return std::string_view(record.topic).starts_with("ref."); }

TEST(Generator, SameSeedSameBytes) {
  const auto once = run(lively(3));
  EXPECT_EQ(hash_of(once), hash_of(run(lively(3))));
  EXPECT_NE(hash_of(once), hash_of(run(lively(4))));
}

// Whatever the compiler, library and machine. When the traffic is changed on purpose, the new number goes here.
TEST(Generator, SeedMeansTheSameEverywhere) { EXPECT_EQ(hash_of(run(lively(1))), 5374395410754991789ULL); }

TEST(Generator, ArrivalsNeverGoBack) {
  TimeMs last = 0;
  for (const GeneratedRecord& record : run(lively(5))) {
    ASSERT_GE(record.arrival, last) << record.value;
    last = record.arrival;
  }
}

TEST(Generator, ReferenceRecordsComeFirstAndWereKnownBefore) {
  const GeneratorOptions options = lively(5);
  bool traffic = false;
  std::set<std::string> topics;
  for (const GeneratedRecord& record : run(options)) {
    if (is_reference(record) && record.arrival < options.start) {
      EXPECT_FALSE(traffic);
      EXPECT_LT(record.event_time, options.start - kDay) << record.value;
      EXPECT_EQ(record.partition, 0);
      topics.insert(record.topic);
    } else {
      traffic = true;
      EXPECT_GE(record.arrival, options.start);
    }
  }
  EXPECT_EQ(topics, (std::set<std::string>{"ref.acquirer", "ref.issuer_sla", "ref.maintenance", "ref.mcc_tier", "ref.merchant",
                                           "ref.rate_contract", "ref.region", "ref.subscription", "ref.terminal"}));
}

TEST(Generator, DisorderStaysWithinItsBoundAndTheLateness) {
  GeneratorOptions options = lively(6);
  options.disorder_share = 0.5;
  options.max_disorder_ms = 8000;
  std::map<std::string, TimeMs> newest;  // by partition
  int overtaken = 0;
  for (const GeneratedRecord& record : run(options)) {
    if (is_reference(record) || record.repeated || record.value.find("offline_advice") != std::string::npos) continue;
    TimeMs& seen = newest[std::string(record.topic) + std::to_string(record.partition)];
    overtaken += record.event_time < seen ? 1 : 0;
    EXPECT_GT(record.arrival, record.event_time);
    EXPECT_LE(record.arrival - record.event_time, 400 + 1500 + options.max_disorder_ms) << record.value;
    EXPECT_LT(seen - record.event_time, 10 * kSecond) << record.value;
    seen = std::max(seen, record.event_time);
  }
  EXPECT_GT(overtaken, 100);
}

TEST(Generator, LateRecordsComeOnlyWhenAskedFor) {
  GeneratorOptions options = lively(6);
  options.late_share = 0.05;
  int late = 0, all = 0;
  for (const GeneratedRecord& record : run(options)) {
    if (is_reference(record) || record.repeated || record.value.find("offline_advice") != std::string::npos) continue;
    ++all;
    late += record.arrival - record.event_time >= 12 * kSecond ? 1 : 0;
    EXPECT_LE(record.arrival - record.event_time, 45 * kSecond + 1500);
  }
  EXPECT_NEAR(static_cast<double>(late) / all, 0.05, 0.01);

  Generator generator(options);
  GeneratedRecord record;
  while (generator.next(record)) continue;
  EXPECT_TRUE(std::ranges::any_of(generator.truth(), [](const Injected& injected) { return injected.late; }));
}

TEST(Generator, RedeliveriesAreTheSameRecordLaterPerhapsElsewhere) {
  GeneratorOptions options = lively(7);
  options.redelivery_share = 0.05;
  std::map<std::string, GeneratedRecord> first;  // by value
  int again = 0, elsewhere = 0, all = 0;
  for (const GeneratedRecord& record : run(options)) {
    if (is_reference(record)) continue;
    const auto [at, is_new] = first.emplace(record.value, record);
    EXPECT_EQ(is_new, !record.repeated);
    ++all;
    if (is_new) continue;
    ++again;
    elsewhere += record.partition != at->second.partition ? 1 : 0;
    EXPECT_EQ(record.key, at->second.key);
    EXPECT_LE(record.arrival - at->second.arrival, kMinute);
  }
  EXPECT_NEAR(static_cast<double>(again) / all, 0.05, 0.01);
  EXPECT_GT(elsewhere, again / 4);
  EXPECT_LT(elsewhere, again);
}

TEST(Generator, PartitionsAreUsedEvenlyAndKeysKeepTheirs) {
  GeneratorOptions options = lively(8);
  options.partitions = 3;
  options.reference_partitions = 2;
  std::map<std::string, std::map<int32_t, int>> counts;
  std::map<std::string, int32_t> of_key;
  for (const GeneratedRecord& record : run(options)) {
    ASSERT_GE(record.partition, 0);
    ASSERT_LT(record.partition, is_reference(record) ? 2 : 3);
    counts[record.topic][record.partition]++;
    if (record.repeated) continue;
    const std::string key = is_reference(record) ? record.key.substr(0, record.key.find('@')) : record.key;
    const auto [at, is_new] = of_key.emplace(record.topic + key, record.partition);
    EXPECT_EQ(at->second, record.partition) << record.key;
  }
  for (const auto& [partition, count] : counts["pos.transactions"]) EXPECT_GT(count, 1000) << partition;
  EXPECT_EQ(counts["ref.subscription"].size(), 2u);
}

// The fields the payments schema cannot do without, beside those every record of the topic carries here.
TEST(Generator, EveryRecordParsesAndHasItsFields) {
  const std::map<std::string, std::vector<const char*>> required = {
      {"pos.transactions",
       {"schema",      "event_id",       "txn_id",     "txn_type",    "status",      "response_code",   "reported_by",
        "occurred_at", "amount_minor",   "currency",   "card_token",  "pan_masked",  "card_last4",      "card_type",
        "issuer_id",   "payment_method", "entry_mode", "acquirer_id", "merchant_id", "merchant_name",   "mcc",
        "terminal_id", "terminal_sn",    "stan",       "batch_no",    "local_date",  "settlement_date", "upload_mode",
        "original"}},
      {"pos.slips",
       {"schema", "event_id", "txn_id", "merchant_id", "terminal_id", "batch_no", "stan", "status", "kind", "occurred_at"}},
      {"pos.settlements",
       {"schema",          "event_id",  "line_id",        "txn_id",       "merchant_id", "terminal_id",        "line_type",
        "settlement_date", "posted_at", "txn_at",         "amount_minor", "fee_minor",   "net_minor",          "currency",
        "settled_mcc",     "card_type", "payment_method", "fee_lines",    "payer_id",    "payee_account_token"}},
      {"sms.submissions",
       {"schema", "event_id", "message_id", "category", "recipient_role", "channel", "transport", "provider", "phone_token",
        "content", "attempt_no", "max_attempts", "submit_status", "cause", "occurred_at"}},
      {"sms.receipts",
       {"schema", "event_id", "message_id", "part_seq", "part_total", "provider", "carrier", "status", "status_code", "cause",
        "final", "occurred_at"}},
      {"ref.merchant", {"schema", "merchant_id", "name", "mcc", "region_code", "city_gb", "acquirer_id"}},
      {"ref.terminal", {"schema", "terminal_id", "terminal_sn", "merchant_id", "slip_capability", "location", "geofence_m"}},
      {"ref.rate_contract",
       {"schema", "merchant_id", "version", "notice_at", "products", "allowed_fee_types", "refund_fee_returned"}},
      {"ref.subscription",
       {"schema", "subject_id", "role", "channels", "enabled", "min_notify_amount_minor", "currency", "categories"}},
      {"ref.issuer_sla", {"schema", "issuer_id", "submit_within_ms", "critical_after_ms", "provider"}},
      {"ref.acquirer", {"schema", "acquirer_id", "mid_prefixes", "status"}},
      {"ref.mcc_tier", {"schema", "mcc", "tier"}},
      {"ref.region", {"schema", "code", "province", "city", "gb", "location"}},
      {"ref.maintenance", {"schema", "scope", "id", "from", "to", "effects"}}};
  std::set<std::string> seen;
  std::set<std::string> event_ids;
  simdjson::dom::parser parser;
  for (const GeneratedRecord& record : run(lively(9))) {
    ASSERT_TRUE(required.contains(record.topic)) << record.topic;
    ASSERT_EQ(record.value.find('\n'), std::string::npos);
    simdjson::dom::object json;
    ASSERT_EQ(parser.parse(record.value).get(json), simdjson::SUCCESS) << record.value;
    const auto has = [&json](const char* name) { return json[name].error() == simdjson::SUCCESS; };
    const auto text = [&json](const char* name) { return std::string(json[name].get_string().value_unsafe()); };
    for (const char* name : required.at(record.topic)) EXPECT_TRUE(has(name)) << name << " in " << record.value;
    seen.insert(record.topic);
    if (is_reference(record)) {
      EXPECT_TRUE(has("effective_from") && has("recorded_at")) << record.value;
      continue;
    }
    EXPECT_EQ(text("event_id").size(), 26u);
    EXPECT_EQ(event_ids.insert(text("event_id")).second, !record.repeated) << record.value;
    const char* time = std::string_view(record.topic) == "pos.settlements" ? "posted_at" : "occurred_at";
    EXPECT_EQ(parse_rfc3339(text(time)), record.event_time);
    if (has("merchant_id")) { EXPECT_EQ(text("merchant_id").size(), 15u); }
    if (has("terminal_id")) { EXPECT_EQ(text("terminal_id").size(), 8u); }
  }
  EXPECT_EQ(seen.size(), required.size());
}

TEST(Generator, NoCardNumberIsEverWhole) {
  for (const GeneratedRecord& record : run(lively(10))) {
    if (std::string_view(record.topic) != "sms.submissions") continue;
    int digits = 0;
    for (const char c : record.value.substr(record.value.find("\"content\""))) {
      if (c == '}') break;
      digits = '0' <= c && c <= '9' ? digits + 1 : 0;
      ASSERT_LT(digits, 13) << record.value;
    }
  }
}

TEST(Generator, DaysHaveTheirShapeAndTheRateIsTheMean) {
  GeneratorOptions options;
  options.length = kDay;
  options.events_per_second = 2;
  options.settlement_delay = kMinute;
  std::map<int, int> by_hour;
  int all = 0;
  for (const GeneratedRecord& record : run(options)) {
    if (is_reference(record)) continue;
    ++all;
    by_hour[generation::local_time(record.event_time).hour]++;
  }
  EXPECT_NEAR(all / 86'400.0, 2, 0.2);
  EXPECT_GT(by_hour[12], 10 * by_hour[3]);
  EXPECT_GT(by_hour[18], by_hour[15]);

  options.daily_shape = false;
  by_hour.clear();
  for (const GeneratedRecord& record : run(options))
    by_hour[generation::local_time(record.event_time).hour] += is_reference(record) ? 0 : 1;
  EXPECT_NEAR(by_hour[3], by_hour[12], by_hour[12] / 5);
}

TEST(Generator, SettlesTheMorningAfterUnlessToldOtherwise) {
  GeneratorOptions options = lively(11);
  options.settlement_delay = {};
  int lines = 0;
  for (const GeneratedRecord& record : run(options)) {
    if (std::string_view(record.topic) != "pos.settlements") continue;
    ++lines;
    const generation::LocalTime local = generation::local_time(record.event_time);
    EXPECT_EQ(local.day, 23);
    EXPECT_TRUE(local.hour == 10 || local.hour == 11) << record.value;
  }
  EXPECT_GT(lines, 1000);
}

TEST(Generator, DebitsStopTenMinutesBeforeTheEndAndLifeGoesOn) {
  const GeneratorOptions options = lively(12);
  const TimeMs stop = options.start + options.length - 10 * kMinute;
  int inquiries = 0;
  for (const GeneratedRecord& record : run(options)) {
    if (std::string_view(record.topic) != "pos.transactions" || record.event_time < stop) continue;
    EXPECT_EQ(record.value.find(R"("txn_type":"sale","status":"approved")"), std::string::npos) << record.value;
    EXPECT_EQ(record.value.find(R"("preauth_completion")"), std::string::npos) << record.value;
    inquiries += record.value.find("balance_inquiry") != std::string::npos ? 1 : 0;
  }
  EXPECT_GT(inquiries, 100);
}

TEST(Generator, RefusesOptionsThatMakeNoSense) {
  struct Row {
    const char* says;
    void (*spoil)(GeneratorOptions&);
  };
  const Row rows[] = {
      {"events_per_second", [](GeneratorOptions& options) { options.events_per_second = 0; }},
      {"length", [](GeneratorOptions& options) { options.length = kMinute; }},
      {"start", [](GeneratorOptions& options) { options.start = -1; }},
      {"merchants", [](GeneratorOptions& options) { options.merchants = 0; }},
      {"terminals_per_merchant", [](GeneratorOptions& options) { options.terminals_per_merchant = 0; }},
      {"cards", [](GeneratorOptions& options) { options.cards = 1; }},
      {"issuers", [](GeneratorOptions& options) { options.issuers = 91; }},
      {"max_disorder_ms", [](GeneratorOptions& options) { options.max_disorder_ms = 10 * kSecond; }},
      {"partitions", [](GeneratorOptions& options) { options.partitions = 0; }},
      {"reference_partitions", [](GeneratorOptions& options) { options.reference_partitions = 0; }},
      {"settlement_delay", [](GeneratorOptions& options) { options.settlement_delay = 0; }},
      {"redelivery_share", [](GeneratorOptions& options) { options.redelivery_share = 1.5; }},
      {"disorder_share", [](GeneratorOptions& options) { options.disorder_share = -0.1; }},
      {"late_share", [](GeneratorOptions& options) { options.late_share = 2; }},
      {"there is no anomaly 'duplicate'", [](GeneratorOptions& options) { options.anomalies["duplicate"] = 1; }},
      {"code-jump comes to -1", [](GeneratorOptions& options) { options.anomalies[kCodeJump] = -1; }},
      {"rate-change comes to", [](GeneratorOptions& options) { options.anomalies_per_hour[kRateChange] = 1e9; }},
  };
  EXPECT_TRUE(check_generator_options({}).has_value());
  for (const Row& row : rows) {
    GeneratorOptions options;
    row.spoil(options);
    const Status status = check_generator_options(options);
    ASSERT_FALSE(status.has_value()) << row.says;
    EXPECT_EQ(status.error().kind, ErrorKind::invalid);
    EXPECT_NE(status.error().message.find(row.says), std::string::npos) << status.error().message;
    EXPECT_NE(status.error().message.find("give "), std::string::npos) << status.error().message;
  }
}

TEST(Generator, RunsTheSmallestWorldThereIs) {
  GeneratorOptions options;
  options.length = 20 * kMinute;
  options.start = kNoon;
  options.merchants = options.terminals_per_merchant = options.issuers = options.partitions = 1;
  options.cards = 10;
  options.settlement_delay = kSecond;
  for (const char* anomaly : {kDuplicateDebit, kCodeJump, kRateChange, kNotifyUnsent}) options.anomalies_per_hour[anomaly] = 30;
  Generator generator(options);
  GeneratedRecord record;
  int records = 0;
  while (generator.next(record)) ++records;
  EXPECT_GT(records, 1000);
  EXPECT_EQ(std::ranges::count_if(generator.truth(), [](const Injected& each) { return each.rule == each.anomaly; }), 40);
}

}  // namespace
}  // namespace tillwatch::connectors
