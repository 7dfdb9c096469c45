#include "engine/group_run.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "connectors/kafka_group.h"
#include "engine/base/words.h"
#include "engine/crash_point.h"
#include "engine/group_member.h"
#include "engine/group_numbers.h"
#include "engine/observer.h"
#include "state/key_codec.h"

namespace tillwatch::engine {
namespace {

constexpr uint16_t kOwnShard = 0xffff;
constexpr uint32_t kMemberSlot = 201;

// A member is called the same after a restart: its name lives with its store.
Expected<std::string> member_name(state::Store& store) {
  std::string key;
  state::append_state_key(key, kOwnShard, kMemberSlot, "", 0, 0);
  const auto stored = store.get(key);
  if (!stored) return std::unexpected(stored.error());
  if (stored->has_value()) return **stored;
  std::random_device random;
  const std::string name = fmt::format("member-{:08x}{:08x}", random(), random());
  state::WriteSet changes;
  changes.put(key, name);
  if (Status written = store.commit(store.applied() + 1, changes); !written) return std::unexpected(written.error());
  return name;
}

// Rows that rules make would have to reach every shard of every member.
Status check_rules(const rules::CompiledBundle& bundle) {
  for (size_t i = 0; i < bundle.table_of_stream.size(); ++i) {
    const int table = bundle.table_of_stream[i];
    if (table < 0 || bundle.emitters[i].empty()) continue;
    return fail(
        ErrorKind::invalid,
        fmt::format(
            "rule `{}` makes rows of table `{}`, which mode `group` cannot hand to all members: run it in mode `single`, or "
            "take the rule out",
            bundle.rules[static_cast<size_t>(bundle.emitters[i].front())]->name,
            bundle.source.schema.tables[static_cast<size_t>(table)].name));
  }
  return {};
}

GroupOptions member_options(const Config& config) {
  GroupOptions options;
  options.shards = config.shards;
  options.workers = config.workers;
  options.state_bytes = config.memory_budget - config.state.memory_budget;
  options.decode.max_future_skew = config.max_future_skew;
  if (const char* const key = std::getenv("TILLWATCH_TOKEN_KEY")) options.decode.card_key = key;
  options.exchange_topic = config.kafka.group + "-exchange";
  options.changelog_topic = config.kafka.group + "-changelog";
  options.alerts_topic = config.alerts_topic;
  options.dead_letter_topic = config.dead_letter_topic;
  options.max_records = config.batch_max_records;
  options.max_wait = std::chrono::milliseconds(config.batch_max_wait);
  options.heartbeat = std::chrono::milliseconds(config.idle_commit);
  options.give_up_after = std::chrono::milliseconds(config.give_up_after);
  options.max_backlog = config.group.max_backlog;
  options.trim_every = std::chrono::milliseconds(config.group.trim_every);
  options.drain_for = std::chrono::milliseconds(config.group.drain_for);
  options.restore.oldest_store = config.group.tombstones_kept - config.group.tombstones_kept / 6;
  options.restore.patience = config.group.restore_patience;
  return options;
}

}  // namespace

Status run_group(const Config& config, std::shared_ptr<const rules::CompiledBundle> bundle, state::Store& store, Log& log,
                 const std::atomic<bool>& stop) {
  if (Status checked = check_rules(*bundle); !checked) return checked;
  const GroupOptions options = member_options(config);
  const auto member = member_name(store);
  if (!member) return std::unexpected(member.error());
  CrashPoint crash_point = CrashPoint::from_environment();
  connectors::KafkaGroupOptions link_options;
  link_options.kafka = config.kafka;
  link_options.member = *member;
  link_options.table_topics = Intake::table_topics(*bundle);
  link_options.kafka.topics = Intake::stream_topics(*bundle);
  link_options.kafka.topics.insert(link_options.kafka.topics.end(), link_options.table_topics.begin(),
                                   link_options.table_topics.end());
  link_options.kafka.output_topics = {config.alerts_topic, config.dead_letter_topic};
  link_options.kafka.stop_waiting = [&stop] { return stop.load(); };
  link_options.kafka.log = [&log](int level, const std::string& text) {
    if (level <= 3) {
      log.warning("kafka: {}", text);
    } else {
      log.info("kafka: {}", text);
    }
  };
  if (crash_point.armed()) {
    link_options.kafka.observe_step = [&](connectors::CommitStep step) { crash_point.reached(CrashPoint::name(step)); };
  }
  link_options.exchange_topic = options.exchange_topic;
  link_options.changelog_topic = options.changelog_topic;
  link_options.shards = options.shards;
  link_options.replication = config.group.replication;
  link_options.tombstones_kept_ms = config.group.tombstones_kept;
  log.info("connecting to Kafka at {} as {} of group {}", config.kafka.bootstrap, *member, config.kafka.group);
  auto link = connectors::open_kafka_group(link_options);
  if (!link) return std::unexpected(link.error());

  GroupMember running(bundle, options, **link, store, system_group_clock());
  running.set_log([&log](const std::string& text) { log.info("{}", text); });
  Observer observer([&](MetricsSnapshot& snapshot) { gather(running, *bundle, snapshot); });
  if (Status exposed = observer.expose(config.metrics_listen); !exposed) return exposed;
  if (!observer.address().empty()) log.info("metrics at http://{}/metrics", observer.address());
  uint64_t said = 0, dead_letters = 0, assignments = 0;
  running.watch([&](const GroupReport& report) {
    said += report.alerts->size();
    dead_letters += report.dead_letters;
    observer.note({report.alerts, report.records, report.commit});
  });
  running.after_each_cycle([&] {
    if (assignments != running.counts().shard_assignments) {
      assignments = running.counts().shard_assignments;
      std::set<uint16_t> shards;
      for (const auto& [number, lag] : running.exchange_lags()) shards.insert(number);
      observer.keep_shards(shards);
    }
    observer.look();
  });
  log.info("{}, {}, {}, joining", counted(bundle->rules.size(), "rule"), counted(config.shards, "shard"),
           counted(config.workers, "worker"));
  if (Status status = running.run(stop); !status) return status;
  log.info("stopped: {} read, {} about alerts, {}, {}", counted(observer.records(), "record"), counted(said, "message"),
           counted(dead_letters, "dead letter"), counted(running.counts().committed, "commit"));
  return {};
}

}  // namespace tillwatch::engine
