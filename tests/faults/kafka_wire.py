"""As much of the Kafka protocol as the campaign needs beside kcat: topics, coordinators, and offsets with their notes."""
import socket
import struct
import time

LIST_OFFSETS, METADATA, OFFSET_FETCH, FIND_COORDINATOR, CREATE_TOPICS, DELETE_TOPICS = 2, 3, 9, 10, 19, 20
GROUP, TRANSACTION = 0, 1
PATIENCE_S = 40
NO_ERROR, TOPIC_ALREADY_EXISTS, UNKNOWN_TOPIC = 0, 36, 3


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class Answer:
    """Reads an answer field by field."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, format_):
        size = struct.calcsize(">" + format_)
        self.at += size
        return struct.unpack_from(">" + format_, self.data, self.at - size)[0]

    def text(self):
        length = self.number("h")
        if length < 0:
            return None
        self.at += length
        return self.data[self.at - length:self.at].decode()

    def array(self, item):
        return [item() for _ in range(max(0, self.number("i")))]


def ask(address, key, version, body):
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as link:
        request = struct.pack(">hhi", key, version, 1) + text("faults") + body
        link.sendall(struct.pack(">i", len(request)) + request)
        head = link.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            raise ConnectionError(f"{address} closed the connection")
        data = link.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL)
    answer = Answer(data)
    answer.number("i")  # the correlation id
    return answer


def patiently(doing, attempt):
    """Repeats `attempt` until it gives something other than None; brokers that restart refuse for a while."""
    give_up_at = time.monotonic() + PATIENCE_S
    last = "no answer"
    while time.monotonic() < give_up_at:
        try:
            if (found := attempt()) is not None:
                return found
        except (OSError, struct.error) as error:
            last = str(error)
        time.sleep(0.05)
    raise TimeoutError(f"{doing}: {last}")


class Kafka:
    """Talks to whichever of `addresses` answers."""

    def __init__(self, addresses):
        self.addresses = list(addresses)

    def _any(self, key, version, body):
        for address in self.addresses[:-1]:
            try:
                return ask(address, key, version, body)
            except OSError:
                continue
        return ask(self.addresses[-1], key, version, body)

    def partitions(self, topic):
        """The leader of each partition, -1 for none; empty when there is no such topic."""
        answer = self._any(METADATA, 1, array([text(topic)]))
        answer.array(lambda: (answer.number("i"), answer.text(), answer.number("i"), answer.text()))
        answer.number("i")

        def partition():
            answer.number("h")
            number, leader = answer.number("i"), answer.number("i")
            copies, in_sync = (answer.array(lambda: answer.number("i")) for _ in range(2))
            return number, leader, len(copies) == len(in_sync)

        def one():
            answer.number("h"), answer.text(), answer.number("b")
            return answer.array(partition)

        return {number: (leader if whole else -1) for number, leader, whole in answer.array(one)[0]}

    def create(self, topics):
        """`topics`: name to number of partitions. Waits until each has leaders and all its copies."""
        def attempt():
            wanted = array([text(name) + struct.pack(">ih", count, -1) + array([]) + array([]) for name, count in topics.items()])
            answer = self._any(CREATE_TOPICS, 4, wanted + struct.pack(">i?", 10_000, False))
            answer.number("i")
            codes = answer.array(lambda: (answer.text(), answer.number("h"), answer.text()))
            return True if all(code in (NO_ERROR, TOPIC_ALREADY_EXISTS) for _, code, _ in codes) else None

        patiently(f"creating {', '.join(topics)}", attempt)
        for name, count in topics.items():
            patiently(f"creating {name}",
                      lambda name=name, count=count: [*self.partitions(name).values()].count(-1) == 0 and
                      len(self.partitions(name)) == count or None)

    def delete(self, names):
        def attempt():
            answer = self._any(DELETE_TOPICS, 1, array([text(name) for name in names]) + struct.pack(">i", 10_000))
            answer.number("i")
            codes = answer.array(lambda: (answer.text(), answer.number("h")))
            return True if all(code in (NO_ERROR, UNKNOWN_TOPIC) for _, code in codes) else None

        patiently(f"deleting {', '.join(names)}", attempt)

    def coordinator(self, name, kind):
        """(node, address) of the coordinator of a group or a transactional id."""
        def attempt():
            answer = self._any(FIND_COORDINATOR, 1, text(name) + struct.pack(">b", kind))
            answer.number("i")
            code = answer.number("h")
            answer.text()
            node, host, port = answer.number("i"), answer.text(), answer.number("i")
            return (node, f"{host}:{port}") if code == NO_ERROR else None

        return patiently(f"finding the coordinator of {name}", attempt)

    def ends(self, topic):
        """The offset behind the last record of each partition."""
        def end_of(number, leader):
            asked = array([text(topic) + array([struct.pack(">iq", number, -1)])])
            answer = ask(self.addresses[leader - 1], LIST_OFFSETS, 1, struct.pack(">i", -1) + asked)

            def partition():
                answer.number("i")
                code = answer.number("h")
                answer.number("q")
                return code, answer.number("q")

            [(_, [(code, offset)])] = answer.array(lambda: (answer.text(), answer.array(partition)))
            return offset if code == NO_ERROR else None

        def attempt():
            found = {number: end_of(number, leader) for number, leader in self.partitions(topic).items()}
            return found if None not in found.values() else None

        return patiently(f"asking for the ends of {topic}", attempt)

    def committed(self, group):
        """{(topic, partition): (offset, note)} of all that the group has committed."""
        def attempt():
            answer = ask(self.coordinator(group, GROUP)[1], OFFSET_FETCH, 2, text(group) + struct.pack(">i", -1))
            found = {}

            def partition():
                number, offset, note, code = answer.number("i"), answer.number("q"), answer.text(), answer.number("h")
                return number, offset, note or "", code

            for topic, partitions in answer.array(lambda: (answer.text(), answer.array(partition))):
                for number, offset, note, _ in partitions:
                    found[topic, number] = (offset, note)
            return found if answer.number("h") == NO_ERROR else None

        return patiently(f"reading the offsets of {group}", attempt)
