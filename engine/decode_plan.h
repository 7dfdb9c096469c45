// What a decoder looks for: the wanted JSON paths of one stream or table as a tree, made once from the schema.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "rules/language/schema.h"

namespace tillwatch::engine {

inline constexpr uint16_t kYuan = 156;  // ISO 4217; what money without any word of its currency is

// A small map from names to numbers, asked for every key and enum value of every record.
class NameTable {
 public:
  // A name that is there already keeps its number.
  void add(std::string_view name, int32_t number);
  int32_t find(std::string_view name) const {  // -1: not there
    const Ends ends = ends_of(name);
    for (size_t at = hash(ends, name.size());; ++at) {
      const Slot& slot = slots_[at & mask_];
      if (slot.name < 0) return -1;
      if (slot.ends != ends || slot.size != name.size()) continue;
      const Name& found = names_[static_cast<size_t>(slot.name)];
      if (name.size() <= kWholeInEnds || found.text == name) return found.number;
    }
  }

 private:
  // A name of up to sixteen bytes is its length and its first and last eight bytes.
  static constexpr size_t kWholeInEnds = 16;
  struct Ends {
    uint64_t first = 0;
    uint64_t last = 0;
    bool operator==(const Ends&) const = default;
  };
  struct Slot {
    Ends ends;
    uint32_t size = 0;
    int32_t name = -1;  // index; -1: free
  };
  struct Name {
    std::string text;
    int32_t number;
  };

  static Ends ends_of(std::string_view name) {
    const auto load = [&]<class Word>(Word word, size_t at) {
      std::memcpy(&word, name.data() + at, sizeof word);
      return uint64_t{word};
    };
    if (name.size() >= 8) return {load(uint64_t{}, 0), load(uint64_t{}, name.size() - 8)};
    if (name.size() >= 4) return {load(uint32_t{}, 0), load(uint32_t{}, name.size() - 4)};
    Ends ends;
    for (const char c : name) ends.first = ends.first << 8 | static_cast<unsigned char>(c);
    return ends;
  }
  // Long names that differ only in their middle share a hash and are told apart by comparison. A record cannot choose the names
  // that are in the table, so nobody can make it slow.
  static size_t hash(const Ends& ends, size_t size) {
    const uint64_t mixed = (ends.first * 0x9e3779b97f4a7c15) ^ ((ends.last + size) * 0xc2b2ae3d27d4eb4f);
    return static_cast<size_t>(mixed ^ (mixed >> 29) ^ (mixed >> 47));
  }
  void place(int32_t name);

  std::vector<Name> names_;
  std::vector<Slot> slots_ = std::vector<Slot>(8);  // open addressing, at most half full
  size_t mask_ = 7;                                 // slots, a power of two, less one
};

// Which part of a field's value stands at a place; most fields are one place, money and geo are several.
enum class FieldPart : uint8_t { whole, money_minor, money_currency, geo_latitude, geo_longitude, geo_system, geo_accuracy };

struct DecodeTarget {
  int32_t field = -1;
  rules::Kind kind = rules::Kind::string;
  FieldPart part = FieldPart::whole;
  int32_t enum_type = -1;  // symbol: index into DecodePlan::enums
  bool free_text = false;  // to be searched for card numbers
};

struct DecodeNode {
  std::string path;                   // "original.txn_id"; empty for the root
  NameTable keys;                     // of the object here → nodes
  std::vector<DecodeTarget> targets;  // what the value here is for; with keys too, the value is an object
  int32_t elements = -1;              // an array whose elements are events: index into DecodePlan::elements
};

struct DecodeEnum {
  NameTable names;
  int32_t unknown = 0;
};

struct DecodePlan {
  std::vector<DecodeNode> nodes;   // the first is the root
  std::vector<DecodeEnum> enums;   // those of the schema, by index
  std::vector<std::string> names;  // of the fields
  std::vector<int32_t> required;   // fields that must not be missing
  std::vector<std::pair<int32_t, uint16_t>> money;  // field, and its currency where the record has none (ISO 4217); money and geo fields are put together when the record has been read
  std::vector<int32_t> geo;
  std::vector<DecodePlan> elements;  // of arrays; their fields are those of an element alone
  std::vector<std::pair<int32_t, int32_t>> money_of_record;  // elements: field, and the record's field that has its currency
  int32_t time_field = -1;  // stream: event time
  int32_t valid_from = -1;  // table
  int32_t recorded_at = -1;
};

// A stream of the elements of an array (Stream::Origin::elements), and which of its fields are used.
struct UsedElements {
  int stream = -1;
  std::vector<bool> used;
};

// `used` has one entry a field; computed fields are left out, the time field is always in. A view is its root stream. What
// `elements` use of the record is in too.
DecodePlan plan_stream(const rules::Schema& schema, int stream, std::vector<bool> used,
                       const std::vector<UsedElements>& elements = {});
// All of effective_from, effective_to and recorded_at are in, and none of them is required.
DecodePlan plan_table(const rules::Schema& schema, int table, const std::vector<bool>& used);

}  // namespace tillwatch::engine
