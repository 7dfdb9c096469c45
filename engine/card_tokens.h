// Card numbers where none belong, in identifiers and names: hidden before anything is stored, matched or said.
//
// A record must not be refused for one (an identifier of 16 digits passes as a card number one time in ten), and two
// identifiers must not become one. So what stands in place of a number is its masked form and a keyed hash:
// "411111******1111~kfmabcdeop". The same number gives the same token in every field and stream, so joins hold.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tillwatch::engine {

class CardTokens {
 public:
  // Who knows `key` can try all numbers; it is a secret of the installation (TILLWATCH_TOKEN_KEY).
  explicit CardTokens(std::string key) : key_(std::move(key)) {}

  // `text` with tokens for the card numbers in it; nothing when there is none.
  std::optional<std::string> hide(std::string_view text) const;

 private:
  std::string token(std::string_view number) const;
  std::string key_;
};

}  // namespace tillwatch::engine
