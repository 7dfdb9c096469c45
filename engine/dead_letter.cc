#include "engine/dead_letter.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "engine/alert.h"
#include "engine/base/mask.h"

namespace tillwatch::engine {
namespace {

constexpr size_t kExcerpt = 400;  // bytes of a dead record, or of what was thrown, that its letter shows

class Letter {
 public:
  explicit Letter(std::string_view reason) {
    json_.StartObject();
    text("schema", "dead_letter/1");
    text("reason", reason);
  }
  void text(const char* key, std::string_view value) {
    json_.Key(key);
    json_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  void place(const connectors::Partition& from, int64_t offset, TimeMs arrived_at) {
    text("topic", from.topic);
    json_.Key("partition");
    json_.Int(from.number);
    json_.Key("offset");
    json_.Int64(offset);
    text("arrived_at", format_rfc3339(arrived_at));
  }
  rapidjson::Writer<rapidjson::StringBuffer>& json() { return json_; }
  DeadLetter end(uint32_t input, int64_t offset) {
    json_.EndObject();
    return {input, offset, {buffer_.GetString(), buffer_.GetSize()}};
  }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> json_{buffer_};
};

}  // namespace

DeadLetter unreadable_record(const connectors::Record& record, const connectors::Partition& from, const DecodeResult& why) {
  Letter letter(name(why.fault));
  if (!why.field.empty()) letter.text("field", why.field);
  letter.text("detail", why.detail);
  letter.place(from, record.offset, record.arrived_at);
  letter.json().Key("bytes");
  letter.json().Uint64(record.value.size());
  letter.text("excerpt", masked_excerpt(record.value, kExcerpt));
  return letter.end(record.input, record.offset);
}

DeadLetter failed_step(const rules::StepFailure& failure, const rules::CompiledBundle& bundle,
                       const std::vector<connectors::Partition>& inputs) {
  const rules::CompiledRule& rule = *bundle.rules[static_cast<size_t>(failure.rule)];
  const bool is_event = failure.subscription >= 0;
  Letter letter(is_event ? name(DecodeFault::failed) : "key_failed");
  letter.text("detail", masked_excerpt(failure.what, kExcerpt));
  letter.text("rule", rule.name);
  letter.json().Key("key");
  letter.json().StartObject();
  for (const auto& [field, value] : key_fields(rule, failure.key, bundle.source.schema)) {
    letter.json().Key(field.data(), static_cast<rapidjson::SizeType>(field.size()));
    letter.json().RawValue(value.data(), value.size(), rapidjson::kStringType);
  }
  letter.json().EndObject();
  if (!is_event) return letter.end(0, -1);
  letter.text("route", bundle.subscriptions[static_cast<size_t>(failure.subscription)].name);
  letter.place(inputs[failure.origin.input], failure.origin.offset, failure.arrived_at);
  return letter.end(failure.origin.input, failure.origin.offset);
}

DeadLetter failed_event(const rules::DerivedEvent& event, const rules::Schema& schema,
                        const std::vector<connectors::Partition>& inputs, const std::string& what) {
  Letter letter(name(DecodeFault::failed));
  letter.text("detail", masked_excerpt(what, kExcerpt));
  letter.text("stream", schema.streams[static_cast<size_t>(event.stream)].name);
  letter.place(inputs[event.event.origin.input], event.event.origin.offset, event.event.arrived_at);
  return letter.end(event.event.origin.input, event.event.origin.offset);
}

}  // namespace tillwatch::engine
