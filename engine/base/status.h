// What can go wrong, as a value. One kind per action the caller takes (see ARCHITECTURE.md, "Errors").
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace tillwatch {

enum class ErrorKind : uint8_t {
  invalid,      // what a person wrote (flag, config, rule) is wrong: report it, refuse, keep the old
  unavailable,  // a broker, disk or file is away: drop the batch, back off, try the same batch again
  corrupt,      // stored bytes are not what we wrote: stop, never repair silently
  fenced,       // another process took over our identity: exit
  exhausted,    // a configured limit was reached
};

struct Error {
  ErrorKind kind = ErrorKind::invalid;
  std::string message;  // where, what, and what to do
};

template <class T>
using Expected = std::expected<T, Error>;
using Status = Expected<void>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message)});
}

// Aborts with file:line: our own mistake, never a user's. Throws where the work can be given up (guarded.h).
[[noreturn]] void abort_because(const char* file, int line, const char* what);

#define TILLWATCH_CHECK(condition) \
  ((condition) ? void(0) : ::tillwatch::abort_because(__FILE__, __LINE__, #condition))

}  // namespace tillwatch
