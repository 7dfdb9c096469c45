#include "rules/language/schema.h"

#include <algorithm>

namespace tillwatch::rules {
namespace {

template <class Named>
int find_named(const std::vector<Named>& items, std::string_view name) {
  const auto found = std::find_if(items.begin(), items.end(), [&](const Named& item) { return item.name == name; });
  return found == items.end() ? -1 : static_cast<int>(found - items.begin());
}

}  // namespace

int EnumType::ordinal(std::string_view name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

int Schema::find_stream(std::string_view name) const { return find_named(streams, name); }
int Schema::find_table(std::string_view name) const { return find_named(tables, name); }
int Schema::find_list(std::string_view name) const { return find_named(lists, name); }
int find_field(const std::vector<Field>& fields, std::string_view name) { return find_named(fields, name); }

}  // namespace tillwatch::rules
