#include "engine/card_tokens.h"

#include <openssl/evp.h>

#include <algorithm>

#include "engine/base/mask.h"
#include "engine/base/status.h"

namespace tillwatch::engine {
namespace {

constexpr size_t kShownFirst = 6;
constexpr size_t kShownLast = 4;
constexpr size_t kHashBytes = 5;  // of numbers with the same ends there are at most a billion

bool is_no_digit(char c) { return c < '0' || c > '9'; }

}  // namespace

std::optional<std::string> CardTokens::hide(std::string_view text) const {
  std::string hidden;
  size_t copied = 0;
  for (std::string_view number = find_card_number(text); !number.empty(); number = find_card_number(text, copied)) {
    const auto begin = static_cast<size_t>(number.data() - text.data());
    hidden += text.substr(copied, begin - copied);
    hidden += token(number);
    copied = begin + number.size();
  }
  if (copied == 0) return std::nullopt;
  hidden += text.substr(copied);
  return hidden;
}

std::string CardTokens::token(std::string_view number) const {
  std::string digits(number);
  std::erase_if(digits, is_no_digit);
  const std::string keyed = key_ + '\0' + digits;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TILLWATCH_CHECK(EVP_Digest(keyed.data(), keyed.size(), digest, &size, EVP_sha256(), nullptr) == 1);
  std::string token = digits.substr(0, kShownFirst) + std::string(digits.size() - kShownFirst - kShownLast, '*') +
                      digits.substr(digits.size() - kShownLast) + '~';
  for (size_t i = 0; i < kHashBytes; ++i) {  // letters: digits could make up a number again
    token += static_cast<char>('a' + (digest[i] >> 4));
    token += static_cast<char>('a' + (digest[i] & 15));
  }
  return token;
}

}  // namespace tillwatch::engine
