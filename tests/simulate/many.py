# SPDX-License-Identifier: GPL-2.0-only
"""Many seeds, as many at a time as there are CPUs: progress, results, and a summary."""

import collections
import contextlib
import datetime
import json
import sys
import time

from lab import images, pool
from lab.term import LabError, say
from tests.simulate import one, seeds

RESULTS = one.OUT / "results.jsonl"
A_DAY = 200
# Above those that are asked for by number.
FIRST_OF_DAYS = 1_000_000
SUMMED = ("announced", "halted", "sync", "declined", "ready", "stage2_aborts")


def of_today():
    """(first, number of) seeds that nobody had before today."""
    days = (datetime.date.today() - datetime.date(2026, 1, 1)).days
    first = FIRST_OF_DAYS + days * A_DAY
    say(f"the seeds of today: {first} to {first + A_DAY - 1}; "
        f"again: make simulate FROM={first} SEEDS={A_DAY}")
    return first, A_DAY


class Progress:
    """One line on a terminal, and nothing elsewhere."""

    def __init__(self, total):
        self.total, self.done, self.failed = total, 0, 0
        self.begin = time.monotonic()
        self.live = sys.stdout.isatty()

    def add(self, record):
        self.done += 1
        self.failed += not record["good"]
        if not self.live:
            return
        left = (time.monotonic() - self.begin) / self.done * (self.total - self.done)
        sys.stdout.write(f"\r{self.done} of {self.total} seeds, {self.failed} failed, "
                         f"{left / 60:.0f} min left\x1b[K")
        sys.stdout.flush()

    def clear(self):
        if self.live:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()


def coverage(records):
    """Value -> number of seeds that had it, for each dimension."""
    table = collections.defaultdict(collections.Counter)
    for record in records:
        for name, value in set(seeds.traits(record["config"])):
            table[name][str(value)] += 1
    return table


def summary(records, seconds):
    lines = [f"{name:12} " + ", ".join(f"{value} {count}" for value, count in table.most_common())
             for name, table in sorted(coverage(records).items())]
    total = collections.Counter()
    for record in records:
        total.update({name: record.get("counts", {}).get(name, 0) for name in SUMMED})
    failed = [record["seed"] for record in records if not record["good"]]
    lines.append(", ".join(f"{name} {total[name]}" for name in SUMMED))
    slowest = max(records, key=lambda record: record.get("cpu_s", 0))
    used = sum(record.get("cpu_s", 0) for record in records)
    lines.append(f"{len(records)} seeds in {seconds:.0f} s; {used / len(records):.1f} s of a CPU "
                 f"each, the slowest {slowest['seed']}: {slowest.get('cpu_s', 0)} s")
    lines.append(f"{len(failed)} failed" + "".join(f" {seed}" for seed in failed[:50]))
    return "\n".join(lines)


def records_of(wanted, jobs):
    """Records, in the order of the ends. A lab that does not work ends it all."""
    with pool.Pool() as under_way:
        for done in under_way.run(one.run, wanted, jobs):
            if done.failure:
                raise LabError(f"seed {done.item}: {done.failure}")
            yield done.value


def run(wanted, jobs, show=False):
    """Return: 0 if none failed."""
    if show:
        for seed in wanted:
            print(json.dumps(seeds.configuration(seed)))
        return 0
    images.build()
    one.OUT.mkdir(parents=True, exist_ok=True)
    records, progress = [], Progress(len(wanted))
    with open(RESULTS, "w") as out, contextlib.closing(records_of(wanted, jobs)) as found:
        for record in found:
            records.append(record)
            out.write(json.dumps(record) + "\n")
            out.flush()
            if not record["good"]:
                progress.clear()
                say(one.describe(record))
            progress.add(record)
    progress.clear()
    say(summary(records, time.monotonic() - progress.begin))
    return 0 if all(record["good"] for record in records) else 1


def earlier(seed):
    """The seed's record of the last run of many, or None."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    found = [record for record in map(json.loads, lines) if record["seed"] == seed]
    return found[-1] if found else None


def alone(seed, show=False):
    """Return: 0 if it is good, and did what it did before, if it was the same build."""
    say(json.dumps(seeds.configuration(seed)))
    if show:
        return 0
    images.build()
    before, record = earlier(seed), one.run(seed)
    say(json.dumps({key: value for key, value in record.items() if key != "config"}))
    if not record["good"]:
        say(one.describe(record))
    if before is None or before["build"] != record["build"]:
        say("nothing to compare it with: the last run of many had another build, or not this seed")
    elif one.equal(before, record):
        say("the same as in the last run of many")
    else:
        raise LabError(f"not what it did in the last run of many, see {RESULTS}")
    return 0 if record["good"] else 1
