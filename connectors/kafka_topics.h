// Internal topics: made with the settings exactly-once needs, or refused where they exist without them; and trimmed. Internal
// to the Kafka connector.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "connectors/kafka_client.h"
#include "connectors/source.h"

namespace tillwatch::connectors::kafka {

struct InternalTopic {
  std::string name;
  int32_t partitions = 1;
  int replication = -1;
  std::map<std::string, std::string> required;   // created so, and refused when it exists otherwise
  std::map<std::string, std::string> suggested;  // created so
};

// Errors: invalid (another number of partitions, another setting, not allowed), unavailable.
Status ensure_topic(Client& client, const InternalTopic& topic, const Deadline& deadline);

// Forgets the records before these positions.
Status delete_records(Client& client, const std::vector<Position>& positions, const Deadline& deadline);

}  // namespace tillwatch::connectors::kafka
