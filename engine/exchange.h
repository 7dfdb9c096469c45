// From events to the shards that keep state for them, and back for what rules emit.
//
// Two exchanges stand behind one interface (ARCHITECTURE.md, "The exchange"): LocalExchange, below, hands over in memory within
// a batch; GroupExchange (engine/group_exchange.h), for many processes, through an internal topic inside the same transaction.
#pragma once

#include <string_view>
#include <vector>

#include "rules/runtime/shard.h"

namespace tillwatch::engine {

// One event for one input of one rule, under one key.
struct Delivery {
  int subscription = 0;
  rules::Event event;
  std::string_view key;  // bytes live until the round is over
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void send(const Delivery& delivery) = 0;
};

// All shards in this process.
class LocalExchange final : public Exchange {
 public:
  explicit LocalExchange(uint16_t shards) : inboxes_(shards) {}
  void send(const Delivery& delivery) override;
  // Everything sent so far for shard `shard`, in order; the exchange forgets it at clear().
  const std::vector<Delivery>& inbox(uint16_t shard) const { return inboxes_[shard]; }
  void clear();

 private:
  std::vector<std::vector<Delivery>> inboxes_;
};

}  // namespace tillwatch::engine
