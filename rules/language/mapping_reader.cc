#include "rules/language/mapping_reader.h"

#include <algorithm>

#include "rules/language/names.h"

namespace tillwatch::rules {
namespace {

std::string_view shape_name(const YamlNode& node) {
  switch (node.shape) {
    case YamlNode::Shape::scalar:
      return node.text.empty() ? "nothing" : "text";
    case YamlNode::Shape::sequence:
      return "a list";
    case YamlNode::Shape::mapping:
      return "a mapping";
  }
  return "";
}

void report_shape(const YamlNode& node, std::string_view what, std::string_view wanted, Diagnostics& diagnostics) {
  diagnostics.error("E005", std::string(what) + " needs " + std::string(wanted) + ", this is " + std::string(shape_name(node)),
                    node.span);
}

}  // namespace

bool expect_scalar(const YamlNode& node, std::string_view what, Diagnostics& diagnostics) {
  if (node.shape == YamlNode::Shape::scalar && !node.text.empty()) return true;
  report_shape(node, what, "text", diagnostics);
  return false;
}

bool expect_sequence(const YamlNode& node, std::string_view what, Diagnostics& diagnostics) {
  if (node.shape == YamlNode::Shape::sequence) return true;
  report_shape(node, what, "a list", diagnostics);
  return false;
}

bool expect_mapping(const YamlNode& node, std::string_view what, Diagnostics& diagnostics) {
  if (node.shape == YamlNode::Shape::mapping) return true;
  report_shape(node, what, "a mapping (`key: value` lines)", diagnostics);
  return false;
}

MappingReader::MappingReader(const YamlNode& node, std::string what, std::initializer_list<std::string_view> known,
                             Diagnostics& diagnostics)
    : node_(node), what_(std::move(what)), diagnostics_(diagnostics), is_mapping_(expect_mapping(node, what_, diagnostics)) {
  if (!is_mapping_) return;
  for (const YamlNode* key : node.keys) {
    if (std::find(known.begin(), known.end(), key->text) != known.end()) continue;
    Diagnostic& mistake = diagnostics.error("E003", "`" + key->text + "` is not a key of " + what_, key->span, "unknown key");
    if (key->text == "<<") {
      mistake.helps.push_back("merge keys are not used here; an alias stands for a whole value: `where: *name`");
      continue;
    }
    suggest(mistake, key->text, {known.begin(), known.end()}, "keys");
  }
}

const YamlNode* MappingReader::get(std::string_view key) const { return is_mapping_ ? node_.find(key) : nullptr; }

Span MappingReader::place() const { return node_.keys.empty() ? node_.span : node_.keys[0]->span; }

Span MappingReader::key_span(std::string_view key) const {
  for (const YamlNode* one : node_.keys) {
    if (one->text == key) return one->span;
  }
  return node_.span;
}

const YamlNode* MappingReader::need(std::string_view key, std::string_view help) const {
  const YamlNode* value = get(key);
  if (value != nullptr || !is_mapping_) return value;
  Diagnostic& mistake = diagnostics_.error("E004", what_ + " needs `" + std::string(key) + "`", place());
  if (!help.empty()) mistake.helps.emplace_back(help);
  return nullptr;
}

const YamlNode* MappingReader::scalar(std::string_view key) const {
  const YamlNode* value = get(key);
  if (value == nullptr || !expect_scalar(*value, "`" + std::string(key) + "`", diagnostics_)) return nullptr;
  return value;
}

const YamlNode* MappingReader::need_scalar(std::string_view key, std::string_view help) const {
  const YamlNode* value = need(key, help);
  if (value == nullptr || !expect_scalar(*value, "`" + std::string(key) + "`", diagnostics_)) return nullptr;
  return value;
}

}  // namespace tillwatch::rules
