#include "engine/intake.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <exception>
#include <set>

#include "engine/base/hash.h"
#include "engine/base/mask.h"

namespace tillwatch::engine {
namespace {

size_t at(int index) { return static_cast<size_t>(index); }

bool is_wanted(const rules::CompiledBundle& bundle, size_t root) {
  const auto asked = [&](int stream) { return !bundle.by_stream[at(stream)].empty(); };
  return asked(static_cast<int>(root)) || std::any_of(bundle.views[root].begin(), bundle.views[root].end(), asked) ||
         !bundle.elements[root].empty();
}

constexpr size_t kExcerpt = 400;  // bytes of what was thrown that a letter shows
constexpr int kAttempts = 2;      // of a record by itself; its batch has failed once before

}  // namespace

Intake::Intake(const rules::CompiledBundle& bundle, const DecodeOptions& options, Watermarks& watermarks, Ledger& ledger,
               Exchange& exchange)
    : bundle_(bundle),
      options_(options),
      watermarks_(watermarks),
      ledger_(ledger),
      exchange_(exchange),
      streams_(bundle.source.schema.streams.size()),
      tables_(bundle.source.schema.tables.size()) {
  for (const rules::Subscription& subscription : bundle_.subscriptions) routes_.push_back(&ledger_.routes[subscription.name]);
}

std::vector<std::string> Intake::stream_topics(const rules::CompiledBundle& bundle) {
  std::set<std::string> topics;
  const rules::Schema& schema = bundle.source.schema;
  for (size_t i = 0; i < schema.streams.size(); ++i) {
    if (schema.streams[i].origin == rules::Stream::Origin::topic && is_wanted(bundle, i))
      topics.insert(schema.streams[i].topic);
  }
  return {topics.begin(), topics.end()};
}

std::vector<std::string> Intake::table_topics(const rules::CompiledBundle& bundle) {
  const std::vector<rules::Table>& tables = bundle.source.schema.tables;
  std::set<std::string> topics;
  for (size_t i = 0; i < tables.size(); ++i) {
    if (!tables[i].topic.empty() && bundle.table_used[i]) topics.insert(tables[i].topic);
  }
  return {topics.begin(), topics.end()};
}

Intake::InputPlan Intake::plan_for(const connectors::Partition& input) {
  const rules::Schema& schema = bundle_.source.schema;
  InputPlan plan;
  for (size_t stream = 0; stream < schema.streams.size(); ++stream) {
    const bool is_topic = schema.streams[stream].origin == rules::Stream::Origin::topic;
    if (is_topic && schema.streams[stream].topic == input.topic) plan.stream = static_cast<int>(stream);
  }
  for (size_t table = 0; table < schema.tables.size(); ++table) {
    if (bundle_.table_used[table] && schema.tables[table].topic == input.topic) plan.table = static_cast<int>(table);
  }
  if (plan.stream >= 0 && !streams_[at(plan.stream)].decoder) {
    StreamPlan& stream = streams_[at(plan.stream)];
    const rules::StreamShape& shape = bundle_.shapes[at(plan.stream)];
    std::vector<UsedElements> elements;
    for (const int each : bundle_.elements[at(plan.stream)]) {
      elements.push_back({each, bundle_.shapes[at(each)].used});
      streams_[at(each)].values.resize(bundle_.shapes[at(each)].fields.size());
    }
    stream.decoder = std::make_unique<Decoder>(Decoder::for_stream(schema, plan.stream, shape.used, options_, elements));
    stream.slots.resize(schema.streams[at(plan.stream)].fields.size());
    stream.values.resize(shape.fields.size());
  }
  if (plan.table >= 0 && !tables_[at(plan.table)].decoder) {
    StreamPlan& table = tables_[at(plan.table)];
    const size_t columns = schema.tables[at(plan.table)].columns.size();
    table.decoder =
        std::make_unique<Decoder>(Decoder::for_table(schema, plan.table, std::vector<bool>(columns, true), options_));
    table.slots.resize(columns);
  }
  plan.ledger = &ledger_.partitions[input.topic + "/" + std::to_string(input.number)];
  return plan;
}

void Intake::set_inputs(const std::vector<connectors::Partition>& inputs) {
  for (size_t i = inputs_.size(); i < inputs.size(); ++i) {
    plans_.push_back(plan_for(inputs[i]));
    inputs_.push_back(inputs[i]);
    watermarks_.add_input(static_cast<uint32_t>(i), inputs[i], plans_.back().stream);
  }
}

void Intake::take(const connectors::RecordBatch& batch, TimeMs wall) {
  for (const connectors::Record& record : batch.records()) {
    InputPlan& plan = plans_[record.input];
    if (careful_) {
      take_alone(record, plan, wall);
    } else {
      take_one(record, plan, wall);
    }
    scratch_.reset();
  }
}

void Intake::take_one(const connectors::Record& record, InputPlan& plan, TimeMs wall) {
  ++plan.ledger->read;
  if (record.oversize && (plan.stream >= 0 || plan.table >= 0)) {
    DecodeResult result;
    result.fault = DecodeFault::too_large;
    result.detail = "the source cut it: it is longer than its limit";
    bury(record, plan, result);
  } else if (plan.stream >= 0) {
    take_event(record, plan, wall);
  } else if (plan.table >= 0) {
    take_table(record, plan);
  } else {
    ++plan.ledger->unwanted;
  }
  send_all();
}

void Intake::take_alone(const connectors::Record& record, InputPlan& plan, TimeMs wall) {
  const PartitionLedger before = *plan.ledger;
  const size_t letters = dead_letters_.size();
  DecodeResult result;
  for (int i = 0; i < kAttempts; ++i) {
    try {
      return take_one(record, plan, wall);
    } catch (const std::exception& error) { result.detail = masked_excerpt(error.what(), kExcerpt); }
    *plan.ledger = before;
    dead_letters_.erase(dead_letters_.begin() + static_cast<ptrdiff_t>(letters), dead_letters_.end());
    to_send_.clear();
    scratch_.reset();
  }
  ++plan.ledger->read;
  result.fault = DecodeFault::failed;
  bury(record, plan, result);
}

void Intake::send_all() {
  for (const Delivery& each : to_send_) {
    exchange_.send(each);
    ++routes_[at(each.subscription)]->copies;
  }
  to_send_.clear();
}

void Intake::bury(const connectors::Record& record, InputPlan& plan, const DecodeResult& result) {
  ++plan.ledger->dead[static_cast<size_t>(result.fault)];
  dead_letters_.push_back(unreadable_record(record, inputs_[record.input], result));
}

void Intake::take_table(const connectors::Record& record, InputPlan& plan) {
  StreamPlan& table = tables_[at(plan.table)];
  const DecodeResult result = table.decoder->decode(record.value, record.arrived_at, table.slots, scratch_);
  plan.ledger->unknown_values += result.unknown_enums;
  if (!result.ok()) {
    bury(record, plan, result);
    return;
  }
  ++plan.ledger->taken;
  const rules::Table& declared = bundle_.source.schema.tables[at(plan.table)];
  std::string key;
  for (int32_t column : declared.key) append_key(std::span(&table.slots[at(column)], 1), key);
  const auto time_of = [&](int column) {
    return column < 0 || table.slots[at(column)].missing() ? kBeforeAllTime : table.slots[at(column)].i;
  };
  const TimeMs recorded_at = std::max(time_of(declared.recorded_at), time_of(declared.valid_from));
  const TimeMs known = time_of(declared.recorded_at) > kBeforeAllTime ? time_of(declared.recorded_at) : recorded_at;
  if (read_row_) read_row_({plan.table, key}, table.slots, known, {record.input, record.offset});
  if (bundle_.by_table[at(plan.table)].empty()) return;
  rules::Event event;
  event.time = event.known_at = known;
  const std::array<TimeMs, 2> version{known, time_of(declared.valid_from)};  // often the same time
  event.id = hash_bytes({reinterpret_cast<const char*>(version.data()), sizeof version}, hash_bytes(key));
  event.origin = {record.input, record.offset};
  event.arrived_at = record.arrived_at;
  buffer_.clear();
  bundle_.table_layouts[at(plan.table)].encode(table.slots, buffer_);
  event.row = arena_.copy(buffer_);
  route_to(bundle_.by_table[at(plan.table)], nullptr, table.slots, event);
}

void Intake::take_event(const connectors::Record& record, InputPlan& plan, TimeMs wall) {
  const rules::Schema& schema = bundle_.source.schema;
  const rules::Stream& root = schema.streams[at(plan.stream)];
  const rules::StreamShape& shape = bundle_.shapes[at(plan.stream)];
  StreamPlan& stream = streams_[at(plan.stream)];
  const DecodeResult result = stream.decoder->decode(record.value, record.arrived_at, stream.slots, scratch_);
  plan.ledger->unknown_values += result.unknown_enums;
  if (!result.ok()) {
    bury(record, plan, result);
    return;
  }
  for (size_t i = 0; i < shape.fields.size(); ++i) stream.values[i] = stream.slots[at(shape.fields[i])];
  rules::Environment environment;
  environment.candidate = {&shape.layout, nullptr, stream.values.data()};
  environment.arena = &scratch_;
  for (const auto& [position, program] : shape.computed) stream.values[at(position)] = program.run(environment);

  rules::Event event;
  event.time = result.event_time;
  const rules::Program& accepts = bundle_.accepts[at(plan.stream)];
  const bool may_be_late = root.accept > 0 && (accepts.empty() || accepts.holds(environment));
  event.known_at = watermarks_.observe(record.input, event.time, record.arrived_at, wall, accepts.empty() || !may_be_late);
  event.accepted = may_be_late && event.known_at - event.time <= root.accept;
  plan.ledger->late += event.late();
  event.origin = {record.input, record.offset};
  event.arrived_at = record.arrived_at;
  if (route(plan.stream, stream.values, event) + route_elements(plan, event) > 0) {
    ++plan.ledger->taken;
  } else {
    ++plan.ledger->unwanted;
  }
}

size_t Intake::route_elements(const InputPlan& plan, const rules::Event& event) {
  const StreamPlan& record = streams_[at(plan.stream)];
  const std::vector<int>& arrays = bundle_.elements[at(plan.stream)];
  size_t copies = 0;
  for (size_t array = 0; array < arrays.size(); ++array) {
    const rules::StreamShape& shape = bundle_.shapes[at(arrays[array])];
    const size_t of_record = bundle_.source.schema.streams[at(arrays[array])].record_fields;
    std::vector<Value>& values = streams_[at(arrays[array])].values;
    for (size_t index = 0; index < record.decoder->elements(array); ++index) {
      const std::span<const Value> own = record.decoder->element(array, index);
      for (size_t i = 0; i < shape.fields.size(); ++i) {
        const size_t field = at(shape.fields[i]);
        values[i] = field < of_record ? record.slots[field] : own[field - of_record];
      }
      rules::Environment environment;
      environment.candidate = {&shape.layout, nullptr, values.data()};
      environment.arena = &scratch_;
      for (const auto& [position, program] : shape.computed) values[at(position)] = program.run(environment);
      copies += route(arrays[array], values, event, index + 1);
    }
  }
  return copies;
}

// By name: the inputs' numbers are this process's own.
uint64_t Intake::record_id(const rules::Origin& origin) const {
  const connectors::Partition& input = inputs_[origin.input];
  return hash_bytes(fmt::format("{}/{}:{}", input.topic, input.number, origin.offset));
}

uint64_t Intake::identity(const rules::Stream& stream, int root, const std::vector<Value>& values, const rules::Event& event,
                          uint64_t element) {
  const std::vector<int32_t>& id = stream.id.empty() ? bundle_.source.schema.streams[at(root)].id : stream.id;
  if (id.empty()) return event.id;
  buffer_.clear();
  for (int32_t field : id) {
    const Value& value = values[at(bundle_.shapes[at(root)].position[at(field)])];
    if (value.missing()) return event.id != 0 ? event.id : record_id(event.origin) + element;
    append_key(std::span(&value, 1), buffer_);
  }
  return hash_bytes(buffer_, stream.numbered ? element : 0);
}

size_t Intake::route(int root, const std::vector<Value>& values, rules::Event event, uint64_t element) {
  const rules::Schema& schema = bundle_.source.schema;
  if (bundle_.faults.work) bundle_.faults.work(-1, {}, &event);
  const rules::StreamShape& shape = bundle_.shapes[at(root)];
  rules::Environment environment;
  environment.candidate = {&shape.layout, nullptr, values.data()};
  environment.arena = &scratch_;
  size_t copies = 0;
  const auto offer = [&](int stream) {
    const std::vector<int>& subscriptions = bundle_.by_stream[at(stream)];
    if (subscriptions.empty()) return;
    const rules::Program& select = bundle_.selects[at(stream)];
    if (!select.empty() && !select.holds(environment)) return;
    rules::Event named = event;
    named.id = identity(schema.streams[at(stream)], root, values, event, element);
    if (event.row.empty()) {
      buffer_.clear();
      shape.layout.encode(values, buffer_);
      event.row = arena_.copy(buffer_);
    }
    named.row = event.row;
    copies += route_to(subscriptions, &shape.position, values, named);
  };
  offer(root);
  for (int view : bundle_.views[at(root)]) offer(view);
  return copies;
}

size_t Intake::route_to(const std::vector<int>& subscriptions, const std::vector<int>* position,
                        const std::vector<Value>& values, const rules::Event& event) {
  rules::Environment environment;
  environment.candidate = {nullptr, nullptr, values.data()};
  environment.arena = &scratch_;
  class Lists final : public rules::Surroundings {
   public:
    explicit Lists(const rules::Schema& schema) : schema_(schema) {}
    Value aggregate(int) override { return {}; }
    Value lookup(int, std::span<const Value>, bool, TimeMs) override { return {}; }
    const rules::NamedList& list(int index) const override { return schema_.lists[at(index)]; }

   private:
    const rules::Schema& schema_;
  } lists(bundle_.source.schema);
  environment.surroundings = &lists;
  const auto all_hold = [&](const std::vector<rules::Program>& programs) {
    return std::all_of(programs.begin(), programs.end(), [&](const rules::Program& each) { return each.holds(environment); });
  };
  const auto value_at = [&](int field) -> const Value& {
    return values[at(position == nullptr ? field : (*position)[at(field)])];
  };
  size_t copies = 0;
  for (int subscription : subscriptions) {
    const rules::Subscription& to = bundle_.subscriptions[at(subscription)];
    const rules::Input& input = bundle_.rules[at(to.rule)]->inputs[at(to.input)];
    if (!input.filters.empty() && !std::any_of(input.filters.begin(), input.filters.end(), all_hold)) {
      if (trace_ != nullptr && to.input == 0 && bundle_.rules[at(to.rule)]->alerts)
        trace_->push_back({"where", to.rule, event.origin});
      continue;
    }
    const bool rejected = std::any_of(input.rejects.begin(), input.rejects.end(),
                                      [&](const rules::Program& each) { return each.holds(environment); });
    if (rejected) {
      if (trace_ != nullptr && to.input == 0 && bundle_.rules[at(to.rule)]->alerts)
        trace_->push_back({"except", to.rule, event.origin});
      continue;
    }
    buffer_.clear();
    bool whole = true;
    for (int field : input.by) {
      const Value& value = value_at(field);
      whole = whole && !value.missing();
      append_key(std::span(&value, 1), buffer_);
    }
    if (!whole) continue;  // no key, no state
    to_send_.push_back({subscription, event, arena_.copy(buffer_)});
    ++copies;
  }
  return copies;
}

void Intake::take_derived(rules::DerivedEvent& derived, const std::vector<connectors::Partition>& inputs) {
  if (!careful_) return route_derived(derived);
  std::string what;
  for (int i = 0; i < kAttempts; ++i) {
    try {
      return route_derived(derived);
    } catch (const std::exception& error) { what = error.what(); }
    to_send_.clear();
    scratch_.reset();
  }
  dead_letters_.push_back(failed_event(derived, bundle_.source.schema, inputs, what));
}

void Intake::route_derived(rules::DerivedEvent& derived) {
  const rules::StreamShape& shape = bundle_.shapes[at(derived.stream)];
  std::vector<Value> values(shape.layout.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = shape.layout.get(derived.bytes.data(), i);
  if (const int table = bundle_.table_of_stream[at(derived.stream)]; table >= 0) {  // a row that a rule made
    std::string key;
    for (int32_t column : bundle_.source.schema.tables[at(table)].key) append_key(std::span(&values[at(column)], 1), key);
    if (read_row_) read_row_({table, key}, values, derived.event.time, derived.event.origin);
    return;
  }
  derived.event.row = derived.bytes;
  if (!shape.computed.empty()) {
    rules::Environment environment;
    environment.candidate = {&shape.layout, nullptr, values.data()};
    environment.arena = &scratch_;
    for (const auto& [position, program] : shape.computed) values[at(position)] = program.run(environment);
    derived.event.row = {};
  }
  route(derived.stream, values, derived.event);
  scratch_.reset();
  send_all();
}

}  // namespace tillwatch::engine
