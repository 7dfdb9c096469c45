#include "rules/language/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <unordered_map>

#include "engine/base/status.h"

namespace tillwatch::rules {

const YamlNode* YamlNode::find(std::string_view key) const {
  for (size_t index = 0; index < keys.size(); ++index) {
    if (keys[index]->text == key) return values[index];
  }
  return nullptr;
}

bool is_utf8(std::string_view text, size_t& bad_at) {
  for (size_t at = 0; at < text.size();) {
    bad_at = at;
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == 0) return false;
    const size_t bytes = byte < 0x80                     ? 1
                         : (byte >= 0xc2 && byte < 0xe0) ? 2
                         : (byte & 0xf0U) == 0xe0        ? 3
                         : (byte >= 0xf0 && byte < 0xf5) ? 4
                                                         : 0;
    if (bytes == 0 || at + bytes > text.size()) return false;
    uint32_t value = bytes == 1 ? byte : byte & (0xffU >> (bytes + 1));
    for (size_t next = 1; next < bytes; ++next) {
      const auto more = static_cast<unsigned char>(text[at + next]);
      if ((more & 0xc0U) != 0x80U) return false;
      value = (value << 6) | (more & 0x3fU);
    }
    const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
    if (overlong || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff) return false;
    at += bytes;
  }
  return true;
}

namespace {

// One event of libyaml, freed with the object.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { clear(); }
  bool next(yaml_parser_t& parser) {
    clear();
    filled_ = yaml_parser_parse(&parser, &event_) != 0;
    return filled_;
  }
  const yaml_event_t& get() const { return event_; }

 private:
  void clear() {
    if (filled_) yaml_event_delete(&event_);
    filled_ = false;
  }
  yaml_event_t event_ = {};
  bool filled_ = false;
};

using KeysByText = std::unordered_map<std::string_view, const YamlNode*>;
using Anchors = std::unordered_map<std::string, const YamlNode*>;  // null: begun, not yet complete

std::string text_of(const yaml_char_t* text) { return text == nullptr ? "" : reinterpret_cast<const char*>(text); }

// Reads the documents between two `---` lines. Stops at the first mistake.
class DocumentReader {
 public:
  DocumentReader(int32_t file, size_t begin, size_t end, const Sources& sources, Diagnostics& diagnostics, Anchors& anchors,
                 YamlFile& result)
      : file_(file), sources_(sources), diagnostics_(diagnostics), anchors_(anchors), result_(result) {
    const std::string_view text = std::string_view(sources.text(file)).substr(begin, end - begin);
    for (size_t at = 0; at < text.size(); ++at) {
      if ((static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U) byte_of_character_.push_back(begin + at);
    }
    byte_of_character_.push_back(end);
    TILLWATCH_CHECK(yaml_parser_initialize(&parser_) != 0);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const yaml_char_t*>(text.data()), text.size());
  }
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;
  ~DocumentReader() { yaml_parser_delete(&parser_); }

  void read() {
    while (next()) {
      const yaml_event_type_t type = event_.get().type;
      if (type == YAML_STREAM_END_EVENT) return;
      if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT) continue;
      const YamlNode* node = read_node(1);
      if (node == nullptr) return;
      const bool empty = node->shape == YamlNode::Shape::scalar && node->text.empty();
      if (!empty) result_.documents.push_back(node);
    }
  }

 private:
  // Each returns null (false) after it has reported what is wrong.
  bool next();
  const YamlNode* read_node(size_t depth);
  const YamlNode* read_scalar();
  const YamlNode* read_alias();
  const YamlNode* read_collection(size_t depth);
  bool read_item(YamlNode& node, size_t depth);
  bool read_pair(YamlNode& node, size_t depth, KeysByText& seen);
  YamlNode* make(YamlNode::Shape shape);
  bool adopt(YamlNode& parent, const YamlNode* child);
  void report_duplicate(const YamlNode& first, const YamlNode& second);

  size_t offset(const yaml_mark_t& mark) const {
    return byte_of_character_[std::min(mark.index, byte_of_character_.size() - 1)];
  }
  Span here() const { return sources_.span(file_, offset(event_.get().start_mark), offset(event_.get().end_mark)); }

  int32_t file_;
  const Sources& sources_;
  Diagnostics& diagnostics_;
  Anchors& anchors_;
  YamlFile& result_;
  std::vector<size_t> byte_of_character_;  // libyaml counts characters
  yaml_parser_t parser_ = {};
  Event event_;
};

bool DocumentReader::next() {
  if (event_.next(parser_)) return true;
  const yaml_mark_t& mark = parser_.problem_mark.index > 0 ? parser_.problem_mark : parser_.mark;
  const size_t at = offset(mark);
  std::string problem = parser_.problem == nullptr ? "unknown problem" : parser_.problem;
  if (parser_.context != nullptr) problem += std::string(" (") + parser_.context + ")";
  Diagnostic& error = diagnostics_.error("E001", "this is not valid YAML: " + problem, sources_.span(file_, at, at + 1));
  error.helps.push_back("a value with `: `, ` #`, or a leading `[`, `{`, `*`, `&`, `%` or quote stands in quotes");
  return false;
}

const YamlNode* DocumentReader::read_node(size_t depth) {
  if (depth > YamlLimits::kDepth) {
    diagnostics_.error("E007", "this is nested more than " + std::to_string(YamlLimits::kDepth) + " levels deep", here());
    return nullptr;
  }
  if (result_.nodes.size() >= YamlLimits::kNodes) {
    diagnostics_.error("E007", "this file has more than " + std::to_string(YamlLimits::kNodes) + " YAML nodes", here())
        .helps.push_back("split it into several files");
    return nullptr;
  }
  switch (event_.get().type) {
    case YAML_ALIAS_EVENT:
      return read_alias();
    case YAML_SCALAR_EVENT:
      return read_scalar();
    default:
      return read_collection(depth);
  }
}

YamlNode* DocumentReader::make(YamlNode::Shape shape) {
  YamlNode& node = result_.nodes.emplace_back();
  node.shape = shape;
  node.begin = offset(event_.get().start_mark);
  node.end = offset(event_.get().end_mark);
  node.span = here();
  return &node;
}

const YamlNode* DocumentReader::read_scalar() {
  YamlNode* node = make(YamlNode::Shape::scalar);
  const auto& scalar = event_.get().data.scalar;
  if (scalar.tag != nullptr) {
    diagnostics_.error("E008", "YAML tags (`" + text_of(scalar.tag) + "`) are not used here", node->span, "take the tag away");
    return nullptr;
  }
  node->text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
  node->expanded = 1 + node->text.size() / 64;
  switch (scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
      node->style = YamlNode::Style::single_quoted;
      break;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
      node->style = YamlNode::Style::double_quoted;
      break;
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE:
      node->style = YamlNode::Style::block;
      break;
    default:
      node->style = YamlNode::Style::plain;
  }
  if (scalar.anchor != nullptr) anchors_[text_of(scalar.anchor)] = node;
  // The mark of an anchored scalar begins at its `&name`.
  const std::string_view written = std::string_view(sources_.text(file_)).substr(node->begin, node->end - node->begin);
  if (scalar.anchor != nullptr && written.starts_with('&')) {
    const size_t gap = written.find_first_of(" \t\r\n");
    const size_t value = gap == std::string_view::npos ? written.size() : written.find_first_not_of(" \t\r\n", gap);
    node->begin += value == std::string_view::npos ? written.size() : value;
    node->span = sources_.span(file_, node->begin, node->end);
  }
  return node;
}

const YamlNode* DocumentReader::read_alias() {
  const std::string name = text_of(event_.get().data.alias.anchor);
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) {
    diagnostics_.error("E008", "there is no anchor `&" + name + "` above this alias", here(), "unknown alias")
        .helps.push_back("an alias repeats what was marked with `&" + name + "` earlier in the same file");
    return nullptr;
  }
  if (found->second == nullptr) {
    diagnostics_.error("E008", "the alias `*" + name + "` stands inside its own anchor", here(), "this would never end");
    return nullptr;
  }
  return found->second;
}

const YamlNode* DocumentReader::read_collection(size_t depth) {
  const bool mapping = event_.get().type == YAML_MAPPING_START_EVENT;
  YamlNode* node = make(mapping ? YamlNode::Shape::mapping : YamlNode::Shape::sequence);
  const yaml_char_t* tag = mapping ? event_.get().data.mapping_start.tag : event_.get().data.sequence_start.tag;
  const std::string anchor =
      text_of(mapping ? event_.get().data.mapping_start.anchor : event_.get().data.sequence_start.anchor);
  if (tag != nullptr) {
    diagnostics_.error("E008", "YAML tags (`" + text_of(tag) + "`) are not used here", node->span, "take the tag away");
    return nullptr;
  }
  if (!anchor.empty()) anchors_[anchor] = nullptr;
  const yaml_event_type_t stop = mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
  KeysByText seen;
  while (true) {
    if (!next()) return nullptr;
    if (event_.get().type == stop) break;
    if (!(mapping ? read_pair(*node, depth, seen) : read_item(*node, depth))) return nullptr;
  }
  node->end = std::max(node->end, offset(event_.get().end_mark));
  node->span = sources_.span(file_, node->begin, node->end);
  if (!anchor.empty()) anchors_[anchor] = node;
  return node;
}

bool DocumentReader::read_item(YamlNode& node, size_t depth) {
  const YamlNode* item = read_node(depth + 1);
  if (!adopt(node, item)) return false;
  node.values.push_back(item);
  return true;
}

bool DocumentReader::read_pair(YamlNode& node, size_t depth, KeysByText& seen) {
  const YamlNode* key = read_node(depth + 1);
  if (!adopt(node, key)) return false;
  if (key->shape != YamlNode::Shape::scalar) {
    diagnostics_.error("E005", "a key is plain text", key->span, "this is a list or a mapping");
    return false;
  }
  if (!next()) return false;
  const YamlNode* value = read_node(depth + 1);
  if (!adopt(node, value)) return false;
  const auto [first, is_new] = seen.emplace(key->text, key);
  if (!is_new) {
    report_duplicate(*first->second, *key);
    return true;  // the first one counts; go on and find what else is wrong
  }
  node.keys.push_back(key);
  node.values.push_back(value);
  return true;
}

void DocumentReader::report_duplicate(const YamlNode& first, const YamlNode& second) {
  diagnostics_.error("E002", "`" + second.text + "` is given twice", second.span, "second one here")
      .notes.push_back("first one at line " + std::to_string(first.span.line));
}

bool DocumentReader::adopt(YamlNode& parent, const YamlNode* child) {
  if (child == nullptr) return false;
  parent.expanded += child->expanded;
  if (parent.expanded <= YamlLimits::kExpanded) return true;
  diagnostics_.error("E007", "the aliases of this file stand for more than " + std::to_string(YamlLimits::kExpanded) + " nodes",
                     here(), "too much is repeated");
  return false;
}

// The offsets at which documents begin: a line that starts with `---` begins one, whatever stands around it.
std::vector<size_t> document_starts(std::string_view text) {
  std::vector<size_t> starts = {0};
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const bool mark = rest.starts_with("---") && (rest.size() == 3 || std::string_view(" \t\r\n").contains(rest[3]));
    if (mark && at > 0) starts.push_back(at);
    const size_t line_end = text.find('\n', at);
    if (line_end == std::string_view::npos) break;
    at = line_end + 1;
  }
  return starts;
}

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char sign : text) {
    if (sign == '"' || sign == '\\') out += '\\';
    out += sign;
  }
  out += '"';
}

void append_canonical(const YamlNode& node, std::string& out) {
  if (node.shape == YamlNode::Shape::scalar) return append_quoted(node.text, out);
  const bool mapping = node.shape == YamlNode::Shape::mapping;
  out += mapping ? '{' : '[';
  for (size_t index = 0; index < node.values.size(); ++index) {
    if (index > 0) out += ',';
    if (mapping) {
      append_quoted(node.keys[index]->text, out);
      out += ':';
    }
    append_canonical(*node.values[index], out);
  }
  out += mapping ? '}' : ']';
}

}  // namespace

YamlFile read_yaml(int32_t file, const Sources& sources, Diagnostics& diagnostics) {
  YamlFile result;
  const std::string& text = sources.text(file);
  if (text.size() > YamlLimits::kFileBytes) {
    diagnostics
        .error("E007", "this file is larger than " + std::to_string(YamlLimits::kFileBytes >> 20) + " MiB",
               sources.span(file, 0, 1))
        .helps.push_back("split it; long lists belong in list files");
    return result;
  }
  size_t bad_at = 0;
  if (!is_utf8(text, bad_at)) {
    diagnostics
        .error("E006", "this file is not UTF-8 text (byte " + std::to_string(bad_at + 1) + ")",
               sources.span(file, bad_at, bad_at + 1), "this byte cannot be read")
        .helps.push_back("save the file as UTF-8 without NUL bytes");
    return result;
  }
  Anchors anchors;
  const std::vector<size_t> starts = document_starts(text);
  for (size_t index = 0; index < starts.size(); ++index) {
    const size_t end = index + 1 < starts.size() ? starts[index + 1] : text.size();
    DocumentReader(file, starts[index], end, sources, diagnostics, anchors, result).read();
  }
  return result;
}

std::string canonical_text(const YamlNode& node) {
  std::string out;
  append_canonical(node, out);
  return out;
}

}  // namespace tillwatch::rules
