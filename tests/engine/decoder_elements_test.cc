// The elements of arrays that views open: typed like records, and as strictly.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/engine/decoder_fixture.h"

namespace tillwatch::engine {
namespace {

// An array of fees, and one of plain texts.
class ElementsTest : public testing::Test {
 protected:
  ElementsTest() {
    rules::Stream stream;
    stream.name = "bill";
    stream.root = 0;
    add(stream.fields, "number", type(Kind::string));
    add(stream.fields, "posted_at", type(Kind::time));
    add(stream.fields, "amount", maybe(Kind::money), "amount_minor", "currency");
    stream.time_field = 1;
    const auto elements = [&](const char* name, const char* array) {
      rules::Stream view;
      view.name = name;
      view.origin = rules::Stream::Origin::elements;
      view.root = static_cast<int32_t>(schema_.streams.size());
      view.record = 0;
      view.record_fields = 3;
      view.array = array;
      for (size_t i = 0; i < view.record_fields; ++i) {
        const Field& of_record = schema_.streams[0].fields[i];
        add(view.fields, of_record.name, of_record.type, of_record.path, of_record.currency_path);
      }
      return view;
    };
    schema_.streams.push_back(std::move(stream));
    rules::Stream fee = elements("fee", "lines.fees");
    add(fee.fields, "kind", type(Kind::string), "fee_type");
    add(fee.fields, "charge", type(Kind::money), "minor");
    fee.fields.back().currency_of = "amount";
    add(fee.fields, "rate", maybe(Kind::decimal), "rate_bp");
    schema_.streams.push_back(std::move(fee));
    rules::Stream note = elements("note", "notes");
    add(note.fields, "note", type(Kind::string), ".");
    schema_.streams.push_back(std::move(note));
    decoder_.emplace(Decoder::for_stream(schema_, 0, {true, true, false}, {.max_elements = 3},
                                         {{1, {false, false, false, true, true, true}}, {2, {true, true, false, true}}}));
  }
  DecodeResult decode(std::string_view members) {
    record_.emplace(fmt::format(R"({{"number":"B1","posted_at":1795321805120{}{}}})", members.empty() ? "" : ",", members));
    arena_.reset();
    return decoder_->decode(record_->text(), kArrival, slots_, arena_);
  }
  std::string fault(std::string_view members) {
    const DecodeResult result = decode(members);
    return fmt::format("{} {}: {}", name(result.fault), result.field, result.detail);
  }

  rules::Schema schema_;
  std::vector<Value> slots_ = std::vector<Value>(3);
  std::optional<Padded> record_;
  Arena arena_;
  std::optional<Decoder> decoder_;
};

TEST_F(ElementsTest, EachHasItsOwnValuesAndTheCurrencyOfItsRecord) {
  ASSERT_TRUE(
      decode(
          R"("lines":{"fees":[{"fee_type":"DEPOSIT","minor":29900,"rate_bp":2.5,"other":[{}]},{"minor":-100,"fee_type":"A"}]},
                        "notes":["eins","zw\u0065i",")" +
          std::string(20, 'x') + R"("],"currency":"USD","amount_minor":1)")
          .ok());
  ASSERT_EQ(decoder_->elements(0), 2u);
  EXPECT_EQ(decoder_->element(0, 0)[0].text(), "DEPOSIT");
  EXPECT_TRUE(equal(decoder_->element(0, 0)[1], Value::of_money(29900, 840)));
  EXPECT_EQ(decoder_->element(0, 0)[2].i, 2'500'000'000);
  EXPECT_EQ(decoder_->element(0, 1)[0].text(), "A");
  EXPECT_TRUE(equal(decoder_->element(0, 1)[1], Value::of_money(-100, 840)));
  EXPECT_TRUE(decoder_->element(0, 1)[2].missing()) << "nothing of the element before";
  ASSERT_EQ(decoder_->elements(1), 3u);
  EXPECT_EQ(decoder_->element(1, 1)[0].text(), "zwei");
  EXPECT_EQ(slots_[0].text(), "B1");
}

TEST_F(ElementsTest, AnArrayThatIsNotThereHasNone) {
  ASSERT_TRUE(decode(R"("lines":{"fees":[{"fee_type":"A","minor":1}]},"notes":["x"])").ok());
  EXPECT_TRUE(equal(decoder_->element(0, 0)[1], Value::of_money(1, 156))) << "yuan when the record says nothing";
  for (const char* members : {"", R"("lines":{"fees":[]},"notes":null)", R"("lines":null)"}) {
    ASSERT_TRUE(decode(members).ok()) << members;
    EXPECT_EQ(decoder_->elements(0) + decoder_->elements(1), 0u) << members;
  }
}

TEST_F(ElementsTest, WhatIsWrongWithOneIsWrongWithTheRecord) {
  const std::string good = R"({"fee_type":"A","minor":1})";
  const auto fees = [&](const std::string& second) { return fault(R"("lines":{"fees":[)" + good + "," + second + "]}"); };
  EXPECT_EQ(fees(R"({"minor":1})"), "missing_field lines.fees[].kind: is missing, and the schema requires it (element 2)");
  EXPECT_EQ(fees(R"({"fee_type":"A","minor":"1"})"),
            "wrong_type lines.fees[].charge: is \"1\", a whole number of minor units is wanted (element 2)");
  EXPECT_EQ(fees(R"({"fee_type":"A","fee_type":"B","minor":1})"),
            "duplicate_key lines.fees[].kind: is there twice (element 2)");
  EXPECT_EQ(fees("7"), "wrong_type lines.fees: is 7, an object is wanted (element 2)");
  EXPECT_EQ(fees("[]"), "wrong_type lines.fees: is an array, an object is wanted (element 2)");
  EXPECT_EQ(fees("null"), "missing_field lines.fees[].kind: is missing, and the schema requires it (element 2)");
  EXPECT_EQ(fault(R"("lines":{"fees":{}})"), "wrong_type lines.fees: is an object, an array is wanted");
  EXPECT_EQ(fault(R"("notes":"x")"), "wrong_type notes: is \"x\", an array is wanted");
  EXPECT_EQ(fault(R"("notes":[1])"), "wrong_type notes[].note: is 1, a string is wanted (element 1)");
  EXPECT_EQ(fault(R"("notes":nul)"), "invalid_json notes: nul is no JSON value");
  EXPECT_TRUE(fault(R"("lines":{"fees":[{"fee_type":"A","minor":1]})").starts_with("invalid_json"));
}

TEST_F(ElementsTest, AreNoMoreThanTheLimit) {
  EXPECT_TRUE(decode(R"("notes":["1","2","3"])").ok());
  EXPECT_EQ(fault(R"("notes":["1","2","3","4"])"), "too_large notes: has more than 3 elements");
}

}  // namespace
}  // namespace tillwatch::engine
