// Decoding one record: the part of an event's way that depends on its bytes alone. `small` wants every field of a record of 17,
// `full` the same ones of the whole record of a till, three times as long.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "connectors/source.h"
#include "engine/decoder.h"

namespace tillwatch::engine {
namespace {

using rules::Kind;

rules::Schema make_schema() {
  rules::Schema schema;
  schema.enums.push_back({{"sale", "void", "refund", "reversal", "unknown"}});
  schema.enums.push_back({{"approved", "declined", "timeout", "pending", "unknown"}});
  schema.enums.push_back({{"online", "offline_advice", "batch_upload", "unknown"}});
  rules::Stream stream;
  stream.name = "transaction";
  stream.root = 0;
  const auto add = [&](std::string name, Kind kind, int32_t ref = -1, std::string path = "", std::string currency = "") {
    rules::Field field;
    field.path = path.empty() ? name : std::move(path);
    field.name = std::move(name);
    field.type = {.kind = kind, .ref = ref};
    field.currency_path = std::move(currency);
    stream.fields.push_back(std::move(field));
  };
  add("event_id", Kind::string);
  add("txn_id", Kind::string);
  add("txn_type", Kind::symbol, 0);
  add("status", Kind::symbol, 1);
  add("occurred_at", Kind::time);
  stream.time_field = 4;
  add("amount", Kind::money, -1, "amount_minor", "currency");
  for (const char* name : {"card_token", "pan_masked", "merchant_id", "terminal_id", "mcc", "stan", "batch_no", "rrn"}) {
    add(name, Kind::string);
  }
  add("upload_mode", Kind::symbol, 2);
  schema.streams.push_back(std::move(stream));
  return schema;
}

std::string small_record(int i) {
  return fmt::format(
      R"({{"event_id":"01JD8Z6T8V6M5Q2X5W3F{:06}","txn_id":"T2026112200{:08}","txn_type":"sale","status":"approved",)"
      R"("occurred_at":"2026-11-22T12:30:{:02}.{:03}+08:00","amount_minor":{},"currency":"CNY","card_token":"c_9f3b{:06x}",)"
      R"("pan_masked":"622848******{:04}","merchant_id":"990581058120{:03}","terminal_id":"{:08}","mcc":"5812",)"
      R"("stan":"{:06}","batch_no":"000045","rrn":"122612{:06}","upload_mode":"online"}})",
      i, i, i % 60, i % 1000, 100 + i * 37, i * 7919, i % 10000, i % 1000, i, i, i);
}

// The whole record of the domain description, of which the same fields are wanted.
std::string full_record(int i) {
  std::string record = small_record(i);
  record.pop_back();
  return record +
         R"(,"schema":"transaction/1","response_code":"00","mti":"0210","processing_code":"000000","pos_condition_code":"00",)"
         R"("requested_at":"2026-11-22T12:30:03.900+08:00","responded_at":"2026-11-22T12:30:05.050+08:00","ingested_at":1795321805400,)"
         R"("local_date":"1122","local_time":"123003","settlement_date":"2026-11-22","order_amount_minor":12850,"card_last4":"1234",)"
         R"("card_type":"credit","issuer_id":"0103","payment_method":"card_chip","entry_mode":"051","acquirer_id":"99010001",)"
         R"("merchant_name":"示例餐厅","terminal_sn":"00000101SN123456","device_type":"04","app_version":"2.3.1","operator_id":"01",)"
         R"("order_no":"SO-88421","auth_code":"A1B2C3","location":{"lat":23.1291,"lon":113.2644,"coord_system":"WGS84",)"
         R"("source":"gps","accuracy_m":30},"original":null})";
}

void decode_records(benchmark::State& state, std::string (*make_record)(int)) {
  constexpr int kRecords = 512;  // as warm as a record that has just been fetched
  connectors::RecordBatch batch;
  for (int i = 0; i < kRecords; ++i) batch.add(0, i, 0, {}, make_record(i));
  const rules::Schema schema = make_schema();
  std::vector<Value> slots(schema.streams[0].fields.size());
  Decoder decoder = Decoder::for_stream(schema, 0, std::vector<bool>(slots.size(), true));
  Arena arena;
  size_t next = 0;
  for (auto _ : state) {
    const connectors::Record& record = batch.records()[next++ % kRecords];
    arena.reset();
    const DecodeResult result = decoder.decode(record.value, 1'795'400'000'000, slots, arena);
    if (!result.ok()) return state.SkipWithError(result.detail.c_str());
    benchmark::DoNotOptimize(slots.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["record_bytes"] = static_cast<double>(batch.bytes()) / kRecords;
}

BENCHMARK_CAPTURE(decode_records, small, small_record);
BENCHMARK_CAPTURE(decode_records, full, full_record);

}  // namespace
}  // namespace tillwatch::engine
