// Members of a JSON object by dotted path.
#pragma once

#include <rapidjson/document.h>

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/time.h"

namespace tillwatch::engine {

const rapidjson::Value* value_at(const rapidjson::Value& json, std::string_view path);  // null: not there
// Text or a whole number as text; "" when it is neither.
std::string text_at(const rapidjson::Value& json, std::string_view path);
// RFC 3339 or epoch milliseconds.
std::optional<TimeMs> time_at(const rapidjson::Value& json, std::string_view path);

}  // namespace tillwatch::engine
