// Pieces of the configuration's reader: typed values of one mapping, and the environment in them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/time.h"
#include "engine/config.h"
#include "rules/language/mapping_reader.h"
#include "rules/language/yaml.h"

namespace tillwatch::engine {

// Codes of the configuration's diagnostics.
inline constexpr const char* kBadValue = "C001";
inline constexpr const char* kNoVariable = "C002";
inline constexpr const char* kContradiction = "C003";
inline constexpr const char* kNoFile = "C005";

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// "256MB", "1 GiB", "1048576": powers of 1024 either way.
std::optional<uint64_t> parse_size(std::string_view text);

// "+08:00", "Z".
std::optional<DurationMs> parse_utc_offset(std::string_view text);

// Replaces each ${NAME} in the scalars of `file`; `$${` becomes `${`.
void substitute_environment(rules::YamlFile& file, const Environment& environment, rules::Diagnostics& diagnostics);

// One mapping of the file. Each reader leaves the default when the key is not there, and reports a value that will not do.
class Section {
 public:
  template <class T>
  using Names = std::initializer_list<std::pair<std::string_view, T>>;

  // `name` as it stands in the file; empty for the file as a whole.
  Section(const rules::YamlNode& node, const std::string& name, std::initializer_list<std::string_view> keys,
          rules::Diagnostics& diagnostics)
      : reader_(node, name.empty() ? "the configuration" : "`" + name + "`", keys, diagnostics),
        prefix_(name.empty() ? name : name + "."),
        diagnostics_(diagnostics) {}

  const rules::MappingReader& reader() const { return reader_; }
  const rules::YamlNode* get(std::string_view key) const { return reader_.get(key); }

  void text(std::string_view key, std::string& value) const {
    if (const rules::YamlNode* node = reader_.scalar(key)) value = node->text;
  }
  template <class T>
  void whole(std::string_view key, T low, T high, T& value) const {
    const std::string wanted = fmt::format("a whole number from {} to {}", low, high);
    read(key, wanted, value, [&](const std::string& text) {
      const std::optional<T> number = parse_number<T>(text);
      return number && *number >= low && *number <= high ? number : std::nullopt;
    });
  }
  void number(std::string_view key, double high, double& value) const {
    read(key, fmt::format("a number from 0 to {}", high), value, [&](const std::string& text) {
      const std::optional<double> number = parse_number<double>(text);
      return number && *number >= 0 && *number <= high ? number : std::nullopt;
    });
  }
  void boolean(std::string_view key, bool& value) const { choice<bool>(key, {{"true", true}, {"false", false}}, value); }
  void duration(std::string_view key, DurationMs low, DurationMs high, DurationMs& value) const {
    const std::string wanted =
        fmt::format("a duration from {} to {}, such as 30ms, 90s, 5m, 1d", format_duration(low), format_duration(high));
    read(key, wanted, value, [&](const std::string& text) {
      const std::optional<DurationMs> duration = parse_duration(text);
      return duration && *duration >= low && *duration <= high ? duration : std::nullopt;
    });
  }
  template <class T>
  void choice(std::string_view key, Names<T> names, T& value) const {
    std::string wanted;
    for (const auto& [name, meaning] : names) wanted += fmt::format("{}`{}`", wanted.empty() ? "" : " or ", name);
    read(key, wanted, value, [&](const std::string& text) {
      const auto* const found = std::ranges::find(names, std::string_view(text), &std::pair<std::string_view, T>::first);
      return found == names.end() ? std::nullopt : std::optional<T>(found->second);
    });
  }
  // `parse` gives an optional value for the text of a scalar.
  template <class T, class Parse>
  void read(std::string_view key, std::string_view wanted, T& value, Parse parse) const {
    const rules::YamlNode* const node = reader_.scalar(key);
    if (node == nullptr) return;
    if (auto parsed = parse(node->text)) {
      value = std::move(*parsed);
    } else {
      wrong(*node, key, wanted);
    }
  }
  // The value itself is not quoted: it may have come from the environment.
  void wrong(const rules::YamlNode& node, std::string_view key, std::string_view wanted) const {
    diagnostics_.error(kBadValue, fmt::format("`{}{}` needs {}", prefix_, key, wanted), node.span, "not that");
  }

 private:
  rules::MappingReader reader_;
  std::string prefix_;
  rules::Diagnostics& diagnostics_;
};

}  // namespace tillwatch::engine
