#include "tests/e2e/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace tillwatch::tests {
namespace {

constexpr milliseconds kAskAgain{10};

}  // namespace

bool wait_until(const std::function<bool()>& done, milliseconds patience) {
  const auto give_up_at = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up_at) return false;
    std::this_thread::sleep_for(kAskAgain);
  }
  return true;
}

Process::Process(std::vector<std::string> arguments, std::string output) : output_(std::move(output)) {
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const int failed = posix_spawnp(&pid_, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == 0) return;
  std::fprintf(stderr, "cannot start %s (error %d); is it installed or built?\n", words[0], failed);
  std::abort();
}

Process::~Process() { kill(); }

void Process::send(int signal) const {
  if (!exit_code_) ::kill(pid_, signal);
}

void Process::kill() {
  send(SIGKILL);
  while (!exit_code()) std::this_thread::sleep_for(kAskAgain);
}

std::optional<int> Process::exit_code() {
  int status = 0;
  if (!exit_code_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return exit_code_;
}

std::optional<int> Process::wait_for_exit(milliseconds patience) {
  wait_until([this] { return exit_code().has_value(); }, patience);
  return exit_code_;
}

std::string Process::said() const {
  std::ostringstream text;
  text << std::ifstream(output_).rdbuf();
  return text.str();
}

bool Process::wait_for(const std::string& text, milliseconds patience) {
  bool ended = false;
  wait_until([&] { return (ended = exit_code().has_value()) || said().contains(text); }, patience);
  return said().contains(text);
}

std::string run_to_end(const std::vector<std::string>& arguments, const std::string& output, milliseconds patience) {
  Process process(arguments, output);
  const std::optional<int> code = process.wait_for_exit(patience);
  EXPECT_EQ(code.value_or(-1), 0) << arguments[0] << " said: " << process.said();
  return process.said();
}

}  // namespace tillwatch::tests
