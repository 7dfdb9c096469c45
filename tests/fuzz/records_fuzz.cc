// Any bytes as a record of each stream and table of the payments pack: a fault or values, never a crash or a byte read that is
// not there. What was read is encoded as a row, and the row is whole.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/base/row.h"
#include "engine/decoder.h"
#include "tests/engine/decoder_fixture.h"
#include "tests/engine/world.h"

namespace tillwatch::engine {
namespace {

struct Reader {
  Decoder decoder;
  std::vector<Value> slots;
  RowLayout layout;
};

std::vector<Reader> readers() {
  static const auto bundle = load_rules({TILLWATCH_SOURCE_DIR "/rules/packs/payments"});
  const rules::Schema& schema = bundle->source.schema;
  std::vector<Reader> all;
  const auto layout_of = [](const std::vector<Field>& fields) {
    std::vector<ValueKind> kinds;
    for (const Field& field : fields) kinds.push_back(rules::value_kind(field.type.kind));
    return RowLayout(kinds);
  };
  for (size_t i = 0; i < schema.streams.size(); ++i) {
    const rules::Stream& stream = schema.streams[i];
    if (stream.origin != rules::Stream::Origin::topic) continue;
    std::vector<bool> used(stream.fields.size());
    for (size_t field = 0; field < used.size(); ++field) used[field] = !stream.fields[field].computed;
    all.push_back(
        {Decoder::for_stream(schema, static_cast<int>(i), used), std::vector<Value>(used.size()), layout_of(stream.fields)});
  }
  for (size_t i = 0; i < schema.tables.size(); ++i) {
    if (schema.tables[i].topic.empty()) continue;
    const size_t columns = schema.tables[i].columns.size();
    all.push_back({Decoder::for_table(schema, static_cast<int>(i), std::vector<bool>(columns, true)),
                   std::vector<Value>(columns), layout_of(schema.tables[i].columns)});
  }
  return all;
}

void read(Reader& reader, std::string_view json) {
  Arena arena;
  const Padded padded(json);
  if (!reader.decoder.decode(padded.text(), kArrival, reader.slots, arena).ok()) return;
  std::string row;
  reader.layout.encode(reader.slots, row);
  if (!reader.layout.valid(row)) std::abort();
}

}  // namespace
}  // namespace tillwatch::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tillwatch::engine;
  static std::vector<Reader> all = readers();
  if (size == 0) return 0;
  read(all[data[0] % all.size()], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
