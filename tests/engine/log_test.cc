#include "engine/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "engine/base/mask.h"

namespace tillwatch {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(Log, TextLines) {
  std::ostringstream out;
  Log log({}, out);
  log.debug("not {}", "wanted");
  log.info("read {} records", 3);
  log.error("broker is away");
  EXPECT_THAT(out.str(),
              MatchesRegex("[0-9T:.-]+\\+08:00 info     read 3 records\n[0-9T:.-]+\\+08:00 error    broker is away\n"));
}

TEST(Log, JsonLines) {
  std::ostringstream out;
  Log log({.level = LogLevel::debug, .format = LogFormat::json}, out);
  log.debug("path \"C:\\x\"\nsecond line");
  EXPECT_THAT(out.str(), HasSubstr(R"("level":"debug","message":"path \"C:\\x\"\\nsecond line"})"));
}

TEST(Log, NothingReadableLeaks) {
  std::ostringstream out;
  Log log({}, out);
  log.warning("record of card 4111111111111111, phone 13812341234: {}", "\x1b[2J\xff");
  EXPECT_THAT(out.str(), HasSubstr("card 411111******1111, phone 138****1234: \\x1b[2J\xef\xbf\xbd\n"));
}

TEST(Log, LongMessagesAreCut) {
  std::ostringstream out;
  Log log({}, out);
  log.info("{}", std::string(100'000, 'x'));
  EXPECT_LT(out.str().size(), 5000u);
  EXPECT_THAT(out.str(), HasSubstr("x…\n"));
}

TEST(Log, Names) {
  EXPECT_EQ(find_log_level("warning"), LogLevel::warning);
  EXPECT_EQ(find_log_level("loud"), std::nullopt);
  EXPECT_EQ(find_log_format("json"), LogFormat::json);
  EXPECT_EQ(find_log_format("xml"), std::nullopt);
}

}  // namespace
}  // namespace tillwatch
