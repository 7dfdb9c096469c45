// The exchange of a group: what one member has for the shards, as frames for the internal topic, sealed once a commit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/exchange.h"
#include "engine/exchange_frame.h"
#include "rules/runtime/compiled_rule.h"

namespace tillwatch::engine {

// What a frame names a subscription by: its name, and a fingerprint of the rule's text and of the layout of its rows. Members
// with different fingerprints run different rules and must not read each other's copies.
std::vector<FrameRoute> frame_routes(const rules::CompiledBundle& bundle);

class GroupExchange final : public Exchange {
 public:
  // A frame is closed when it has grown to `frame_bytes`; one copy may be larger.
  GroupExchange(const rules::CompiledBundle& bundle, uint16_t shards, size_t frame_bytes);

  // Copies sent from now on name their origin by its index in `inputs`, which lives until seal().
  void set_origins(const std::vector<connectors::Partition>& inputs) { inputs_ = &inputs; }
  void send(const Delivery& delivery) override;
  uint64_t copies() const { return copies_; }  // since seal()

  // Marks to every shard, behind all copies of this commit.
  ExchangeFrame& marks() { return marks_; }
  // Marks to one shard.
  void report(uint16_t shard, SilenceMark mark) { open_[shard].frame.silences.push_back(std::move(mark)); }

  struct Frame {
    uint16_t shard = 0;
    std::string bytes;
  };
  // Everything since the last time, in the order it is to stand in the topic. The exchange is empty afterwards.
  std::vector<Frame> seal();

 private:
  struct Open {
    ExchangeFrame frame;
    size_t bytes = 0;
  };
  void close(uint16_t shard);
  template <class T, class Same>
  static uint32_t place(std::vector<T>& list, const Same& same, const T& value);

  const std::vector<FrameRoute> routes_;  // per subscription
  const size_t frame_bytes_;
  const std::vector<connectors::Partition>* inputs_ = nullptr;
  std::vector<Open> open_;  // per shard
  std::vector<Frame> closed_;
  ExchangeFrame marks_;
  uint64_t copies_ = 0;
};

}  // namespace tillwatch::engine
