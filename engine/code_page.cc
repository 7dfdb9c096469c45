#include "engine/code_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/text_layout.h"

namespace tillwatch::engine {

std::string code_written(std::string_view word) {
  const auto digit = [](char sign) { return sign >= '0' && sign <= '9'; };
  if (word.size() != 4 || std::isalpha(static_cast<unsigned char>(word[0])) == 0) return "";
  if (!std::all_of(word.begin() + 1, word.end(), digit)) return "";
  std::string code(word);
  code[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(code[0])));
  return code;
}

std::string code_page(const rules::CodeEntry& entry) {
  std::string page = fmt::format("{}: {}\n\n{}", entry.code, entry.title, wrapped(entry.explanation));
  const rules::CodeExample* example = rules::find_code_example(entry.code);
  if (example == nullptr) return page;
  return page + fmt::format("\nWrong:\n\n{}\nRight:\n\n{}", indented(example->wrong, 4), indented(example->right, 4));
}

std::string code_index() {
  std::string index;
  for (const rules::CodeEntry& entry : rules::codes()) index += fmt::format("{}  {}\n", entry.code, entry.title);
  return index;
}

}  // namespace tillwatch::engine
