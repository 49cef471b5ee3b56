# SPDX-License-Identifier: GPL-2.0-only
"""System tests, in TAP. Each boots a fresh host in QEMU and runs a nested guest in it.

$T: a regular expression that chooses among the tests by name. $J: QEMUs at a time (the CPUs, at
most 4). $KERNEL_FLAVOUR: of the kernel of hosts and guests (lab).
"""

import argparse
import contextlib
import io
import itertools
import time

from lab import harness, pool, term

JOBS_MAX = 4


def arguments():
    parser = argparse.ArgumentParser(prog="python3 -m tests.system", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--guests", action="store_const", const="guests", dest="suite", default="",
                       help="those of all of Debian's kernels, instead of the others")
    which.add_argument("--long", action="store_const", const="long", dest="suite",
                       help="those that take longer than the others may")
    parser.add_argument("--list", action="store_true", help="only name the tests")
    return parser.parse_args()


def attempt(entry):
    """In a process of its own: the verdict, with what the test has printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        verdict = harness.attempt(entry)
    text = [line.removeprefix("# ") for line in said.getvalue().splitlines()]
    verdict.said = "\n".join([*text, verdict.said])
    return verdict


def run(entries, limit):
    """Numbers are given in the order of the ends. Returns the exit status."""
    begin, good = time.monotonic(), True
    harness.plan(entries)
    waiting = sorted(entries, key=lambda entry: -entry.seconds)
    with pool.Pool() as under_way:
        ends = itertools.chain(
            under_way.run(attempt, [entry for entry in waiting if not entry.alone], limit),
            under_way.run(attempt, [entry for entry in waiting if entry.alone], 1))
        for number, done in enumerate(ends, 1):
            verdict = done.value or harness.Verdict(False, said=done.failure)
            harness.report(number, done.item, verdict)
            good &= verdict.good
    harness.comment(f"{time.monotonic() - begin:.0f} s, {limit} at a time")
    return 0 if good else 1


def main():
    args = arguments()
    entries = [entry for entry in harness.discover("tests.system")
               if entry.suits and entry.suite == args.suite]
    if args.list:
        return harness.names(entries)
    return run(harness.chosen(entries), pool.jobs(JOBS_MAX))


if __name__ == "__main__":
    term.main(main)
