#include "engine/config_section.h"

namespace tillwatch::engine {
namespace {

class Substitution {
 public:
  Substitution(const Environment& environment, rules::Diagnostics& diagnostics)
      : environment_(environment), diagnostics_(diagnostics) {}

  void apply(rules::YamlFile& file) {
    for (rules::YamlNode& node : file.nodes) {
      if (node.shape == rules::YamlNode::Shape::scalar && node.text.find("${") != std::string::npos) node.text = replaced(node);
    }
  }

 private:
  std::string replaced(const rules::YamlNode& node) {
    std::string result;
    std::string_view rest = node.text;
    for (size_t at; (at = rest.find("${")) != std::string_view::npos;) {
      const bool is_escaped = at > 0 && rest[at - 1] == '$';
      const size_t end = rest.find('}', at);
      if (is_escaped || end == std::string_view::npos) {
        if (!is_escaped) {
          diagnostics_.error(kNoVariable, "a `${` without its `}`", node.span).helps.push_back("write `$${` for a plain `${`");
        }
        result += rest.substr(0, is_escaped ? at - 1 : at);
        result += "${";
        rest.remove_prefix(at + 2);
        continue;
      }
      result += rest.substr(0, at);
      result += variable(std::string(rest.substr(at + 2, end - at - 2)), node);
      rest.remove_prefix(end + 1);
    }
    return result += rest;
  }

  std::string variable(const std::string& name, const rules::YamlNode& node) {
    const char* const value = name.empty() ? nullptr : environment_(name.c_str());
    if (value != nullptr) return value;
    diagnostics_.error(kNoVariable, fmt::format("the environment variable `{}` is not set", name), node.span)
        .helps.push_back(fmt::format("set it: {}=… tillwatch run …; a plain `${{` is written `$${{`", name));
    return fmt::format("${{{}}}", name);  // so that the value does not count as empty too
  }

  const Environment& environment_;
  rules::Diagnostics& diagnostics_;
};

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<uint64_t> number = parse_number<uint64_t>(text.substr(0, digits));
  std::string unit(text.substr(digits));
  std::erase_if(unit, [](char c) { return c == ' ' || c == 'i'; });
  const size_t power = std::string_view(" KMG").find(unit.size() == 2 && unit[1] == 'B' ? unit[0] : ' ');
  if (!number || power == std::string_view::npos || (power == 0 && !unit.empty() && unit != "B")) return std::nullopt;
  const uint64_t scale = uint64_t{1} << (10 * power);
  uint64_t size = 0;
  return __builtin_mul_overflow(*number, scale, &size) ? std::nullopt : std::optional(size);
}

std::optional<DurationMs> parse_utc_offset(std::string_view text) {
  const std::optional<TimeMs> epoch = parse_rfc3339("1970-01-01T00:00:00" + std::string(text));
  return epoch ? std::optional(-*epoch) : std::nullopt;
}

void substitute_environment(rules::YamlFile& file, const Environment& environment, rules::Diagnostics& diagnostics) {
  Substitution(environment, diagnostics).apply(file);
}

}  // namespace tillwatch::engine
