// YAML as the language reads it: raw scalars with exact places, aliases within a file, nothing guessed about types.
// The only place that knows libyaml.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "rules/language/diagnostics.h"

namespace tillwatch::rules {

struct YamlNode {
  enum class Shape : uint8_t { scalar, sequence, mapping };
  enum class Style : uint8_t { plain, single_quoted, double_quoted, block };

  Shape shape = Shape::scalar;
  Style style = Style::plain;
  std::string text;                     // scalar: decoded
  std::vector<const YamlNode*> keys;    // mapping: scalars, no two the same
  std::vector<const YamlNode*> values;  // mapping: one a key; sequence: the items
  size_t begin = 0, end = 0;            // bytes in the file; for a node met through an alias: where it was written first
  size_t expanded = 1;                  // size with aliases counted in full: nodes, and one more per 64 bytes of text
  Span span;

  const YamlNode* find(std::string_view key) const;  // null: not there
};

// The documents of one file. Owns the nodes.
struct YamlFile {
  std::deque<YamlNode> nodes;
  std::vector<const YamlNode*> documents;  // empty ones left out
};

struct YamlLimits {
  static constexpr size_t kFileBytes = 4 << 20;
  static constexpr size_t kDepth = 32;
  static constexpr size_t kNodes = 200'000;     // written in one file
  static constexpr size_t kExpanded = 400'000;  // counting every alias in full
};

// Reads file `file` of `sources`. Each document is read for itself, so a mistake in one does not hide the others.
YamlFile read_yaml(int32_t file, const Sources& sources, Diagnostics& diagnostics);

// One canonical text for a node, aliases followed and layout and comments dropped: what a rule's hash is taken of.
std::string canonical_text(const YamlNode& node);

// Whether `text` is UTF-8 without NUL; `bad_at` is the first offending byte.
bool is_utf8(std::string_view text, size_t& bad_at);

}  // namespace tillwatch::rules
