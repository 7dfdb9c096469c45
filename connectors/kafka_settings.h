// What both Kafka clients are set to. Internal to the Kafka connector.
#pragma once

#include <librdkafka/rdkafka.h>

#include "connectors/kafka_client.h"
#include "connectors/kafka_connection.h"
#include "engine/base/status.h"

namespace tillwatch::connectors::kafka {

// Refuses what cannot work before anything is opened. Error: invalid.
Status check_options(const KafkaOptions& options);

// Our settings of that side, then the overrides. Error: invalid, with the property's name.
Status apply_settings(rd_kafka_conf_t* conf, Client::Kind kind, const KafkaOptions& options);

}  // namespace tillwatch::connectors::kafka
