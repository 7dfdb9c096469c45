#include "engine/pipeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/guarded.h"
#include "engine/base/words.h"
#include "rules/runtime/bytes.h"
#include "state/key_codec.h"

namespace tillwatch::engine {
namespace {

size_t at(int index) { return static_cast<size_t>(index); }

// Records of the engine itself stand behind every shard's.
constexpr uint16_t kOwnShard = 0xffff;
enum OwnSlot : uint32_t { kWatermarks = 1, kLedger = 2, kFeeds = 3, kTables = 4, kShards = 5, kRules = 6 };

std::string own_key(uint32_t slot, std::string_view key = {}) {
  std::string bytes;
  state::append_state_key(bytes, kOwnShard, slot, key, 0, 0);
  return bytes;
}

}  // namespace

Pipeline::Pipeline(std::shared_ptr<const rules::CompiledBundle> bundle, PipelineOptions options, const state::Store* store)
    : bundle_(std::move(bundle)),
      options_(options),
      store_(store),
      tables_(std::make_unique<rules::Tables>(bundle_->source.schema)),
      exchange_(options.shards),
      workers_(options.workers),
      watermarks_(*bundle_, options.watermarks),
      intake_(*bundle_, options.decode, watermarks_, ledger_, exchange_),
      history_(*bundle_),
      derived_(options.shards) {
  const rules::Schema& schema = bundle_->source.schema;
  for (uint16_t i = 0; i < options_.shards; ++i) {
    const size_t share =
        options_.state_bytes == rules::Shard::kNoBudget ? options_.state_bytes : options_.state_bytes / options_.shards;
    shards_.push_back(std::make_unique<rules::Shard>(*bundle_, *tables_, i, store_, share));
    if (options_.trace) shards_.back()->machine().set_trace(&traces_);
  }
  feeds_.resize(schema.streams.size());
  for (size_t i = 0; i < schema.streams.size(); ++i) feeds_[i].name = schema.streams[i].name;
  stream_topics_ = Intake::stream_topics(*bundle_);
  table_topics_ = Intake::table_topics(*bundle_);
  for (const rules::Subscription& subscription : bundle_->subscriptions) routes_.push_back(&ledger_.routes[subscription.name]);
  if (options_.trace) intake_.set_trace(&traces_);
  intake_.set_row_reader(
      [this](const rules::TableRead& row, std::span<const Value> columns, TimeMs recorded_at, const rules::Origin&) {
        tables_->put(row.table, columns);
        for (auto& shard : shards_) shard->row_changed(row, recorded_at);
      });
  shard_routes_.assign(options_.shards, std::vector<RouteLedger>(bundle_->subscriptions.size()));
}

Pipeline::~Pipeline() = default;

Status Pipeline::load() {
  if (store_ != nullptr) {
    const auto read = [&](uint32_t slot, auto&& use) -> Status {
      const auto bytes = store_->get(own_key(slot));
      if (!bytes) return std::unexpected(bytes.error());
      return bytes->has_value() ? use(**bytes) : Status{};
    };
    Status result = read(kShards, [&](std::string_view bytes) -> Status {
      rules::ByteReader in(bytes);
      const auto stored = in.fixed<uint16_t>();
      if (stored == options_.shards) return {};
      return fail(ErrorKind::invalid,
                  fmt::format("the store was made with {}, the configuration says {}: set state.shards to {}, or "
                              "start with an empty state.path",
                              counted(stored, "shard"), options_.shards, stored));
    });
    if (result) result = read(kWatermarks, [&](std::string_view bytes) { return watermarks_.decode(bytes); });
    if (result) result = read(kLedger, [&](std::string_view bytes) { return ledger_.decode(bytes); });
    if (result) result = read(kRules, [&](std::string_view bytes) { return history_.decode(bytes); });
    if (result) {
      result = read(kFeeds, [&](std::string_view bytes) -> Status {
        rules::ByteReader in(bytes);
        for (uint32_t i = 0, n = in.count(20); i < n; ++i) {
          const int stream = bundle_->source.schema.find_stream(in.text());
          Feed feed;
          feed.dark = in.fixed<uint8_t>() != 0;
          feed.since = in.fixed<TimeMs>();
          feed.seq = in.fixed<uint32_t>();
          if (stream >= 0) {
            feed.name = feeds_[at(stream)].name;
            feeds_[at(stream)] = feed;
          }
        }
        return in.ok() ? Status{} : fail(ErrorKind::corrupt, "store: the feeds are damaged");
      });
    }
    if (result) {
      Status restored;
      result = store_->scan(state::slot_prefix(kOwnShard, kTables), [&](std::string_view key, std::string_view value) {
        const auto decoded = state::decode_state_key(key);
        restored = decoded ? tables_->restore(decoded->key, value) : Status(std::unexpected(decoded.error()));
        return restored.has_value();
      });
      if (result) result = restored;
    }
    if (!result) return result;
    std::vector<Status> loaded(shards_.size());
    workers_.run(shards_.size(), [&](size_t i) { loaded[i] = shards_[i]->load(); });
    for (const Status& each : loaded) {
      if (!each) return each;
    }
  }
  TimeMs now = kBeforeAllTime;  // as far as the store's streams have come
  for (const TimeMs clock : watermarks_.plain()) now = clock < kAfterAllTime ? std::max(now, clock) : now;
  history_.begin(now);
  watermarks_.compute();
  erase_gone_ = !history_.gone().empty();
  set_careful(true);  // nothing could be undone
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i]->tick(watermarks_.clocks(), derived_[i]);
  set_careful(false);
  for (auto& derived : derived_) {
    for (rules::DerivedEvent& each : derived) in_flight_.push_back(std::move(each));
    derived.clear();
  }
  note_confirmed();
  return health();
}

Status Pipeline::process(const connectors::RecordBatch& batch, TimeMs wall) {
  return caution_.run([&] {
    intake_.take(batch, wall);
    return run_rounds();
  });
}

void Pipeline::set_careful(bool careful) {
  intake_.set_careful(careful);
  for (auto& shard : shards_) shard->set_careful(careful);
}

// Delivers until nothing is under way: what rules emit goes round again.
Status Pipeline::run_rounds() {
  do {
    for (rules::DerivedEvent& event : in_flight_) intake_.take_derived(event, intake_.inputs());
    workers_.run(shards_.size(), [this](size_t i) {
      const Guarded guarded;
      rules::Shard& shard = *shards_[i];
      std::vector<RouteLedger>& routes = shard_routes_[i];
      for (const Delivery& delivery : exchange_.inbox(static_cast<uint16_t>(i))) {
        RouteLedger& route = routes[at(delivery.subscription)];
        route.count(shard.deliver(delivery.subscription, delivery.key, delivery.event));
      }
      shard.run(derived_[i]);
    });
    for (std::vector<RouteLedger>& routes : shard_routes_) {
      for (size_t i = 0; i < routes.size(); ++i) {
        routes_[i]->used += routes[i].used;
        routes_[i]->repeated += routes[i].repeated;
        routes_[i]->late += routes[i].late;
        routes_[i]->failed += routes[i].failed;
        routes[i] = {};
      }
    }
    exchange_.clear();
    in_flight_.clear();
    for (auto& derived : derived_) {
      for (rules::DerivedEvent& event : derived) in_flight_.push_back(std::move(event));
      derived.clear();
    }
  } while (!in_flight_.empty());
  intake_.end_round();
  return health();
}

Status Pipeline::health() const {
  for (const auto& shard : shards_) {
    if (!shard->health()) return shard->health();
  }
  return {};
}

// A clock over derived streams moves only when what was emitted upstream has been delivered: a deadline must not pass before
// the event that would have kept it.
Status Pipeline::settle() {
  return caution_.run([this] { return settle_all(); });
}

Status Pipeline::settle_all() {
  while (true) {
    for (int tier = 0; tier <= watermarks_.tiers(); ++tier) {
      const std::vector<TimeMs> before = watermarks_.clocks();
      watermarks_.compute(tier);
      if (tier > 0 && watermarks_.clocks() == before) continue;
      if (const Status ticked = tick(); !ticked) return ticked;
    }
    if (!weigh_silence()) return health();
  }
}

Status Pipeline::tick() {
  while (true) {
    workers_.run(shards_.size(), [this](size_t i) {
      const Guarded guarded;
      shards_[i]->tick(watermarks_.clocks(), derived_[i]);
    });
    for (auto& derived : derived_) {
      for (rules::DerivedEvent& event : derived) in_flight_.push_back(std::move(event));
      derived.clear();
    }
    if (in_flight_.empty()) return {};
    if (const Status delivered = run_rounds(); !delivered) return delivered;
  }
}

// Silence of a feed is believed when few decisions hang on it; else the feed is dark and they are held. Whether more is
// believed.
bool Pipeline::weigh_silence() {
  const rules::Schema& schema = bundle_->source.schema;
  const std::vector<int> silent = watermarks_.silent();
  bool moved = false;
  for (size_t i = 0; i < feeds_.size(); ++i) {
    Feed& feed = feeds_[i];
    const int stream = static_cast<int>(i);
    const bool is_silent = std::find(silent.begin(), silent.end(), stream) != silent.end();
    if (!is_silent && !feed.dark) continue;
    rules::Machine::Held held;
    if (is_silent) {
      for (size_t clock = 0; clock < bundle_->clocks.size(); ++clock) {
        if (!watermarks_.feeds(stream, static_cast<int>(clock))) continue;
        for (auto& shard : shards_) {
          const rules::Machine::Held one = shard->held(static_cast<int>(clock), watermarks_.believed(static_cast<int>(clock)));
          held.count += one.count;
          held.money_minor += one.money_minor;
        }
      }
    }
    const FeedView view{is_silent, held, watermarks_.plain()[i], watermarks_.alive(stream)};
    if (!weigh(feed, schema.streams[i], view, feed_alerts_)) continue;
    watermarks_.believe(stream);
    moved = true;
  }
  return moved;
}

bool Pipeline::nothing_to_say() const {
  return intake_.dead_letters().empty() && feed_alerts_.empty() && rule_alerts_.empty() &&
         std::none_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->touched(); });
}

Status Pipeline::collect(Outcome& outcome, state::WriteSet& changes) {
  return caution_.run([&]() -> Status {
    collect_all(outcome, changes);
    return {};
  });
}

void Pipeline::collect_all(Outcome& outcome, state::WriteSet& changes) {
  std::vector<std::vector<rules::AlertChange>> alerts(shards_.size());
  std::vector<state::WriteSet> writes(shards_.size());
  workers_.run(shards_.size(), [&](size_t i) {
    const Guarded guarded;
    shards_[i]->publish(alerts[i]);
    shards_[i]->flush(writes[i]);
    writes[i].normalise();  // keys begin with the shard: one after another they are in order
  });
  for (const auto& of_shard : alerts) {
    for (const rules::AlertChange& change : of_shard)
      outcome.alerts.push_back(describe(change, bundle_->source.schema, intake_.inputs()));
  }
  for (AlertRecord& alert : outcome.alerts) alert.shadow = alert.shadow || history_.in_shadow(alert.rule, alert.raised_at);
  for (AlertRecord& alert : feed_alerts_) outcome.alerts.push_back(std::move(alert));
  outcome.alerts.insert(outcome.alerts.end(), rule_alerts_.begin(), rule_alerts_.end());
  std::stable_sort(outcome.alerts.begin(), outcome.alerts.end(), [](const AlertRecord& a, const AlertRecord& b) {
    return std::tie(a.changed_at, a.id) < std::tie(b.changed_at, b.id);
  });
  std::vector<DeadLetter>& dead_letters = intake_.dead_letters();
  outcome.dead_letters.insert(outcome.dead_letters.end(), std::make_move_iterator(dead_letters.begin()),
                              std::make_move_iterator(dead_letters.end()));
  for (const auto& shard : shards_) {
    for (const rules::StepFailure& each : shard->failures()) {
      outcome.dead_letters.push_back(failed_step(each, *bundle_, intake_.inputs()));
    }
  }
  feed_alerts_.clear();
  intake_.dead_letters().clear();
  if (store_ == nullptr) return;
  for (state::WriteSet& writes_of_shard : writes) changes.take(writes_of_shard);
  if (erase_gone_) {
    for (const auto& shard : shards_) {
      if (!shard->erase_rules(history_.gone(), changes)) return store_self(changes);  // again at the next commit
    }
  }
  store_self(changes);
}

void Pipeline::store_self(state::WriteSet& changes) {
  state::WriteSet own;  // in order, behind the shards': nothing of theirs is sorted again
  own.put(own_key(kRules), history_.encode());
  for (rules::Tables::Stored& row : tables_->changes()) own.put(own_key(kTables, row.key), std::move(row.value));
  own.put(own_key(kWatermarks), watermarks_.encode());
  own.put(own_key(kLedger), ledger_.encode());
  std::string feeds;
  rules::ByteWriter out(feeds);
  out.fixed(static_cast<uint32_t>(feeds_.size()));
  for (const Feed& feed : feeds_) {
    out.text(feed.name);
    out.fixed(static_cast<uint8_t>(feed.dark));
    out.fixed(feed.since);
    out.fixed(feed.seq);
  }
  own.put(own_key(kFeeds), std::move(feeds));
  std::string shards;
  rules::ByteWriter(shards).fixed(options_.shards);
  own.put(own_key(kShards), std::move(shards));
  own.normalise();
  changes.take(own);
}

void Pipeline::confirm() {
  workers_.run(shards_.size(), [this](size_t i) { shards_[i]->confirm(); });
  tables_->confirm();
  caution_.over();
  set_careful(false);
  rule_alerts_.clear();
  erase_gone_ = false;
  note_confirmed();
}

void Pipeline::note_confirmed() {
  committed_watermarks_ = watermarks_.encode();
  committed_ledger_ = ledger_.encode();
  committed_feeds_ = feeds_;
  committed_clocks_ = watermarks_.clocks();
}

Status Pipeline::abort() {
  for (auto& derived : derived_) derived.clear();
  in_flight_.clear();
  exchange_.clear();
  intake_.dead_letters().clear();
  feed_alerts_.clear();
  intake_.end_round();
  tables_->abort();
  set_careful(caution_.careful());
  for (std::vector<RouteLedger>& routes : shard_routes_) std::ranges::fill(routes, RouteLedger{});
  Status result = watermarks_.decode(committed_watermarks_);
  watermarks_.compute();
  for (auto& [name, each] : ledger_.partitions) each = {};
  for (auto& [name, each] : ledger_.routes) each = {};
  if (result) result = ledger_.decode(committed_ledger_);
  feeds_ = committed_feeds_;
  for (auto& shard : shards_) {
    if (result) result = shard->abort(committed_clocks_);
  }
  return result;
}

std::vector<rules::Stop> Pipeline::take_trace() {
  std::vector<rules::Stop> taken;
  taken.swap(traces_);
  return taken;
}

}  // namespace tillwatch::engine
