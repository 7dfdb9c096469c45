#include "engine/replay_source.h"

namespace tillwatch::engine {

Expected<ReplaySource> ReplaySource::open(const std::vector<connectors::FileInput>& files) {
  ReplaySource result;
  std::vector<connectors::FileInput> plain;
  for (const connectors::FileInput& file : files) {
    if (!connectors::is_compressed(file.path)) {
      plain.push_back(file);
      continue;
    }
    auto unpacked = connectors::CompressedFile::open(file.path);
    if (!unpacked) return std::unexpected(unpacked.error());
    plain.push_back({file.topic, (*unpacked)->stream_path()});
    result.unpacked_.push_back(std::move(*unpacked));
  }
  auto source = connectors::open_file_source(plain, {});
  if (!source) return std::unexpected(source.error());
  result.source_ = std::move(*source);
  return result;
}

Status ReplaySource::ended() const {
  for (const auto& each : unpacked_) {
    if (const Status whole = each->ended(); !whole) return whole;
  }
  return {};
}

}  // namespace tillwatch::engine
