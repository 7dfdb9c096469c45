#include "connectors/generator_truth.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>

#include "connectors/generator_json.h"

namespace tillwatch::connectors {
namespace {

// The texts and flags of one object, and those of objects within it under "outer.inner". Reads what truth_to_json writes, and
// no numbers, nulls or lists: a truth has none.
class Fields {
 public:
  std::map<std::string, std::string> texts;
  std::map<std::string, bool> flags;

  bool read(std::string_view line) {
    rest_ = line;
    if (!read_object("", 0)) return false;
    skip_space();
    return rest_.empty();
  }

 private:
  static constexpr int kDeepest = 1;

  bool read_object(const std::string& prefix, int depth) {
    if (depth > kDeepest || !take("{")) return false;
    if (take("}")) return true;
    do {
      std::string name;
      if (!read_text(name) || !take(":") || !read_value(prefix + name, depth)) return false;
    } while (take(","));
    return take("}");
  }

  bool read_value(const std::string& name, int depth) {
    skip_space();
    if (rest_.starts_with('{')) return read_object(name + ".", depth + 1);
    if (rest_.starts_with('"')) return read_text(texts[name]);
    const bool yes = take("true");
    if (!yes && !take("false")) return false;
    flags[name] = yes;
    return true;
  }

  bool read_text(std::string& text) {
    if (!take("\"")) return false;
    text.clear();
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() != '\\') {
        text += rest_.front();
        rest_.remove_prefix(1);
      } else if (!read_escape(text)) {
        return false;
      }
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // A backslash with what follows: a character that stands for itself, or \u00XX for a control character.
  bool read_escape(std::string& text) {
    if (rest_.starts_with("\\u00") && rest_.size() >= 6) {
      unsigned value = 0;
      const char* digits = rest_.data() + 4;
      if (std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2 || value >= 0x80) return false;
      text += static_cast<char>(value);
      rest_.remove_prefix(6);
      return true;
    }
    if (rest_.size() < 2 || std::string_view("\"\\/").find(rest_[1]) == std::string_view::npos) return false;
    text += rest_[1];
    rest_.remove_prefix(2);
    return true;
  }

  void skip_space() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\r')) rest_.remove_prefix(1);
  }

  bool take(std::string_view word) {
    skip_space();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::string_view rest_;
};

Status refuse(const std::string& message) { return fail(ErrorKind::invalid, "truth: " + message); }

Status take_text(const Fields& fields, const char* name, std::string& text) {
  const auto found = fields.texts.find(name);
  if (found == fields.texts.end()) return refuse(std::string("'") + name + "' must be a text");
  text = found->second;
  return {};
}

Status take_flag(const Fields& fields, const char* name, bool& flag) {
  const auto found = fields.flags.find(name);
  if (found == fields.flags.end()) return refuse(std::string("'") + name + "' must be true or false");
  flag = found->second;
  return {};
}

Status take_time(const Fields& fields, const char* name, TimeMs& time) {
  const auto found = fields.texts.find(name);
  const auto parsed = found == fields.texts.end() ? std::nullopt : parse_rfc3339(found->second);
  if (!parsed) return refuse(std::string("'") + name + "' must be a time with offset, as 2026-11-22T12:30:05+08:00");
  time = *parsed;
  return {};
}

Status take_key(const Fields& fields, std::map<std::string, std::string>& key) {
  constexpr std::string_view kPrefix = "key.";
  for (const auto& [name, value] : fields.texts) {
    if (name.starts_with(kPrefix)) key[name.substr(kPrefix.size())] = value;
  }
  if (key.empty()) return refuse("'key' must be an object of texts");
  return {};
}

}  // namespace

std::string truth_to_json(const Injected& injected) {
  std::string line;
  generation::JsonObject json(line);
  json.text("anomaly", injected.anomaly);
  json.text("rule", injected.rule);
  json.begin_object("key");
  for (const auto& [name, value] : injected.key) json.text(name, value);
  json.end_object();
  json.time("at", injected.at);
  json.text("expected_severity", injected.expected_severity);
  json.boolean("resolves", injected.resolves);
  json.text("resolution", injected.resolution);
  if (injected.resolves_at != 0) json.time("resolves_at", injected.resolves_at);
  json.text("note", injected.note);
  json.boolean("late", injected.late);
  json.finish();
  return line;
}

Expected<Injected> truth_from_json(std::string_view line) {
  Fields fields;
  if (!fields.read(line))
    return fail(ErrorKind::invalid, "truth: not a JSON object of texts and flags, as truth_to_json writes it");
  Injected injected;
  const Status checks[] = {
      take_text(fields, "anomaly", injected.anomaly),
      take_text(fields, "rule", injected.rule),
      take_key(fields, injected.key),
      take_time(fields, "at", injected.at),
      take_text(fields, "expected_severity", injected.expected_severity),
      take_flag(fields, "resolves", injected.resolves),
      take_text(fields, "resolution", injected.resolution),
      take_text(fields, "note", injected.note),
      !fields.texts.contains("resolves_at") ? Status{} : take_time(fields, "resolves_at", injected.resolves_at),
      take_flag(fields, "late", injected.late)};
  for (const Status& check : checks) {
    if (!check) return std::unexpected(check.error());
  }
  return injected;
}

Status TruthFile::write(const std::vector<Injected>& truth) const {
  std::ofstream file(path_, std::ios::binary | std::ios::trunc);
  for (const Injected& injected : truth) file << truth_to_json(injected) << '\n';
  file.close();
  if (!file) return fail(ErrorKind::unavailable, "cannot write " + path_ + ": " + std::strerror(errno));
  return {};
}

Expected<std::vector<Injected>> TruthFile::read() const {
  std::ifstream file(path_, std::ios::binary);
  if (!file) return fail(ErrorKind::unavailable, "cannot open " + path_ + ": " + std::strerror(errno));
  std::vector<Injected> truth;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    Expected<Injected> injected = truth_from_json(line);
    if (!injected) return fail(ErrorKind::invalid, path_ + ":" + std::to_string(number) + ": " + injected.error().message);
    truth.push_back(std::move(*injected));
  }
  if (file.bad()) return fail(ErrorKind::unavailable, "cannot read " + path_ + ": " + std::strerror(errno));
  return truth;
}

}  // namespace tillwatch::connectors
