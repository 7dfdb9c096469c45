"""What happens in the run of a seed: a function of the seed and of nothing else."""
import dataclasses
import random

from proxies import KINDS as CUTS

COMMIT_STEPS = ("begun", "half-written", "written", "positions-sent", "flushed", "committed")
STORE_STEPS = ("before-prepare", "prepared", "decided", "applied")  # of mode single alone
SESSION_S = 6.0  # the least that a configuration may say

# Kind of fault: how often it is drawn, how many of it a run can have, and what it needs.
KINDS = {
    "kill": (4, 5, ()),
    "die-at-step": (4, 5, ()),
    "zombie": (2, 2, ()),
    "join": (2, 2, ("group",)),
    "leave": (2, 2, ("group", "several")),
    "broker-kill": (2, 2, ()),
    "broker-restart": (1, 1, ()),
    "coordinator-move": (4, 3, ("three brokers",)),
    "network-cut": (3, 3, ()),
    "disk-full": (2, 2, ("tmpfs",)),
    "store-deleted": (2, 3, ("group",)),
    "clock-jump": (2, 3, ()),
}
MEMBERS = ("a", "b", "c")
JOINERS = ("d", "e")
SHORTAGES = {"tmpfs": "a tmpfs of its own cannot be mounted here: no run has a full disk"}


@dataclasses.dataclass
class Fault:
    kind: str
    at_s: float  # after the first commit of the run
    member: str = ""  # or, of a broker: empty
    lasts_s: float = 0
    how: str = ""  # the step, the broker's number, whose coordinator, the way of cutting, the jump in seconds
    count: int = 0  # of the step

    def __str__(self):
        words = [f"{self.at_s:.2f}s", self.kind, self.member, self.how + (f":{self.count}" if self.count else "")]
        return " ".join(filter(None, words)) + (f" for {self.lasts_s:.2f}s" if self.lasts_s else "")


@dataclasses.dataclass
class Plan:
    seed: int
    mode: str
    brokers: int
    members: tuple
    transaction_timeout_s: int
    max_records: int
    faults: list

    def has(self, kind, member=None):
        return any(each.kind == kind and member in (None, each.member) for each in self.faults)

    def __str__(self):
        return (f"seed {self.seed}: mode {self.mode}, {len(self.members)} member(s), {self.brokers} broker(s), transactions of at most "
                f"{self.transaction_timeout_s}s, {self.max_records} records a commit; " + "; ".join(map(str, self.faults)))


def draw_fault(kind, at_s, members, mode, brokers, draw):
    fault = Fault(kind, at_s, draw.choice(members))
    if kind in ("kill", "store-deleted"):
        fault.lasts_s = draw.choice((0, draw.uniform(0, 1), draw.uniform(1, SESSION_S + 2)))
    elif kind == "die-at-step":
        fault.how = draw.choice(COMMIT_STEPS + (STORE_STEPS if mode == "single" else ()))
        fault.count = draw.randint(1, 30)
    elif kind == "zombie":
        fault.lasts_s = draw.uniform(SESSION_S + 1, SESSION_S + 4)
    elif kind in ("broker-kill", "broker-restart"):
        fault.member, fault.how, fault.lasts_s = "", str(draw.randint(1, brokers)), draw.uniform(0, 3)
    elif kind == "coordinator-move":
        fault.how, fault.lasts_s = draw.choice(("sources", "shards", "transactions")), draw.uniform(1, 5)
    elif kind == "network-cut":
        fault.how = draw.choice(CUTS)
        fault.lasts_s = draw.choice((draw.uniform(0.1, 2), draw.uniform(2, SESSION_S + 3)))
    elif kind == "disk-full":
        fault.lasts_s = draw.uniform(1, 5)
    elif kind == "clock-jump":
        fault.how = str(draw.choice((-86400, -3600, -60, 60, 3600, 86400)))
        fault.lasts_s = draw.uniform(1, 5)
    return fault


def make_plan(seed, lacking=(), only=()):
    """`lacking`: needs this machine does not meet; `only`: the kinds to draw from, all when empty."""
    draw = random.Random(f"tillwatch {seed}")
    mode = "single" if draw.random() < 0.2 else "group"
    brokers = 3 if draw.random() < 0.25 else 1
    members = MEMBERS[:1 if mode == "single" else draw.choice((2, 3, 3))]
    met = {mode} | ({"several"} if len(members) > 1 else set()) | ({"three brokers"} if brokers == 3 else set()) | {"tmpfs"}
    met -= set(lacking)
    kinds = [kind for kind, (_, _, needs) in KINDS.items() if met.issuperset(needs) and (not only or kind in only)]
    faults, at_s, joiners, most = [], 0.0, list(JOINERS), draw.randint(7, 12)
    while kinds and len(faults) < most:
        kind = draw.choices(kinds, [KINDS[each][0] for each in kinds])[0]
        at_s += draw.uniform(0, 1.5)
        faults.append(draw_fault(kind, at_s, members, mode, brokers, draw))
        if kind == "join":
            faults[-1].member = joiners.pop(0)
        kinds = [each for each in kinds if sum(fault.kind == each for fault in faults) < KINDS[each][1]]
    return Plan(seed, mode, brokers, members, draw.choice((2, 5, 10)), draw.choice((25, 50, 100)), faults)
