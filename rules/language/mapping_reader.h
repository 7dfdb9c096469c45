// Keys of a YAML mapping: known ones are handed out, unknown ones and wrong shapes are reported.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "rules/language/diagnostics.h"
#include "rules/language/yaml.h"

namespace tillwatch::rules {

class MappingReader {
 public:
  // `what` names the thing in messages: "a rule". Keys outside `known` are reported; so is a node that is no mapping (then
  // every key is missing).
  MappingReader(const YamlNode& node, std::string what, std::initializer_list<std::string_view> known,
                Diagnostics& diagnostics);

  bool is_mapping() const { return is_mapping_; }
  const YamlNode& node() const { return node_; }
  const YamlNode* get(std::string_view key) const;  // null: not there
  // Null when not there, which is reported; `help` says what to write.
  const YamlNode* need(std::string_view key, std::string_view help = "") const;
  // A scalar with text in it; null when not there or of another shape, which is reported.
  const YamlNode* scalar(std::string_view key) const;
  const YamlNode* need_scalar(std::string_view key, std::string_view help = "") const;
  Span key_span(std::string_view key) const;  // of a key that is there
  // Where a missing key is reported: the first key of the mapping.
  Span place() const;

 private:
  const YamlNode& node_;
  std::string what_;
  Diagnostics& diagnostics_;
  bool is_mapping_ = false;
};

// Each reports when the node is of another shape. `what` as in "`key` of a rule".
bool expect_scalar(const YamlNode& node, std::string_view what, Diagnostics& diagnostics);  // with text in it
bool expect_sequence(const YamlNode& node, std::string_view what, Diagnostics& diagnostics);
bool expect_mapping(const YamlNode& node, std::string_view what, Diagnostics& diagnostics);

}  // namespace tillwatch::rules
