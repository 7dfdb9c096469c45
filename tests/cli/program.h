// Runs the program as a person would and keeps what it said.
#pragma once

#include <sys/wait.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace tillwatch {

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out, err;
};

// A folder of the test's own, gone at its end.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tillwatch-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// `arguments` go through the shell; run from the source folder. At most `seconds`, then it is killed (exit code 124).
inline ProgramResult run_program(const std::string& arguments, int seconds = 60) {
  const TestFolder folder;
  const std::string command = "cd " TILLWATCH_SOURCE_DIR " && timeout " + std::to_string(seconds) + " " TILLWATCH_PROGRAM " " + arguments + " >" +
                              folder.path() + "/out 2>" + folder.path() + "/err";
  const int status = std::system(command.c_str());
  ProgramResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_file(folder.path() + "/out");
  result.err = read_file(folder.path() + "/err");
  return result;
}

// The first run of 13 to 19 digits in `bytes` that begins as card numbers do (2 to 9, or 1800 where it is 15 digits), passes Luhn's check and stands alone (no letter beside it, as in a hash written in
// hexadecimal); empty: none.
inline std::string card_number_in(const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    if (bytes[at] < '0' || bytes[at] > '9') {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < bytes.size() && bytes[end] >= '0' && bytes[end] <= '9') ++end;
    const auto letter = [&](size_t i) { return i < bytes.size() && std::isalnum(static_cast<unsigned char>(bytes[i])) != 0; };
    if (end - at >= 13 && end - at <= 19 && (bytes[at] >= '2' || (end - at == 15 && bytes.compare(at, 4, "1800") == 0)) && !letter(end) && (at == 0 || !letter(at - 1))) {
      int sum = 0;
      for (size_t i = 0; i < end - at; ++i) {
        int digit = bytes[end - 1 - i] - '0';
        if (i % 2 == 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
      }
      if (sum % 10 == 0) return bytes.substr(at, end - at);
    }
    at = end;
  }
  return {};
}

}  // namespace tillwatch
