// Every function's example holds, read by the real parser and checker.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>

#include "rules/language/load.h"
#include "rules/program/functions.h"
#include "rules/program/geo.h"
#include "rules/program/program.h"
#include "rules/tariff.h"

namespace tillwatch::rules {
namespace {

constexpr std::string_view kSchema = R"(streams:
  sale:
    topic: sales
    time: sold_at
    id: event_id
    fields:
      event_id: string
      sold_at: time
      amount: money(amount_minor, currency)
      charged: money(charged_minor, currency)
      products: tariff
      here: geo
      there: geo
)";

std::string rule_of(size_t number, std::string_view example) {
  return fmt::format(R"(rule: example-{}
version: 1
title: {{en: Example, zh: 例}}
doc: A function's example.
on: sale as s
where: >-
  {}
key: [event_id]
severity: info
message: {{en: "s", zh: "s"}}
)",
                     number, example);
}

// The event that functions.h describes.
std::vector<Value> example_event(const std::string& tariff) {
  const Value here = Value::of_geo(231'291'000, 1'132'644'000, CoordinateSystem::wgs84, 200);
  const Position on_map = gcj02_of_wgs84(wgs84_position(here));
  return {Value::of_text("E1"),
          Value::of_time(0),
          Value::of_money(128'50, 156),
          Value::of_money(77, 156),
          Value::of_bytes(ValueKind::tariff, tariff),
          here,
          Value::of_geo(static_cast<int32_t>(std::lround(on_map.latitude * 1e7)),
                        static_cast<int32_t>(std::lround(on_map.longitude * 1e7)), CoordinateSystem::gcj02,
                        Value::kUnknownAccuracy)};
}

TEST(FunctionExamplesTest, EveryExampleHolds) {
  std::vector<std::pair<std::string, std::string>> files = {{"schema.yaml", std::string(kSchema)}};
  for (size_t i = 0; i < functions().size(); ++i) {
    files.emplace_back(fmt::format("{}.yaml", functions()[i].name), rule_of(i, functions()[i].example));
  }
  Sources sources;
  Diagnostics diagnostics;
  const Bundle bundle = load_bundle_texts(files, sources, diagnostics);
  for (const Diagnostic& each : diagnostics.all()) {
    if (each.level == Diagnostic::Level::error) ADD_FAILURE() << render(each, sources);
  }
  ASSERT_EQ(diagnostics.errors(), 0u);
  ASSERT_EQ(bundle.rules.size(), functions().size());

  const TariffProduct products[] = {{.card_type = "credit", .rate_ppm = 6'000},
                                    {.card_type = "debit", .rate_ppm = 5'000, .cap_minor = 2'000}};
  const std::string tariff = encode_tariff(products);
  const std::vector<Value> event = example_event(tariff);
  ASSERT_EQ(event.size(), bundle.schema.streams[0].fields.size());
  RowShapes shapes;
  shapes.position = [](int, int field) { return field; };
  Arena arena;
  Environment environment;
  environment.arena = &arena;
  environment.candidate = {.slots = event.data()};
  environment.bound[kTrigger] = environment.candidate;
  for (const CheckedRule& rule : bundle.rules) {
    ASSERT_NE(rule.where, nullptr);
    const Program program = Program::compile(*rule.where, bundle.schema, shapes);
    EXPECT_TRUE(program.holds(environment)) << rule.source_text << program.disassemble();
  }
}

}  // namespace
}  // namespace tillwatch::rules
