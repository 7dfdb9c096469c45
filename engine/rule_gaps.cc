#include "engine/rule_gaps.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "engine/case_run.h"
#include "engine/rule_mutants.h"

namespace tillwatch::engine {
namespace {

using MakeMutant = std::optional<Mutant> (*)(rules::CheckedRule&, const rules::Schema&, size_t);

constexpr size_t kMostMutants = 10'000;  // of one rule

// Cases that noticed something before are asked first: most changes are then found by the first or second.
class Witnesses {
 public:
  explicit Witnesses(const RuleSuite& suite) : suite_(suite), order_(suite.cases().size()) {
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = i;
  }

  bool notice(const std::shared_ptr<const rules::CompiledBundle>& bundle) {
    for (size_t i = 0; i < order_.size(); ++i) {
      const RuleCase& test = suite_.cases()[order_[i]];
      if (judge(test, run_case(bundle, test, suite_.rule())).empty()) continue;
      std::rotate(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(i), order_.begin() + static_cast<ptrdiff_t>(i) + 1);
      return true;
    }
    return false;
  }

 private:
  const RuleSuite& suite_;
  std::vector<size_t> order_;
};

GapReport ask(const RuleSuite& suite, MakeMutant make, const std::function<std::string(const Mutant&)>& say) {
  GapReport report;
  Witnesses witnesses(suite);
  for (size_t index = 0; index < kMostMutants; ++index) {
    std::optional<Mutant> mutant;
    const auto bundle = suite.changed([&](rules::CheckedRule& rule, const rules::Schema& schema) {
      mutant = make(rule, schema, index);
      return mutant.has_value();
    });
    if (!mutant) break;
    if (!bundle) continue;  // no rule any more
    ++report.asked;
    if (witnesses.notice(bundle)) {
      ++report.held;
      continue;
    }
    const std::string file = mutant->place.file >= 0 ? suite.sources().name(mutant->place.file) : suite.path();
    report.gaps.push_back({suite.rule(), fmt::format("{}:{}", file, mutant->place.line), say(*mutant)});
  }
  return report;
}

}  // namespace

GapReport uncovered_clauses(const RuleSuite& suite) {
  return ask(suite, force_clause, [](const Mutant& mutant) {
    return fmt::format("no case needs `{}` to be {}", mutant.was, mutant.became == "true" ? "false" : "true");
  });
}

GapReport unnoticed_mutants(const RuleSuite& suite) {
  return ask(suite, mutate, [](const Mutant& mutant) { return fmt::format("`{}` could be `{}`", mutant.was, mutant.became); });
}

}  // namespace tillwatch::engine
