#include "rules/language/codes.h"

#include <algorithm>

namespace tillwatch::rules {
namespace {

const std::vector<CodeEntry>& table() {
  static const std::vector<CodeEntry> entries = {
      {"C001", "a setting with a value it cannot have", "The message says which values it takes."},
      {"C002", "a variable of the environment that is not set",
       "`${NAME}` stands for a variable of the environment; nothing is assumed for one that is not set."},
      {"C003", "settings that contradict each other", "The message names both."},
      {"C005", "a configuration that cannot be read", "The file is away or may not be read, or it is no mapping."},
      {"E001", "not valid YAML",
       "The file cannot be read as YAML from the marked place on. Most often the indentation is uneven, or a value holds `: ` "
       "or ` #`, or "
       "begins with one of [ { * & % ! or a quote: put such a value in quotes. Other documents of the file are still checked."},
      {"E002", "a key is given twice",
       "In a mapping each key stands once. YAML readers differ in which one they take, so neither is."},
      {"E003", "an unknown key",
       "Only the keys of rules.md are read; anything else is most often a typing mistake, and a rule that silently ignored it "
       "would not do what "
       "it says."},
      {"E004", "a key that is needed is not there", "The message names the key and what it is for."},
      {"E005", "a value of the wrong shape",
       "Text, a list (`- a` lines or `[a, b]`) or a mapping (`key: value` lines or `{key: value}`) stands where another is "
       "needed."},
      {"E006", "a file that cannot be read", "It is away, may not be read, or is not UTF-8 text."},
      {"E007", "a limit is reached",
       "Files, nesting, aliases, facts, steps and fields have limits, so that no file can exhaust the engine. The message "
       "names the limit."},
      {"E008", "an anchor, alias or tag that cannot be used",
       "`&name` marks a value and `*name` repeats it further down in the same file. YAML tags (`!!str`) are not used: the "
       "declared type "
       "decides how a value is read."},
      {"E009", "a value that is not allowed here", "The message says which values are."},
      {"E010", "a character the language does not know",
       "Expressions are made of names, numbers, \"text\" and operators. Full-width signs of a Chinese input method look alike "
       "and are not."},
      {"E011", "an expression ends or goes on where it should not",
       "A value, an operator or a closing bracket is missing, or is one too many."},
      {"E012", "a number that cannot be read",
       "Numbers are written 12_000, 3.5, 2%, 35bp, 90s. Text of digits needs quotes: \"0742\". Decimals have nine places and "
       "reach to 9.2 billion."},
      {"E013", "an operator of another language",
       "`and`, `or`, `not`, `==`, `<=`, `>=` and `if(condition, a, b)` are written so."},
      {"E014", "`and` and `or` mixed without parentheses",
       "Languages differ in which goes first, so readers do too. Write `(a and b) or c`."},
      {"E015", "a chain of comparisons", "Write `a < b and b < c`."},
      {"E016", "a duration is missing or wrong", "A duration is a whole number and a unit: 250ms, 90s, 10m, 24h, 30d."},
      {"E017", "an aggregate without a time window",
       "Every aggregate says how far back it looks: `count(this over 10m)`. The window bounds the state kept per key."},
      {"E018", "a step without a time limit",
       "Every step of `then` says until when: `within: 5m`, or `within: [-10m, 5m]` around the trigger. Without a limit "
       "nothing could be found missing."},
      {"E019", "an expression that is too long or too deep", "Give its parts names in `let`."},
      {"E020", "an unknown name",
       "In `where`, and inside an aggregate, bare names are the fields of the event under test; facts and NAME.field of the "
       "rule's events can be "
       "used as well. Elsewhere names are facts, and fields are written NAME.field with the name given by `as`."},
      {"E021", "an unknown value of an enum", "Values of an enum are bare words out of the list in the schema."},
      {"E022", "a value that may be missing is used as if it were there",
       "A field declared with `?`, a row looked up in a table, and some aggregates may be missing. Give a default (`x ?? 0`), "
       "test it before "
       "(`has(x) and x > 3`, `if(has(x), x, 0)`), or end the fact with `else skip` or `else wait 60s`."},
      {"E023", "an unknown list", "Lists are declared under `lists` in the schema and written `lists.NAME`."},
      {"E024", "a stream or event where a value is needed",
       "Name one of its fields. Streams as such stand only inside aggregates: `count(debit over 1d)`."},
      {"E025", "a table that is not looked up",
       "Write `merchants[d.merchant_id].mcc`, or make the row a fact: `m: merchants[d.merchant_id]`."},
      {"E026", "a field of something that has none", "Only events and rows of tables have fields."},
      {"E027", "a look-up in something that is no table", "`[ ]` behind a name looks a row up in a table of the schema."},
      {"E028", "a look-up with the wrong number of values", "A table is looked up by all columns of its `key`, in that order."},
      {"E029", "a default for a value that is never missing", "Take the `??` or `else` away, or declare the field with `?`."},
      {"E030", "types that do not fit",
       "Both sides are of one type; int and decimal go together, and a number written beside money counts minor units."},
      {"E031", "a condition is needed", "The value is not true or false. Compare it with something."},
      {"E032", "a value of an enum in quotes", "Values of an enum are written without quotes: `status == approved`."},
      {"E033", "an operator that has no meaning for a type",
       "Numbers, money, times and durations are ordered; text and enums are only equal or not."},
      {"E034", "`in` without a list, or a list without `in`",
       "On the right of `in` stands `[a, b]`, `lists.NAME` or a field of type list(string)."},
      {"E035", "a computation that has no meaning",
       "money + money, money * number, money / money, time - time, time + duration and the like have one; money + int has "
       "none, unless the int is "
       "written as a number, which then counts minor units."},
      {"E036", "a function with the wrong arguments", "The note shows what it takes."},
      {"E037", "an unknown function", "The functions are those of the reference; there are no user functions."},
      {"E038", "an unknown stream",
       "Streams are declared under `streams` in the schema. Inside aggregates `this` means the rule's own triggers."},
      {"E039", "an aggregate over the wrong kind of value",
       "`count` takes no value, `ratio` and `streak` take a condition, `sum` and `avg` something that can be added, `min` and "
       "`max` something ordered."},
      {"E040", "a stream that does not carry the rule's key",
       "A rule has one key, and every stream it reads must carry it, by the same names or by `by: theirs = ours`. Inside "
       "aggregates only the same names "
       "count: give the stream a computed field in the schema, or emit a derived stream with the right key."},
      {"E041", "a key of another type", "The field that carries the key must be of the key's type."},
      {"E042", "a source or `by` that cannot be read", "Write `debit as d`, and `by: original_id = txn_id, merchant_id`."},
      {"E043", "a name that is taken",
       "Facts must not be called like fields of the trigger, and names given by `as` not like fields of the rule's streams: "
       "bare names are fields "
       "first."},
      {"E044", "`elapsed` where it is not known, or not compared plainly",
       "The time since the trigger is known in `severity`, `resolve`, `labels` and `message`. In conditions it is compared "
       "with a "
       "duration or a fact (`elapsed >= 5m`), so that the moment at which the answer changes is known beforehand."},
      {"E045", "an aggregate or look-up where none can stand",
       "`where`, `except` and computed fields look at one event alone, so that most events are dismissed cheaply. Make it a "
       "fact in `let` and test it "
       "in `when`."},
      {"E046", "nothing to wait for",
       "`else wait` tries again when a table or stream has moved; this value depends on neither. Write `else skip`."},
      {"E047", "a pattern that cannot be used",
       "`matches` takes a regular expression of RE2 in quotes. RE2 has no back references and no look-around."},
      {"E048", "a key of a type that cannot be one",
       "Keys are numbers, money, text, enums, times or true/false. Columns of a table's key are never missing."},
      {"E050", "a message without one of the languages", "Messages are written in English (`en`) and Chinese (`zh`)."},
      {"E051", "a value that cannot be written so",
       "Formats are money, time, duration, percent and bp, each for its type: `{d.amount:money}`."},
      {"E052", "a brace that does not fit",
       "`{expression}` or `{expression:format}` stands in texts; a brace itself is written twice."},
      {"E053", "a severity that is missing or unknown",
       "Severities are info, low, medium, high and critical. A map ends with `else`."},
      {"E054", "an emission that does not fit its stream",
       "Only streams and tables declared `derived: true` can be emitted into, with all fields that are not optional. An open "
       "alert is "
       "a row of its table, so the table has the key of the rule. It is looked up in `let` and `fold`."},
      {"E055", "rules that feed each other in a circle", "A rule must not read, directly or through others, what it emits."},
      {"E056", "a rule that does nothing", "A rule raises alerts (`message`), makes events (`emit`), or both."},
      {"E057", "a name that cannot be used",
       "Rules are words joined by hyphens; fields, facts, streams, tables and labels are letters, digits and underscores."},
      {"E058", "personal data that would lose its mark",
       "A value from a field marked `pii` may only go into a field marked `pii`, so that it stays masked."},
      {"E059", "a fold or limit that cannot be read",
       "`fold: TABLE[key]` names a table that rules make (`derived: true`); `limit: 50 per 10m by issuer_id` says how many "
       "alerts of "
       "each issuer are raised one by one in ten minutes."},
      {"E060", "a type the schema cannot read",
       "Types: bool int decimal money string enum(…) time duration geo tariff list(string); then `?`, `pii`, `@ \"path\"`."},
      {"E061", "money without its paths",
       "Write `money(amount_minor, currency)`: the paths of the minor units and the currency in the record. Where the record "
       "has no currency, name "
       "it: `money(amount_minor, CNY)`."},
      {"E062", "a time that is none", "The event time of a stream and the validity of a table's rows are of type `time`."},
      {"E063", "a name declared twice",
       "Streams and tables share one space of names over all schema files; rules have names of their own."},
      {"E064", "a list file that cannot be read",
       "One value a line, `#` begins a comment; its name is relative to the folder of the schema file."},
      {"E065", "a view that comes from itself", "`from` leads to a stream with a topic, or to a derived one."},
      {"E066", "an `each` that cannot be opened",
       "`each` names an array of objects in the records of a stream with a topic, by its path; the view's `fields` are those "
       "of an "
       "element. An array is opened by one view, and other views come from that one. What a view opens is no field of the "
       "stream."},
      {"E079", "a test file without its rule", "The cases of rule NAME are in NAME.test.yaml, in the same folder."},
      {"E080", "a test file without cases", "Its top level has `cases:`, and beside it `base`, `tables` and `rules`."},
      {"E081", "a value of the wrong shape in a test file", "The message says whether a list or a mapping is needed."},
      {"E082", "an unknown key in a test file", "The note lists the keys that are known there."},
      {"E083", "a time that cannot be read",
       "Times of a case are written \"10:00\", \"10:00:00.001\", \"d1 10:00\" (the next day), \"+30s\" (after the step before) "
       "or in full as "
       "RFC 3339."},
      {"E084", "a case that expects nothing, not even nothing",
       "`expect:` is the complete list of what happens; `[]` says that nothing may."},
      {"E085", "a row of a table that is not there, or has no topic",
       "`tables:` and `{at, table, row}` name tables of the schema that come from a topic. The rows of a derived table are "
       "made by "
       "rules: name them in `rules:` and give the events they read."},
      {"E086", "a step without its time",
       "Each step of `given` says when it happens: `at:`, and `arrives:` when it reaches us later."},
      {"E087", "a step of something that is not read",
       "Steps are records of streams with a topic; views and derived streams follow from them."},
      {"E088", "an amount or duration that cannot be read",
       "Amounts are minor units with an optional currency: `12850`, `12850 USD`; durations as in rules."},
      {"E089", "an expectation of nothing",
       "Each entry of `expect` has one of `raise`, `update`, `resolve` and `expire`, with fields of the rule's key."},
      {"E090", "not available yet", "The language has it, this version does not run it yet."},
      {"E095", "a rule beyond what the engine can run",
       "The message names the limit: facts, inputs, steps, or a window that must be a constant."},
      {"W001", "a list that is never used", "Nothing reads it; perhaps a rule names another one."},
      {"W002", "a derived stream that nothing emits", "Rules read it, but it will stay empty."},
      {"W003", "a grace shorter than the stream's lateness", "Late reports that are still in time would come after the alert."},
      {"W004", "a ratio with no count beside it", "One failure of one attempt is 100 %. Ask for a least number as well."},
      {"W005", "a test that is always true", "`has(x)` of something that is never missing."},
  };
  return entries;
}

}  // namespace

const std::vector<CodeEntry>& codes() { return table(); }

const CodeEntry* find_code(std::string_view code) {
  const std::vector<CodeEntry>& entries = table();
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const CodeEntry& entry) { return entry.code == code; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace tillwatch::rules
