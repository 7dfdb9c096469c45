// Writes the facts as records, in the JSON shapes of the payments schema.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/generator_facts.h"

namespace tillwatch::connectors::generation {

class JsonObject;

// Fills in topic, key, value and event time; partition and arrival are the delivery's.
class Writer {
 public:
  Writer(uint64_t seed, const World& world) : seed_(seed), world_(world) {}

  void write(const Transaction& transaction, GeneratedRecord& record) const;
  void write(const Slip& slip, GeneratedRecord& record) const;
  void write(const SettlementLine& line, GeneratedRecord& record) const;
  void write(const Submission& submission, GeneratedRecord& record) const;
  void write(const Receipt& receipt, GeneratedRecord& record) const;
  void write(const Reply& reply, GeneratedRecord& record) const;
  static void write(const ReferenceRecord& reference, GeneratedRecord& record);

 private:
  void append_event_id(std::string& out, TimeMs at, uint64_t fact) const;
  void append_phone(JsonObject& json, uint64_t owner) const;
  uint16_t said_tail(const Submission& submission) const;
  void append_content(JsonObject& json, const Submission& submission) const;
  void append_original(JsonObject& json, const Transaction& transaction) const;

  uint64_t seed_;
  const World& world_;
};

}  // namespace tillwatch::connectors::generation
