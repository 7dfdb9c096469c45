#include "connectors/kafka_connection.h"

#include <utility>

#include "connectors/kafka_settings.h"
#include "connectors/kafka_sink.h"
#include "connectors/kafka_source.h"

namespace tillwatch::connectors {
namespace {

class OpenLink final : public KafkaLink {
 public:
  OpenLink(const KafkaOptions& options, std::unique_ptr<kafka::KafkaSource> source)
      : source_(std::move(source)), sink_(options, *source_) {}
  Source& source() override { return *source_; }
  Sink& sink() override { return sink_; }

 private:
  std::unique_ptr<kafka::KafkaSource> source_;
  kafka::KafkaSink sink_;
};

}  // namespace

Expected<std::unique_ptr<KafkaLink>> open_kafka(const KafkaOptions& options) {
  if (Status status = kafka::check_options(options); !status) return std::unexpected(status.error());
  auto source = kafka::KafkaSource::open(options);
  if (!source) return std::unexpected(source.error());
  return std::make_unique<OpenLink>(options, std::move(*source));
}

}  // namespace tillwatch::connectors
