#include "rules/language/templates.h"

#include <algorithm>
#include <array>

#include "rules/language/names.h"

namespace tillwatch::rules {
namespace {

struct FormatRow {
  std::string_view name;
  Template::Format format;
  Kind kind;
};
constexpr std::array kFormats = std::to_array<FormatRow>({{"money", Template::Format::money, Kind::money},
                                                          {"time", Template::Format::time, Kind::time},
                                                          {"duration", Template::Format::duration, Kind::duration},
                                                          {"percent", Template::Format::percent, Kind::decimal},
                                                          {"bp", Template::Format::bp, Kind::decimal}});

bool can_be_printed(Kind kind) {
  return kind != Kind::geo && kind != Kind::list && kind != Kind::tariff && kind != Kind::row && kind != Kind::event;
}

class TemplateReader {
 public:
  TemplateReader(const PlacedText& text, const Scope& scope, ExpressionChecker& checker, Diagnostics& diagnostics)
      : placed_(text), text_(text.text()), scope_(scope), checker_(checker), diagnostics_(diagnostics) {}

  std::optional<Template> run() {
    bool good = true;
    while (at_ < text_.size()) {
      const char sign = text_[at_];
      if ((sign == '{' || sign == '}') && at_ + 1 < text_.size() && text_[at_ + 1] == sign) {
        literal_ += sign;
        at_ += 2;
      } else if (sign == '}') {
        diagnostics_.error("E052", "this `}` closes nothing", placed_.span(at_, at_ + 1))
            .helps.push_back("a brace in the text is written twice: `}}`");
        return std::nullopt;
      } else if (sign == '{') {
        const size_t close = closing();
        if (close == std::string_view::npos) {
          diagnostics_.error("E052", "this `{` is not closed", placed_.span(at_, at_ + 1))
              .helps.push_back("a brace in the text is written twice: `{{`");
          return std::nullopt;
        }
        flush();
        good = part(at_ + 1, close) && good;
        at_ = close + 1;
      } else {
        literal_ += sign;
        ++at_;
      }
    }
    flush();
    if (!good) return std::nullopt;
    return std::move(result_);
  }

 private:
  void flush() {
    if (literal_.empty()) return;
    result_.parts.push_back({std::move(literal_), nullptr, Template::Format::plain});
    literal_.clear();
  }

  // The brace that closes the one at `at_`; those inside quotes do not count.
  size_t closing() const {
    bool quoted = false;
    for (size_t at = at_ + 1; at < text_.size(); ++at) {
      if (text_[at] == '"') quoted = !quoted;
      if (text_[at] == '}' && !quoted) return at;
    }
    return std::string_view::npos;
  }

  // The last colon outside quotes, or `end`.
  size_t format_colon(size_t begin, size_t end) const {
    size_t colon = end;
    bool quoted = false;
    for (size_t at = begin; at < end; ++at) {
      if (text_[at] == '"') quoted = !quoted;
      if (text_[at] == ':' && !quoted) colon = at;
    }
    return colon;
  }

  bool part(size_t begin, size_t end) {
    const size_t colon = format_colon(begin, end);
    const FormatRow* format = nullptr;
    bool good = true;
    if (colon < end) {
      const std::string_view name = text_.substr(colon + 1, end - colon - 1);
      const auto found = std::find_if(kFormats.begin(), kFormats.end(), [&](const FormatRow& row) { return row.name == name; });
      good = found != kFormats.end();
      if (good) format = &*found;
      if (!good) report_format(std::string(name), colon + 1, end);
    }
    const ParseNodePtr node = parse_expression(placed_.part(begin, colon), diagnostics_);
    if (node == nullptr) return false;
    ExpressionPtr value = checker_.present_value(*node, scope_);
    if (value == nullptr || !good) return false;
    const Kind kind = value->type.kind;
    if (format != nullptr && kind != format->kind) {
      diagnostics_.error("E051",
                         "the format `" + std::string(format->name) + "` needs " + named(format->kind) + ", this is " +
                             checker_.shown(value->type),
                         node->span, checker_.shown(value->type));
      return false;
    }
    if (!can_be_printed(kind)) {
      diagnostics_.error("E051", "a value of type " + checker_.shown(value->type) + " cannot be written in a text", node->span)
          .helps.push_back("name one of its fields");
      return false;
    }
    result_.parts.push_back({"", std::move(value), format == nullptr ? Template::Format::plain : format->format});
    return true;
  }

  std::string named(Kind kind) const {
    Type type;
    type.kind = kind;
    return "a " + checker_.shown(type);
  }

  void report_format(const std::string& name, size_t begin, size_t end) {
    std::vector<std::string> names;
    for (const FormatRow& row : kFormats) names.emplace_back(row.name);
    suggest(diagnostics_.error("E051", "there is no format `" + name + "`", placed_.span(begin, end), "unknown format"), name,
            names, "formats");
  }

  const PlacedText& placed_;
  std::string_view text_;
  const Scope& scope_;
  ExpressionChecker& checker_;
  Diagnostics& diagnostics_;
  size_t at_ = 0;
  std::string literal_;
  Template result_;
};

}  // namespace

std::optional<Template> read_template(const PlacedText& text, const Scope& scope, ExpressionChecker& checker,
                                      Diagnostics& diagnostics) {
  return TemplateReader(text, scope, checker, diagnostics).run();
}

}  // namespace tillwatch::rules
