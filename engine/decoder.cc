#include "engine/decoder.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <bit>
#include <cstring>
#include <deque>

#include "connectors/source.h"
#include "engine/base/mask.h"
#include "engine/base/row.h"
#include "engine/json_scalar.h"
#include "engine/slot_writer.h"
#include "rules/tariff.h"

namespace tillwatch::engine {
namespace {

namespace ondemand = simdjson::ondemand;

static_assert(simdjson::SIMDJSON_PADDING <= connectors::RecordBatch::kPadding);

// A raw JSON token without the white space that simdjson leaves behind it.
std::string_view trimmed(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

std::string_view token_of(ondemand::value& value) { return trimmed(value.raw_json_token()); }

bool is_quoted(std::string_view token) { return token.size() >= 2 && token.front() == '"' && token.back() == '"'; }

bool is_unquoted_scalar(std::string_view token) {
  return token == "null" || token == "true" || token == "false" || is_number(token);
}

// The text up to the closing quote; `escaped` when a backslash comes first. Reads eight bytes at a time, into the padding.
std::string_view raw_key(const char* begin, bool& escaped) {
  static_assert(std::endian::native == std::endian::little);
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kTops = 0x8080808080808080;
  // The lowest bit set is that of the first zero byte; those above it may be wrong.
  const auto zero_bytes = [&](uint64_t word) { return (word - kOnes) & ~word & kTops; };
  for (const char* at = begin;; at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const uint64_t ends = zero_bytes(word ^ (kOnes * '"')) | zero_bytes(word ^ (kOnes * '\\'));
    if (ends == 0) continue;
    at += std::countr_zero(ends) / 8;
    escaped = *at == '\\';
    return {begin, static_cast<size_t>(at - begin)};
  }
}

}  // namespace

std::string_view name(DecodeFault fault) {
  static constexpr std::array<std::string_view, kDecodeFaults> kNames = {
      "none",          "invalid_json", "invalid_utf8", "not_an_object", "missing_field",  "wrong_type",  "out_of_range",
      "duplicate_key", "too_deep",     "too_large",    "bad_time",      "time_in_future", "pan_exposed", "processing_failed"};
  return kNames[static_cast<size_t>(fault)];
}

// Walks over the JSON of one record after another. Functions return false after a fault, which the writer then holds.
class Decoder::Reader {
 public:
  Reader(const DecodePlan& plan, const DecodeOptions& options) : record_(plan, options) {
    for (const DecodePlan& each : plan.elements) arrays_.emplace_back(each, options);
  }

  DecodeResult decode(std::string_view json, TimeMs arrived_at, std::span<Value> slots, Arena& arena) {
    now_ = &record_;
    json_ = json;
    arena_ = &arena;
    for (Level& array : arrays_) array.count = 0;
    record_.begin(json, slots, arena);
    if (read_record(json) && writer().finish(arrived_at)) add_currencies(slots);
    return std::move(record_.writer.result());
  }

  size_t elements(size_t array) const { return arrays_[array].count; }
  std::span<const Value> element(size_t array, size_t index) const {
    const size_t fields = arrays_[array].writer.plan().names.size();
    return std::span(arrays_[array].values).subspan(index * fields, fields);
  }

 private:
  using Target = DecodeTarget;
  using Node = DecodeNode;

  // The record, or an array in it whose elements are read one after another.
  struct Level {
    Level(const DecodePlan& plan, const DecodeOptions& options) : writer(plan, options), seen(plan.nodes.size()) {}
    void begin(std::string_view json, std::span<Value> slots, Arena& arena) {
      writer.begin(json, slots, arena);
      ++round;
    }

    SlotWriter writer;
    uint64_t round = 0;
    std::vector<uint64_t> seen;  // by node: the round in which its key was met
    size_t count = 0;            // of an array: its elements
    std::vector<Value> values;   // and theirs, one after another
  };

  SlotWriter& writer() { return now_->writer; }
  const SlotWriter& writer() const { return now_->writer; }

  bool invalid(simdjson::error_code error) {
    switch (error) {
      case simdjson::UTF8_ERROR:
        return writer().fail(DecodeFault::invalid_utf8, {}, "the record is not UTF-8");
      case simdjson::EMPTY:
        return writer().fail(DecodeFault::invalid_json, {}, "the record is empty");
      default:
        return writer().fail(DecodeFault::invalid_json, {}, simdjson::error_message(error));
    }
  }
  bool invalid_string(std::string_view field) {
    return writer().fail(DecodeFault::invalid_json, field, "has an escape that is no character");
  }
  std::string_view name_of(const Target& target) const { return writer().name_of(target); }
  std::string_view name_of(const Node& node) const { return writer().name_of(node); }

  // --- the document

  bool read_record(std::string_view json) {
    const size_t limit = writer().options().max_bytes;
    if (json.size() > limit) {
      return writer().fail(DecodeFault::too_large, {}, fmt::format("{} bytes, at most {} are read", json.size(), limit));
    }
    ondemand::document document;
    const simdjson::padded_string_view padded(json.data(), json.size(), json.size() + simdjson::SIMDJSON_PADDING);
    if (const auto error = parser_.iterate(padded).get(document)) return invalid(error);
    std::string_view token;
    if (const auto error = document.raw_json_token().get(token)) return invalid(error);
    if (token.empty() || token.front() != '{') return refuse_root(trimmed(token));
    ondemand::object object;
    if (const auto error = document.get_object().get(object)) return invalid(error);
    if (!read_object(object, &writer().plan().nodes.front(), 1)) return false;
    if (document.current_location().error() == simdjson::OUT_OF_BOUNDS) return true;
    return writer().fail(DecodeFault::invalid_json, {}, "has more text behind the end of the object");
  }

  bool refuse_root(std::string_view token) {
    const bool is_json = token.starts_with('[') || is_quoted(token) || is_unquoted_scalar(token);
    if (!is_json) return writer().invalid({}, token);
    return writer().fail(DecodeFault::not_an_object, {}, "the record is no JSON object");
  }

  // `node` is null for an object of which nothing is wanted.
  bool read_object(ondemand::object& object, const Node* node, int depth) {
    if (depth > writer().options().max_depth) return writer().too_deep(node == nullptr ? std::string_view{} : name_of(*node));
    for (auto each : object) {
      if (const auto error = each.error()) return invalid(error);
      ondemand::field& field = each.value_unsafe();  // copying it costs 5 ns: it is written in pieces just before
      const Node* child = nullptr;
      if (node != nullptr && !find_child(field, *node, child)) return false;
      if (child == nullptr ? !skip(field.value(), depth) : !read_value(field.value(), *child, depth)) return false;
    }
    return true;
  }

  bool find_child(ondemand::field& field, const Node& node, const Node*& child) {
    std::string_view key;
    if (!read_key(field, key)) return false;
    const int32_t index = node.keys.find(key);
    if (index < 0) return true;
    child = &writer().plan().nodes[static_cast<size_t>(index)];
    uint64_t& seen = now_->seen[static_cast<size_t>(index)];
    if (seen == now_->round) return writer().fail(DecodeFault::duplicate_key, name_of(*child), "is there twice");
    seen = now_->round;
    return true;
  }

  bool read_key(ondemand::field& field, std::string_view& key) {
    bool escaped = false;
    key = raw_key(field.key().raw(), escaped);
    return !escaped || field.unescaped_key().get(key) == simdjson::SUCCESS || invalid_string({});
  }

  // Walks over a value nobody wants; simdjson itself would let anything between matching brackets pass.
  bool skip(ondemand::value& value, int depth) {
    const std::string_view token = token_of(value);
    switch (token.empty() ? '\0' : token.front()) {
      case '"':
        return is_quoted(token) || writer().invalid({}, token);
      case '{': {
        ondemand::object object;
        if (const auto error = value.get_object().get(object)) return invalid(error);
        return read_object(object, nullptr, depth + 1);
      }
      case '[':
        return for_each(value, {}, depth + 1, [&](ondemand::value& item) { return skip(item, depth + 1); });
      default:
        return is_unquoted_scalar(token) || writer().invalid({}, token);
    }
  }

  // `depth` is that of the array's items.
  template <class Visit>
  bool for_each(ondemand::value& value, std::string_view field, int depth, Visit visit) {
    if (depth > writer().options().max_depth) return writer().too_deep(field);
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return invalid(error);
    for (auto each : array) {
      if (const auto error = each.error()) return invalid(error);
      if (!visit(each.value_unsafe())) return false;
    }
    return true;
  }

  // --- wanted values

  bool read_value(ondemand::value& value, const Node& node, int depth) {
    const std::string_view token = token_of(value);
    if (node.elements >= 0 && !token.empty() && token.front() != '[' && token != "null") { return refuse_array(node, token); }
    switch (token.empty() ? '\0' : token.front()) {
      case 'n':
        return token == "null" || writer().invalid(name_of(node), token);
      case '{': {
        if (!node.targets.empty())
          return writer().wrong_type(name_of(node), "an object", writer().wanted_by(node.targets.front()));
        ondemand::object object;
        if (const auto error = value.get_object().get(object)) return invalid(error);
        return read_object(object, &node, depth + 1);
      }
      case '[':
        return read_array(value, node, depth + 1);
      case '"':
        return read_string(value, token, node);
      default:
        return read_number_or_bool(token, node);
    }
  }

  bool read_string(ondemand::value& value, std::string_view token, const Node& node) {
    std::string_view text;
    if (!text_of(value, token, node, text)) return false;
    if (node.targets.empty()) return writer().wrong_type(name_of(node), token, "an object");
    for (const Target& target : node.targets) {
      if (!writer().write_text(target, text, token)) return false;
    }
    return true;
  }

  // Content of a string, unescaped; it lives until the next record. simdjson 3.0 lets "\udc00" through as bytes that are no
  // UTF-8.
  template <class Place>
  bool text_of(ondemand::value& value, std::string_view token, const Place& place, std::string_view& text) {
    if (!is_quoted(token)) return writer().invalid(name_of(place), token);
    text = token.substr(1, token.size() - 2);
    if (text.find('\\') == std::string_view::npos) return true;
    return (value.get_string().get(text) == simdjson::SUCCESS && simdjson::validate_utf8(text)) ||
           invalid_string(name_of(place));
  }

  bool read_number_or_bool(std::string_view token, const Node& node) {
    if (!is_unquoted_scalar(token)) return writer().invalid(name_of(node), token);
    if (node.targets.empty()) return writer().wrong_type(name_of(node), token, "an object");
    const bool is_bool = token.front() == 't' || token.front() == 'f';
    for (const Target& target : node.targets) {
      if (is_bool ? !writer().write_bool(target, token) : !writer().write_number(target, token)) return false;
    }
    return true;
  }

  // --- arrays

  bool refuse_array(const Node& node, std::string_view token) {
    if (token.front() != '{' && !is_quoted(token) && !is_unquoted_scalar(token)) return writer().invalid(node.path, token);
    return writer().wrong_type(node.path, token.front() == '{' ? "an object" : token, "an array");
  }

  // Each element into values of its own. What is wrong with one is wrong with the record.
  bool read_elements(ondemand::value& value, const Node& node, int depth) {
    Level& array = arrays_[static_cast<size_t>(node.elements)];
    const size_t fields = array.writer.plan().names.size();
    return for_each(value, node.path, depth, [&](ondemand::value& item) {
      const size_t most = writer().options().max_elements;
      if (array.count == most) {
        return writer().fail(DecodeFault::too_large, node.path, fmt::format("has more than {} elements", most));
      }
      array.values.resize(++array.count * fields);
      array.begin(json_, std::span(array.values).last(fields), *arena_);
      now_ = &array;
      const bool whole = read_value(item, array.writer.plan().nodes.front(), depth + 1) && array.writer.finish(0);
      now_ = &record_;
      DecodeResult& result = array.writer.result();
      record_.writer.result().unknown_enums += result.unknown_enums;
      return whole || writer().fail(result.fault, result.field.empty() ? node.path : result.field,
                                    fmt::format("{} (element {})", result.detail, array.count));
    });
  }

  // Money of elements that goes by the record's currency, wherever in the record that stood.
  void add_currencies(std::span<const Value> slots) {
    for (Level& array : arrays_) {
      const DecodePlan& plan = array.writer.plan();
      for (const auto& [field, of] : plan.money_of_record) {
        const Value& money = slots[static_cast<size_t>(of)];
        for (size_t at = static_cast<size_t>(field); at < array.count * plan.names.size(); at += plan.names.size()) {
          if (!array.values[at].missing()) array.values[at].aux = money.missing() ? kYuan : money.aux;
        }
      }
    }
  }

  bool read_array(ondemand::value& value, const Node& node, int depth) {
    if (node.elements >= 0) return read_elements(value, node, depth);
    if (node.targets.empty()) return writer().wrong_type(name_of(node), "an array", "an object");
    const Target& first = node.targets.front();
    bytes_.clear();
    if (first.kind == rules::Kind::list) {
      if (!read_list(value, first, depth)) return false;
    } else if (first.kind == rules::Kind::tariff) {
      if (!read_tariff(value, first, depth)) return false;
    }
    for (const Target& target : node.targets) {
      const bool takes_arrays = target.kind == rules::Kind::list || target.kind == rules::Kind::tariff;
      if (!takes_arrays || target.kind != first.kind) {
        return writer().wrong_type(name_of(target), "an array", writer().wanted_by(target));
      }
      writer().write_bytes(target, bytes_);
    }
    return true;
  }

  bool read_list(ondemand::value& value, const Target& target, int depth) {
    items_.clear();
    const bool read = for_each(value, name_of(target), depth, [&](ondemand::value& item) {
      const std::string_view token = token_of(item);
      if (token.empty() || token.front() != '"') return refuse_item(target, token, "a string");
      std::string_view text;
      if (!text_of(item, token, target, text)) return false;
      items_.push_back(writer().without_card_numbers(text));
      return true;
    });
    if (read) ListView::encode(items_, bytes_);
    return read;
  }

  // Something in an array is no `wanted`.
  bool refuse_item(const Target& target, std::string_view token, std::string_view wanted) {
    const char first = token.empty() ? '\0' : token.front();
    if (first == '{' || first == '[')
      token = first == '{' ? "an object" : "an array";
    else if (first != '"' && !is_unquoted_scalar(token))
      return writer().invalid(name_of(target), token);
    return writer().fail(DecodeFault::wrong_type, name_of(target),
                         fmt::format("has {} where {} is wanted", mask(token), wanted));
  }

  // --- tariffs

  bool read_tariff(ondemand::value& value, const Target& target, int depth) {
    std::vector<rules::TariffProduct> products;
    const bool read = for_each(value, name_of(target), depth, [&](ondemand::value& item) {
      return read_product(item, target, depth + 1, products.emplace_back());
    });
    if (read) bytes_ = rules::encode_tariff(products);
    return read;
  }

  // Members of an object in a tariff; null counts as missing. `depth` is that of the object.
  template <class Visit>
  bool for_each_member(ondemand::value& value, const Target& target, int depth, Visit visit) {
    if (const std::string_view token = token_of(value); token.empty() || token.front() != '{') {
      return refuse_item(target, token, "an object");
    }
    if (depth > writer().options().max_depth) return writer().too_deep(name_of(target));
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return invalid(error);
    for (auto each : object) {
      if (const auto error = each.error()) return invalid(error);
      ondemand::field& field = each.value_unsafe();
      std::string_view key;
      if (!read_key(field, key)) return false;
      if (token_of(field.value()) != "null" && !visit(key, field.value())) return false;
    }
    return true;
  }

  bool read_product(ondemand::value& value, const Target& target, int depth, rules::TariffProduct& product) {
    bool has_rate = false;
    const auto read_member = [&](std::string_view key, ondemand::value& member) {
      if (key == "card_type") return read_pattern(member, target, product.card_type);
      if (key == "payment_method") return read_pattern(member, target, product.payment_method);
      if (key == "tier") return read_merchant_tier(member, target);
      if (key == "cap_minor") return read_minor(member, target, product.cap_minor);
      if (key == "flat_minor") return read_minor(member, target, product.flat_minor);
      if (key == "rate_bp") return (has_rate = true, read_rate(member, target, product.rate_ppm));
      if (key == "tiers") return (has_rate = true, read_tiers(member, target, depth + 1, product.tiers));
      return skip(member, depth);
    };
    if (!for_each_member(value, target, depth, read_member)) return false;
    return has_rate || writer().fail(DecodeFault::wrong_type, name_of(target), "has a product with neither rate_bp nor tiers");
  }

  bool read_tiers(ondemand::value& value, const Target& target, int depth, std::vector<rules::TariffTier>& tiers) {
    if (const std::string_view token = token_of(value); token.empty() || token.front() != '[') {
      return refuse_item(target, token, "an array of tiers");
    }
    return for_each(value, name_of(target), depth, [&](ondemand::value& item) {
      rules::TariffTier& tier = tiers.emplace_back();
      bool has_rate = false;
      const bool read = for_each_member(item, target, depth + 1, [&](std::string_view key, ondemand::value& member) {
        if (key == "upto_minor") return read_minor(member, target, tier.upto_minor);
        if (key == "rate_bp") return (has_rate = true, read_rate(member, target, tier.rate_ppm));
        return skip(member, depth + 1);
      });
      return read && (has_rate || writer().fail(DecodeFault::wrong_type, name_of(target), "has a tier without rate_bp"));
    });
  }

  bool read_pattern(ondemand::value& value, const Target& target, std::string& pattern) {
    const std::string_view token = token_of(value);
    std::string_view text;
    if (token.empty() || token.front() != '"') return refuse_item(target, token, "a string");
    if (!text_of(value, token, target, text)) return false;
    pattern = writer().without_card_numbers(text);
    return true;
  }

  // Fees are computed without the merchant's tier, so a product for one of them would be charged to all.
  bool read_merchant_tier(ondemand::value& value, const Target& target) {
    std::string tier;
    if (!read_pattern(value, target, tier)) return false;
    return tier == "*" || writer().fail(DecodeFault::wrong_type, name_of(target), R"(has a product whose tier is not "*")");
  }

  bool read_minor(ondemand::value& value, const Target& target, int64_t& minor) {
    const std::string_view token = token_of(value);
    const NumberFault fault = read_integer(token, minor);
    if (fault == NumberFault::malformed || fault == NumberFault::not_whole) {
      return refuse_item(target, token, "a whole number of minor units");
    }
    return (fault == NumberFault::none && minor >= 0) || writer().out_of_range(name_of(target), token);
  }

  // Basis points with up to two decimals: a hundredth of one is a part per million.
  bool read_rate(ondemand::value& value, const Target& target, int64_t& rate_ppm) {
    constexpr int64_t kPerPpm = Value::kDecimalOne / 100;
    constexpr int64_t kWholeAmountPpm = 1'000'000;
    const std::string_view token = token_of(value);
    int64_t basis_points = 0;
    const NumberFault fault = read_decimal(token, basis_points);
    if (fault == NumberFault::malformed) return refuse_item(target, token, "a number of basis points");
    rate_ppm = basis_points / kPerPpm;
    const bool exact = fault == NumberFault::none && basis_points % kPerPpm == 0;
    return (exact && rate_ppm >= 0 && rate_ppm <= kWholeAmountPpm) || writer().out_of_range(name_of(target), token);
  }

  Level record_;
  std::deque<Level> arrays_;
  Level* now_ = &record_;
  std::string_view json_;
  Arena* arena_ = nullptr;
  ondemand::parser parser_;
  std::vector<std::string_view> items_;
  std::string bytes_;
};

Decoder::Decoder(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Decoder Decoder::for_stream(const rules::Schema& schema, int stream, const std::vector<bool>& used, DecodeOptions options,
                            const std::vector<UsedElements>& elements) {
  return Decoder(std::make_unique<Reader>(plan_stream(schema, stream, used, elements), options));
}

Decoder Decoder::for_table(const rules::Schema& schema, int table, const std::vector<bool>& used, DecodeOptions options) {
  return Decoder(std::make_unique<Reader>(plan_table(schema, table, used), options));
}

size_t Decoder::elements(size_t array) const { return reader_->elements(array); }
std::span<const Value> Decoder::element(size_t array, size_t index) const { return reader_->element(array, index); }

DecodeResult Decoder::decode(std::string_view json, TimeMs arrived_at, std::span<Value> slots, Arena& arena) {
  return reader_->decode(json, arrived_at, slots, arena);
}

}  // namespace tillwatch::engine
