// The demo as somebody sees it who has just built the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <vector>

#include "connectors/generator.h"
#include "tests/cli/program.h"

namespace tillwatch {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// "12:30:05  3fa9c1d2  …": the time and the alert.
const std::regex kAlertLine("^([0-9]{2}:[0-9]{2}:[0-9]{2})  ([0-9a-f]{8})  .*");

TEST(Demo, IsCaughtWholeAndTimeGoesOn) {
  const ProgramResult demo = run_program("demo --speed 0 --minutes 40 --events-per-second 10 --seed 3", 300);
  EXPECT_EQ(demo.exit_code, 0) << demo.out << demo.err;
  std::string last;
  size_t alerts = 0;
  for (const std::string& line : lines_of(demo.out)) {
    std::smatch parts;
    if (!std::regex_match(line, parts, kAlertLine)) continue;
    ++alerts;
    EXPECT_LE(last, parts[1].str()) << line;
    last = parts[1];
    if (line.find("  resolved  ") != std::string::npos) {
      EXPECT_TRUE(std::regex_search(line, std::regex(" of [0-9]{2}:[0-9]{2}:[0-9]{2}: "))) << "names its alert: " << line;
    }
  }
  EXPECT_GT(alerts, 20u) << demo.out;
  for (const connectors::Anomaly& anomaly : connectors::anomalies()) {
    const std::string& rule = anomaly.rules.front();
    EXPECT_TRUE(std::regex_search(demo.out, std::regex("\n" + rule + " +[1-9]"))) << rule << " has no row of the scorecard";
  }
  EXPECT_THAT(demo.out, Not(HasSubstr("not judged")));
  EXPECT_THAT(demo.out, HasSubstr("nothing missed, nothing false"));
}

TEST(Demo, ARuleOfOnesOwnIsNotJudged) {
  const TestFolder folder;
  std::filesystem::copy(TILLWATCH_SOURCE_DIR "/rules/packs/payments", folder / "pack",
                        std::filesystem::copy_options::recursive);
  folder.write("pack/large.yaml",
               "rule: large\nversion: 1\non: debit as d\nkey: [card_token]\nwhen: d.amount > 2000\nseverity: low\n"
               "message: {en: \"{d.amount:money}\", zh: \"{d.amount:money}\"}\n");
  const ProgramResult demo = run_program("demo --speed 0 --minutes 30 --events-per-second 2 -q " + (folder / "pack"), 300);
  EXPECT_EQ(demo.exit_code, 0) << demo.out << demo.err;
  EXPECT_TRUE(std::regex_search(
      demo.out, std::regex("not judged: large, [1-9][0-9]* alerts? \\(the truth of this traffic says nothing of it\\)")))
      << demo.out;
}

TEST(Demo, RedeliveryDisorderAndRestartsChangeNothing) {
  const ProgramResult demo = run_program(
      "demo --speed 0 --minutes 40 --events-per-second 2 --seed 5 -q --redelivered 0.05 --disordered 0.02 --restarts 3", 300);
  EXPECT_EQ(demo.exit_code, 0) << demo.out << demo.err;
  EXPECT_EQ(
      std::ranges::count_if(lines_of(demo.out), [](const std::string& line) { return line.starts_with("restarted at "); }), 3)
      << demo.out;
  EXPECT_THAT(demo.out, HasSubstr("nothing missed, nothing false"));
}

TEST(Demo, WhatComesBeyondTheLatenessIsListedAsLate) {
  const ProgramResult demo =
      run_program("demo --speed 0 --minutes 40 --events-per-second 2 --seed 6 -q --redelivered 0.05 --late 0.002", 300);
  EXPECT_EQ(demo.exit_code, 0) << demo.out << demo.err;
  EXPECT_THAT(demo.out, HasSubstr("nothing missed, nothing false"));
}

// What may stand in Latin letters where Chinese is spoken.
bool may_be_latin(const std::string& word) {
  static const std::regex allowed(
      "[a-z]+(-[a-z]+)+(-[0-9]+)?"  // names of rules, gateways and hosts
      "|k[0-9]+|TPL-[A-Z]+-[0-9]+"  // of sending keys and templates
      "|top|SignatureDoesNotMatch"  // of a host, a gateway's word
      "|[A-Z]{2}"                   // of a carrier's code, MK:0012
      "|CNY|UTC|bp"                 // of money, time and rates, as the trade writes them
      "|[0-9]+(ms|s|m|h|d)"         // durations inside a rule's own message
      "|[0-9]*SN[0-9]+"             // serial numbers
      "|[0-9a-f]{8}"                // ids of alerts
      "|http|metrics|[0-9.:]+|[0-9]+");
  return std::regex_match(word, allowed);
}

TEST(Demo, SpeaksChineseThroughout) {
  const ProgramResult demo = run_program("demo --language zh --speed 0 --minutes 40 --events-per-second 10 --seed 3", 300);
  EXPECT_EQ(demo.exit_code, 0) << demo.out << demo.err;
  EXPECT_EQ(demo.err, "");
  const std::regex word("[A-Za-z0-9][A-Za-z0-9-]*");
  size_t alerts = 0;
  for (const std::string& line : lines_of(demo.out)) {
    alerts += std::regex_match(line, kAlertLine);
    for (std::sregex_iterator at(line.begin(), line.end(), word), end; at != end; ++at) {
      if (!std::regex_search(at->str(), std::regex("[A-Za-z]"))) continue;
      EXPECT_TRUE(may_be_latin(at->str())) << at->str() << " in: " << line;
    }
  }
  EXPECT_GT(alerts, 20u) << demo.out;
  for (const char* each : {"种子 3", "账目平衡", "规则", "合计", "已解除", "历时", "无漏报，无误报"}) {
    EXPECT_THAT(demo.out, HasSubstr(each));
  }
}

}  // namespace
}  // namespace tillwatch
