#include "engine/rule_explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/base/words.h"
#include "engine/text_layout.h"
#include "rules/language/wording.h"

namespace tillwatch::engine {
namespace {

using rules::CheckedRule;
using rules::duration_text;
using rules::Expression;
using rules::Step;
using rules::Wording;

std::string_view severity_name(rules::Severity severity) {
  constexpr std::array<std::string_view, 5> kNames = {"info", "low", "medium", "high", "critical"};
  return kNames[static_cast<size_t>(severity)];
}

// A heading and its lines, each wrapped; nothing when there are none.
class Section {
 public:
  explicit Section(std::string heading) : heading_(std::move(heading)) {}
  void add(const std::string& line) { lines_ += wrapped(line, 4, "  - "); }
  std::string text() const { return lines_.empty() ? "" : "\n" + heading_ + "\n" + lines_; }

 private:
  std::string heading_, lines_;
};

class Explainer {
 public:
  Explainer(const rules::CompiledRule& compiled, const rules::CompiledBundle& bundle)
      : compiled_(compiled),
        rule_(*compiled.source),
        schema_(bundle.source.schema),
        cost_(rules::cost_of(compiled, bundle)),
        words_(rule_, schema_, Wording::Style::words) {}

  std::string text() const { return header() + waits_for() + works_out() + fires() + says() + ends() + keeps(); }

 private:
  static std::string a(const std::string& thing) {
    return (std::string_view("aeiou").find(thing.empty() ? 'x' : thing[0]) != std::string_view::npos ? "an " : "a ") + thing;
  }
  static std::string capital(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
  }

  std::string source() const {
    return rule_.stream >= 0 ? words_.stream_name(rule_.stream) : "new row of the table " + words_.table_name(rule_.table);
  }

  std::string header() const {
    std::string text = fmt::format("{}, version {}", rule_.name, rule_.version);
    if (rule_.mode == rules::Mode::shadow) text += " (shadow: computed, not sent)";
    text += "\n";
    if (rule_.title_en != rule_.name) text += wrapped(rule_.title_en + " / " + rule_.title_zh, 0);
    if (!rule_.doc.empty()) text += "\n" + wrapped(rule_.doc, 0);
    return text;
  }

  // The view's own condition said with it: an analyst thinks of debits, the topic holds transactions.
  std::string view_condition() const {
    if (rule_.stream < 0) return "";
    const rules::Stream& stream = schema_.streams[static_cast<size_t>(rule_.stream)];
    const rules::Stream& root = schema_.root(rule_.stream);
    const std::string thing = root.record < 0 ? a(root.name)
                                              : fmt::format("an element of the {} of {}", root.array,
                                                            a(schema_.streams[static_cast<size_t>(root.record)].name));
    if (!stream.select) return root.record < 0 ? "" : ": " + thing;
    const Expression* select = stream.select.get();
    if (select->node == rules::Node::field && root.fields[static_cast<size_t>(select->index)].computed) {
      select = root.fields[static_cast<size_t>(select->index)].computed.get();
    }
    return fmt::format(": {} where {}", thing, words_.about_stream(rule_.stream).of(*select));
  }

  std::string waits_for() const {
    Section section("What it looks at");
    const Wording own = rule_.stream >= 0 ? words_.about_stream(rule_.stream) : words_.about_table(rule_.table);
    section.add(fmt::format("Every {}{}.", source(), view_condition()));
    if (rule_.where) section.add(fmt::format("Only those where {}.", own.of(*rule_.where)));
    for (const auto& each : rule_.except) section.add(fmt::format("Not those where {}.", own.of(*each)));
    std::string key;
    for (const rules::KeyPart& part : rule_.key) key += (key.empty() ? "" : ", ") + part.name;
    section.add(fmt::format("Each {} for itself: what has the same is looked at together.", key));
    return section.text();
  }

  std::string works_out() const {
    Section section("What it works out");
    for (const rules::Fact& fact : rule_.facts) {
      std::string line = fmt::format("{}: {}", fact.name, words_.of(*fact.value));
      if (fact.otherwise == rules::Fact::Otherwise::skip) line += "; when there is none, the rule stops here";
      if (fact.otherwise == rules::Fact::Otherwise::wait)
        line += fmt::format("; when there is none, it waits up to {} for it", duration_text(fact.wait));
      section.add(line + ".");
    }
    return section.text();
  }

  std::string by(const std::vector<int32_t>& fields, int32_t stream) const {
    std::string text;
    for (size_t i = 0; i < fields.size() && i < rule_.key.size(); ++i) {
      const std::string& name = schema_.root(stream).fields[static_cast<size_t>(fields[i])].name;
      text +=
          (text.empty() ? "" : ", ") + (name == rule_.key[i].name ? name : fmt::format("{} (its {})", rule_.key[i].name, name));
    }
    return text;
  }

  std::string window(const Step& step) const {
    const std::string to = step.to ? words_.of(*step.to) : "0s";
    if (!step.from || (step.from->node == rules::Node::literal && step.from->value.i == 0))
      return fmt::format("within {} after it", to);
    const std::string from = words_.of(*step.from);
    if (from.starts_with('-')) return fmt::format("from {} before it to {} after it", from.substr(1), to);
    return fmt::format("from {} to {} after it", from, to);
  }

  void add_step(Section& section, const Step& step) const {
    const std::string name = words_.stream_name(step.stream);
    std::string line =
        fmt::format("{} {} of the same {}{}", "Then", step.absent ? "no " + name : a(name), by(step.by, step.stream),
                    step.where ? " where " + words_.about_stream(step.stream).of(*step.where) : "");
    line += fmt::format(" {} {}", step.absent ? "may have come" : "must come", window(step));
    if (step.take_one) line += "; each serves one trigger, the nearest first";
    if (step.until >= 0) line += fmt::format("; {} ends the wait early", a(words_.stream_name(step.until)));
    if (step.grace > 0) line += fmt::format("; late reports are waited for {} longer", duration_text(step.grace));
    if (step.has_severity) line += fmt::format("; its severity is then {}", severity_name(step.severity));
    section.add(line + ".");
  }

  std::string fires() const {
    Section section("When it fires");
    std::string line = rule_.when ? fmt::format("When {}", words_.of(*rule_.when)) : std::string("At every one of them");
    if (rule_.held_for > 0) line += fmt::format(", and that stays so for {}", duration_text(rule_.held_for));
    line += rule_.steps.empty() ? "; at once" : ", the steps follow";
    section.add(line + ".");
    for (const Step& step : rule_.steps) add_step(section, step);
    for (const rules::SeverityCase& each : rule_.severity) {
      section.add(each.when ? fmt::format("Severity {} when {}.", severity_name(each.severity), words_.of(*each.when))
                            : fmt::format("{} {}.", rule_.severity.size() == 1 ? "Severity" : "Otherwise severity",
                                          severity_name(each.severity)));
    }
    return section.text();
  }

  std::string says() const {
    Section section("What it says");
    if (!rule_.message_en.empty()) section.add(Wording(rule_, schema_, Wording::Style::code).of(rule_.message_en));
    if (rule_.emit.stream >= 0) {
      section.add(fmt::format("An event of the stream {}{}.", words_.stream_name(rule_.emit.stream),
                              compiled_.emit_settled ? ", once nothing can change it any more" : ", at once"));
    }
    if (compiled_.alerts && rule_.quiet > 0) {
      section.add(fmt::format(
          "A further hit of the same key within {} of the last counts on the same alert; later ones begin a new one.",
          duration_text(rule_.quiet)));
    } else if (compiled_.alerts && !rule_.steps.empty()) {
      section.add("Each event whose steps come out so is an alert of its own.");
    } else if (compiled_.alerts) {
      section.add("Further hits of the same key count on the same alert while it is open.");
    }
    return section.text();
  }

  std::string ends() const {
    Section section("What ends it");
    for (const rules::ResolveWay& way : rule_.resolve) {
      const Wording resolved = words_.resolved_by(way);
      std::string line;
      if (way.stream >= 0)
        line = fmt::format("{} of the same {}", capital(a(words_.stream_name(way.stream))), by(way.by, way.stream));
      if (way.table >= 0) line = fmt::format("A new row of {} that it looked up", words_.table_name(way.table));
      if (way.where) line += fmt::format(" where {}", resolved.of(*way.where));
      if (way.when) line += fmt::format("{} {}", line.empty() ? "When" : ", when", resolved.of(*way.when));
      if (way.held_for > 0) line += fmt::format(" for {}", duration_text(way.held_for));
      if (way.after > 0) line = fmt::format("{} without a further hit: it expires", duration_text(way.after));
      if (!way.reason.empty()) line += fmt::format("; reason: {}", resolved.of(way.reason));
      section.add(line + ".");
    }
    if (compiled_.alerts && rule_.resolve.empty()) section.add("Nothing: it stays open.");
    return section.text();
  }

  std::string keeps() const {
    Section section("What it keeps and costs");
    if (cost_.kept.empty()) section.add("It keeps nothing.");
    for (const rules::KeptInput& each : cost_.kept) {
      section.add(fmt::format("Per key, each {} for {}: {} bytes{}.", each.name, duration_text(each.keep), each.event_bytes,
                              each.texts > 0 ? " and " + counted(each.texts, "text") : ""));
    }
    if (compiled_.alerts)
      section.add(fmt::format("Per alert that is open or awaited: {} bytes and its texts.", cost_.alert_bytes));
    section.add(
        fmt::format("Per event: {} before it is routed; then {}, {} and {}{}.", counted(cost_.filter_steps, "step"),
                    counted(cost_.trigger_steps, "step"), counted(cost_.lookups, "look-up"), counted(cost_.windows, "window"),
                    cost_.windows > 0 ? fmt::format(", {} for each event in them", counted(cost_.window_steps, "step")) : ""));
    return section.text();
  }

  const rules::CompiledRule& compiled_;
  const CheckedRule& rule_;
  const rules::Schema& schema_;
  const rules::RuleCost cost_;
  const Wording words_;
};

}  // namespace

std::string explain_rule(const rules::CompiledRule& rule, const rules::CompiledBundle& bundle) {
  return Explainer(rule, bundle).text();
}

std::string cost_line(const rules::RuleCost& cost) {
  const std::string work = fmt::format("{} an event", counted(cost.filter_steps + cost.trigger_steps, "step"));
  if (cost.kept.empty()) return "keeps nothing; " + work;
  DurationMs longest = 0;
  size_t largest = 0;
  for (const rules::KeptInput& each : cost.kept) {
    longest = std::max(longest, each.keep);
    largest = std::max(largest, each.event_bytes);
  }
  const std::string windows =
      cost.windows > 0 ? fmt::format(", {} in {}", counted(cost.window_steps, "step"), counted(cost.windows, "window")) : "";
  return fmt::format("a key keeps events of up to {} bytes for {}; {}{}", largest, duration_text(longest), work, windows);
}

}  // namespace tillwatch::engine
