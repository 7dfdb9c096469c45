// The reference records: all that is known before the run, and what is registered in the course of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "connectors/generator_facts.h"
#include "connectors/generator_world.h"

namespace tillwatch::connectors::generation {

// One version of a merchant's registration with this MCC.
ReferenceRecord merchant_version(const World& world, uint32_t merchant, uint16_t mcc, TimeMs effective_from,
                                 TimeMs recorded_at);
// One version of a merchant's rate contract.
ReferenceRecord contract_version(const World& world, uint32_t merchant, const Contract& contract);

// Where a terminal is registered, and as what.
struct Placement {
  std::optional<uint32_t> account = {};  // the terminal under whose merchant and terminal id it stands; its own when empty
  int32_t moved_e4 = 0;                  // so far north of where it was, in 1e-4 degrees
  bool certified = false;                // now, if it was not
};
ReferenceRecord terminal_version(const World& world, uint32_t terminal, const Placement& placement, TimeMs effective_from,
                                 TimeMs recorded_at);
ReferenceRecord acquirer_version(const World& world, uint32_t acquirer, Licence licence, TimeMs effective_from,
                                 TimeMs recorded_at);
// From which address a sending key is used.
ReferenceRecord sending_key_version(const std::string& api_key_id, const char* address, TimeMs effective_from,
                                    TimeMs recorded_at);
// A holder's subscription, with the phone of `phone_owner`.
ReferenceRecord subscription_version(const Card& card, uint64_t phone_owner, TimeMs effective_from, TimeMs recorded_at);

// Gives every reference record known before the start, one at a time, so that a large world need not be held twice.
class Prologue {
 public:
  Prologue(const GeneratorOptions& options, const World& world) : options_(options), world_(world) {}

  // False when there are no more.
  bool next(ReferenceRecord& record);

 private:
  bool next_of_table(ReferenceRecord& record);
  bool next_merchant(ReferenceRecord& record);
  bool next_contract(ReferenceRecord& record);
  bool next_merchant_subscription(ReferenceRecord& record);
  void next_row();

  const GeneratorOptions options_;
  const World& world_;
  uint32_t table_ = 0;
  uint32_t row_ = 0;      // the next row of the table
  uint32_t version_ = 0;  // its next version
};

}  // namespace tillwatch::connectors::generation
