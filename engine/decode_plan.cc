#include "engine/decode_plan.h"

#include "rules/program/currency.h"

#include <algorithm>
#include <utility>

#include "engine/base/status.h"

namespace tillwatch::engine {
namespace {

constexpr uint16_t kOfRecord = 0;          // filled in when the record is read
constexpr std::string_view kItself = ".";  // path of an element that is no object

class Planner {
 public:
  explicit Planner(const rules::Schema& schema) {
    plan_.nodes.emplace_back();
    for (const rules::EnumType& type : schema.enums) {
      DecodeEnum& names = plan_.enums.emplace_back();
      for (size_t i = 0; i < type.names.size(); ++i) names.names.add(type.names[i], static_cast<int32_t>(i));
      names.unknown = names.names.find("unknown");
      TILLWATCH_CHECK(names.unknown >= 0);
    }
  }

  // `owner`: what stands before the field's name in messages.
  void add_field(const rules::Field& field, bool used, const std::string& owner = "") {
    const auto index = static_cast<int32_t>(plan_.names.size());
    plan_.names.push_back(owner + field.name);
    if (!used || field.computed != nullptr) return;
    if (!field.type.optional) plan_.required.push_back(index);
    DecodeTarget target{.field = index, .kind = field.type.kind};
    const std::string& path = field.path.empty() ? field.name : field.path;
    switch (field.type.kind) {
      case rules::Kind::money:
        return add_money(target, path, field);
      case rules::Kind::geo:
        return add_geo(target, path);
      case rules::Kind::symbol:
        target.enum_type = field.type.ref;
        break;
      case rules::Kind::string:
        target.free_text = is_free_text(field.name);
        break;
      default:
        break;
    }
    add_target(path, target);
  }

  // The array at `path` holds what `elements` reads.
  void add_elements(const std::string& path, DecodePlan elements) {
    plan_.nodes[node_at(path)].elements = static_cast<int32_t>(plan_.elements.size());
    plan_.elements.push_back(std::move(elements));
  }

  DecodePlan& plan() { return plan_; }

 private:
  // What may hold text that people or other systems wrote. Identifiers are not searched: one in ten of 16 digits passes Luhn.
  static bool is_free_text(std::string_view name) {
    if (const size_t dot = name.rfind('.'); dot != std::string_view::npos) name.remove_prefix(dot + 1);
    return name.starts_with("pan") || name == "content" || name == "text";
  }

  void add_money(DecodeTarget target, const std::string& path, const rules::Field& field) {
    const rules::Currency* const declared = field.currency.empty() ? nullptr : rules::find_currency(field.currency);
    const uint16_t otherwise = declared != nullptr ? declared->number : kYuan;
    plan_.money.emplace_back(target.field, field.currency_of.empty() ? otherwise : kOfRecord);
    target.part = FieldPart::money_minor;
    add_target(path, target);
    target.part = FieldPart::money_currency;
    if (!field.currency_path.empty()) add_target(field.currency_path, target);
  }

  void add_geo(DecodeTarget target, const std::string& path) {
    plan_.geo.push_back(target.field);
    using enum FieldPart;
    for (const auto& [key, part] : {std::pair{"lat", geo_latitude}, std::pair{"lon", geo_longitude},
                                    std::pair{"coord_system", geo_system}, std::pair{"accuracy_m", geo_accuracy}}) {
      target.part = part;
      add_target(path + "." + key, target);
    }
  }

  void add_target(std::string_view path, const DecodeTarget& target) {
    plan_.nodes[path == kItself ? 0 : node_at(path)].targets.push_back(target);
  }

  size_t node_at(std::string_view path) {
    size_t node = 0;
    for (size_t begin = 0; begin <= path.size();) {
      const size_t end = std::min(path.find('.', begin), path.size());
      const std::string_view key = path.substr(begin, end - begin);
      int32_t child = plan_.nodes[node].keys.find(key);
      if (child < 0) {
        child = static_cast<int32_t>(plan_.nodes.size());
        plan_.nodes[node].keys.add(key, child);
        plan_.nodes.push_back({.path = std::string(path.substr(0, end))});
      }
      node = static_cast<size_t>(child);
      begin = end + 1;
    }
    return node;
  }

  DecodePlan plan_;
};

bool is_used(const std::vector<bool>& used, size_t field) { return field < used.size() && used[field]; }

DecodePlan plan_elements(const rules::Schema& schema, const UsedElements& elements) {
  const rules::Stream& stream = schema.streams[static_cast<size_t>(elements.stream)];
  Planner planner(schema);
  for (size_t i = stream.record_fields; i < stream.fields.size(); ++i) {
    const rules::Field& field = stream.fields[i];
    const auto index = static_cast<int32_t>(planner.plan().names.size());
    planner.add_field(field, is_used(elements.used, i), stream.array + "[].");
    if (field.currency_of.empty() || !is_used(elements.used, i)) continue;
    planner.plan().money_of_record.emplace_back(index, rules::find_field(stream.fields, field.currency_of));
  }
  return std::move(planner.plan());
}

}  // namespace

void NameTable::add(std::string_view name, int32_t number) {
  if (find(name) >= 0) return;
  names_.push_back({std::string(name), number});
  if (2 * names_.size() <= slots_.size()) return place(static_cast<int32_t>(names_.size() - 1));
  slots_.assign(2 * slots_.size(), {});
  mask_ = slots_.size() - 1;
  for (size_t i = 0; i < names_.size(); ++i) place(static_cast<int32_t>(i));
}

void NameTable::place(int32_t name) {
  const std::string& text = names_[static_cast<size_t>(name)].text;
  const Ends ends = ends_of(text);
  size_t at = hash(ends, text.size());
  while (slots_[at & mask_].name >= 0) ++at;
  slots_[at & mask_] = {ends, static_cast<uint32_t>(text.size()), name};
}

DecodePlan plan_stream(const rules::Schema& schema, int stream, std::vector<bool> used,
                       const std::vector<UsedElements>& elements) {
  const rules::Stream& root = schema.root(stream);
  TILLWATCH_CHECK(root.origin == rules::Stream::Origin::topic && root.time_field >= 0);
  used.resize(root.fields.size());
  Planner planner(schema);
  for (const UsedElements& each : elements) {
    DecodePlan plan = plan_elements(schema, each);
    for (size_t i = 0; i < root.fields.size(); ++i) used[i] = used[i] || is_used(each.used, i);
    for (const auto& [field, of] : plan.money_of_record) used[static_cast<size_t>(of)] = true;
    planner.add_elements(schema.streams[static_cast<size_t>(each.stream)].array, std::move(plan));
  }
  for (size_t i = 0; i < root.fields.size(); ++i) {
    planner.add_field(root.fields[i], is_used(used, i) || static_cast<int32_t>(i) == root.time_field);
  }
  planner.plan().time_field = root.time_field;
  return std::move(planner.plan());
}

DecodePlan plan_table(const rules::Schema& schema, int table, const std::vector<bool>& used) {
  const rules::Table& wanted = schema.tables[static_cast<size_t>(table)];
  Planner planner(schema);
  const auto is_version = [&](int32_t i) { return i == wanted.valid_from || i == wanted.valid_to || i == wanted.recorded_at; };
  for (size_t i = 0; i < wanted.columns.size(); ++i) {
    planner.add_field(wanted.columns[i], is_used(used, i) || is_version(static_cast<int32_t>(i)));
  }
  DecodePlan& plan = planner.plan();
  std::erase_if(plan.required, is_version);
  plan.valid_from = wanted.valid_from;
  plan.recorded_at = wanted.recorded_at;
  return std::move(plan);
}

}  // namespace tillwatch::engine
