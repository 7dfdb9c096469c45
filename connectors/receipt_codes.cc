// What the codes of gateways and carriers mean. From the vendors' public tables; a code that is not here is unknown, and said
// so.
#include <algorithm>
#include <array>

#include "connectors/receipt_formats.h"

namespace tillwatch::connectors {
namespace {

struct CodeRow {
  std::string_view code;  // with '*' at its end: all that begin so
  std::string_view meaning;
};

// The first row that fits counts.
constexpr auto kStatuses = std::to_array<CodeRow>({
    {"DELIVRD", "delivered"},  {"DELIVERED", "delivered"}, {"SUCCESS", "delivered"},      {"0", "delivered"},
    {"000", "delivered"},      {"EXPIRED", "expired"},     {"MK:0010", "expired"},        {"UNDELIV", "undeliverable"},
    {"REJECTD", "rejected"},   {"REJECT", "rejected"},     {"MA:*", "rejected"},          {"DB:*", "rejected"},
    {"ID:*", "rejected"},      {"XA:*", "rejected"},       {"KEYWORD", "rejected"},       {"BLACK*", "rejected"},
    {"SIGN*", "rejected"},     {"isv.*", "rejected"},      {"isp.*", "rejected"},         {"BEYOND*", "rejected"},
    {"DELETED", "deleted"},    {"ACCEPTD", "accepted"},    {"ACCEPTED", "accepted"},      {"MK:*", "undeliverable"},
    {"MI:*", "undeliverable"}, {"MN:*", "undeliverable"},  {"LT:*", "undeliverable"},     {"CB:*", "undeliverable"},
    {"CA:*", "undeliverable"}, {"IB:*", "undeliverable"},  {"PHONEERR", "undeliverable"},
});

constexpr auto kCauses = std::to_array<CodeRow>({
    {"DELIVRD", "none"},
    {"DELIVERED", "none"},
    {"SUCCESS", "none"},
    {"0", "none"},
    {"000", "none"},
    {"MK:0010", "recipient_off"},
    {"MK:0023", "recipient_off"},
    {"MI:0024", "recipient_off"},
    {"MI:0042", "recipient_off"},
    {"MI:0076", "recipient_off"},
    {"002", "recipient_off"},
    {"MK:0005", "recipient_suspended"},
    {"MK:0013", "recipient_suspended"},
    {"MI:0019", "recipient_suspended"},
    {"MI:0051", "recipient_suspended"},
    {"DB:0102", "recipient_suspended"},
    {"MK:0001", "invalid_number"},
    {"MI:0210", "invalid_number"},
    {"MI:0073", "invalid_number"},
    {"CB:0053", "invalid_number"},
    {"DB:0101", "invalid_number"},
    {"PHONEERR", "invalid_number"},
    {"1016", "invalid_number"},
    {"DB:0144", "blacklist_or_optout"},
    {"BLACK*", "blacklist_or_optout"},
    {"PUBLOKD", "blacklist_or_optout"},
    {"BLOCKED", "blacklist_or_optout"},
    {"1015", "blacklist_or_optout"},
    {"-8412", "blacklist_or_optout"},
    {"KEYWORD", "content_blocked"},
    {"ID:0076", "content_blocked"},
    {"MK:0014", "content_blocked"},
    {"MK:0115", "content_blocked"},
    {"MA:0002", "content_blocked"},
    {"isv.SMS_CONTENT_ILLEGAL", "content_blocked"},
    {"1002", "content_blocked"},
    {"XA:0003", "signature_or_template"},
    {"SIGNBLOCKED", "signature_or_template"},
    {"SIGFAIL", "signature_or_template"},
    {"isv.SMS_SIGN_ILLEGAL", "signature_or_template"},
    {"1012", "signature_or_template"},
    {"1014", "signature_or_template"},
    {"BEYOND*", "rate_limited"},
    {"isv.BUSINESS_LIMIT_CONTROL", "rate_limited"},
    {"DB:0142", "rate_limited"},
    {"MA:0022", "rate_limited"},
    {"1013", "rate_limited"},
    {"1022", "rate_limited"},
    {"1023", "rate_limited"},
    {"1024", "rate_limited"},
    {"1025", "rate_limited"},
    {"1026", "rate_limited"},
    {"IB:0008", "congestion"},
    {"MI:0018", "congestion"},
    {"MI:0061", "congestion"},
    {"MI:0062", "congestion"},
    {"CMPPERR:8", "congestion"},
    {"1008", "congestion"},
    {"60008", "congestion"},
    {"isv.OUT_OF_SERVICE", "account_out_of_funds"},
    {"isv.AMOUNT_NOT_ENOUGH", "account_out_of_funds"},
    {"1031", "account_out_of_funds"},
    {"1033", "account_out_of_funds"},
    {"1001", "auth"},
    {"1009", "auth"},
    {"1021", "auth"},
    {"isp.RAM_PERMISSION_DENY", "auth"},
    {"isv.DENY_IP_RANGE", "auth"},
    {"CA:*", "carrier_internal"},
    {"MI:0021", "carrier_internal"},
    {"MI:0023", "carrier_internal"},
    {"MA:0051", "carrier_internal"},
    {"MA:0054", "carrier_internal"},
});

template <size_t kRows>
std::string_view meaning(const std::array<CodeRow, kRows>& rows, std::string_view code) {
  const auto fits = [code](const CodeRow& row) {
    return row.code.ends_with('*') ? code.starts_with(row.code.substr(0, row.code.size() - 1)) : code == row.code;
  };
  const auto found = std::find_if(rows.begin(), rows.end(), fits);
  return found == rows.end() ? std::string_view() : found->meaning;
}

}  // namespace

std::string_view receipt_cause(std::string_view code) { return meaning(kCauses, code); }

std::string_view receipt_status(std::string_view code) {
  const std::string_view found = meaning(kStatuses, code);
  return found.empty() ? "unknown" : found;
}

}  // namespace tillwatch::connectors
