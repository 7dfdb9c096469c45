#include "engine/exchange_frame.h"

#include <gtest/gtest.h>

#include <random>

namespace tillwatch::engine {
namespace {

constexpr int kFrames = 2000;

class RandomFrame {
 public:
  explicit RandomFrame(uint64_t seed) : random_(seed) {}

  ExchangeFrame next() {
    ExchangeFrame frame;
    for (size_t i = count(3) + 1; i > 0; --i) frame.routes.push_back({text(), random_()});
    for (size_t i = count(3) + 1; i > 0; --i) frame.origins.push_back(partition());
    for (size_t i = count(6); i > 0; --i) {
      FrameCopy copy;
      copy.route = static_cast<uint16_t>(random_() % frame.routes.size());
      copy.event = {.time = time(), .known_at = time(), .accepted = random_() % 2 == 0, .id = random_(), .arrived_at = time()};
      copy.event.origin = {static_cast<uint32_t>(random_() % frame.origins.size()), time()};
      copy.key = kept(text());
      copy.event.row = kept(text());
      frame.copies.push_back(copy);
    }
    for (size_t i = count(4); i > 0; --i) frame.inputs.push_back({partition(), time(), time()});
    for (size_t i = count(2); i > 0; --i) frame.topics.push_back({text(), number()});
    for (size_t i = count(4); i > 0; --i) frame.emitters.push_back({static_cast<uint16_t>(random_()), text(), time(), time()});
    for (size_t i = count(2); i > 0; --i) {
      frame.silences.push_back({static_cast<uint16_t>(random_()), text(), time(), random_(), time()});
    }
    for (size_t i = count(2); i > 0; --i) frame.gates.push_back({text(), time()});
    return frame;
  }
  std::mt19937_64& random() { return random_; }

 private:
  size_t count(size_t most) { return random_() % (most + 1); }
  TimeMs time() { return static_cast<TimeMs>(random_()); }
  int32_t number() { return static_cast<int32_t>(random_()); }
  connectors::Partition partition() { return {text(), number()}; }
  std::string text() {
    std::string bytes(random_() % 20, '\0');
    for (char& each : bytes) each = static_cast<char>(random_());
    return bytes;
  }
  std::string_view kept(std::string bytes) { return bytes_.emplace_back(std::move(bytes)); }

  std::mt19937_64 random_;
  std::deque<std::string> bytes_;
};

void expect_same(const ExchangeFrame& wanted, const ExchangeFrame& came) {
  EXPECT_EQ(wanted.routes, came.routes);
  EXPECT_EQ(wanted.origins, came.origins);
  EXPECT_EQ(wanted.inputs, came.inputs);
  EXPECT_EQ(wanted.topics, came.topics);
  EXPECT_EQ(wanted.emitters, came.emitters);
  EXPECT_EQ(wanted.silences, came.silences);
  EXPECT_EQ(wanted.gates, came.gates);
  ASSERT_EQ(wanted.copies.size(), came.copies.size());
  for (size_t i = 0; i < wanted.copies.size(); ++i) {
    const FrameCopy &a = wanted.copies[i], &b = came.copies[i];
    EXPECT_EQ(a.route, b.route);
    EXPECT_EQ(a.key, b.key);
    EXPECT_EQ(a.event.row, b.event.row);
    EXPECT_EQ(a.event.time, b.event.time);
    EXPECT_EQ(a.event.known_at, b.event.known_at);
    EXPECT_EQ(a.event.accepted, b.event.accepted);
    EXPECT_EQ(a.event.id, b.event.id);
    EXPECT_EQ(a.event.origin.input, b.event.origin.input);
    EXPECT_EQ(a.event.origin.offset, b.event.origin.offset);
    EXPECT_EQ(a.event.arrived_at, b.event.arrived_at);
  }
}

TEST(ExchangeFrame, WhatIsWrittenIsRead) {
  RandomFrame frames(1);
  for (int i = 0; i < kFrames; ++i) {
    const ExchangeFrame wanted = frames.next();
    const std::string bytes = wanted.encode();
    const Expected<ExchangeFrame> came = ExchangeFrame::decode(bytes);
    ASSERT_TRUE(came) << came.error().message;
    expect_same(wanted, *came);
  }
}

TEST(ExchangeFrame, WhatIsCutShortOrLengthenedIsDamaged) {
  RandomFrame frames(2);
  for (int i = 0; i < 50; ++i) {
    const std::string bytes = frames.next().encode();
    for (size_t length = 0; length < bytes.size(); ++length) {
      const auto came = ExchangeFrame::decode(std::string_view(bytes).substr(0, length));
      ASSERT_FALSE(came) << "seed 2, frame " << i << ", " << length << " of " << bytes.size() << " bytes";
      EXPECT_EQ(came.error().kind, ErrorKind::corrupt);
    }
    EXPECT_FALSE(ExchangeFrame::decode(bytes + '\0'));
  }
}

// Whatever the bytes are, what is accepted points inside itself and inside the bytes.
TEST(ExchangeFrame, FlippedBytesAreRefusedOrHarmless) {
  RandomFrame frames(3);
  int accepted = 0, refused = 0;
  for (int i = 0; i < kFrames; ++i) {
    std::string bytes = frames.next().encode();
    for (int flips = 1 + static_cast<int>(frames.random()() % 4); flips > 0; --flips) {
      bytes[frames.random()() % bytes.size()] ^= static_cast<char>(1 << (frames.random()() % 8));
    }
    const auto came = ExchangeFrame::decode(bytes);
    ++(came ? accepted : refused);
    if (!came) continue;
    for (const FrameCopy& copy : came->copies) {
      EXPECT_LT(copy.route, came->routes.size());
      EXPECT_LT(copy.event.origin.input, came->origins.size());
      EXPECT_TRUE(copy.event.row.empty() || (copy.event.row.data() >= bytes.data() &&
                                             copy.event.row.data() + copy.event.row.size() <= bytes.data() + bytes.size()));
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0);
}

TEST(ExchangeFrame, AnotherVersionIsNamed) {
  std::string bytes = ExchangeFrame{}.encode();
  bytes[0] = 2;
  const auto came = ExchangeFrame::decode(bytes);
  ASSERT_FALSE(came);
  EXPECT_EQ(came.error().kind, ErrorKind::invalid);
  EXPECT_NE(came.error().message.find("format 2"), std::string::npos);
}

}  // namespace
}  // namespace tillwatch::engine
