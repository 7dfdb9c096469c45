"""The real brokers of the campaign, started by tests/broker/broker, with a proxy between each of them and each member."""
import os
import pathlib
import subprocess

from kafka_wire import Kafka
from proxies import Proxies

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "broker" / "broker"


class Brokers:
    def __init__(self, folder, count, members):
        self.folder, self.nodes = folder, range(1, count + 1)
        self.proxies = Proxies(members, self.nodes)
        for node in self.nodes:
            (folder / str(node)).mkdir(parents=True)
            ports = [f"{member.upper()} {self.proxies.gates[member, node].port}\n" for member in members]
            (folder / str(node) / "proxies").write_text("".join(ports))
        if count == 1:
            self.script("start", folder / "1", "--owner", str(os.getpid()))
        else:
            self.script("cluster", folder, str(count), "--owner", str(os.getpid()))
        for node in self.nodes:
            for member in members:
                self.proxies.lead_to(member, node, (folder / str(node) / f"listener-{member.upper()}").read_text().strip())
        self.addresses = [(folder / str(node) / "bootstrap").read_text().strip() for node in self.nodes]
        self.bootstrap = ",".join(self.addresses)
        self.kafka = Kafka(self.addresses)
        self.down = set()

    def script(self, command, folder, *more):
        done = subprocess.run([SCRIPT, command, folder, *more], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"broker {command} {folder} failed:\n{done.stdout}{done.stderr}")

    def kill(self, node):
        self.down.add(node)
        self.script("kill", self.folder / str(node))

    def stop(self, node):
        self.down.add(node)
        self.script("stop", self.folder / str(node))

    def start(self, node):
        self.script("start", self.folder / str(node), "--owner", str(os.getpid()))
        self.down.discard(node)

    def heal(self):
        for node in list(self.down):
            self.start(node)
        for member, _ in self.proxies.gates:
            self.proxies.set(member, "open")

    def end(self):
        for node in self.nodes:
            self.script("kill", self.folder / str(node))
