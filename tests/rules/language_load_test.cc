// Whole bundles: the core rules as checked rules, files and folders, and texts that are no rules at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "rules/language/names.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch::rules {
namespace {

Texts core_texts() {
  Texts files = schema_texts();
  for (const char* name : {"core.yaml", "helpers.yaml"}) files.emplace_back(name, text_of_file(language_folder() + name));
  return files;
}

const CheckedRule& rule(const Bundle& bundle, std::string_view name) {
  const auto found =
      std::find_if(bundle.rules.begin(), bundle.rules.end(), [&](const CheckedRule& one) { return one.name == name; });
  EXPECT_NE(found, bundle.rules.end()) << name;
  return *found;
}

TEST(CoreRules, AreWithoutMistakeOrWarning) {
  const Loaded loaded(core_texts());
  EXPECT_EQ(loaded.messages(), "");
  EXPECT_EQ(loaded.bundle.rules.size(), 12U);
}

TEST(CoreRules, DuplicateDebitIsRead) {
  const Loaded loaded(core_texts());
  const CheckedRule& checked = rule(loaded.bundle, "duplicate-debit");
  const Schema& schema = loaded.bundle.schema;
  const std::vector<Field>& fields = schema.root(checked.stream).fields;
  EXPECT_EQ(checked.title_zh, "重复扣款");
  EXPECT_EQ(checked.runbook, "docs/runbooks/duplicate-debit.md");
  ASSERT_EQ(checked.key.size(), 3U);
  EXPECT_EQ(fields[static_cast<size_t>(checked.key[2].field)].name, "amount");
  EXPECT_EQ(checked.except.size(), 1U);
  ASSERT_EQ(checked.facts.size(), 5U);
  EXPECT_EQ(show(checked.facts[0].type, schema), "own event of debit?");
  EXPECT_TRUE(checked.facts[0].type.with_facts);
  EXPECT_EQ(show(checked.facts[1].type, schema), "time");
  EXPECT_EQ(show(checked.facts[3].type, schema), "money");
  ASSERT_EQ(checked.severity.size(), 3U);
  EXPECT_EQ(checked.severity[0].severity, Severity::info);
  EXPECT_EQ(checked.severity[2].when, nullptr);
  EXPECT_EQ(checked.quiet, 5 * kMinute);
  ASSERT_EQ(checked.resolve.size(), 2U);
  EXPECT_EQ(schema.streams[static_cast<size_t>(checked.resolve[0].stream)].name, "undo");
  ASSERT_EQ(checked.resolve[0].reason.parts.size(), 1U);
  EXPECT_EQ(checked.resolve[0].reason.parts[0].expression->binding, kResolver);
  EXPECT_EQ(checked.resolve[1].after, 30 * kDay);
  EXPECT_EQ(checked.resolve[1].reason.parts.at(0).text, "expired");
  EXPECT_EQ(checked.aggregates.size(), 6U) << "last, min, distinct, sum; one in severity, one in resolve";
  for (const Aggregate& aggregate : checked.aggregates) EXPECT_EQ(aggregate.by.size(), 3U);
}

TEST(CoreRules, NotifyUnsentIsRead) {
  const Loaded loaded(core_texts());
  const CheckedRule& checked = rule(loaded.bundle, "notify-unsent");
  ASSERT_EQ(checked.steps.size(), 2U);
  const Step& step = checked.steps[0];
  EXPECT_TRUE(step.absent);
  EXPECT_EQ(step.from->value.i, -kDay);
  EXPECT_EQ(step.to->node, Node::binary);
  EXPECT_EQ(step.grace, 10 * kSecond);
  EXPECT_EQ(checked.steps[1].severity, Severity::critical);
  ASSERT_NE(checked.steps[1].where, nullptr) << "an alias of the first step's condition";
  const ResolveWay& undone = checked.resolve.at(1);
  const std::vector<Field>& fields = loaded.bundle.schema.root(undone.stream).fields;
  ASSERT_EQ(undone.by.size(), 1U);
  EXPECT_EQ(fields[static_cast<size_t>(undone.by[0])].name, "original_id");
}

TEST(CoreRules, FactsOfThisFollowTheFields) {
  const Loaded loaded(core_texts());
  const CheckedRule& checked = rule(loaded.bundle, "rate-change");
  const auto excess =
      std::find_if(checked.facts.begin(), checked.facts.end(), [](const Fact& fact) { return fact.name == "excess"; });
  const Aggregate& sum = checked.aggregates.at(static_cast<size_t>(excess->value->index));
  const auto fields = static_cast<int32_t>(loaded.bundle.schema.root(checked.stream).fields.size());
  EXPECT_TRUE(sum.over_this);
  EXPECT_EQ(sum.value->binding, kCandidate);
  EXPECT_EQ(checked.facts.at(static_cast<size_t>(sum.value->index - fields)).name, "diff");
  EXPECT_EQ(checked.facts.at(static_cast<size_t>(sum.where->index - fields)).name, "up");
}

TEST(CoreRules, SourceTextChangesWithTheRuleAndNotWithItsLayout) {
  Texts files = core_texts();
  const std::string before = rule(Loaded(files).bundle, "code-jump").source_text;
  for (auto& [name, text] : files) {
    if (name == "core.yaml") text = "# a comment\n\n" + text;
  }
  EXPECT_EQ(rule(Loaded(files).bundle, "code-jump").source_text, before);
  for (auto& [name, text] : files) {
    if (name == "core.yaml") text.replace(text.find("share >= 5%"), 11, "share >= 6%");
  }
  EXPECT_NE(rule(Loaded(files).bundle, "code-jump").source_text, before);
}

TEST(Schema, FieldsAreFlattenedTypedAndPlaced) {
  const Loaded loaded(Texts{{"schema.yaml",
                             "streams:\n  a:\n    topic: t\n    time: when_it_was\n    id: [id, deep.er.b]\n    lateness: "
                             "10s\n    accept: 24h where kind != x\n"
                             "    dark_after: 5\n    unique: [id, [id, kind]]\n"
                             "    fields:\n      id: string\n      when_it_was: time @ \"meta.at\"\n      kind: enum(x, y)?\n  "
                             "    paid: money(amt.minor, amt.cur)\n"
                             "      fixed: money(amt.minor, CNY)?\n      card: string? pii @ \"pan\"\n      deep:\n        er: "
                             "{b: int, c: \"list(string)\"}\n"
                             "    computed:\n      low: deep.er.b < 5\n      also: low and has(kind)\n  v: {from: w, select: "
                             "low}\n  w: {from: a, select: also, id: [low]}\n"
                             "tables:\n  m: {topic: t, key: [k], columns: {k: string}}\n"}});
  ASSERT_EQ(loaded.codes(), "E022") << loaded.messages();  // `kind != x` needs has(kind)
  const Schema& schema = loaded.bundle.schema;
  const Stream& a = schema.streams.at(0);
  ASSERT_EQ(a.fields.size(), 10U);
  EXPECT_EQ(a.fields[1].path, "meta.at");
  EXPECT_EQ(schema.enums.at(static_cast<size_t>(a.fields[2].type.ref)).names, (std::vector<std::string>{"x", "y", "unknown"}));
  EXPECT_EQ(a.fields[3].path + " " + a.fields[3].currency_path, "amt.minor amt.cur");
  EXPECT_EQ(a.fields[4].currency, "CNY");
  EXPECT_TRUE(a.fields[5].type.pii && a.fields[5].type.optional);
  EXPECT_EQ(a.fields[6].name + " " + a.fields[6].path, "deep.er.b deep.er.b");
  EXPECT_EQ(a.id, (std::vector<int32_t>{0, 6}));
  EXPECT_EQ(a.unique, (std::vector<std::vector<int32_t>>{{0}, {0, 2}}));
  EXPECT_EQ(a.dark_after, 5);
  EXPECT_EQ(a.accept, kDay);
  ASSERT_EQ(schema.streams.size(), 3U);
  EXPECT_EQ(schema.streams[1].name, "w") << "a view stands behind its source";
  EXPECT_EQ(schema.streams[2].root, 0);
  EXPECT_EQ(schema.streams[2].select->op, Op::op_and) << "the conditions of both views";
  EXPECT_EQ(names_of(schema.tables.at(0).columns),
            (std::vector<std::string>{"k", "effective_from", "effective_to", "recorded_at"}));
}

TEST(Load, ReadsFoldersAndLeavesTestsOut) {
  Sources sources;
  Diagnostics diagnostics;
  const Bundle bundle = load_bundle({language_folder()}, sources, diagnostics);
  EXPECT_EQ(diagnostics.all().size(), 0U);
  EXPECT_EQ(bundle.rules.size(), 12U);
  EXPECT_TRUE(bundle.schema.lists.at(0).values.contains("4112"));
}

TEST(Load, SaysWhichFileCannotBeRead) {
  Sources sources;
  Diagnostics diagnostics;
  load_bundle({"nothing/here.yaml"}, sources, diagnostics);
  ASSERT_EQ(diagnostics.all().size(), 1U);
  EXPECT_EQ(diagnostics.all()[0].code, "E006");
  EXPECT_TRUE(render(diagnostics.all()[0], sources).contains("nothing/here.yaml"));
}

TEST(Load, ThePaymentsPackIsWithoutMistake) {
  Sources sources;
  Diagnostics diagnostics;
  load_bundle({std::string(TILLWATCH_SOURCE_DIR) + "/rules/packs/payments"}, sources, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) ADD_FAILURE() << render(diagnostic, sources);
}

// Seeded; TILLWATCH_SEED and TILLWATCH_MUTATIONS in the environment repeat and lengthen it.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  std::string mutated(std::string text) {
    constexpr std::string_view kSigns = "{}[]()&*:,-|>'\"%@`!?\n \t#.=<\\0a\xe9\xff";
    for (size_t times = 1 + below(4); times > 0 && !text.empty(); --times) {
      const size_t at = below(text.size());
      const size_t length = std::min(below(12), text.size() - at);
      switch (below(5)) {
        case 0:
          text.erase(at, length);
          break;
        case 1:
          text.insert(at, 1, kSigns[below(kSigns.size())]);
          break;
        case 2:
          text[at] = static_cast<char>(below(256));
          break;
        case 3:
          text.insert(below(text.size()), text.substr(at, length));
          break;
        default:
          text.resize(at);
      }
    }
    return text;
  }
  std::string noise() {
    std::string text(below(200), ' ');
    for (char& sign : text) sign = static_cast<char>(below(256));
    return text;
  }
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

 private:
  std::mt19937_64 random_;
};

uint64_t from_environment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

TEST(Load, NoTextCrashesIt) {
  const uint64_t seed = from_environment("TILLWATCH_SEED", std::random_device{}());
  const uint64_t rounds = from_environment("TILLWATCH_MUTATIONS", 150);
  Mutator mutator(seed);
  const Texts core = core_texts();
  for (uint64_t round = 0; round < rounds; ++round) {
    Texts files = core;
    auto& [name, text] = files[mutator.below(files.size())];
    text = mutator.below(10) == 0 ? mutator.noise() : mutator.mutated(text);
    const Loaded loaded(files);
    for (const Diagnostic& diagnostic : loaded.diagnostics.all()) {
      ASSERT_FALSE(render(diagnostic, loaded.sources).empty());
      ASSERT_TRUE(diagnostic.span.file < static_cast<int32_t>(loaded.sources.size()))
          << "TILLWATCH_SEED=" << seed << " round " << round;
    }
  }
}

}  // namespace
}  // namespace tillwatch::rules
