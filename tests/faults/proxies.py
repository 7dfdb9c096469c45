"""TCP proxies between members and brokers: a gate each, which can be shut in the ways a network fails."""
import asyncio
import socket
import threading

OPEN = "open"
REFUSE = "refuse"  # connections are reset, new ones too
STALL = "stall"  # nothing passes; what was sent arrives when it ends
LOSE_ANSWERS = "lose-answers"  # requests arrive, answers are lost; the connections break when it ends
KINDS = (REFUSE, STALL, LOSE_ANSWERS)


class Gate:
    """Between one member and one broker. Lives in the loop of Proxies."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.target = None  # (host, port)
        self.state = OPEN
        self.passing = asyncio.Event()
        self.passing.set()
        self.writers = set()

    def set(self, state):
        if REFUSE in (self.state, state) or self.state == LOSE_ANSWERS:
            for writer in list(self.writers):
                writer.transport.abort()
        self.state = state
        if state == STALL:
            self.passing.clear()
        else:
            self.passing.set()

    async def serve(self, reader, writer):
        if self.state == REFUSE or self.target is None:
            writer.transport.abort()
            return
        try:
            their_reader, their_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self.writers |= {writer, their_writer}
        try:
            await asyncio.gather(self.pump(reader, their_writer, False), self.pump(their_reader, writer, True))
        finally:
            self.writers -= {writer, their_writer}

    async def pump(self, reader, writer, answers):
        try:
            while data := await reader.read(1 << 18):
                await self.passing.wait()
                if answers and self.state == LOSE_ANSWERS:
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()


class Proxies:
    """The gates of one cluster, by member and broker."""

    def __init__(self, members, nodes):
        self.loop = asyncio.new_event_loop()
        self.gates = {(member, node): Gate() for member in members for node in nodes}
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def lead_to(self, member, node, address):
        gate = self.gates[member, node]
        first = gate.target is None
        host, port = address.split(":")
        gate.target = (host, int(port))
        if first:
            asyncio.run_coroutine_threadsafe(asyncio.start_server(gate.serve, sock=gate.socket), self.loop).result(10)

    def set(self, member, state):
        async def change():
            for (of_member, _), gate in self.gates.items():
                if of_member == member:
                    gate.set(state)

        asyncio.run_coroutine_threadsafe(change(), self.loop).result(10)

    def bootstrap(self, member):
        return ",".join(f"127.0.0.1:{gate.port}" for (of_member, _), gate in self.gates.items() if of_member == member)
