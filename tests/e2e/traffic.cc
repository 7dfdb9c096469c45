#include "tests/e2e/traffic.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "engine/intake.h"
#include "tests/e2e/process.h"
#include "tests/engine/world.h"
#include "tests/temporary_directory.h"

namespace tillwatch::tests {
namespace {

constexpr milliseconds kPatience{60'000};
constexpr int kPartitions = 4;
const std::pair<std::string, int> kBusiest{"pos.transactions", 0};

std::string without_counts(const std::string& json) {
  static const std::regex counted("\"(seq|updated_at)\":[^,}]*,?");
  static const std::regex open("\"status\":\"(firing|updated)\"");
  // A record that was delivered twice may lie in two partitions, and whichever was read first is the evidence.
  static const std::regex position(",\"partition\":[0-9]+,\"offset\":[0-9]+");
  return std::regex_replace(std::regex_replace(std::regex_replace(json, counted, ""), open, "\"status\":\"open\""), position,
                            "");
}

}  // namespace

std::string differences(const Standing& wanted, const Standing& found) {
  std::string lines;
  for (const auto& [id, text] : wanted) {
    const auto other = found.find(id);
    if (other == found.end()) {
      lines += "missing: " + text + "\n";
    } else if (other->second != text) {
      lines += "wanted: " + text + "\n found: " + other->second + "\n";
    }
  }
  for (const auto& [id, text] : found) {
    if (!wanted.contains(id)) lines += "unwanted: " + text + "\n";
  }
  return lines;
}

Traffic& Traffic::shared(BrokerFixture& broker) {
  static const TemporaryDirectory folder;
  static Traffic traffic(broker, folder.path());
  return traffic;
}

Traffic::Traffic(BrokerFixture& broker, std::string folder) : broker_(broker), folder_(std::move(folder)) {
  const auto bundle = engine::load_rules({"rules/packs/payments"});
  for (const std::string& topic : engine::Intake::stream_topics(*bundle)) {
    broker_.create_topic(topic, kPartitions);
    read_.insert(topic);
  }
  for (const std::string& topic : engine::Intake::table_topics(*bundle)) {
    broker_.create_topic(topic);
    read_.insert(topic);
  }
  generate(folder_ + "/day",
           {"--events-per-second", "40", "--anomalies-per-hour", "12", "--start", "2025-06-02T12:00:00+08:00"});
  // Later than a day after all of the first, so that whatever ends after 24 hours ends while records come.
  generate(folder_ + "/next",
           {"--events-per-second", "5", "--anomalies-per-hour", "0", "--start", "2025-06-03T12:30:00+08:00"});
  load(folder_ + "/day");
  for (const auto& file : std::filesystem::directory_iterator(folder_ + "/next")) {
    if (file.path().filename().string().starts_with("ref.")) std::filesystem::remove(file);
  }
  load(folder_ + "/next");
  read_truth(folder_ + "/day/truth.ndjson");
}

void Traffic::generate(const std::string& folder, const std::vector<std::string>& options) const {
  std::vector<std::string> words = {
      TILLWATCH_PROGRAM,          "generate", "--to", folder, "--keys", "--minutes", "20", "--seed", "7", "--partitions",
      std::to_string(kPartitions)};
  words.insert(words.end(), options.begin(), options.end());
  run_to_end(words, folder_ + "/generate.log", kPatience);
}

void Traffic::load(const std::string& folder) {
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".tsv") continue;
    const std::string name = file.path().stem();  // TOPIC-PARTITION
    const size_t dash = name.rfind('-');
    const std::string topic = name.substr(0, dash), partition = name.substr(dash + 1);
    if (!read_.contains(topic)) continue;
    run_to_end({"kcat", "-P", "-b", broker_.bootstrap(), "-t", topic, "-p", partition, "-K", "\\t", "-l", file.path()},
               folder_ + "/kcat.log", kPatience);
    const int64_t count = append_file(file.path(), name);
    ends_[{topic, std::stoi(partition)}] += count;
    records_ += count;
  }
}

// Returns the number of records.
int64_t Traffic::append_file(const std::string& from, const std::string& name) const {
  std::filesystem::create_directories(folder_ + "/files");
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(folder_ + "/files/" + name, std::ios::binary | std::ios::app);
  int64_t count = 0;
  for (std::string line; std::getline(in, line); ++count) out << line.substr(line.find('\t') + 1) << '\n';
  return count;
}

void Traffic::read_truth(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    rapidjson::Document json;
    json.Parse(line.c_str());
    ASSERT_FALSE(json.HasParseError()) << line;
    WantedAlert wanted{json["rule"].GetString(), {}, json["note"].GetString()};
    for (const auto& field : json["key"].GetObject()) wanted.key[field.name.GetString()] = field.value.GetString();
    truth_.push_back(wanted);
  }
}

bool Traffic::drained_by(const std::string& group) {
  if (lag_of(group) > 0) return false;
  return std::ranges::all_of(ends_, [&](const auto& end) {
    const auto& [topic, partition] = end.first;
    return broker_.committed(group, topic, partition).offset == end.second;
  });
}

int64_t Traffic::lag_of(const std::string& group) {
  return ends_.at(kBusiest) - std::max<int64_t>(0, broker_.committed(group, kBusiest.first, kBusiest.second).offset);
}

Standing Traffic::standing_in(const std::string& topic) const {
  return standing_of(
      run_to_end({"kcat", "-C", "-b", broker_.bootstrap(), "-t", topic, "-e", "-q", "-X", "isolation.level=read_committed"},
                 folder_ + "/alerts.log", kPatience));
}

std::vector<std::string> Traffic::files() const {
  std::vector<std::string> files;
  for (const auto& [partition, end] : ends_) {
    files.push_back(partition.first + "=" + folder_ + "/files/" + partition.first + "-" + std::to_string(partition.second));
  }
  return files;
}

Standing standing_of(const std::string& text) {
  std::istringstream lines(text);
  Standing standing;
  for (std::string line; std::getline(lines, line);) {
    rapidjson::Document json;
    json.Parse(line.c_str());
    if (json.HasParseError() || !json.IsObject()) {
      ADD_FAILURE() << "not an alert: " << line;
      continue;
    }
    const std::string id = json["alert_id"].GetString();
    const auto& resolution = json["resolution"];
    if (resolution.IsString() && std::string("corrected") == resolution.GetString()) {
      standing.erase(id);
    } else {
      standing[id] = without_counts(line);
    }
  }
  return standing;
}

}  // namespace tillwatch::tests
