#include "connectors/generator.h"

#include <algorithm>
#include <string>
#include <utility>

#include "connectors/generator_agenda.h"
#include "connectors/generator_anomalies.h"
#include "connectors/generator_delivery.h"
#include "connectors/generator_reference.h"
#include "connectors/generator_till.h"
#include "connectors/generator_traffic.h"
#include "connectors/generator_world.h"
#include "connectors/generator_writer.h"

namespace tillwatch::connectors {
namespace {

constexpr DurationMs kShortest = 20 * kMinute, kLongest = 400 * kDay;
constexpr DurationMs kMostDisorder = 8 * kSecond;
constexpr DurationMs kPrologue = kMinute;  // before the start

Status refuse(std::string message) { return fail(ErrorKind::invalid, "generator: " + std::move(message)); }

Status check_between(const char* name, int64_t value, int64_t low, int64_t high) {
  if (low <= value && value <= high) return {};
  return refuse(std::string(name) + " is " + std::to_string(value) + "; give " + std::to_string(low) + " to " +
                std::to_string(high));
}

Status check_share(const char* name, double value) {
  if (value >= 0 && value <= 0.5) return {};
  return refuse(std::string(name) + " is " + std::to_string(value) + "; give a share from 0 to 0.5");
}

// `most` is what one run may hold in memory without surprise.
Status check_anomalies(const char* name, const std::map<std::string, double>& counts, double hours) {
  constexpr double kMost = 1e6;
  for (const auto& [kind, count] : counts) {
    if (std::ranges::find(anomalies(), kind, &Anomaly::name) == anomalies().end()) {
      std::string names;
      for (const Anomaly& each : anomalies()) names += (names.empty() ? "" : ", ") + each.name;
      return refuse(std::string(name) + ": there is no anomaly '" + kind + "'; give one of " + names);
    }
    if (!(count >= 0 && count * hours <= kMost)) {
      return refuse(std::string(name) + ": " + kind + " comes to " + std::to_string(count * hours) +
                    " in the run; give 0 to 1000000");
    }
  }
  return {};
}

}  // namespace

const std::vector<Anomaly>& anomalies() {
  static const std::vector<Anomaly> all = [] {
    std::vector<Anomaly> rows;
    for (const generation::Injector& each : generation::injectors()) {
      rows.push_back({each.name, {each.rules.begin(), each.rules.end()}, each.crowd});
    }
    return rows;
  }();
  return all;
}

GeneratorOptions demo_traffic(uint64_t seed, TimeMs start, DurationMs length, double events_per_second,
                              double anomalies_per_hour) {
  GeneratorOptions traffic;
  traffic.seed = seed;
  traffic.start = start;
  traffic.length = length;
  traffic.events_per_second = events_per_second;
  // A card is used about once an hour for some hours, six times on a longer day, and each use is a message or two: with fewer of them
  // phones would be flooded.
  const double hours = static_cast<double>(length) / static_cast<double>(kHour);
  traffic.cards = static_cast<int>(std::clamp(events_per_second * 800 * std::clamp(hours / 6, 1.0, 4.0), 5000.0, 5e6));
  traffic.daily_shape = false;
  traffic.settlement_delay = 3 * kMinute;
  for (const Anomaly& each : anomalies()) {
    traffic.anomalies_per_hour[each.name] = each.crowd ? anomalies_per_hour / 3 : anomalies_per_hour;
  }
  return traffic;
}

Status check_generator_options(const GeneratorOptions& options) {
  if (!(options.events_per_second >= 0.01 && options.events_per_second <= 1e6)) {
    return refuse("events_per_second is " + std::to_string(options.events_per_second) + "; give 0.01 to 1000000");
  }
  const double hours = static_cast<double>(options.length) / static_cast<double>(kHour);
  const Status checks[] = {
      check_between("start (ms since 1970)", options.start, 0, TimeMs{4'102'444'800'000}),
      check_between("length (ms)", options.length, kShortest, kLongest),
      check_between("merchants", options.merchants, 1, 1'000'000),
      check_between("terminals_per_merchant", options.terminals_per_merchant, 1, 100),
      check_between("cards", options.cards, 10, 50'000'000),
      check_between("issuers", options.issuers, 1, 90),
      check_between("max_disorder_ms", options.max_disorder_ms, 0, kMostDisorder),
      check_between("partitions", options.partitions, 1, 10'000),
      check_between("reference_partitions", options.reference_partitions, 1, 10'000),
      check_between("settlement_delay (ms)", options.settlement_delay.value_or(kSecond), kSecond, 30 * kDay),
      check_share("redelivery_share", options.redelivery_share),
      check_share("disorder_share", options.disorder_share),
      check_share("late_share", options.late_share),
      check_anomalies("anomalies", options.anomalies, 1),
      check_anomalies("anomalies_per_hour", options.anomalies_per_hour, hours)};
  for (const Status& check : checks) {
    if (!check) return check;
  }
  return {};
}

// The parts in the order in which they are made; each refers to those above it.
struct Generator::Parts {
  explicit Parts(const GeneratorOptions& given)
      : options(given),
        world(options, generation::castings(options)),
        delivery(options, world),
        till(options, world, agenda, delivery),
        traffic(options, world, till, agenda),
        anomalies(options, world, till, traffic, delivery, agenda),
        prologue(options, world) {}

  bool next(GeneratedRecord& record);
  bool next_of_prologue(GeneratedRecord& record);
  TimeMs next_deed() const { return std::min(agenda.next_time(), traffic.next_time()); }

  const GeneratorOptions options;
  generation::World world;
  generation::Delivery delivery;
  generation::Agenda agenda;
  generation::Till till;
  generation::Traffic traffic;
  generation::Anomalies anomalies;
  generation::Prologue prologue;
  generation::ReferenceRecord reference;
  bool in_prologue = true;
};

bool Generator::Parts::next_of_prologue(GeneratedRecord& record) {
  if (!prologue.next(reference)) return false;
  generation::Writer::write(reference, record);
  record.arrival = options.start - kPrologue;
  record.partition = delivery.partition_of(record.key, true);
  record.repeated = false;
  return true;
}

// Whatever is done at a time arrives after it: so the earliest arrival is certain once nothing is left to do before it.
bool Generator::Parts::next(GeneratedRecord& record) {
  if (in_prologue && next_of_prologue(record)) return true;
  in_prologue = false;
  for (;;) {
    const TimeMs deed = next_deed();
    if (deed < kAfterAllTime && (delivery.empty() || deed <= delivery.next_arrival())) {
      if (agenda.next_time() <= traffic.next_time()) {
        agenda.do_next();
      } else {
        traffic.visit_next();
      }
      continue;
    }
    if (delivery.empty()) return false;
    delivery.pop(record);
    return true;
  }
}

Generator::Generator(const GeneratorOptions& options) {
  TILLWATCH_CHECK(check_generator_options(options).has_value());
  parts_ = std::make_unique<Parts>(options);
}

Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

bool Generator::next(GeneratedRecord& record) { return parts_->next(record); }

const std::vector<Injected>& Generator::truth() const { return parts_->anomalies.truth(); }

std::vector<Injected> Generator::implied(TimeMs until) const { return parts_->till.creep().truth(until); }

}  // namespace tillwatch::connectors
