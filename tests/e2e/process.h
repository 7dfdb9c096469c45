// A program run as a process of its own, with what it writes kept in a file: what end-to-end tests do their work with.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tillwatch::tests {

using std::chrono::milliseconds;

// Asks again and again until `done` says true or the time is up; says which.
bool wait_until(const std::function<bool()>& done, milliseconds patience);

class Process {
 public:
  // Starts `arguments[0]`; standard output and error go to the file `output`, which is made anew. Aborts when it cannot.
  Process(std::vector<std::string> arguments, std::string output);
  ~Process();  // kill -9
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  void kill();  // kill -9, and waits for the end
  // Empty while it runs; -N when signal N ended it.
  std::optional<int> exit_code();
  std::optional<int> wait_for_exit(milliseconds patience);
  std::string said() const;  // so far
  // False when it ends, or the time is up, without having said `text`.
  bool wait_for(const std::string& text, milliseconds patience);

 private:
  const std::string output_;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

// Runs to the end; adds a test failure when the exit code is not 0. Returns what was said.
std::string run_to_end(const std::vector<std::string>& arguments, const std::string& output, milliseconds patience);

}  // namespace tillwatch::tests
