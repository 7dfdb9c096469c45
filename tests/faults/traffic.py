"""The input of all runs of a campaign, what one process without a broker makes of it, and what a run made of it."""
import json
import pathlib
import re
import shutil
import subprocess

PARTITIONS = 4
PATIENCE_S = 120
RULES = pathlib.Path(__file__).resolve().parent.parent.parent / "rules" / "packs" / "payments"
# What no decoder takes: one in so many records of a stream is followed by it.
BROKEN_RECORD, BROKEN_EVERY = '{"transaction_id": "T-broken-', 97
NEXT_DAY = "2025-06-03"


def run(words, cwd=None, binary=False):
    done = subprocess.run(list(map(str, words)), capture_output=True, cwd=cwd, timeout=PATIENCE_S)
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-4000:].decode(errors="replace")
        raise RuntimeError(f"{' '.join(map(str, words))} failed ({done.returncode}):\n{said}")
    return done.stdout if binary else done.stdout.decode()


def without_positions(value):
    """Of evidence: in a file an offset counts bytes."""
    if isinstance(value, dict):
        return {name: without_positions(each) for name, each in value.items() if name != "offset"}
    return [without_positions(each) for each in value] if isinstance(value, list) else value


def standing_of(alerts):
    """What stands of each alert: the last record of its id without what depends on how often it was said; not what was taken back."""
    standing = {}
    for alert in alerts:
        if alert.get("resolution") == "corrected":
            standing.pop(alert["alert_id"], None)
            continue
        alert = without_positions({name: each for name, each in alert.items() if name not in ("seq", "updated_at")})
        if alert["status"] in ("firing", "updated"):
            alert["status"] = "open"
        standing[alert["alert_id"]] = alert
    return standing


def repeated_in(alerts):
    """Sequence numbers of an alert that were said twice, or left out."""
    last, wrong = {}, []
    for alert in alerts:
        wanted = last.get(alert["alert_id"], 0) + 1
        if alert["seq"] != wanted:
            wrong.append(f"{alert['alert_id']}: seq {alert['seq']} where {wanted} was to come")
        last[alert["alert_id"]] = alert["seq"]
    return wrong


def differences(wanted, found):
    lines = [f"missing: {json.dumps(wanted[each])}" for each in sorted(wanted.keys() - found.keys())]
    lines += [f"unwanted: {json.dumps(found[each])}" for each in sorted(found.keys() - wanted.keys())]
    for each in sorted(wanted.keys() & found.keys()):
        if wanted[each] != found[each]:
            lines.append(f"wanted: {json.dumps(wanted[each])}\n found: {json.dumps(found[each])}")
    return lines


class Traffic:
    """Twenty minutes with anomalies, and a little of the day after, which brings every clock past all that the first had open: so
    what stands at the end does not depend on the wall clock."""

    def __init__(self, program, folder, seed):
        self.folder, self.files = folder, {}
        (folder / "files").mkdir(parents=True)
        for name, options in (("day", ["--events-per-second", 10, "--anomalies-per-hour", 60, "--start", "2025-06-02T12:00:00+08:00"]),
                              ("next", ["--events-per-second", 3, "--anomalies-per-hour", 0, "--start", "2025-06-03T12:00:00+08:00"])):
            run([program, "generate", "--to", folder / name, "--keys", "--minutes", 20, "--seed", seed, "--partitions", PARTITIONS,
                 *options])
            for path in sorted((folder / name).glob("*.tsv")):
                topic, _, partition = path.stem.rpartition("-")
                if name == "day" or not topic.startswith("ref."):
                    self.add(topic, int(partition), path)
        output = folder / "embedded"
        words = [program, "run", "--output", output]
        for (topic, partition), path in self.files.items():
            words += ["--file", f"{topic}={path.with_suffix('.ndjson')}"]
        run(words, cwd=RULES.parent.parent.parent)
        alerts = [json.loads(line) for line in (output / "alerts.ndjson").read_text().splitlines()]
        self.standing = standing_of(alerts)
        self.dead_letters = len((output / "dead-letter.ndjson").read_text().splitlines())
        self.records = {place: sum(1 for _ in path.open("rb")) for place, path in self.files.items()}
        if not self.standing or not self.dead_letters:
            raise RuntimeError(f"the input of seed {seed} leads to {len(self.standing)} alerts and {self.dead_letters} dead letters: "
                               "such a campaign would show nothing")

    def add(self, topic, partition, path):
        """Appends to the partition's records: with keys for kcat, without for the run from files."""
        joined = self.folder / "files" / f"{topic}-{partition}.tsv"
        self.files[topic, partition] = joined
        with joined.open("a") as keyed, joined.with_suffix(".ndjson").open("a") as plain:
            for number, line in enumerate(path.read_text().splitlines()):
                keyed.write(line + "\n")
                plain.write(line.partition("\t")[2] + "\n")
                if topic == "pos.transactions" and number % BROKEN_EVERY == BROKEN_EVERY - 1:
                    keyed.write(f"broken\t{BROKEN_RECORD}{number}\n")
                    plain.write(f"{BROKEN_RECORD}{number}\n")

    def load(self, brokers):
        sizes = dict.fromkeys(re.findall(r"^ +topic: (\S+)$", (RULES / "schema.yaml").read_text(), re.MULTILINE), 1)
        for topic, partition in self.files:
            sizes[topic] = max(sizes.get(topic, 0), partition + 1)
        brokers.kafka.create(sizes)
        for (topic, partition), path in self.files.items():
            run(["kcat", "-P", "-b", brokers.bootstrap, "-t", topic, "-p", partition, "-K", "\\t", "-X", "acks=all", "-l", path])

    def clear(self):
        shutil.rmtree(self.folder)


def read_topic(bootstrap, topic, committed=True):
    """Its records as JSON, with a reader of Kafka's own kind."""
    isolation = "read_committed" if committed else "read_uncommitted"
    text = run(["kcat", "-C", "-b", bootstrap, "-t", topic, "-e", "-q", "-X", f"isolation.level={isolation}"])
    return [json.loads(line) for line in text.splitlines()]


def of_the_first_day(standing):
    """Of a run whose clock jumped: silence after the last record is then believed for as long as the clock says."""
    return {each: alert for each, alert in standing.items() if alert["raised_at"] < NEXT_DAY}
