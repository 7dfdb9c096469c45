#include "engine/group_exchange.h"

#include <algorithm>

#include "engine/base/hash.h"
#include "state/key_codec.h"

namespace tillwatch::engine {
namespace {

void append_fields(std::string& text, const std::vector<rules::Field>& fields, const rules::Schema& schema) {
  for (const rules::Field& field : fields) {
    text += field.name;
    text += static_cast<char>(field.type.kind);
    if (field.type.kind != rules::Kind::symbol || field.type.ref < 0) continue;
    for (const std::string& name : schema.enums[static_cast<size_t>(field.type.ref)].names) text += name + ',';
  }
}

uint64_t shape_of(const rules::CompiledBundle& bundle, const rules::Subscription& subscription) {
  const rules::Schema& schema = bundle.source.schema;
  const rules::CompiledRule& rule = *bundle.rules[static_cast<size_t>(subscription.rule)];
  const rules::Input& input = rule.inputs[static_cast<size_t>(subscription.input)];
  std::string text = rule.source->source_text;
  if (input.stream < 0) {
    append_fields(text, schema.tables[static_cast<size_t>(input.table)].columns, schema);
    return hash_bytes(text);
  }
  const int root = schema.streams[static_cast<size_t>(input.stream)].root;
  append_fields(text, schema.streams[static_cast<size_t>(root)].fields, schema);
  for (int field : bundle.shapes[static_cast<size_t>(root)].fields) text += std::to_string(field) + ',';
  return hash_bytes(text);
}

}  // namespace

std::vector<FrameRoute> frame_routes(const rules::CompiledBundle& bundle) {
  std::vector<FrameRoute> routes;
  for (const rules::Subscription& subscription : bundle.subscriptions) {
    routes.push_back({subscription.name, shape_of(bundle, subscription)});
  }
  return routes;
}

GroupExchange::GroupExchange(const rules::CompiledBundle& bundle, uint16_t shards, size_t frame_bytes)
    : routes_(frame_routes(bundle)), frame_bytes_(frame_bytes), open_(shards) {}

template <class T, class Same>
uint32_t GroupExchange::place(std::vector<T>& list, const Same& same, const T& value) {
  const auto found = std::find_if(list.rbegin(), list.rend(), same);  // mostly the last one again
  if (found != list.rend()) return static_cast<uint32_t>(list.rend() - found - 1);
  list.push_back(value);
  return static_cast<uint32_t>(list.size() - 1);
}

void GroupExchange::send(const Delivery& delivery) {
  const uint16_t shard = state::shard_of(delivery.key, static_cast<uint16_t>(open_.size()));
  Open& open = open_[shard];
  const FrameRoute& route = routes_[static_cast<size_t>(delivery.subscription)];
  const connectors::Partition& origin = (*inputs_)[delivery.event.origin.input];
  FrameCopy copy{.route = 0, .event = delivery.event, .key = delivery.key};
  copy.route =
      static_cast<uint16_t>(place(open.frame.routes, [&](const FrameRoute& each) { return each.name == route.name; }, route));
  copy.event.origin.input =
      place(open.frame.origins, [&](const connectors::Partition& each) { return each == origin; }, origin);
  open.frame.copies.push_back(copy);
  open.bytes += sizeof(FrameCopy) + copy.key.size() + copy.event.row.size();
  ++copies_;
  if (open.bytes >= frame_bytes_) close(shard);
}

void GroupExchange::close(uint16_t shard) {
  Open& open = open_[shard];
  closed_.push_back({shard, open.frame.encode()});
  open = {};
}

std::vector<GroupExchange::Frame> GroupExchange::seal() {
  for (uint16_t shard = 0; shard < open_.size(); ++shard) {
    ExchangeFrame& frame = open_[shard].frame;
    frame.inputs = marks_.inputs;
    frame.topics = marks_.topics;
    frame.emitters = marks_.emitters;
    frame.gates = marks_.gates;
    if (!frame.empty()) close(shard);
  }
  marks_ = {};
  copies_ = 0;
  return std::exchange(closed_, {});
}

}  // namespace tillwatch::engine
