// Typed values of one record into its event's slots: what the schema says of each, and every way a value can miss it. Knows no
// JSON parser: it is given the text of scalars.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/arena.h"
#include "engine/card_tokens.h"
#include "engine/decode_plan.h"
#include "engine/decoder.h"

namespace tillwatch::engine {

// Functions that return bool return false after a fault, which is then in result(); reading ends there.
class SlotWriter {
 public:
  SlotWriter(DecodePlan plan, DecodeOptions options)
      : plan_(std::move(plan)), options_(std::move(options)), tokens_(options_.card_key), geo_parts_(plan_.names.size()) {}

  const DecodePlan& plan() const { return plan_; }
  const DecodeOptions& options() const { return options_; }
  DecodeResult& result() { return result_; }

  void begin(std::string_view json, std::span<Value> slots, Arena& arena);

  // A scalar for `target`. `token` is the JSON as it stands in the record; `text` a string's content, unescaped: a part of the
  // record, or of a buffer that need not stay.
  bool write_text(const DecodeTarget& target, std::string_view text, std::string_view token);
  bool write_bool(const DecodeTarget& target, std::string_view token);
  bool write_number(const DecodeTarget& target, std::string_view token);
  // The encoding of a list or tariff.
  void write_bytes(const DecodeTarget& target, std::string_view bytes);

  // `text`, or where card numbers stand in it a copy that hides them and lives as long as the slots.
  std::string_view without_card_numbers(std::string_view text);

  // When all values are written: money and geo from their parts, what is missing, event time.
  bool finish(TimeMs arrived_at);

  bool fail(DecodeFault fault, std::string_view field, std::string detail);
  bool wrong_type(std::string_view field, std::string_view token, std::string_view wanted);
  bool out_of_range(std::string_view field, std::string_view token);
  bool invalid(std::string_view field, std::string_view token);
  bool too_deep(std::string_view field);

  std::string_view name_of(const DecodeTarget& target) const { return plan_.names[static_cast<size_t>(target.field)]; }
  std::string_view name_of(const DecodeNode& node) const;
  static std::string_view wanted_by(const DecodeTarget& target);

 private:
  // Whether `text` is a part of the record, which outlives the slots.
  bool is_kept(std::string_view text) const {
    return !std::less<>()(text.data(), json_.data()) && !std::less<>()(json_.data() + json_.size(), text.data());
  }
  Value& slot(const DecodeTarget& target) { return slots_[static_cast<size_t>(target.field)]; }
  bool write_symbol(const DecodeTarget& target, std::string_view text);
  bool write_currency(const DecodeTarget& target, std::string_view text, std::string_view token);
  bool write_system(const DecodeTarget& target, std::string_view text, std::string_view token);
  bool write_time(const DecodeTarget& target, int64_t ms, std::string_view token);
  bool write_geo(const DecodeTarget& target, int64_t billionths, std::string_view token);
  bool bad_time(const DecodeTarget& target, std::string_view token);
  bool finish_geo(size_t field);
  bool finish_time(TimeMs arrived_at);

  DecodePlan plan_;
  DecodeOptions options_;
  CardTokens tokens_;
  std::string_view json_;
  std::span<Value> slots_;
  Arena* arena_ = nullptr;
  DecodeResult result_;
  std::vector<uint8_t> geo_parts_;  // by field: which parts of a geo value were there
};

}  // namespace tillwatch::engine
