# SPDX-License-Identifier: GPL-2.0-only
"""Run the benchmark: writes bench.json, report.html and summary.md, prints a table.

Without --full it runs a choice that takes a quarter of an hour on two CPUs. Everything must
be built, which `make bench` does. The cases are the modules of bench/cases. $T is a regular
expression that chooses runs by name; $J is the number of QEMUs that run at a time.
"""

import argparse
import json
import os
import re
import time
from pathlib import Path

from bench import cases, hosts, markdown, page, rows, setup
from lab import paths, pool, term
from lab.result import ResultError


def arguments(words):
    parser = argparse.ArgumentParser(prog="python3 -m bench measure", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="run everything (an hour and three quarters)")
    parser.add_argument("--out", type=Path, default=paths.OUT, metavar="DIR")
    parser.add_argument("--replay", action="store_true",
                        help="boot nothing: report on what the last run left in DIR/bench")
    parser.add_argument("--list", action="store_true", help="list the hosts that would be booted, and end")
    return parser.parse_args(words)


def chooser():
    pattern = re.compile(os.environ.get("T", ""))
    return lambda name: bool(pattern.search(name))


def boots_of(args):
    """[Boot], longest first: then the last ones to end end together."""
    found = [boot for module in cases.modules() for boot in module.boots(args.full, chooser())]
    if not found:
        raise term.LabError(f"T={os.environ.get('T')}: no run has such a name, see --list")
    return sorted(found, key=lambda boot: (boot.alone, -boot.seconds))


def write(args, samples, seconds, failures):
    table = rows.Table(rows.fold(samples))
    meta = setup.describe(args.full, os.environ.get("T", ""), seconds, args.out / "bench")
    meta["without"] = ", ".join(failure.partition(":")[0] for failure in failures)
    goals = cases.goals(table)
    meta["goals"] = [vars(goal) for goal in goals]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in table.rows)
    (args.out / "bench.json").write_text(
        f'{{"meta": {json.dumps(meta, indent=2)},\n "rows": [\n{lines}\n]}}\n')
    (args.out / "report.html").write_text(page.render(cases.modules(), table, meta, goals))
    (args.out / "summary.md").write_text(
        markdown.render(cases.modules(), table, meta, goals, f"`{meta['command']}` from bench.json"))
    return table, goals


def measure(args):
    begin = time.monotonic()
    boots = boots_of(args)
    if args.list:
        print(*sorted(boot.name for boot in boots), sep="\n")
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    samples, failures = hosts.run(boots, args.out / "bench", pool.jobs(), args.replay)
    for failure in failures:
        term.say(f"FAILED {failure}")
    if not samples:
        raise term.LabError("nothing was measured")
    seconds = None if args.replay else time.monotonic() - begin
    table, goals = write(args, samples, seconds, failures)
    term.say(page.terminal(table, goals))
    term.say(f"\n{args.out}: bench.json, report.html, summary.md")
    return 1 if failures else 0


def main(words):
    try:
        return measure(arguments(words))
    except ResultError as error:
        raise term.LabError(error) from None
