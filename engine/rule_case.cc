#include "engine/rule_case.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace tillwatch::engine {
namespace {

using rules::Field;
using rules::Kind;
using rules::YamlNode;
using Object = std::map<std::string, const YamlNode*>;  // field name → value; later ones win

constexpr std::string_view kDay = "2026-11-22T";
constexpr TimeMs kLongAgo = 946'684'800'000;  // 2000-01-01: when rows of `tables:` were recorded
constexpr size_t kMaxRepeat = 100'000;

class CaseReader {
 public:
  CaseReader(const rules::Schema& schema, rules::Diagnostics& diagnostics) : schema_(schema), diagnostics_(diagnostics) {}

  RuleCaseFile read(const YamlNode& root, const std::string& rule) {
    RuleCaseFile file;
    file.rule = rule;
    if (!is(root, YamlNode::Shape::mapping, "a mapping with `cases:`")) return file;
    only(root, {"rules", "tables", "base", "cases", "rule"});
    if (const YamlNode* names = root.find("rules")) {
      file.names_rules = true;
      for (const YamlNode* each : items(*names)) file.also.push_back(each->text);
    }
    if (const YamlNode* base = root.find("base"); base != nullptr && is(*base, YamlNode::Shape::mapping, "fields by stream")) {
      for (size_t i = 0; i < base->keys.size(); ++i) base_[base->keys[i]->text] = base->values[i];
    }
    const YamlNode* cases = root.find("cases");
    if (cases == nullptr) {
      diagnostics_.error("E080", "a test file needs `cases:`", root.span);
      return file;
    }
    for (const YamlNode* each : items(*cases)) file.cases.push_back(read_case(*each, root.find("tables")));
    return file;
  }

 private:
  bool is(const YamlNode& node, YamlNode::Shape shape, const char* what) {
    if (node.shape == shape) return true;
    diagnostics_.error("E081", std::string("this should be ") + what, node.span);
    return false;
  }
  void only(const YamlNode& node, const std::vector<std::string>& names) {
    for (const YamlNode* key : node.keys) {
      if (std::find(names.begin(), names.end(), key->text) != names.end()) continue;
      diagnostics_.error("E082", "unknown key `" + key->text + "`", key->span).helps.push_back(fmt::format("known here: {}", fmt::join(names, ", ")));
    }
  }
  std::vector<const YamlNode*> items(const YamlNode& node) {
    if (!is(node, YamlNode::Shape::sequence, "a list")) return {};
    return node.values;
  }

  // "10:00", "10:00:00.001", "d1 10:00", "+30s" after `before`, or RFC 3339.
  TimeMs time(const YamlNode& node, TimeMs before) {
    std::string_view text = node.text;
    if (const auto full = parse_rfc3339(text)) return *full;
    if (!text.empty() && text[0] == '+') {
      if (const auto later = parse_duration(text.substr(1))) return before + *later;
    }
    int64_t days = 0;
    if (!text.empty() && text[0] == 'd') {
      const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), days);
      if (error == std::errc{}) text = text.substr(std::min(text.size(), static_cast<size_t>(end - text.data()) + 1));
    }
    std::string clock(text);
    if (std::count(clock.begin(), clock.end(), ':') == 1) clock += ":00";
    if (clock.size() > 1 && clock[1] == ':') clock = "0" + clock;
    if (const auto full = parse_rfc3339(std::string(kDay) + clock + "+08:00")) return *full + days * 24 * kHour;
    diagnostics_.error("E083", "`" + node.text + "` is no time", node.span)
        .helps.push_back("write \"10:00:00\", \"d1 10:00\", \"+30s\", or a time with date and offset");
    return before;
  }

  RuleCase read_case(const YamlNode& node, const YamlNode* file_tables) {
    RuleCase result;
    result.span = node.span;
    if (!is(node, YamlNode::Shape::mapping, "a case")) return result;
    only(node, {"name", "tables", "given", "until", "expect", "because"});
    if (const YamlNode* name = node.find("name")) result.name = name->text;
    numbered_ = 0;
    last_ = *parse_rfc3339(std::string(kDay) + "00:00:00+08:00");
    if (file_tables != nullptr) read_tables(*file_tables, result);
    if (const YamlNode* tables = node.find("tables")) read_tables(*tables, result);
    const size_t rows = result.steps.size();
    if (const YamlNode* given = node.find("given")) {
      for (const YamlNode* step : items(*given)) read_step(*step, result);
    }
    // Steps happen in the order they are read; a restart stays behind what stands before it.
    TimeMs latest = 0;
    for (size_t i = rows; i < result.steps.size(); ++i) {
      CaseStep& step = result.steps[i];
      if (step.kind == CaseStep::Kind::crash || step.kind == CaseStep::Kind::restart) step.arrives = latest;
      latest = std::max(latest, step.arrives);
    }
    std::stable_sort(result.steps.begin() + static_cast<ptrdiff_t>(rows), result.steps.end(),
                     [](const CaseStep& a, const CaseStep& b) { return a.arrives < b.arrives; });
    const TimeMs first = result.steps.size() > rows ? result.steps[rows].arrives : last_;
    for (size_t i = 0; i < rows; ++i) result.steps[i].arrives = first;
    if (const YamlNode* until = node.find("until")) result.until = time(*until, last_);
    if (const YamlNode* expect = node.find("expect")) {
      for (const YamlNode* each : items(*expect)) result.expect.push_back(read_expectation(*each));
    } else {
      diagnostics_.error("E084", "a case needs `expect:` (`[]` when nothing should happen)", node.span);
    }
    if (const YamlNode* because = node.find("because")) {
      for (const YamlNode* each : items(*because)) result.because.push_back(each->text);
    }
    return result;
  }

  void read_tables(const YamlNode& node, RuleCase& result) {
    if (!is(node, YamlNode::Shape::mapping, "rows by table")) return;
    for (size_t i = 0; i < node.keys.size(); ++i) {
      const int table = schema_.find_table(node.keys[i]->text);
      if (table < 0) {
        diagnostics_.error("E085", "there is no table `" + node.keys[i]->text + "`", node.keys[i]->span);
        continue;
      }
      if (!has_topic(table, node.keys[i]->span)) continue;
      for (const YamlNode* row : items(*node.values[i])) add_row(table, *row, std::nullopt, result);
    }
  }

  bool has_topic(int table, const rules::Span& span) {
    const rules::Table& declared = schema_.tables[static_cast<size_t>(table)];
    if (!declared.derived) return true;
    diagnostics_.error("E085", "the rows of `" + declared.name + "` are made by rules", span, "no topic to read them from")
        .helps.push_back("give the events that let those rules raise an alert, and name the rules in `rules:`");
    return false;
  }

  void add_row(int table, const YamlNode& row, std::optional<TimeMs> recorded_at, RuleCase& result) {
    const rules::Table& declared = schema_.tables[static_cast<size_t>(table)];
    Object fields;
    flatten(row, "", fields);
    rapidjson::Document document;
    document.SetObject();
    const TimeMs now = recorded_at.value_or(last_);
    for (const Field& column : declared.columns) {
      const auto given = fields.find(column.name);
      if (given != fields.end()) {
        write(document, column, *given->second, now, 0);
        fields.erase(given);
      } else if (&column == &declared.columns[static_cast<size_t>(declared.recorded_at)]) {
        set(document, column.path, rapidjson::Value(recorded_at.value_or(kLongAgo)));
      } else if (!column.type.optional && !is_time_column(declared, column)) {
        write_neutral(document, column, now);
      }
    }
    complain_unknown(fields, declared.columns, "table `" + declared.name + "`");
    result.steps.push_back({CaseStep::Kind::row, declared.topic, text_of(document), now});
  }
  static bool is_time_column(const rules::Table& table, const Field& column) {
    const auto index = static_cast<int32_t>(&column - table.columns.data());
    return index == table.valid_from || index == table.valid_to || index == table.recorded_at;
  }

  void read_step(const YamlNode& node, RuleCase& result) {
    if (!is(node, YamlNode::Shape::mapping, "a step")) return;
    if (const YamlNode* restart = node.find("restart")) {
      only(node, {"restart"});
      result.steps.push_back({restart->text == "crash" ? CaseStep::Kind::crash : CaseStep::Kind::restart, "", "", 0});
      return;
    }
    const YamlNode* at = node.find("at");
    if (at == nullptr) {
      diagnostics_.error("E086", "a step needs `at:`", node.span);
      return;
    }
    const TimeMs begin = time(*at, last_);
    last_ = begin;
    if (const YamlNode* table_name = node.find("table")) {
      only(node, {"at", "table", "row"});
      const int table = schema_.find_table(table_name->text);
      const YamlNode* row = node.find("row");
      if (table < 0 || row == nullptr) {
        diagnostics_.error("E085", "a row needs the name of a table and `row:`", table_name->span);
        return;
      }
      if (!has_topic(table, table_name->span)) return;
      add_row(table, *row, begin, result);
      return;
    }
    const auto number = [&](const char* key, int64_t otherwise) {
      const YamlNode* value = node.find(key);
      int64_t parsed = otherwise;
      if (value != nullptr) std::from_chars(value->text.data(), value->text.data() + value->text.size(), parsed);
      return parsed;
    };
    const auto repeat = static_cast<size_t>(std::clamp<int64_t>(number("repeat", 1), 0, kMaxRepeat));
    const YamlNode* every = node.find("every");
    const DurationMs step = every != nullptr ? parse_duration(every->text).value_or(0) : 0;
    for (size_t i = 0; i < node.keys.size(); ++i) {
      const std::string& key = node.keys[i]->text;
      if (key == "at" || key == "arrives" || key == "repeat" || key == "every") continue;
      const int stream = schema_.find_stream(key);
      if (stream < 0 || schema_.streams[static_cast<size_t>(stream)].origin != rules::Stream::Origin::topic) {
        diagnostics_.error("E087", "`" + key + "` is no stream that is read from a topic", node.keys[i]->span);
        continue;
      }
      for (size_t n = 0; n < repeat; ++n) {
        const TimeMs event_time = begin + static_cast<DurationMs>(n) * step;
        const YamlNode* arrives = node.find("arrives");
        const TimeMs arrival = arrives != nullptr ? time(*arrives, begin) + static_cast<DurationMs>(n) * step : event_time;
        add_event(stream, *node.values[i], event_time, arrival, n + 1, result);
      }
    }
  }

  void add_event(int stream, const YamlNode& node, TimeMs event_time, TimeMs arrival, size_t number, RuleCase& result) {
    const rules::Stream& declared = schema_.streams[static_cast<size_t>(stream)];
    Object fields;
    if (const auto base = base_.find(declared.name); base != base_.end()) flatten(*base->second, "", fields);
    flatten(node, "", fields);
    rapidjson::Document document;
    document.SetObject();
    for (size_t i = 0; i < declared.fields.size(); ++i) {
      const Field& field = declared.fields[i];
      const auto given = fields.find(field.name);
      if (given != fields.end()) {
        write(document, field, *given->second, event_time, number);
        fields.erase(given);
      } else if (static_cast<int32_t>(i) == declared.time_field) {
        set(document, field.path, rapidjson::Value(event_time));
      } else if (!declared.id.empty() && declared.id[0] == static_cast<int32_t>(i)) {
        set_text(document, field.path, fmt::format("made-up-{}", ++numbered_));
      } else if (!field.computed && !field.type.optional) {
        write_neutral(document, field, event_time);
      }
    }
    for (const rules::Stream& each : schema_.streams) {
      const auto given = fields.find(each.array);
      if (each.record != stream || given == fields.end()) continue;
      add_elements(document, each, *given->second, event_time, number);
      fields.erase(given);
    }
    complain_unknown(fields, declared.fields, "stream `" + declared.name + "`");
    result.steps.push_back({CaseStep::Kind::event, declared.topic, text_of(document), arrival});
  }

  // The array that a view opens: each element with the fields of the view.
  void add_elements(rapidjson::Document& document, const rules::Stream& view, const YamlNode& node, TimeMs event_time,
                    size_t number) {
    rapidjson::Value array(rapidjson::kArrayType);
    for (const YamlNode* each : items(node)) {
      rapidjson::Document element(&document.GetAllocator());
      element.SetObject();
      Object fields;
      flatten(*each, "", fields);
      for (size_t i = view.record_fields; i < view.fields.size(); ++i) {
        const Field& field = view.fields[i];
        if (field.computed) continue;
        const bool is_element = field.path == "." && each->shape == YamlNode::Shape::scalar;
        const auto given = fields.find(field.name);
        if (is_element || given != fields.end()) {
          write(element, field, is_element ? *each : *given->second, event_time, number);
          if (!is_element) fields.erase(given);
        } else if (!field.type.optional) {
          write_neutral(element, field, event_time);
        }
      }
      complain_unknown(fields, view.fields, "`" + view.array + "` of the view `" + view.name + "`");
      array.PushBack(static_cast<rapidjson::Value&>(element), document.GetAllocator());
    }
    set(document, view.array, std::move(array));
  }

  void complain_unknown(const Object& left, const std::vector<Field>&, const std::string& where) {
    for (const auto& [name, node] : left) diagnostics_.error("E020", where + " has no field `" + name + "`", node->span, "unknown field");
  }

  // Nested mappings become dotted names; `key: null` at a record clears what base said of it.
  void flatten(const YamlNode& node, const std::string& prefix, Object& out) {
    if (node.shape != YamlNode::Shape::mapping) {
      if (!prefix.empty()) out[prefix.substr(0, prefix.size() - 1)] = &node;
      return;
    }
    for (size_t i = 0; i < node.keys.size(); ++i) {
      const std::string name = prefix + node.keys[i]->text;
      const YamlNode& value = *node.values[i];
      const bool is_record = value.shape == YamlNode::Shape::mapping && is_prefix(name);
      if (is_record) {
        flatten(value, name + ".", out);
      } else {
        out[name] = &value;
      }
    }
  }
  bool is_prefix(const std::string& name) const {
    const auto begins = [&](const std::vector<Field>& fields) {
      return std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return field.name.starts_with(name + "."); });
    };
    return std::any_of(schema_.streams.begin(), schema_.streams.end(),
                       [&](const rules::Stream& each) { return begins(each.fields) || each.array.starts_with(name + "."); }) ||
           std::any_of(schema_.tables.begin(), schema_.tables.end(),
                       [&](const rules::Table& each) { return begins(each.columns); });
  }

  static void set(rapidjson::Document& document, const std::string& path, rapidjson::Value value) {
    rapidjson::Value* at = &document;
    if (path == ".") {  // an element that is no object
      *at = value;
      return;
    }
    size_t begin = 0;
    auto& memory = document.GetAllocator();
    while (true) {
      const size_t dot = path.find('.', begin);
      const std::string part = path.substr(begin, dot == std::string::npos ? dot : dot - begin);
      if (dot == std::string::npos) {
        at->AddMember(rapidjson::Value(part.c_str(), memory), value, memory);
        return;
      }
      if (!at->HasMember(part.c_str())) {
        at->AddMember(rapidjson::Value(part.c_str(), memory), rapidjson::Value(rapidjson::kObjectType), memory);
      }
      at = &(*at)[part.c_str()];
      begin = dot + 1;
    }
  }
  static void set_text(rapidjson::Document& document, const std::string& path, const std::string& text) {
    set(document, path, rapidjson::Value(text.c_str(), static_cast<rapidjson::SizeType>(text.size()), document.GetAllocator()));
  }

  static std::string numbered(const std::string& text, size_t number) {
    std::string result = text;
    for (size_t at = result.find("{i}"); at != std::string::npos; at = result.find("{i}")) result.replace(at, 3, std::to_string(number));
    return result;
  }

  void write(rapidjson::Document& document, const Field& field, const YamlNode& node, TimeMs event_time, size_t number) {
    auto& memory = document.GetAllocator();
    const std::string text = numbered(node.text, number);
    if (node.shape == YamlNode::Shape::scalar && node.style == YamlNode::Style::plain && text == "null") return;
    switch (field.type.kind) {
      case Kind::boolean: set(document, field.path, rapidjson::Value(text == "true")); return;
      case Kind::integer:
      case Kind::decimal: {
        rapidjson::Document number_document(&memory);
        number_document.Parse(text.c_str());
        set(document, field.path, number_document.HasParseError() ? rapidjson::Value(text.c_str(), memory) : rapidjson::Value(number_document, memory));
        return;
      }
      case Kind::money: {
        int64_t minor = 0;
        std::string digits = text;
        digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
        if (error != std::errc{}) diagnostics_.error("E088", "`" + text + "` is no amount in minor units", node.span);
        set(document, field.path, rapidjson::Value(minor));
        std::string currency = "CNY";
        if (end + 1 < digits.data() + digits.size() && *end == ' ') currency = digits.substr(static_cast<size_t>(end + 1 - digits.data()));
        if (!field.currency_path.empty()) {
          if (!has_path(document, field.currency_path)) set_text(document, field.currency_path, currency);
        }
        return;
      }
      case Kind::time: {
        set(document, field.path, rapidjson::Value(time(node, event_time)));
        return;
      }
      case Kind::duration: {
        const auto duration = parse_duration(text);
        if (!duration) diagnostics_.error("E088", "`" + text + "` is no duration", node.span);
        set(document, field.path, rapidjson::Value(duration.value_or(0)));
        return;
      }
      case Kind::list:
      case Kind::tariff:
      case Kind::geo: {
        rapidjson::Value value;
        to_json(node, value, memory);
        set(document, field.path, std::move(value));
        return;
      }
      default: set_text(document, field.path, text);
    }
  }
  static bool has_path(const rapidjson::Document& document, const std::string& path) {
    const size_t dot = path.find('.');
    if (dot == std::string::npos) return document.HasMember(path.c_str());
    const std::string head = path.substr(0, dot);
    return document.HasMember(head.c_str()) && document[head.c_str()].HasMember(path.substr(dot + 1).c_str());
  }

  // Free JSON: plain scalars that read as numbers or booleans are those.
  static void to_json(const YamlNode& node, rapidjson::Value& out, rapidjson::Document::AllocatorType& memory) {
    if (node.shape == YamlNode::Shape::sequence) {
      out.SetArray();
      for (const YamlNode* each : node.values) {
        rapidjson::Value value;
        to_json(*each, value, memory);
        out.PushBack(value, memory);
      }
    } else if (node.shape == YamlNode::Shape::mapping) {
      out.SetObject();
      for (size_t i = 0; i < node.keys.size(); ++i) {
        rapidjson::Value value;
        to_json(*node.values[i], value, memory);
        out.AddMember(rapidjson::Value(node.keys[i]->text.c_str(), memory), value, memory);
      }
    } else {
      rapidjson::Document scalar(&memory);
      if (node.style == YamlNode::Style::plain && !scalar.Parse(node.text.c_str()).HasParseError()) {
        out.CopyFrom(scalar, memory);
      } else {
        out.SetString(node.text.c_str(), memory);
      }
    }
  }

  void write_neutral(rapidjson::Document& document, const Field& field, TimeMs event_time) {
    switch (field.type.kind) {
      case Kind::boolean: set(document, field.path, rapidjson::Value(false)); return;
      case Kind::integer:
      case Kind::decimal:
      case Kind::duration: set(document, field.path, rapidjson::Value(0)); return;
      case Kind::money:
        set(document, field.path, rapidjson::Value(0));
        if (!field.currency_path.empty() && !has_path(document, field.currency_path)) set_text(document, field.currency_path, "CNY");
        return;
      case Kind::time: set(document, field.path, rapidjson::Value(event_time)); return;
      case Kind::list:
      case Kind::tariff: set(document, field.path, rapidjson::Value(rapidjson::kArrayType)); return;
      case Kind::symbol: set_text(document, field.path, "unknown"); return;
      case Kind::geo: {
        rapidjson::Value place(rapidjson::kObjectType);
        place.AddMember("lat", rapidjson::Value(0), document.GetAllocator());
        place.AddMember("lon", rapidjson::Value(0), document.GetAllocator());
        set(document, field.path, std::move(place));
        return;
      }
      default: set_text(document, field.path, "");
    }
  }

  static std::string text_of(const rapidjson::Document& document) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    document.Accept(writer);
    return {buffer.GetString(), buffer.GetSize()};
  }

  Expectation read_expectation(const YamlNode& node) {
    Expectation expectation;
    expectation.span = node.span;
    if (!is(node, YamlNode::Shape::mapping, "an expectation")) return expectation;
    only(node, {"at", "raise", "update", "resolve", "expire", "severity", "reason", "message", "labels"});
    const auto pairs = [&](const YamlNode* mapping) {
      std::vector<std::pair<std::string, std::string>> result;
      if (mapping == nullptr || !is(*mapping, YamlNode::Shape::mapping, "names and values")) return result;
      for (size_t i = 0; i < mapping->keys.size(); ++i) result.emplace_back(mapping->keys[i]->text, mapping->values[i]->text);
      return result;
    };
    for (const char* what : {"raise", "update", "resolve", "expire"}) {
      if (const YamlNode* key = node.find(what)) {
        expectation.what = what;
        expectation.key = pairs(key);
      }
    }
    if (expectation.what.empty()) diagnostics_.error("E089", "an expectation needs raise, update, resolve or expire", node.span);
    if (const YamlNode* when = node.find("at")) expectation.at = time(*when, last_);
    if (const YamlNode* severity = node.find("severity")) expectation.severity = severity->text;
    if (const YamlNode* reason = node.find("reason")) expectation.reason = reason->text;
    expectation.labels = node.find("labels") != nullptr ? pairs(node.find("labels")) : expectation.labels;
    expectation.message = node.find("message") != nullptr ? pairs(node.find("message")) : expectation.message;
    return expectation;
  }

  const rules::Schema& schema_;
  rules::Diagnostics& diagnostics_;
  std::map<std::string, const YamlNode*> base_;
  TimeMs last_ = 0;
  size_t numbered_ = 0;
};

}  // namespace

RuleCaseFile read_rule_cases(const rules::YamlFile& file, const std::string& rule, const rules::Schema& schema,
                             rules::Diagnostics& diagnostics) {
  CaseReader reader(schema, diagnostics);
  if (file.documents.empty()) return {.rule = rule, .also = {}, .names_rules = false, .cases = {}};
  return reader.read(*file.documents[0], rule);
}

}  // namespace tillwatch::engine
