// A seeded generator of card-terminal traffic: reference records, transactions, slips, settlement lines, SMS submissions and
// receipts, with anomalies injected on purpose and a list of what they are (the truth). It is for the demo, for tests and for
// benchmarks. Pure: no thread, no clock, no I/O; the same options give the same bytes on every machine.
//
// Ordinary traffic is meant to raise no alert, whatever else it contains: declines with retries, reversals, refunds,
// retransmissions, phones that are off, lawful changes. An anomaly may well raise other rules beside its own: a merchant that
// is overcharged on each line also creeps over the day (Generator::implied).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"

namespace tillwatch::connectors {

// Some of the anomalies, which are the keys of GeneratorOptions::anomalies and the words in Injected::anomaly; all are in
// anomalies().
inline constexpr const char* kDuplicateDebit = "duplicate-debit";
inline constexpr const char* kCodeJump = "code-jump";
inline constexpr const char* kRateChange = "rate-change";
inline constexpr const char* kNotifyUnsent = "notify-unsent";
// A rule that is no anomaly of its own: some rate changes imply it.
inline constexpr const char* kRateCreep = "rate-creep";

struct Anomaly {
  std::string name;
  std::vector<std::string> rules;  // all that it may make speak, of the payments pack
  bool crowd = false;              // dozens of payments or messages each
};
const std::vector<Anomaly>& anomalies();

struct GeneratorOptions {
  uint64_t seed = 1;
  TimeMs start = 1'795'276'800'000;  // 2026-11-22T00:00:00+08:00. Reference records arrive a minute before it.
  // Debits stop ten minutes before start + length, so that all they owe can follow. Settlement lines may come after that.
  DurationMs length = kDay;
  double events_per_second = 50;  // records of all topics, reference records aside; the mean over a whole day
  bool daily_shape = true;        // quiet nights, lunch and evening peaks (+08:00); false: the same at every hour
  int merchants = 200;
  int terminals_per_merchant = 2;  // at most; one merchant in three has a single one
  int cards = 5000;
  int issuers = 8;

  // How many of each kind, by name, in the whole run and in every hour of it; both count. None by default.
  std::map<std::string, double> anomalies;
  std::map<std::string, double> anomalies_per_hour;

  double redelivery_share = 0.002;    // come again with the same event_id, up to a minute later, perhaps in another partition
  double disorder_share = 0.02;       // arrive up to max_disorder_ms later than they would, and so are overtaken
  DurationMs max_disorder_ms = 4000;  // at most 8 s: the lateness of the streams is 10 s
  double late_share = 0;              // arrive 12 to 45 s late, beyond the lateness

  int partitions = 4;                          // of every topic but the reference topics
  int reference_partitions = 1;                // of every reference topic
  std::optional<DurationMs> settlement_delay;  // from sale to settlement line; empty: 10:00 of the morning after
};

// The traffic of a demo: `minutes` from `start` on, as many cards as it takes, an even pace, settlement within minutes; of each
// kind `anomalies_per_hour`, of those that are a crowd a third of it.
GeneratorOptions demo_traffic(uint64_t seed, TimeMs start, DurationMs length, double events_per_second,
                              double anomalies_per_hour);

// Says what is wrong with `options` and what would be right. Generator's constructor aborts on options this refuses.
Status check_generator_options(const GeneratorOptions& options);

struct GeneratedRecord {
  const char* topic = "";  // "pos.transactions", "ref.merchant", …: static text
  int32_t partition = 0;   // [0, partitions)
  std::string key;         // the Kafka key
  std::string value;       // one JSON object without line breaks
  TimeMs event_time = 0;   // when it happened; of reference records, when it was recorded
  TimeMs arrival = 0;      // when it reaches the broker
  bool repeated = false;   // a redelivery of a record given before
};

// One injected anomaly: the alert a faultless engine would raise.
struct Injected {
  std::string anomaly;                     // its name
  std::string rule;                        // the rule that must say so
  std::map<std::string, std::string> key;  // the alert's key: field and text
  TimeMs at = 0;                           // event time at which the alert is raised
  std::string expected_severity;           // once all that bears on it has come in, before it is resolved
  bool resolves = false;
  std::string resolution;  // reversed, voided, refunded, late_sms, recovered, …; empty while it stands
  TimeMs resolves_at = 0;  // event time of that; 0: within the run
  std::string note;        // how it was done, for people
  bool late = false;       // a record it needs arrived beyond the lateness: the alert may be missing, or differ

  bool operator==(const Injected&) const = default;
};

// Gives the records in order of arrival. Not thread-safe. Memory grows with what is under way, chiefly settlement lines that
// wait for the morning (about 100 bytes each).
class Generator {
 public:
  explicit Generator(const GeneratorOptions& options);
  ~Generator();
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;

  // Overwrites `record` (its strings keep their memory); false at the end.
  bool next(GeneratedRecord& record);

  // What has been injected so far, an entry no later than the record that gives it away. Complete when next() has said false.
  const std::vector<Injected>& truth() const;
  // The alerts that what was injected implies for rules beside its own (rate-creep), raised until `until`, an event time.
  std::vector<Injected> implied(TimeMs until) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tillwatch::connectors
