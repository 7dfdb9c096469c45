#include "rules/language/field_types.h"

#include <algorithm>
#include <array>

#include "rules/language/lexer.h"
#include "rules/language/mapping_reader.h"
#include "rules/language/names.h"

namespace tillwatch::rules {
namespace {

struct NamedKind {
  std::string_view name;
  Kind kind;
};
constexpr std::array kKinds = std::to_array<NamedKind>({{"bool", Kind::boolean},
                                                        {"int", Kind::integer},
                                                        {"decimal", Kind::decimal},
                                                        {"money", Kind::money},
                                                        {"string", Kind::string},
                                                        {"enum", Kind::symbol},
                                                        {"time", Kind::time},
                                                        {"duration", Kind::duration},
                                                        {"geo", Kind::geo},
                                                        {"list", Kind::list},
                                                        {"tariff", Kind::tariff}});

bool is_blank(char sign) { return sign == ' ' || sign == '\t' || sign == '\n' || sign == '\r'; }

bool is_currency_code(std::string_view text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), [](char sign) { return sign >= 'A' && sign <= 'Z'; });
}

class TypeReader {
 public:
  TypeReader(const PlacedText& placed, Paths paths, Field& field, std::vector<EnumType>& enums, Diagnostics& diagnostics)
      : placed_(placed), text_(placed.text()), paths_(paths), field_(field), enums_(enums), diagnostics_(diagnostics) {}

  void run() {
    if (kind() && suffixes() && finish()) return;
    field_.type = {};
    field_.type.ref = kBroken;
  }

 private:
  void skip() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool eat(char sign) {
    skip();
    if (at_ >= text_.size() || text_[at_] != sign) return false;
    ++at_;
    return true;
  }
  std::string_view word() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && is_name("a" + std::string(1, text_[at_]))) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  Diagnostic& fail(std::string code, std::string message, size_t begin, size_t end) {
    return diagnostics_.error(std::move(code), std::move(message), placed_.span(begin, std::max(end, begin + 1)));
  }

  bool kind();
  bool arguments(std::vector<std::string_view>& into);
  bool symbol(const std::vector<std::string_view>& values, size_t begin);
  bool money(const std::vector<std::string_view>& values, size_t begin);
  bool suffixes();
  bool path();
  bool finish();

  const PlacedText& placed_;
  std::string_view text_;
  Paths paths_;
  Field& field_;
  std::vector<EnumType>& enums_;
  Diagnostics& diagnostics_;
  size_t at_ = 0;
};

bool TypeReader::kind() {
  skip();
  const size_t begin = at_;
  const std::string name(word());
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const NamedKind& one) { return one.name == name; });
  if (found == kKinds.end()) {
    std::vector<std::string> names;
    for (const NamedKind& one : kKinds) names.emplace_back(one.name);
    const std::string shown = name.empty() ? std::string(text_) : name;
    suggest(fail("E060", "there is no type `" + shown + "`", begin, name.empty() ? text_.size() : at_), shown, names, "types");
    return false;
  }
  field_.type.kind = found->kind;
  std::vector<std::string_view> values;
  const bool bracket = at_ < text_.size() && text_[at_] == '(';
  if (bracket && !arguments(values)) return false;
  if (found->kind == Kind::symbol) return symbol(values, begin);
  if (found->kind == Kind::money) return money(values, begin);
  if (found->kind == Kind::list) {
    if (values.size() == 1 && values[0] == "string") return true;
    fail("E060", "lists hold text: write `list(string)`", begin, at_);
    return false;
  }
  if (!bracket) return true;
  fail("E060", "the type `" + name + "` takes nothing in parentheses", begin, at_);
  return false;
}

bool TypeReader::arguments(std::vector<std::string_view>& into) {
  const size_t open = at_;
  const size_t close = text_.find(')', open);
  if (close == std::string_view::npos) {
    fail("E060", "this type has no closing parenthesis", open, text_.size())
        .helps.push_back("in a mapping in braces a comma ends the value: write the field on a line of its own");
    return false;
  }
  for (size_t begin = open + 1; begin <= close;) {
    const size_t end = std::min(text_.find(',', begin), close);
    std::string_view item = text_.substr(begin, end - begin);
    while (!item.empty() && is_blank(item.front())) item.remove_prefix(1);
    while (!item.empty() && is_blank(item.back())) item.remove_suffix(1);
    into.push_back(item);
    begin = end + 1;
  }
  at_ = close + 1;
  return true;
}

bool TypeReader::symbol(const std::vector<std::string_view>& values, size_t begin) {
  EnumType type;
  for (const std::string_view value : values) {
    if (!is_name(value) || is_reserved(value)) {
      fail("E060", "`" + std::string(value) + "` cannot be a value of an enum", begin, at_)
          .helps.push_back("values are words of letters, digits and underscores; for others declare a string");
      return false;
    }
    if (type.ordinal(value) >= 0) {
      fail("E060", "the value `" + std::string(value) + "` is given twice", begin, at_);
      return false;
    }
    type.names.emplace_back(value);
  }
  if (type.names.empty()) {
    fail("E060", "an enum needs its values: `enum(a, b)`", begin, at_);
    return false;
  }
  if (type.unknown() < 0) type.names.emplace_back("unknown");
  const auto same =
      std::find_if(enums_.begin(), enums_.end(), [&](const EnumType& other) { return other.names == type.names; });
  field_.type.ref = static_cast<int32_t>(same - enums_.begin());
  if (same == enums_.end()) enums_.push_back(std::move(type));
  return true;
}

bool TypeReader::money(const std::vector<std::string_view>& values, size_t begin) {
  if (values.empty()) {
    if (paths_ == Paths::none) return true;
    fail("E061", "money needs the paths of its minor units and its currency", begin, at_)
        .helps.push_back(
            "for example `money(amount_minor, currency)`, or `money(amount_minor, CNY)` where the record has no currency");
    return false;
  }
  constexpr std::string_view kOfRecord = "currency of ";
  const bool of_record = values.size() == 2 && values[1].starts_with(kOfRecord);
  if (values.size() != 2 || !is_path(values[0]) || (!is_path(values[1]) && !of_record)) {
    fail("E061", "money takes two paths: `money(amount_minor, currency)`", begin, at_);
    return false;
  }
  field_.path = std::string(values[0]);
  if (of_record) {
    if (paths_ != Paths::element) {
      fail("E061", "`currency of` names a field of the record, for money in the elements of an array", begin, at_)
          .helps.push_back("give the path of the currency: `money(amount_minor, currency)`");
      return false;
    }
    field_.currency_of = std::string(values[1].substr(kOfRecord.size()));
    return true;
  }
  (is_currency_code(values[1]) ? field_.currency : field_.currency_path) = std::string(values[1]);
  return true;
}

bool TypeReader::suffixes() {
  if (at_ < text_.size() && text_[at_] == '?') {
    ++at_;
    field_.type.optional = true;
  }
  skip();
  const size_t begin = at_;
  if (word() == "pii") {
    field_.type.pii = true;
  } else {
    at_ = begin;
  }
  return !eat('@') || path();
}

bool TypeReader::path() {
  skip();
  const size_t begin = at_;
  const bool quoted = eat('"');
  const size_t close = quoted ? text_.find('"', at_) : std::string_view::npos;
  const std::string_view written = close == std::string_view::npos ? "" : text_.substr(at_, close - at_);
  if (!is_path(written) && !(written == "." && paths_ == Paths::element)) {
    fail("E060", "behind `@` stands the path in the record, in quotes: `@ \"trans.amt\"`", begin, text_.size());
    return false;
  }
  if (field_.type.kind == Kind::money) {
    fail("E061", "the paths of money stand in parentheses: `money(amount_minor, currency)`", begin, close + 1);
    return false;
  }
  field_.path = std::string(written);
  at_ = close + 1;
  return true;
}

bool TypeReader::finish() {
  skip();
  if (at_ >= text_.size()) return true;
  fail("E060", "did not expect `" + std::string(text_.substr(at_)) + "` behind the type", at_, text_.size())
      .notes.push_back("a type is written `TYPE`, `TYPE?`, `TYPE pii` or `TYPE @ \"path\"`");
  return false;
}

void append_fields(const YamlNode& mapping, const std::string& prefix, Paths paths, std::vector<EnumType>& enums,
                   const Sources& sources, Diagnostics& diagnostics, std::vector<Field>& into) {
  for (size_t index = 0; index < mapping.keys.size(); ++index) {
    const YamlNode& key = *mapping.keys[index];
    const YamlNode& value = *mapping.values[index];
    expect_name(key, "a field", diagnostics);  // a field with a wrong name is still one: what speaks of it is no second mistake
    const std::string name = prefix + key.text;
    if (value.shape == YamlNode::Shape::mapping) {
      append_fields(value, name + ".", paths, enums, sources, diagnostics, into);
      continue;
    }
    Field field;
    field.name = name;
    field.path = name;
    field.span = key.span;
    field.type.ref = kBroken;
    if (expect_scalar(value, "a field", diagnostics)) {
      field.type.ref = -1;
      read_field_type(PlacedText(value, sources), paths, field, enums, diagnostics);
    }
    into.push_back(std::move(field));
  }
}

}  // namespace

bool is_path(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.' || text.contains("..")) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char sign) { return !is_blank(sign) && static_cast<unsigned char>(sign) >= 0x20; });
}

bool expect_name(const YamlNode& key, std::string_view what, Diagnostics& diagnostics) {
  constexpr std::array kTaken = std::to_array<std::string_view>({"this", "lists", "elapsed"});
  const bool taken = is_reserved(key.text) || std::find(kTaken.begin(), kTaken.end(), key.text) != kTaken.end();
  constexpr size_t kLongest = 100;
  if (is_name(key.text) && !taken && key.text.size() <= kLongest) return true;
  Diagnostic& mistake = diagnostics.error("E057", "`" + key.text + "` cannot be the name of " + std::string(what), key.span);
  mistake.helps.push_back(taken && what != "a field" ? "it is a word of the language"
                          : taken ? "it is a word of the language; for a field of a record write `other_name: TYPE @ \"" +
                                        key.text + "\"`"
                                  : "names are letters, digits and underscores, and begin with a letter");
  return false;
}

void read_field_type(const PlacedText& text, Paths paths, Field& field, std::vector<EnumType>& enums,
                     Diagnostics& diagnostics) {
  TypeReader(text, paths, field, enums, diagnostics).run();
}

std::vector<Field> read_fields(const YamlNode& mapping, Paths paths, std::vector<EnumType>& enums, const Sources& sources,
                               Diagnostics& diagnostics) {
  std::vector<Field> fields;
  append_fields(mapping, "", paths, enums, sources, diagnostics, fields);
  return fields;
}

}  // namespace tillwatch::rules
