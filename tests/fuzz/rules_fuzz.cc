// Any text as a file of the language: reported or taken, never a crash, a hang or a check that fails. The first byte says what
// it is read as, and what is loaded is compiled, printed in the one layout and read again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/config.h"
#include "engine/rule_case.h"
#include "rules/language/yaml.h"
#include "rules/language/yaml_format.h"
#include "rules/runtime/compiled_rule.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch {
namespace {

const rules::Texts& schema() {
  static const rules::Texts texts = rules::schema_texts();
  return texts;
}

void as_rules(const std::string& text) {
  rules::Texts files = schema();
  files.emplace_back("fuzzed.yaml", text);
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::Bundle bundle = rules::load_bundle_texts(files, sources, diagnostics);
  if (diagnostics.errors() == 0) rules::compile_bundle(std::move(bundle), {}, diagnostics);
}

void as_schema(const std::string& text) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  rules::load_bundle_texts({{"schema.yaml", text}}, sources, diagnostics);
}

void as_cases(const std::string& text) {
  static rules::Sources schema_sources;
  static rules::Diagnostics schema_diagnostics;
  static const rules::Bundle bundle = rules::load_bundle_texts(schema(), schema_sources, schema_diagnostics);
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const rules::YamlFile file = rules::read_yaml(sources.add("fuzzed.test.yaml", text), sources, diagnostics);
  engine::read_rule_cases(file, "fuzzed", bundle.schema, diagnostics);
}

void as_config(const std::string& text) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const auto nothing_set = [](const char*) -> const char* { return nullptr; };
  engine::read_config_text("fuzzed.yaml", text, ".", nothing_set, sources, diagnostics);
}

void as_layout(const std::string& text) {
  rules::Sources sources;
  rules::Diagnostics diagnostics;
  const std::string once = rules::format_yaml(sources.add("fuzzed.yaml", text), sources, diagnostics);
  if (diagnostics.errors() > 0) return;
  const std::string twice = rules::format_yaml(sources.add("again.yaml", once), sources, diagnostics);
  if (once != twice) std::abort();
}

}  // namespace
}  // namespace tillwatch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tillwatch;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      as_schema(text);
      break;
    case 1:
      as_cases(text);
      break;
    case 2:
      as_config(text);
      break;
    case 3:
      as_layout(text);
      break;
    default:  // any letter a rule file begins with, more or less
      as_rules(text);
      break;
  }
  return 0;
}
