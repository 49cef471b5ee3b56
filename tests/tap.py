# SPDX-License-Identifier: GPL-2.0-only
"""Run test suites that speak TAP, show what they say, and count.

A suite is NAME=COMMAND. +NAME=COMMAND is a step between suites, a build say:
it prints no TAP, and if it fails nothing after it runs. The last line is always
`N passed, N failed, N skipped`. The status is 0 only if something ran, nothing
failed, and each suite came to the end of its plan.
"""

import argparse
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys

from lab import make

POINT = re.compile(r"\s*(not )?ok\b\s*\d*\s*-?\s*(.*)")
PLAN = re.compile(r"\s*1\.\.(\d+)")
SKIP = re.compile(r"#\s*skip\b\s*", re.I)


class Tally:
    """The counts, and the filter on names."""

    def __init__(self, pattern):
        self.pattern = re.compile(pattern)
        self.passed = self.failed = self.skipped = 0

    def point(self, failed, text):
        """Count one test. False if the filter leaves it out."""
        skip = SKIP.search(text)
        name = text[:skip.start()].strip() or text[skip.end():] if skip else text
        if not self.pattern.search(name):
            return False
        if skip:
            self.skipped += 1
        elif failed:
            self.failed += 1
        else:
            self.passed += 1
        return True

    def broken(self, text):
        """A failure of a suite as a whole."""
        self.failed += 1
        print(f"not ok - {text}", flush=True)


def start(command):
    environment = {**make.environment(), "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    return subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL, env=environment,
                            stdout=subprocess.PIPE, text=True, errors="replace")


@contextlib.contextmanager
def ended_with_us(child):
    """It may have QEMUs to end, and is waited for."""
    try:
        yield
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise


def run_step(name, command, tally):
    """The step writes to our terminal itself, so that it can show progress."""
    with subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL,
                          env=make.environment()) as child, ended_with_us(child):
        status = child.wait()
    if status:
        tally.broken(f"{name}: `{command}` failed with status {status}; the rest was not run")
    return status == 0


def run_suite(name, command, tally):
    print(f"# {name}", flush=True)
    planned, seen, failures = None, 0, 0
    with start(command) as child, ended_with_us(child):
        for line in child.stdout:
            shown = True
            if match := PLAN.match(line):
                planned = (planned or 0) + int(match[1])
                shown = False
            elif match := POINT.match(line):
                seen += 1
                skipped = SKIP.search(match[2])
                failures += bool(match[1]) and not skipped
                shown = tally.point(bool(match[1]), match[2].strip())
            if shown:
                print(line, end="", flush=True)
    if planned is None:
        tally.broken(f"{name}: ended without a plan, status {child.returncode}")
    elif seen != planned:
        tally.broken(f"{name}: planned {planned} tests, {seen} came, status {child.returncode}")
    elif child.returncode and not failures:
        tally.broken(f"{name}: status {child.returncode}, though no test failed")


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.tap", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="+", help="NAME=COMMAND or +NAME=COMMAND")
    parser.add_argument("--filter", default=os.environ.get("T", ""), metavar="REGEX",
                        help="only tests whose name matches (default: $T)")
    args = parser.parse_args()
    tally = Tally(args.filter)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    name = ""
    try:
        for suite in args.suite:
            name, _, command = suite.partition("=")
            if not name.startswith("+"):
                run_suite(name, command, tally)
            elif not run_step(name[1:], command, tally):
                break
    except OSError as error:
        tally.broken(f"{name}: cannot be run: {error}; the rest was not run")
    except KeyboardInterrupt:
        tally.broken("interrupted")
    if not tally.passed + tally.failed + tally.skipped:
        print("# no test ran: none matches" if args.filter else "# no test ran")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 0 if tally.passed and not tally.failed else 1


if __name__ == "__main__":
    sys.exit(main())
