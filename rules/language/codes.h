// The codes of errors and warnings. They are stable: a code is never given another meaning, and scripts may rely on it.
#pragma once

#include <string_view>
#include <vector>

namespace tillwatch::rules {

struct CodeEntry {
  std::string_view code;         // "E022"
  std::string_view title;        // "a value that may be missing is used as if it were there"
  std::string_view explanation;  // some sentences, with an example where one helps: what `rules explain E022` prints
};

// A mistake and its mend: lines of a rule (complete when they begin with `rule:`), of a schema, a test file or a configuration;
// a command line where the mistake is not in a file.
struct CodeExample {
  std::string_view code, wrong, right;
};

const std::vector<CodeEntry>& codes();              // in order
const CodeEntry* find_code(std::string_view code);  // null: no such code
const CodeExample* find_code_example(std::string_view code);

}  // namespace tillwatch::rules
