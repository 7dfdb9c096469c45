#include "engine/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "tests/scrape.h"

namespace tillwatch::engine {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::scrape;

MetricsSnapshot full_snapshot() {
  MetricsSnapshot snapshot;
  snapshot.partitions = {{.topic = "pos.transactions",
                          .number = 3,
                          .read = 10,
                          .unwanted = 2,
                          .taken = 7,
                          .unknown_values = 6,
                          .dead_lettered = {{"bad_time", 1}},
                          .lag = 42}};
  snapshot.streams = {{.name = "transaction", .late = 5, .watermark = 1'795'321'805'120}, {.name = "slip"}};
  snapshot.routes = {{.name = "debit by card_token", .copies = 9, .used = 6, .repeated = 2, .late = 1, .failed = 30}};
  snapshot.rules = {
      {.name = "duplicate-debit",
       .triggers = 8,
       .errors = {{"overflow", 1}},
       .alerts = {{.severity = "high", .changes = {{"firing", 4}, {"resolved", 1}}, .open = 3}},
       .open_money = {{.currency = 156, .minor = 12850}, {.currency = 0, .minor = 0}, {.currency = 999, .minor = -1}},
       .clock = 1'795'321'800'000,
       .obligations = 11}};
  snapshot.obligations_held = {{"sms provider=acme", 12}};
  snapshot.in_flight_records = 13;
  snapshot.commits_committed = 100;
  snapshot.commits_aborted = 1;
  snapshot.commit_seconds.observe(0.02);
  snapshot.commit_seconds.observe(99);
  snapshot.state_keys = 14;
  snapshot.state_hot_keys = 4;
  snapshot.state_budget_bytes = 1000;
  snapshot.state_evictions = 17;
  snapshot.state_loads = 7;
  snapshot.state_bytes = {{"hot", 15}, {"disk", 16}};
  snapshot.group = {.is = true,
                    .shards = {{"served", 5}, {"restoring", 1}},
                    .assignments = {{"sources", 2}, {"shards", 3}},
                    .source_partitions = 4,
                    .frames_taken = 21,
                    .copies_sent = 22,
                    .restored_records = 23,
                    .restored_bytes = 24,
                    .commits_refused = 25,
                    .commits_unknown = 26,
                    .of_shards = {{.number = 7, .exchange_lag = 27, .paused_ms = 0},
                                  {.number = 8, .paused_ms = 1500, .records_left = 28, .bytes_left = 29, .ms_left = 2500}}};
  snapshot.group.pauses.observe(0.2);
  return snapshot;
}

class MetricsTest : public testing::Test {
 protected:
  MetricsTest() {
    auto started = MetricsServer::start("127.0.0.1:0", scoreboard_, "1.2.3");
    if (started) server_ = std::move(*started);
  }
  std::string scraped() { return server_ == nullptr ? "no server" : scrape(server_->address()); }

  Scoreboard scoreboard_;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsTest, EverySeries) {
  scoreboard_.publish(full_snapshot());
  const std::string text = scraped();
  for (const char* line : {
           "HTTP/1.1 200 OK",
           R"(tillwatch_records_read_total{topic="pos.transactions",partition="3"} 10)",
           R"(tillwatch_records_dead_lettered_total{topic="pos.transactions",partition="3",reason="bad_time"} 1)",
           R"(tillwatch_records_unwanted_total{topic="pos.transactions",partition="3"} 2)",
           R"(tillwatch_records_taken_total{topic="pos.transactions",partition="3"} 7)",
           R"(tillwatch_unknown_values_total{topic="pos.transactions",partition="3"} 6)",
           R"(tillwatch_records_late_total{stream="transaction"} 5)",
           R"(tillwatch_route_copies_total{route="debit by card_token"} 9)",
           R"(tillwatch_route_used_total{route="debit by card_token"} 6)",
           R"(tillwatch_route_repeated_total{route="debit by card_token"} 2)",
           R"(tillwatch_route_late_total{route="debit by card_token"} 1)",
           R"(tillwatch_route_failed_total{route="debit by card_token"} 30)",
           "tillwatch_in_flight_records 13",
           R"(tillwatch_alerts_total{rule="duplicate-debit",severity="high",status="firing"} 4)",
           R"(tillwatch_alerts_open{rule="duplicate-debit",severity="high"} 3)",
           R"(tillwatch_alerts_open_money_minor{rule="duplicate-debit",currency="CNY"} 12850)",
           R"(tillwatch_alerts_open_money_minor{rule="duplicate-debit",currency="999"} -1)",
           R"(tillwatch_rule_errors_total{rule="duplicate-debit",reason="overflow"} 1)",
           R"(tillwatch_rule_triggers_total{rule="duplicate-debit"} 8)",
           R"(tillwatch_stream_watermark_seconds{stream="transaction"} 1795321805.12)",
           R"(tillwatch_stream_watermark_seconds{stream="slip"} 0)",
           R"(tillwatch_rule_clock_seconds{rule="duplicate-debit"} 1795321800)",
           R"(tillwatch_obligations{rule="duplicate-debit"} 11)",
           R"(tillwatch_obligations_held{feed="sms provider=acme"} 12)",
           R"(tillwatch_commit_seconds_bucket{le="0.01"} 0)",
           R"(tillwatch_commit_seconds_bucket{le="0.025"} 1)",
           R"(tillwatch_commit_seconds_bucket{le="+Inf"} 2)",
           "tillwatch_commit_seconds_count 2",
           "tillwatch_commit_seconds_sum 99.02",
           R"(tillwatch_commits_total{outcome="committed"} 100)",
           R"(tillwatch_commits_total{outcome="aborted"} 1)",
           "tillwatch_state_keys 14",
           "tillwatch_state_hot_keys 4",
           "tillwatch_state_budget_bytes 1000",
           "tillwatch_state_evictions_total 17",
           "tillwatch_state_loads_total 7",
           R"(tillwatch_state_bytes{kind="hot"} 15)",
           "tillwatch_process_resident_bytes ",
           R"(tillwatch_commits_total{outcome="refused"} 25)",
           R"(tillwatch_commits_total{outcome="unknown"} 26)",
           R"(tillwatch_group_shards{state="served"} 5)",
           "tillwatch_group_source_partitions 4",
           R"(tillwatch_group_assignments_total{of="shards"} 3)",
           R"(tillwatch_exchange_lag_records{shard="7"} 27)",
           "tillwatch_exchange_frames_total 21",
           "tillwatch_exchange_copies_total 22",
           "tillwatch_restore_records_total 23",
           "tillwatch_restore_bytes_total 24",
           R"(tillwatch_restore_records_left{shard="8"} 28)",
           R"(tillwatch_restore_bytes_left{shard="8"} 29)",
           R"(tillwatch_restore_seconds_left{shard="8"} 2.5)",
           R"(tillwatch_shard_paused_seconds{shard="7"} 0)",
           R"(tillwatch_shard_paused_seconds{shard="8"} 1.5)",
           R"(tillwatch_shard_pause_seconds_bucket{le="0.1"} 0)",
           R"(tillwatch_shard_pause_seconds_bucket{le="0.5"} 1)",
           R"(tillwatch_consumer_lag_records{topic="pos.transactions",partition="3"} 42)",
           R"(tillwatch_build_info{version="1.2.3"} 1)",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr(R"(tillwatch_exchange_lag_records{shard="8"})"))) << "an unknown lag is not 0";
}

TEST_F(MetricsTest, TheLastSnapshotIsShown) {
  EXPECT_THAT(scraped(), HasSubstr("tillwatch_state_keys 0"));
  MetricsSnapshot snapshot;
  snapshot.state_keys = 1;
  scoreboard_.publish(snapshot);
  snapshot.state_keys = 2;
  snapshot.partitions = {{.topic = "t", .lag = -1}};
  scoreboard_.publish(std::move(snapshot));
  const std::string text = scraped();
  EXPECT_THAT(text, HasSubstr("tillwatch_state_keys 2"));
  EXPECT_THAT(text, Not(HasSubstr("tillwatch_consumer_lag_records{"))) << "an unknown lag is not 0";
}

TEST_F(MetricsTest, SeriesAreLimited) {
  MetricsSnapshot snapshot;
  for (size_t i = 0; i < kMostSeries + 500; ++i) {
    snapshot.routes.push_back({.name = fmt::format("route {}", i), .copies = 2});
    snapshot.streams.push_back({.name = fmt::format("stream {}", i), .watermark = 1000});
  }
  scoreboard_.publish(std::move(snapshot));
  const std::string text = scraped();
  EXPECT_THAT(text, HasSubstr(R"(tillwatch_route_copies_total{route="other"} 1000)"));
  EXPECT_THAT(text, HasSubstr(R"(tillwatch_stream_watermark_seconds{stream="stream 1999"})"));
  EXPECT_THAT(text, Not(HasSubstr(R"(tillwatch_stream_watermark_seconds{stream="stream 2000"})")));
  EXPECT_THAT(text, Not(HasSubstr(R"(tillwatch_stream_watermark_seconds{stream="other"})")));
}

TEST_F(MetricsTest, LabelsAreMaskedAndOneLine) {
  MetricsSnapshot snapshot;
  snapshot.obligations_held = {{"sms\n4111111111111111\xff", 1}};
  scoreboard_.publish(std::move(snapshot));
  EXPECT_THAT(scraped(), HasSubstr("feed=\"sms\\\\n411111******1111\xef\xbf\xbd\"} 1"));
}

TEST_F(MetricsTest, ScrapesWhilePublishing) {
  std::jthread engine([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) scoreboard_.publish(full_snapshot());
  });
  for (int i = 0; i < 10; ++i) EXPECT_THAT(scraped(), HasSubstr("tillwatch_build_info"));
}

TEST_F(MetricsTest, ATakenAddressSaysWhatToDo) {
  ASSERT_NE(server_, nullptr);
  const auto second = MetricsServer::start(server_->address(), scoreboard_, "1");
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("metrics.listen"));
  EXPECT_THAT(second.error().message, HasSubstr(server_->address()));
}

TEST(Metrics, AddressesToListenOn) {
  for (const char* good : {"127.0.0.1:9464", "0.0.0.0:0", "[::1]:9464"})
    EXPECT_TRUE(check_listen_address(good).has_value()) << good;
  for (const char* bad : {"", "9464", "127.0.0.1", "127.0.0.1:", ":9464", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:94s",
                          "1.1.1.1:1,2.2.2.2:2", "+8080"}) {
    EXPECT_FALSE(check_listen_address(bad).has_value()) << bad;
  }
}

// dashboards/metrics.txt is what dashboards and alerts are written against.
TEST(Metrics, AreTheOnesListed) {
  std::ifstream file(std::string(TILLWATCH_SOURCE_DIR) + "/dashboards/metrics.txt");
  std::string listed;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("#")) listed += line + "\n";
  }
  EXPECT_EQ(describe_metrics(), listed);
}

TEST(Metrics, HistogramsAddUp) {
  Histogram first({1, 10});
  Histogram second({1, 10});
  first.observe(1);
  first.observe(1.5, 3);
  second.observe(11);
  first.add(second);
  EXPECT_EQ(first.counts(), (std::vector<uint64_t>{1, 3, 1}));
  EXPECT_EQ(first.count(), 5u);
  EXPECT_DOUBLE_EQ(first.sum(), 16.5);
}

}  // namespace
}  // namespace tillwatch::engine
