// Delivery reports of SMS gateways as their vendors send them, made into the records that the stream `receipt` reads
// (schema sms_receipt/1): one a message part, times with an offset, status and cause in one set of words for all vendors.
//
// Times without a zone are China's. Reports of CMPP and SMPP are exact to the minute: their time is the minute's beginning. A
// report that cannot be read whole is refused with a reason; none of it is used, so that nothing half known is counted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"

namespace tillwatch::connectors {

enum class ReceiptFormat : uint8_t {
  aliyun,   // Alibaba Cloud SmsReport: a JSON array of reports, or one
  tencent,  // Tencent Cloud status call-back: a JSON array, or one
  huawei,   // Huawei Cloud status report: application/x-www-form-urlencoded
  cmpp,     // the status report of CMPP_DELIVER, its fields as one JSON object (see the page on formats)
  smpp,     // the text of an SMPP delivery receipt: "id:… sub:001 dlvrd:001 submit date:… done date:… stat:DELIVRD err:000"
};
// By name: "aliyun", "tencent", "huawei", "cmpp", "smpp".
Expected<ReceiptFormat> receipt_format(std::string_view name);

// The records of one payload, each one JSON object on one line. `provider` is written into them: who the gateway is. `event_id`
// is made of what identifies a report, so that a report pushed again is recognised as a repeat.
Expected<std::vector<std::string>> read_receipts(ReceiptFormat format, std::string_view payload, std::string_view provider);

// A vendor's code in our words: why a message was not delivered ("recipient_off"), "none" for delivered, "" when the code says
// nothing.
std::string_view receipt_cause(std::string_view code);
// "delivered", "expired", "undeliverable", "rejected", "deleted", "accepted" (not final) or "unknown".
std::string_view receipt_status(std::string_view code);

}  // namespace tillwatch::connectors
