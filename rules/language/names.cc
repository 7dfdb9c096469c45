#include "rules/language/names.h"

#include <algorithm>
#include <numeric>

namespace tillwatch::rules {
namespace {

constexpr size_t kMostShown = 40;

char lower(char sign) { return sign >= 'A' && sign <= 'Z' ? static_cast<char>(sign - 'A' + 'a') : sign; }

// Edit distance with transposition; case counts nothing.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) now[j] = std::min(now[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::string enum_text(const EnumType& type) {
  constexpr size_t kMostValues = 4;
  std::string text = "enum(";
  for (size_t index = 0; index < type.names.size(); ++index) {
    if (index > 0) text += ", ";
    if (index == kMostValues) {
      text += "…";
      break;
    }
    text += type.names[index];
  }
  return text + ")";
}

std::string base_text(const Type& type, const Schema& schema) {
  const auto index = static_cast<size_t>(type.ref);
  switch (type.kind) {
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::decimal:
      return "decimal";
    case Kind::money:
      return "money";
    case Kind::string:
      return "string";
    case Kind::symbol:
      return index < schema.enums.size() ? enum_text(schema.enums[index]) : "enum";
    case Kind::time:
      return "time";
    case Kind::duration:
      return "duration";
    case Kind::geo:
      return "geo";
    case Kind::list:
      return "list(string)";
    case Kind::tariff:
      return "tariff";
    case Kind::row:
      return "row of " + (index < schema.tables.size() ? schema.tables[index].name : "a table");
    case Kind::event:
      return "event of " + (index < schema.streams.size() ? schema.streams[index].name : "a stream");
  }
  return "?";
}

}  // namespace

std::string show(const Type& type, const Schema& schema) {
  return (type.with_facts ? "own " : "") + base_text(type, schema) + (type.optional ? "?" : "");
}

std::string closest(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr size_t kLongestName = 100;
  if (name.size() > kLongestName) return "";
  std::string best;
  size_t least = name.size() / 3 + 1;  // names of one or two letters are near nothing but themselves in another case
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    const size_t apart = distance(name, candidate);
    if (apart < least) {
      least = apart;
      best = candidate;
    }
  }
  return best;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t index = 0; index < names.size(); ++index) {
    if (index > 0) text += ", ";
    if (index == kMostShown) return text + "…";
    text += names[index];
  }
  return text;
}

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

std::string declared(const Field& field, const Schema& schema, const Sources& sources) {
  std::string text = "(" + show(field.type, schema);
  if (field.span.file >= 0) text += ", " + sources.name(field.span.file) + ":" + std::to_string(field.span.line);
  return text + ")";
}

void suggest(Diagnostic& diagnostic, std::string_view name, const std::vector<std::string>& candidates, std::string_view what) {
  const std::string near = closest(name, candidates);
  if (!near.empty()) {
    diagnostic.helps.push_back("did you mean `" + near + "`?");
  } else if (!candidates.empty()) {
    diagnostic.notes.push_back(std::string(what) + ": " + listed(candidates));
  }
}

void suggest_field(Diagnostic& diagnostic, std::string_view name, const std::vector<Field>& fields, const Schema& schema,
                   const Sources& sources) {
  const std::vector<std::string> names = names_of(fields);
  const std::string near = closest(name, names);
  if (near.empty()) {
    if (!names.empty()) diagnostic.notes.push_back("fields: " + listed(names));
    return;
  }
  const int index = find_field(fields, near);
  diagnostic.helps.push_back("did you mean `" + near + "`? " + declared(fields[static_cast<size_t>(index)], schema, sources));
}

}  // namespace tillwatch::rules
