#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "engine/command_line.h"

namespace {

// Whoever read the output has closed it: the end that any program comes to there, with nothing said.
int end_without_reader() {
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
  return 1;
}

int output_failed(int error) {
  if (error == EPIPE) return end_without_reader();
  std::fprintf(stderr, "tillwatch: cannot write to standard output: %s\n", std::strerror(error));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  int exit_code = 0;
  try {
    exit_code = tillwatch::engine::run_command_line(argc, argv);
  } catch (const std::system_error& error) { return output_failed(error.code().value()); }
  if (std::fflush(stdout) != 0) return output_failed(errno);
  return exit_code;
}
