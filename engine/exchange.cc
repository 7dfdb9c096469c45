#include "engine/exchange.h"

#include "state/key_codec.h"

namespace tillwatch::engine {

void LocalExchange::send(const Delivery& delivery) {
  inboxes_[state::shard_of(delivery.key, static_cast<uint16_t>(inboxes_.size()))].push_back(delivery);
}

void LocalExchange::clear() {
  for (auto& inbox : inboxes_) inbox.clear();
}

}  // namespace tillwatch::engine
