// Transactions nobody here wrote, through the program, with full card numbers put where none belong: nothing is said that is
// not so, nothing is lost, and none of the numbers comes out anywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

#include "state/store.h"
#include "tests/cli/program.h"
#include "tests/e2e/process.h"
#include "tests/scrape.h"

namespace tillwatch {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kPatience{120'000};

constexpr const char* kColumns =
    ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,zip,lat,long,city_pop,job,dob,"
    "trans_num,"
    "unix_time,merch_lat,merch_long,is_fraud\n";

// The file named by TILLWATCH_SPARKOV_CSV or kept beside the project; else a few made-up rows of the same shape.
std::string csv(const TestFolder& folder) {
  const char* named = std::getenv("TILLWATCH_SPARKOV_CSV");
  for (const std::string& path :
       {std::string(named != nullptr ? named : ""), std::string(TILLWATCH_SOURCE_DIR "/../shared/data/sparkov_sample.csv")}) {
    if (!path.empty() && fs::exists(path)) return path;
  }
  std::printf("sparkov: the sample is not here (TILLWATCH_SPARKOV_CSV names it); 400 made-up rows instead\n");
  std::string text = kColumns;
  for (int i = 0; i < 400; ++i) {
    char row[400];
    std::snprintf(row, sizeof row,
                  "%d,2020-06-21 12:%02d:%02d,%s,fraud_Shop "
                  "%d,misc_pos,%d.%02d,A,B,M,S,C,SC,29209,33.9,-80.9,1,J,1968-03-19,made-up-%d,1371816865,33.9,-81.2,0\n",
                  i, i / 60, i % 60, i % 2 == 0 ? "4111111111111111" : "5500005555555559", i % 7, 1 + i, i % 100, i);
    text += row;
  }
  return folder.write("made-up.csv", text);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The card number of each row.
std::vector<std::string> cards_of(const std::string& path) {
  std::vector<std::string> lines = lines_of(read_file(path)), cards;
  for (size_t i = 1; i < lines.size(); ++i) {
    std::istringstream fields(lines[i]);
    std::string field;
    for (int column = 0; column < 3; ++column) std::getline(fields, field, ',');
    cards.push_back(field);
  }
  return cards;
}

bool is_full_card_number(const std::string& card) { return card_number_in(card) == card && !card.empty(); }

void put(std::string& json, const std::string& key, const std::string& value) {
  const std::regex there("\"" + key + "\": ?\"[^\"]*\"");
  const std::string field = "\"" + key + "\": \"" + value + "\"";
  json = std::regex_search(json, there) ? std::regex_replace(json, there, field) : "{" + field + ", " + json.substr(1);
}

// Everything a person, a tool or a thief could read of a run: its outputs, its log, every file of its store as it lies on the
// disk and, because those are compressed, every key and value of the store.
class Leaks {
 public:
  explicit Leaks(std::set<std::string> cards) : cards_(std::move(cards)) {}

  void look_in(const std::string& where, const std::string& bytes) {
    ++places_;
    EXPECT_EQ(card_number_in(bytes), "") << where;
    look_for_cards(where, bytes);
  }
  void look_for_cards(const std::string& where, const std::string& bytes) {
    for (const std::string& card : cards_) EXPECT_FALSE(bytes.contains(card)) << where << ": " << card;
  }
  void look_in_file(const std::string& path) {
    const std::string bytes = read_file(path);
    EXPECT_FALSE(bytes.empty()) << path;
    look_in(path, bytes);
  }
  // The store is not open. Opening it brings the log of its last writes into a table file.
  void look_in_store(const std::string& path) {
    std::set<std::string> kinds;
    look_in_files_of_store(path, kinds);
    look_in_entries(path);
    look_in_files_of_store(path, kinds);
    for (const char* kind : {"SST", "WAL", "LOG", "MANIFEST", "OPTIONS"}) EXPECT_TRUE(kinds.contains(kind)) << kind;
  }
  size_t places() const { return places_; }

 private:
  void look_in_files_of_store(const std::string& path, std::set<std::string>& kinds) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename().string();
      kinds.insert(name.ends_with(".sst") ? "SST" : name.ends_with(".log") ? "WAL" : name.substr(0, name.find('-')));
      const std::string bytes = read_file(entry.path());
      // The largest integers there are stand among its options; compressed blocks of a table hold runs of digits that are
      // nobody's number, and what they mean is looked at entry by entry.
      name.starts_with("OPTIONS") || name.ends_with(".sst") ? look_for_cards(name, bytes) : look_in(name, bytes);
    }
  }
  void look_in_entries(const std::string& path) {
    const auto store = state::open_rocksdb_store({.path = path, .memory_budget = 64u << 20});
    ASSERT_TRUE(store.has_value()) << store.error().message;
    size_t entries = 0;
    const Status scanned = (*store)->scan("", [&](std::string_view key, std::string_view value) {
      ++entries;
      look_in("a key of the store", std::string(key));
      look_in("a value of the store", std::string(value));
      return true;
    });
    EXPECT_TRUE(scanned.has_value());
    EXPECT_GT(entries, 10u);
  }

  const std::set<std::string> cards_;
  size_t places_ = 0;
};

// The sum of a counter's series that have all of `labels`.
uint64_t counter(const std::string& page, const std::string& name, const std::vector<std::string>& labels) {
  uint64_t sum = 0;
  for (const std::string& line : lines_of(page)) {
    if (!line.starts_with(name + "{")) continue;
    if (!std::ranges::all_of(labels, [&](const std::string& label) { return line.contains(label); })) continue;
    sum += std::strtoull(line.c_str() + line.rfind(' '), nullptr, 10);
  }
  return sum;
}

// Runs the program over the files until it has read them all; what it said in the end stands in folder/log.
struct EngineRun {
  EngineRun(const TestFolder& folder, const std::vector<std::string>& topics, size_t records) {
    std::string files;
    for (const std::string& topic : topics) files += "    - {topic: " + topic + ", path: " + topic + ".ndjson}\n";
    const std::string config = folder.write(
        "config.yaml",
        "rules: [" TILLWATCH_SOURCE_DIR "/rules/packs/payments]\nsource:\n  follow: true\n  files:\n" + files +
            "sink: {to: files, path: out}\nstate: {path: state}\nmetrics: {listen: '127.0.0.1:0'}\nlog: {level: debug}\n");
    tests::Process engine({TILLWATCH_PROGRAM, "run", "--config", config}, folder / "log");
    EXPECT_TRUE(engine.wait_for("metrics at http://", kPatience)) << engine.said();
    const std::string said = engine.said();
    const size_t begin = said.find("metrics at http://") + 18;
    const std::string address = said.substr(begin, said.find('/', begin) - begin);
    const bool read = tests::wait_until(
        [&] {
          page = tests::scrape(address);
          return engine.exit_code() || counter(page, "tillwatch_records_read_total", {}) >= records;
        },
        kPatience);
    EXPECT_TRUE(read);
    engine.send(SIGTERM);
    EXPECT_EQ(engine.wait_for_exit(kPatience), 0) << engine.said();
    EXPECT_THAT(engine.said(), HasSubstr("stopped: " + std::to_string(records) + " records read"));
  }
  std::string page;  // of metrics
};

void expect_balance(const std::string& page, const std::string& topic, uint64_t read, uint64_t dead) {
  const std::vector<std::string> labels = {"topic=\"" + topic + "\"", "partition=\"0\""};
  const uint64_t unwanted = counter(page, "tillwatch_records_unwanted_total", labels);
  const uint64_t taken = counter(page, "tillwatch_records_taken_total", labels);
  EXPECT_EQ(counter(page, "tillwatch_records_read_total", labels), read);
  EXPECT_EQ(counter(page, "tillwatch_records_dead_lettered_total", labels), dead);
  EXPECT_EQ(read, dead + unwanted + taken) << "dead " << dead << ", unwanted " << unwanted << ", taken " << taken;
  const uint64_t copies = counter(page, "tillwatch_route_copies_total", {});
  EXPECT_EQ(copies, counter(page, "tillwatch_route_used_total", {}) + counter(page, "tillwatch_route_repeated_total", {}) +
                        counter(page, "tillwatch_route_late_total", {}));
  std::printf("%s: %llu records read = %llu dead letters + %llu unwanted + %llu taken; %llu copies\n", topic.c_str(),
              static_cast<unsigned long long>(read), static_cast<unsigned long long>(dead),
              static_cast<unsigned long long>(unwanted), static_cast<unsigned long long>(taken),
              static_cast<unsigned long long>(copies));
}

TEST(Sparkov, NoDuplicateIsSeenNothingIsLostAndNoCardNumberComesOut) {
  const TestFolder folder;
  const std::string source = csv(folder);
  const std::string converted = folder / "converted.ndjson";
  ASSERT_EQ(
      std::system(("python3 " TILLWATCH_SOURCE_DIR "/tests/data/sparkov_to_ndjson " + source + " > " + converted).c_str()), 0);
  std::vector<std::string> rows = lines_of(read_file(converted));
  fs::remove(converted);
  const std::vector<std::string> cards = cards_of(source);
  ASSERT_GT(rows.size(), 100u);
  ASSERT_EQ(rows.size(), cards.size());
  EXPECT_EQ(card_number_in(read_file(converted)), "");

  std::set<std::string> full;
  uint64_t refused = 0;
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string& card = cards[i];
    if (is_full_card_number(card)) {
      full.insert(card);
      put(rows[i], "memo", "card " + card);                            // a field the schema does not know
      put(rows[i], "order_no", card);                                  // one no rule uses
      put(rows[i], "merchant_name", "Shop of " + card);                // free text
      if (i % 3 == 0) put(rows[i], "terminal_sn", "SN" + card + "/");  // a part of keys
      if (i % 4 == 0) put(rows[i], "event_id", card + "-" + std::to_string(i));
      if (i % 5 == 0) put(rows[i], "txn_id", "t" + std::to_string(i) + "/" + card);
      if (i % 6 == 0) put(rows[i], "card_token", card);  // the token that is none
      if (i % 50 == 7) {
        put(rows[i], "pan_masked", card);
        ++refused;
      }
    }
    text += rows[i] + "\n";
  }
  ASSERT_GT(full.size(), 1u);
  ASSERT_GT(refused, 1u);
  text += "{\"broken\": \"" + *full.begin() + "\n";  // no JSON
  folder.write("pos.transactions.ndjson", text);
  EXPECT_NE(card_number_in(text), "") << "the search finds nothing";

  const EngineRun run(folder, {"pos.transactions"}, rows.size() + 1);
  expect_balance(run.page, "pos.transactions", rows.size() + 1, refused + 1);
  EXPECT_EQ(counter(run.page, "tillwatch_records_dead_lettered_total", {"reason=\"pan_exposed\""}), refused);
  EXPECT_EQ(counter(run.page, "tillwatch_alerts_total", {"rule=\"duplicate-debit\""}), 0u);
  ASSERT_TRUE(fs::exists(folder / "out/alerts.ndjson"));
  EXPECT_FALSE(read_file(folder / "out/alerts.ndjson").contains("\"duplicate-debit\""));
  EXPECT_EQ(lines_of(read_file(folder / "out/dead-letter.ndjson")).size(), refused + 1);

  Leaks leaks(full);
  leaks.look_in_file(folder / "log");
  leaks.look_in_file(folder / "out/dead-letter.ndjson");
  leaks.look_in("alerts", read_file(folder / "out/alerts.ndjson"));
  leaks.look_in("metrics", run.page);
  leaks.look_in_store(folder / "state");
  std::printf("%zu card numbers looked for in %zu places\n", full.size(), leaks.places());
}

// An alert about records that hold card numbers wherever text can stand: its key, values, labels, messages and evidence hide
// them, and it is still the right alert.
TEST(Sparkov, AnAlertOfCardNumbersHidesThem) {
  const TestFolder folder;
  const std::set<std::string> cards = {"4111111111111111", "5500005555555559", "6228480402564890018", "378282246310005",
                                       "4222222222222"};
  const std::string merchant = "6228480402564890018", card = "4111111111111111";
  const auto sale = [&](int i, const std::string& at) {
    return R"({"event_id":"378282246310005 )" + std::to_string(i) + R"(","txn_id":"5500005555555559-)" + std::to_string(i) +
           R"(","txn_type":"sale","status":"approved","occurred_at":")" + at +
           R"(","amount_minor":12850,"currency":"CNY","card_token":")" + card + R"(","merchant_id":")" + merchant +
           R"(","merchant_name":"4222222222222","mcc":"5812","terminal_id":"4222222222222","stan":"00000)" + std::to_string(i) +
           R"(","batch_no":"1","rrn":"R)" + std::to_string(i) +
           R"(","card_type":"credit","payment_method":"card_chip","issuer_id":"0103","acquirer_id":"99010001"})" + "\n";
  };
  folder.write("pos.transactions.ndjson", sale(1, "2026-11-22T12:00:00+08:00") + sale(2, "2026-11-22T12:01:00+08:00"));
  folder.write(
      "sms.submissions.ndjson",
      R"({"event_id":"s1","message_id":"4111111111111111","txn_id":"5500005555555559-1","category":"DEBIT","recipient_role":"cardholder",)"
      R"("channel":"sms","submit_status":"accepted","phone_token":"378282246310005","content":"card 4111111111111111","occurred_at":"2026-11-22T12:00:05+08:00"})"
      "\n");
  const EngineRun run(folder, {"pos.transactions", "sms.submissions"}, 3);
  expect_balance(run.page, "pos.transactions", 2, 0);
  const std::string alerts = read_file(folder / "out/alerts.ndjson");
  EXPECT_THAT(alerts, HasSubstr("\"duplicate-debit\""));
  EXPECT_THAT(alerts, HasSubstr("411111******1111~"));
  EXPECT_THAT(alerts, HasSubstr("622848*********0018~"));
  EXPECT_THAT(alerts, HasSubstr("378282*****0005~"));
  Leaks leaks(cards);
  leaks.look_in_file(folder / "out/alerts.ndjson");
  leaks.look_in("dead letters", read_file(folder / "out/dead-letter.ndjson"));
  leaks.look_in_file(folder / "log");
  leaks.look_in("metrics", run.page);
  leaks.look_in_store(folder / "state");
}

TEST(Sparkov, ACardNumberWhereItDoesNotBelongIsADeadLetterThatHidesIt) {
  const std::string whole =
      R"({"event_id":"e1","txn_id":"t1","txn_type":"sale","status":"approved","occurred_at":"2026-11-22T12:00:00+08:00","amount_minor":100,"currency":"CNY","card_token":"c","pan_masked":"x","merchant_id":"m","mcc":"5812","terminal_id":"1","stan":"1","batch_no":"1","card_type":"credit","payment_method":"card_chip","issuer_id":"i","acquirer_id":"a"})";
  const auto with = [&](const std::string& from, const std::string& to) {
    return std::string(whole).replace(whole.find(from), from.size(), to) + "\n";
  };
  const TestFolder folder;
  const std::string records =
      folder.write("t.ndjson", with("\"x\"", "\"4111111111111111\"") + with(":100", ":4111111111111111"));
  const ProgramResult run = run_program("run --file pos.transactions=" + records + " --output " + (folder / "out"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const std::string letters = read_file(folder / "out/dead-letter.ndjson");
  for (const std::string& letter : lines_of(letters)) EXPECT_THAT(letter, HasSubstr("pan_exposed"));
  EXPECT_EQ(lines_of(letters).size(), 2u) << letters << run.err;
  EXPECT_EQ(card_number_in(letters + run.out + run.err), "");
}

}  // namespace
}  // namespace tillwatch
