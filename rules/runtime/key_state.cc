#include "rules/runtime/key_state.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "rules/runtime/bytes.h"

namespace tillwatch::rules {
namespace {

constexpr uint8_t kRecordVersion = 4;
constexpr size_t kLeastOrder = 3, kLeastInstance = 16, kLeastEntry = 8, kLeastPublished = 23;  // bytes

// Times, ids and rows as they are in one key: near each other, and often the same. Appends to `out`, which is whole when the
// writer is gone.
class StateWriter {
 public:
  StateWriter(std::string& out, TimeMs base) : out_(out), base_(base) {
    at_ = end_ = out_.data() + out_.size();
    room(kLeastRoom);
  }
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;
  ~StateWriter() { out_.resize(static_cast<size_t>(at_ - out_.data())); }

  template <class T>
  void fixed(T value) {
    bytes(&value, sizeof(T));
  }
  void number(uint64_t value) {
    room(kLongestNumber);
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<char>(value | 0x80);
    *at_++ = static_cast<char>(value);
  }
  void text(std::string_view text) {
    number(text.size());
    bytes(text.data(), text.size());
  }

  void time(TimeMs time) {
    const TimeMs off = static_cast<TimeMs>(static_cast<uint64_t>(time) - static_cast<uint64_t>(base_));
    if (time == 0) {
      number(kZero);
    } else if (time == kBeforeAllTime) {
      number(kBefore);
    } else if (off > kFar || off < -kFar) {
      number(kWhole);
      fixed(time);
    } else {
      number(kNear + zigzag(off));
    }
  }
  void id(uint64_t id) {  // near the one before: the same, or a step further
    const auto off = static_cast<int64_t>(id - last_id_);
    const bool near = off >= -30 && off <= 30;
    fixed(static_cast<uint8_t>(near ? off + 31 : 0));
    if (!near) fixed(id);
    last_id_ = id;
  }
  void order(const Order& order) {
    time(order.at);
    fixed(order.rank);
    id(order.id);
  }
  void origin(const Origin& origin) {
    number(origin.input);
    number(zigzag(origin.offset));
  }

  enum Code : uint64_t { kZero, kBefore, kWhole, kNear };
  static constexpr TimeMs kFar = TimeMs{1} << 60;
  static uint64_t zigzag(int64_t value) { return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63); }

 private:
  static constexpr size_t kLongestNumber = 10, kLeastRoom = 256;

  void bytes(const void* from, size_t size) {
    room(size);
    if (size > 0) std::memcpy(at_, from, size);
    at_ += size;
  }
  void room(size_t size) {
    if (static_cast<size_t>(end_ - at_) < size) grow(size);
  }
  void grow(size_t size) {
    const auto used = static_cast<size_t>(at_ - out_.data());
    const size_t wanted = std::max({used + std::max(size, kLeastRoom), 2 * used, out_.capacity()});
    out_.resize_and_overwrite(wanted, [](char*, size_t all) { return all; });
    at_ = out_.data() + used;
    end_ = out_.data() + wanted;
  }

  std::string& out_;
  const TimeMs base_;
  char *at_ = nullptr, *end_ = nullptr;  // in out_
  uint64_t last_id_ = 0;
};

class StateReader {
 public:
  StateReader(ByteReader& in, TimeMs base) : in_(in), base_(base) {}
  template <class T>
  T fixed() {
    return in_.fixed<T>();
  }
  uint64_t number() { return in_.varint(); }
  std::string_view text() { return in_.short_text(); }
  size_t count(size_t least) { return in_.short_count(least); }

  TimeMs time() {
    const uint64_t code = in_.varint();
    switch (code) {
      case StateWriter::kZero:
        return 0;
      case StateWriter::kBefore:
        return kBeforeAllTime;
      case StateWriter::kWhole:
        return in_.fixed<TimeMs>();
      default:
        return static_cast<TimeMs>(static_cast<uint64_t>(base_) + static_cast<uint64_t>(signed_of(code - StateWriter::kNear)));
    }
  }
  uint64_t id() {
    const auto near = in_.fixed<uint8_t>();
    last_id_ = near == 0 ? in_.fixed<uint64_t>() : last_id_ + near - 31;
    return last_id_;
  }
  Order order() {
    Order order;
    order.at = time();
    order.rank = in_.fixed<uint8_t>();
    order.id = id();
    return order;
  }
  Origin origin() {
    Origin origin;
    origin.input = static_cast<uint32_t>(in_.varint());
    origin.offset = signed_of(in_.varint());
    return origin;
  }

 private:
  static int64_t signed_of(uint64_t zigzag) { return static_cast<int64_t>(zigzag >> 1) ^ -static_cast<int64_t>(zigzag & 1); }

  ByteReader& in_;
  const TimeMs base_;
  uint64_t last_id_ = 0;
};

void write(StateWriter& out, const Entry& entry) {
  out.time(entry.time);
  out.fixed(static_cast<uint8_t>(entry.accepted | (entry.late() << 1)));
  if (entry.late()) out.time(entry.known_at);
  out.id(entry.id);
  out.origin(entry.origin);
  out.time(entry.arrived_at);
  out.fixed(entry.input);
  out.text(entry.row);
}

Entry read_entry(StateReader& in) {
  Entry entry;
  entry.time = entry.known_at = in.time();
  const auto flags = in.fixed<uint8_t>();
  entry.accepted = (flags & 1) != 0;
  if ((flags & 2) != 0) entry.known_at = in.time();
  entry.id = in.id();
  entry.origin = in.origin();
  entry.arrived_at = in.time();
  entry.input = in.fixed<uint8_t>();
  entry.row = in.text();
  return entry;
}

// The first of the `count` entries that a page, or none, has: near the end, where the new ones are.
template <class Log>
auto first_of(Log& log, uint32_t page, size_t count) {
  auto first = log.end();
  while (count > 0) count -= (--first)->page == page;
  return first;
}

// A row is that of an inline event more often than not: 0 none, 1 its own bytes, n + 2 those of event n.
using Inline = absl::InlinedVector<const Entry*, 16>;

Inline entries_of(const EntryLog& log, uint32_t page, size_t count) {
  Inline entries;
  for (auto each = first_of(log, page, count); entries.size() < count; ++each) {
    if (each->page == page) entries.push_back(&*each);
  }
  return entries;
}

void write_row(StateWriter& out, const std::shared_ptr<const std::string>& row, const Inline& entries) {
  if (row == nullptr) {
    out.number(0);
    return;
  }
  for (size_t i = entries.size(); i-- > 0;) {
    if (entries[i]->row != *row) continue;
    out.number(i + 2);
    return;
  }
  out.number(1);
  out.text(*row);
}

std::shared_ptr<const std::string> read_row(StateReader& in, const EntryLog& entries, bool& ok) {
  const uint64_t which = in.number();
  if (which == 0) return nullptr;
  if (which == 1) return std::make_shared<const std::string>(in.text());
  if (which - 2 < entries.size()) return std::make_shared<const std::string>(entries[which - 2].row);
  ok = false;
  return nullptr;
}

void write(StateWriter& out, const Instance& instance, const Inline& entries) {
  out.id(instance.anchor);
  out.time(instance.anchor_time);
  out.fixed(static_cast<uint8_t>(static_cast<uint8_t>(instance.phase) | (instance.fired << 4) | (instance.expired << 5) |
                                 (instance.crosses() << 6)));
  out.fixed(instance.step);
  out.fixed(instance.severity);
  out.time(instance.from);
  out.time(instance.to);
  out.order(instance.due);
  out.order(instance.entered);
  out.time(instance.raised_at);
  out.time(instance.updated_at);
  out.time(instance.ended_at);
  out.id(instance.hit);
  out.time(instance.hit_time);
  out.number(instance.hits);
  write_row(out, instance.row, entries);
  out.number(instance.bound.size());
  for (const auto& row : instance.bound) write_row(out, row, entries);
  if (instance.crosses()) {
    out.time(instance.asked_for);
    out.fixed(static_cast<uint8_t>(instance.asked | (instance.row_told << 1)));
    out.order(instance.row_due);
    out.time(instance.row_from);
    write_row(out, instance.table_row, entries);
    out.number(instance.folds);
    out.fixed(instance.folds_minor);
  }
  out.number(instance.holds.size());
  for (TimeMs since : instance.holds) out.time(since);
  out.number(instance.reads.size());
  for (const TableRead& read : instance.reads) {
    out.number(static_cast<uint32_t>(read.table));
    out.text(read.key);
  }
  out.text(instance.reason);
  out.text(instance.message_en);
  out.text(instance.message_zh);
  out.number(instance.labels.size());
  for (const std::string& label : instance.labels) out.text(label);
  out.number(instance.evidence.size());
  for (const Instance::Evidence& each : instance.evidence) {
    out.origin(each.origin);
    out.text(each.event_id);
  }
  out.time(instance.arrived_at);
  out.number(instance.checked);
}

std::shared_ptr<const Instance> read_instance(StateReader& in, const EntryLog& entries, bool& ok) {
  auto instance = std::make_shared<Instance>();
  instance->anchor = in.id();
  instance->anchor_time = in.time();
  const auto flags = in.fixed<uint8_t>();
  instance->phase = static_cast<Instance::Phase>(flags & 7);
  instance->fired = (flags & 16) != 0;
  instance->expired = (flags & 32) != 0;
  instance->step = in.fixed<uint8_t>();
  instance->severity = in.fixed<Severity>();
  instance->from = in.time();
  instance->to = in.time();
  instance->due = in.order();
  instance->entered = in.order();
  instance->raised_at = in.time();
  instance->updated_at = in.time();
  instance->ended_at = in.time();
  instance->hit = in.id();
  instance->hit_time = in.time();
  instance->hits = static_cast<uint32_t>(in.number());
  instance->row = read_row(in, entries, ok);
  instance->bound.resize(in.count(1));
  for (auto& row : instance->bound) row = read_row(in, entries, ok);
  if ((flags & 64) != 0) {
    instance->asked_for = in.time();
    const auto told = in.fixed<uint8_t>();
    instance->asked = (told & 1) != 0;
    instance->row_told = told >> 1;
    instance->row_due = in.order();
    instance->row_from = in.time();
    instance->table_row = read_row(in, entries, ok);
    instance->folds = static_cast<uint32_t>(in.number());
    instance->folds_minor = in.fixed<int64_t>();
  }
  instance->holds.resize(in.count(1));
  for (TimeMs& since : instance->holds) since = in.time();
  instance->reads.resize(in.count(2));
  for (TableRead& read : instance->reads) {
    read.table = static_cast<int32_t>(in.number());
    read.key = in.text();
  }
  instance->reason = in.text();
  instance->message_en = in.text();
  instance->message_zh = in.text();
  instance->labels.resize(in.count(1));
  for (std::string& label : instance->labels) label = in.text();
  instance->evidence.resize(in.count(3));
  for (Instance::Evidence& each : instance->evidence) {
    each.origin = in.origin();
    each.event_id = in.text();
  }
  instance->arrived_at = in.time();
  instance->checked = in.number();
  return instance;
}

// An instance that several states share is written once; states name it by its place.
using Instances = absl::InlinedVector<const Instance*, 16>;

Instances distinct_instances(const std::vector<KeyState::Checkpoint>& history) {
  Instances found;
  for (const KeyState::Checkpoint& checkpoint : history) {
    if (!checkpoint.state) continue;
    for (const auto& instance : checkpoint.state->instances) {
      if (std::find(found.rbegin(), found.rend(), instance.get()) == found.rend()) found.push_back(instance.get());
    }
  }
  return found;
}

void write_history(StateWriter& out, const std::vector<KeyState::Checkpoint>& history, const Inline& entries) {
  const Instances instances = distinct_instances(history);
  out.number(instances.size());
  for (const Instance* instance : instances) write(out, *instance, entries);
  out.number(history.size());
  for (const KeyState::Checkpoint& checkpoint : history) {
    out.order(checkpoint.after);
    out.fixed(static_cast<uint8_t>(checkpoint.state != nullptr));
    if (!checkpoint.state) continue;
    out.number(checkpoint.state->instances.size());
    for (const auto& instance : checkpoint.state->instances) {
      out.number(static_cast<uint64_t>(std::find(instances.begin(), instances.end(), instance.get()) - instances.begin()));
    }
    out.number(checkpoint.state->taken.size());
    for (uint64_t id : checkpoint.state->taken) out.fixed(id);
  }
}

bool read_history(StateReader& in, std::vector<KeyState::Checkpoint>& history, const EntryLog& entries) {
  bool ok = true;
  std::vector<std::shared_ptr<const Instance>> instances(in.count(kLeastInstance));
  for (auto& instance : instances) instance = read_instance(in, entries, ok);
  history.resize(in.count(kLeastOrder + 1));
  for (KeyState::Checkpoint& checkpoint : history) {
    checkpoint.after = in.order();
    if (in.fixed<uint8_t>() == 0) continue;
    auto state = std::make_shared<FoldState>();
    state->instances.resize(in.count(1));
    for (auto& instance : state->instances) {
      const uint64_t which = in.number();
      ok = ok && which < instances.size();
      if (!ok) return false;
      instance = instances[which];
    }
    state->taken.resize(in.count(sizeof(uint64_t)));
    for (uint64_t& id : state->taken) id = in.fixed<uint64_t>();
    checkpoint.state = std::move(state);
  }
  return ok;
}

void write_published(StateWriter& out, const std::vector<Published>& published) {
  out.number(published.size());
  for (const Published& each : published) {
    out.id(each.anchor);
    out.fixed(each.digest);
    out.number(each.seq);
    out.fixed(static_cast<uint8_t>(each.standing | (each.open << 1)));
    out.fixed(each.severity);
    out.time(each.raised_at);
    out.fixed(each.money_minor);
    out.fixed(each.currency);
  }
}

void read_published(StateReader& in, std::vector<Published>& published) {
  published.resize(in.count(kLeastPublished));
  for (Published& each : published) {
    each.anchor = in.id();
    each.digest = in.fixed<uint64_t>();
    each.seq = static_cast<uint32_t>(in.number());
    const auto flags = in.fixed<uint8_t>();
    each.standing = (flags & 1) != 0;
    each.open = (flags & 2) != 0;
    each.severity = in.fixed<Severity>();
    each.raised_at = in.time();
    each.money_minor = in.fixed<int64_t>();
    each.currency = in.fixed<uint16_t>();
  }
}

constexpr uint8_t kPageVersion = 2;

}  // namespace

size_t KeyState::bytes() const {
  size_t total = sizeof(KeyState) + log.bytes() + history.capacity() * sizeof(Checkpoint) +
                 published.capacity() * sizeof(Published) + blocked.capacity() * sizeof(Blocked);
  if (ids) total += ids->capacity() * 9;
  if (windows) total += windows->bytes();
  for (const Checkpoint& checkpoint : history) {
    if (!checkpoint.state) continue;
    for (const auto& instance : checkpoint.state->instances) {
      total += sizeof(Instance) + (instance->row ? instance->row->size() : 0) + instance->message_en.size() +
               instance->message_zh.size();
    }
  }
  return total;
}

KeyState KeyState::copy() const {
  KeyState copy;
  copy.log = log;
  copy.history = history;
  copy.folded = folded;
  copy.floor = floor;
  copy.forgotten = forgotten;
  copy.blocked = blocked;
  copy.clock_numbers = clock_numbers;
  copy.published = published;
  if (ids) copy.ids = std::make_unique<absl::flat_hash_set<uint64_t>>(*ids);
  copy.next_page = next_page;
  copy.changed_pages = changed_pages;
  copy.thinned_pages = thinned_pages;
  return copy;
}

void KeyState::reset() {
  log.clear();
  history.clear();
  folded = floor = {};
  forgotten = kBeforeAllTime;
  blocked.clear();
  clock_numbers = 0;
  published.clear();
  ids.reset();
  windows.reset();
  looked_at = forget_at = kBeforeAllTime;
  next_page = 0;
  changed_pages.clear();
  thinned_pages.clear();
}

bool KeyState::has_event(uint64_t id) const {
  if (ids) return ids->contains(id);
  return std::any_of(log.begin(), log.end(), [id](const Entry& entry) { return entry.id == id; });
}

void KeyState::index_ids() {
  ids = std::make_unique<absl::flat_hash_set<uint64_t>>();
  for (const Entry& each : log) ids->insert(each.id);
}

void KeyState::seal() {
  size_t to_seal = log.without_page() / kEntriesPerPage * kEntriesPerPage;
  if (to_seal == 0) return;
  uint32_t held = kEntriesPerPage;
  size_t left = log.without_page();
  for (auto first = first_of(log, Entry::kInline, left); to_seal > 0; ++first) {
    if (first->page != Entry::kInline) continue;
    if (held == kEntriesPerPage) {
      changed_pages.push_back(next_page++);
      held = 0;
    }
    log.set_page(*first, next_page - 1);
    ++held;
    --to_seal;
  }
}

void KeyState::pack(std::string& bytes) const {
  const TimeMs base = log.empty() ? folded.at : log.front().time;
  ByteWriter plain(bytes);
  plain.fixed(kRecordVersion);
  plain.fixed(base);
  StateWriter out(bytes, base);
  out.order(folded);
  out.order(floor);
  out.time(forgotten);
  out.number(next_page);
  const Inline entries = entries_of(log, Entry::kInline, log.without_page());
  out.number(entries.size());
  for (const Entry* entry : entries) write(out, *entry);
  write_history(out, history, entries);
  out.number(blocked.size());
  if (!blocked.empty()) out.fixed(clock_numbers);
  for (const Blocked& each : blocked) {
    out.order(each.order);
    out.fixed(each.clock);
    out.time(each.needed);
  }
  write_published(out, published);
}

Status KeyState::unpack(std::string_view bytes) {
  ByteReader plain(bytes);
  const auto version = plain.fixed<uint8_t>();
  if (plain.ok() && version != kRecordVersion) {
    return fail(ErrorKind::corrupt, "store: a key was written in format " + std::to_string(version) + ", this engine reads " +
                                        std::to_string(kRecordVersion) +
                                        "; go on with the tillwatch that wrote it, or give a new state.path");
  }
  StateReader in(plain, plain.fixed<TimeMs>());
  folded = in.order();
  floor = in.order();
  forgotten = in.time();
  next_page = static_cast<uint32_t>(in.number());
  const size_t entries = in.count(kLeastEntry);
  for (size_t i = 0; i < entries; ++i) log.push_back(read_entry(in));
  const bool whole = read_history(in, history, log);
  blocked.resize(in.count(kLeastOrder + 5));
  if (!blocked.empty()) clock_numbers = in.fixed<uint32_t>();
  for (Blocked& each : blocked) {
    each.order = in.order();
    each.clock = in.fixed<int32_t>();
    each.needed = in.time();
  }
  read_published(in, published);
  if (!whole || !plain.ok() || !plain.done()) return fail(ErrorKind::corrupt, "store: the state of a key is damaged");
  return {};
}

std::string KeyState::encode_page(uint32_t page) const {
  std::string bytes;
  ByteWriter plain(bytes);
  plain.fixed(kPageVersion);
  const Inline entries = entries_of(log, page, log.left_of(page));
  const TimeMs base = entries.empty() ? 0 : entries.front()->time;
  plain.fixed(base);
  {
    StateWriter out(bytes, base);
    out.number(entries.size());
    for (const Entry* entry : entries) write(out, *entry);
  }
  return bytes;
}

Status KeyState::decode_page(uint32_t page, std::string_view bytes) {
  ByteReader plain(bytes);
  const auto version = plain.fixed<uint8_t>();
  if (!plain.ok() || version != kPageVersion)
    return fail(ErrorKind::corrupt, "store: a page of events is damaged or of another format");
  StateReader in(plain, plain.fixed<TimeMs>());
  const size_t entries = in.count(kLeastEntry);
  for (size_t i = 0; i < entries; ++i) {
    Entry entry = read_entry(in);
    entry.page = page;
    log.push_back(std::move(entry));
  }
  if (!plain.ok() || !plain.done()) return fail(ErrorKind::corrupt, "store: a page of events is damaged");
  return {};
}

}  // namespace tillwatch::rules
