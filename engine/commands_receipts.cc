// `tillwatch receipts`: delivery reports as gateways send them, made into what the stream `receipt` reads.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>

#include "connectors/receipt_formats.h"
#include "engine/base/mask.h"
#include "engine/commands.h"

namespace tillwatch::engine {

int convert_receipts(const ReceiptsCommand& command) {
  const auto format = connectors::receipt_format(command.format);
  if (!format) {
    fmt::print(stderr, "tillwatch receipts: {}\n", format.error().message);
    return 2;
  }
  constexpr size_t kExcerpt = 120;
  const std::string& provider = command.provider.empty() ? command.format : command.provider;
  uint64_t line = 0, payloads = 0, refused = 0;
  for (std::string payload; std::getline(std::cin, payload);) {
    ++line;
    if (payload.empty()) continue;
    ++payloads;
    const auto records = connectors::read_receipts(*format, payload, provider);
    if (!records) {
      ++refused;
      fmt::print(stderr, "line {}: {}: {}\n", line, records.error().message, masked_excerpt(payload, kExcerpt));
      continue;
    }
    for (const std::string& record : *records) std::cout << record << '\n';
  }
  std::cout.flush();
  if (!std::cout) {
    fmt::print(stderr, "tillwatch receipts: the output cannot be written\n");
    return 1;
  }
  fmt::print(stderr, "{} payload{} read, {} refused\n", payloads, payloads == 1 ? "" : "s", refused);
  return refused == 0 ? 0 : 1;
}

}  // namespace tillwatch::engine
