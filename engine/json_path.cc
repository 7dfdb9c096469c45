#include "engine/json_path.h"

namespace tillwatch::engine {

const rapidjson::Value* value_at(const rapidjson::Value& json, std::string_view path) {
  const rapidjson::Value* at = &json;
  while (true) {
    const size_t dot = path.find('.');
    const std::string name(path.substr(0, dot));
    if (!at->IsObject()) return nullptr;
    const auto member = at->FindMember(name.c_str());
    if (member == at->MemberEnd()) return nullptr;
    at = &member->value;
    if (dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
}

std::string text_at(const rapidjson::Value& json, std::string_view path) {
  const rapidjson::Value* value = value_at(json, path);
  if (value == nullptr) return "";
  if (value->IsString()) return {value->GetString(), value->GetStringLength()};
  return value->IsInt64() ? std::to_string(value->GetInt64()) : "";
}

std::optional<TimeMs> time_at(const rapidjson::Value& json, std::string_view path) {
  const rapidjson::Value* value = value_at(json, path);
  if (value == nullptr) return std::nullopt;
  if (value->IsInt64()) return value->GetInt64();
  return value->IsString() ? parse_rfc3339({value->GetString(), value->GetStringLength()}) : std::nullopt;
}

}  // namespace tillwatch::engine
