#include "engine/ledger.h"

#include <algorithm>
#include <numeric>

#include "rules/runtime/bytes.h"

namespace tillwatch::engine {
namespace {

// In the highest byte of the first word, whose rest counts the reasons of dead letters. 0 had no unknown values, 1
// no failed copies.
constexpr uint32_t kVersion = 2;
constexpr int kVersionShift = 24;

}  // namespace

uint64_t PartitionLedger::dead_lettered() const { return std::accumulate(dead.begin(), dead.end(), uint64_t{0}); }

void RouteLedger::count(rules::Fed fed) {
  switch (fed) {
    case rules::Fed::used:
      ++used;
      break;
    case rules::Fed::repeated:
      ++repeated;
      break;
    case rules::Fed::late:
      ++late;
      break;
    case rules::Fed::failed:
      ++failed;
      break;
  }
}

bool Ledger::balanced() const {
  return std::all_of(partitions.begin(), partitions.end(), [](const auto& each) { return each.second.balanced(); }) &&
         std::all_of(routes.begin(), routes.end(), [](const auto& each) { return each.second.balanced(); });
}

std::string Ledger::encode() const {
  std::string bytes;
  rules::ByteWriter out(bytes);
  out.fixed(kVersion << kVersionShift | static_cast<uint32_t>(kDecodeFaults));
  out.fixed(static_cast<uint32_t>(partitions.size()));
  for (const auto& [name, each] : partitions) {
    out.text(name);
    out.fixed(each.read);
    out.fixed(each.unwanted);
    out.fixed(each.taken);
    out.fixed(each.late);
    out.fixed(each.unknown_values);
    for (uint64_t count : each.dead) out.fixed(count);
  }
  out.fixed(static_cast<uint32_t>(routes.size()));
  for (const auto& [name, each] : routes) {
    out.text(name);
    out.fixed(each.copies);
    out.fixed(each.used);
    out.fixed(each.repeated);
    out.fixed(each.late);
    out.fixed(each.failed);
  }
  return bytes;
}

Status Ledger::decode(std::string_view bytes) {
  rules::ByteReader in(bytes);
  const auto head = in.fixed<uint32_t>();
  const uint32_t version = head >> kVersionShift, faults = head & ((1U << kVersionShift) - 1);
  if (version > kVersion || faults > 64) return fail(ErrorKind::corrupt, "store: the ledger is damaged");
  for (uint32_t i = 0, n = in.count(36); i < n; ++i) {
    PartitionLedger& each = partitions[std::string(in.text())];
    each.read = in.fixed<uint64_t>();
    each.unwanted = in.fixed<uint64_t>();
    each.taken = in.fixed<uint64_t>();
    each.late = in.fixed<uint64_t>();
    if (version >= 1) each.unknown_values = in.fixed<uint64_t>();
    for (uint32_t fault = 0; fault < faults; ++fault) {
      const auto count = in.fixed<uint64_t>();
      if (fault < each.dead.size()) each.dead[fault] = count;
    }
  }
  for (uint32_t i = 0, n = in.count(36); i < n; ++i) {
    RouteLedger& each = routes[std::string(in.text())];
    each.copies = in.fixed<uint64_t>();
    each.used = in.fixed<uint64_t>();
    each.repeated = in.fixed<uint64_t>();
    each.late = in.fixed<uint64_t>();
    if (version >= 2) each.failed = in.fixed<uint64_t>();
  }
  if (!in.ok() || !in.done()) return fail(ErrorKind::corrupt, "store: the ledger is damaged");
  return {};
}

}  // namespace tillwatch::engine
