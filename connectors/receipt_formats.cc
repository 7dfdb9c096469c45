#include "connectors/receipt_formats.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "connectors/generator_json.h"
#include "engine/base/hash.h"
#include "engine/base/time.h"

namespace tillwatch::connectors {
namespace {

constexpr size_t kMostReports = 1000;  // of one payload; vendors push 500 at most
constexpr size_t kMostBytes = 1 << 20;
constexpr size_t kLongestText = 256;
constexpr int64_t kMostParts = 255;

std::unexpected<Error> refuse(const std::string& reason) { return fail(ErrorKind::invalid, "receipt: " + reason); }

struct Report {
  std::string message_id;
  std::string code;  // the vendor's
  std::string text;
  std::string phone;  // whole; leaves this file as a token and masked
  TimeMs at = 0;
  std::optional<TimeMs> sent_at;
  int64_t part = 1, parts = 1;
  std::optional<bool> success;  // as the vendor says beside the code
};

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "2021-09-06 15:49:55", China's time.
Expected<TimeMs> full_time(std::string_view name, std::string_view text) {
  std::string rfc(text);
  if (rfc.size() == 19 && rfc[10] == ' ') rfc = rfc.replace(10, 1, "T") + "+08:00";
  const auto time = parse_rfc3339(rfc);
  if (!time) return refuse(fmt::format("`{}` is no time: write 2021-09-06 15:49:55 (China's), or one with an offset", name));
  return *time;
}

// YYMMDDhhmm, or YYMMDDhhmmss as some send it.
Expected<TimeMs> minute_time(std::string_view name, std::string_view text) {
  if ((text.size() == 10 || text.size() == 12) && all_digits(text)) {
    const std::string_view seconds = text.size() == 12 ? text.substr(10) : "00";
    const auto time = parse_rfc3339(fmt::format("20{}-{}-{}T{}:{}:{}+08:00", text.substr(0, 2), text.substr(2, 2),
                                                text.substr(4, 2), text.substr(6, 2), text.substr(8, 2), seconds));
    if (time) return *time;
  }
  return refuse(fmt::format("`{}` is no time: YYMMDDhhmm is wanted", name));
}

Status check_text(std::string_view name, std::string_view text, bool needed) {
  if (needed && text.empty()) return refuse(fmt::format("`{}` is missing", name));
  if (text.size() > kLongestText) return refuse(fmt::format("`{}` is longer than {} bytes", name, kLongestText));
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::any_of(text.begin(), text.end(), is_control)) return refuse(fmt::format("`{}` holds a control character", name));
  return {};
}

// Of formats that are no JSON: what is used of them is ASCII.
Status check_ascii(std::string_view name, std::string_view text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (!std::all_of(text.begin(), text.end(), is_ascii)) return refuse(fmt::format("`{}` holds bytes that are no ASCII", name));
  return check_text(name, text, true);
}

Expected<int64_t> part_number(std::string_view name, std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kMostParts)
    return refuse(fmt::format("`{}` is a number from 1 to {}", name, kMostParts));
  return value;
}

// The texts of one JSON object; numbers and booleans as they are written.
class Fields {
 public:
  explicit Fields(const rapidjson::Value& object) : object_(object) {}

  Expected<std::string> text(const char* name, bool needed) const {
    const auto found = object_.FindMember(name);
    std::string value;
    if (found != object_.MemberEnd() && !found->value.IsNull()) {
      if (found->value.IsString()) {
        value.assign(found->value.GetString(), found->value.GetStringLength());
      } else if (found->value.IsInt64()) {
        value = std::to_string(found->value.GetInt64());
      } else {
        return refuse(fmt::format("`{}` must be a text", name));
      }
    }
    if (const Status checked = check_text(name, value, needed); !checked) return std::unexpected(checked.error());
    return value;
  }

  Expected<bool> flag(const char* name) const {
    const auto found = object_.FindMember(name);
    if (found == object_.MemberEnd()) return refuse(fmt::format("`{}` is missing", name));
    if (found->value.IsBool()) return found->value.GetBool();
    return refuse(fmt::format("`{}` must be true or false", name));
  }

 private:
  const rapidjson::Value& object_;
};

// Moves a text into `into`, or gives back what was wrong.
#define TILLWATCH_TAKE(into, expression)                          \
  do {                                                            \
    auto taken = (expression);                                    \
    if (!taken) return std::unexpected(std::move(taken.error())); \
    (into) = std::move(*taken);                                   \
  } while (false)

Expected<Report> aliyun_report(const Fields& fields) {
  Report report;
  std::string at, sent;
  bool success = false;
  TILLWATCH_TAKE(report.message_id, fields.text("biz_id", true));
  TILLWATCH_TAKE(report.code, fields.text("err_code", true));
  TILLWATCH_TAKE(report.text, fields.text("err_msg", false));
  TILLWATCH_TAKE(report.phone, fields.text("phone_number", true));
  TILLWATCH_TAKE(success, fields.flag("success"));
  TILLWATCH_TAKE(at, fields.text("report_time", true));
  TILLWATCH_TAKE(report.at, full_time("report_time", at));
  TILLWATCH_TAKE(sent, fields.text("send_time", false));
  if (!sent.empty()) {
    TimeMs sent_at = 0;
    TILLWATCH_TAKE(sent_at, full_time("send_time", sent));
    report.sent_at = sent_at;
  }
  report.success = success;
  return report;
}

Expected<Report> tencent_report(const Fields& fields) {
  Report report;
  std::string at, status;
  TILLWATCH_TAKE(report.message_id, fields.text("sid", true));
  TILLWATCH_TAKE(report.code, fields.text("errmsg", true));
  TILLWATCH_TAKE(report.text, fields.text("description", false));
  TILLWATCH_TAKE(report.phone, fields.text("mobile", true));
  TILLWATCH_TAKE(status, fields.text("report_status", true));
  if (status != "SUCCESS" && status != "FAIL") return refuse("`report_status` is SUCCESS or FAIL");
  TILLWATCH_TAKE(at, fields.text("user_receive_time", true));
  TILLWATCH_TAKE(report.at, full_time("user_receive_time", at));
  report.success = status == "SUCCESS";
  return report;
}

// The fields of CMPP_DELIVER's status report, under their names in the protocol.
Expected<Report> cmpp_report(const Fields& fields) {
  Report report;
  std::string at, sent;
  TILLWATCH_TAKE(report.message_id, fields.text("Msg_Id", true));
  TILLWATCH_TAKE(report.code, fields.text("Stat", true));
  if (report.code.size() > 7) return refuse("`Stat` has 7 characters at most");
  TILLWATCH_TAKE(report.phone, fields.text("Dest_terminal_Id", true));
  TILLWATCH_TAKE(at, fields.text("Done_time", true));
  TILLWATCH_TAKE(report.at, minute_time("Done_time", at));
  TILLWATCH_TAKE(sent, fields.text("Submit_time", true));
  TimeMs sent_at = 0;
  TILLWATCH_TAKE(sent_at, minute_time("Submit_time", sent));
  report.sent_at = sent_at;
  return report;
}

Expected<std::map<std::string, std::string>> form_fields(std::string_view payload) {
  std::map<std::string, std::string> fields;
  while (!payload.empty()) {
    const std::string_view pair = payload.substr(0, payload.find('&'));
    payload.remove_prefix(std::min(payload.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return refuse("not a form: NAME=VALUE pairs with & between are wanted");
    std::string value;
    for (size_t at = equals + 1; at < pair.size(); ++at) {
      if (pair[at] != '%') {
        value += pair[at] == '+' ? ' ' : pair[at];
        continue;
      }
      unsigned byte = 0;
      const char* digits = pair.data() + at + 1;
      if (at + 2 >= pair.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
        return refuse("a % in a form is followed by two hexadecimal digits");
      value += static_cast<char>(byte);
      at += 2;
    }
    if (!fields.emplace(pair.substr(0, equals), std::move(value)).second)
      return refuse(fmt::format("`{}` is given twice", pair.substr(0, equals)));
  }
  return fields;
}

Expected<Report> huawei_report(std::string_view payload) {
  std::map<std::string, std::string> fields;
  TILLWATCH_TAKE(fields, form_fields(payload));
  for (const char* name : {"smsMsgId", "status", "updateTime", "to"}) {
    if (const Status checked = check_ascii(name, fields[name]); !checked) return std::unexpected(checked.error());
  }
  Report report;
  report.message_id = fields["smsMsgId"];
  report.code = fields["status"];
  report.phone = fields["to"];
  TILLWATCH_TAKE(report.at, full_time("updateTime", fields["updateTime"]));
  if (!fields["total"].empty()) TILLWATCH_TAKE(report.parts, part_number("total", fields["total"]));
  if (!fields["sequence"].empty()) TILLWATCH_TAKE(report.part, part_number("sequence", fields["sequence"]));
  if (report.part > report.parts) return refuse("`sequence` is above `total`");
  return report;
}

// One field of a delivery receipt's text: what stands behind "name:" up to the next blank.
std::string_view receipt_field(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  if (at == std::string_view::npos || (at > 0 && text[at - 1] != ' ')) return {};
  text.remove_prefix(at + name.size());
  return text.substr(0, text.find(' '));
}

Expected<Report> smpp_report(std::string_view payload) {
  Report report;
  report.message_id = receipt_field(payload, "id:");
  report.code = receipt_field(payload, "stat:");
  for (const auto& [name, value] : {std::pair("id", report.message_id), std::pair("stat", report.code)}) {
    if (const Status checked = check_ascii(name, value); !checked) return std::unexpected(checked.error());
  }
  if (receipt_status(report.code) == "unknown" && report.code != "UNKNOWN")
    return refuse(fmt::format("`stat:{}` is none of the states of SMPP", report.code));
  TILLWATCH_TAKE(report.at, minute_time("done date", receipt_field(payload, "done date:")));
  TimeMs sent_at = 0;
  TILLWATCH_TAKE(sent_at, minute_time("submit date", receipt_field(payload, "submit date:")));
  report.sent_at = sent_at;
  const std::string_view error = receipt_field(payload, "err:");
  if (error != "000" && error != "0" && !error.empty() && report.code != "DELIVRD" && !receipt_cause(error).empty())
    report.text = error;
  return report;
}

std::string masked_phone(std::string_view phone) {
  if (phone.starts_with("+86")) phone.remove_prefix(3);
  if (phone.starts_with("86") && phone.size() == 13) phone.remove_prefix(2);
  if (phone.size() != 11) return "";
  return fmt::format("{}****{}", phone.substr(0, 3), phone.substr(7));
}

Expected<std::string> written(const Report& report, std::string_view provider) {
  std::string_view status = receipt_status(report.code);
  // The vendor's own word counts where its code says nothing, and a contradiction is no report at all.
  if (report.success && status == "unknown") status = *report.success ? "delivered" : "undeliverable";
  if (report.success && *report.success != (status == "delivered") && status != "accepted")
    return refuse(fmt::format("the code `{}` and the vendor's success flag contradict each other", report.code));
  std::string_view cause = receipt_cause(report.code);
  if (cause.empty()) cause = receipt_cause(report.text);
  if (status == "delivered") cause = "none";
  std::string line;
  generation::JsonObject json(line);
  json.text("schema", "sms_receipt/1");
  const std::string identity =
      fmt::format("{}\n{}\n{}\n{}\n{}", provider, report.message_id, report.part, report.code, report.at);
  json.text("event_id", fmt::format("receipt-{:016x}", hash_bytes(identity)));
  json.text("message_id", report.message_id);
  json.number("part_seq", report.part);
  json.number("part_total", report.parts);
  json.text("provider", provider);
  json.text("status", status);
  json.text("status_code", report.code);
  if (!report.text.empty()) json.text("status_text", report.text);
  if (!cause.empty()) json.text("cause", cause);
  json.boolean("final", status != "accepted" && status != "unknown");
  if (report.sent_at) json.time("sent_at", *report.sent_at);
  if (status == "delivered") json.time("delivered_at", report.at);
  json.time("occurred_at", report.at);
  if (const std::string masked = masked_phone(report.phone); !masked.empty()) json.text("phone_masked", masked);
  json.finish();
  return line;
}

using ReadFields = Expected<Report> (*)(const Fields&);

Expected<std::vector<std::string>> read_json(std::string_view payload, std::string_view provider, ReadFields read) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(payload.data(), payload.size());
  if (document.HasParseError())
    return refuse(fmt::format("not JSON at byte {}: {}", document.GetErrorOffset(),
                              rapidjson::GetParseError_En(document.GetParseError())));
  std::vector<const rapidjson::Value*> objects;
  if (document.IsArray()) {
    if (document.Empty()) return refuse("an empty array reports nothing");
    if (document.Size() > kMostReports) return refuse(fmt::format("more than {} reports in one payload", kMostReports));
    for (const rapidjson::Value& each : document.GetArray()) objects.push_back(&each);
  } else {
    objects.push_back(&document);
  }
  std::vector<std::string> lines;
  for (const rapidjson::Value* object : objects) {
    if (!object->IsObject()) return refuse("a report is a JSON object, or an array of them");
    Report report;
    TILLWATCH_TAKE(report, read(Fields(*object)));
    TILLWATCH_TAKE(lines.emplace_back(), written(report, provider));
  }
  return lines;
}

Expected<std::vector<std::string>> one(Expected<Report> report, std::string_view provider) {
  if (!report) return std::unexpected(std::move(report.error()));
  std::vector<std::string> lines(1);
  TILLWATCH_TAKE(lines[0], written(*report, provider));
  return lines;
}

#undef TILLWATCH_TAKE

constexpr auto kNames = std::to_array<std::string_view>({"aliyun", "tencent", "huawei", "cmpp", "smpp"});

}  // namespace

Expected<ReceiptFormat> receipt_format(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<ReceiptFormat>(found - kNames.begin());
  return fail(ErrorKind::invalid,
              fmt::format("there is no receipt format '{}'; there are aliyun, tencent, huawei, cmpp and smpp", name));
}

Expected<std::vector<std::string>> read_receipts(ReceiptFormat format, std::string_view payload, std::string_view provider) {
  if (payload.size() > kMostBytes) return refuse(fmt::format("longer than {} bytes", kMostBytes));
  switch (format) {
    case ReceiptFormat::aliyun:
      return read_json(payload, provider, aliyun_report);
    case ReceiptFormat::tencent:
      return read_json(payload, provider, tencent_report);
    case ReceiptFormat::cmpp:
      return read_json(payload, provider, cmpp_report);
    case ReceiptFormat::huawei:
      return one(huawei_report(payload), provider);
    case ReceiptFormat::smpp:
      return one(smpp_report(payload), provider);
  }
  return refuse("no such format");
}

}  // namespace tillwatch::connectors
