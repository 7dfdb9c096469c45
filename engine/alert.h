// Alerts as the outside sees them: the JSON record of the alerts topic (schema alert/1) and the line in a terminal.
#pragma once

#include <string>

#include "connectors/sink.h"
#include "connectors/source.h"
#include "rules/runtime/machine.h"

namespace tillwatch::engine {

struct AlertRecord {
  std::string id;          // hex SHA-1 of rule, key and anchor: the same for ever
  std::string rule;
  std::string status;      // firing, updated, resolved, expired
  std::string severity;
  std::string resolution;  // why it ended; "corrected": what it was based on came out otherwise
  std::string title_en, title_zh, message_en, message_zh;
  TimeMs raised_at = 0, changed_at = 0, ended_at = 0;
  std::vector<std::pair<std::string, std::string>> key;     // field, value as JSON
  std::vector<std::pair<std::string, std::string>> labels;
  uint32_t seq = 0, hits = 0;
  TimeMs arrived_at = 0;   // of the record that decided last; 0: time alone did
  int64_t money_minor = 0; // at risk while it is open
  int64_t involved_minor = 0;  // money of its last hit, open or not
  std::string merchant;    // its trigger's merchant_id, where the rule keeps that
  uint16_t currency = 0;   // ISO 4217 number of it
  bool first = false;      // not published before
  bool shadow = false;     // of a rule in shadow: kept, not sent
  uint16_t shard = 0;      // that said it; in mode group
  std::string json;        // the record's value
};

// `partitions`: the source's inputs, to name the evidence.
AlertRecord describe(const rules::AlertChange& change, const rules::Schema& schema,
                     const std::vector<connectors::Partition>& partitions);

std::string_view name(rules::Severity severity);

// A key's fields as the rule names them, each with its value as JSON; money becomes two, NAME_minor and currency.
std::vector<std::pair<std::string, std::string>> key_fields(const rules::CompiledRule& rule, std::string_view key,
                                                            const rules::Schema& schema);

// A feed that went dark, or came back. `since` names the alert.
AlertRecord describe_dark_feed(const std::string& stream, TimeMs since, TimeMs at, uint64_t waiting, int64_t money_minor, bool dark,
                               bool first, uint32_t seq, const std::string& resolution);

// Changed rules that were refused, and that this is over. `since`, when it was first so, names the alert.
AlertRecord describe_refused_rules(TimeMs since, TimeMs at, const std::string& reason, bool standing, bool first, uint32_t seq);

}  // namespace tillwatch::engine
