#include "engine/junit_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string_view>

namespace tillwatch::engine {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char sign : text) {
    switch (sign) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(sign) < 0x20 && sign != '\n' && sign != '\t' ? ' ' : sign;
    }
  }
  return out;
}

std::string case_xml(const CaseOutcome& outcome) {
  std::string xml =
      fmt::format(R"(    <testcase classname="{}" name="{}" file="{}" line="{}" time="{:.3f}")", escaped(outcome.rule),
                  escaped(outcome.name), escaped(outcome.path), outcome.line, outcome.seconds);
  if (outcome.wrong.empty()) return xml + "/>\n";
  return xml + fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n", escaped(outcome.wrong.front()),
                           escaped(fmt::format("{}", fmt::join(outcome.wrong, "\n"))));
}

}  // namespace

std::string junit_xml(const std::vector<CaseOutcome>& outcomes) {
  std::map<std::string, std::vector<const CaseOutcome*>> by_rule;
  for (const CaseOutcome& each : outcomes) by_rule[each.rule].push_back(&each);
  const auto failed = [](const auto& all) {
    return std::count_if(all.begin(), all.end(), [](const CaseOutcome* each) { return !each->wrong.empty(); });
  };
  std::string suites;
  int64_t failures = 0;
  for (const auto& [rule, all] : by_rule) {
    failures += failed(all);
    suites += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n", escaped(rule), all.size(), failed(all));
    for (const CaseOutcome* each : all) suites += case_xml(*each);
    suites += "  </testsuite>\n";
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tillwatch rules\" tests=\"{}\" "
      "failures=\"{}\">\n{}</testsuites>\n",
      outcomes.size(), failures, suites);
}

Status write_junit(const std::string& path, const std::vector<CaseOutcome>& outcomes) {
  std::ofstream out(path, std::ios::binary);
  out << junit_xml(outcomes);
  out.flush();
  if (!out) return fail(ErrorKind::invalid, "cannot write " + path);
  return {};
}

}  // namespace tillwatch::engine
