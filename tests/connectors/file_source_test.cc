#include "connectors/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/temporary_directory.h"

namespace tillwatch::connectors {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FileSource : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = directory_.file(name);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  void add_to(const std::string& name, const std::string& text) {
    std::ofstream(directory_.file(name), std::ios::binary | std::ios::app) << text;
  }

  // "input@offset value"
  static std::vector<std::string> texts(const RecordBatch& batch) {
    std::vector<std::string> texts;
    for (const Record& record : batch.records()) {
      texts.push_back(std::to_string(record.input) + "@" + std::to_string(record.offset) + " " + std::string(record.value) +
                      (record.oversize ? " (oversize)" : ""));
    }
    return texts;
  }

  static std::unique_ptr<Source> open(const std::vector<FileInput>& inputs, const FileSourceOptions& options = {}) {
    Expected<std::unique_ptr<Source>> source = open_file_source(inputs, options);
    EXPECT_TRUE(source) << source.error().message;
    return source ? *std::move(source) : nullptr;
  }

  static std::vector<std::string> poll(Source& source, size_t max_records = 1000, std::chrono::milliseconds wait = 0ms) {
    RecordBatch batch;
    const Expected<PollResult> polled = source.poll(batch, max_records, wait);
    EXPECT_TRUE(polled) << polled.error().message;
    return texts(batch);
  }

  static std::vector<std::string> read_all(Source& source, size_t max_records) {
    std::vector<std::string> all;
    for (int i = 0; i < 1000; ++i) {
      const std::vector<std::string> some = poll(source, max_records);
      all.insert(all.end(), some.begin(), some.end());
      bool finished = true;
      for (uint32_t input = 0; input < source.inputs().size(); ++input) finished = finished && source.state(input).finished;
      if (finished) return all;
    }
    ADD_FAILURE() << "it does not finish";
    return all;
  }

  static void expect_refused(const std::vector<FileInput>& inputs, ErrorKind kind, const std::string& words,
                             const FileSourceOptions& options = {}) {
    const Expected<std::unique_ptr<Source>> source = open_file_source(inputs, options);
    ASSERT_FALSE(source) << words;
    EXPECT_EQ(source.error().kind, kind);
    EXPECT_THAT(source.error().message, HasSubstr(words));
  }

  TemporaryDirectory directory_;
};

TEST_F(FileSource, ALineIsARecordAtItsByteOffset) {
  const auto source = open({{"debits", write("a", "{\"a\":1}\n{\"a\":2}\n")}});
  EXPECT_THAT(poll(*source), ElementsAre("0@0 {\"a\":1}", "0@8 {\"a\":2}"));
  EXPECT_EQ(source->inputs(), (std::vector<Partition>{{"debits", 0}}));
  EXPECT_TRUE(source->state(0).finished);
  EXPECT_FALSE(source->state(0).at_end);
  EXPECT_EQ(source->state(0).next_offset, 16);
  EXPECT_EQ(source->state(0).lag, 0);
  EXPECT_THAT(poll(*source), IsEmpty());
}

TEST_F(FileSource, TheFilesOfATopicAreItsPartitions) {
  const auto source = open({{"a", write("1", "x\n")}, {"b", write("2", "y\n")}, {"a", write("3", "z\n")}});
  EXPECT_EQ(source->inputs(), (std::vector<Partition>{{"a", 0}, {"b", 0}, {"a", 1}}));
  EXPECT_THAT(poll(*source), ElementsAre("0@0 x", "1@0 y", "2@0 z"));
}

TEST_F(FileSource, LineEndsAndEmptyLines) {
  struct Row {
    std::string text;
    std::vector<std::string> records;
  };
  const std::vector<Row> rows = {
      {"", {}},
      {"\n", {}},
      {"\n\n\r\n", {}},
      {"a", {"0@0 a"}},
      {"a\nb", {"0@0 a", "0@2 b"}},
      {"a\r\nb\r\n", {"0@0 a", "0@3 b"}},
      {"a\r", {"0@0 a"}},
      {"\n\na\n\n\nb\n\n", {"0@2 a", "0@6 b"}},
      {"\xef\xbb\xbf{}\n{}\n", {"0@0 {}", "0@6 {}"}},
      {"\xef\xbb\xbf", {}},
      {" \n", {"0@0  "}},
      {"a\0b\n"s, {"0@0 a\0b"s}},
  };
  for (const Row& row : rows) {
    const auto source = open({{"t", write("file", row.text)}});
    EXPECT_EQ(read_all(*source, 1), row.records) << testing::PrintToString(row.text);
    EXPECT_EQ(source->state(0).next_offset, static_cast<int64_t>(row.text.size()));
  }
}

TEST_F(FileSource, FilesTakeTurnsWhateverTheSizeOfAPoll) {
  std::string a, b, c;
  for (int i = 0; i < 7; ++i) a += "a\n";
  for (int i = 0; i < 3; ++i) b += "b\n";
  c = "c\n";
  const std::vector<FileInput> inputs = {{"a", write("a", a)}, {"b", write("b", b)}, {"c", write("c", c)}};
  const std::vector<std::string> wanted = {"0@0 a", "0@2 a", "1@0 b", "1@2 b",  "2@0 c", "0@4 a",
                                           "0@6 a", "1@4 b", "0@8 a", "0@10 a", "0@12 a"};
  for (const size_t max_records : {1, 2, 3, 5, 100}) {
    const auto source = open(inputs, {.lines_per_turn = 2});
    EXPECT_EQ(read_all(*source, max_records), wanted) << max_records;
  }
}

TEST_F(FileSource, APollHandsOutNoMoreThanAsked) {
  const auto source = open({{"t", write("file", "a\nb\nc\n")}});
  RecordBatch batch;
  ASSERT_TRUE(source->poll(batch, 2, 0ms));
  EXPECT_EQ(batch.records().size(), 2u);
  ASSERT_TRUE(source->poll(batch, 2, 0ms));
  EXPECT_THAT(texts(batch), ElementsAre("0@0 a", "0@2 b", "0@4 c"));
}

TEST_F(FileSource, GoesOnWhereItWasTold) {
  const std::vector<FileInput> inputs = {{"t", write("a", "one\ntwo\nthree\n")}, {"t", write("b", "x\ny\n")}};
  const auto source = open(inputs);
  ASSERT_TRUE(source->seek({{{"t", 0}, 4}}));
  EXPECT_THAT(poll(*source), ElementsAre("0@4 two", "0@8 three", "1@0 x", "1@2 y"));
  ASSERT_TRUE(source->seek({{{"t", 0}, 14}, {{"t", 1}, 2}, {{"unknown", 0}, 99}}));
  EXPECT_FALSE(source->state(0).finished);
  EXPECT_THAT(poll(*source), ElementsAre("1@2 y"));
  ASSERT_TRUE(source->seek({}));
  EXPECT_EQ(poll(*source).size(), 5u);
}

TEST_F(FileSource, EveryPositionIsOneToGoOnFrom) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += std::string(i % 7, 'x') + (i % 3 == 0 ? "\r\n" : "\n");
  text += "last";
  const auto source = open({{"t", write("file", text)}});
  const std::vector<std::string> all = read_all(*source, 1000);
  for (size_t read = 0; read <= all.size(); ++read) {
    ASSERT_TRUE(source->seek({}));
    std::vector<std::string> records = poll(*source, read);
    const int64_t position = source->state(0).next_offset;
    const auto second = open({{"t", directory_.file("file")}});
    ASSERT_TRUE(second->seek({{{"t", 0}, position}}));
    const std::vector<std::string> rest = read_all(*second, 7);
    records.insert(records.end(), rest.begin(), rest.end());
    ASSERT_EQ(records, all) << position;
  }
}

TEST_F(FileSource, RefusesAPositionThatIsNotOfThisFile) {
  const auto source = open({{"t", write("file", "one\ntwo\n")}});
  Status moved = source->seek({{{"t", 0}, 9}});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().kind, ErrorKind::invalid);
  EXPECT_THAT(moved.error().message, HasSubstr("it has 8 bytes, but has been read up to byte 9: it was cut or replaced"));
  moved = source->seek({{{"t", 0}, 5}});
  ASSERT_FALSE(moved);
  EXPECT_THAT(moved.error().message, HasSubstr("byte 5, where reading shall go on, is inside a line"));
  EXPECT_FALSE(source->seek({{{"t", 0}, -1}}));
}

TEST_F(FileSource, ALongLineIsHandedOutCutAndFlagged) {
  const std::string path = write("file", "short\n" + std::string(101, 'x') + "\n" + std::string(100, 'y') + "\n" +
                                             std::string(1'000'000, 'z') + "\nend\n" + std::string(500'000, 'w'));
  const auto source = open({{"t", path}}, {.max_line_bytes = 100});
  const std::string head(100, ' ');
  const std::vector<std::string> wanted = {"0@0 short",
                                           "0@6 " + std::string(100, 'x') + " (oversize)",
                                           "0@108 " + std::string(100, 'y'),
                                           "0@209 " + std::string(100, 'z') + " (oversize)",
                                           "0@1000210 end",
                                           "0@1000214 " + std::string(100, 'w') + " (oversize)"};
  EXPECT_EQ(read_all(*source, 1), wanted);
  EXPECT_EQ(source->state(0).next_offset, 1'500'214);
  ASSERT_TRUE(source->seek({{{"t", 0}, 209}}));
  EXPECT_EQ(poll(*source, 1), std::vector<std::string>{wanted[3]});
}

TEST_F(FileSource, TheBeginningOfALongLineIs64KiB) {
  const auto source = open({{"t", write("file", std::string(300'000, 'x') + "\n")}}, {.max_line_bytes = 200'000});
  RecordBatch batch;
  ASSERT_TRUE(source->poll(batch, 10, 0ms));
  ASSERT_EQ(batch.records().size(), 1u);
  EXPECT_TRUE(batch.records()[0].oversize);
  EXPECT_EQ(batch.records()[0].value.size(), 65536u);
}

TEST_F(FileSource, LinesLongerThanAReadAreWhole) {
  const std::string line(5'000'000, 'x');
  const auto source = open({{"t", write("file", "a\n" + line + "\nb\n")}});
  EXPECT_THAT(read_all(*source, 10), ElementsAre("0@0 a", "0@2 " + line, "0@5000003 b"));
}

TEST_F(FileSource, ArrivalIsTheTimeOfOpeningOrWhatIsAsked) {
  const std::string path = write("file", "a\nb\n");
  const TimeMs before = wall_clock_ms();
  const auto source = open({{"t", path}});
  const TimeMs after = wall_clock_ms();
  RecordBatch batch;
  ASSERT_TRUE(source->poll(batch, 10, 0ms));
  EXPECT_GE(batch.records()[0].arrived_at, before);
  EXPECT_LE(batch.records()[0].arrived_at, after);
  EXPECT_EQ(batch.records()[0].arrived_at, batch.records()[1].arrived_at);
  batch.clear();
  const auto told = open({{"t", path}}, {.arrived_at = 12345});
  ASSERT_TRUE(told->poll(batch, 10, 0ms));
  EXPECT_EQ(batch.records()[1].arrived_at, 12345);
}

TEST_F(FileSource, AFollowedFileGrows) {
  const auto source = open({{"t", write("file", "a\nhal")}}, {.follow = true});
  EXPECT_THAT(poll(*source), ElementsAre("0@0 a"));
  EXPECT_TRUE(source->state(0).at_end);
  EXPECT_FALSE(source->state(0).finished);
  EXPECT_GT(source->state(0).at_end_since, 0);
  EXPECT_EQ(source->state(0).next_offset, 2);
  add_to("file", "f\nb\n");
  EXPECT_THAT(poll(*source, 1), ElementsAre("0@2 half"));
  EXPECT_FALSE(source->state(0).at_end);
  EXPECT_THAT(poll(*source), ElementsAre("0@7 b"));
  EXPECT_TRUE(source->state(0).at_end);
}

TEST_F(FileSource, APollWaitsForAFollowedFile) {
  const auto source = open({{"t", write("file", "")}}, {.follow = true});
  std::thread writer([&] { add_to("file", "late\n"); });
  EXPECT_THAT(poll(*source, 10, 10s), ElementsAre("0@0 late"));
  writer.join();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(poll(*source, 10, 30ms), IsEmpty());
  EXPECT_GE(std::chrono::steady_clock::now() - began, 30ms);
}

TEST_F(FileSource, AFollowedFileThatShrinksIsAnError) {
  const auto source = open({{"t", write("file", "one\ntwo\n")}}, {.follow = true});
  EXPECT_EQ(poll(*source).size(), 2u);
  write("file", "new\n");
  RecordBatch batch;
  const Expected<PollResult> polled = source->poll(batch, 10, 0ms);
  ASSERT_FALSE(polled);
  EXPECT_EQ(polled.error().kind, ErrorKind::invalid);
  EXPECT_THAT(polled.error().message, HasSubstr("cut or replaced"));
}

TEST_F(FileSource, HeldTopicsWait) {
  const auto source = open({{"t", write("a", "a\n")}, {"table", write("b", "b\n")}});
  ASSERT_TRUE(source->hold({"t"}));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(poll(*source, 10, 10s), ElementsAre("1@0 b"));
  EXPECT_THAT(poll(*source, 10, 10s), IsEmpty());  // nothing can come before hold() is called again
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_FALSE(source->state(0).finished);
  EXPECT_TRUE(source->state(1).finished);
  ASSERT_TRUE(source->hold({}));
  EXPECT_THAT(poll(*source), ElementsAre("0@0 a"));
}

TEST_F(FileSource, SaysWhatIsWrongWithAFile) {
  expect_refused({}, ErrorKind::invalid, "name at least one");
  expect_refused({{"t", "-"}, {"u", "-"}}, ErrorKind::invalid, "standard input ('-') is named twice");
  expect_refused({{"t", directory_.file("absent")}}, ErrorKind::invalid, "absent: cannot be opened: No such file or directory");
  expect_refused({{"t", directory_.path()}}, ErrorKind::invalid, "this is a directory");
  expect_refused({{"t", write("file", "") + "/below"}}, ErrorKind::invalid, "Not a directory");
  expect_refused({{"t", write("file", "")}}, ErrorKind::invalid, "must be at least 1", {.lines_per_turn = 0});
  if (::geteuid() != 0) {  // root may read everything
    ::chmod(write("secret", "x").c_str(), 0);
    expect_refused({{"t", directory_.file("secret")}}, ErrorKind::invalid, "Permission denied");
  }
}

// A named pipe behaves as standard input does when it is a pipe.
class PipeSource : public FileSource {
 protected:
  PipeSource() {
    path_ = directory_.file("pipe");
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  }
  // Opening for reading waits for a writer and the other way round.
  std::unique_ptr<Source> open_pipe(const FileSourceOptions& options = {}) {
    std::thread opener([&] { writer_.open(path_, std::ios::binary); });
    std::unique_ptr<Source> source = open({{"t", path_}}, options);
    opener.join();
    return source;
  }
  std::string path_;
  std::ofstream writer_;
};

TEST_F(PipeSource, IsReadAsItComes) {
  const auto source = open_pipe();
  ASSERT_TRUE(source->seek({}));
  EXPECT_THAT(poll(*source), IsEmpty());
  EXPECT_FALSE(source->state(0).finished);
  EXPECT_FALSE(source->state(0).at_end);
  writer_ << "a\nhal" << std::flush;
  EXPECT_THAT(poll(*source, 10, 10s), ElementsAre("0@0 a"));
  EXPECT_THAT(poll(*source), IsEmpty());
  writer_ << "f\nlast" << std::flush;
  EXPECT_THAT(poll(*source, 10, 10s), ElementsAre("0@2 half"));
  writer_.close();
  EXPECT_THAT(poll(*source, 10, 10s), ElementsAre("0@7 last"));
  EXPECT_THAT(poll(*source, 10, 10s), IsEmpty());
  EXPECT_TRUE(source->state(0).finished);
}

TEST_F(PipeSource, IsAtItsEndWhenFollowedAndFinishedWhenItEnds) {
  const auto source = open_pipe({.follow = true});
  writer_ << "a\n" << std::flush;
  EXPECT_THAT(poll(*source, 10, 10s), ElementsAre("0@0 a"));
  EXPECT_THAT(poll(*source), IsEmpty());
  EXPECT_TRUE(source->state(0).at_end);
  writer_.close();
  EXPECT_THAT(poll(*source, 10, 10s), IsEmpty());
  EXPECT_TRUE(source->state(0).finished);
  EXPECT_FALSE(source->state(0).at_end);
}

TEST_F(PipeSource, CannotGoBackAndSaysSo) {
  const auto source = open_pipe();
  writer_ << "a\nb\n" << std::flush;
  EXPECT_THAT(poll(*source, 1, 10s), ElementsAre("0@0 a"));
  EXPECT_TRUE(source->seek({{{"t", 0}, 2}}));
  const Status moved = source->seek({});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().kind, ErrorKind::invalid);
  EXPECT_THAT(moved.error().message, HasSubstr("a stream at byte 2 cannot go on at byte 0; write it to a file"));
  EXPECT_THAT(poll(*source), ElementsAre("0@2 b"));
}

}  // namespace
}  // namespace tillwatch::connectors
