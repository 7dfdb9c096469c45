"""One member of a run: a process of the real program, its folder, its clock, and the disk it has for itself when it needs one."""
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from plan import SESSION_S
from traffic import RULES

DISK_MB = 192
STATE_MB = 32
SHARDS = 6
CONFIG = """mode: {mode}
rules: [{rules}]
source: {{kafka: {{bootstrap: '{bootstrap}', group: {group}, session_timeout: {session_s}s, transaction_timeout: {transaction_s}s}}}}
sink: {{topics: {{alerts: {group}-alerts, dead_letters: {group}-dead}}}}
state: {{path: {state}, sync: false, shards: {shards}, memory_budget: {state_mb}MB}}
batch: {{max_records: {max_records}, idle_commit: 300ms}}
group: {{drain_for: 3s}}
metrics: {metrics}
"""


def can_mount(folder):
    """Whether this machine lets us have a small disk that can be full."""
    folder.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tillwatch-faults", folder], capture_output=True).returncode != 0:
        return False
    subprocess.run(["umount", folder], check=True)
    return True


class Member:
    def __init__(self, name, group, plan, program, folder, bootstrap, clock_library):
        self.name, self.group, self.plan, self.program, self.folder = name, group, plan, program, folder / name
        self.bootstrap, self.clock_library = bootstrap, clock_library
        self.disk, self.state = self.folder / "disk", self.folder / "disk" / "state"
        self.process, self.die_at, self.lives, self.wanted, self.leaving = None, None, 0, False, False
        self.disk.mkdir(parents=True)
        self.mounted = plan.has("disk-full", name)
        if self.mounted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tillwatch-faults", self.disk], check=True)
        self.shift = self.folder / "clock-shift"
        self.set_clock(0)

    def start(self, die_at=None):
        self.lives += 1
        self.began = time.monotonic()
        self.on_full_disk = self.disk_is_full()
        self.wanted, self.leaving, self.die_at = True, False, die_at
        config = self.folder / f"{self.lives}.yaml"
        config.write_text(CONFIG.format(
            mode=self.plan.mode, rules=RULES, bootstrap=self.bootstrap, group=self.group,
            session_s=int(SESSION_S) if self.plan.mode == "group" else 180, transaction_s=self.plan.transaction_timeout_s,
            state=self.state, shards=SHARDS, state_mb=STATE_MB, max_records=self.plan.max_records,
            metrics="{listen: '127.0.0.1:0'}" if self.plan.mode == "single" else "off"))
        environment = dict(os.environ)
        environment.pop("TILLWATCH_DIE_AT", None)
        if die_at:
            environment["TILLWATCH_DIE_AT"] = die_at
        if self.plan.has("clock-jump", self.name):
            environment.update(LD_PRELOAD=str(self.clock_library), TILLWATCH_CLOCK_SHIFT=str(self.shift))
        with self.log().open("wb") as log:
            self.process = subprocess.Popen([self.program, "run", "--config", config], env=environment, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def log(self):
        return self.folder / f"{self.lives}.log"

    def said(self):
        return self.log().read_text(errors="replace") if self.lives else ""

    def has_started(self):
        return " joining" in self.said() or "going on after" in self.said()

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def send(self, number):
        if self.runs():
            self.process.send_signal(number)

    def kill(self):
        """As by kill -9; nobody starts it again before start()."""
        self.wanted = False
        if self.runs():
            self.process.kill()
            self.process.wait()

    def leave(self):
        self.leaving = True
        self.send(signal.SIGTERM)

    def kafka_name(self):
        """What it is called within the group: made up when its store is made."""
        found = re.search(r" as (member-[0-9a-f]+) of group ", self.said())
        return found[1] if found else None

    def metrics(self):
        """The address of its metrics, in mode single."""
        found = re.search(r"metrics at (http://\S+)", self.said())
        return found[1] if found else None

    def fill_disk(self):
        with (self.disk / "filler").open("wb", buffering=0) as filler:
            chunk = bytes(1 << 16)
            try:
                while True:
                    filler.write(chunk)
            except OSError:
                pass

    def disk_is_full(self):
        return (self.disk / "filler").exists()

    def free_disk(self):
        (self.disk / "filler").unlink(missing_ok=True)

    def lose_store(self):
        shutil.rmtree(self.state, ignore_errors=True)

    def set_clock(self, shift_s):
        with self.shift.open("r+b" if self.shift.exists() else "wb", buffering=0) as file:
            file.write(struct.pack("<q", shift_s))

    def end(self):
        self.kill()
        if self.mounted:
            self.mounted = False
            subprocess.run(["umount", "--lazy", self.disk], check=True)
