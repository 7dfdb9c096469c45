// What the command line says to those who mistype it: what was wrong, what there is, and what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/cli/program.h"

namespace tillwatch {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Row {
  const char* arguments;
  const char* said;
};

TEST(CommandLine, EveryRangeIsReadable) {
  const Row rows[] = {
      {"demo --minutes 29", "--minutes: '29' will not do; give 30 to 100,000 minutes"},
      {"demo --minutes soon", "--minutes: 'soon' will not do; give 30 to 100,000 minutes"},
      {"demo --minutes nan", "--minutes: 'nan' will not do; give 30 to 100,000 minutes"},
      {"demo --speed -1", "--speed: '-1' will not do; give 0 (as fast as it goes) to 1,000,000 seconds of traffic per second"},
      {"demo --speed inf",
       "--speed: 'inf' will not do; give 0 (as fast as it goes) to 1,000,000 seconds of traffic per second"},
      {"demo --events-per-second 0", "--events-per-second: '0' will not do; give 1 to 5,000 records per second of traffic"},
      {"demo --seed -1", "--seed: '-1' will not do; give a whole number of 0 or more"},
      {"demo --seed 1.5", "--seed: '1.5' will not do; give a whole number of 0 or more"},
      {"demo --language de", "--language: 'de' will not do; give en or zh"},
      {"demo --metrics 9464", "127.0.0.1:9464"},
      {"run --run-on -1", "--run-on: '-1' will not do; give 0 to 1,000,000 minutes"},
      {"run --language fr", "--language: 'fr' will not do; give en or zh"},
      {"rules check --format xml", "--format: 'xml' will not do; give text or json"},
      {"generate --minutes 19.9", "--minutes: '19.9' will not do; give 20 to 100,000 minutes"},
      {"generate --speed 1e7",
       "--speed: '1e7' will not do; give 0 (as fast as it goes) to 1,000,000 seconds of traffic per second"},
      {"generate --events-per-second 100001",
       "--events-per-second: '100001' will not do; give 1 to 100,000 records per second of traffic"},
      {"generate --anomalies-per-hour 10001", "--anomalies-per-hour: '10001' will not do; give 0 to 10,000 an hour"},
      {"generate --partitions 0", "--partitions: '0' will not do; give 1 to 10,000 partitions"},
      {"generate --partitions 2.5", "--partitions: '2.5' will not do; give 1 to 10,000 partitions"},
      {"generate --seed 18446744073709551616", "--seed: '18446744073709551616' will not do; give a whole number of 0 or more"},
  };
  for (const Row& row : rows) {
    const ProgramResult run = run_program(row.arguments);
    EXPECT_EQ(run.exit_code, 2) << row.arguments;
    EXPECT_THAT(run.err, HasSubstr(row.said)) << row.arguments;
    EXPECT_THAT(run.err, HasSubstr(" --help\n")) << row.arguments;
    EXPECT_EQ(run.out, "") << row.arguments;
  }
}

TEST(CommandLine, HelpGivesTheRangesThatMistakesGive) {
  const std::string help = run_program("--help-all").out;
  for (const char* each :
       {"30 to 100,000 minutes", "20 to 100,000 minutes", "0 (as fast as it goes) to 1,000,000 seconds of traffic per second",
        "1 to 5,000 records per second of traffic", "1 to 10,000 partitions", "a whole number of 0 or more", "en or zh"}) {
    EXPECT_THAT(help, HasSubstr(each));
  }
  EXPECT_THAT(help, Not(HasSubstr("FLOAT")));
}

TEST(CommandLine, WhatIsNotThereIsNamedWithWhatIs) {
  const Row rows[] = {
      {"bogus",
       "tillwatch: there is no command 'bogus'\ncommands: demo, run, rules, replay, why, generate, receipts, version\nmore: tillwatch --help\n"},
      {"dmo --seed 3",
       "tillwatch: there is no command 'dmo'; did you mean demo?\ncommands: demo, run, rules, replay, why, generate, receipts, version\n"},
      {"rules chekc",
       "tillwatch rules: there is no command 'chekc'; did you mean check?\ncommands: check, test, list, explain, new, fmt, plan, docs, schema\nmore: "
       "tillwatch rules --help\n"},
      {"", "tillwatch: say what to do\ncommands: demo, run, rules, replay, why, generate, receipts, version\n"},
      {"rules", "tillwatch rules: say what to do\ncommands: check, test, list, explain, new, fmt, plan, docs, schema\n"},
      {"demo --seeed 3", "tillwatch demo: there is no flag --seeed; did you mean --seed?\nmore: tillwatch demo --help\n"},
      {"demo --colour", "tillwatch demo: there is no flag --colour\n"},
      {"--version", "tillwatch: there is no flag --version; did you mean version?\n"},
      {"demo --minutes", "tillwatch demo: --minutes needs a value\n"},
      {"version now", "tillwatch version: 'now' is one word too many\n"},
      {"run --file x", "--file x: write TOPIC=PATH"},
      {"run --config x.yaml rules/packs/payments", "the configuration names the rules"},
      {"rules explain", "WHAT is required"},
      {"generate", "--to"},
  };
  for (const Row& row : rows) {
    const ProgramResult run = run_program(row.arguments);
    EXPECT_EQ(run.exit_code, 2) << row.arguments;
    EXPECT_THAT(run.err, HasSubstr(row.said)) << row.arguments;
  }
}

TEST(CommandLine, EveryCommandHasHelp) {
  for (const char* command :
       {"", "demo", "run", "rules", "rules check", "rules test", "rules list", "rules explain", "generate", "version"}) {
    const ProgramResult run = run_program(std::string(command) + " --help");
    EXPECT_EQ(run.exit_code, 0) << command;
    EXPECT_THAT(run.out, HasSubstr("Usage: tillwatch")) << command;
    EXPECT_EQ(run.err, "") << command;
  }
}

TEST(CommandLine, AMistypedTopicIsRefusedAndTheNearestNamed) {
  const TestFolder folder;
  const std::string records = folder.write("t.ndjson", "{}\n");
  const ProgramResult run = run_program("run --file pos.transaction=" + records);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err,
              HasSubstr("no topic 'pos.transaction'; did you mean pos.transactions?; it has pos.settlements, pos.slips, "
                        "pos.transactions, ref.acquirer"));
  const std::string config =
      folder.write("config.yaml", "rules: [" TILLWATCH_SOURCE_DIR
                                  "/rules/packs/payments]\nsource: {files: [{topic: nothing.like.it, path: t.ndjson}]}\n"
                                  "state: {path: state}\nmetrics: off\n");
  const ProgramResult configured = run_program("run --config " + config);
  EXPECT_EQ(configured.exit_code, 1);
  EXPECT_THAT(configured.err, HasSubstr("no topic 'nothing.like.it'; it has pos.settlements"));
  EXPECT_FALSE(std::filesystem::exists(folder / "state")) << "nothing was begun";
}

TEST(CommandLine, RulesAreNamedByPathEverywhere) {
  for (const char* arguments : {"rules check no/such", "rules test no/such", "rules list no/such", "demo no/such",
                                "run --file pos.transactions=/dev/null no/such"}) {
    const ProgramResult run = run_program(arguments);
    EXPECT_EQ(run.exit_code, 1) << arguments;
    EXPECT_THAT(run.out + run.err, HasSubstr("no/such")) << arguments;
  }
  const ProgramResult run =
      run_program("run --file pos.transactions=/dev/null --output " + TestFolder().path() + " rules/packs/payments");
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST(CommandLine, NumbersAgreeWithTheirNouns) {
  const TestFolder folder;
  const std::string schema = read_file(TILLWATCH_SOURCE_DIR "/rules/packs/payments/schema.yaml");
  folder.write("schema.yaml", schema.substr(0, schema.find("\nlists:")));
  const std::string good =
      "rule: one\nversion: 1\non: debit as d\nkey: [card_token]\nwhen: d.amount > 1\nseverity: low\nmessage: {en: x, zh: x}\n";
  folder.write("one.yaml", good);
  EXPECT_THAT(run_program("rules check " + folder.path()).out, HasSubstr("1 rule, "));
  folder.write("one.yaml", good + "colour: red\n");
  EXPECT_THAT(run_program("rules check " + folder.path()).out, HasSubstr("1 error\n"));
  const std::string record = folder.write("t.ndjson", "not JSON\n");
  EXPECT_THAT(run_program("run --file pos.transactions=" + record + " --output " + (folder / "out")).err,
              HasSubstr("finished: 1 record read, 0 messages about alerts, 1 dead letter, "));
}

TEST(CommandLine, RunSpeaksChinese) {
  const TestFolder folder;
  const std::string record = folder.write("t.ndjson", "not JSON\n");
  EXPECT_THAT(run_program("run --language zh --file pos.transactions=" + record + " --output " + (folder / "out")).err,
              HasSubstr("已完成：读取 1 条记录，发布告警消息 0 条，死信 1 条"));
}

// What the program with `argument` behind "rules" comes to where standard output is `out` and SIGPIPE is ignored, as services
// inherit it.
int status_with_output(int out, const std::string& errors, const char* argument) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGPIPE, SIG_IGN);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::execl(TILLWATCH_PROGRAM, TILLWATCH_PROGRAM, "rules", argument, nullptr);
    ::_exit(127);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(CommandLine, EndsQuietlyWhenNobodyReadsItsOutput) {
  const TestFolder folder;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  for (const char* argument : {"docs", "--help"}) {  // more than the output's buffer, and less
    const int status = status_with_output(ends[1], folder / "err", argument);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE) << argument << ": " << status;
    EXPECT_EQ(read_file(folder / "err"), "");
  }
  ::close(ends[1]);
}

TEST(CommandLine, SaysThatItsOutputCannotBeWritten) {
  const TestFolder folder;
  const int full = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  for (const char* argument : {"docs", "--help"}) {
    const int status = status_with_output(full, folder / "err", argument);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << argument << ": " << status;
    EXPECT_EQ(read_file(folder / "err"), "tillwatch: cannot write to standard output: No space left on device\n");
  }
  ::close(full);
}

TEST(CommandLine, TrafficIsNotMixedWithThatOfAnEarlierRun) {
  const TestFolder folder;
  const std::string command = "generate --minutes 20 --events-per-second 1 --to " + (folder / "data");
  ASSERT_EQ(run_program(command + " --partitions 2").exit_code, 0);
  const ProgramResult fewer = run_program(command + " --partitions 1");
  EXPECT_EQ(fewer.exit_code, 1);
  EXPECT_THAT(fewer.err, HasSubstr("holds other records, in pos.settlements-1.ndjson and 4 files more: they would be read with "
                                   "the new ones; remove them, or give another folder"));
  const std::string traffic = read_file(folder / "data/pos.transactions-0.ndjson");
  EXPECT_EQ(run_program(command + " --partitions 2").exit_code, 0) << "its own names are written anew";
  EXPECT_EQ(read_file(folder / "data/pos.transactions-0.ndjson"), traffic);
  std::ofstream(folder / "data/pos.slips-0.ndjson") << "of a run that had slips there\n";
  EXPECT_EQ(run_program(command + " --partitions 2 --seed 3").exit_code, 0);
  EXPECT_EQ(read_file(folder / "data/pos.slips-0.ndjson").find("of a run"), std::string::npos);
}

}  // namespace
}  // namespace tillwatch
