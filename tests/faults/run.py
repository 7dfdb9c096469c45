"""One run: members over the campaign's input, the faults of a plan, and what must hold afterwards."""
import heapq
import json
import pathlib
import shutil
import signal
import time

from kafka_wire import GROUP, TRANSACTION
from ledger import unbalanced_in_group, unbalanced_in_single
from member import SHARDS, Member
from traffic import differences, of_the_first_day, read_topic, repeated_in, standing_of

TICK_S = 0.05
START_S = 60
DRAIN_S = 150  # after the last fault; a commit under way may use up its time-outs first
END_S = 40
AGAIN_S = 0.5  # until a member that could not start is started again
SAID_LINES = 12


class Run:
    def __init__(self, plan, traffic, brokers, program, folder, clock_library):
        self.plan, self.traffic, self.brokers, self.program, self.folder = plan, traffic, brokers, program, folder
        self.clock_library = clock_library
        self.group = f"faults-{plan.seed}"
        self.members, self.failures, self.actions = {}, [], []
        self.injected = []  # (kind, whether records were waiting)
        self.events = []  # what was done when, for people
        self.away, self.away_until = 0, 0.0  # brokers and networks that are; when the last of them was back

    def note(self, text):
        self.events.append(f"{time.monotonic() - self.began:7.2f}s {text}")

    def fail(self, text):
        self.note("FAILED: " + text)
        self.failures.append(text)

    def execute(self):
        self.began = time.monotonic()
        topics = [f"{self.group}-alerts", f"{self.group}-dead"]
        self.brokers.kafka.create(dict.fromkeys(topics, 1))
        try:
            for name in self.plan.members:
                self.member(name).start()
            if self.wait(START_S, lambda: self.lag() < sum(self.traffic.records.values())):
                self.inject()
                self.heal()
                self.compare()
            else:
                self.fail("nothing was committed in time")
            self.end_members()
            self.judge(final=True)
        except Exception as error:  # the campaign goes on, with the failure in its journal
            self.fail(f"{type(error).__name__}: {error}")
        finally:
            for member in self.members.values():
                member.end()
            self.brokers.heal()
        if self.failures:
            self.keep()
        else:
            shutil.rmtree(self.folder)
        self.brokers.kafka.delete(topics + [f"{self.group}-exchange", f"{self.group}-changelog"])
        self.seconds = time.monotonic() - self.began

    def member(self, name):
        if name not in self.members:
            proxied = self.plan.has("network-cut", name)
            bootstrap = self.brokers.proxies.bootstrap(name) if proxied else self.brokers.bootstrap
            self.members[name] = Member(name, self.group, self.plan, self.program, self.folder, bootstrap, self.clock_library)
        return self.members[name]

    # --- the faults

    def inject(self):
        start = time.monotonic()
        for number, fault in enumerate(self.plan.faults):
            heapq.heappush(self.actions, (start + fault.at_s, number, lambda fault=fault: self.begin(fault)))
        while self.actions:
            self.look_after_members()
            if time.monotonic() >= self.actions[0][0]:
                heapq.heappop(self.actions)[2]()
            else:
                time.sleep(TICK_S)

    def later(self, seconds, action):
        heapq.heappush(self.actions, (time.monotonic() + seconds, len(self.plan.faults) + len(self.events), action))

    def begin(self, fault):
        act = getattr(self, fault.kind.replace("-", "_"))
        lag = self.lag() if not self.brokers.down else 1
        if act(fault) is False:
            self.note(f"{fault}: not possible now")
            return
        self.note(f"{fault}, {lag} records waiting")
        if fault.kind != "die-at-step":
            self.injected.append((fault.kind, lag > 0))

    def kill(self, fault):
        member = self.member(fault.member)
        if not member.runs():
            return False
        member.kill()
        self.later(fault.lasts_s, lambda: self.start_again(member))

    def die_at_step(self, fault):
        member = self.member(fault.member)
        member.kill()
        member.start(f"{fault.how}:{fault.count}")

    def zombie(self, fault):
        member = self.member(fault.member)
        if not member.runs():
            return False
        member.send(signal.SIGSTOP)
        self.later(fault.lasts_s, lambda: member.send(signal.SIGCONT))

    def join(self, fault):
        self.member(fault.member).start()

    def leave(self, fault):
        member = self.member(fault.member)
        if not member.runs() or sum(each.wanted and not each.leaving for each in self.members.values()) < 2:
            return False
        member.leave()

    def broker_kill(self, fault):
        self.stop_broker(fault, int(fault.how), self.brokers.kill)

    def broker_restart(self, fault):
        self.stop_broker(fault, int(fault.how), self.brokers.stop)

    def stop_broker(self, fault, node, stop):
        for other in list(self.brokers.down):
            self.brokers.start(other)  # two of three are needed to choose a leader
        self.away += 1
        stop(node)

        def start():
            if node in self.brokers.down:
                self.brokers.start(node)
            self.is_back()

        self.later(fault.lasts_s, start)

    def coordinator_move(self, fault):
        member = self.member(fault.member)
        transactional_id = self.group if self.plan.mode == "single" else f"{self.group}-{member.kafka_name()}"
        name, kind = {"sources": (self.group, GROUP), "shards": (f"{self.group}-shards", GROUP),
                      "transactions": (transactional_id, TRANSACTION)}[fault.how]
        node, _ = self.brokers.kafka.coordinator(name, kind)
        self.stop_broker(fault, node, self.brokers.kill)

    def network_cut(self, fault):
        self.away += 1
        self.brokers.proxies.set(fault.member, fault.how)

        def open_again():
            self.brokers.proxies.set(fault.member, "open")
            self.is_back()

        self.later(fault.lasts_s, open_again)

    def is_back(self):
        self.away -= 1
        self.away_until = time.monotonic()

    def knew_an_outage(self, member):
        return self.away > 0 or member.began <= self.away_until

    def disk_full(self, fault):
        member = self.member(fault.member)
        member.fill_disk()
        self.later(fault.lasts_s, member.free_disk)

    def store_deleted(self, fault):
        member = self.member(fault.member)
        member.kill()
        member.lose_store()
        self.later(fault.lasts_s, lambda: self.start_again(member))

    def clock_jump(self, fault):
        member = self.member(fault.member)
        member.set_clock(int(fault.how))
        self.later(fault.lasts_s, lambda: member.set_clock(0))

    def start_again(self, member):
        if not member.runs():
            member.start()

    # --- members that end

    def look_after_members(self):
        for member in self.members.values():
            if not member.wanted or member.runs():
                continue
            code = member.process.returncode
            if member.leaving and (code == 0 or (code == -signal.SIGTERM and not member.said())):  # or told before it listens
                member.wanted = False
                self.note(f"{member.name} has left")
            elif member.die_at and code == -signal.SIGKILL:
                self.note(f"{member.name} died at {member.die_at}")
                self.injected.append(("die-at-step", self.lag() > 0 if not self.brokers.down else True))
                member.start()
            elif member.leaving and self.gave_up(member):
                member.wanted = False
                self.note(f"{member.name} was told to leave while no broker answered, and said so: {member.said().splitlines()[-1:]}")
            elif not member.has_started() and self.gave_up(member):
                self.note(f"{member.name} found no broker when it started: {member.said().splitlines()[-1:]}")
                member.start()
            elif member.on_full_disk and not member.has_started():
                self.note(f"{member.name} cannot start on a full disk, exit code {code}: {member.said().splitlines()[-1:]}")
                member.kill()
                self.later(AGAIN_S, lambda member=member: self.start_again(member))
            else:
                self.fail(f"{member.name} ended by itself, exit code {code}:\n{self.last_words(member)}")
                member.start()

    def gave_up(self, member):
        """Whether it ended as it must where no broker answers: after connect_timeout, or told to stop; never without an outage."""
        last = member.said().splitlines()[-1:]
        words = ("did not answer in time", "told to stop before the broker")
        return member.process.returncode == 1 and self.knew_an_outage(member) and any(word in line for line in last for word in words)

    def last_words(self, member):
        return "\n".join("    " + line for line in member.said().splitlines()[-SAID_LINES:])

    def heal(self):
        self.brokers.heal()
        for member in self.members.values():
            member.free_disk()
            member.set_clock(0)
            member.send(signal.SIGCONT)
            if not member.wanted and not member.leaving:
                member.start()
        self.note("all is well again")

    def wait(self, seconds, done):
        give_up_at = time.monotonic() + seconds
        while not done():
            if time.monotonic() > give_up_at:
                return False
            self.look_after_members()
            time.sleep(TICK_S * 4)
        return True

    def end_members(self):
        ending = [member for member in self.members.values() if member.runs()]
        for member in ending:
            member.die_at = None
            member.leave()
        give_up_at = time.monotonic() + END_S
        while any(member.runs() for member in ending) and time.monotonic() < give_up_at:
            time.sleep(TICK_S)
        for member in ending:
            if member.runs():
                self.fail(f"{member.name} did not end when told to:\n{self.last_words(member)}")
                continue
            member.wanted = False
            if member.process.returncode != 0 or "stopped: " not in member.said():
                self.fail(f"{member.name} did not end in order, exit code {member.process.returncode}:\n{self.last_words(member)}")

    # --- what must hold

    def lag(self):
        """Records of the input behind the group's positions."""
        committed = self.brokers.kafka.committed(self.group)
        return sum(count - max(0, committed.get(place, (0, ""))[0]) for place, count in self.traffic.records.items())

    def drained(self, topic, group):
        """Waits until the group has passed what now is the end of the topic; clocks that move bring more behind it."""
        ends = self.brokers.kafka.ends(topic)

        def passed():
            committed = self.brokers.kafka.committed(group)
            return all(committed.get((topic, number), (0, ""))[0] >= end for number, end in ends.items())

        return self.wait(DRAIN_S, passed)

    def compare(self):
        if not self.wait(DRAIN_S, lambda: self.lag() == 0 and not self.judge(final=False)):
            self.fail(f"not as it must be after {DRAIN_S} s without faults; {self.lag()} records are waiting")
        elif self.plan.mode == "group" and not self.drained(f"{self.group}-exchange", f"{self.group}-shards"):
            self.fail(f"the exchange is not drained after {DRAIN_S} s without faults")
        else:
            self.note("everything is as it must be")

    def judge(self, final):
        """What is wrong; when `final`, it is a failure. The logs are read to their end, which moves while members run: their ledger
        is read when they have ended, that of mode single before, since its metrics end with it."""
        alerts = read_topic(self.brokers.bootstrap, f"{self.group}-alerts")
        wanted, found = self.traffic.standing, standing_of(alerts)
        if self.plan.has("clock-jump"):
            wanted, found = of_the_first_day(wanted), of_the_first_day(found)
        wrong = differences(wanted, found)
        wrong += [f"said twice or never: {each}" for each in repeated_in(alerts)]
        letters = [(each["topic"], each["partition"], each["offset"])
                   for each in read_topic(self.brokers.bootstrap, f"{self.group}-dead")]
        if len(letters) != self.traffic.dead_letters or len(set(letters)) != len(letters):
            wrong.append(f"{len(letters)} dead letters of {len(set(letters))} records where {self.traffic.dead_letters} were to come")
        if self.plan.mode == "group" and final:
            wrong += unbalanced_in_group(self.brokers, self.group, SHARDS, self.traffic.records)
        elif self.plan.mode == "single" and not final:
            wrong += unbalanced_in_single(self.brokers, self.group, self.members["a"].metrics(), self.traffic.records)
        if final:
            self.report(wrong)
        return wrong

    def report(self, wrong):
        if wrong:
            self.fail(f"{len(wrong)} differences:\n" + "\n".join("    " + line[:1500] for line in wrong[:8]))
            with (self.folder / "differences.txt").open("a") as file:
                file.write("\n".join(wrong) + "\n")

    def keep(self):
        """What is needed to see what went wrong; the logs of the members are there already."""
        (self.folder / "events.txt").write_text(str(self.plan) + "\n" + "\n".join(self.events) + "\n")
        for member in self.members.values():
            shutil.rmtree(member.disk, ignore_errors=True)
        for topic in ("alerts", "dead"):
            alerts = read_topic(self.brokers.bootstrap, f"{self.group}-{topic}")
            (self.folder / f"{topic}.ndjson").write_text("".join(json.dumps(each) + "\n" for each in alerts))
        for node in self.brokers.nodes:
            shutil.copy(pathlib.Path(self.brokers.folder) / str(node) / "server.log", self.folder / f"broker-{node}.log")
