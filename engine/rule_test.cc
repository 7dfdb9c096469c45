#include "engine/rule_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "engine/base/words.h"
#include "engine/case_run.h"
#include "engine/junit_report.h"
#include "engine/rule_gaps.h"
#include "engine/rule_suite.h"

namespace tillwatch::engine {
namespace {

class Tester {
 public:
  Tester(const RuleTestOptions& options, std::ostream& out) : options_(options), out_(out) {}

  RuleTestReport run() {
    for (const std::string& path : test_files(options_.paths)) run_file(path);
    if (!options_.junit.empty()) {
      if (const Status written = write_junit(options_.junit, outcomes_); !written) {
        out_ << fmt::format("FAIL  {}\n", written.error().message);
        ++report_.failed;
      }
    }
    if (options_.coverage)
      out_ << fmt::format("{} of {} halves of clauses are held by a case{}\n", covered_.held, covered_.asked,
                          percent(covered_));
    if (options_.mutate)
      out_ << fmt::format("{} of {} are noticed by a case{}\n", mutants_.held, counted(mutants_.asked, "mutant"),
                          percent(mutants_));
    out_ << fmt::format("{} passed, {} failed\n", report_.passed, report_.failed);
    return report_;
  }

 private:
  static std::string percent(const GapReport& report) {
    return report.asked == 0
               ? ""
               : fmt::format(" ({:.1f} %)", 100.0 * static_cast<double>(report.held) / static_cast<double>(report.asked));
  }

  void run_file(const std::string& path) {
    const RuleSuite suite(path, options_.paths);
    if (!suite.usable()) {
      for (const rules::Diagnostic& each : suite.diagnostics().all()) {
        if (each.level == rules::Diagnostic::Level::error)
          out_ << rules::render(each, suite.sources(), options_.colour) << "\n";
      }
      out_ << fmt::format("FAIL  {}: the file cannot be run\n", path);
      outcomes_.push_back({suite.rule(), "the file", path, 1, 0, {"the file cannot be run"}});
      ++report_.failed;
      return;
    }
    const size_t failed_before = report_.failed;
    size_t ran = 0;
    for (const RuleCase& test : suite.cases()) {
      if (!options_.filter.empty() && (suite.rule() + ": " + test.name).find(options_.filter) == std::string::npos) continue;
      run_one(suite, test);
      ++ran;
    }
    if (ran == 0 || report_.failed > failed_before) return;  // what fails already notices everything
    if (options_.coverage) add(covered_, uncovered_clauses(suite), "uncovered");
    if (options_.mutate) add(mutants_, unnoticed_mutants(suite), "unnoticed");
  }

  void add(GapReport& sum, const GapReport& report, const char* what) {
    sum.asked += report.asked;
    sum.held += report.held;
    for (const Gap& gap : report.gaps) out_ << fmt::format("{}  {}: {}\n      at {}\n", what, gap.rule, gap.what, gap.place);
  }

  void run_one(const RuleSuite& suite, const RuleCase& test) {
    const auto began = std::chrono::steady_clock::now();
    const CaseResult result = run_case(suite.bundle(), test, suite.rule());
    const std::vector<std::string> wrong = judge(test, result);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    outcomes_.push_back({suite.rule(), test.name, suite.path(), test.span.line, took.count(), wrong});
    if (wrong.empty()) {
      ++report_.passed;
      if (options_.verbose) out_ << fmt::format("ok    {}: {}\n", suite.rule(), test.name);
      return;
    }
    ++report_.failed;
    out_ << fmt::format("FAIL  {}: {}\n      at {}:{}\n", suite.rule(), test.name, suite.path(), test.span.line);
    for (const std::string& line : wrong) out_ << "      " << line << "\n";
    for (const Transition& each : result.transitions) out_ << "      came: " << show(each) << "\n";
  }

  const RuleTestOptions& options_;
  std::ostream& out_;
  RuleTestReport report_;
  GapReport covered_, mutants_;
  std::vector<CaseOutcome> outcomes_;
};

}  // namespace

RuleTestReport run_rule_tests(const RuleTestOptions& options, std::ostream& out) { return Tester(options, out).run(); }

}  // namespace tillwatch::engine
