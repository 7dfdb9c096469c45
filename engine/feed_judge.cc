#include "engine/feed_judge.h"

#include <algorithm>

#include "engine/base/hash.h"
#include "rules/runtime/bytes.h"

namespace tillwatch::engine {

FeedJudge::FeedJudge(const rules::Schema& schema, uint16_t number, uint16_t shards)
    : schema_(schema),
      number_(number),
      shards_(shards),
      feeds_(schema.streams.size()),
      believed_(schema.streams.size(), kBeforeAllTime),
      reports_(schema.streams.size(), std::vector<Report>(shards)) {
  for (size_t i = 0; i < feeds_.size(); ++i) feeds_[i].name = schema.streams[i].name;
}

uint16_t FeedJudge::judge_of(std::string_view stream, uint16_t shards) {
  return static_cast<uint16_t>(hash_bytes(stream) % shards);
}

void FeedJudge::hear(int stream, const SilenceMark& report) {
  if (report.shard >= shards_) return;
  Report& last = reports_[static_cast<size_t>(stream)][report.shard];
  if (report.upto < last.upto) return;
  last.upto = report.upto;
  last.held.count = report.waiting;
  last.held.money_minor = report.money_minor;
}

void FeedJudge::judge(const Watermarks& watermarks, ExchangeFrame& marks, std::vector<AlertRecord>& alerts) {
  for (size_t i = 0; i < feeds_.size(); ++i) {
    const bool is_feed = schema_.streams[i].origin == rules::Stream::Origin::topic;
    if (!is_feed || judge_of(schema_.streams[i].name, shards_) != number_) continue;
    FeedView view;
    view.alive = watermarks.alive(static_cast<int>(i));
    view.now = kAfterAllTime;
    for (const Report& each : reports_[i]) {
      view.now = std::min(view.now, each.upto);
      view.held.count += each.held.count;
      view.held.money_minor += each.held.money_minor;
    }
    view.silent = view.now > std::max(view.alive, believed_[i]);
    if (!view.silent && !feeds_[i].dark) continue;
    if (weigh(feeds_[i], schema_.streams[i], view, alerts)) {
      believed_[i] = view.now;
      marks.gates.push_back({schema_.streams[i].name, view.now});
    }
  }
}

std::string FeedJudge::encode() const {
  std::string bytes;
  rules::ByteWriter out(bytes);
  uint32_t judged = 0;
  for (const Feed& feed : feeds_) judged += judge_of(feed.name, shards_) == number_;
  out.fixed(judged);
  for (size_t i = 0; i < feeds_.size(); ++i) {
    if (judge_of(feeds_[i].name, shards_) != number_) continue;
    out.text(feeds_[i].name);
    out.fixed(static_cast<uint8_t>(feeds_[i].dark));
    out.fixed(feeds_[i].since);
    out.fixed(feeds_[i].waiting);
    out.fixed(feeds_[i].money_minor);
    out.fixed(feeds_[i].seq);
    out.fixed(believed_[i]);
    out.fixed(static_cast<uint32_t>(shards_));
    for (const Report& each : reports_[i]) {
      out.fixed(each.upto);
      out.fixed(each.held.count);
      out.fixed(each.held.money_minor);
    }
  }
  return bytes;
}

Status FeedJudge::decode(std::string_view bytes) {
  rules::ByteReader in(bytes);
  for (uint32_t n = in.count(50); n > 0 && in.ok(); --n) {
    const int stream = schema_.find_stream(in.text());
    Feed feed;
    feed.dark = in.fixed<uint8_t>() != 0;
    feed.since = in.fixed<TimeMs>();
    feed.waiting = in.fixed<uint64_t>();
    feed.money_minor = in.fixed<int64_t>();
    feed.seq = in.fixed<uint32_t>();
    const auto believed = in.fixed<TimeMs>();
    std::vector<Report> reports(in.count(24));
    for (Report& each : reports) {
      each.upto = in.fixed<TimeMs>();
      each.held.count = in.fixed<uint64_t>();
      each.held.money_minor = in.fixed<int64_t>();
    }
    if (!in.ok() || reports.size() != shards_) break;
    if (stream < 0) continue;
    const auto at = static_cast<size_t>(stream);
    feed.name = feeds_[at].name;
    feeds_[at] = feed;
    believed_[at] = believed;
    reports_[at] = std::move(reports);
  }
  return in.ok() && in.done() ? Status{} : fail(ErrorKind::corrupt, "store: what a shard knows of silent feeds is damaged");
}

}  // namespace tillwatch::engine
