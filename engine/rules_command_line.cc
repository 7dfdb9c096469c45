#include "engine/rules_command_line.h"

#include <CLI/CLI.hpp>

namespace tillwatch::engine {
namespace {

class RulesCommandLine {
 public:
  RulesCommandLine(CLI::App& app, RulesCommand& command, int& exit_code) : command_(command), exit_code_(exit_code) {
    rules_ = app.add_subcommand("rules", "check, test, explain and write rules");
    rules_->require_subcommand(0, 1);  // none: run_command_line() says what is missing
  }

  void add_all() {
    CLI::App* check =
        with_paths(sub("check", "read, type-check and compile rules; says every mistake of every file", check_rules));
    check->add_option("--format", command_.format, "text, or json: one object a line on standard output")
        ->option_text("NAME [text]")
        ->check([](const std::string& given) {
          return given == "text" || given == "json" ? "" : "'" + given + "' will not do; give text or json";
        });
    CLI::App* test = with_paths(sub("test", "run the event-time cases beside the rules (NAME.test.yaml)", test_rules));
    test->add_flag("-v,--verbose", command_.verbose, "name the cases that pass too");
    test->add_option("--filter", command_.filter, "only cases whose \"rule: name\" contains this")->option_text("TEXT");
    test->add_option("--junit", command_.junit, "write the results there too, as JUnit's XML")->option_text("FILE");
    test->add_flag("--coverage", command_.coverage, "name the clauses that no case needs to be true, or to be false");
    test->add_flag("--mutate", command_.mutate,
                   "change each rule in small ways, one at a time, and name the changes that no case notices");
    with_paths(sub("list", "the rules, what they start from and what they keep", list_rules));
    CLI::App* explain =
        sub("explain",
            "a rule in plain words: what it waits for, when it fires, what ends it, what it keeps and costs; or "
            "a code of the messages (E022) with a mistake and its mend; `codes` lists those",
            explain_rules);
    explain->add_option("WHAT", command_.subject, "the name of a rule, a code, or `codes`")->option_text(" ")->required();
    with_paths(explain);
    add_authoring();
  }

 private:
  void add_authoring() {
    CLI::App* fresh = sub(
        "new", "write NAME.yaml and NAME.test.yaml: a rule and a test that pass, to be changed into what you want", new_rule);
    fresh->add_option("NAME", command_.subject, "of the rule: small letters, words joined by hyphens")
        ->option_text(" ")
        ->required();
    with_paths(fresh);
    fresh->add_option("--on", command_.stream, "the stream it starts from (default: debit)")->option_text("STREAM");
    CLI::App* format = with_paths(sub("fmt", "lay rule files out alike: two blanks a level, comments kept", format_rules));
    format->add_flag("--check", command_.only_check,
                     "change nothing; name the files that would change, exit code 1 when there are any");
    CLI::App* plan =
        sub("plan", "what becomes of each rule's state when NEW takes the place of OLD: kept, new, or lost (exit code 1)",
            plan_rules);
    plan->add_option("OLD", command_.subject, "rule file or folder, as it runs")->option_text(" ")->required();
    plan->add_option("NEW", command_.paths, "the same as it shall run")->option_text(" ")->required()->expected(1);
    sub("docs", "the reference of operators, aggregates, functions and keys, as Markdown", print_reference);
    with_paths(sub("schema", "a JSON schema of rule files, with which editors complete and check", print_json_schema));
  }
  CLI::App* sub(const char* name, const char* about, int (*run)(const RulesCommand&)) {
    CLI::App* added = rules_->add_subcommand(name, about);
    added->callback([command = &command_, exit_code = &exit_code_, run] { *exit_code = run(*command); });
    return added;
  }
  CLI::App* with_paths(CLI::App* added) {
    added->add_option("PATH", command_.paths, "rule files and folders (default: the payments pack)")->option_text("...");
    return added;
  }

  RulesCommand& command_;
  int& exit_code_;
  CLI::App* rules_ = nullptr;
};

}  // namespace

void add_rules_commands(CLI::App& app, RulesCommand& command, int& exit_code) {
  RulesCommandLine(app, command, exit_code).add_all();
}

}  // namespace tillwatch::engine
