// The command line: what the commands are called, which flags they take, and a word on what was typed wrong.
#pragma once

namespace tillwatch::engine {

// Runs the command that the arguments name and gives its exit code; 2 when the command line itself was wrong, which is said on
// standard error with what to do.
int run_command_line(int argc, char** argv);

}  // namespace tillwatch::engine
