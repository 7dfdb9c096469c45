#include "engine/group_shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "rules/runtime/bytes.h"
#include "state/key_codec.h"

namespace tillwatch::engine {
namespace {

using rules::ByteReader;
using rules::ByteWriter;

size_t at(int index) { return static_cast<size_t>(index); }

constexpr uint8_t kVersion = 1;
constexpr uint32_t kSelfSlot = 0xffff'fffe;  // behind the slots of rules, which are hashes
constexpr std::string_view kNoteFormat = "shard/1 ";

Error damaged(uint16_t shard) {
  return {ErrorKind::corrupt,
          fmt::format("store: the record of shard {} is damaged or of another format: empty state.path, and the shard "
                      "is read back from the changelog",
                      shard)};
}

// The first half of a self record.
struct Head {
  uint8_t version = 0;
  uint64_t commits = 0;
  uint16_t shards = 0;
  std::vector<std::pair<connectors::Partition, uint64_t>> inputs;  // and copies received
  std::vector<connectors::Position> tables_read;
};

Head read_head(ByteReader& in) {
  Head head;
  head.version = in.fixed<uint8_t>();
  head.commits = in.fixed<uint64_t>();
  head.shards = in.fixed<uint16_t>();
  head.inputs.resize(in.count(16));
  for (auto& [partition, received] : head.inputs) {
    partition.topic = in.text();
    partition.number = in.fixed<int32_t>();
    received = in.fixed<uint64_t>();
  }
  head.tables_read.resize(in.count(16));
  for (connectors::Position& each : head.tables_read) {
    each.partition.topic = in.text();
    each.partition.number = in.fixed<int32_t>();
    each.next_offset = in.fixed<int64_t>();
  }
  return head;
}

}  // namespace

std::string shard_self_key(uint16_t shard) {
  std::string key;
  state::append_state_key(key, shard, kSelfSlot, "", 0, 0);
  return key;
}

Expected<uint64_t> commits_of_self(std::string_view self) {
  ByteReader in(self);
  const auto version = in.fixed<uint8_t>();
  const auto commits = in.fixed<uint64_t>();
  if (in.ok() && version == kVersion) return commits;
  return fail(ErrorKind::corrupt, "changelog: a shard's own record is damaged or of another format");
}

Expected<std::vector<connectors::Position>> tables_of_self(std::string_view self) {
  ByteReader in(self);
  Head head = read_head(in);
  if (in.ok()) return std::move(head.tables_read);
  return fail(ErrorKind::corrupt, "store: a shard's own record is damaged or of another format");
}

Expected<uint64_t> commits_of_note(std::string_view note) {
  if (note.empty()) return 0;
  uint64_t commits = 0;
  if (note.starts_with(kNoteFormat)) {
    const auto [end, code] = std::from_chars(note.data() + kNoteFormat.size(), note.data() + note.size(), commits);
    if (code == std::errc{} && end == note.data() + note.size()) return commits;
  }
  return fail(ErrorKind::invalid,
              fmt::format("the exchange's committed offset carries the note '{}', which is not of this version of "
                          "tillwatch: name a group of its own",
                          note.substr(0, 80)));
}

std::string shard_note(uint64_t commits) { return fmt::format("{}{}", kNoteFormat, commits); }

GroupShard::GroupShard(const rules::CompiledBundle& bundle, const rules::Tables& tables, const std::vector<FrameRoute>& routes,
                       Place place, const state::Store& store, size_t budget_bytes, ShardCounts& counts)
    : bundle_(bundle),
      routes_(routes),
      place_(place),
      store_(store),
      counts_(counts),
      counted_(bundle),
      now_(bundle),
      shard_(bundle, tables, place.number, &store, budget_bytes),
      watermarks_(bundle, {}),
      judge_(bundle.source.schema, place.number, place.shards),
      told_(bundle.source.schema.streams.size()),
      reported_(bundle.source.schema.streams.size()) {
  watermarks_.expect_emitters(place.shards);
}

Expected<bool> GroupShard::load_some(size_t keys) {
  if (!loading_) {
    const auto self = store_.get(shard_self_key(place_.number));
    if (!self) return std::unexpected(self.error());
    committed_ = self->has_value() ? **self : encode({}, 0);
    if (Status decoded = decode(committed_); !decoded) return std::unexpected(decoded.error());
    loading_ = true;
  }
  const auto loaded = shard_.load_some(keys);
  if (!loaded || !*loaded) return loaded;
  shard_.set_careful(true);  // nothing could be undone
  shard_.tick(watermarks_.clocks(), derived_);
  shard_.set_careful(false);
  counted_.read(bundle_, ledger_, shard_);
  return true;
}

uint32_t GroupShard::input_of(const connectors::Partition& partition) {
  const auto found = std::find(inputs_.begin(), inputs_.end(), partition);
  const auto index = static_cast<uint32_t>(found - inputs_.begin());
  if (found != inputs_.end()) return index;
  inputs_.push_back(partition);
  received_.push_back(0);
  int stream = -1;
  const rules::Schema& schema = bundle_.source.schema;
  for (size_t i = 0; i < schema.streams.size(); ++i) {
    const bool is_topic = schema.streams[i].origin == rules::Stream::Origin::topic;
    if (is_topic && schema.streams[i].topic == partition.topic) stream = static_cast<int>(i);
  }
  watermarks_.add_input(index, partition, stream);
  return index;
}

Status GroupShard::take(std::string_view bytes) {
  auto frame = ExchangeFrame::decode(bytes);
  if (!frame) return std::unexpected(frame.error());
  ++taken_;
  if (Status delivered = deliver(*frame); !delivered) return delivered;
  hear(*frame);
  return {};
}

Status GroupShard::deliver(const ExchangeFrame& frame) {
  std::vector<int> subscriptions;  // per route of the frame
  for (const FrameRoute& route : frame.routes) {
    const auto ours = std::find(routes_.begin(), routes_.end(), route);
    if (ours == routes_.end()) {
      return fail(
          ErrorKind::invalid,
          fmt::format(
              "the exchange holds copies for `{}` that were made by other rules than this member runs: start all members "
              "with the same rules; to change rules, let the members of before drain the exchange first",
              route.name));
    }
    subscriptions.push_back(static_cast<int>(ours - routes_.begin()));
  }
  std::vector<uint32_t> origins;
  for (const connectors::Partition& each : frame.origins) origins.push_back(input_of(each));
  for (const FrameCopy& copy : frame.copies) {
    const int subscription = subscriptions[copy.route];
    const rules::Subscription& to = bundle_.subscriptions[at(subscription)];
    const rules::Input& input = bundle_.rules[at(to.rule)]->inputs[at(to.input)];
    const rules::Stream* root = input.stream < 0 ? nullptr : &bundle_.source.schema.root(input.stream);
    const RowLayout& layout = root == nullptr ? bundle_.table_layouts[at(input.table)]
                                              : bundle_.shapes[at(bundle_.source.schema.streams[at(input.stream)].root)].layout;
    if (!layout.valid(copy.event.row)) return fail(ErrorKind::corrupt, "exchange: a copy's row is damaged");
    rules::Event event = copy.event;
    event.origin.input = origins[copy.event.origin.input];
    if (root != nullptr && root->origin != rules::Stream::Origin::derived) {
      // The reader of the partition does not know what silence was believed; the shard does.
      event.known_at = std::max(event.known_at, watermarks_.believed_of(event.origin.input));
      event.accepted = event.accepted && event.known_at - event.time <= root->accept;
    }
    const bool is_derived = root != nullptr && root->origin == rules::Stream::Origin::derived;
    received_[event.origin.input] += is_derived ? 0 : 1;
    RouteLedger& route = ledger_.routes[to.name];
    ++route.copies;
    route.count(shard_.deliver(subscription, copy.key, event));
  }
  return {};
}

// Every partition of a topic is known before one of them moves a clock.
void GroupShard::hear(const ExchangeFrame& frame) {
  const rules::Schema& schema = bundle_.source.schema;
  for (const TopicMark& each : frame.topics) {
    for (int32_t number = 0; number < each.partitions; ++number) input_of({each.topic, number});
  }
  for (const InputMark& each : frame.inputs) watermarks_.hear(input_of(each.partition), each.last_event, each.watermark);
  for (const EmitterMark& each : frame.emitters) {
    const int stream = schema.find_stream(each.stream);
    if (stream >= 0 && each.shard < place_.shards) watermarks_.hear_emitter(each.shard, stream, {each.plain, each.gated});
  }
  for (const SilenceMark& each : frame.silences) {
    if (const int stream = schema.find_stream(each.stream); stream >= 0) judge_.hear(stream, each);
  }
  for (const GateMark& each : frame.gates) {
    if (const int stream = schema.find_stream(each.stream); stream >= 0) watermarks_.hear_gate(stream, each.upto);
  }
}

void GroupShard::row_changed(const rules::TableRead& row, TimeMs recorded_at) { shard_.row_changed(row, recorded_at); }

void GroupShard::settle() {
  shard_.run(derived_);
  watermarks_.compute();
  shard_.tick(watermarks_.clocks(), derived_);
}

void GroupShard::speak(GroupExchange& exchange) {
  const std::vector<Watermarks::EmitterClock> own = watermarks_.own_emissions();
  for (int stream : bundle_.derived_order) {
    if (own[at(stream)] == told_[at(stream)]) continue;
    told_[at(stream)] = own[at(stream)];
    exchange.marks().emitters.push_back(
        {place_.number, bundle_.source.schema.streams[at(stream)].name, own[at(stream)].plain, own[at(stream)].gated});
  }
  report_silence(exchange);
  judge_.judge(watermarks_, exchange.marks(), feed_alerts_);
}

void GroupShard::report_silence(GroupExchange& exchange) {
  for (int stream : watermarks_.silent()) {
    SilenceMark mark{.shard = place_.number, .stream = bundle_.source.schema.streams[at(stream)].name};
    mark.upto = watermarks_.plain()[at(stream)];
    for (size_t clock = 0; clock < bundle_.clocks.size(); ++clock) {
      if (!watermarks_.feeds(stream, static_cast<int>(clock))) continue;
      const rules::Machine::Held held = shard_.held(static_cast<int>(clock), watermarks_.believed(static_cast<int>(clock)));
      mark.waiting += held.count;
      mark.money_minor += held.money_minor;
    }
    if (mark == reported_[at(stream)]) continue;
    reported_[at(stream)] = mark;
    const uint16_t judge = FeedJudge::judge_of(mark.stream, place_.shards);
    exchange.report(judge, std::move(mark));
  }
}

void GroupShard::collect(std::vector<AlertRecord>& alerts, std::vector<DeadLetter>& letters, state::WriteSet& changes,
                         const std::vector<connectors::Position>& read) {
  std::vector<rules::AlertChange> said;
  shard_.publish(said);
  for (const rules::AlertChange& change : said) alerts.push_back(describe(change, bundle_.source.schema, inputs_));
  for (AlertRecord& alert : feed_alerts_) alerts.push_back(std::move(alert));
  feed_alerts_.clear();
  for (const rules::StepFailure& each : shard_.failures()) letters.push_back(failed_step(each, bundle_, inputs_));
  shard_.flush(changes);
  pending_ = encode(read, commits_ + 1);
  pending_tables_ = read;
  changes.put(shard_self_key(place_.number), pending_);
  changes.normalise();
}

void GroupShard::confirm() {
  shard_.confirm();
  committed_ = std::move(pending_);
  tables_read_ = std::move(pending_tables_);
  committed_clocks_ = watermarks_.clocks();
  ++commits_;
  taken_ = 0;
  now_.read(bundle_, ledger_, shard_);
  counts_.add(now_, counted_);
  std::swap(now_, counted_);
}

// What was told in vain is told again.
Status GroupShard::abort() {
  derived_.clear();
  feed_alerts_.clear();
  taken_ = 0;
  std::fill(told_.begin(), told_.end(), Watermarks::EmitterClock{});
  std::fill(reported_.begin(), reported_.end(), SilenceMark{});
  if (Status decoded = decode(committed_); !decoded) return decoded;
  return shard_.abort(committed_clocks_);
}

std::string GroupShard::encode(const std::vector<connectors::Position>& read, uint64_t commits) const {
  std::string bytes;
  ByteWriter out(bytes);
  out.fixed(kVersion);
  out.fixed(commits);
  out.fixed(place_.shards);
  out.fixed(static_cast<uint32_t>(inputs_.size()));
  for (size_t i = 0; i < inputs_.size(); ++i) {
    out.text(inputs_[i].topic);
    out.fixed(inputs_[i].number);
    out.fixed(received_[i]);
  }
  out.fixed(static_cast<uint32_t>(read.size()));
  for (const connectors::Position& each : read) {
    out.text(each.partition.topic);
    out.fixed(each.partition.number);
    out.fixed(each.next_offset);
  }
  out.text(watermarks_.encode());
  const rules::Schema& schema = bundle_.source.schema;
  out.fixed(static_cast<uint32_t>(bundle_.derived_order.size()));
  for (int stream : bundle_.derived_order) {
    out.text(schema.streams[at(stream)].name);
    for (const Watermarks::EmitterClock& each : watermarks_.emitters(stream)) {
      out.fixed(each.plain);
      out.fixed(each.gated);
    }
  }
  out.text(judge_.encode());
  out.text(ledger_.encode());
  return bytes;
}

Status GroupShard::decode(std::string_view self) {
  ByteReader in(self);
  Head head = read_head(in);
  if (!in.ok() || head.version != kVersion) return std::unexpected(damaged(place_.number));
  if (head.shards != place_.shards) {
    return fail(ErrorKind::invalid,
                fmt::format("the group was made with {} shards, the configuration says {}: set state.shards to {}", head.shards,
                            place_.shards, head.shards));
  }
  commits_ = head.commits;
  std::fill(received_.begin(), received_.end(), 0);
  for (const auto& [partition, received] : head.inputs) received_[input_of(partition)] = received;
  tables_read_ = std::move(head.tables_read);
  if (Status heard = watermarks_.decode(in.text()); !heard) return heard;
  watermarks_.expect_emitters(place_.shards);
  for (uint32_t n = in.count(4); n > 0 && in.ok(); --n) {
    const int stream = bundle_.source.schema.find_stream(in.text());
    for (uint16_t shard = 0; shard < place_.shards; ++shard) {
      const auto plain = in.fixed<TimeMs>();
      const auto gated = in.fixed<TimeMs>();
      if (stream >= 0 && in.ok()) watermarks_.hear_emitter(shard, stream, {plain, gated});
    }
  }
  if (Status judged = judge_.decode(in.text()); !judged) return judged;
  ledger_ = {};
  if (Status counted = ledger_.decode(in.text()); !counted) return counted;
  if (!in.ok() || !in.done()) return std::unexpected(damaged(place_.number));
  watermarks_.compute();
  committed_clocks_ = watermarks_.clocks();
  return {};
}

}  // namespace tillwatch::engine
