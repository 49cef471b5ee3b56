# SPDX-License-Identifier: GPL-2.0-only
"""From a guest's result channel to the verdicts of its programs."""

import dataclasses
import json
import re

from lab.boot import TIMER_LATE

# The counters of KVM's vCPUs of which each fault at a level is in one.
FAULTS = {
    "off": (),
    "halt": ("apf_halted", "apf_sync"),
    "announce": ("apf_announced", "apf_halted", "apf_sync"),
    "kernel": ("apf_announced", "apf_halted", "apf_sync"),
}
# Exit statuses by which a program says that it cannot run here.
SKIPPED = {"kselftest": (4,), "cpython": (4,), "stress-ng": (3, 4), "rt-tests": (77,)}
# Numbers and addresses in a line of a kernel's log.
VARYING = re.compile(r"\b(0x)?[0-9a-f]*\d[0-9a-f]*\b")


@dataclasses.dataclass
class Result:
    """Of one program in one setting.

    verdict: pass, skip, fail, signal, hang, left (what it left behind does not end) or lost (the
    guest did not come to its end). sub: its verdicts by name. faults: taken while it ran.
    """

    name: str
    verdict: str
    status: int | None = None
    sub: dict = dataclasses.field(default_factory=dict)
    seconds: float = 0
    runs: int = 0
    faults: int = 0
    counters: dict = dataclasses.field(default_factory=dict)
    klog: list = dataclasses.field(default_factory=list)
    tail: str = ""
    autopsy: dict | None = None
    folder: str = ""

    def bad(self):
        """What it complains about: names of sub-verdicts, and kinds of lines in the log."""
        found = {f"sub: {name}" for name, word in self.sub.items() if word == "not ok"}
        found |= {f"log: {VARYING.sub('N', line)[:100]}" for line in self.klog}
        if self.verdict not in ("pass", "skip"):
            found.add(f"verdict: {self.verdict}")
        return found


def records(text):
    """The lines as they were before they were cut into pieces. A damaged one ends the list."""
    found, pieces = [], []
    for line in text.splitlines():
        try:
            record = json.loads(line)
            if "piece" in record:
                pieces.append(record["piece"])
                if not record["last"]:
                    continue
                record, pieces = json.loads("".join(pieces)), []
            if isinstance(record.get("long"), str):
                record = json.loads(record["long"])
        except json.JSONDecodeError:
            found.append({"damaged": line[:200]})
            break
        found.append(record)
    return found


def sums(record):
    total = {}
    for vcpu in record.get("vcpus", ()):
        for name, value in vcpu.items():
            total[name] = total.get(name, 0) + value
    total.update({f"evict_{name}": value for name, value in record.get("evict", {}).items()})
    return total


def verdict(record):
    if record["hung"]:
        return "hang"
    if record["left"]:
        return "left"
    if record["status"] < 0:
        return f"signal {-record['status']}"
    source = record["name"].partition("/")[0]
    if record["status"] in SKIPPED.get(source, ()):
        return "skip"
    return "fail" if record["status"] else "pass"


class Reader:
    """What a guest has said, in order."""

    def __init__(self, setting, folder):
        self.setting, self.folder = setting, folder
        self.stats, self.sub, self.autopsy = {}, {}, None
        self.found, self.begun, self.done, self.complaints = {}, None, None, []

    def take(self, record):
        if "stats" in record:
            self.stats[record["stats"]] = sums(record)
        elif "begin" in record:
            self.begun, self.autopsy = record["begin"], None
        elif "sub" in record:
            self.sub[record["name"]] = record["sub"]
        elif "autopsy" in record:
            self.autopsy = record["autopsy"]
        elif "program" in record:
            self.program(record["program"])
        elif "done" in record:
            self.done = record["status"]
        elif "error" in record or "damaged" in record:
            self.complaints.append(record.get("error") or record["damaged"])

    def program(self, record):
        before = self.stats.get(f"{record['id']}.begin", {})
        after = self.stats.get(f"{record['id']}.end", {})
        counters = {name: value - before.get(name, 0) for name, value in after.items()}
        faults = sum(counters.get(name, 0) for name in FAULTS[self.setting.level])
        klog = [line for line in record["klog"] if TIMER_LATE not in line]
        self.found[record["name"]] = Result(
            record["name"], verdict(record), record["status"], self.sub.get(record["name"], {}),
            record["seconds"], record["runs"], faults, counters, klog, record["tail"],
            self.autopsy, str(self.folder))
        self.begun = None


def read(setting, batch, result):
    """({name: Result}, [program that was not run], [what is wrong with the boot as a whole]).

    A program under way when the guest was lost is its victim; those behind it are run again.
    """
    folder = result.out.parent
    reader = Reader(setting, folder)
    path = folder / "guest.result"
    if path.exists():
        for record in records(path.read_text(errors="replace")):
            reader.take(record)
    wrong = list(reader.complaints)
    if result.lab_error:
        wrong.append(result.lab_error)
    wrong += [f"host's log: {line}" for line in result.klog.splitlines() if TIMER_LATE not in line]
    if reader.done is None and reader.begun:
        reader.found[reader.begun] = Result(reader.begun, "lost", folder=str(folder),
                                            tail=console(folder))
    left = [program for program in batch if program.name not in reader.found]
    if left and reader.done is None and not reader.found:
        wrong.append(f"no program was run: {console(folder)}")
    return reader.found, left, wrong


def console(folder):
    """The end of what the guest, or else the host, said last."""
    for path in (folder / "guest.console", folder / "out/vmm.err", folder / "scenario.log",
                 folder / "serial.log"):
        if path.exists() and path.stat().st_size:
            return path.read_text(errors="replace")[-2000:]
    return ""
