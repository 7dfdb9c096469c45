// The commands of the program. Each returns its exit code: 0 all is well, 1 it failed or found something, 2 the command line
// was wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tillwatch::engine {

// How far generated records arrive from as they should: shares of them.
struct TrafficFaults {
  double redelivered = 0.002;  // come again
  double disordered = 0.02;    // are overtaken, within the lateness
  double late = 0;             // come beyond the lateness
};

struct DemoCommand {
  std::vector<std::string> rules;  // files and folders; empty: the pack beside the program or the working folder
  uint64_t seed = 1;
  double minutes = 60;            // of traffic
  double speed = 60;              // seconds of traffic per second; 0: as fast as it goes
  double events_per_second = 25;  // of traffic time
  bool keep_going = false;        // new traffic without end
  TrafficFaults faults;
  int restarts = 0;               // spread over the traffic
  double anomalies_per_hour = 3;  // of each kind; of those of dozens of payments or messages a third
  bool calendar = false;          // days with busy hours and quiet nights, settled the morning after
  std::string language = "en";
  std::string metrics = "127.0.0.1:0";  // "off": none
  bool quiet = false;                   // no alerts, only the scorecard
};
int run_demo(const DemoCommand& command);

struct RulesCommand {
  std::vector<std::string> paths;
  std::string format = "text";  // or json
  bool verbose = false;
  std::string filter;
  std::string junit;  // file for the results as JUnit's XML
  bool coverage = false, mutate = false;
  std::string subject;      // what `explain` is asked about, the name of a `new` rule
  std::string stream;       // that a new rule starts from
  bool only_check = false;  // fmt: say what would change, change nothing
};
int check_rules(const RulesCommand& command);
int test_rules(const RulesCommand& command);
int list_rules(const RulesCommand& command);
int explain_rules(const RulesCommand& command);
int new_rule(const RulesCommand& command);
int format_rules(const RulesCommand& command);
int plan_rules(const RulesCommand& command);
int print_reference(const RulesCommand& command);
int print_json_schema(const RulesCommand& command);

struct RunCommand {
  std::string config;
  std::vector<std::string> files;  // TOPIC=PATH: instead of the configuration's source
  std::vector<std::string> rules;  // without a configuration: files and folders; empty: as for the demo
  std::string language;            // instead of the configuration's; empty: that
  std::string output;              // folder for NDJSON output, instead of the configuration's sink
  double run_on_minutes = 0;
};
int run_engine(const RunCommand& command);

// Vendors' delivery reports, one payload a line on standard input, as records on standard output.
struct ReceiptsCommand {
  std::string format;    // aliyun, tencent, huawei, cmpp, smpp
  std::string provider;  // written into the records; empty: the format's name
};
int convert_receipts(const ReceiptsCommand& command);

// A backtest over files; with `against` the same files through other rules, compared.
struct ReplayCommand {
  std::vector<std::string> files;  // TOPIC=PATH, or folders
  std::vector<std::string> rules;  // empty: the payments pack
  std::string against;             // rule file or folder
  std::string differences;         // file for them, one JSON object a line
  std::string save_case;           // an alert's id, or its beginning: print a rule test of it
  size_t workers = 1;
  double run_on_minutes = 0;
};
int run_replay(const ReplayCommand& command);

struct WhyCommand {
  std::string subject;             // an alert's or a transaction's id
  std::vector<std::string> files;  // TOPIC=PATH, or folders
  std::vector<std::string> rules;
};
int explain_why(const WhyCommand& command);

// Seeded traffic as files or into a broker; exactly one of `folder` and `bootstrap`.
struct GenerateCommand {
  std::string folder;                   // TOPIC-PARTITION.ndjson and truth.ndjson
  bool keys = false;                    // files: TOPIC-PARTITION.tsv, key and record with a tab between
  std::string bootstrap;                // of a Kafka broker that has the topics
  std::vector<std::string> properties;  // NAME=VALUE of librdkafka
  std::string truth;                    // file for what was injected; empty: folder/truth.ndjson
  std::string start;                    // RFC 3339 or "now"; empty: fixed for files, and so that it ends now for a broker
  uint64_t seed = 1;
  double minutes = 60;
  double speed = 0;  // seconds of traffic per second; 0: as fast as it goes
  double events_per_second = 25;
  double anomalies_per_hour = 3;  // of each kind; of those of dozens of payments or messages a third
  TrafficFaults faults;
  int partitions = 4;  // of every topic but the reference topics, which have one
};
int generate_traffic(const GenerateCommand& command);

std::string version();

// Where the payments pack is: beside the working folder, or where it was built from.
std::string default_rules();

}  // namespace tillwatch::engine
