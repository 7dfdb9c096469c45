// `tillwatch rules …` on the command line.
#pragma once

#include "engine/commands.h"

namespace CLI {
class App;
}

namespace tillwatch::engine {

// Adds the command with its subcommands; the one chosen fills `command` and sets `exit_code` when it has run.
void add_rules_commands(CLI::App& app, RulesCommand& command, int& exit_code);

}  // namespace tillwatch::engine
