#include "engine/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "engine/commands.h"
#include "engine/flags.h"
#include "engine/metrics.h"
#include "engine/rules_command_line.h"
#include "engine/terminal.h"
#include "rules/language/names.h"

namespace tillwatch::engine {
namespace {

constexpr FlagRange kSpeed{.low = 0, .high = 1e6, .unit = "seconds of traffic per second", .zero = "as fast as it goes"};
constexpr FlagRange kSeed{.whole = true};
constexpr const char* kPaths = "rule files and folders (default: the payments pack)";

// Rules are named the same way everywhere: as paths behind the command.
void add_paths(CLI::App& command, std::vector<std::string>& paths, const char* text = kPaths) {
  command.add_option("PATH", paths, text)->option_text("...");
}

void add_language(CLI::App& command, std::string& language, const std::string& text) {
  command.add_option("--language", language, text + ": en or zh")
      ->option_text("NAME [en]")
      ->check([](const std::string& given) {
        return find_language(given) ? std::string() : fmt::format("'{}' will not do; give en or zh", given);
      });
}

// A flag for one value that may be given many times; what follows the value is not its own.
void add_each(CLI::App& command, const std::string& name, std::vector<std::string>& values, const std::string& value,
              const std::string& text) {
  command.add_option(name, values, text)->option_text(value)->allow_extra_args(false);
}

void add_text(CLI::App& command, const std::string& name, std::string& value, const std::string& shown,
              const std::string& text) {
  command.add_option(name, value, text)->option_text(shown);
}

// How far generated records arrive from as they should.
void add_faults(CLI::App& command, TrafficFaults& faults) {
  const auto add = [&](const char* name, double& share, const char* text) {
    add_number(command, name, share, {.low = 0, .high = 0.5, .unit = "share of the records"}, text);
  };
  add("--redelivered", faults.redelivered, "come twice");
  add("--disordered", faults.disordered, "are overtaken, within the lateness");
  add("--late", faults.late, "come beyond the lateness");
}

void add_demo_command(CLI::App& app, DemoCommand& command, int& exit_code) {
  CLI::App* demo =
      app.add_subcommand("demo", "generated traffic with injected anomalies: alerts live, then a scorecard against the truth");
  add_paths(*demo, command.rules);
  add_number(*demo, "--seed", command.seed, kSeed, "the same seed gives the same traffic");
  add_number(*demo, "--minutes", command.minutes, {.low = 30, .high = 100'000, .unit = "minutes"}, "length of the traffic");
  add_number(*demo, "--speed", command.speed, kSpeed, "pace");
  add_number(*demo, "--events-per-second", command.events_per_second,
             {.low = 1, .high = 5000, .unit = "records per second of traffic"}, "density");
  add_number(*demo, "--anomalies-per-hour", command.anomalies_per_hour, {.low = 0, .high = 10'000, .unit = "an hour"},
             "injected of each kind; a third of it of those that are dozens of payments or messages");
  demo->add_flag("--calendar", command.calendar, "days with busy hours and quiet nights, settled the morning after");
  add_faults(*demo, command.faults);
  add_number(*demo, "--restarts", command.restarts, {.low = 0, .high = 100, .unit = "restarts", .whole = true},
             "of the engine, spread over the traffic");
  demo->add_flag("--keep-going", command.keep_going, "go on with new traffic until Ctrl-C");
  add_language(*demo, command.language, "of what is shown");
  demo->add_option("--metrics", command.metrics, "where Prometheus may scrape (port 0: a free one), or off")
      ->option_text("HOST:PORT [127.0.0.1:0]")
      ->check([](const std::string& given) {
        const Status status = given == "off" ? Status{} : check_listen_address(given);
        return status ? std::string() : status.error().message + "; or give off";
      });
  demo->add_flag("-q,--quiet", command.quiet, "no alerts, only the scorecard");
  demo->footer(
      "Exit code 0: nothing was missed and nothing was false. Ctrl-C ends it with a scorecard of what was injected so far.");
  demo->callback([&] { exit_code = run_demo(command); });
}

void add_run_command(CLI::App& app, RunCommand& command, int& exit_code) {
  CLI::App* run = app.add_subcommand("run", "watch a source: Kafka, files or the generator, as the configuration says");
  add_text(*run, "-c,--config", command.config, "FILE", "configuration (YAML); docs/config.yaml shows every key");
  add_each(*run, "--file", command.files, "TOPIC=PATH",
           "read NDJSON from a file (-: standard input) instead of the configuration's source; once for each file");
  add_paths(*run, command.rules, "with --file and no --config: rule files and folders (default: the payments pack)");
  add_text(*run, "--output", command.output, "FOLDER",
           "write alerts and dead letters there as NDJSON instead of the configuration's sink");
  add_number(*run, "--run-on", command.run_on_minutes, {.low = 0, .high = 1e6, .unit = "minutes"},
             "how long event time goes on after the last record of the files");
  add_language(*run, command.language, "of what is shown, instead of the configuration's display.language");
  run->footer("Ctrl-C or SIGTERM: what was read is committed, then it ends with exit code 0.");
  run->callback([&] { exit_code = run_engine(command); });
}

void add_generate_command(CLI::App& app, GenerateCommand& command, int& exit_code) {
  CLI::App* generate =
      app.add_subcommand("generate", "seeded card traffic with injected anomalies, as files or into a Kafka broker");
  add_text(*generate, "--to", command.folder, "FOLDER",
           "one TOPIC-PARTITION.ndjson each, and truth.ndjson with what was injected");
  generate->add_flag("--keys", command.keys,
                     "with --to: TOPIC-PARTITION.tsv instead, key, tab, record, as kcat -P -K reads them");
  add_text(*generate, "--kafka", command.bootstrap, "HOST:PORT", "a broker that has the topics; none is created");
  add_each(*generate, "--kafka-property", command.properties, "NAME=VALUE",
           "of librdkafka, such as security.protocol=SASL_SSL; once for each");
  add_text(*generate, "--truth", command.truth, "FILE",
           "for what was injected (default with --to: truth.ndjson in the folder)");
  add_text(*generate, "--start", command.start, "TIME",
           "of the first record, or now (default: --to 2025-06-02T12:00:00+08:00; --kafka so that it ends now)");
  add_number(*generate, "--seed", command.seed, kSeed, "the same seed and start give the same traffic");
  add_number(*generate, "--minutes", command.minutes, {.low = 20, .high = 100'000, .unit = "minutes"},
             "length of the traffic; sales stop ten minutes before its end");
  add_number(*generate, "--speed", command.speed, kSpeed, "pace");
  add_number(*generate, "--events-per-second", command.events_per_second,
             {.low = 1, .high = 100'000, .unit = "records per second of traffic"}, "density");
  add_number(*generate, "--anomalies-per-hour", command.anomalies_per_hour, {.low = 0, .high = 10'000, .unit = "an hour"},
             "injected of each kind; a third of it of those that are dozens of payments or messages");
  add_faults(*generate, command.faults);
  add_number(*generate, "--partitions", command.partitions, {.low = 1, .high = 10'000, .unit = "partitions", .whole = true},
             "of every topic but the reference topics, which have one");
  generate->callback([&] { exit_code = generate_traffic(command); });
}

void add_receipts_command(CLI::App& app, ReceiptsCommand& command, int& exit_code) {
  CLI::App* receipts = app.add_subcommand(
      "receipts", "delivery reports as SMS gateways send them, a payload a line, made into records of the topic sms.receipts");
  add_text(*receipts, "--format", command.format, "FORMAT", "aliyun, tencent, huawei, cmpp or smpp");
  add_text(*receipts, "--provider", command.provider, "NAME",
           "of the gateway, written into the records (default: the format's)");
  receipts->footer(
      "Reads standard input, writes standard output; what is refused is said with its reason on standard error.\n"
      "kcat -C -t raw.receipts -b HOST | tillwatch receipts --format aliyun | kcat -P -t sms.receipts -b HOST");
  receipts->callback([&] { exit_code = convert_receipts(command); });
}

void add_replay_command(CLI::App& app, ReplayCommand& command, int& exit_code) {
  CLI::App* replay = app.add_subcommand(
      "replay", "files through the rules as fast as it goes: what they would have said, and what other rules would");
  replay->add_option("FILES", command.files, "TOPIC=PATH, or folders of TOPIC-NUMBER.ndjson; also .gz and .zst")
      ->option_text("...")
      ->required();
  add_each(*replay, "--rules", command.rules, "PATH", "rule file or folder (default: the payments pack); once for each");
  add_text(*replay, "--against", command.against, "PATH",
           "rules to compare with: alerts that are new, lost or changed, and the money in them");
  add_text(*replay, "--differences", command.differences, "FILE", "with --against: write them there, one JSON object a line");
  add_text(*replay, "--save-case", command.save_case, "ALERT",
           "print a rule test made of the records that this alert hangs on (the beginning of its id is enough)");
  add_number(*replay, "--workers", command.workers, {.low = 1, .high = 256, .unit = "threads", .whole = true}, "that decide");
  add_number(*replay, "--run-on", command.run_on_minutes, {.low = 0, .high = 1e6, .unit = "minutes"},
             "how long event time goes on after the last record of the files");
  replay->callback([&] { exit_code = run_replay(command); });
}

void add_why_command(CLI::App& app, WhyCommand& command, int& exit_code) {
  CLI::App* why = app.add_subcommand("why",
                                     "what became of a transaction or alert: what was seen, which facts each rule had, what "
                                     "fired or stopped it, what is awaited");
  why->add_option("ID", command.subject, "of an alert (its beginning is enough) or a transaction")
      ->option_text(" ")
      ->required();
  why->add_option("FILES", command.files,
                  "where its records are: TOPIC=PATH, or folders of TOPIC-NUMBER.ndjson; also .gz and .zst")
      ->option_text("...")
      ->required();
  add_each(*why, "--rules", command.rules, "PATH", "rule file or folder (default: the payments pack); once for each");
  why->callback([&] { exit_code = explain_why(command); });
}

// --- what was typed wrong

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// "tillwatch rules check".
std::string called(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : called(*app.get_parent()) + " " + app.get_name();
}

// The command that the arguments lead to, as far as their words are commands; a word that should be one and is not goes to
// `stray`.
const CLI::App& command_named(const CLI::App& app, int argc, char** argv, std::string& stray) {
  const CLI::App* command = &app;
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
    if (commands_of(*command).empty()) break;
    const std::vector<const CLI::App*> named =
        command->get_subcommands([&](const CLI::App* each) { return each->check_name(argv[i]); });
    if (named.empty()) {
      stray = argv[i];
      break;
    }
    command = named.front();
  }
  return *command;
}

int refuse(const std::string& message, const CLI::App& command) {
  std::cerr << called(command) << ": " << message << "\nmore: " << called(command) << " --help\n";
  return 2;
}

std::string did_you_mean(const std::string& given, const std::vector<std::string>& known) {
  const std::string near = rules::closest(given, known);
  return near.empty() ? "" : "; did you mean " + near + "?";
}

// What is wrong with a command line whose commands are known.
std::string explain(const CLI::App& command, const CLI::ParseError& error) {
  const std::string said = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) return said.substr(0, said.find(':')) + " needs a value";
  const std::vector<std::string> left = command.remaining();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr || left.empty()) return said;
  const std::string& first = left.front();
  if (!first.starts_with('-')) return fmt::format("'{}' is one word too many", first);
  const std::string flag = first.substr(0, first.find('='));
  std::vector<std::string> known = flags_of(command);
  for (const std::string& name : commands_of(command)) known.push_back(name);
  return fmt::format("there is no flag {}{}", flag, did_you_mean(flag, known));
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("tillwatch: watches card-terminal traffic and its SMS notices, and says what is wrong with it", "tillwatch");
  app.require_subcommand(0, 1);  // none: what is missing is said below
  app.set_help_all_flag("--help-all", "help of all commands");
  app.footer(
      "Exit codes: 0 all is well, 1 something failed or was found, 2 the command line was wrong.\n"
      "tillwatch COMMAND --help has the flags of a command. Start with: tillwatch demo");
  int exit_code = 0;
  RulesCommand rules;
  DemoCommand demo;
  RunCommand run;
  ReplayCommand replay;
  WhyCommand why;
  GenerateCommand generate;
  ReceiptsCommand receipts;
  add_demo_command(app, demo, exit_code);
  add_run_command(app, run, exit_code);
  add_rules_commands(app, rules, exit_code);
  add_replay_command(app, replay, exit_code);
  add_why_command(app, why, exit_code);
  add_generate_command(app, generate, exit_code);
  add_receipts_command(app, receipts, exit_code);
  app.add_subcommand("version", "the version")->callback([] { std::printf("tillwatch %s\n", version().c_str()); });

  std::string stray;
  const CLI::App& command = command_named(app, argc, argv, stray);
  const std::vector<std::string> commands = commands_of(command);
  const std::string known = "commands: " + rules::listed(commands);
  if (!stray.empty()) {
    return refuse(fmt::format("there is no command '{}'{}\n{}", stray, did_you_mean(stray, commands), known), command);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help
    return app.exit(asked);
  } catch (const CLI::ParseError& error) { return refuse(explain(command, error), command); }
  if (!commands.empty()) return refuse("say what to do\n" + known, command);
  return exit_code;
}

}  // namespace tillwatch::engine
