#include "rules/program/functions.h"

#include <algorithm>

#include <fmt/format.h>

#include "rules/program/function_checks.h"

namespace tillwatch::rules {

std::string_view kind_name(Kind kind) {
  switch (kind) {
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
      return "enum";
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
      return "row";
    case Kind::event:
      return "event";
  }
  return "?";
}

std::string check_count(std::span<const Type> arguments, size_t count, size_t& bad) {
  if (arguments.size() == count) return "";
  bad = arguments.size();
  return fmt::format("takes {} argument{}, {} given", count, count == 1 ? "" : "s", arguments.size());
}

std::string check_kind(std::span<const Type> arguments, size_t index, std::initializer_list<Kind> allowed, size_t& bad) {
  const Kind kind = arguments[index].kind;
  if (std::ranges::find(allowed, kind) != allowed.end()) return "";
  bad = index;
  std::string names;
  for (const Kind each : allowed) {
    if (!names.empty()) names += each == *(allowed.end() - 1) ? " or " : ", ";
    names += kind_name(each);
  }
  return fmt::format("needs {}, this is {}", names, kind_name(kind));
}

const std::vector<Function>& functions() {
  static const std::vector<Function> rows = [] {
    std::vector<Function> all;
    append_number_functions(all);
    append_text_functions(all);
    append_payment_functions(all);
    append_place_functions(all);
    append_sms_functions(all);
    append_calendar_functions(all);
    append_word_functions(all);
    return all;
  }();
  return rows;
}

int find_function(std::string_view name) {
  const auto& rows = functions();
  const auto found = std::ranges::find(rows, name, &Function::name);
  return found == rows.end() ? -1 : static_cast<int>(found - rows.begin());
}

}  // namespace tillwatch::rules
