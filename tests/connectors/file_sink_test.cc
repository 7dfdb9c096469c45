#include "connectors/file_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/temporary_directory.h"

namespace tillwatch::connectors {
namespace {

using testing::HasSubstr;
using Layout = FileSinkOptions::Layout;

OutputBatch batch_of(std::vector<OutputRecord> records) { return {.commit_number = 1, .records = std::move(records)}; }

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::unique_ptr<Sink> open(const FileSinkOptions& options) {
  Expected<std::unique_ptr<Sink>> sink = open_file_sink(options);
  EXPECT_TRUE(sink) << sink.error().message;
  return sink ? *std::move(sink) : nullptr;
}

std::string append(Sink& sink, std::vector<OutputRecord> records) {
  const Expected<std::string> mark = sink.append(batch_of(std::move(records)));
  EXPECT_TRUE(mark) << mark.error().message;
  return mark ? *mark : "";
}

template <class T>
void expect_failed(const Expected<T>& result, ErrorKind kind, const std::string& words) {
  ASSERT_FALSE(result) << words;
  EXPECT_EQ(result.error().kind, kind);
  EXPECT_THAT(result.error().message, HasSubstr(words));
}

// The disk is full beyond `bytes` of every file, while this lives.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit_), 0);
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = old_limit_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit_), 0);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  struct rlimit old_limit_ = {};
  void (*old_handler_)(int);
};

class FileSink : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return directory_.file(name); }
  FileSinkOptions one_file(const std::string& name) const { return {.path = file(name)}; }
  FileSinkOptions per_topic(std::vector<std::string> topics = {"alerts", "dead-letter"}) const {
    return {.layout = Layout::file_per_topic, .path = file("topics"), .topics = std::move(topics)};
  }
  TemporaryDirectory directory_;
};

TEST_F(FileSink, DoesNotDecide) {
  const auto sink = open(one_file("out"));
  EXPECT_FALSE(sink->decides());
  expect_failed(sink->recover(), ErrorKind::invalid, "does not decide");
  expect_failed(sink->commit({}), ErrorKind::invalid, "does not decide");
}

TEST_F(FileSink, OneFileHoldsEveryRecordInOrder) {
  const auto sink = open(one_file("out"));
  EXPECT_EQ(append(*sink, {{"alerts", "k", "{\"a\":1}"}, {"dead-letter", "", "{}"}, {"alerts", "k", "{\"a\":2}"}}),
            "{\"*\":19}");
  EXPECT_EQ(append(*sink, {}), "{\"*\":19}");
  EXPECT_EQ(content(file("out")), "{\"a\":1}\n{}\n{\"a\":2}\n");
}

TEST_F(FileSink, EachTopicHasItsFile) {
  const auto sink = open(per_topic());
  EXPECT_EQ(append(*sink, {}), "{\"alerts\":0,\"dead-letter\":0}");
  EXPECT_EQ(append(*sink, {{"alerts", "k", "1"}, {"dead-letter", "", "{}"}, {"alerts", "k", "2"}}),
            "{\"alerts\":4,\"dead-letter\":3}");
  EXPECT_EQ(content(file("topics/alerts.ndjson")), "1\n2\n");
  EXPECT_EQ(content(file("topics/dead-letter.ndjson")), "{}\n");
  expect_failed(sink->append(batch_of({{"alerts", "", "3"}, {"other", "", "3"}})), ErrorKind::invalid,
                "topic 'other' is not among");
  EXPECT_EQ(content(file("topics/alerts.ndjson")), "1\n2\n");
}

TEST_F(FileSink, ARecordIsOneLine) {
  const auto sink = open(one_file("out"));
  append(*sink, {{"t", "", "{\n  \"a\": 1\n}"}, {"t", "", ""}});
  EXPECT_EQ(content(file("out")), "{   \"a\": 1 }\n\n");
}

TEST_F(FileSink, RewindsToAMark) {
  std::string mark;
  {
    const auto sink = open(per_topic());
    append(*sink, {{"alerts", "", "kept"}});
    mark = append(*sink, {{"alerts", "", "kept too"}});
    append(*sink, {{"alerts", "", "lost"}, {"dead-letter", "", "lost"}});
  }
  const auto sink = open(per_topic());
  ASSERT_TRUE(sink->rewind(mark));
  EXPECT_EQ(content(file("topics/alerts.ndjson")), "kept\nkept too\n");
  EXPECT_EQ(content(file("topics/dead-letter.ndjson")), "");
  append(*sink, {{"alerts", "", "next"}});
  EXPECT_EQ(content(file("topics/alerts.ndjson")), "kept\nkept too\nnext\n");
  ASSERT_TRUE(sink->rewind(mark));
  ASSERT_TRUE(sink->rewind(mark));
  EXPECT_EQ(content(file("topics/alerts.ndjson")), "kept\nkept too\n");
}

TEST_F(FileSink, TheEmptyMarkIsWhatWasThereBefore) {
  std::ofstream(file("out")) << "somebody's\n";
  const auto sink = open(one_file("out"));
  append(*sink, {{"t", "", "1"}});
  EXPECT_EQ(content(file("out")), "somebody's\n1\n");
  ASSERT_TRUE(sink->rewind(""));
  EXPECT_EQ(content(file("out")), "somebody's\n");
  append(*sink, {{"t", "", "2"}});
  EXPECT_EQ(content(file("out")), "somebody's\n2\n");
}

TEST_F(FileSink, ATopicThatIsNoLongerWrittenIsCutToo) {
  std::string mark;
  {
    const auto sink = open(per_topic({"alerts", "old"}));
    mark = append(*sink, {{"old", "", "kept"}});
    append(*sink, {{"old", "", "lost"}});
  }
  const auto sink = open(per_topic({"alerts", "new"}));
  ASSERT_TRUE(sink->rewind(mark));
  EXPECT_EQ(content(file("topics/old.ndjson")), "kept\n");
  EXPECT_EQ(append(*sink, {{"new", "", "1"}}), "{\"alerts\":0,\"new\":2,\"old\":5}");
}

TEST_F(FileSink, RefusesAFileThatIsShorterThanItsMark) {
  const auto sink = open(one_file("out"));
  const std::string mark = append(*sink, {{"t", "", "12345"}});
  std::filesystem::resize_file(file("out"), 3);
  expect_failed(sink->rewind(mark), ErrorKind::corrupt, "it has 3 bytes, but 6 were committed: it was cut or replaced");
  EXPECT_EQ(content(file("out")), "123");
}

TEST_F(FileSink, RefusesAMarkThatIsNotItsOwn) {
  const auto sink = open(one_file("out"));
  for (const char* wrong : {"x", "{", "{}x", "{\"*\":}", "{\"*\":-1}", "{\"*\":1", "{\"*\":1,}", "{\"*\":1\"a\":2}",
                            "{\"*\" :1}", "{\"../a\":1}", "{\"*\":1,\"*\":1}", "{\"*\":99999999999999999999}", "[]"}) {
    expect_failed(sink->rewind(wrong), ErrorKind::corrupt, "is not one");
  }
  expect_failed(sink->rewind("{\"alerts\":1}"), ErrorKind::invalid, "mark is of a file per topic, this is one file");
  expect_failed(open(per_topic())->rewind("{\"*\":1}"), ErrorKind::invalid, "mark is of one file, this is a file per topic");
}

TEST_F(FileSink, SaysWhatIsWrongWithAPath) {
  expect_failed(open_file_sink({.path = ""}), ErrorKind::invalid, "its path is empty");
  expect_failed(open_file_sink({.path = directory_.path()}), ErrorKind::invalid, "Is a directory");
  expect_failed(open_file_sink(one_file("absent/out")), ErrorKind::invalid, "No such file or directory");
  expect_failed(open_file_sink(per_topic({"../alerts"})), ErrorKind::invalid, "'../alerts' cannot be a file's name");
  expect_failed(open_file_sink(per_topic({".."})), ErrorKind::invalid, "'..' cannot be a file's name");
  std::ofstream(file("file")) << "x";
  expect_failed(open_file_sink({.layout = Layout::file_per_topic, .path = file("file")}), ErrorKind::invalid,
                "output directory");
}

TEST_F(FileSink, AFullDiskLeavesNothingHalfWritten) {
  const auto sink = open(one_file("out"));
  const std::string mark = append(*sink, {{"t", "", std::string(50, 'a')}});
  {
    const FullDisk disk(100);
    expect_failed(sink->append(batch_of({{"t", "", std::string(80, 'b')}})), ErrorKind::unavailable,
                  "writing failed: File too large");
    EXPECT_EQ(content(file("out")).size(), 51u);
    expect_failed(sink->append(batch_of({{"t", "", std::string(80, 'b')}})), ErrorKind::unavailable, "File too large");
  }
  EXPECT_EQ(append(*sink, {}), mark);
  EXPECT_EQ(append(*sink, {{"t", "", "c"}}), "{\"*\":53}");
  EXPECT_EQ(content(file("out")), std::string(50, 'a') + "\nc\n");
}

TEST_F(FileSink, AFullDiskInOneFileTakesBackTheOthers) {
  const auto sink = open(per_topic());
  append(*sink, {{"alerts", "", "1"}, {"dead-letter", "", "2"}});
  {
    const FullDisk disk(100);
    const OutputBatch batch = batch_of({{"alerts", "", "3"}, {"dead-letter", "", std::string(200, 'x')}});
    expect_failed(sink->append(batch), ErrorKind::unavailable, "dead-letter.ndjson");
  }
  EXPECT_EQ(content(file("topics/alerts.ndjson")), "1\n");
  EXPECT_EQ(content(file("topics/dead-letter.ndjson")), "2\n");
  EXPECT_EQ(append(*sink, {{"alerts", "", "4"}}), "{\"alerts\":4,\"dead-letter\":2}");
}

TEST_F(FileSink, AStreamCannotBeRewoundAndHasNoMark) {
  const auto sink = open({.path = "/dev/null"});
  EXPECT_EQ(append(*sink, {{"t", "", "1"}}), "{}");
  EXPECT_TRUE(sink->rewind("{}"));
  EXPECT_TRUE(sink->rewind("{\"*\":12}"));  // it was a file before
  expect_failed(open({.path = "/dev/full"})->append(batch_of({{"t", "", "1"}})), ErrorKind::unavailable,
                "No space left on device");
}

TEST_F(FileSink, StandardOutputIsAStream) {
  testing::internal::CaptureStdout();
  const auto sink = open({.path = "-"});
  EXPECT_EQ(append(*sink, {{"t", "", "{}"}}), "{}");
  EXPECT_TRUE(sink->rewind(""));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "{}\n");
}

}  // namespace
}  // namespace tillwatch::connectors
