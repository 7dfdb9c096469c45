// What a file of cases may say of tables and arrays, and where its mistakes are.
#include "engine/rule_case.h"

#include <gtest/gtest.h>

#include "tests/rules/language_fixture.h"

namespace tillwatch::engine {
namespace {

constexpr const char* kSchema = R"(streams:
  bill: {topic: bills, time: posted_at, id: number, fields: {number: string, posted_at: time, shop: string}}
  fee:
    from: bill
    each: fees
    fields:
      kind: string
      charge: money(minor, CNY)
      rate: decimal?
    computed: {dear: charge > 100}
  note:
    from: bill
    each: about.notes
    fields:
      note: string @ "."
tables:
  shops: {topic: shops, key: [shop], columns: {shop: string}}
  outages: {derived: true, key: [shop], columns: {shop: string, bad: int}}
)";

struct Read {
  explicit Read(const std::string& text) {
    rules::Diagnostics of_schema;
    bundle = rules::load_bundle_texts({{"schema.yaml", kSchema}}, sources, of_schema);
    EXPECT_EQ(of_schema.errors(), 0u);
    yaml = rules::read_yaml(sources.add("tried.test.yaml", text), sources, diagnostics);
    cases = read_rule_cases(yaml, "tried", bundle.schema, diagnostics);
  }
  std::string messages() const {
    std::string all;
    for (const rules::Diagnostic& each : diagnostics.all()) all += rules::render(each, sources) + "\n";
    return all;
  }
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::Bundle bundle;
  rules::YamlFile yaml;
  RuleCaseFile cases;
};

TEST(RuleCase, RowsOfATableThatRulesMakeAreRefusedWhereTheyStand) {
  const Read read(
      "tables:\n  shops: [{shop: S}]\n  outages: [{shop: S, bad: 1}]\ncases:\n  - name: one\n    tables: {outages: [{shop: "
      "S}]}\n"
      "    given:\n      - {at: \"10:00\", table: outages, row: {shop: S, bad: 1}}\n    expect: []\n");
  EXPECT_EQ(
      read.messages(),
      "error[E085]: the rows of `outages` are made by rules\n --> tried.test.yaml:3:3\n  |\n3 |   outages: [{shop: S, bad: "
      "1}]\n"
      "  |   ^^^^^^^ no topic to read them from\n  = help: give the events that let those rules raise an alert, and name the "
      "rules "
      "in `rules:`\n\n"
      "error[E085]: the rows of `outages` are made by rules\n --> tried.test.yaml:6:14\n  |\n6 |     tables: {outages: [{shop: "
      "S}]}\n  |              ^^^^^^^ no topic to read them from\n  = help: give the events that let those rules raise an "
      "alert, "
      "and name the rules in `rules:`\n\n"
      "error[E085]: the rows of `outages` are made by rules\n --> tried.test.yaml:8:30\n  |\n8 |       - {at: \"10:00\", "
      "table: "
      "outages, row: {shop: S, bad: 1}}\n  |                              ^^^^^^^ no topic to read them from\n  = help: give "
      "the events that let those rules raise an alert, and name the rules in `rules:`\n\n");
  ASSERT_EQ(read.cases.cases.size(), 1u);
  EXPECT_EQ(read.cases.cases[0].steps.size(), 1u) << "the row of the table with a topic";
}

TEST(RuleCase, AnArrayIsWrittenWithTheFieldsOfItsView) {
  const Read read(
      "cases:\n  - name: one\n    given:\n      - {at: \"10:00\", bill: {number: B, fees: [{kind: A, charge: 250}, {rate: "
      "1.5}], "
      "about: {notes: [x, \"y\"]}}}\n    expect: []\n");
  ASSERT_EQ(read.messages(), "");
  const std::string& json = read.cases.cases.at(0).steps.at(0).json;
  EXPECT_TRUE(
      json.ends_with(R"("fees":[{"kind":"A","minor":250},{"kind":"","minor":0,"rate":1.5}],"about":{"notes":["x","y"]}})"))
      << json;
}

TEST(RuleCase, AnElementHasNoOtherFields) {
  const Read read(
      "cases:\n  - name: one\n    given:\n      - {at: \"10:00\", bill: {fees: [{kind: A, dear: true}]}}\n      - {at: "
      "\"10:01\", "
      "bill: {fees: {kind: A}}}\n    expect: []\n");
  EXPECT_EQ(read.diagnostics.all().size(), 2u) << read.messages();
  EXPECT_EQ(read.diagnostics.all()[0].message, "`fees` of the view `fee` has no field `dear`");
  EXPECT_EQ(read.diagnostics.all()[0].span.line, 4);
  EXPECT_EQ(read.diagnostics.all()[1].code, "E081");
}

}  // namespace
}  // namespace tillwatch::engine
