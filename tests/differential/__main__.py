# SPDX-License-Identifier: GPL-2.0-only
"""Run programs that others wrote while the guest's memory goes missing, and compare the levels.

A program that is well with APF off, and fails, hangs or makes the kernel say something at another
level is a bug of ours. The levels asked for are run first, and "off" for those programs that
complain. Needs everything built (`make test-differential` sees to that).

$T: a regular expression that chooses among the programs by name. $SEED decides what goes missing
and when; another one each day, unless it is given. $LEVELS: kernel (default), announce, halt, off, or all.
$CPUS: 1 (default), 2, 4; "4p": in real parallel. Several are separated by commas. $J: QEMUs at a time.
"""

import argparse
import dataclasses
import itertools
import os
import re
import sys
import time
from pathlib import Path

from lab import pool, programs, term
from lab.levels import LEVELS
from tests.differential import boots, catalog, known, table
from tests.differential.batch import run_batch

BATCH_COST = 60
FLOOR = 20


def arguments():
    parser = argparse.ArgumentParser(prog="python3 -m tests.differential", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only name the programs")
    parser.add_argument("--guest", default=boots.FLAVOUR, metavar="FLAVOUR",
                        help=f"of the guest's kernel ({boots.FLAVOUR})")
    parser.add_argument("--seconds", type=float, default=boots.Setting.seconds, metavar="S",
                        help="each program runs for that long at least, of the guest's time "
                        "(%(default)s)")
    parser.add_argument("--out", type=Path, default=boots.OUT, metavar="DIR")
    return parser.parse_args()


def words(name, default, allowed):
    asked = (os.environ.get(name) or default).split(",")
    for word in asked:
        if word not in allowed:
            raise term.LabError(f"{name}={word}: is none of {', '.join(allowed)}")
    return list(dict.fromkeys(asked))


def seed():
    text = os.environ.get("SEED") or time.strftime("%Y%m%d")
    if not text.isdecimal() or not int(text):
        raise term.LabError(f"SEED={text}: not a number from 1 on")
    return int(text)


def settings(args):
    levels = words("LEVELS", "kernel", [*LEVELS, "all"])
    if "all" in levels:
        levels = list(reversed(LEVELS))
    return [boots.Setting(level, int(cpus.rstrip("p")), seed(), real=cpus.endswith("p"),
                          flavour=args.guest, seconds=args.seconds)
            for cpus in words("CPUS", "1", ["1", "2", "4", "2p", "4p"]) for level in levels]


def chosen():
    pattern = re.compile(os.environ.get("T", ""))
    found = [program for program in catalog.programs() if pattern.search(program.name)]
    if not found:
        raise term.LabError(f"T={os.environ['T']}: no program has such a name, see --list")
    return found


def batches(found):
    """Lists of programs that take about as long."""
    batch, cost = [], 0
    for program in found:
        batch.append(program)
        cost += program.cost
        if cost >= BATCH_COST:
            yield batch
            batch, cost = [], 0
    if batch:
        yield batch


def one(item):
    """In a process of its own."""
    return run_batch(*item)


class Suite:
    def __init__(self, args, found):
        self.args = args
        self.programs = found
        self.rows = {program.name: table.Row(program.name, listed=known.reason(program.name))
                     for program in found}
        self.complaints = []
        self.ended = self.total = 0

    def take(self, done):
        """What came of a batch."""
        setting, batch, folder = done.item
        found, complaints = done.value or ({}, [f"{folder}: {done.failure}"])
        self.complaints += complaints
        self.ended += len(batch)
        for name, result in found.items():
            self.rows[name].results[setting.name()] = result
        bad = [name for name, result in found.items()
               if any(not known.covers(name, what) for what in result.bad())]
        if sys.stdout.isatty():
            term.say(f"  {time.strftime('%H:%M:%S')}  {setting.name()}: {self.ended} of {self.total}, "
                     f"{done.seconds:.0f} s" + (f"; complain: {', '.join(bad)}" if bad else ""))

    def work(self, wanted):
        """wanted: [(setting, programs)]"""
        for setting, found in wanted:
            for number, batch in enumerate(batches(found)):
                yield setting, batch, self.args.out / f"{setting.name()}-{number}"

    def run(self, wanted):
        work = list(self.work(wanted))
        self.ended, self.total = 0, sum(len(batch) for _, batch, _ in work)
        with pool.Pool() as under_way:
            for done in itertools.chain(
                    under_way.run(one, [item for item in work if not item[0].real], pool.jobs()),
                    under_way.run(one, [item for item in work if item[0].real], 1)):
                self.take(done)

    def judge(self):
        for row in self.rows.values():
            row.judge(FLOOR, known)

    def to_compare(self, wanted):
        """With APF off: what complained at another level."""
        self.judge()
        have = {setting.name() for setting in wanted}
        for setting in wanted:
            off = dataclasses.replace(setting, level="off")
            found = [program for program in self.programs
                     if setting.name() in self.rows[program.name].different]
            if off.name() not in have and found:
                have.add(off.name())
                yield off, [program for program in self.programs if any(
                    other.name() in self.rows[program.name].different for other in wanted
                    if (other.cpus, other.real) == (off.cpus, off.real))]


def report(suite, names, begin):
    rows = [row for row in suite.rows.values() if row.results]
    said = table.text(rows, names)
    (suite.args.out / "table.txt").write_text(said)
    meta = {"seed": seed(), "seconds": round(time.monotonic() - begin), "floor": FLOOR,
            "complaints": suite.complaints}
    (suite.args.out / "differential.json").write_text(table.to_json(rows, names, meta))
    term.say(said)
    bad = 0
    for row in rows:
        for setting, what in row.different.items():
            bad += 1
            result = row.results[setting]
            term.say(f"DIFFERENT {row.name} at {setting}: {'; '.join(what[:6])}\n  {result.folder}")
        for setting in row.idle:
            bad += 1
            term.say(f"TESTED NOTHING {row.name} at {setting}: "
                     f"{row.results[setting].faults} faults, not {FLOOR}")
    for complaint in suite.complaints:
        bad += 1
        term.say(f"BROKEN {complaint}")
    for line in table.summary(rows, names):
        term.say(line)
    term.say(f"SEED={seed()}; {suite.args.out}/differential.json has it all")
    return bad


def main():
    args = arguments()
    found = chosen()
    if args.list:
        print(*(program.name for program in found), sep="\n")
        return 0
    begin = time.monotonic()
    programs.ensure()
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = settings(args)
    suite = Suite(args, found)
    suite.run([(setting, found) for setting in wanted])
    suite.run(list(suite.to_compare(wanted)))
    suite.judge()
    names = list(dict.fromkeys(name for row in suite.rows.values() for name in row.results))
    bad = report(suite, names, begin)
    return 1 if bad else 0


if __name__ == "__main__":
    term.main(main)
