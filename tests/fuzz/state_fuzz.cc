// Any bytes where stored ones are read: a key's record, a page of its events, a frame of the exchange, a row. They are refused,
// or they are whole: written again they are what was read, but for what another writer might have put in a longer way.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/base/row.h"
#include "engine/exchange_frame.h"
#include "rules/runtime/key_state.h"
#include "state/key_codec.h"

namespace tillwatch {
namespace {

void as_key(std::string_view bytes) {
  rules::KeyState state;
  if (!state.unpack(bytes)) return;
  std::string once, twice;
  state.pack(once);
  rules::KeyState again;
  if (!again.unpack(once)) std::abort();
  again.pack(twice);
  if (once != twice) std::abort();
}

void as_page(std::string_view bytes) {
  rules::KeyState state;
  if (!state.decode_page(7, bytes)) return;
  state.log.merge();
  rules::KeyState again;
  if (!again.decode_page(7, state.encode_page(7))) std::abort();
}

}  // namespace
}  // namespace tillwatch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tillwatch;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      as_key(bytes);
      break;
    case 1:
      as_page(bytes);
      break;
    case 2:
      static_cast<void>(engine::ExchangeFrame::decode(bytes));
      break;
    case 3:
      static_cast<void>(state::decode_state_key(bytes));
      break;
    default: {
      static const RowLayout layout({ValueKind::string, ValueKind::money, ValueKind::geo, ValueKind::list, ValueKind::boolean});
      if (!layout.valid(bytes)) return 0;
      for (size_t field = 0; field < layout.size(); ++field) {
        const Value value = layout.get(bytes.data(), field);
        if (value.kind == ValueKind::list) static_cast<void>(ListView(value.text()).items());
        if (value.kind == ValueKind::string && value.text().find('\0') == std::string_view::npos) continue;
      }
      break;
    }
  }
  return 0;
}
