#include "connectors/generator_delivery.h"

#include <cmath>

namespace tillwatch::connectors::generation {
namespace {

uint32_t parts_per_million(double share) { return static_cast<uint32_t>(std::lround(share * 1e6)); }

}  // namespace

Delivery::Delivery(const GeneratorOptions& options, const World& world)
    : writer_(options.seed, world),
      random_(options.seed, 2),
      redelivery_ppm_(parts_per_million(options.redelivery_share)),
      disorder_ppm_(parts_per_million(options.disorder_share)),
      late_ppm_(parts_per_million(options.late_share)),
      max_disorder_ms_(options.max_disorder_ms),
      partitions_(static_cast<uint32_t>(options.partitions)),
      reference_partitions_(static_cast<uint32_t>(options.reference_partitions)),
      start_at_(options.start) {}

void Delivery::send(Transaction fact, bool punctual) {
  fact.fact = ++fact_;
  send_place(fact.known_at(), Kind::transaction, transactions_.put(fact), punctual);
}

void Delivery::send(Slip fact) {
  fact.fact = ++fact_;
  send_place(fact.at, Kind::slip, slips_.put(fact), false);
}

void Delivery::send(SettlementLine fact) {
  fact.fact = ++fact_;
  send_place(fact.posted_at, Kind::settlement, settlements_.put(fact), false);
}

void Delivery::send(Submission fact) {
  fact.fact = ++fact_;
  send_place(fact.at, Kind::submission, submissions_.put(fact), false);
}

void Delivery::send(Receipt fact) {
  fact.fact = ++fact_;
  send_place(fact.at, Kind::receipt, receipts_.put(fact), false);
}

void Delivery::send(Reply fact) {
  fact.fact = ++fact_;
  send_place(fact.at, Kind::reply, replies_.put(fact), false);
}

void Delivery::send(const ReferenceRecord& fact) {
  TILLWATCH_CHECK(fact.recorded_at >= given_until_);
  heap_.push({.arrival = fact.recorded_at,
              .order = ++order_,
              .place = references_.put(fact),
              .kind = Kind::reference,
              .first_of_two = false,
              .repeated = false});
}

void Delivery::send_place(TimeMs sent_at, Kind kind, uint32_t place, bool punctual) {
  // What was sent before the run has waited on the broker, in order: a day of it is read in 17 s.
  constexpr int64_t kBacklogPace = 5000;
  const bool backlog = sent_at < start_at_;
  Arrival next = {
      .arrival = backlog ? start_at_ - kSecond - (start_at_ - sent_at) / kBacklogPace : sent_at + random_.between(20, 400),
      .order = ++order_,
      .place = place,
      .kind = kind,
      .first_of_two = false,
      .repeated = false};
  const bool late = !punctual && !backlog && late_ppm_ > 0 && random_.chance(late_ppm_);
  if (late) {
    next.arrival = sent_at + random_.between(12'000, 45'000);
    late_ = true;
  } else if (!backlog && disorder_ppm_ > 0 && random_.chance(disorder_ppm_)) {
    next.arrival += random_.between(0, max_disorder_ms_);
  }
  if (redelivery_ppm_ > 0 && random_.chance(redelivery_ppm_)) {
    next.first_of_two = true;
    Arrival again = next;
    again.arrival += random_.chance(700'000) ? random_.between(50, 8000) : random_.between(8000, 60'000);
    again.order = ++order_;
    again.first_of_two = false;
    again.repeated = true;
    heap_.push(again);
  }
  TILLWATCH_CHECK(next.arrival >= given_until_);  // nothing may be sent into the past
  heap_.push(next);
}

// FNV-1a: fixed for good, so that a seed's partitions never change. The versions of one reference row stay together.
int32_t Delivery::partition_of(const std::string& key, bool reference) const {
  uint64_t hash = 14'695'981'039'346'656'037ULL;
  for (const char c : key) {
    if (reference && c == kBeforeVersion) break;
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  }
  return static_cast<int32_t>(mix(hash) % (reference ? reference_partitions_ : partitions_));
}

void Delivery::pop(GeneratedRecord& record) {
  const Arrival next = heap_.top();
  heap_.pop();
  record.key.clear();
  record.value.clear();
  record.arrival = given_until_ = next.arrival;
  record.repeated = next.repeated;
  write(next, record);
  record.partition = partition_of(record.key, next.kind == Kind::reference);
  // A producer that starts again may well choose another partition.
  if (next.repeated && partitions_ > 1 && (next.order & 1) == 0) {
    record.partition = (record.partition + 1) % static_cast<int32_t>(partitions_);
  }
}

void Delivery::write(const Arrival& next, GeneratedRecord& record) {
  const auto write_from = [&](auto& waiting) {
    writer_.write(waiting.at(next.place), record);
    if (!next.first_of_two) waiting.release(next.place);
  };
  switch (next.kind) {
    case Kind::transaction:
      return write_from(transactions_);
    case Kind::slip:
      return write_from(slips_);
    case Kind::settlement:
      return write_from(settlements_);
    case Kind::submission:
      return write_from(submissions_);
    case Kind::receipt:
      return write_from(receipts_);
    case Kind::reply:
      return write_from(replies_);
    case Kind::reference:
      return write_from(references_);
  }
}

}  // namespace tillwatch::connectors::generation
