// In a group no member sees all that waits on a silent feed. Each shard reports what it holds to the one shard that judges the
// feed; the judge's word goes to all. Reports and word travel through the exchange, so the verdict survives its judge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "engine/exchange_frame.h"
#include "engine/feed.h"
#include "engine/watermarks.h"

namespace tillwatch::engine {

class FeedJudge {
 public:
  FeedJudge(const rules::Schema& schema, uint16_t number, uint16_t shards);
  static uint16_t judge_of(std::string_view stream, uint16_t shards);

  void hear(int stream, const SilenceMark& report);
  // Weighs the feeds this shard judges; what is believed goes to `marks`.
  void judge(const Watermarks& watermarks, ExchangeFrame& marks, std::vector<AlertRecord>& alerts);

  const std::vector<Feed>& feeds() const { return feeds_; }
  std::string encode() const;
  Status decode(std::string_view bytes);  // error: corrupt

 private:
  struct Report {
    TimeMs upto = kBeforeAllTime;
    rules::Machine::Held held;
  };
  const rules::Schema& schema_;
  const uint16_t number_;
  const uint16_t shards_;
  std::vector<Feed> feeds_;                   // per stream; used of those judged here
  std::vector<TimeMs> believed_;              // per stream: what the others were told
  std::vector<std::vector<Report>> reports_;  // per stream and shard
};

}  // namespace tillwatch::engine
