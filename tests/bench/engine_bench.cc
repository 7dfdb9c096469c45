// The engine as a whole, in tables for people: records per second from files and from a real broker, what each stage of a
// record's way costs, what a live key costs in memory. A program of its own, because its runs take seconds and one needs a
// broker.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <thread>

#include "engine/base/time.h"
#include "engine/scratch_folder.h"
#include "tests/bench/engine_memory.h"
#include "tests/bench/engine_programs.h"
#include "tests/bench/engine_rules.h"
#include "tests/bench/engine_stages.h"
#include "tests/engine/world.h"

namespace tillwatch::engine::bench {
namespace {

constexpr size_t kKeys = 1'000'000, kManyKeys = 10'000'000;
constexpr uint64_t kBudget = uint64_t{1} << 30, kLargeBudget = uint64_t{4} << 30;  // the configuration's own, and a larger one
constexpr size_t kFewestRecords = 10'000, kMostRecords = 20'000'000, kMostKeys = 100'000'000;

struct Options {
  size_t records = 300'000;
  int repetitions = 3;
  size_t keys = 0;        // 0: 1 and 10 million
  std::string_view only;  // empty: all parts
  bool wanted(std::string_view part) const { return only.empty() || only == part; }
};

int misused(std::string_view what) {
  fmt::print(stderr,
             "engine_bench: {}\n\nusage: engine_bench [--records N] [--repetitions N] [--only PART] [--keys N]\n"
             "  --records N      of the traffic, about; {} to {} (default 300000)\n"
             "  --repetitions N  the median of so many runs is told; 1 to 99 (default 3)\n"
             "  --only PART      memory, rules, stages, files or kafka (which needs a broker's jars)\n"
             "  --keys N         live keys, {} to {} (default: 1 and 10 million, the latter under two memory budgets)\n",
             what, kFewestRecords, kMostRecords, kFewestRecords, kMostKeys);
  return 2;
}

// 0 when the word after `at` is no number within the limits.
size_t number_after(int count, char** words, int& at, size_t least, size_t most) {
  if (++at >= count) return 0;
  char* end = nullptr;
  const unsigned long long number = std::strtoull(words[at], &end, 10);
  return *end != '\0' || number < least || number > most ? 0 : number;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "processor not known";
}

const char* build_type() {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  return "optimised build";
#else
  return "NOT AN OPTIMISED BUILD, the numbers say nothing";
#endif
}

void print_keys(const Options& options, const std::string& scratch) {
  const std::vector<MemoryRun> runs =
      options.keys > 0 ? std::vector<MemoryRun>{{options.keys, kBudget}}
                       : std::vector<MemoryRun>{{kKeys, kBudget}, {kManyKeys, kBudget}, {kManyKeys, kLargeBudget}};
  print_memory(runs, scratch);
}

void print_records(const Options& options, const std::string& scratch) {
  const Workload workload(load_rules({TILLWATCH_SOURCE_DIR "/rules/packs/payments"}), options.records);
  const size_t records = workload.records().size();
  fmt::print(
      "\n## Traffic of what follows\n\n{} records of one hour, {:.0f} bytes each on average; payments pack, {} rules; 16 "
      "shards.\n",
      records, static_cast<double>(workload.bytes()) / static_cast<double>(records), workload.bundle()->rules.size());
  if (options.wanted("stages")) print_stages(workload, scratch, options.repetitions);
  if (options.wanted("files")) print_from_files(workload, scratch, options.repetitions);
  if (options.wanted("kafka")) print_from_kafka(workload, scratch, options.repetitions);
}

int run(const Options& options) {
  const ScratchFolder scratch;
  if (scratch.path().empty()) {
    fmt::print(stderr, "engine_bench: cannot make a folder in the temporary folder (TMPDIR)\n");
    return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  fmt::print("# tillwatch engine\n\n{}, {} cores; {}, g++ {}; {}.\n", processor(), std::thread::hardware_concurrency(),
             build_type(), __VERSION__, format_rfc3339(wall_clock_ms()));
  if (options.wanted("memory")) print_keys(options, scratch.path());  // first: its processes are copies of this one
  if (options.wanted("rules")) print_rule_counts(options.records, options.repetitions);
  if (options.only != "memory" && options.only != "rules") print_records(options, scratch.path());
  return 0;
}

int read_and_run(int count, char** words) {
  Options options;
  for (int at = 1; at < count; ++at) {
    const std::string_view word = words[at];
    if (word == "--only" && at + 1 < count) {
      options.only = words[++at];
      const std::array<std::string_view, 5> parts = {"memory", "rules", "stages", "files", "kafka"};
      if (std::find(parts.begin(), parts.end(), options.only) == parts.end())
        return misused("--only wants memory, rules, stages, files or kafka");
    } else if (word == "--keys") {
      options.keys = number_after(count, words, at, kFewestRecords, kMostKeys);
      if (options.keys == 0) return misused("--keys wants a number within its limits");
    } else if (word == "--records") {
      options.records = number_after(count, words, at, kFewestRecords, kMostRecords);
      if (options.records == 0) return misused("--records wants a number within its limits");
    } else if (word == "--repetitions") {
      options.repetitions = static_cast<int>(number_after(count, words, at, 1, 99));
      if (options.repetitions == 0) return misused("--repetitions wants a number within its limits");
    } else {
      return misused(fmt::format("there is no option '{}'", word));
    }
  }
  return run(options);
}

}  // namespace
}  // namespace tillwatch::engine::bench

int main(int count, char** words) { return tillwatch::engine::bench::read_and_run(count, words); }
