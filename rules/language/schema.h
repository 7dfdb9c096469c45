// What a schema file declares: streams (from topics, as views, or derived by rules), tables and lists.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/base/hash.h"
#include "engine/base/time.h"
#include "rules/language/syntax.h"

namespace tillwatch::rules {

struct EnumType {
  std::vector<std::string> names;  // `unknown` is always among them (appended when not declared): values never seen map to it
  int ordinal(std::string_view name) const;  // -1: not one of them
  int unknown() const { return ordinal("unknown"); }
};

// One field; nested records are flattened, the name is the dotted path ("original.txn_id").
struct Field {
  std::string name;
  Type type;
  std::string path;           // where in the JSON object: dotted; by default the name
  std::string currency_path;  // money(minor, currency): path of the currency; path is then that of the minor units
  std::string currency;       // money(minor, CNY): the currency itself ("CNY"), where the record carries none; else empty
  std::string currency_of;    // money(minor, currency of amount): the field of the record that has it (elements of an array only)
  ExpressionPtr computed;     // null: read from the record
  Span span;
};

struct Stream {
  enum class Origin : uint8_t { topic, view, elements, derived };
  std::string name;
  Origin origin = Origin::topic;
  std::string topic;                  // Origin::topic
  int32_t root = -1;                  // the stream whose fields this one has: itself, or the view's source (views of views: the root)
  // Origin::elements (`each: fee_lines`): an event for each element of an array of `record`'s records. `fields` begins with all
  // fields of the record, `record_fields` of them; paths of the others count from the element.
  int32_t record = -1;
  std::string array;                  // path of the array in the record
  size_t record_fields = 0;
  bool numbered = false;              // identity: that of the record and the element's place in the array
  ExpressionPtr select;               // view: condition on the root's event (views of views: all conditions)
  std::vector<Field> fields;          // empty for Origin::view (see root)
  int32_t time_field = -1;            // event time (index into the root's fields); -1 for derived streams
  std::vector<int32_t> id;            // fields that identify a fact (a repeat has the same); empty for derived streams
  std::vector<std::vector<int32_t>> unique;  // `unique: [[txn_id], …]`: at most one event has the same values of these fields
  DurationMs lateness = 0;
  DurationMs accept = 0;              // `accept: D where …`: this late it may still trigger, and holds no clock back
  ExpressionPtr accept_where;
  std::string feed;                   // name of the feed for dark detection: the topic's stream by default
  int64_t dark_after = 20;            // so many obligations decided by silence alone are allowed; more and the feed counts as dark
  DurationMs dark_hold = kHour;       // how long they are held then
  Span span;
};

struct Table {
  std::string name;
  std::string topic;
  std::vector<int32_t> key;      // columns
  std::vector<Field> columns;    // effective_from, effective_to?, recorded_at are always among them (added when not declared)
  int32_t valid_from = -1, valid_to = -1, recorded_at = -1;
  // Made by rules (`emit: {table: …}`): the derived streams that carry its rows, and what is folded into the alerts behind them.
  bool derived = false;
  int32_t rows_stream = -1, folds_stream = -1;
  Span span;
};

struct NamedList {
  std::string name;
  std::string file;
  std::unordered_set<std::string, TextHash, TextEqual> values;  // asked with a string_view, without a copy
  Span span;
};

struct Schema {
  std::vector<EnumType> enums;
  std::vector<Stream> streams;  // a view stands behind its source
  std::vector<Table> tables;
  std::vector<NamedList> lists;

  int find_stream(std::string_view name) const;  // -1: none
  int find_table(std::string_view name) const;
  int find_list(std::string_view name) const;
  const Stream& root(int stream) const { return streams[static_cast<size_t>(streams[static_cast<size_t>(stream)].root)]; }
  // The stream whose clock this one goes by: its root, or the stream whose records its root opens.
  int32_t clock_of(int stream) const { return root(stream).record >= 0 ? root(stream).record : root(stream).root; }
};
int find_field(const std::vector<Field>& fields, std::string_view name);  // -1: none

}  // namespace tillwatch::rules
