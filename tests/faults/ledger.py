"""The ledger of a run as it is committed: where every record went, and that what one side counted the other counted too."""
import re
import struct
import urllib.request

from traffic import run

SELF_KEY = b"\xff\xff\xff\xfe"  # the slot of a shard's own record, behind the shard's number (engine/group_shard.cc)
TAIL = 400  # records of a changelog partition in which the last commit is looked for first


class Record:
    """A shard's own record, as engine/group_shard.cc writes it."""

    def __init__(self, data):
        self.data, self.at = data, 0
        version, self.commits, _ = self.fixed("B"), self.fixed("Q"), self.fixed("H")
        if version != 1:
            raise ValueError(f"a shard's record of version {version}: teach tests/faults/ledger.py to read it")
        self.received = {}
        for _ in range(self.fixed("I")):
            topic, number = self.text().decode(), self.fixed("i")
            self.received[topic, number] = self.fixed("Q")
        for _ in range(self.fixed("I")):
            self.text(), self.fixed("i"), self.fixed("q")
        self.text()  # clocks
        shards = struct.unpack_from("<H", data, 9)[0]
        for _ in range(self.fixed("I")):
            self.text()
            self.at += 16 * shards
        self.text()  # what is judged of silent feeds
        self.routes = self.read_routes(self.text())

    def fixed(self, format_):
        size = struct.calcsize("<" + format_)
        self.at += size
        return struct.unpack_from("<" + format_, self.data, self.at - size)[0]

    def text(self):
        length = self.fixed("I")
        self.at += length
        return self.data[self.at - length:self.at]

    @staticmethod
    def read_routes(data):
        head, partitions = struct.unpack_from("<II", data)
        if head >> 24 != 1 or partitions:
            raise ValueError("a shard's ledger of another form: teach tests/faults/ledger.py to read it")
        at, routes = 12, {}
        for _ in range(struct.unpack_from("<I", data, 8)[0]):
            length = struct.unpack_from("<I", data, at)[0]
            name = data[at + 4:at + 4 + length].decode()
            routes[name] = struct.unpack_from("<4Q", data, at + 4 + length)
            at += 36 + length
        return routes


def records_with_keys(text):
    """Of kcat's "%K %S\\n%k%s"."""
    at = 0
    while at < len(text):
        end = text.index(b"\n", at)
        key_size, size = (max(0, int(word)) for word in text[at:end].split())
        yield text[end + 1:end + 1 + key_size], text[end + 1 + key_size:end + 1 + key_size + size]
        at = end + 1 + key_size + size


def shard_record(bootstrap, changelog, shard):
    """The last one committed, None before the first."""
    found = None
    for start in (f"-{TAIL}", "beginning"):
        text = run(["kcat", "-C", "-b", bootstrap, "-t", changelog, "-p", shard, "-o", start, "-e", "-q", "-f", "%K %S\n%k%s", "-X",
                    "isolation.level=read_committed"], binary=True)
        for key, value in records_with_keys(text):
            if key[2:6] == SELF_KEY:
                found = Record(value)
        if found:
            break
    return found


def unbalanced_in_group(brokers, group, shards, records):
    """What is wrong, one line each. `records`: of each source partition, as they were produced."""
    wrong, received = [], {}
    committed = brokers.kafka.committed(group)
    for shard in range(shards):
        own = shard_record(brokers.bootstrap, f"{group}-changelog", shard)
        if own is None:
            continue
        for place, count in own.received.items():
            received[place] = received.get(place, 0) + count
        for name, (copies, used, repeated, late) in own.routes.items():
            if copies != used + repeated + late:
                wrong.append(f"shard {shard}, {name}: {copies} copies, {used} used, {repeated} repeated, {late} late")
    for place, count in records.items():
        name = "{}-{}".format(*place)
        offset, note = committed.get(place, (-1, ""))
        if not note.startswith("source/1 "):
            wrong.append(f"{name}: nothing committed")
            continue
        read, unwanted, taken, _, copies, _, *dead = map(int, note.split()[6:])
        if not read == count == offset:
            wrong.append(f"{name}: {count} records, {read} read, position {offset}")
        if read != unwanted + taken + sum(dead):
            wrong.append(f"{name}: {read} read, {unwanted} unwanted, {taken} taken, {sum(dead)} dead letters")
        if copies != received.get(place, 0):
            wrong.append(f"{name}: {copies} copies sent, {received.get(place, 0)} received")
    return wrong


def unbalanced_in_single(brokers, group, metrics_address, records):
    """The same of one process, by its metrics and the group's positions."""
    if metrics_address is None:
        return ["no metrics yet"]
    with urllib.request.urlopen(metrics_address, timeout=10) as answer:
        text = answer.read().decode()
    sums = {}
    for name, labels, value in re.findall(r"^tillwatch_(\w+?)_total\{(.*?)\} (\S+)$", text, re.MULTILINE):
        labels = dict(re.findall(r'(\w+)="(.*?)"', labels))
        place = labels.get("route") or (labels.get("topic"), int(labels.get("partition", -1)))
        sums[name, place] = sums.get((name, place), 0) + int(float(value))
    wrong = []
    committed = brokers.kafka.committed(group)
    for place, count in records.items():
        read, dead, unwanted, taken = (sums.get((f"records_{kind}", place), 0) for kind in ("read", "dead_lettered", "unwanted", "taken"))
        if not read == count == committed.get(place, (-1, ""))[0] or read != dead + unwanted + taken:
            wrong.append(f"{place}: {count} records, {read} read, {dead} dead letters, {unwanted} unwanted, {taken} taken")
    for name, place in sums:
        if name == "route_copies":
            used, repeated, late = (sums.get((f"route_{kind}", place), 0) for kind in ("used", "repeated", "late"))
            if sums[name, place] != used + repeated + late:
                wrong.append(f"{place}: {sums[name, place]} copies, {used} used, {repeated} repeated, {late} late")
    return wrong
