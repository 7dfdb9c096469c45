#include "rules/language/vocabulary.h"

#include <algorithm>

namespace tillwatch::rules {

const std::vector<AggregateRow>& aggregate_rows() {
  static const std::vector<AggregateRow> rows = {
      {"count", Aggregation::count, false, "count(STREAM [where CONDITION] over D) -> int", "How many events there were.",
       "count(this over 10m)"},
      {"sum", Aggregation::sum, false, "sum(VALUE of STREAM [where CONDITION] over D) -> as VALUE",
       "Their values added up; 0 when there is none.", "sum(amount of this over 1d)"},
      {"avg", Aggregation::average, false, "avg(VALUE of STREAM [where CONDITION] over D) -> decimal? or money?",
       "The mean; missing when there is none.", "avg(amount of this over 30d)"},
      {"min", Aggregation::minimum, true, "min(VALUE of STREAM [where CONDITION] over D) -> as VALUE?",
       "The lowest value; missing when there is none.", "min(occurred_at of this over 5m)"},
      {"max", Aggregation::maximum, true, "max(VALUE of STREAM [where CONDITION] over D) -> as VALUE?",
       "The highest value; missing when there is none.", "max(amount of this over 30d)"},
      {"distinct", Aggregation::distinct, false, "distinct(VALUE of STREAM [where CONDITION] over D) -> int",
       "How many different values there were.", "distinct(terminal_id of this over 1h)"},
      {"ratio", Aggregation::ratio, false, "ratio(CONDITION of STREAM [where CONDITION] over D) -> decimal?",
       "The share of events for which the first condition holds; missing when there is none. Ask for a least count beside it.",
       "ratio(status == declined of txn over 1h)"},
      {"first", Aggregation::first, false, "first([VALUE of] STREAM [where CONDITION] over D) -> event? or as VALUE?",
       "The earliest event, the current one left out, or its value.", "first(this over 1d)"},
      {"last", Aggregation::last, false, "last([VALUE of] STREAM [where CONDITION] over D) -> event? or as VALUE?",
       "The latest event, the current one left out, or its value.", "last(amount of this over 1d)"},
      {"streak", Aggregation::streak, false, "streak(CONDITION of STREAM [where CONDITION] over D) -> int",
       "For how many events in a row, up to the latest, the first condition holds.", "streak(amount > 100 of this over 30d)"},
      {"quantile", Aggregation::quantile, false, "quantile(LEVEL, VALUE of STREAM [where CONDITION] over D) -> as VALUE?",
       "The least value that LEVEL of the events do not exceed (nearest rank, exact); missing when there is none.",
       "quantile(95%, amount of this over 7d)"},
      {"top", Aggregation::top, false, "top(VALUE of STREAM [where CONDITION] over D) -> as VALUE?",
       "The value that is there most often, of several the least; missing when there is none.", "top(mcc of this over 7d)"},
      {"usual", Aggregation::usual, false, "usual(AGGREGATE, DAYS) -> decimal?, money? or duration?",
       "The mean of an aggregate as it stood at this time of each of the last days; days before the key's first event do not "
       "count, and with fewer than three it is missing.",
       "usual(count(this over 1h), 7d)"},
  };
  return rows;
}

const std::vector<OperatorRow>& operator_rows() {
  static const std::vector<OperatorRow> rows = {
      {"or", Op::op_or, false, "At least one of both. Beside `and` it needs parentheses.", "d.amount > 100 or has(d.order_no)"},
      {"and", Op::op_and, false, "Both.", "d.amount > 100 and has(d.order_no)"},
      {"not", Op::op_not, false, "The opposite.", "not has(d.order_no)"},
      {"==", Op::equal, true, "The same value. Text keeps its zeros; values of an enum stand without quotes.",
       "d.mcc == \"0742\""},
      {"!=", Op::not_equal, true, "Another value.", "d.card_type != credit"},
      {"<", Op::less, true, "Less: numbers, money of one currency, times, durations.", "d.amount < 100_00"},
      {"<=", Op::less_equal, true, "At most.", "d.amount <= 100_00"},
      {">", Op::greater, true, "More.", "d.amount > 100_00"},
      {">=", Op::greater_equal, true, "At least.", "d.amount >= 100_00"},
      {"in", Op::in, true, "One of a list, a list of the schema or a field that is a list; `not in`: none of it.",
       "d.mcc in [\"5812\", \"5814\"]"},
      {"matches", Op::matches, true, "The whole or a part of the text fits the regular expression (RE2).",
       "d.mcc matches \"^58\""},
      {"ends_with", Op::ends_with, true, "The text ends so.", "d.merchant_id ends_with \"001\""},
      {"??", Op::none, false, "The value, or this one where it is missing.", "(d.order_no ?? \"\") == \"7\""},
      {"+", Op::plus, false, "Numbers, money of one currency, durations; a time and a duration.", "d.amount + 100 > 200"},
      {"-", Op::minus, false, "The same; two times give a duration.", "d.amount - 100 > 200"},
      {"*", Op::times, false, "Numbers; money and a number, rounded half up.", "d.amount * 2 > 200"},
      {"/", Op::divide, false,
       "Numbers, money and a number, money and money. By zero the event is skipped and counted; div(a, b) gives a missing "
       "value instead.",
       "d.amount / 2 > 200"},
  };
  return rows;
}

const OperatorRow* find_comparison(std::string_view text) {
  const auto& rows = operator_rows();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const OperatorRow& row) { return row.comparison && row.text == text; });
  return found == rows.end() ? nullptr : &*found;
}

const std::vector<KeyRow>& rule_keys() {
  using Shape = KeyRow::Shape;
  static const std::vector<KeyRow> rows = {
      {"rule", Shape::text, "The rule's name: small letters and digits, words joined by hyphens.", {}},
      {"version", Shape::number, "A whole number from 1; it rises when the rule changes.", {}},
      {"mode", Shape::choice, "live, shadow (computed and kept, not sent) or off.", {"live", "shadow", "off"}},
      {"title", Shape::mapping, "What people read first, in English and Chinese: {en: …, zh: …}.", {}},
      {"doc", Shape::text, "One sentence: what the rule watches for.", {}},
      {"owner", Shape::text, "The team that answers for it.", {}},
      {"labels", Shape::mapping, "Names and texts that go with the alert; {expressions} may stand in them.", {}},
      {"on",
       Shape::text,
       "The stream a rule starts from, with a name for its event: `debit as d`; or a table, whose new rows start it.",
       {}},
      {"where",
       Shape::condition,
       "On that event alone; bare names are its fields. What does not fit is dismissed at little cost.",
       {}},
      {"key", Shape::list, "The fields that state and alerts are kept per.", {}},
      {"except", Shape::list, "Allow-lists: when one of these conditions on the event holds, the event is ignored.", {}},
      {"let",
       Shape::mapping,
       "Facts, worked out in order when the event arrives; `else skip` stops where one is missing, `else wait 60s` tries "
       "again.",
       {}},
      {"when", Shape::condition, "On the facts: whether the rule goes on. Without it, always.", {}},
      {"for", Shape::duration, "`when` must stay true so long.", {}},
      {"then", Shape::steps, "Steps in order: events that must come, or must not.", {}},
      {"severity",
       Shape::mapping,
       "info, low, medium, high or critical; or a mapping of severities to conditions that ends with `else`.",
       {}},
      {"quiet", Shape::duration, "A further hit so soon after the last counts on the same alert.", {}},
      {"fold", Shape::expression, "A row of a table that explains the alert: it is counted there and not raised.", {}},
      {"limit",
       Shape::text,
       "So many alerts in a time, by fields: `50 per 10m by issuer_id`; the rest become one summary.",
       {}},
      {"resolve", Shape::ways, "What ends the alert.", {}},
      {"emit",
       Shape::mapping,
       "An event of a derived stream: {stream: …, fields: {…}}; or the open alert as a row: {table: …}.",
       {}},
      {"message",
       Shape::mapping,
       "What the alert says, in English and Chinese, with {expressions} and formats such as {d.amount:money}.",
       {}},
      {"runbook", Shape::text, "Where it is written what to do.", {}},
  };
  return rows;
}

const std::vector<KeyRow>& step_keys() {
  using Shape = KeyRow::Shape;
  static const std::vector<KeyRow> rows = {
      {"event", Shape::text, "A stream, with a name for its event: one must come. `transaction as hit`", {}},
      {"absent", Shape::text, "A stream of which no event may come.", {}},
      {"where", Shape::condition, "On that event; bare names are its fields.", {}},
      {"by", Shape::text, "How that stream carries the rule's key: `original_id = txn_id`. Without it, by the same names.", {}},
      {"within",
       Shape::expression,
       "Until when, from the trigger on: `15m`; or around it: `[-10m, 5m]`, closed at both ends.",
       {}},
      {"until",
       Shape::text_or_mapping,
       "A stream of the same key: its event ends the wait early. Under other names: {event: STREAM, by: theirs = ours}.",
       {}},
      {"take", Shape::choice, "one: each event serves one trigger, nearest first.", {"one"}},
      {"grace", Shape::duration, "How much longer late reports are waited for.", {}},
      {"severity", Shape::choice, "The alert's severity from this step on.", {"info", "low", "medium", "high", "critical"}},
  };
  return rows;
}

const std::vector<KeyRow>& way_keys() {
  using Shape = KeyRow::Shape;
  static const std::vector<KeyRow> rows = {
      {"on", Shape::text, "A stream or table whose event or new row may end the alert.", {}},
      {"where", Shape::condition, "On that event or row; bare names are its fields.", {}},
      {"when", Shape::condition, "On the alert's facts and windows as they are then.", {}},
      {"by", Shape::text, "How that stream carries the rule's key.", {}},
      {"for", Shape::duration, "`when` must stay true so long.", {}},
      {"after", Shape::duration, "It expires so long after the last hit.", {}},
      {"reason", Shape::text, "Why it ended, as the alert says it; {expressions} may stand in it.", {}},
  };
  return rows;
}

const std::vector<KeyRow>& stream_keys() {
  using Shape = KeyRow::Shape;
  static const std::vector<KeyRow> rows = {
      {"topic", Shape::text, "Where its records come from.", {}},
      {"from", Shape::text, "The stream it is a view of.", {}},
      {"derived", Shape::text, "`true`: rules make its events (`emit`).", {}},
      {"time", Shape::text, "The field with the event time.", {}},
      {"id", Shape::list, "The fields that identify an event: a repeat has the same.", {}},
      {"unique", Shape::list, "Sets of fields of which no two events have the same values: `[[txn_id], [batch, stan]]`.", {}},
      {"lateness", Shape::duration, "How much later than its neighbours in a partition a record may come and be in time.", {}},
      {"accept", Shape::text, "How late an event may still start a rule, and which: `24h where offline`.", {}},
      {"feed", Shape::text, "The name of the feed in alerts about its silence.", {}},
      {"dark_after", Shape::number, "So many decisions may hang on the feed's silence before it counts as dark.", {}},
      {"dark_hold", Shape::duration, "How long they are held then.", {}},
      {"fields",
       Shape::mapping,
       "Names and types: `amount: money(amount_minor, currency)`, `stan: string? @ \"trace.no\"`.",
       {}},
      {"computed", Shape::mapping, "Fields worked out from the others.", {}},
  };
  return rows;
}

const std::vector<KeyRow>& view_keys() {
  using Shape = KeyRow::Shape;
  static const std::vector<KeyRow> rows = {
      {"from", Shape::text, "The stream it is a view of.", {}},
      {"select", Shape::condition, "Which events of that stream.", {}},
      {"each", Shape::text, "The path of an array in its records: an event for each element, with the fields of both.", {}},
      {"fields", Shape::mapping, "With `each`: those of an element; \".\" is the path of one that is no object.", {}},
      {"computed", Shape::mapping, "With `each`: fields worked out from the others.", {}},
      {"id", Shape::list, "An identity of its own: a repeat has the same.", {}},
      {"unique", Shape::list, "Sets of fields of which no two events have the same values.", {}},
  };
  return rows;
}

const std::vector<KeyRow>& table_keys() {
  using Shape = KeyRow::Shape;
  static const std::vector<KeyRow> rows = {
      {"topic", Shape::text, "Where its rows come from.", {}},
      {"derived", Shape::text, "`true`: open alerts are its rows (`emit: {table: …}`).", {}},
      {"key", Shape::list, "The columns a row is looked up by.", {}},
      {"valid", Shape::list, "The columns with a version's beginning and end: `[effective_from, effective_to]`.", {}},
      {"columns", Shape::mapping, "Names and types, as fields of a stream.", {}},
  };
  return rows;
}

}  // namespace tillwatch::rules
